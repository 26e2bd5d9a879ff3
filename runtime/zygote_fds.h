/* The descriptors that a zygote is started with. */
#ifndef WAFER_RUNTIME_ZYGOTE_FDS_H
#define WAFER_RUNTIME_ZYGOTE_FDS_H

enum {
  ZYGOTE_COMMAND_FD = 3, /* to the host: protocol.h */
  ZYGOTE_KEEPER_FD = 4,  /* the keeper's program: the zygote's uid may not be
                            able  to reach it by its path */
  ZYGOTE_PYTHON_FD = 5,  /* the module that is the interpreter: see python.h */
  ZYGOTE_FD_END,
};

#endif
