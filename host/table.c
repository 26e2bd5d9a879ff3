#include "config.h"

#include "host/table.h"

#include "base/mem.h"
#include "host/format.h"

#include <ctype.h>
#include <stdio.h>

/* Cuts in place after `count` characters. */
static void cut(char *text, size_t count)
{
  size_t seen = 0;
  for (; *text != '\0'; text++)
    if (((unsigned char)*text & 0xC0) != 0x80 && seen++ == count) {
      *text = '\0';
      return;
    }
}

void table_add(struct table *table, const char *text)
{
  cleanup_free char *safe = format_safe(text);
  table->cells =
      xreallocarray(table->cells, table->cell_count + 1, sizeof *table->cells);
  size_t column = table->cell_count % table->column_count;
  if (table->columns[column].style == TABLE_WHOLE ||
      format_width(safe) <= TABLE_CELL_MAX) {
    table->cells[table->cell_count++] = steal_pointer(&safe);
    return;
  }
  cut(safe, TABLE_CELL_MAX - 1);
  table->cells[table->cell_count++] = xasprintf("%s…", safe);
}

static int width_of(const struct table *table, size_t column)
{
  size_t width = format_width(table->columns[column].title);
  for (size_t i = column; i < table->cell_count; i += table->column_count) {
    size_t cell = format_width(table->cells[i]);
    width = cell > width ? cell : width;
  }
  return (int)width;
}

/* The last cell of a row is not filled up: no blanks at the end of a line. */
static void print_cell(const struct table *table, size_t column,
                       const char *text, int width)
{
  bool last = column + 1 == table->column_count;
  if (table->columns[column].style == TABLE_RIGHT)
    format_print_padded(text, -width);
  else
    format_print_padded(text, last ? 0 : width);
  fputs(last ? "\n" : "  ", stdout);
}

/* cells is NULL for the row of titles. */
static void print_row(const struct table *table, char **cells,
                      const int *widths)
{
  for (size_t i = 0; i < table->column_count; i++)
    print_cell(table, i, cells != NULL ? cells[i] : table->columns[i].title,
               widths[i]);
}

void table_print(const struct table *table)
{
  cleanup_free int *widths = xcalloc(table->column_count, sizeof *widths);
  for (size_t i = 0; i < table->column_count; i++)
    widths[i] = width_of(table, i);
  print_row(table, NULL, widths);
  for (size_t end = table->column_count; end <= table->cell_count;
       end += table->column_count)
    print_row(table, table->cells + end - table->column_count, widths);
}

static json_t *row_to_json(const struct table *table, char **cells)
{
  json_t *object = json_object();
  for (size_t i = 0; i < table->column_count; i++) {
    cleanup_free char *key = xstrdup(table->columns[i].title);
    for (char *letter = key; *letter != '\0'; letter++)
      *letter = (char)tolower((unsigned char)*letter);
    json_object_set_new(object, key, json_string(cells[i]));
  }
  return object;
}

json_t *table_to_json(const struct table *table)
{
  json_t *rows = json_array();
  for (size_t end = table->column_count; end <= table->cell_count;
       end += table->column_count)
    json_array_append_new(
        rows, row_to_json(table, table->cells + end - table->column_count));
  return rows;
}

void table_release(struct table *table)
{
  for (size_t i = 0; i < table->cell_count; i++)
    free(table->cells[i]);
  free(table->cells);
  table->cells = NULL;
  table->cell_count = 0;
}
