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

static struct mask_words *make_words(const struct iovec *secrets, size_t count)
{
  cleanup_error struct error *err = NULL;
  struct mask_words *words = NULL;
  assert_int_equal(mask_words_new(secrets, count, &words, &err), 0);
  return words;
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

static void put(void *argument, const void *bytes, size_t count)
{
  struct output *output = argument;
  assert_true(count < sizeof output->bytes - output->count);
  memcpy(output->bytes + output->count, bytes, count);
  output->count += count;
  output->bytes[output->count] = '\0';
}

static void mask_in_pieces(const struct mask_words *words, const char *text,
                           struct output *output)
{
  cleanup_mask struct mask *mask = mask_new(words);
  size_t length = strlen(text), at = 0;
  uint32_t most = 1 + random_below(20);
  while (at < length) {
    size_t piece = random_below(most + 1);
    piece = piece < length - at ? piece : length - at;
    mask_feed(mask, text + at, piece, put, output);
    at += piece;
  }
  mask_finish(mask, put, output);
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
    cleanup_mask_words struct mask_words *words = make_words(secrets, count);
    mask_simply(secrets, count, text, simple);
    mask_in_pieces(words, text, &pieces);
    assert_string_equal(pieces.bytes, simple);
    cleanup_free char *whole = mask_text(words, text);
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
    cleanup_mask_words struct mask_words *words = make_words(&secret, 1);
    cleanup_free char *masked = mask_text(words, examples[i].text);
    assert_string_equal(masked, examples[i].masked);
  }
}

/* What can't be the beginning of a secret isn't held back, and what may be is
 * one byte less than the longest at most. */
static void test_prompt(void **state)
{
  (void)state;
  struct iovec secret = {(void *)"password", 8};
  cleanup_mask_words struct mask_words *words = make_words(&secret, 1);
  cleanup_mask struct mask *mask = mask_new(words);
  struct output output = {0};
  mask_feed(mask, "name: passwor", 13, put, &output);
  assert_string_equal(output.bytes, "name: ");
  mask_feed(mask, "d", 1, put, &output);
  assert_string_equal(output.bytes, "name: ***");
  mask_feed(mask, "passworpass", 11, put, &output);
  assert_string_equal(output.bytes, "name: ***passwor");
  mask_feed(mask, "word", 4, put, &output);
  assert_string_equal(output.bytes, "name: ***passwor***");
}

static void test_zero_bytes(void **state)
{
  (void)state;
  struct iovec secret = {(void *)"\0\xFF\0\x01", 4};
  cleanup_mask_words struct mask_words *words = make_words(&secret, 1);
  cleanup_mask struct mask *mask = mask_new(words);
  struct output output = {0};
  mask_feed(mask, "a\0\0\xFF", 4, put, &output);
  mask_feed(mask, "\0\x01z", 3, put, &output);
  assert_int_equal(output.count, 6);
  assert_memory_equal(output.bytes, "a\0***z", 6);
}

static void test_too_large(void **state)
{
  (void)state;
  cleanup_error struct error *err = NULL;
  cleanup_free char *bytes = xcalloc(MASK_SECRETS_MAX_BYTES, 1);
  struct iovec secrets[2] = {{bytes, MASK_SECRETS_MAX_BYTES}, {bytes, 1}};
  struct mask_words *words = NULL;
  assert_int_equal(mask_words_new(secrets, 2, &words, &err), -1);
  assert_int_equal(err->code, E2BIG);
  assert_null(words);
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
