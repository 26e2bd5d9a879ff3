#include "config.h"

#include "base/mask.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The secrets as a trie; node 0 is its root, and 0 stands for "none" where a
 * child is meant. */
struct node {
  uint32_t first_child;
  uint32_t next_sibling;
  uint32_t fail;    /* the node of the longest proper suffix of this one */
  uint32_t depth;   /* how many bytes lead here */
  uint32_t longest; /* the longest secret that ends here; 0: none */
  unsigned char byte;
};

struct mask_words {
  struct node *nodes;
  uint32_t node_count;
  size_t node_room;
  uint32_t root_children[256]; /* the root's, without a search */
};

struct range {
  size_t start;
  size_t end; /* exclusive */
};

struct mask {
  const struct mask_words *words;
  uint32_t state;
  bool in_run;  /* the last byte that went on was hidden */
  char *window; /* what was held back, and then what is fed */
  size_t window_count;
  size_t window_room;
  struct range *ranges; /* hidden parts of the window, in order */
  size_t range_count;
  size_t range_room;
  char *out;
  size_t out_count;
  size_t out_room;
};

static uint32_t find_child(const struct mask_words *words, uint32_t node,
                           unsigned char byte)
{
  if (node == 0)
    return words->root_children[byte];
  uint32_t child = words->nodes[node].first_child;
  while (child != 0 && words->nodes[child].byte != byte)
    child = words->nodes[child].next_sibling;
  return child;
}

static uint32_t add_child(struct mask_words *words, uint32_t parent,
                          unsigned char byte)
{
  uint32_t child = words->node_count++;
  words->nodes[child] = (struct node){
      .next_sibling = words->nodes[parent].first_child,
      .depth = words->nodes[parent].depth + 1,
      .byte = byte,
  };
  words->nodes[parent].first_child = child;
  if (parent == 0)
    words->root_children[byte] = child;
  return child;
}

static void add_pattern(struct mask_words *words, const char *bytes,
                        size_t count)
{
  uint32_t at = 0;
  for (size_t i = 0; i < count; i++) {
    unsigned char byte = (unsigned char)bytes[i];
    uint32_t child = find_child(words, at, byte);
    at = child != 0 ? child : add_child(words, at, byte);
  }
  words->nodes[at].longest = words->nodes[at].depth;
}

/* How long it is without the newlines at its end. */
static size_t stripped(const char *bytes, size_t count)
{
  while (count > 0 && (bytes[count - 1] == '\n' || bytes[count - 1] == '\r'))
    count--;
  return count;
}

static void add_lines(struct mask_words *words, const char *bytes, size_t count)
{
  while (count > 0) {
    const char *newline = memchr(bytes, '\n', count);
    size_t whole = newline != NULL ? (size_t)(newline - bytes) + 1 : count;
    size_t length = stripped(bytes, whole);
    if (length >= MASK_LINE_LEAST)
      add_pattern(words, bytes, length);
    bytes += whole;
    count -= whole;
  }
}

/* The state after `byte`: the longest end of what was read that a secret
 * begins with. */
static uint32_t step(const struct mask_words *words, uint32_t state,
                     unsigned char byte)
{
  uint32_t next = find_child(words, state, byte);
  while (next == 0 && state != 0) {
    state = words->nodes[state].fail;
    next = find_child(words, state, byte);
  }
  return next;
}

/* Breadth first, since a node's fail is less deep than the node. */
static void link_nodes(struct mask_words *words)
{
  cleanup_free uint32_t *queue =
      xreallocarray(NULL, words->node_count, sizeof *queue);
  struct node *nodes = words->nodes;
  size_t queued = 1;
  queue[0] = 0;
  for (size_t done = 0; done < queued; done++) {
    uint32_t parent = queue[done];
    for (uint32_t at = nodes[parent].first_child; at != 0;
         at = nodes[at].next_sibling) {
      if (parent != 0)
        nodes[at].fail = step(words, nodes[parent].fail, nodes[at].byte);
      if (nodes[at].longest == 0)
        nodes[at].longest = nodes[nodes[at].fail].longest;
      queue[queued++] = at;
    }
  }
}

int mask_words_new(const struct iovec *secrets, size_t count,
                   struct mask_words **words, struct error **err)
{
  size_t total = 0;
  for (size_t i = 0; i < count; i++) {
    if (secrets[i].iov_len > MASK_SECRETS_MAX_BYTES - total)
      return error_make(err, E2BIG,
                        "the secrets are larger than %d bytes together",
                        MASK_SECRETS_MAX_BYTES);
    total += secrets[i].iov_len;
  }
  struct mask_words *made = xcalloc(1, sizeof *made);
  /* Each byte is in the whole secret and in one line of it. */
  made->node_room = 2 * total + 1;
  made->nodes = xcalloc(made->node_room, sizeof *made->nodes);
  made->node_count = 1;
  for (size_t i = 0; i < count; i++) {
    const char *bytes = secrets[i].iov_base;
    size_t length = stripped(bytes, secrets[i].iov_len);
    if (length < MASK_SECRET_LEAST)
      continue;
    add_pattern(made, bytes, length);
    add_lines(made, bytes, length);
  }
  link_nodes(made);
  *words = made;
  return 0;
}

void mask_words_free(struct mask_words *words)
{
  if (words == NULL)
    return;
  explicit_bzero(words->nodes, words->node_room * sizeof *words->nodes);
  free(words->nodes);
  free(words);
}

struct mask *mask_new(const struct mask_words *words)
{
  struct mask *mask = xcalloc(1, sizeof *mask);
  mask->words = words;
  return mask;
}

void mask_free(struct mask *mask)
{
  if (mask == NULL)
    return;
  if (mask->window != NULL)
    explicit_bzero(mask->window, mask->window_room);
  free(mask->window);
  free(mask->ranges);
  free(mask->out);
  free(mask);
}

/* An old buffer is overwritten before it is freed, so realloc won't do. */
static void make_room(char **buffer, size_t used, size_t *room, size_t wanted)
{
  if (wanted <= *room)
    return;
  if (wanted < 2 * *room)
    wanted = 2 * *room;
  char *larger = xmalloc(wanted);
  if (*buffer != NULL) {
    memcpy(larger, *buffer, used);
    explicit_bzero(*buffer, *room);
    free(*buffer);
  }
  *buffer = larger;
  *room = wanted;
}

/* Adds a range that ends beyond all others, and joins it with those that it
 * meets: each range is added and taken away once, so this is linear too. */
static void add_range(struct mask *mask, size_t start, size_t end)
{
  while (mask->range_count > 0 &&
         mask->ranges[mask->range_count - 1].end >= start) {
    size_t other = mask->ranges[--mask->range_count].start;
    start = other < start ? other : start;
  }
  if (mask->range_count == mask->range_room) {
    mask->range_room = mask->range_room ? 2 * mask->range_room : 16;
    mask->ranges =
        xreallocarray(mask->ranges, mask->range_room, sizeof *mask->ranges);
  }
  mask->ranges[mask->range_count++] = (struct range){start, end};
}

static void put_out(struct mask *mask, const char *bytes, size_t count)
{
  memcpy(mask->out + mask->out_count, bytes, count);
  mask->out_count += count;
}

static void put_plain(struct mask *mask, size_t start, size_t end)
{
  if (start >= end)
    return;
  put_out(mask, mask->window + start, end - start);
  mask->in_run = false;
}

static void put_hidden(struct mask *mask)
{
  if (!mask->in_run)
    put_out(mask, MASK_TEXT, strlen(MASK_TEXT));
  mask->in_run = true;
}

/* Gives out the window's first `count` bytes, and keeps the others. */
static void give_out(struct mask *mask, size_t count)
{
  /* A run of four or more bytes becomes shorter; only of the last, which may
   * go on, can a single byte be in here. */
  make_room(&mask->out, 0, &mask->out_room, count + strlen(MASK_TEXT));
  mask->out_count = 0;
  if (count == 0)
    return;
  size_t at = 0, done = 0;
  for (; done < mask->range_count; done++) {
    const struct range *range = &mask->ranges[done];
    if (range->start >= count)
      break;
    put_plain(mask, at, range->start);
    put_hidden(mask);
    at = range->end;
    if (range->end > count)
      break;
  }
  put_plain(mask, at, count);
  mask->range_count -= done;
  for (size_t i = 0; i < mask->range_count; i++) {
    const struct range *range = &mask->ranges[done + i];
    mask->ranges[i].end = range->end - count;
    mask->ranges[i].start = range->start > count ? range->start - count : 0;
  }
  mask->window_count -= count;
  if (mask->window_count > 0)
    memmove(mask->window, mask->window + count, mask->window_count);
}

/* How many bytes at the end may be the beginning of a secret. */
static size_t undecided(const struct mask *mask)
{
  const struct node *nodes = mask->words->nodes;
  uint32_t state = mask->state;
  while (state != 0 && nodes[state].first_child == 0)
    state = nodes[state].fail;
  return nodes[state].depth;
}

void mask_feed(struct mask *mask, const void *bytes, size_t count,
               mask_put *put, void *argument)
{
  const unsigned char *from = bytes;
  size_t held = mask->window_count;
  make_room(&mask->window, held, &mask->window_room, held + count);
  if (count > 0)
    memcpy(mask->window + held, from, count);
  mask->window_count += count;
  for (size_t i = 0; i < count; i++) {
    mask->state = step(mask->words, mask->state, from[i]);
    size_t longest = mask->words->nodes[mask->state].longest;
    size_t end = held + i + 1;
    if (longest > 0)
      add_range(mask, end - longest, end);
  }
  give_out(mask, mask->window_count - undecided(mask));
  if (mask->out_count > 0)
    put(argument, mask->out, mask->out_count);
}

void mask_finish(struct mask *mask, mask_put *put, void *argument)
{
  give_out(mask, mask->window_count);
  mask->state = 0;
  mask->in_run = false;
  if (mask->out_count > 0)
    put(argument, mask->out, mask->out_count);
}

/* A text that grows at its end. */
struct growing {
  char *text;
  size_t length;
};

static void append(void *argument, const void *bytes, size_t count)
{
  struct growing *growing = argument;
  growing->text = xreallocarray(growing->text, growing->length + count + 1, 1);
  memcpy(growing->text + growing->length, bytes, count);
  growing->length += count;
  growing->text[growing->length] = '\0';
}

char *mask_text(const struct mask_words *words, const char *text)
{
  struct growing masked = {.text = xstrdup("")};
  cleanup_mask struct mask *mask = mask_new(words);
  mask_feed(mask, text, strlen(text), append, &masked);
  mask_finish(mask, append, &masked);
  return masked.text;
}
