/* A table on stdout: columns as wide as their widest cell, two blanks apart. */
#ifndef WAFER_HOST_TABLE_H
#define WAFER_HOST_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct table_column {
  const char *title;
  bool right; /* its cells end, not begin, below each other */
};

/* Set columns and column_count, zero the rest; table_release. */
struct table {
  const struct table_column *columns;
  size_t column_count;
  char **cells; /* row by row; owned */
  size_t cell_count;
};

/* Adds the next cell, a copy made safe to print (format_safe) and cut to
 * TABLE_CELL_MAX characters with "…" at its end. */
enum { TABLE_CELL_MAX = 40 };
void table_add(struct table *table, const char *text);

/* Prints the titles and each whole row. */
void table_print(const struct table *table);

void table_release(struct table *table);

#define cleanup_table __attribute__((cleanup(table_release)))

#endif
