#include "config.h"

#include "host/resolv_conf.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

enum { DNS_PORT = 53, FILE_MAX_BYTES = 64 << 10 };

static const char BLANKS[] = " \t\r";

static bool parse_server(const char *text, struct name_server *server)
{
  char address[INET6_ADDRSTRLEN + 1 + IFNAMSIZ];
  *server = (struct name_server){0};
  size_t length = strcspn(text, BLANKS);
  if (length == 0 || length >= sizeof address)
    return false;
  memcpy(address, text, length);
  address[length] = '\0';
  if (inet_pton(AF_INET, address, &server->address.inet.sin_addr) == 1) {
    server->address.inet.sin_family = AF_INET;
    server->address.inet.sin_port = htons(DNS_PORT);
    server->size = sizeof server->address.inet;
    return true;
  }
  char *zone = strchr(address, '%');
  if (zone != NULL)
    *zone++ = '\0';
  if (inet_pton(AF_INET6, address, &server->address.inet6.sin6_addr) != 1)
    return false;
  server->address.inet6.sin6_family = AF_INET6;
  server->address.inet6.sin6_port = htons(DNS_PORT);
  server->address.inet6.sin6_scope_id = zone != NULL ? if_nametoindex(zone) : 0;
  server->size = sizeof server->address.inet6;
  return true;
}

/* The value of a line that begins with `key` and a blank; else NULL. */
static const char *value_of(const char *line, const char *key)
{
  size_t length = strlen(key);
  if (strncmp(line, key, length) != 0 || line[length] == '\0' ||
      strchr(BLANKS, line[length]) == NULL)
    return NULL;
  return line + length + strspn(line + length, BLANKS);
}

static void append(struct resolv_conf *conf, const char *line)
{
  size_t used = strlen(conf->text);
  size_t needed = strlen(line) + 1;
  if (used + needed < sizeof conf->text)
    snprintf(conf->text + used, sizeof conf->text - used, "%s\n", line);
}

static void append_server(struct resolv_conf *conf, unsigned number)
{
  char line[48];
  snprintf(line, sizeof line, "nameserver 127.0.0.%u",
           NETWORK_RESOLVER_FIRST + number);
  append(conf, line);
}

static void take_server(struct resolv_conf *conf, const char *line)
{
  const char *server = value_of(line, "nameserver");
  if (server != NULL && conf->count < NETWORK_RESOLVERS_MAX &&
      parse_server(server, &conf->servers[conf->count]))
    append_server(conf, conf->count++);
}

static void take_other(struct resolv_conf *conf, const char *line)
{
  static const char *const kept[] = {"search", "domain", "options"};
  for (size_t i = 0; i < ARRAY_LENGTH(kept); i++)
    if (value_of(line, kept[i]) != NULL)
      append(conf, line);
}

static void take_lines(struct resolv_conf *conf, const char *text,
                       void (*take)(struct resolv_conf *, const char *))
{
  cleanup_free char *copy = xstrdup(text);
  char *rest = copy;
  for (char *line = strsep(&rest, "\n"); line != NULL;
       line = strsep(&rest, "\n"))
    take(conf, line);
}

/* The servers first: a long search list must not take their room. */
void resolv_conf_parse(const char *text, struct resolv_conf *conf)
{
  *conf = (struct resolv_conf){0};
  take_lines(conf, text, take_server);
  if (conf->count == 0) {
    parse_server("127.0.0.1", &conf->servers[conf->count]);
    append_server(conf, conf->count++);
  }
  take_lines(conf, text, take_other);
}

void resolv_conf_load(struct resolv_conf *conf)
{
  cleanup_error struct error *none = NULL;
  cleanup_free char *text = NULL;
  size_t count;
  if (fd_read_file(AT_FDCWD, "/etc/resolv.conf", FILE_MAX_BYTES, &text, &count,
                   &none) < 0)
    resolv_conf_parse("", conf);
  else
    resolv_conf_parse(text, conf);
}
