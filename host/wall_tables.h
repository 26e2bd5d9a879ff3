/* The walls as tables, for people: what is enforced, and why, row by row.
 *
 * The rows come from the very tables that the sandbox is made of, so what is
 * printed is what a job meets. Their order is that in which a job meets them
 * (runtime/job.c). */
#ifndef WAFER_HOST_WALL_TABLES_H
#define WAFER_HOST_WALL_TABLES_H

#include "base/error.h"

#include <jansson.h>

/* Adds to *set the tables of a list, "mounts,seccomp"; all for NULL. A set is
 * an unsigned with a bit a table. */
int wall_tables_parse(const char *list, unsigned *set, struct error **err);

/* Prints the tables of a set to stdout. */
void wall_tables_print(unsigned set);

/* The same: an object with an array a table, and in it an object a row. The
 * caller releases it. */
json_t *wall_tables_to_json(unsigned set);

#endif
