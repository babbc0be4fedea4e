/* The device: what runs when. Operations start and end in the order of the device's clock. */
#define _GNU_SOURCE
#include "sim.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct sim sim = {.lock = PTHREAD_MUTEX_INITIALIZER, .progress = PTHREAD_COND_INITIALIZER,
                  .work = PTHREAD_COND_INITIALIZER};
__thread int current_device;

static const uint64_t NEVER = UINT64_MAX;
static const uint64_t IDLE_QUERY_NS = 1000000;

/* xorshift64*, by S. Vigna, "An experimental exploration of Marsaglia's xorshift generators". */
uint64_t next_random(uint64_t *state) {
  uint64_t x = *state ? *state : 0x9E3779B97F4A7C15u;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  *state = x;
  return x * 0x2545F4914F6CDD1Du;
}

uint64_t host_now(void) {
  if (sim.config.real_time) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec - sim.origin_ns;
  }
  return sim.host_ns;
}

struct op *new_op(enum op_kind kind, enum engine engine, uint64_t cost_ns) {
  struct op *op = calloc(1, sizeof *op);
  op->kind = kind;
  op->engine = engine;
  op->cost_ns = cost_ns;
  return op;
}

static uint64_t max_ns(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* When the first operation of a stream starts or ends; NEVER if that is not known yet. */
static uint64_t due_ns(const struct stream *stream) {
  const struct op *op = stream->head;
  if (!op) {
    return NEVER;
  }
  if (op->running) {
    return op->hangs ? NEVER : op->end_ns;
  }
  uint64_t at = max_ns(op->enqueued_ns, stream->free_ns);
  if (op->kind == OP_WAIT) {
    if (op->event->done < op->sequence) {
      return NEVER;
    }
    at = max_ns(at, op->event->done_ns);
  }
  if (op->engine != ENGINE_NONE && op->engine != ENGINE_ON_DEVICE) {
    at = max_ns(at, sim.devices[stream->device].engines[op->engine].free_ns);
  }
  return at;
}

/* Each launch is as if everything in it were enqueued now. */
void enqueue_graph(struct stream *stream, const struct graph *graph) {
  for (const struct op *op = graph->head; op; op = op->next) {
    struct op *copy = new_op(op->kind, op->engine, op->cost_ns);
    *copy = *op;
    copy->next = NULL;
    enqueue(stream, copy);
  }
}

void forget_graph(struct graph *graph) {
  while (graph->head) {
    struct op *op = graph->head;
    graph->head = op->next;
    free(op);
  }
}

/* Late and out of step: each stream draws its own delays and durations. */
void enqueue(struct stream *stream, struct op *op) {
  if (stream->capturing) {
    struct graph *graph = stream->capturing;
    *(graph->tail ? &graph->tail->next : &graph->head) = op;
    graph->tail = op;
    return;
  }
  uint64_t delay = 0;
  if (sim.config.latency_ns) {
    delay = next_random(&stream->random) % sim.config.latency_ns;
  }
  if (sim.config.jitter_percent && op->engine != ENGINE_NONE) {
    uint64_t percent = 100 + next_random(&stream->random) % (unsigned)sim.config.jitter_percent;
    op->cost_ns = op->cost_ns * percent / 100;
    op->reads_early = next_random(&stream->random) >> 63 & 1;
  }
  op->enqueued_ns = host_now() + delay;
  if (stream->tail) {
    stream->tail->next = op;
  } else {
    stream->head = op;
  }
  stream->tail = op;
  if (sim.config.real_time) {
    /* The device need not be woken for what is not due before it wakes by itself. */
    if (stream->head == op && due_ns(stream) < sim.wakes_ns) {
      pthread_cond_signal(&sim.work);
    }
  } else if (sim.hanging) {
    pthread_cond_broadcast(&sim.progress);
  }
}

/* What a test kernel computes: of each item, from that item alone, wherever it lies in the batch. */
static void compute(const struct kernel *k, const unsigned char *in, unsigned char *out) {
  size_t in_words = k->in_item_bytes / 4, out_words = k->out_item_bytes / 4;
  for (int i = 0; i < k->items; i++) {
    const uint32_t *x = (const uint32_t *)(in + (size_t)i * k->in_item_bytes);
    uint32_t *y = (uint32_t *)(out + (size_t)i * k->out_item_bytes);
    for (size_t w = 0; w < out_words; w++) {
      uint32_t v = 0;
      for (size_t i = w % in_words; i < in_words; i += out_words) {
        v += x[i];
      }
      y[w] = (v << 7 | v >> 25) + (uint32_t)w;
    }
  }
}

static unsigned char *hold(uint64_t from, size_t bytes, int device, const char *who) {
  unsigned char *source = access_bytes(from, bytes, device, who);
  unsigned char *copy = source ? malloc(bytes) : NULL;
  if (copy) {
    memcpy(copy, source, bytes);
  }
  return copy;
}

/* A context that was made ready for another size computes on what it has, which is nothing of this. */
static int is_ready(const struct kernel *kernel, int device) {
  uint64_t items = (uint64_t)kernel->items;
  unsigned char *ready = kernel->ready ? access_bytes(kernel->ready, sizeof items, device, "context") : NULL;
  return !kernel->ready || (ready && !memcmp(ready, &items, sizeof items));
}

static int source_device(const struct stream *stream, const struct op *op) {
  return op->between ? op->from_device : stream->device;
}

static void begin(struct stream *stream, struct op *op, uint64_t at) {
  op->running = 1;
  op->start_ns = at;
  op->end_ns = at + op->cost_ns;
  if (op->engine != ENGINE_NONE) {
    struct engine_use *use = &sim.devices[stream->device].engines[op->engine];
    use->free_ns = op->end_ns;
    use->busy_ns += op->cost_ns;
    use->first_ns = use->last_ns ? use->first_ns : at;
    use->last_ns = op->end_ns;
  }
  if (sim.config.no_data) {
    return;
  }
  if (op->kind == OP_KERNEL) {
    size_t bytes = op->kernel.in_item_bytes * (size_t)op->kernel.items;
    op->held = hold(op->kernel.in, bytes, stream->device, "kernel input");
    if (op->held && !is_ready(&op->kernel, stream->device)) {
      memset(op->held, 0xC5, bytes);
    }
  } else if (op->kind == OP_LAUNCH) {
    begin_launch(op->launch, stream->device);
  } else if (op->kind == OP_COPY && op->reads_early && !op->held) {
    op->held = hold(op->from, op->bytes, source_device(stream, op), "copy source");
  }
}

static void write_effect(struct stream *stream, struct op *op) {
  if (op->kind == OP_KERNEL && op->held) {
    size_t bytes = op->kernel.out_item_bytes * (size_t)op->kernel.items;
    unsigned char *out = access_bytes(op->kernel.out, bytes, stream->device, "kernel output");
    if (out) {
      compute(&op->kernel, op->held, out);
    }
  } else if (op->kind == OP_LAUNCH) {
    end_launch(op->launch, stream->device);
  } else if (op->kind == OP_COPY) {
    unsigned char *source =
        op->held ? op->held : access_bytes(op->from, op->bytes, source_device(stream, op), "copy source");
    unsigned char *target =
        access_bytes(op->to, op->bytes, op->between ? op->to_device : stream->device, "copy target");
    if (source && target) {
      memcpy(target, source, op->bytes);
    }
  } else if (op->kind == OP_FILL) {
    unsigned char *target = access_bytes(op->to, op->bytes, stream->device, "memset");
    if (target) {
      memset(target, op->value, op->bytes);
    }
  }
}

static void end(struct stream *stream, struct op *op) {
  stream->head = op->next;
  if (!stream->head) {
    stream->tail = NULL;
  }
  stream->free_ns = op->end_ns;
  int device = stream->device, fails = op->fails;
  int gone = op->between ? sim.devices[op->from_device].sticky : 0;
  if (gone) {
    sim.devices[device].told = gone;
  } else if (!sim.config.no_data && !fails) {
    write_effect(stream, op);
  }
  if (op->kind == OP_RECORD) {
    op->event->done = op->sequence;
    op->event->done_ns = op->end_ns;
    pthread_cond_broadcast(&sim.progress);
  } else if (op->kind == OP_ALLOC) {
    op->alloc->state = ALLOC_LIVE;
  } else if (op->kind == OP_FREE) {
    release_alloc(op->alloc);
  }
  if (!stream->head) {
    pthread_cond_broadcast(&sim.progress);
  }
  free(op->held);
  forget_launch(op->launch);
  free(op);
  if (fails) {
    fail_device(device, fails);
  }
}

/* Starts or ends what is due first, if not after the limit. Returns 0 if nothing was. */
int step(uint64_t limit_ns, uint64_t *next_ns) {
  struct stream *first = NULL;
  uint64_t first_ns = NEVER;
  size_t cursor = 0;
  for (struct stream *s = each_stream(&cursor); s; s = each_stream(&cursor)) {
    uint64_t at = due_ns(s);
    if (at < first_ns) {
      first = s;
      first_ns = at;
    }
  }
  *next_ns = first_ns;
  if (!first || first_ns > limit_ns || first_ns == NEVER) {
    return 0;
  }
  if (first->head->running) {
    end(first, first->head);
  } else {
    begin(first, first->head, first_ns);
  }
  return 1;
}

void drop_work(int device) {
  size_t cursor = 0;
  for (struct stream *s = each_stream(&cursor); s; s = each_stream(&cursor)) {
    while (s->device == device && s->head) {
      struct op *op = s->head;
      s->head = op->next;
      free(op->held);
      forget_launch(op->launch);
      free(op);
    }
    if (s->device == device) {
      s->tail = NULL;
    }
  }
}

/* From here on the device's context is gone: nothing runs, and every call says why. */
void fail_device(int device, int error) {
  sim.devices[device].sticky = error;
  drop_work(device);
  pthread_cond_broadcast(&sim.progress);
}

/* Once, by whichever wait or question comes next: as with any error of what was enqueued before. */
static int error_of(int device) {
  int told = sim.devices[device].told;
  sim.devices[device].told = 0;
  return sim.devices[device].sticky ? sim.devices[device].sticky : told;
}

/* Waits until done(what) or the device fails; in virtual time it is the waiter who runs the device. */
static int wait_until(int (*done)(void *, uint64_t), void *what, uint64_t number, int device) {
  uint64_t generation = sim.generation;
  while (generation == sim.generation && !sim.devices[device].sticky && !done(what, number)) {
    uint64_t next;
    if (sim.config.real_time || !step(NEVER - 1, &next)) {
      sim.hanging++;
      pthread_cond_wait(&sim.progress, &sim.lock);
      if (generation == sim.generation) {
        sim.hanging--;
      }
    }
  }
  return generation != sim.generation ? UNKNOWN : error_of(device);
}

static int event_done(void *event, uint64_t sequence) {
  return ((struct event *)event)->done >= sequence;
}

static int stream_done(void *stream, uint64_t unused) {
  (void)unused;
  return !((struct stream *)stream)->head;
}

static int device_done(void *device, uint64_t unused) {
  (void)unused;
  size_t cursor = 0;
  for (struct stream *s = each_stream(&cursor); s; s = each_stream(&cursor)) {
    if (s->device == *(int *)device && s->head) {
      return 0;
    }
  }
  return 1;
}

static int after(int error, uint64_t done_ns) {
  if (!error) {
    sim.host_ns = max_ns(sim.host_ns, done_ns);
  }
  return error;
}

int wait_for_event(struct event *event, uint64_t sequence) {
  int error = wait_until(event_done, event, sequence, event->device);
  return error ? error : after(error, event->done_ns);
}

int wait_for_stream(struct stream *stream) {
  int error = wait_until(stream_done, stream, 0, stream->device);
  return error ? error : after(error, stream->free_ns);
}

int wait_for_device(int device) { return wait_until(device_done, &device, 0, device); }

/* A question lets virtual time pass: one step, or, if nothing is under way, a millisecond. */
int ask(int device) {
  if (!sim.config.real_time && !sim.devices[device].sticky) {
    uint64_t next;
    if (step(NEVER - 1, &next)) {
      sim.host_ns = max_ns(sim.host_ns, next);
    } else {
      sim.host_ns += IDLE_QUERY_NS;
    }
  }
  return error_of(device);
}

static void *device_thread(void *unused) {
  (void)unused;
  pthread_mutex_lock(&sim.lock);
  for (;;) {
    uint64_t next = NEVER;
    while (sim.config.real_time && step(host_now(), &next)) {
    }
    sim.wakes_ns = sim.config.real_time ? next : NEVER;
    if (!sim.config.real_time || next == NEVER) {
      pthread_cond_wait(&sim.work, &sim.lock);
    } else {
      uint64_t at = next + sim.origin_ns;
      struct timespec until = {(time_t)(at / 1000000000u), (long)(at % 1000000000u)};
      pthread_cond_timedwait(&sim.work, &sim.lock, &until);
    }
  }
  return NULL;
}

void start_device_thread(void) {
  static int started;
  if (!started) {
    started = 1;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&sim.work, &monotonic);
    pthread_t thread;
    pthread_create(&thread, NULL, device_thread, NULL);
    pthread_detach(thread);
  }
}
