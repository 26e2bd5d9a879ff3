#include "config.h"

#include "host/books.h"

#include "host/lease.h"
#include "host/process.h"
#include "host/recover.h"

#include <stdio.h>

static bool any_is_dead(const struct run_list *list)
{
  for (size_t i = 0; i < list->count; i++)
    if (!process_lives(&list->items[i].owner))
      return true;
  return false;
}

static int recover_in(const char *dir, struct error **err)
{
  cleanup_store struct store *store = NULL;
  if (store_open(dir, STORE_WRITE, &store, err) < 0)
    return -1;
  return recover_dead_runs(store, err);
}

int books_settle(struct store *store, struct error **err)
{
  cleanup_run_list struct run_list unfinished = {0};
  cleanup_error struct error *failure = NULL;
  if (store_list_unfinished(store, &unfinished, err) < 0)
    return -1;
  if (any_is_dead(&unfinished) && recover_in(store_dir(store), &failure) < 0)
    fprintf(stderr,
            "wafer: a run whose wafer was killed is not booked yet: %s\n",
            failure->text);
  lease_sweep(store_dir(store));
  return 0;
}

int books_open(struct store **store, struct error **err)
{
  cleanup_store struct store *opened = NULL;
  if (store_open(NULL, STORE_READ, &opened, err) < 0 ||
      books_settle(opened, err) < 0)
    return -1;
  *store = steal_pointer(&opened);
  return 0;
}
