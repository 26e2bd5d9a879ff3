/* Where wafer keeps its state and its key, and safe folders to keep them in. */
#ifndef WAFER_JOBS_HOME_H
#define WAFER_JOBS_HOME_H

#include "base/error.h"

/* $WAFER_STATE_DIR; else /var/lib/wafer for root; else $XDG_STATE_HOME/wafer or
 * ~/.local/state/wafer (XDG Base Directory Specification 0.8: a path in it that
 * isn't absolute is ignored). *dir is the caller's. ENOENT: no home is known.
 */
int home_state_dir(char **dir, struct error **err);

/* $WAFER_CONFIG_DIR; else /etc/wafer for root; else $XDG_CONFIG_HOME/wafer or
 * ~/.config/wafer. *dir is the caller's. */
int home_config_dir(char **dir, struct error **err);

/* Where a server's socket is: $WAFER_RUNTIME_DIR; else /run/wafer for root;
 * else $XDG_RUNTIME_DIR/wafer, or where there is none home_state_dir. */
int home_runtime_dir(char **dir, struct error **err);

/* Makes `dir` and its parents where they are missing, all 0700, and opens it.
 * It must be our own, and nobody else may write to it (EPERM): whoever can
 * would replace what is in it. Returns its descriptor or -1. */
int home_make_dir(const char *dir, struct error **err);

/* The same for one that must be there (ENOENT). */
int home_open_dir(const char *dir, struct error **err);

#endif
