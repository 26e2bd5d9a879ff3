/* What a job's interpreter tells of itself: a parser of hostile input.
 *
 * The text is the report pipe's: stack dumps as faulthandler writes them, and
 * at most one line "E", type, file, line, message, separated by \x1f
 * (runtime/python/wafer_bootstrap.py). A script can write anything there. */
#ifndef WAFER_HOST_REPORT_H
#define WAFER_HOST_REPORT_H

#include "jobs/run.h"

#include <stddef.h>

/* Fills in python_stack (the last dump, without wafer's own frames) and
 * exception of the reason; leaves alone what isn't there. */
void report_read(const char *text, size_t count, struct run_reason *reason);

#endif
