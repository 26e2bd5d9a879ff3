#include "config.h"

#include "jobs/text_list.h"

#include "base/mem.h"

void text_list_add(struct text_list *list, const char *text)
{
  list->items =
      xreallocarray(list->items, list->count + 1, sizeof *list->items);
  list->items[list->count++] = xstrdup(text);
}

void text_list_release(struct text_list *list)
{
  for (size_t i = 0; i < list->count; i++)
    free(list->items[i]);
  free(list->items);
  *list = (struct text_list){0};
}
