/* One of a job's two outputs on its way: to the caller, live and unchanged, and
 * to the run's log, with secrets masked and up to a cap.
 *
 * A stream reads no more than it can hand on, so a slow caller slows the job
 * down and never fills the host's memory: 64 KiB is all that it holds. When
 * the caller's end is closed, so is the job's: it then gets EPIPE, as it would
 * from a shell. */
#ifndef WAFER_HOST_STREAM_H
#define WAFER_HOST_STREAM_H

#include "base/error.h"
#include "base/mask.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

/* The kept log of a stream is at most this: the rest is handed on alone. */
enum { STREAM_LOG_MAX_BYTES = 1 << 30, STREAM_BUFFER_BYTES = 65536 };

struct stream {
  int source_fd;           /* the pipe's read end; the owner's to close */
  int caller_fd;           /* the caller's own; -1: not handed on */
  int log_dir;             /* where the log's file is made: the owner's */
  const char *log_name;    /* its name there */
  int log_fd;              /* -1 until the first byte: no output, no file */
  bool caller_is_file;     /* writes to it never wait */
  struct mask_stream mask; /* begun by the owner */
  int64_t total_bytes;     /* that the job wrote */
  int64_t log_bytes;
  bool log_truncated; /* by the cap, or a full disk; or it wasn't there */
  bool mid_line;      /* the last byte that was handed on was no newline */
  bool done;          /* all was read and handed on */
  void (*when_done)(void *argument);
  void *argument;
  struct event *readable;
  struct event *writable;
  size_t start; /* what is not handed on yet: [start, end) of buffer */
  size_t end;
  char buffer[STREAM_BUFFER_BYTES];
};

/* Starts it on the loop; the descriptors and mask are set by the caller. */
int stream_start(struct stream *stream, struct event_base *loop,
                 struct error **err);

/* Reads what is left in the pipe, to the log alone, and ends. For when the
 * caller doesn't take what it gets any more. */
void stream_abandon(struct stream *stream);

/* Frees what stream_start made. */
void stream_release(struct stream *stream);

#endif
