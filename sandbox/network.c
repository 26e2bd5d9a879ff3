#include "config.h"

#include "sandbox/network.h"

#include "base/fd.h"

#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

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
