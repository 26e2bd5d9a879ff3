#include "config.h"

#include "sandbox/veth.h"

#include "base/fd.h"
#include "sandbox/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define INSIDE "eth0"

/* 198.18.0.1 to 198.19.255.254. */
static const uint32_t FIRST_ADDRESS = 0xc6120001;
enum { ADDRESS_COUNT = (1 << 17) - 2 };

/* Locally administered (the second bit), and the same at both ends of each
 * pair: no two pairs meet. */
static const unsigned char HARDWARE_ADDRESS[6] = {0x02, 'w', 'a',
                                                  'f',  'e', 'r'};

/* Of linux/if_link.h, IFLA_INET6_ADDR_GEN_MODE: no link-local address. */
enum { ADDRESS_MODE_NONE = 1 };

static void put_link(struct netlink_batch *batch, const char *name)
{
  netlink_put_text(batch, IFLA_IFNAME, name);
  netlink_put(batch, IFLA_ADDRESS, HARDWARE_ADDRESS, sizeof HARDWARE_ADDRESS);
}

static void add_pair(struct netlink_batch *batch, const char *name,
                     int namespace_fd)
{
  const struct ifinfomsg header = {
      .ifi_family = AF_UNSPEC, .ifi_flags = IFF_NOARP, .ifi_change = IFF_NOARP};
  netlink_begin(batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK,
                &header, sizeof header);
  put_link(batch, name);
  size_t info = netlink_nest(batch, IFLA_LINKINFO);
  netlink_put_text(batch, IFLA_INFO_KIND, "veth");
  size_t data = netlink_nest(batch, IFLA_INFO_DATA);
  size_t peer = netlink_nest(batch, VETH_INFO_PEER);
  netlink_put_header(batch, &header, sizeof header);
  put_link(batch, INSIDE);
  netlink_put_u32(batch, IFLA_NET_NS_FD, (uint32_t)namespace_fd);
  netlink_unnest(batch, peer);
  netlink_unnest(batch, data);
  netlink_unnest(batch, info);
}

/* Up, and before that without IPv6, where the kernel has it: nothing would ask
 * for that address, and the filter drops all of it. */
static void add_up(struct netlink_batch *batch, const char *name)
{
  const struct ifinfomsg as_is = {.ifi_family = AF_UNSPEC};
  const struct ifinfomsg up = {
      .ifi_family = AF_UNSPEC, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
  const uint8_t mode = ADDRESS_MODE_NONE;
  if (access("/proc/sys/net/ipv6", F_OK) == 0) {
    netlink_begin(batch, RTM_NEWLINK, NLM_F_ACK, &as_is, sizeof as_is);
    netlink_put_text(batch, IFLA_IFNAME, name);
    size_t families = netlink_nest(batch, IFLA_AF_SPEC);
    size_t inet6 = netlink_nest(batch, AF_INET6);
    netlink_put(batch, IFLA_INET6_ADDR_GEN_MODE, &mode, sizeof mode);
    netlink_unnest(batch, inet6);
    netlink_unnest(batch, families);
  }
  netlink_begin(batch, RTM_NEWLINK, NLM_F_ACK, &up, sizeof up);
  netlink_put_text(batch, IFLA_IFNAME, name);
}

/* To `destination`, or to everywhere where it is NULL. */
static void add_route(struct netlink_batch *batch, uint32_t index,
                      const uint32_t *destination)
{
  const struct rtmsg header = {
      .rtm_family = AF_INET,
      .rtm_dst_len = destination != NULL ? 32 : 0,
      .rtm_table = RT_TABLE_MAIN,
      .rtm_protocol = RTPROT_STATIC,
      .rtm_scope = RT_SCOPE_LINK,
      .rtm_type = RTN_UNICAST,
  };
  netlink_begin(batch, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK,
                &header, sizeof header);
  if (destination != NULL)
    netlink_put_be32(batch, RTA_DST, *destination);
  netlink_put_u32(batch, RTA_OIF, index);
}

static void add_address(struct netlink_batch *batch, uint32_t index,
                        uint32_t address)
{
  const struct ifaddrmsg header = {
      .ifa_family = AF_INET,
      .ifa_prefixlen = 32,
      .ifa_scope = RT_SCOPE_UNIVERSE,
      .ifa_index = index,
  };
  netlink_begin(batch, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK,
                &header, sizeof header);
  netlink_put_be32(batch, IFA_LOCAL, address);
  netlink_put_be32(batch, IFA_ADDRESS, address);
}

/* The index of an interface in the namespace of a socket; 0 on failure. */
static uint32_t index_of(int socket_fd, const char *name, struct error **err)
{
  struct ifreq request = {0};
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
  if (ioctl(socket_fd, SIOCGIFINDEX, &request) < 0) {
    error_errno(err, "find the interface %s", name);
    return 0;
  }
  return (uint32_t)request.ifr_ifindex;
}

/* Takes the first free address, from one that `pid` chooses. */
static int take_address(int route_fd, pid_t pid, uint32_t index,
                        uint32_t *address, struct error **err)
{
  for (uint32_t i = 0; i < ADDRESS_COUNT; i++) {
    cleanup_error struct error *failure = NULL;
    struct netlink_batch batch;
    netlink_batch_init(&batch);
    *address = FIRST_ADDRESS + ((uint32_t)pid + i) % ADDRESS_COUNT;
    add_route(&batch, index, address);
    if (netlink_send(route_fd, &batch, &failure) == 0)
      return 0;
    if (failure->code == EEXIST)
      continue;
    *err = steal_pointer(&failure);
    return error_wrap(err, "add a route to the sandbox");
  }
  return error_make(err, EADDRNOTAVAIL, "all of 198.18.0.0/15 is taken");
}

static int make_pair(int route_fd, const char *name, int namespace_fd,
                     struct error **err)
{
  struct netlink_batch batch;
  netlink_batch_init(&batch);
  add_pair(&batch, name, namespace_fd);
  add_up(&batch, name);
  if (netlink_send(route_fd, &batch, err) < 0)
    return error_wrap(err, "make the interface %s", name);
  return 0;
}

static int set_up_inside(int route_fd, uint32_t address, struct error **err)
{
  struct netlink_batch batch;
  uint32_t index = index_of(route_fd, INSIDE, err);
  if (index == 0)
    return -1;
  netlink_batch_init(&batch);
  add_up(&batch, INSIDE);
  add_address(&batch, index, address);
  add_route(&batch, index, NULL);
  if (netlink_send(route_fd, &batch, err) < 0)
    return error_wrap(err, "set up " INSIDE " in the sandbox");
  return 0;
}

int veth_make(struct veth *veth, pid_t pid, const struct veth_target *target,
              const struct network_rule_list *rules, struct error **err)
{
  uint32_t address = 0;
  snprintf(veth->name, sizeof veth->name, "wafer-%d", pid);
  cleanup_fd int route_fd = netlink_open(NETLINK_ROUTE, err);
  if (route_fd < 0 ||
      make_pair(route_fd, veth->name, target->namespace_fd, err) < 0)
    return -1;
  uint32_t index = index_of(route_fd, veth->name, err);
  if (index == 0 || take_address(route_fd, pid, index, &address, err) < 0)
    return -1;
  veth->filter_fd = netlink_open(NETLINK_NETFILTER, err);
  if (veth->filter_fd < 0 || network_filter_device(veth->filter_fd, veth->name,
                                                   address, rules, err) < 0)
    return -1;
  /* Last: until now the sandbox's end is down, and no packet can come. */
  return set_up_inside(target->route_fd, address, err);
}

void veth_release(struct veth *veth)
{
  cleanup_error struct error *ignored = NULL;
  if (veth->filter_fd >= 0)
    network_filter_remove(veth->filter_fd, veth->name, &ignored);
  fd_close(&veth->filter_fd);
}

bool veth_probe(const char **why)
{
  cleanup_error struct error *err = NULL;
  cleanup_free char *text = NULL;
  size_t count;
  const char *reason = NULL;
  if (fd_read_file(AT_FDCWD, "/proc/sys/net/ipv4/ip_forward", 16, &text, &count,
                   &err) < 0 ||
      text[0] != '1')
    reason = "the machine forwards no packets (net.ipv4.ip_forward is 0)";
  if (why != NULL)
    *why = reason;
  return reason == NULL;
}
