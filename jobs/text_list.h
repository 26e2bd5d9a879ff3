/* A list of texts that it owns. Zeroed memory is an empty list. */
#ifndef WAFER_JOBS_TEXT_LIST_H
#define WAFER_JOBS_TEXT_LIST_H

#include <stddef.h>

struct text_list {
  char **items;
  size_t count;
};

/* Adds a copy. */
void text_list_add(struct text_list *list, const char *text);

/* Frees what it holds and leaves it empty. */
void text_list_release(struct text_list *list);

#endif
