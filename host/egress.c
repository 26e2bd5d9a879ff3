#include "config.h"

#include "host/egress.h"

#include <errno.h>
#include <unistd.h>

static const char FORWARD_FIX[] = "sysctl -w net.ipv4.ip_forward=1";

void egress_probe(struct wall_state *state)
{
  const char *no_veth = "only root can make virtual interfaces";
  const char *no_pasta, *fix;
  bool root = geteuid() == 0;
  *state = (struct wall_state){.stands = true};
  if (root && veth_probe(&no_veth)) {
    state->detail = xstrdup("virtual interfaces, filtered by nf_tables");
    return;
  }
  if (pasta_probe(&no_pasta, &fix)) {
    state->detail = xasprintf("pasta; %s", no_veth);
    return;
  }
  state->stands = false;
  state->why = xasprintf("%s, and %s", no_veth, no_pasta);
  state->fix = root ? xasprintf("%s; or: %s", FORWARD_FIX, fix)
                    : xasprintf("as root: %s", fix);
}

int egress_choose(struct egress *egress, struct error **err)
{
  const char *why, *fix;
  resolv_conf_load(&egress->resolv_conf);
  if (geteuid() == 0 && veth_probe(&why))
    egress->way = EGRESS_VETH;
  else if (pasta_probe(&why, &fix))
    egress->way = EGRESS_PASTA;
  if (egress->way != EGRESS_NO_WAY)
    return 0;
  cleanup_wall_state struct wall_state state = {0};
  egress_probe(&state);
  return error_make(err, EPERM,
                    "this machine has no way to --network egress: %s; %s",
                    state.why, state.fix);
}

/* The filter has to outlive the job, and so this process: see nft.h. */
static int make_veth(struct egress *egress, struct sandbox *sandbox,
                     const struct network_rule_list *rules, struct error **err)
{
  const struct veth_target target = {
      .namespace_fd = egress->handles[NETWORK_HANDLE_NAMESPACE],
      .route_fd = egress->handles[NETWORK_HANDLE_ROUTE],
  };
  if (veth_make(&egress->veth, sandbox->keeper_pid, &target, rules, err) < 0)
    return -1;
  return sandbox_hold(sandbox, &egress->veth.filter_fd, 1, err);
}

/* The sandbox's user namespace belongs to whoever the zygote is. */
static int make_pasta(struct egress *egress, pid_t zygote_pid,
                      struct sandbox *sandbox,
                      const struct network_rule_list *rules, struct error **err)
{
  struct namespace_ids owner = namespace_ids_of_pid(zygote_pid);
  if (network_filter_output(egress->handles[NETWORK_HANDLE_FILTER], rules,
                            err) < 0 ||
      pasta_start(&egress->pasta, egress->handles[NETWORK_HANDLE_NAMESPACE],
                  owner.root_uid, owner.root_gid, err) < 0)
    return -1;
  return sandbox_hold(sandbox, &egress->pasta.death_fd, 1, err);
}

int egress_make(struct egress *egress, pid_t zygote_pid,
                struct sandbox *sandbox, const struct network_prefix *allowed,
                size_t allowed_count, struct error **err)
{
  struct network_rule_list rules;
  rules.count = network_rules(allowed, allowed_count, rules.rules);
  if (sandbox_await_network(sandbox, egress->handles, &egress->handle_count,
                            err) < 0)
    return -1;
  if (egress->handle_count !=
      NETWORK_HANDLE_RESOLVERS + 2 * (size_t)egress->resolv_conf.count)
    return error_make(err, EPROTO, "the sandbox offered too few resolvers");
  int made = egress->way == EGRESS_VETH
                 ? make_veth(egress, sandbox, &rules, err)
                 : make_pasta(egress, zygote_pid, sandbox, &rules, err);
  for (size_t i = 0; i < NETWORK_HANDLE_RESOLVERS; i++)
    fd_close(&egress->handles[i]);
  return made < 0 ? error_wrap(err, "--network egress") : 0;
}

const int *egress_resolver_fds(const struct egress *egress)
{
  return egress->handles + NETWORK_HANDLE_RESOLVERS;
}

void egress_release(struct egress *egress)
{
  for (size_t i = 0; i < egress->handle_count; i++)
    fd_close(&egress->handles[i]);
  egress->handle_count = 0;
  veth_release(&egress->veth);
  pasta_stop(&egress->pasta);
}
