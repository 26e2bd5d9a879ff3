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

#include <stddef.h>
#include <sys/uio.h>

enum {
  MASK_SECRET_LEAST = 4,
  MASK_LINE_LEAST = 8,
  MASK_SECRETS_MAX_BYTES = 2 << 20, /* of all; memory is 48 times it */
};

/* What stands for a secret. */
#define MASK_TEXT "***"

/* The secrets. Constant once made: any number of masks may use it. */
struct mask_words;

/* Makes it of `count` secrets, and keeps no pointer to their bytes. None at all
 * is fine. E2BIG: there are more bytes than the above. */
int mask_words_new(const struct iovec *secrets, size_t count,
                   struct mask_words **words, struct error **err);

/* Overwrites and frees it; NULL is fine. No mask may use it any more. */
void mask_words_free(struct mask_words *words);

static inline void cleanup_mask_wordsp(struct mask_words **words)
{
  mask_words_free(*words);
}

#define cleanup_mask_words __attribute__((cleanup(cleanup_mask_wordsp)))

/* One stream on its way past the words. */
struct mask;

/* Begins one; `words` must outlive it. */
struct mask *mask_new(const struct mask_words *words);

/* Overwrites what it held back and frees it; NULL is fine. */
void mask_free(struct mask *mask);

static inline void cleanup_maskp(struct mask **mask)
{
  mask_free(*mask);
}

#define cleanup_mask __attribute__((cleanup(cleanup_maskp)))

/* Takes what may go on: at most once a call below, and the bytes are good until
 * it returns. */
typedef void mask_put(void *argument, const void *bytes, size_t count);

/* Takes `count` bytes, and puts what can go on now. */
void mask_feed(struct mask *mask, const void *bytes, size_t count,
               mask_put *put, void *argument);

/* Puts what was held back: the stream has ended. The mask may begin another. */
void mask_finish(struct mask *mask, mask_put *put, void *argument);

/* A masked copy of a text, which the caller frees. */
char *mask_text(const struct mask_words *words, const char *text);

#endif
