/* What begins and ends every call of the runtime. */
#ifndef CUDA_SIM_CALLS_H
#define CUDA_SIM_CALLS_H

#include "sim.h"

extern __thread int last_error;

/* Takes the lock; returns the error that the call must return without doing anything. */
int enter(const char *call, int *hangs, int *fails);
int leave(int error);

/* Returns NULL after reporting what is wrong with the handle. */
struct stream *stream_of(void *handle, const char *call);
struct event *event_of(void *handle, const char *call);

#define CALL(name)                                  \
  int hangs, fails;                                 \
  int refused_with = enter(name, &hangs, &fails);   \
  if (refused_with) {                               \
    return leave(refused_with);                     \
  }                                                 \
  (void)hangs;                                      \
  (void)fails

#endif
