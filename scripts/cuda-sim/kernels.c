/*
 * Modules of kernels, and their launches. A kernel computes on copies of the allocations that its
 * structure points into, taken when it begins; what it changed there is written when it ends.
 */
#define _GNU_SOURCE
#include "calls.h"
#include "hardware.h"
#include "image.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FENCE_BYTES = 4096, FENCE = 0xA5, NAME_BYTES = 96, NOT_FOUND = 500, INVALID_IMAGE = 200 };

struct module {
  int device, live;
  void *library;
  int file; /* open as long as the library: its number is in the name that dlopen() knows it by */
};

struct function {
  struct module *module;
  void (*entry)(const void *);
  size_t bytes;
};

struct view {
  uint64_t base;
  size_t size;
  unsigned char *before, *work; /* work with a fence on either side */
};

struct launch {
  struct function function;
  struct dim grid, block;
  unsigned char *argument;
  int views;
  struct view view[8];
};

static struct module *module_of(void *handle, const char *call) {
  int was;
  struct module *m = get_handle(handle, HANDLE_MODULE, &was);
  if (!m) {
    violation("%s: %s module", call, was ? "an unloaded" : "not a");
  }
  return m;
}

static int load_module(void **module, const void *image) {
  CALL("cuModuleLoadData");
  const struct image *head = image;
  if (head->magic != IMAGE_MAGIC) {
    return leave(INVALID_IMAGE);
  }
  int file = memfd_create("kernel", 0);
  if (write(file, head + 1, head->bytes) != (ssize_t)head->bytes) {
    close(file);
    return leave(INVALID_IMAGE);
  }
  char path[NAME_BYTES];
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    close(file);
    return leave(INVALID_IMAGE);
  }
  struct module *m = calloc(1, sizeof *m);
  *m = (struct module){current_device, 1, library, file};
  *module = add_handle(HANDLE_MODULE, m);
  return leave(SUCCESS);
}

static int unload_module(void *module) {
  CALL("cuModuleUnload");
  struct module *m = module_of(module, "cuModuleUnload");
  if (!m) {
    return leave(INVALID_HANDLE);
  }
  int error = wait_for_device(m->device);
  m->live = 0;
  dlclose(m->library);
  close(m->file);
  return leave(error);
}

static int find_function(void **function, void *module, const char *name) {
  CALL("cuModuleGetFunction");
  struct module *m = module_of(module, "cuModuleGetFunction");
  if (!m) {
    return leave(INVALID_HANDLE);
  }
  char symbol[NAME_BYTES];
  snprintf(symbol, sizeof symbol, "entry_%s", name);
  void *entry = dlsym(m->library, symbol);
  snprintf(symbol, sizeof symbol, "size_%s", name);
  const size_t *bytes = dlsym(m->library, symbol);
  if (!entry || !bytes) {
    return leave(NOT_FOUND);
  }
  struct function *f = calloc(1, sizeof *f); /* as long as its module: small, and there are few */
  f->module = m;
  memcpy(&f->entry, &entry, sizeof entry);
  f->bytes = *bytes;
  *function = f;
  return leave(SUCCESS);
}

static int launch(void *function, const unsigned grid[3], const unsigned block[3], void *stream, void **parameters) {
  CALL("cuLaunchKernel");
  struct function *f = function;
  struct stream *s = stream_of(stream, "cuLaunchKernel");
  if (!s || s->capturing) {
    return leave(s ? CAPTURE_UNSUPPORTED : INVALID_HANDLE);
  }
  if (!f->module->live || f->module->device != s->device) {
    violation("cuLaunchKernel: a module of device %d on a stream of device %d", f->module->device, s->device);
    return leave(INVALID_HANDLE);
  }
  struct launch *l = calloc(1, sizeof *l);
  l->function = *f;
  l->grid = (struct dim){grid[0], grid[1], grid[2]};
  l->block = (struct dim){block[0], block[1], block[2]};
  l->argument = malloc(f->bytes);
  memcpy(l->argument, parameters[0], f->bytes);
  struct op *op = new_op(OP_LAUNCH, ENGINE_COMPUTE, sim.config.copy_ns);
  op->launch = l;
  op->hangs = hangs;
  op->fails = fails;
  enqueue(s, op);
  sim.kernels++;
  return leave(SUCCESS);
}

void forget_launch(struct launch *l) {
  for (int i = 0; l && i < l->views; i++) {
    free(l->view[i].before);
    free(l->view[i].work);
  }
  if (l) {
    free(l->argument);
    free(l);
  }
}

static struct view *view_of(struct launch *l, uint64_t address) {
  for (int i = 0; i < l->views; i++) {
    if (address >= l->view[i].base && address < l->view[i].base + l->view[i].size) {
      return &l->view[i];
    }
  }
  return NULL;
}

/* Words of the structure that are addresses of the device are taken for pointers. */
void begin_launch(struct launch *l, int device) {
  for (size_t at = 0; at + 8 <= l->function.bytes; at += 8) {
    uint64_t address;
    memcpy(&address, l->argument + at, 8);
    if (!is_device_address(address) || view_of(l, address) || l->views == 8) {
      continue;
    }
    if (access_bytes(address, 1, device, "kernel argument")) {
      struct alloc *a = find_alloc(address);
      struct view *v = &l->view[l->views++];
      *v = (struct view){a->base, a->size, malloc(a->size), malloc(a->size + 2 * FENCE_BYTES)};
      memcpy(v->before, a->bytes, a->size);
      memset(v->work, FENCE, a->size + 2 * FENCE_BYTES);
      memcpy(v->work + FENCE_BYTES, a->bytes, a->size);
    }
  }
}

static void run(const struct launch *l, const unsigned char *argument) {
  struct dim *thread = dlsym(l->function.module->library, "threadIdx");
  struct dim *block = dlsym(l->function.module->library, "blockIdx");
  *(struct dim *)dlsym(l->function.module->library, "blockDim") = l->block;
  *(struct dim *)dlsym(l->function.module->library, "gridDim") = l->grid;
  for (block->z = 0; block->z < l->grid.z; block->z++) {
    for (block->y = 0; block->y < l->grid.y; block->y++) {
      for (block->x = 0; block->x < l->grid.x; block->x++) {
        for (thread->y = 0; thread->y < l->block.y; thread->y++) {
          for (thread->x = 0; thread->x < l->block.x; thread->x++) {
            l->function.entry(argument);
          }
        }
      }
    }
  }
}

static void write_back(const struct view *v, int device) {
  for (size_t i = 0; i < FENCE_BYTES; i++) {
    if (v->work[i] != FENCE || v->work[FENCE_BYTES + v->size + i] != FENCE) {
      violation("a kernel writes outside of %zu bytes at %#lx", v->size, (unsigned long)v->base);
      break;
    }
  }
  unsigned char *bytes = access_bytes(v->base, v->size, device, "kernel memory");
  for (size_t i = 0; bytes && i < v->size; i++) {
    if (v->work[FENCE_BYTES + i] != v->before[i]) {
      bytes[i] = v->work[FENCE_BYTES + i];
    }
  }
}

void end_launch(struct launch *l, int device) {
  unsigned char *argument = malloc(l->function.bytes);
  memcpy(argument, l->argument, l->function.bytes);
  for (size_t at = 0; at + 8 <= l->function.bytes; at += 8) {
    uint64_t address;
    memcpy(&address, argument + at, 8);
    struct view *v = view_of(l, address);
    if (v) {
      unsigned char *there = v->work + FENCE_BYTES + (address - v->base);
      memcpy(argument + at, &there, 8);
    } else if (is_device_address(address)) {
      free(argument); /* reported when it began */
      return;
    }
  }
  run(l, argument);
  free(argument);
  for (int i = 0; i < l->views; i++) {
    write_back(&l->view[i], device);
  }
}

int module_live(const void *module) { return ((const struct module *)module)->live; }

int module_device(const void *module) { return ((const struct module *)module)->device; }

/* For nvJPEG: pixels that were decoded and reach the device when the stream gets there. Takes pixels over. */
EXPORT int cudaSimPicture(void *stream, uint64_t to, size_t pitch, unsigned char *pixels, size_t row, int rows) {
  CALL("nvjpegDecode");
  struct stream *s = stream_of(stream, "nvjpegDecode");
  if (!s || s->capturing) {
    free(pixels);
    return leave(s ? CAPTURE_UNSUPPORTED : INVALID_HANDLE);
  }
  for (int r = 0; r < rows; r++) {
    struct op *op = new_op(OP_COPY, ENGINE_COMPUTE, r ? 0 : sim.config.copy_ns);
    op->to = to + (uint64_t)r * pitch;
    op->bytes = row;
    op->held = malloc(row);
    memcpy(op->held, pixels + (size_t)r * row, row);
    op->hangs = hangs;
    op->fails = fails;
    enqueue(s, op);
  }
  free(pixels);
  return leave(SUCCESS);
}

EXPORT void cudaSimViolation(const char *text) {
  pthread_mutex_lock(&sim.lock);
  violation("%s", text);
  pthread_mutex_unlock(&sim.lock);
}

void offer_kernels(void) {
  cudaSimHardware()->kernels = (struct kernel_calls){load_module, unload_module, find_function, launch};
}
