#include "config.h"

#include "base/mask.h"

#include <errno.h>
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

struct mask {
  struct node *nodes;
  uint32_t node_count;
  size_t node_room;
  uint32_t root_children[256]; /* the root's, without a search */
};

struct mask_range {
  size_t start;
  size_t end; /* exclusive */
};

static uint32_t find_child(const struct mask *mask, uint32_t node,
                           unsigned char byte)
{
  if (node == 0)
    return mask->root_children[byte];
  uint32_t child = mask->nodes[node].first_child;
  while (child != 0 && mask->nodes[child].byte != byte)
    child = mask->nodes[child].next_sibling;
  return child;
}

static uint32_t add_child(struct mask *mask, uint32_t parent,
                          unsigned char byte)
{
  uint32_t child = mask->node_count++;
  mask->nodes[child] = (struct node){
      .next_sibling = mask->nodes[parent].first_child,
      .depth = mask->nodes[parent].depth + 1,
      .byte = byte,
  };
  mask->nodes[parent].first_child = child;
  if (parent == 0)
    mask->root_children[byte] = child;
  return child;
}

static void add_pattern(struct mask *mask, const char *bytes, size_t count)
{
  uint32_t at = 0;
  for (size_t i = 0; i < count; i++) {
    unsigned char byte = (unsigned char)bytes[i];
    uint32_t child = find_child(mask, at, byte);
    at = child != 0 ? child : add_child(mask, at, byte);
  }
  mask->nodes[at].longest = mask->nodes[at].depth;
}

/* How long it is without the newlines at its end. */
static size_t stripped(const char *bytes, size_t count)
{
  while (count > 0 && (bytes[count - 1] == '\n' || bytes[count - 1] == '\r'))
    count--;
  return count;
}

static void add_lines(struct mask *mask, const char *bytes, size_t count)
{
  while (count > 0) {
    const char *newline = memchr(bytes, '\n', count);
    size_t whole = newline != NULL ? (size_t)(newline - bytes) + 1 : count;
    size_t length = stripped(bytes, whole);
    if (length >= MASK_LINE_LEAST)
      add_pattern(mask, bytes, length);
    bytes += whole;
    count -= whole;
  }
}

/* The state after `byte`: the longest end of what was read that a secret
 * begins with. */
static uint32_t step(const struct mask *mask, uint32_t state,
                     unsigned char byte)
{
  uint32_t next = find_child(mask, state, byte);
  while (next == 0 && state != 0) {
    state = mask->nodes[state].fail;
    next = find_child(mask, state, byte);
  }
  return next;
}

/* Breadth first, since a node's fail is less deep than the node. */
static void link_nodes(struct mask *mask)
{
  cleanup_free uint32_t *queue =
      xreallocarray(NULL, mask->node_count, sizeof *queue);
  struct node *nodes = mask->nodes;
  size_t queued = 1;
  queue[0] = 0;
  for (size_t done = 0; done < queued; done++) {
    uint32_t parent = queue[done];
    for (uint32_t at = nodes[parent].first_child; at != 0;
         at = nodes[at].next_sibling) {
      if (parent != 0)
        nodes[at].fail = step(mask, nodes[parent].fail, nodes[at].byte);
      if (nodes[at].longest == 0)
        nodes[at].longest = nodes[nodes[at].fail].longest;
      queue[queued++] = at;
    }
  }
}

int mask_new(const struct iovec *secrets, size_t count, struct mask **mask,
             struct error **err)
{
  size_t total = 0;
  for (size_t i = 0; i < count; i++) {
    if (secrets[i].iov_len > MASK_SECRETS_MAX_BYTES - total)
      return error_make(err, E2BIG,
                        "the secrets are larger than %d bytes together",
                        MASK_SECRETS_MAX_BYTES);
    total += secrets[i].iov_len;
  }
  struct mask *made = xcalloc(1, sizeof *made);
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
  *mask = made;
  return 0;
}

void mask_free(struct mask *mask)
{
  if (mask == NULL)
    return;
  explicit_bzero(mask->nodes, mask->node_room * sizeof *mask->nodes);
  free(mask->nodes);
  free(mask);
}

void mask_stream_init(struct mask_stream *stream, const struct mask *mask)
{
  *stream = (struct mask_stream){.mask = mask};
}

/* An old buffer is overwritten before it is freed, so realloc won't do. */
static void make_room(char **buffer, size_t used, size_t *room, size_t wanted)
{
  if (*buffer != NULL && wanted <= *room)
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
static void add_range(struct mask_stream *stream, size_t start, size_t end)
{
  while (stream->range_count > 0 &&
         stream->ranges[stream->range_count - 1].end >= start) {
    size_t other = stream->ranges[--stream->range_count].start;
    start = other < start ? other : start;
  }
  if (stream->range_count == stream->range_room) {
    stream->range_room = stream->range_room ? 2 * stream->range_room : 16;
    stream->ranges = xreallocarray(stream->ranges, stream->range_room,
                                   sizeof *stream->ranges);
  }
  stream->ranges[stream->range_count++] = (struct mask_range){start, end};
}

static void put_out(struct mask_stream *stream, const char *bytes, size_t count)
{
  memcpy(stream->out + stream->out_count, bytes, count);
  stream->out_count += count;
}

static void put_plain(struct mask_stream *stream, size_t start, size_t end)
{
  if (start >= end)
    return;
  put_out(stream, stream->window + start, end - start);
  stream->in_run = false;
}

static void put_hidden(struct mask_stream *stream)
{
  if (!stream->in_run)
    put_out(stream, MASK_TEXT, strlen(MASK_TEXT));
  stream->in_run = true;
}

/* Gives out the window's first `count` bytes, and keeps the others. */
static void give_out(struct mask_stream *stream, size_t count)
{
  /* A run of four or more bytes becomes shorter; only of the last, which may
   * go on, can a single byte be in here. */
  make_room(&stream->out, 0, &stream->out_room, count + strlen(MASK_TEXT));
  stream->out_count = 0;
  if (count == 0)
    return;
  size_t at = 0, done = 0;
  for (; done < stream->range_count; done++) {
    const struct mask_range *range = &stream->ranges[done];
    if (range->start >= count)
      break;
    put_plain(stream, at, range->start);
    put_hidden(stream);
    at = range->end;
    if (range->end > count)
      break;
  }
  put_plain(stream, at, count);
  stream->range_count -= done;
  for (size_t i = 0; i < stream->range_count; i++) {
    const struct mask_range *range = &stream->ranges[done + i];
    stream->ranges[i].end = range->end - count;
    stream->ranges[i].start = range->start > count ? range->start - count : 0;
  }
  stream->window_count -= count;
  if (stream->window_count > 0)
    memmove(stream->window, stream->window + count, stream->window_count);
}

/* How many bytes at the end may be the beginning of a secret. */
static size_t undecided(const struct mask_stream *stream)
{
  const struct node *nodes = stream->mask->nodes;
  uint32_t state = stream->state;
  while (state != 0 && nodes[state].first_child == 0)
    state = nodes[state].fail;
  return nodes[state].depth;
}

void mask_feed(struct mask_stream *stream, const void *bytes, size_t count,
               const char **out, size_t *out_count)
{
  const unsigned char *from = bytes;
  size_t held = stream->window_count;
  make_room(&stream->window, held, &stream->window_room, held + count);
  if (count > 0)
    memcpy(stream->window + held, from, count);
  stream->window_count += count;
  for (size_t i = 0; i < count; i++) {
    stream->state = step(stream->mask, stream->state, from[i]);
    size_t longest = stream->mask->nodes[stream->state].longest;
    size_t end = held + i + 1;
    if (longest > 0)
      add_range(stream, end - longest, end);
  }
  give_out(stream, stream->window_count - undecided(stream));
  *out = stream->out;
  *out_count = stream->out_count;
}

void mask_finish(struct mask_stream *stream, const char **out,
                 size_t *out_count)
{
  give_out(stream, stream->window_count);
  stream->state = 0;
  stream->in_run = false;
  *out = stream->out;
  *out_count = stream->out_count;
}

void mask_stream_release(struct mask_stream *stream)
{
  if (stream->window != NULL)
    explicit_bzero(stream->window, stream->window_room);
  free(stream->window);
  free(stream->ranges);
  free(stream->out);
  mask_stream_init(stream, stream->mask);
}

char *mask_text(const struct mask *mask, const char *text)
{
  cleanup_mask_stream struct mask_stream stream;
  mask_stream_init(&stream, mask);
  const char *out;
  size_t first, last;
  mask_feed(&stream, text, strlen(text), &out, &first);
  /* What is held back may end as a secret, which is at most as long. */
  char *masked = xmalloc(first + stream.window_count + sizeof MASK_TEXT);
  memcpy(masked, out, first);
  mask_finish(&stream, &out, &last);
  memcpy(masked + first, out, last);
  masked[first + last] = '\0';
  return masked;
}
