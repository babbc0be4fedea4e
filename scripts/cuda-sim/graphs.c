/* The calls of the CUDA runtime that capture what is enqueued on a stream, and enqueue it again. */
#include "calls.h"

#include <stdlib.h>

static struct graph *graph_of(void *handle, const char *call) {
  int was;
  struct graph *g = get_handle(handle, HANDLE_GRAPH, &was);
  if (!g) {
    violation("%s: %s graph", call, was ? "a destroyed" : "not a");
  }
  return g;
}

static struct graph *new_graph(int device) {
  struct graph *g = calloc(1, sizeof *g);
  g->device = device;
  g->live = 1;
  return g;
}

EXPORT int cudaStreamBeginCapture(void *stream, int mode) {
  CALL("cudaStreamBeginCapture");
  (void)mode;
  struct stream *s = stream_of(stream, "cudaStreamBeginCapture");
  if (!s || s->capturing) {
    return leave(s ? CAPTURE_UNSUPPORTED : INVALID_HANDLE);
  }
  s->capturing = new_graph(s->device);
  return leave(SUCCESS);
}

EXPORT int cudaStreamEndCapture(void *stream, void **graph) {
  CALL("cudaStreamEndCapture");
  struct stream *s = stream_of(stream, "cudaStreamEndCapture");
  if (!s || !s->capturing) {
    return leave(s ? CAPTURE_UNSUPPORTED : INVALID_HANDLE);
  }
  *graph = add_handle(HANDLE_GRAPH, s->capturing);
  s->capturing = NULL;
  return leave(SUCCESS);
}

/* What can be launched is a copy: the graph may be destroyed. */
EXPORT int cudaGraphInstantiate(void **executable, void *graph, unsigned long long flags) {
  CALL("cudaGraphInstantiate");
  (void)flags;
  struct graph *g = graph_of(graph, "cudaGraphInstantiate");
  if (!g) {
    return leave(INVALID_HANDLE);
  }
  struct graph *copy = new_graph(g->device);
  struct stream onto = {.capturing = copy};
  enqueue_graph(&onto, g);
  *executable = add_handle(HANDLE_GRAPH, copy);
  return leave(SUCCESS);
}

static int destroy(void *handle, const char *call) {
  struct graph *g = graph_of(handle, call);
  if (!g) {
    return INVALID_HANDLE;
  }
  g->live = 0;
  forget_graph(g);
  return SUCCESS;
}

EXPORT int cudaGraphDestroy(void *graph) {
  CALL("cudaGraphDestroy");
  return leave(destroy(graph, "cudaGraphDestroy"));
}

EXPORT int cudaGraphExecDestroy(void *executable) {
  CALL("cudaGraphExecDestroy");
  return leave(destroy(executable, "cudaGraphExecDestroy"));
}

EXPORT int cudaGraphLaunch(void *executable, void *stream) {
  CALL("cudaGraphLaunch");
  struct graph *g = graph_of(executable, "cudaGraphLaunch");
  struct stream *s = stream_of(stream, "cudaGraphLaunch");
  if (!g || !s) {
    return leave(INVALID_HANDLE);
  }
  sim.graphs++;
  for (struct op *op = g->head; op; op = op->next) {
    sim.kernels += op->kind == OP_KERNEL;
    op->hangs = hangs;
    op->fails = fails;
  }
  enqueue_graph(s, g);
  return leave(SUCCESS);
}
