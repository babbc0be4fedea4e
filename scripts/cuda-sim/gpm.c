/* NVML's performance monitoring: counters of a GPU at two moments, and what happened in between. */
#include "hardware.h"

#include <stdlib.h>

#define EXPORT __attribute__((visibility("default")))

enum { SUCCESS = 0, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, VERSION_MISMATCH = 25 };
enum { SM_UTIL = 2, SM_OCCUPANCY = 3, HOPPER = 90, KNOWN_METRICS = 210 };

struct support {
  unsigned version, is_supported;
};

struct sample {
  void *device; /* null: nothing was read into it yet */
  uint64_t moment;
  uint64_t busy; /* sum of the percentages of all moments so far */
};

struct metric {
  unsigned id;
  int status;
  double value;
  char *short_name, *long_name, *unit;
};

struct request {
  unsigned version, count;
  struct sample *first, *second;
  struct metric metrics[KNOWN_METRICS];
};

static uint64_t moments, busy;

static int has_counters(void) {
  return cudaSimHardware()->capability >= HOPPER && !cudaSimHardware()->slices;
}

EXPORT int nvmlGpmQueryDeviceSupport(void *device, struct support *support) {
  (void)device;
  if (support->version != 1) {
    return VERSION_MISMATCH;
  }
  support->is_supported = (unsigned)has_counters();
  return SUCCESS;
}

EXPORT int nvmlGpmSampleAlloc(struct sample **sample) {
  *sample = calloc(1, sizeof **sample);
  return SUCCESS;
}

EXPORT int nvmlGpmSampleFree(struct sample *sample) {
  free(sample);
  return SUCCESS;
}

EXPORT int nvmlGpmSampleGet(void *device, struct sample *sample) {
  if (!has_counters()) {
    return NOT_SUPPORTED;
  }
  busy += cudaSimHardware()->sm_percent;
  *sample = (struct sample){device, ++moments, busy};
  return SUCCESS;
}

/* Strict, where the real one may answer with nonsense: the samples must be of one device and in their order. */
EXPORT int nvmlGpmMetricsGet(struct request *request) {
  struct sample *first = request->first, *second = request->second;
  if (request->version != 1) {
    return VERSION_MISMATCH;
  }
  if (!first->device || first->device != second->device || first->moment >= second->moment) {
    return INVALID_ARGUMENT;
  }
  double active = (double)(second->busy - first->busy) / (double)(second->moment - first->moment);
  for (unsigned i = 0; i < request->count; i++) {
    struct metric *metric = &request->metrics[i];
    int known = metric->id == SM_UTIL || metric->id == SM_OCCUPANCY;
    metric->status = known ? SUCCESS : NOT_SUPPORTED;
    metric->value = metric->id == SM_UTIL ? active : active / 2;
  }
  return SUCCESS;
}
