/* What tests call: settings, faults, the test kernel, and what was found out. */
#define _GNU_SOURCE
#include "hardware.h"
#include "sim.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { REPORT_BYTES = 1 << 16, MAX_FAULTS = 16, CALL_NAME = 48, PATH_BYTES = 1024 };

/* How a fault shows. */
enum fault_mode {
  FAULT_RETURNED, /* by that call, once */
  FAULT_STICKY,   /* by that call and every later one */
  FAULT_RUNNING,  /* the call succeeds; what it enqueued fails, and the device with it */
  FAULT_HANGING   /* the call succeeds; what it enqueued never ends */
};

struct fault {
  char call[CALL_NAME];
  long countdown;
  int error;
  enum fault_mode mode;
};

static char report[REPORT_BYTES];
static size_t report_bytes;
static int violations;
static struct fault faults[MAX_FAULTS];
static int fault_count;

void violation(const char *format, ...) {
  violations++;
  va_list args;
  va_start(args, format);
  size_t room = REPORT_BYTES - report_bytes;
  int n = vsnprintf(report + report_bytes, room, format, args);
  va_end(args);
  if (n > 0 && (size_t)n + 1 < room) {
    report_bytes += (size_t)n;
    report[report_bytes++] = '\n';
    report[report_bytes] = 0;
  }
}

void forget_violations(void) {
  violations = 0;
  report_bytes = 0;
  report[0] = 0;
}

static void read_faults(void);

/* Returns the error that this call is to return. */
int injected(const char *call, int *hangs, int *fails) {
  read_faults();
  for (int i = 0; i < fault_count; i++) {
    struct fault *f = &faults[i];
    if (strcmp(f->call, "*") && strcmp(f->call, call)) {
      continue;
    }
    if (f->countdown-- != 0) {
      continue;
    }
    switch (f->mode) {
      case FAULT_RETURNED:
        return f->error;
      case FAULT_STICKY:
        fail_device(current_device, f->error);
        return f->error;
      case FAULT_RUNNING:
        *fails = f->error;
        break;
      case FAULT_HANGING:
        *hangs = 1;
        break;
    }
  }
  return SUCCESS;
}

static size_t used_bytes(int device) { return sim.devices[device].allocated_bytes; }

/* What hangs ends after all, as if it had only been slow. */
EXPORT void cudaSimResume(void) {
  pthread_mutex_lock(&sim.lock);
  size_t cursor = 0;
  for (struct stream *s = each_stream(&cursor); s; s = each_stream(&cursor)) {
    for (struct op *op = s->head; op; op = op->next) {
      op->hangs = 0;
    }
  }
  pthread_cond_broadcast(&sim.progress);
  pthread_cond_broadcast(&sim.work);
  pthread_mutex_unlock(&sim.lock);
}

/* Begins anew, as a new process would. Settings are "key=value", separated by spaces. */
EXPORT void cudaSimReset(const char *settings) {
  pthread_mutex_lock(&sim.lock);
  sim.generation++;
  sim.hanging = 0;
  forget_everything();
  forget_violations();
  fault_count = 0;
  sim.config = (struct config){
      .seed = cudaSimSetting(settings, "seed", 1),
      .device_bytes = cudaSimSetting(settings, "device_bytes", 1u << 30),
      .real_time = (int)cudaSimSetting(settings, "real_time", 0),
      .latency_ns = cudaSimSetting(settings, "latency_ns", 0),
      .jitter_percent = (int)cudaSimSetting(settings, "jitter_percent", 0),
      .call_ns = cudaSimSetting(settings, "call_ns", 0),
      .copy_ns = cudaSimSetting(settings, "copy_ns", 0),
      .to_device_mb_s = cudaSimSetting(settings, "to_device_mb_s", 0),
      .to_host_mb_s = cudaSimSetting(settings, "to_host_mb_s", 0),
      .no_data = (int)cudaSimSetting(settings, "no_data", 0),
      .peers = (int)cudaSimSetting(settings, "peers", 1)};
  cudaSimFindHardware(settings, sim.config.device_bytes);
  cudaSimHardware()->used_bytes = used_bytes;
  offer_kernels();
  sim.config.devices = cudaSimHardware()->visible_count;
  memset(sim.devices, 0, sizeof sim.devices);
  memset(sim.copied_bytes, 0, sizeof sim.copied_bytes);
  sim.peer_bytes = sim.staged_bytes = 0;
  sim.host_ns = sim.calls = sim.pageable_copies = sim.async_copies = sim.kernels = sim.waits = sim.graphs = sim.urgent_streams = 0;
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  sim.origin_ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
  if (sim.config.real_time) {
    start_device_thread();
    pthread_cond_signal(&sim.work);
  }
  pthread_cond_broadcast(&sim.progress);
  pthread_mutex_unlock(&sim.lock);
}

/* A file beside this library. */
static void beside(const char *name, char *path, size_t room) {
  Dl_info self;
  const char *library = dladdr((void *)beside, &self) ? self.dli_fname : "";
  const char *slash = strrchr(library, '/');
  snprintf(path, room, "%.*s%s", slash ? (int)(slash - library + 1) : 0, library, name);
}

static int told; /* by a file, in a process that nobody else tells */

/* In a process whose parent has left settings for it. */
__attribute__((constructor)) static void begin_as_told(void) {
  char path[PATH_BYTES], settings[PATH_BYTES] = "";
  beside("settings", path, sizeof path);
  FILE *file = fopen(path, "r");
  if (file) {
    told = fgets(settings, sizeof settings, file) != NULL;
    fclose(file);
  }
  if (told) {
    cudaSimReset(settings);
  }
}

static int add_fault(const char *call, long nth, int error, const char *mode) {
  static const char *const MODES[] = {"RETURNED", "STICKY", "RUNNING", "HANGING"};
  int known = 0;
  while (known < 4 && strcmp(MODES[known], mode)) {
    known++;
  }
  int taken = fault_count < MAX_FAULTS && known < 4;
  if (taken) {
    struct fault *f = &faults[fault_count++];
    snprintf(f->call, CALL_NAME, "%s", call);
    f->countdown = nth;
    f->error = error;
    f->mode = (enum fault_mode)known;
  }
  return taken;
}

/* One of the processes that are told by files takes a fault that was left for any of them. */
static void read_faults(void) {
  char path[PATH_BYTES], mine[PATH_BYTES + 16], call[CALL_NAME], mode[CALL_NAME];
  if (!told) {
    return;
  }
  beside("fault", path, sizeof path);
  snprintf(mine, sizeof mine, "%s.%d", path, (int)getpid());
  if (rename(path, mine)) {
    return;
  }
  FILE *file = fopen(mine, "r");
  long nth;
  int error;
  if (file && fscanf(file, "%47s %ld %d %47s", call, &nth, &error, mode) == 4) {
    add_fault(call, nth, error, mode);
  }
  if (file) {
    fclose(file);
  }
  unlink(mine);
}

/* Has the nth next call (0 is the next one) of that name, or of any ("*"), go wrong. */
EXPORT int cudaSimInject(const char *call, int64_t nth, int error, const char *mode) {
  pthread_mutex_lock(&sim.lock);
  int taken = add_fault(call, (long)nth, error, mode);
  pthread_mutex_unlock(&sim.lock);
  return taken ? SUCCESS : INVALID_VALUE;
}

EXPORT void cudaSimForgetFaults(void) {
  pthread_mutex_lock(&sim.lock);
  fault_count = 0;
  pthread_mutex_unlock(&sim.lock);
}

/*
 * Enqueues the test kernel on 32-bit words: of each item, out[w] = rotl(sum of in[i], 7) + w, over i =
 * w % in_words and every out_words further words. So all of the input counts, and nothing else.
 */
EXPORT int cudaSimLaunch(void *stream, int items, uint64_t in, uint64_t in_item_bytes, uint64_t out,
                         uint64_t out_item_bytes, uint64_t cost_ns, uint64_t ready) {
  pthread_mutex_lock(&sim.lock);
  int was, hangs = 0, fails = 0, error;
  struct stream *s = get_handle(stream, HANDLE_STREAM, &was);
  sim.calls++;
  if (!s) {
    violation("cudaSimLaunch: %s stream", was ? "a destroyed" : "not a");
    error = INVALID_HANDLE;
  } else if (!(error = sim.devices[s->device].sticky)
             && !(error = injected("cudaSimLaunch", &hangs, &fails))) {
    struct op *op = new_op(OP_KERNEL, ENGINE_COMPUTE, cost_ns);
    op->kernel = (struct kernel){in, out, in_item_bytes, out_item_bytes, items, ready};
    op->hangs = hangs;
    op->fails = fails;
    enqueue(s, op);
    sim.kernels += !s->capturing;
    sim.host_ns += sim.config.call_ns;
  }
  pthread_mutex_unlock(&sim.lock);
  return error;
}

/* Counts leaks as violations when asked to; returns the violations so far and copies their text. */
EXPORT int cudaSimReport(int with_leaks, char *text, int room) {
  pthread_mutex_lock(&sim.lock);
  if (with_leaks) {
    leaks();
  }
  snprintf(text, (size_t)room, "%s", report);
  int count = violations;
  pthread_mutex_unlock(&sim.lock);
  return count;
}

/*
 * Returns a figure, of the device where it is one of a device, since the last reset. The span is from
 * the first work of the device to the end of the last.
 */
EXPORT uint64_t cudaSimFigure(int device, const char *name) {
  pthread_mutex_lock(&sim.lock);
  struct engine_use *engines = sim.devices[device].engines;
  uint64_t first = UINT64_MAX, last = 0;
  for (int e = 0; e < ENGINES; e++) {
    if (engines[e].last_ns) {
      first = engines[e].first_ns < first ? engines[e].first_ns : first;
      last = engines[e].last_ns > last ? engines[e].last_ns : last;
    }
  }
  const struct {
    const char *name;
    uint64_t value;
  } figures[] = {{"COMPUTE_BUSY_NS", engines[ENGINE_COMPUTE].busy_ns},
                 {"TO_DEVICE_BUSY_NS", engines[ENGINE_TO_DEVICE].busy_ns},
                 {"TO_HOST_BUSY_NS", engines[ENGINE_TO_HOST].busy_ns},
                 {"SPAN_NS", last > first ? last - first : 0},
                 {"CALLS", sim.calls},
                 {"ASYNC_COPIES", sim.async_copies},
                 {"PAGEABLE_COPIES", sim.pageable_copies},
                 {"TO_DEVICE_BYTES", sim.copied_bytes[ENGINE_TO_DEVICE]},
                 {"TO_HOST_BYTES", sim.copied_bytes[ENGINE_TO_HOST]},
                 {"ON_DEVICE_BYTES", sim.copied_bytes[ENGINE_ON_DEVICE]},
                 {"PEER_BYTES", sim.peer_bytes},
                 {"STAGED_BYTES", sim.staged_bytes},
                 {"KERNELS", sim.kernels},
                 {"WAITS", sim.waits},
                 {"GRAPHS", sim.graphs},
                 {"URGENT_STREAMS", sim.urgent_streams},
                 {"LIVE_BYTES", live_bytes(device)},
                 {"TAKEN_BYTES", sim.devices[device].allocated_bytes},
                 {"PINNED_BYTES", pinned_bytes()},
                 {"HOST_NS", host_now()},
                 {"WAITERS", (uint64_t)sim.hanging},
                 {"LOST", (uint64_t)sim.devices[device].sticky}};
  uint64_t value = UINT64_MAX;
  for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
    if (!strcmp(figures[i].name, name)) {
      value = figures[i].value;
    }
  }
  pthread_mutex_unlock(&sim.lock);
  return value;
}
