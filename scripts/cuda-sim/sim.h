/*
 * A CUDA runtime without a GPU, for tests: what the engine, the memory and the calls share.
 *
 * Streams are queues. Nothing runs when it is enqueued: an operation starts when its stream, its
 * engine (one per copy direction, one for kernels; copies on the device do not wait for each other)
 * and its event allow, on a clock of its own, and its effect on memory comes at its end; a kernel
 * reads its input when it starts. So whoever forgets an event or a synchronisation reads what was
 * there before.
 *
 * Two clocks. Virtual: time stands still until a host thread waits or asks, and then jumps to what
 * it waits for; with one host thread every run with the same seed is the same. Real: operations take
 * the time that their cost says, on a thread that stands for the device.
 *
 * One lock guards everything; functions named without cuda are called with it held.
 */
#ifndef CUDA_SIM_H
#define CUDA_SIM_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_DEVICES 8 /* MAX_UNITS of the hardware */
#define EXPORT __attribute__((visibility("default")))

/* The numbers of driver_types.h. */
enum {
  SUCCESS = 0,
  INVALID_VALUE = 1,
  OUT_OF_MEMORY = 2,
  INVALID_DEVICE_POINTER = 17,
  INSUFFICIENT_DRIVER = 35,
  NO_DEVICE = 100,
  INVALID_DEVICE = 101,
  INVALID_HANDLE = 400,
  NOT_READY = 600,
  ILLEGAL_ADDRESS = 700,
  ALREADY_REGISTERED = 712,
  NOT_REGISTERED = 713,
  LAUNCH_FAILURE = 719,
  NOT_SUPPORTED = 801,
  CAPTURE_UNSUPPORTED = 900,
  UNKNOWN = 999
};

enum engine { ENGINE_TO_DEVICE, ENGINE_TO_HOST, ENGINE_ON_DEVICE, ENGINE_COMPUTE, ENGINES, ENGINE_NONE = ENGINES };

enum op_kind { OP_COPY, OP_FILL, OP_KERNEL, OP_RECORD, OP_WAIT, OP_ALLOC, OP_FREE, OP_LAUNCH };

struct pool {
  int device;
  int live;
  size_t max_bytes, used_bytes, reserved_bytes, threshold_bytes;
  unsigned open_to; /* a bit for each other device that may read and write what is in it */
};

enum alloc_state { ALLOC_PENDING, ALLOC_LIVE, ALLOC_FREEING, ALLOC_FREED };

/* Device memory at an address that the host cannot touch, or pinned host memory (device -1). */
struct alloc {
  uint64_t base;
  size_t size;
  unsigned char *bytes;
  int device;
  enum alloc_state state;
  struct pool *pool; /* NULL if from cudaMalloc or pinned */
  int registered;    /* pinned, but memory of the program's own */
};

struct event {
  int device, live, blocking;
  uint64_t recorded, done; /* sequence numbers of records issued and completed */
  uint64_t done_ns;
};

struct kernel {
  uint64_t in, out;
  size_t in_item_bytes, out_item_bytes;
  int items;
  uint64_t ready; /* where its context says how many items it was made ready for; 0 if it has none */
};

struct op {
  enum op_kind kind;
  enum engine engine;
  struct op *next;
  uint64_t enqueued_ns, cost_ns, start_ns, end_ns;
  int running, hangs, fails, reads_early;
  uint64_t from, to; /* copy, fill */
  int between, from_device, to_device; /* copy from one device to another, in a call that says so */
  size_t bytes;
  int value;
  unsigned char *held; /* what was read and is not written yet */
  struct kernel kernel;
  struct launch *launch;
  struct event *event;
  uint64_t sequence;
  struct alloc *alloc;
};

/* Operations in the order of the stream that they were captured on. */
struct graph {
  int device, live;
  struct op *head, *tail;
};

struct stream {
  int device, live;
  struct graph *capturing; /* what is enqueued goes there and does not run; NULL: it runs */
  struct op *head, *tail;
  uint64_t free_ns, random;
};

struct engine_use {
  uint64_t free_ns, busy_ns, first_ns, last_ns;
};

struct device {
  int sticky; /* 0, or the error of every call from now on */
  int told;   /* 0, or that of another device, from which a copy came to nothing: the next wait tells */
  size_t allocated_bytes;
  struct engine_use engines[ENGINES];
};

struct config {
  uint64_t seed, device_bytes, latency_ns, call_ns, copy_ns;
  uint64_t to_device_mb_s, to_host_mb_s; /* 10^6 bytes per second; 0: copies cost copy_ns only */
  int devices, real_time, jitter_percent, no_data, peers;
};

enum handle_kind { HANDLE_STREAM = 1, HANDLE_EVENT, HANDLE_POOL, HANDLE_GRAPH, HANDLE_MODULE };

struct sim {
  pthread_mutex_t lock;
  pthread_cond_t progress, work;
  struct config config;
  struct device devices[MAX_DEVICES];
  uint64_t wakes_ns; /* when the device's thread wakes by itself */
  uint64_t host_ns, origin_ns, generation, calls, pageable_copies, async_copies, kernels, waits, graphs, urgent_streams;
  uint64_t copied_bytes[ENGINE_ON_DEVICE + 1]; /* by direction */
  uint64_t peer_bytes, staged_bytes; /* between devices: straight, and by way of the host */
  int hanging;
};

extern struct sim sim;
extern __thread int current_device;

/* engine.c */
uint64_t host_now(void);
struct op *new_op(enum op_kind kind, enum engine engine, uint64_t cost_ns);
void enqueue(struct stream *stream, struct op *op);
void enqueue_graph(struct stream *stream, const struct graph *graph);
void forget_graph(struct graph *graph);
int step(uint64_t limit_ns, uint64_t *next_ns);
int wait_for_event(struct event *event, uint64_t sequence);
int wait_for_stream(struct stream *stream);
int wait_for_device(int device);
int ask(int device);
void drop_work(int device);
void fail_device(int device, int error);
void start_device_thread(void);
uint64_t next_random(uint64_t *state);

/* memory.c */
void *add_handle(enum handle_kind kind, void *object);
void *get_handle(void *handle, enum handle_kind kind, int *was);
struct stream *each_stream(size_t *cursor);
struct alloc *add_alloc(int device, size_t size, struct pool *pool, enum alloc_state state);
struct alloc *find_alloc(uint64_t address);
int register_host(void *bytes, size_t size);
int unregister_host(void *bytes);
unsigned char *access_bytes(uint64_t address, size_t bytes, int device, const char *who);
int is_device_address(uint64_t address);
int is_pinned(uint64_t address, size_t bytes);
void release_alloc(struct alloc *alloc);
void pool_trim(struct pool *pool, size_t keep_bytes);
void forget_everything(void);
size_t live_bytes(int device);
size_t pinned_bytes(void);
int leaks(void);

/* kernels.c */
void begin_launch(struct launch *launch, int device);
void end_launch(struct launch *launch, int device);
void forget_launch(struct launch *launch);
int module_live(const void *module);
int module_device(const void *module);
void offer_kernels(void);

/* control.c */
void violation(const char *format, ...) __attribute__((format(printf, 1, 2)));
void forget_violations(void);
int injected(const char *call, int *hangs, int *fails);

#endif
