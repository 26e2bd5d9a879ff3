#include "config.h"

#include "sandbox/network.h"

#include "base/fd.h"
#include "sandbox/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static const char *const mode_names[NETWORK_MODE_COUNT] = {
    [NETWORK_NONE] = "none",
    [NETWORK_HOST] = "host",
    [NETWORK_EGRESS] = "egress",
};

const char *network_mode_name(enum network_mode mode)
{
  return mode_names[mode];
}

int network_mode_find(const char *name, enum network_mode *mode,
                      struct error **err)
{
  for (enum network_mode i = 0; i < NETWORK_MODE_COUNT; i++)
    if (strcmp(mode_names[i], name) == 0) {
      *mode = i;
      return 0;
    }
  return error_make(err, EINVAL, "\"%s\" isn't none, egress or host", name);
}

int network_loopback_up(struct error **err)
{
  cleanup_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return error_errno(err, "open a socket to set up the loopback interface");
  struct ifreq request = {.ifr_name = "lo"};
  if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
    return error_errno(err, "read the flags of the loopback interface");
  request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
  if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
    return error_errno(err, "bring the loopback interface up");
  return 0;
}

/* The socket of one resolver; -1 with errno on failure. */
static int open_resolver(int type, unsigned number)
{
  enum { DNS_PORT = 53, WAITING_MAX = 16 };
  const struct sockaddr_in address = {
      .sin_family = AF_INET,
      .sin_port = htons(DNS_PORT),
      .sin_addr = {htonl(INADDR_LOOPBACK - 1 + NETWORK_RESOLVER_FIRST +
                         number)},
  };
  cleanup_fd int fd =
      socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_IP);
  if (fd < 0 ||
      bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 ||
      (type == SOCK_STREAM && listen(fd, WAITING_MAX) < 0))
    return -1;
  return steal_fd(&fd);
}

int network_open_handles(int namespace_fd, unsigned resolvers,
                         int handles[NETWORK_HANDLES_MAX], size_t *count,
                         struct error **err)
{
  static const int types[] = {SOCK_DGRAM, SOCK_STREAM};
  handles[NETWORK_HANDLE_NAMESPACE] = namespace_fd;
  *count = NETWORK_HANDLE_RESOLVERS;
  handles[NETWORK_HANDLE_FILTER] = -1;
  handles[NETWORK_HANDLE_ROUTE] = netlink_open(NETLINK_ROUTE, err);
  if (handles[NETWORK_HANDLE_ROUTE] < 0)
    return -1;
  handles[NETWORK_HANDLE_FILTER] = netlink_open(NETLINK_NETFILTER, err);
  if (handles[NETWORK_HANDLE_FILTER] < 0)
    return -1;
  for (unsigned i = 0; i < 2 * resolvers && *count < NETWORK_HANDLES_MAX; i++) {
    int fd = open_resolver(types[i % 2], i / 2);
    if (fd < 0)
      return error_errno(err, "listen for the sandbox's DNS queries");
    handles[(*count)++] = fd;
  }
  return 0;
}

void network_close_handles(int *handles, size_t count)
{
  for (size_t i = NETWORK_HANDLE_NAMESPACE + 1; i < count; i++)
    fd_close(&handles[i]);
}
