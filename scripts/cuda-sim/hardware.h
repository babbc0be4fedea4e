/*
 * The simulated machine: what is in it, as the driver knows it, and what a process sees of it. Lives in
 * libcuda; the runtime and NVML are linked to it, as the real ones are to the kernel's driver.
 */
#ifndef CUDA_SIM_HARDWARE_H
#define CUDA_SIM_HARDWARE_H

#include <stddef.h>
#include <stdint.h>

enum { MAX_UNITS = 8, MAX_SLICES = 7, UUID_BYTES = 16 };

/* What a process computes on: a GPU, or a MIG slice of one. */
struct unit {
  int gpu;   /* index of the physical GPU */
  int slice; /* -1: the whole of it */
};

/* What the driver leaves to the runtime, which has the streams. */
struct kernel_calls {
  int (*load)(void **module, const void *image);
  int (*unload)(void *module);
  int (*function)(void **function, void *module, const char *name);
  int (*launch)(void *function, const unsigned grid[3], const unsigned block[3], void *stream, void **parameters);
};

struct hardware {
  int gpus;
  int slices; /* the last GPU is cut into so many; 0: it is whole */
  int capability, driver, nvml_error;
  unsigned utilization_percent, sm_percent, power_mw, temperature;
  uint64_t bytes; /* of a unit */
  int visible_count;
  struct unit visible[MAX_UNITS];
  size_t (*used_bytes)(int visible); /* set by the runtime */
  struct kernel_calls kernels;
};

struct hardware *cudaSimHardware(void);

/* Reads "key=value" settings and CUDA_VISIBLE_DEVICES, which a setting "visible" replaces. */
void cudaSimFindHardware(const char *settings, uint64_t unit_bytes);

uint64_t cudaSimSetting(const char *settings, const char *key, uint64_t otherwise);
void cudaSimUuid(struct unit unit, unsigned char uuid[UUID_BYTES]);
void cudaSimName(struct unit unit, char *name, size_t room);

/* With the prefix that the driver's tools write: GPU- or MIG-. */
void cudaSimUuidText(struct unit unit, char *text, size_t room);

#endif
