/* Masking: a stream of bytes with every occurrence of a secret replaced.
 *
 * Every byte that is part of an occurrence of any secret is hidden, also where
 * occurrences overlap, and each run of such bytes becomes one "***", so the
 * length of a secret doesn't show. Secrets are found wherever the stream is cut
 * into pieces; at most the longest secret's length less one is held back.
 *
 * A secret is masked as its bytes are, without newlines at its end: programs
 * strip those. Of one with several lines, each line of MASK_LINE_LEAST bytes or
 * more is masked by itself too, as logs often show them one by one. A secret
 * shorter than MASK_SECRET_LEAST is not masked: it would be found everywhere,
 * and the places that are masked would tell what it is. Nor are other forms of
 * a secret (base64, escapes): masking guards against accidents, not against a
 * program that means to tell.
 *
 * It is an Aho-Corasick automaton: time is linear in the stream, whatever is in
 * it (beyond that, each piece costs a copy of what is held back), and memory in
 * the secrets. */
#ifndef WAFER_BASE_MASK_H
#define WAFER_BASE_MASK_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum {
  MASK_SECRET_LEAST = 4,
  MASK_LINE_LEAST = 8,
  MASK_SECRETS_MAX_BYTES = 2 << 20, /* of all; memory is 48 times it */
};

/* What stands for a secret. */
#define MASK_TEXT "***"

/* The secrets. Constant once made: any number of streams may use one. */
struct mask;

/* Makes a mask of `count` secrets, whose bytes it doesn't keep a pointer to.
 * None at all is fine. E2BIG: there are more bytes than the above. */
int mask_new(const struct iovec *secrets, size_t count, struct mask **mask,
             struct error **err);

/* Overwrites and frees it; NULL is fine. No stream may use it any more. */
void mask_free(struct mask *mask);

static inline void cleanup_maskp(struct mask **mask)
{
  mask_free(*mask);
}

#define cleanup_mask __attribute__((cleanup(cleanup_maskp)))

/* One stream on its way through a mask. All members are its own. */
struct mask_stream {
  const struct mask *mask;
  uint32_t state;
  bool in_run;  /* the last byte that went out was hidden */
  char *window; /* what was held back, and then what is fed */
  size_t window_count;
  size_t window_room;
  struct mask_range *ranges; /* hidden parts of the window, in order */
  size_t range_count;
  size_t range_room;
  char *out;
  size_t out_count;
  size_t out_room;
};

/* Begins one; the mask must outlive it. */
void mask_stream_init(struct mask_stream *stream, const struct mask *mask);

/* Takes `count` bytes. *out becomes what can go out now, *out_count bytes that
 * are the stream's and good until the next call. */
void mask_feed(struct mask_stream *stream, const void *bytes, size_t count,
               const char **out, size_t *out_count);

/* Gives out what was held back: the input has ended. */
void mask_finish(struct mask_stream *stream, const char **out,
                 size_t *out_count);

/* Overwrites what it held back, and frees what it owns. Zeroed memory is fine.
 */
void mask_stream_release(struct mask_stream *stream);

#define cleanup_mask_stream __attribute__((cleanup(mask_stream_release)))

/* A masked copy of a text, which the caller frees. */
char *mask_text(const struct mask *mask, const char *text);

#endif
