/* A table on stdout: columns as wide as their widest cell, two blanks apart. */
#ifndef WAFER_HOST_TABLE_H
#define WAFER_HOST_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum table_style {
  TABLE_LEFT,
  TABLE_RIGHT, /* its cells end, not begin, below each other */
  TABLE_WHOLE, /* its cells are not cut */
};

struct table_column {
  const char *title;
  enum table_style style;
};

/* Set columns and column_count, zero the rest; table_release. */
struct table {
  const struct table_column *columns;
  size_t column_count;
  char **cells; /* row by row; owned */
  size_t cell_count;
};

/* Adds the next cell, a copy made safe to print (format_safe) and, but for a
 * column of whole ones, cut to TABLE_CELL_MAX characters with "…" at its end.
 */
enum { TABLE_CELL_MAX = 40 };
void table_add(struct table *table, const char *text);

/* Prints the titles and each whole row. */
void table_print(const struct table *table);

/* The rows as a JSON array of objects, whose members are the titles in small
 * letters. The caller releases it. */
json_t *table_to_json(const struct table *table);

void table_release(struct table *table);

#define cleanup_table __attribute__((cleanup(table_release)))

#endif
