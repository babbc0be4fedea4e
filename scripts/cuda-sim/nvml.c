/* Stands for libnvidia-ml.so.1: every GPU of the machine and its slices, whatever a process may use. */
#include "hardware.h"

#include <stdio.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

enum { SUCCESS = 0, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7 };

/* A handle is 1 + gpu, or that + 16 * (1 + slice). */
static void *handle_of(struct unit unit) {
  return (void *)(uintptr_t)(1 + unit.gpu + 16 * (unit.slice + 1));
}

static struct unit unit_of(void *handle) {
  uintptr_t n = (uintptr_t)handle;
  return (struct unit){(int)(n % 16) - 1, (int)(n / 16) - 1};
}

static int is_cut(int gpu) {
  struct hardware *h = cudaSimHardware();
  return h->slices && gpu == h->gpus - 1;
}

static int write_text(char *to, unsigned room, const char *text) {
  return snprintf(to, room, "%s", text) < (int)room ? SUCCESS : INSUFFICIENT_SIZE;
}

EXPORT int nvmlInit_v2(void) { return cudaSimHardware()->nvml_error; }

EXPORT int nvmlShutdown(void) { return SUCCESS; }

EXPORT const char *nvmlErrorString(int error) {
  return error == 9 ? "Driver Not Loaded" : error == 18 ? "Driver/library version mismatch" : "Unknown Error";
}

EXPORT int nvmlSystemGetDriverVersion(char *version, unsigned room) {
  return write_text(version, room, "999.01");
}

EXPORT int nvmlDeviceGetCount_v2(unsigned *count) {
  *count = (unsigned)cudaSimHardware()->gpus;
  return SUCCESS;
}

EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
  if ((int)index >= cudaSimHardware()->gpus) {
    return INVALID_ARGUMENT;
  }
  *device = handle_of((struct unit){(int)index, -1});
  return SUCCESS;
}

EXPORT int nvmlDeviceGetHandleByUUID(const char *uuid, void **device) {
  for (int gpu = 0; gpu < cudaSimHardware()->gpus; gpu++) {
    for (int slice = -1; slice < (is_cut(gpu) ? cudaSimHardware()->slices : 0); slice++) {
      char text[64];
      cudaSimUuidText((struct unit){gpu, slice}, text, sizeof text);
      if (!strcmp(text, uuid)) {
        *device = handle_of((struct unit){gpu, slice});
        return SUCCESS;
      }
    }
  }
  return NOT_FOUND;
}

EXPORT int nvmlDeviceGetName(void *device, char *name, unsigned room) {
  char text[64];
  cudaSimName(unit_of(device), text, sizeof text);
  return write_text(name, room, text);
}

EXPORT int nvmlDeviceGetUUID(void *device, char *uuid, unsigned room) {
  char text[64];
  cudaSimUuidText(unit_of(device), text, sizeof text);
  return write_text(uuid, room, text);
}

EXPORT int nvmlDeviceGetMigMode(void *device, unsigned *current, unsigned *pending) {
  *current = *pending = (unsigned)is_cut(unit_of(device).gpu);
  return SUCCESS;
}

EXPORT int nvmlDeviceGetMaxMigDeviceCount(void *device, unsigned *count) {
  *count = is_cut(unit_of(device).gpu) ? MAX_SLICES : 0;
  return SUCCESS;
}

EXPORT int nvmlDeviceGetMigDeviceHandleByIndex(void *device, unsigned index, void **slice) {
  if ((int)index >= cudaSimHardware()->slices) {
    return NOT_FOUND;
  }
  *slice = handle_of((struct unit){unit_of(device).gpu, (int)index});
  return SUCCESS;
}

EXPORT int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(void *slice, void **device) {
  struct unit unit = unit_of(slice);
  *device = handle_of((struct unit){unit.gpu, -1});
  return unit.slice < 0 ? INVALID_ARGUMENT : SUCCESS;
}

EXPORT int nvmlDeviceGetMemoryInfo(void *device, uint64_t info[3]) {
  struct hardware *h = cudaSimHardware();
  struct unit unit = unit_of(device);
  uint64_t used = 0;
  for (int v = 0; v < h->visible_count; v++) {
    int counts = h->visible[v].gpu == unit.gpu && (unit.slice < 0 || h->visible[v].slice == unit.slice);
    used += counts && h->used_bytes ? h->used_bytes(v) : 0;
  }
  info[0] = unit.slice < 0 && is_cut(unit.gpu) ? h->bytes * (uint64_t)h->slices : h->bytes;
  info[1] = info[0] - used;
  info[2] = used;
  return SUCCESS;
}

EXPORT int nvmlDeviceGetUtilizationRates(void *device, unsigned rates[2]) {
  if (is_cut(unit_of(device).gpu)) {
    return NOT_SUPPORTED; /* as the real one: not of a slice, nor of a GPU that is cut */
  }
  rates[0] = cudaSimHardware()->utilization_percent;
  rates[1] = 0;
  return SUCCESS;
}

/* Of the board: slices have none of their own. */
static int of_board(void *device, unsigned *to, unsigned value) {
  *to = value;
  return unit_of(device).slice < 0 ? SUCCESS : NOT_SUPPORTED;
}

EXPORT int nvmlDeviceGetPowerUsage(void *device, unsigned *milliwatts) {
  return of_board(device, milliwatts, cudaSimHardware()->power_mw);
}

EXPORT int nvmlDeviceGetEnforcedPowerLimit(void *device, unsigned *milliwatts) {
  return of_board(device, milliwatts, 300000);
}

EXPORT int nvmlDeviceGetTotalEnergyConsumption(void *device, uint64_t *millijoules) {
  *millijoules = 5000000;
  return unit_of(device).slice < 0 ? SUCCESS : NOT_SUPPORTED;
}

EXPORT int nvmlDeviceGetTemperature(void *device, int sensor, unsigned *celsius) {
  return sensor ? INVALID_ARGUMENT : of_board(device, celsius, cudaSimHardware()->temperature);
}
