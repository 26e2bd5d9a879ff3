/* Texts: the masking of secrets against a naive one, UTF-8, figures. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "base/clock.h"
#include "base/mask.h"
#include "host/format.h"
#include "jobs/price.h"
#include "jobs/size.h"
#include "jobs/state.h"
#include "jobs/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Marks each place where the pattern stands, by looking everywhere. */
static void hide(const uint8_t *text, size_t count, const uint8_t *pattern,
                 size_t length, bool *hidden)
{
  for (size_t i = 0; length > 0 && i + length <= count; i++)
    if (memcmp(text + i, pattern, length) == 0)
      memset(hidden + i, true, length);
}

static size_t stripped(const uint8_t *bytes, size_t count)
{
  while (count > 0 && (bytes[count - 1] == '\n' || bytes[count - 1] == '\r'))
    count--;
  return count;
}

/* A secret whole, and each of its lines. */
static void hide_secret(const uint8_t *text, size_t count,
                        const struct iovec *secret, bool *hidden)
{
  const uint8_t *bytes = secret->iov_base;
  size_t whole = stripped(bytes, secret->iov_len);
  if (whole >= MASK_SECRET_LEAST)
    hide(text, count, bytes, whole, hidden);
  for (size_t start = 0, end; start < secret->iov_len; start = end + 1) {
    for (end = start; end < secret->iov_len && bytes[end] != '\n';)
      end++;
    size_t length = stripped(bytes + start, end - start);
    if (length >= MASK_LINE_LEAST)
      hide(text, count, bytes + start, length, hidden);
  }
}

/* What should come out; each run of hidden bytes is one MASK_TEXT. */
static char *mask_naively(const uint8_t *text, size_t count,
                          const struct iovec *secrets, size_t secret_count,
                          size_t *out_count)
{
  cleanup_free bool *hidden = xcalloc(count + 1, sizeof *hidden);
  for (size_t i = 0; i < secret_count; i++)
    hide_secret(text, count, &secrets[i], hidden);
  char *out = xmalloc(3 * count + 1), *to = out;
  for (size_t i = 0; i < count; i++) {
    if (!hidden[i])
      *to++ = (char)text[i];
    else if (i == 0 || !hidden[i - 1])
      to = stpcpy(to, MASK_TEXT);
  }
  *out_count = (size_t)(to - out);
  return out;
}

struct sink {
  char *bytes;
  size_t count;
};

static void take(struct sink *sink, const char *bytes, size_t count)
{
  sink->bytes = xreallocarray(sink->bytes, sink->count + count + 1, 1);
  memcpy(sink->bytes + sink->count, bytes, count);
  sink->count += count;
}

/* In pieces whose lengths come from the text itself. */
static struct sink mask_in_pieces(const struct mask *mask, const uint8_t *text,
                                  size_t count)
{
  struct sink sink = {0};
  cleanup_mask_stream struct mask_stream stream = {0};
  const char *out;
  size_t out_count;
  mask_stream_init(&stream, mask);
  for (size_t at = 0, piece; at < count; at += piece) {
    piece = 1 + text[at] % 7;
    piece = piece > count - at ? count - at : piece;
    mask_feed(&stream, text + at, piece, &out, &out_count);
    take(&sink, out, out_count);
  }
  mask_finish(&stream, &out, &out_count);
  take(&sink, out, out_count);
  return sink;
}

/* Up to three secrets, each a byte for its length and so many; the rest is the
 * text. */
void fuzz_mask(const uint8_t *bytes, size_t count)
{
  enum { SECRETS = 3 };
  struct iovec secrets[SECRETS] = {0};
  size_t secret_count = 0;
  while (secret_count < SECRETS && count > 0) {
    size_t length = bytes[0] % 40;
    length = length > count - 1 ? count - 1 : length;
    secrets[secret_count++] = (struct iovec){
        .iov_base = (void *)(uintptr_t)(bytes + 1), .iov_len = length};
    bytes += 1 + length;
    count -= 1 + length;
  }
  cleanup_mask struct mask *mask = NULL;
  cleanup_error struct error *err = NULL;
  FUZZ_REQUIRE(mask_new(secrets, secret_count, &mask, &err) == 0);
  size_t wanted_count;
  cleanup_free char *wanted =
      mask_naively(bytes, count, secrets, secret_count, &wanted_count);
  struct sink sink = mask_in_pieces(mask, bytes, count);
  FUZZ_REQUIRE(sink.count == wanted_count);
  FUZZ_REQUIRE(memcmp(sink.bytes, wanted, wanted_count) == 0);
  free(sink.bytes);
  fuzz_count(wanted_count != count || memcmp(wanted, bytes, count) != 0, NULL);
}

/* The length of the character at the start, by the table of the Unicode
 * Standard (3.9, well-formed byte sequences); 0 where there is none. */
static size_t utf8_length(const unsigned char *at)
{
  static const struct {
    unsigned char first, last, second_first, second_last;
    size_t length;
  } rows[] = {
      {0x01, 0x7F, 0, 0, 1},       {0xC2, 0xDF, 0x80, 0xBF, 2},
      {0xE0, 0xE0, 0xA0, 0xBF, 3}, {0xE1, 0xEC, 0x80, 0xBF, 3},
      {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
      {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4},
      {0xF4, 0xF4, 0x80, 0x8F, 4},
  };
  for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
    if (at[0] < rows[i].first || at[0] > rows[i].last)
      continue;
    if (rows[i].length > 1 &&
        (at[1] < rows[i].second_first || at[1] > rows[i].second_last))
      return 0;
    for (size_t j = 2; j < rows[i].length; j++)
      if ((at[j] & 0xC0) != 0x80)
        return 0;
    return rows[i].length;
  }
  return 0;
}

static bool is_utf8(const char *text)
{
  const unsigned char *at = (const unsigned char *)text;
  while (*at != '\0') {
    size_t length = utf8_length(at);
    if (length == 0)
      return false;
    at += length;
  }
  return true;
}

static void check_utf8(const char *text)
{
  cleanup_free char *clean = utf8_clean(text, strlen(text));
  cleanup_free char *again = utf8_clean(clean, strlen(clean));
  cleanup_free char *safe = format_safe(text);
  cleanup_free char *lines = format_safe_lines(text);
  FUZZ_REQUIRE(is_utf8(clean) && is_utf8(safe) && is_utf8(lines));
  FUZZ_REQUIRE(strcmp(clean, again) == 0);
  /* What was well-formed is left alone. */
  FUZZ_REQUIRE(is_utf8(text) == (strcmp(text, clean) == 0));
  FUZZ_REQUIRE(strpbrk(safe, "\n\t\r\x1b\x7f") == NULL);
  FUZZ_REQUIRE(strpbrk(lines, "\r\x1b\x7f") == NULL);
  FUZZ_REQUIRE(format_width(safe) <= strlen(safe));
  fuzz_count(is_utf8(text), NULL);
}

/* Any number has a text that fits. */
static void check_figures(int64_t number)
{
  char text[FORMAT_SIZE], money[PRICE_TEXT_SIZE], stamp[CLOCK_TEXT_SIZE];
  FUZZ_REQUIRE(strlen(format_bytes(number, text)) < FORMAT_SIZE);
  FUZZ_REQUIRE(strlen(format_seconds(number, text)) < FORMAT_SIZE);
  FUZZ_REQUIRE(strlen(format_dpu_seconds(number, text)) < FORMAT_SIZE);
  FUZZ_REQUIRE(strlen(format_time(number, text)) < FORMAT_SIZE);
  for (unsigned decimals = 0; decimals <= 12; decimals++)
    price_format(price_at(number), number, decimals, money);
  clock_format(number, stamp);
  int64_t billed_s = 0, used = 0, pico = 0;
  struct error *err = NULL;
  const struct price *price = price_at(0);
  bool good = price_billed_seconds(price, number, &billed_s, &err) == 0 &&
              price_micro_dpu_seconds(billed_s, 62500, &used, &err) == 0 &&
              price_cost_pico_usd(price, used, &pico, &err) == 0;
  if (good) {
    FUZZ_REQUIRE(billed_s >= price->minimum_s && used >= 0 && pico >= 0);
    FUZZ_REQUIRE(billed_s >= number / NS_PER_S);
  }
  fuzz_count(good, &err);
}

/* The first 8 bytes are also a number. */
void fuzz_text(const uint8_t *bytes, size_t count)
{
  cleanup_free char *text = fuzz_text_of(bytes, count);
  int64_t number = 0;
  const struct size *size = NULL;
  enum state state = STATE_NONE;
  struct error *err = NULL;
  memcpy(&number, bytes, count < sizeof number ? count : sizeof number);
  check_utf8(text);
  check_figures(number);
  bool good = size_find(text, &size, &err) == 0;
  FUZZ_REQUIRE(!good || strncmp(size->name, text, strlen(size->name)) == 0);
  fuzz_count(good, &err);
  good = state_parse(text, &state, &err) == 0;
  FUZZ_REQUIRE(!good || strcmp(state_name(state), text) == 0);
  fuzz_count(good, &err);
}
