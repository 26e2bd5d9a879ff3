#include "config.h"

#include "host/resolver.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  QUERIES_MAX = 64, /* by UDP, at a time: a new one takes the oldest's place */
  QUERIES_AT_ONCE = 8,
  PAUSE_MS = 4, /* after those, or a connection: so that a job which does
                   nothing else costs the host nothing worth counting */
  CONNECTIONS_MAX = 8,
  CONNECTION_BYTES_MAX = 1 << 20, /* in all, each way */
  WAIT_S = 10,                    /* for an answer: libc gives up after 5 */
  DATAGRAM_MAX = 65535,
};

/* A socket in the sandbox that stands for one server. */
struct front {
  struct resolver *resolver;
  const struct name_server *server;
  int fd;
  void (*serve)(const struct front *front);
  struct event *asked;
  struct event *pause;
};

struct query {
  const struct front *front; /* NULL: the slot is free */
  struct sockaddr_in client;
  int fd;
  struct event *event;
};

enum side { CLIENT, SERVER, SIDES };

struct connection {
  struct bufferevent *sides[SIDES]; /* NULL: the slot is free */
  size_t bytes[SIDES];              /* that came from there */
  bool ended;                       /* one side did; what it said goes on */
};

struct resolver {
  struct event_base *loop;
  struct front fronts[2 * NETWORK_RESOLVERS_MAX];
  size_t front_count;
  struct query queries[QUERIES_MAX];
  size_t next_query;
  struct connection connections[CONNECTIONS_MAX];
  char datagram[DATAGRAM_MAX];
};

static const struct timeval wait_time = {.tv_sec = WAIT_S};

static void end_query(struct query *query)
{
  if (query->front == NULL)
    return;
  event_free(query->event);
  close(query->fd);
  query->front = NULL;
}

static void when_answered(evutil_socket_t fd, short what, void *argument)
{
  struct query *query = argument;
  struct resolver *resolver = query->front->resolver;
  ssize_t count = -1;
  if (what & EV_READ)
    count = recv(fd, resolver->datagram, DATAGRAM_MAX, MSG_DONTWAIT);
  if (count > 0)
    sendto(query->front->fd, resolver->datagram, (size_t)count,
           MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&query->client,
           sizeof query->client);
  end_query(query);
}

static void hand_on(const struct front *front, const struct sockaddr_in *client,
                    size_t count)
{
  struct resolver *resolver = front->resolver;
  struct query *query = &resolver->queries[resolver->next_query];
  const struct name_server *server = front->server;
  resolver->next_query = (resolver->next_query + 1) % QUERIES_MAX;
  end_query(query);
  cleanup_fd int fd =
      socket(server->address.any.sa_family,
             SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_IP);
  if (fd < 0 || connect(fd, &server->address.any, server->size) < 0 ||
      send(fd, resolver->datagram, count, MSG_NOSIGNAL) < 0)
    return;
  query->event = event_new(resolver->loop, fd, EV_READ, when_answered, query);
  if (query->event == NULL)
    return;
  event_add(query->event, &wait_time);
  query->front = front;
  query->client = *client;
  query->fd = steal_fd(&fd);
}

static void serve_datagrams(const struct front *front)
{
  for (int i = 0; i < QUERIES_AT_ONCE; i++) {
    struct sockaddr_in client;
    socklen_t size = sizeof client;
    ssize_t count = recvfrom(front->fd, front->resolver->datagram, DATAGRAM_MAX,
                             MSG_DONTWAIT, (struct sockaddr *)&client, &size);
    if (count <= 0 || size != sizeof client)
      return;
    hand_on(front, &client, (size_t)count);
  }
}

static void end_connection(struct connection *connection)
{
  for (enum side side = CLIENT; side < SIDES; side++)
    if (connection->sides[side] != NULL)
      bufferevent_free(connection->sides[side]);
  *connection = (struct connection){0};
}

static void when_read(struct bufferevent *from, void *argument)
{
  struct connection *connection = argument;
  enum side side = from == connection->sides[CLIENT] ? CLIENT : SERVER;
  struct evbuffer *input = bufferevent_get_input(from);
  connection->bytes[side] += evbuffer_get_length(input);
  if (connection->bytes[side] > CONNECTION_BYTES_MAX)
    end_connection(connection);
  else
    bufferevent_write_buffer(connection->sides[SIDES - 1 - side], input);
}

/* All of what one side said before it ended has gone to the other. */
static void when_written(struct bufferevent *to, void *argument)
{
  (void)to;
  struct connection *connection = argument;
  if (connection->ended)
    end_connection(connection);
}

/* An end, a failure or a silence; the connection being there is one, too. */
static void when_event(struct bufferevent *of, short what, void *argument)
{
  struct connection *connection = argument;
  enum side side = of == connection->sides[CLIENT] ? CLIENT : SERVER;
  if (what & BEV_EVENT_CONNECTED)
    return;
  struct evbuffer *rest =
      bufferevent_get_output(connection->sides[SIDES - 1 - side]);
  connection->ended = true;
  if (!(what & BEV_EVENT_EOF) || evbuffer_get_length(rest) == 0)
    end_connection(connection);
}

static struct connection *free_connection(struct resolver *resolver)
{
  for (size_t i = 0; i < CONNECTIONS_MAX; i++)
    if (resolver->connections[i].sides[CLIENT] == NULL)
      return &resolver->connections[i];
  return NULL;
}

static void join(struct resolver *resolver, struct connection *connection,
                 int client_fd, const struct name_server *server)
{
  int fds[SIDES] = {client_fd, -1};
  for (enum side side = CLIENT; side < SIDES; side++) {
    struct bufferevent *made = bufferevent_socket_new(resolver->loop, fds[side],
                                                      BEV_OPT_CLOSE_ON_FREE);
    if (made == NULL) {
      if (side == CLIENT)
        close(client_fd);
      end_connection(connection);
      return;
    }
    connection->sides[side] = made;
    bufferevent_setcb(made, when_read, when_written, when_event, connection);
    bufferevent_set_timeouts(made, &wait_time, &wait_time);
  }
  if (bufferevent_socket_connect(connection->sides[SERVER],
                                 &server->address.any, (int)server->size) < 0) {
    end_connection(connection);
    return;
  }
  bufferevent_enable(connection->sides[CLIENT], EV_READ | EV_WRITE);
  bufferevent_enable(connection->sides[SERVER], EV_READ | EV_WRITE);
}

static void serve_connection(const struct front *front)
{
  int client_fd = accept4(front->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (client_fd < 0)
    return;
  struct connection *connection = free_connection(front->resolver);
  if (connection == NULL)
    close(client_fd);
  else
    join(front->resolver, connection, client_fd, front->server);
}

static void when_asked(evutil_socket_t fd, short what, void *argument)
{
  static const struct timeval pause = {.tv_usec = PAUSE_MS * 1000};
  (void)fd;
  (void)what;
  const struct front *front = argument;
  front->serve(front);
  event_add(front->pause, &pause);
}

static void when_pause_over(evutil_socket_t fd, short what, void *argument)
{
  (void)fd;
  (void)what;
  event_add(((const struct front *)argument)->asked, NULL);
}

struct resolver *resolver_new(struct event_base *loop,
                              const struct resolv_conf *conf, const int *fds)
{
  static void (*const serve[])(const struct front *front) = {serve_datagrams,
                                                             serve_connection};
  struct resolver *resolver = xcalloc(1, sizeof *resolver);
  resolver->loop = loop;
  resolver->front_count = 2 * (size_t)conf->count;
  for (size_t i = 0; i < resolver->front_count; i++) {
    struct front *front = &resolver->fronts[i];
    *front = (struct front){
        .resolver = resolver,
        .server = &conf->servers[i / 2],
        .fd = fds[i],
        .serve = serve[i % 2],
        .asked = event_new(loop, fds[i], EV_READ, when_asked, front),
        .pause = event_new(loop, -1, 0, when_pause_over, front),
    };
    event_add(front->asked, NULL);
  }
  return resolver;
}

void resolver_free(struct resolver *resolver)
{
  if (resolver == NULL)
    return;
  for (size_t i = 0; i < QUERIES_MAX; i++)
    end_query(&resolver->queries[i]);
  for (size_t i = 0; i < CONNECTIONS_MAX; i++)
    end_connection(&resolver->connections[i]);
  for (size_t i = 0; i < resolver->front_count; i++) {
    event_free(resolver->fronts[i].asked);
    event_free(resolver->fronts[i].pause);
  }
  free(resolver);
}
