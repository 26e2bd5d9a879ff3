/* The masker against the simplest one that can be written, on texts and
 * secrets of few letters, so that they meet and overlap in every way, cut into
 * pieces at random. */
#include "config.h"

#include "base/mask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { SECRETS_MAX = 5, SECRET_MAX = 12, TEXT_MAX = 200 };

/* Always the same numbers: a failure can be repeated. */
static uint32_t random_below(uint32_t limit)
{
  static uint64_t seed = 20181126;
  seed = seed * 6364136223846793005U + 1442695040888963407U;
  return (uint32_t)(seed >> 33) % limit;
}

static size_t random_text(char *text, size_t least, size_t most,
                          uint32_t letters)
{
  size_t length = least + random_below((uint32_t)(most - least) + 1);
  for (size_t i = 0; i < length; i++)
    text[i] = (char)('a' + random_below(letters));
  text[length] = '\0';
  return length;
}

static struct mask *make_mask(const struct iovec *secrets, size_t count)
{
  cleanup_error struct error *err = NULL;
  struct mask *mask = NULL;
  assert_int_equal(mask_new(secrets, count, &mask, &err), 0);
  return mask;
}

static void mask_simply(const struct iovec *secrets, size_t count,
                        const char *text, char *masked)
{
  char hidden[TEXT_MAX + 1] = {0};
  size_t length = strlen(text);
  for (size_t at = 0; at < length; at++)
    for (size_t i = 0; i < count; i++)
      if (secrets[i].iov_len >= MASK_SECRET_LEAST &&
          secrets[i].iov_len <= length - at &&
          memcmp(text + at, secrets[i].iov_base, secrets[i].iov_len) == 0)
        memset(hidden + at, 1, secrets[i].iov_len);
  char *to = masked;
  for (size_t at = 0; at < length; at++) {
    if (!hidden[at])
      *to++ = text[at];
    else if (at == 0 || !hidden[at - 1])
      to = stpcpy(to, MASK_TEXT);
  }
  *to = '\0';
}

/* What came out. */
struct output {
  char bytes[TEXT_MAX * 2 + 1];
  size_t count;
};

static void put(struct output *output, const char *bytes, size_t count)
{
  assert_true(count < sizeof output->bytes - output->count);
  memcpy(output->bytes + output->count, bytes, count);
  output->count += count;
  output->bytes[output->count] = '\0';
}

static void feed(struct mask_stream *stream, const char *bytes, size_t count,
                 struct output *output)
{
  const char *out;
  size_t out_count;
  mask_feed(stream, bytes, count, &out, &out_count);
  put(output, out, out_count);
}

static void finish(struct mask_stream *stream, struct output *output)
{
  const char *out;
  size_t out_count;
  mask_finish(stream, &out, &out_count);
  put(output, out, out_count);
}

static void mask_in_pieces(const struct mask *mask, const char *text,
                           struct output *output)
{
  cleanup_mask_stream struct mask_stream stream;
  mask_stream_init(&stream, mask);
  size_t length = strlen(text), at = 0;
  uint32_t most = 1 + random_below(20);
  while (at < length) {
    size_t piece = random_below(most + 1);
    piece = piece < length - at ? piece : length - at;
    feed(&stream, text + at, piece, output);
    at += piece;
  }
  finish(&stream, output);
}

static void test_random(void **state)
{
  (void)state;
  for (int round = 0; round < 20000; round++) {
    char texts[SECRETS_MAX][SECRET_MAX + 1], text[TEXT_MAX + 1];
    struct iovec secrets[SECRETS_MAX];
    uint32_t letters = 1 + random_below(3);
    size_t count = random_below(SECRETS_MAX + 1);
    for (size_t i = 0; i < count; i++) {
      secrets[i].iov_len = random_text(texts[i], 0, SECRET_MAX, letters);
      secrets[i].iov_base = texts[i];
    }
    random_text(text, 0, TEXT_MAX, letters);
    char simple[TEXT_MAX * 2 + 1];
    struct output pieces = {0};
    cleanup_mask struct mask *mask = make_mask(secrets, count);
    mask_simply(secrets, count, text, simple);
    mask_in_pieces(mask, text, &pieces);
    assert_string_equal(pieces.bytes, simple);
    cleanup_free char *whole = mask_text(mask, text);
    assert_string_equal(whole, simple);
  }
}

struct example {
  const char *secret;
  const char *text;
  const char *masked;
};

static void test_examples(void **state)
{
  (void)state;
  static const struct example examples[] = {
      {"hunter2", "login hunter2 ok", "login *** ok"},
      /* A newline at a secret file's end is no part of the secret. */
      {"hunter2\r\n", "hunter2\n", "***\n"},
      /* Too short, and nothing at all. */
      {"abc", "abcabc", "abcabc"},
      {"", "abc", "abc"},
      {"\n\n\n\n\n", "a\n\n\n\n\nb", "a\n\n\n\n\nb"},
      {"four", "four fou", "*** fou"},
      /* Lines of a key by themselves; short ones only in the whole. */
      {"BEGINKEY\r\nabc\nENDOFKEY\n", "ENDOFKEY abc BEGINKEY", "*** abc ***"},
      {"BEGINKEY\nabc\nENDOFKEY\n", "<BEGINKEY\nabc\nENDOFKEY>", "<***>"},
      /* A secret that overlaps itself hides all of it. */
      {"abcabc", "xabcabcabcx", "x***x"},
  };
  for (size_t i = 0; i < ARRAY_LENGTH(examples); i++) {
    struct iovec secret = {(void *)examples[i].secret,
                           strlen(examples[i].secret)};
    cleanup_mask struct mask *mask = make_mask(&secret, 1);
    cleanup_free char *masked = mask_text(mask, examples[i].text);
    assert_string_equal(masked, examples[i].masked);
  }
}

/* What can't be the beginning of a secret isn't held back, and what may be is
 * one byte less than the longest at most. */
static void test_prompt(void **state)
{
  (void)state;
  struct iovec secret = {(void *)"password", 8};
  cleanup_mask struct mask *mask = make_mask(&secret, 1);
  cleanup_mask_stream struct mask_stream stream;
  mask_stream_init(&stream, mask);
  struct output output = {0};
  feed(&stream, "name: passwor", 13, &output);
  assert_string_equal(output.bytes, "name: ");
  feed(&stream, "d", 1, &output);
  assert_string_equal(output.bytes, "name: ***");
  feed(&stream, "passworpass", 11, &output);
  assert_string_equal(output.bytes, "name: ***passwor");
  feed(&stream, "word", 4, &output);
  assert_string_equal(output.bytes, "name: ***passwor***");
}

static void test_zero_bytes(void **state)
{
  (void)state;
  struct iovec secret = {(void *)"\0\xFF\0\x01", 4};
  cleanup_mask struct mask *mask = make_mask(&secret, 1);
  cleanup_mask_stream struct mask_stream stream;
  mask_stream_init(&stream, mask);
  struct output output = {0};
  feed(&stream, "a\0\0\xFF", 4, &output);
  feed(&stream, "\0\x01z", 3, &output);
  assert_int_equal(output.count, 6);
  assert_memory_equal(output.bytes, "a\0***z", 6);
}

static void test_too_large(void **state)
{
  (void)state;
  cleanup_error struct error *err = NULL;
  cleanup_free char *bytes = xcalloc(MASK_SECRETS_MAX_BYTES, 1);
  struct iovec secrets[2] = {{bytes, MASK_SECRETS_MAX_BYTES}, {bytes, 1}};
  struct mask *mask = NULL;
  assert_int_equal(mask_new(secrets, 2, &mask, &err), -1);
  assert_int_equal(err->code, E2BIG);
  assert_null(mask);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_random),    cmocka_unit_test(test_examples),
      cmocka_unit_test(test_prompt),    cmocka_unit_test(test_zero_bytes),
      cmocka_unit_test(test_too_large),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
