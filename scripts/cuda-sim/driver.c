/* Stands for libcuda.so.1: the machine, and the few calls that the binding makes to the driver itself. */
#include "hardware.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

enum { SUCCESS = 0, NOT_FOUND = 500, INVALID_DEVICE = 101, TEXT = 64 };

static struct hardware hardware = {
    .gpus = 1, .capability = 90, .driver = 13010, .bytes = 1u << 30, .visible_count = 1,
    .visible = {{0, -1}}};

EXPORT struct hardware *cudaSimHardware(void) { return &hardware; }

static const char *find(const char *settings, const char *key) {
  size_t length = strlen(key);
  for (const char *at = settings; (at = strstr(at, key)); at += length) {
    if ((at == settings || at[-1] == ' ') && at[length] == '=') {
      return at + length + 1;
    }
  }
  return NULL;
}

EXPORT uint64_t cudaSimSetting(const char *settings, const char *key, uint64_t otherwise) {
  const char *value = find(settings, key);
  return value ? strtoull(value, NULL, 10) : otherwise;
}

EXPORT void cudaSimUuid(struct unit unit, unsigned char uuid[UUID_BYTES]) {
  for (int i = 0; i < UUID_BYTES; i++) {
    uuid[i] = (unsigned char)(16 * (unit.gpu + 1) + i % 10);
  }
  uuid[UUID_BYTES - 1] = (unsigned char)(unit.slice + 1);
}

EXPORT void cudaSimUuidText(struct unit unit, char *text, size_t room) {
  unsigned char u[UUID_BYTES];
  cudaSimUuid(unit, u);
  snprintf(text, room, "%s-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
           unit.slice < 0 ? "GPU" : "MIG", u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9],
           u[10], u[11], u[12], u[13], u[14], u[15]);
}

EXPORT void cudaSimName(struct unit unit, char *name, size_t room) {
  snprintf(name, room, unit.slice < 0 ? "Simulated GPU" : "Simulated GPU MIG 1g.1gb");
}

static int is_cut(int gpu) { return hardware.slices && gpu == hardware.gpus - 1; }

static void show(int gpu, int slice) {
  if (hardware.visible_count < MAX_UNITS) {
    hardware.visible[hardware.visible_count++] = (struct unit){gpu, slice};
  }
}

/* A process sees one slice of a GPU that is cut, as with CUDA. */
static void show_index(int gpu) { show(gpu, is_cut(gpu) ? 0 : -1); }

/* Returns 0 if there is no such thing: what comes after it is not seen either, as with CUDA. */
static int show_named(const char *token, size_t length) {
  char *end;
  long index = strtol(token, &end, 10);
  if (end == token + length && length) {
    if (index < 0 || index >= hardware.gpus) {
      return 0;
    }
    show_index((int)index);
    return 1;
  }
  for (int gpu = 0; gpu < hardware.gpus; gpu++) {
    for (int slice = is_cut(gpu) ? 0 : -1; slice < (is_cut(gpu) ? hardware.slices : 0); slice++) {
      char text[TEXT];
      cudaSimUuidText((struct unit){gpu, slice}, text, sizeof text);
      if (length > 4 && !strncmp(text, token, length)) {
        show(gpu, slice);
        return 1;
      }
    }
  }
  return 0;
}

EXPORT void cudaSimFindHardware(const char *settings, uint64_t unit_bytes) {
  size_t (*used)(int) = hardware.used_bytes;
  struct kernel_calls kernels = hardware.kernels;
  hardware = (struct hardware){.gpus = (int)cudaSimSetting(settings, "devices", 1),
                               .slices = (int)cudaSimSetting(settings, "mig", 0),
                               .capability = (int)cudaSimSetting(settings, "capability", 90),
                               .driver = (int)cudaSimSetting(settings, "driver", 13010),
                               .nvml_error = (int)cudaSimSetting(settings, "nvml_error", 0),
                               .utilization_percent = (unsigned)cudaSimSetting(settings, "utilization", 0),
                               .sm_percent = (unsigned)cudaSimSetting(settings, "sm_activity", 0),
                               .power_mw = (unsigned)cudaSimSetting(settings, "power_mw", 90000),
                               .temperature = (unsigned)cudaSimSetting(settings, "temperature", 35),
                               .bytes = unit_bytes,
                               .used_bytes = used,
                               .kernels = kernels};
  const char *visible = find(settings, "visible");
  visible = visible ? visible : getenv("CUDA_VISIBLE_DEVICES");
  if (!visible) {
    for (int gpu = 0; gpu < hardware.gpus; gpu++) {
      show_index(gpu);
    }
    return;
  }
  for (size_t length = strcspn(visible, ", "); show_named(visible, length);
       length = strcspn(visible, ", ")) {
    visible += length;
    if (*visible != ',') {
      return;
    }
    visible++;
  }
}

EXPORT int cuInit(unsigned flags) {
  (void)flags;
  return SUCCESS;
}

EXPORT int cuDriverGetVersion(int *version) {
  *version = hardware.driver;
  return SUCCESS;
}

EXPORT int cuDeviceGet(int *device, int ordinal) {
  *device = ordinal;
  return ordinal >= 0 && ordinal < hardware.visible_count ? SUCCESS : INVALID_DEVICE;
}

EXPORT int cuDeviceGetName(char *name, int room, int device) {
  if (device < 0 || device >= hardware.visible_count) {
    return INVALID_DEVICE;
  }
  cudaSimName(hardware.visible[device], name, (size_t)room);
  return SUCCESS;
}

EXPORT int cuDeviceGetUuid_v2(unsigned char uuid[UUID_BYTES], int device) {
  if (device < 0 || device >= hardware.visible_count) {
    return INVALID_DEVICE;
  }
  cudaSimUuid(hardware.visible[device], uuid);
  return SUCCESS;
}

EXPORT int cuDeviceTotalMem_v2(size_t *bytes, int device) {
  *bytes = hardware.bytes;
  return device >= 0 && device < hardware.visible_count ? SUCCESS : INVALID_DEVICE;
}

EXPORT int cuModuleLoadData(void **module, const void *image) { return hardware.kernels.load(module, image); }

EXPORT int cuModuleUnload(void *module) { return hardware.kernels.unload(module); }

EXPORT int cuModuleGetFunction(void **function, void *module, const char *name) {
  return hardware.kernels.function(function, module, name);
}

EXPORT int cuLaunchKernel(void *function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                          unsigned block_y, unsigned block_z, unsigned shared_bytes, void *stream, void **parameters,
                          void **extra) {
  (void)shared_bytes;
  (void)extra;
  unsigned grid[] = {grid_x, grid_y, grid_z}, block[] = {block_x, block_y, block_z};
  return hardware.kernels.launch(function, grid, block, stream, parameters);
}

/* The real NVRTC asks whatever driver there is for functions that are not documented. */
EXPORT int cuGetExportTable(const void **table, const void *id) {
  (void)id;
  *table = NULL;
  return NOT_FOUND;
}
