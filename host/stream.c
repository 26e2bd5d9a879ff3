#include "config.h"

#include "host/stream.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_log(struct stream *stream, const char *bytes, size_t count)
{
  cleanup_error struct error *err = NULL;
  if (stream->log_fd < 0)
    stream->log_fd =
        openat(stream->log_dir, stream->log_name,
               O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (stream->log_fd < 0 ||
      stream->log_bytes + (int64_t)count > STREAM_LOG_MAX_BYTES)
    return -1;
  return fd_write_all(stream->log_fd, bytes, count, &err);
}

/* The disk under the store may be full: the run goes on without its log. */
static void keep(struct stream *stream, const char *bytes, size_t count)
{
  if (stream->log_truncated || count == 0)
    return;
  if (write_log(stream, bytes, count) == 0)
    stream->log_bytes += (int64_t)count;
  else
    stream->log_truncated = true;
}

static void log_bytes(struct stream *stream, const char *bytes, size_t count)
{
  const char *masked;
  size_t masked_count;
  mask_feed(&stream->mask, bytes, count, &masked, &masked_count);
  keep(stream, masked, masked_count);
}

static void finish(struct stream *stream)
{
  const char *masked;
  size_t masked_count;
  mask_finish(&stream->mask, &masked, &masked_count);
  keep(stream, masked, masked_count);
  event_del(stream->readable);
  if (stream->writable != NULL)
    event_del(stream->writable);
  stream->done = true;
  stream->when_done(stream->argument);
}

/* A pipe that poll calls writable takes PIPE_BUF bytes without waiting
 * (pipe(7)); O_NONBLOCK isn't ours to set, since the caller shares the open
 * file. -1: the caller is gone. */
static int hand_on(struct stream *stream)
{
  size_t count = stream->end - stream->start;
  if (!stream->caller_is_file && count > PIPE_BUF)
    count = PIPE_BUF;
  ssize_t written =
      write(stream->caller_fd, stream->buffer + stream->start, count);
  if (written < 0 && (errno == EINTR || errno == EAGAIN))
    return 0;
  if (written < 0)
    return -1;
  if (written > 0) {
    stream->start += (size_t)written;
    stream->mid_line = stream->buffer[stream->start - 1] != '\n';
  }
  return 0;
}

static void when_writable(evutil_socket_t fd, short what, void *argument)
{
  (void)fd;
  (void)what;
  struct stream *stream = argument;
  if (hand_on(stream) < 0) {
    finish(stream);
    fd_close(&stream->source_fd);
    return;
  }
  if (stream->start < stream->end) {
    event_add(stream->writable, NULL);
    return;
  }
  event_add(stream->readable, NULL);
}

static void when_readable(evutil_socket_t fd, short what, void *argument)
{
  (void)what;
  struct stream *stream = argument;
  ssize_t got = read(fd, stream->buffer, sizeof stream->buffer);
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) {
    event_add(stream->readable, NULL);
    return;
  }
  if (got <= 0) {
    finish(stream);
    return;
  }
  stream->total_bytes += got;
  log_bytes(stream, stream->buffer, (size_t)got);
  stream->start = 0;
  stream->end = (size_t)got;
  if (stream->caller_fd < 0)
    event_add(stream->readable, NULL);
  else if (stream->caller_is_file)
    when_writable(stream->caller_fd, EV_WRITE, stream);
  else
    event_add(stream->writable, NULL);
}

int stream_start(struct stream *stream, struct event_base *loop,
                 struct error **err)
{
  struct stat status;
  if (stream->caller_fd >= 0 && fstat(stream->caller_fd, &status) < 0)
    stream->caller_fd = -1;
  stream->caller_is_file =
      stream->caller_fd >= 0 && !S_ISFIFO(status.st_mode) &&
      !S_ISSOCK(status.st_mode) && !isatty(stream->caller_fd);
  stream->readable =
      event_new(loop, stream->source_fd, EV_READ, when_readable, stream);
  if (stream->caller_fd >= 0 && !stream->caller_is_file)
    stream->writable =
        event_new(loop, stream->caller_fd, EV_WRITE, when_writable, stream);
  if (event_add(stream->readable, NULL) < 0)
    return error_make(err, ENOMEM, "watch the job's output");
  return 0;
}

void stream_abandon(struct stream *stream)
{
  if (stream->done)
    return;
  stream->caller_fd = -1;
  if (stream->source_fd >= 0)
    fcntl(stream->source_fd, F_SETFL, O_NONBLOCK);
  for (;;) {
    ssize_t got = read(stream->source_fd, stream->buffer, STREAM_BUFFER_BYTES);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      break;
    stream->total_bytes += got;
    log_bytes(stream, stream->buffer, (size_t)got);
  }
  finish(stream);
}

void stream_release(struct stream *stream)
{
  if (stream->readable != NULL)
    event_free(stream->readable);
  if (stream->writable != NULL)
    event_free(stream->writable);
  mask_stream_release(&stream->mask);
  fd_close(&stream->log_fd);
}
