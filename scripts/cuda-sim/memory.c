/* Handles, device memory, pools and pinned memory: who owns what, and what is wrong with a use. */
#define _GNU_SOURCE
#include "sim.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Nothing is mapped there: a host that follows a device address finds out at once. */
static const uint64_t DEVICE_BASE = 0x600000000000u;
static const uint64_t DEVICE_SPAN = 0x010000000000u;
static const uint64_t HANDLE_BASE = 0x5eed00000000u;
static const size_t ALIGNMENT = 512;
static const size_t GRANULE = 2u << 20;
static const size_t QUARANTINE_BYTES = 16u << 20;
static const int POISON_NEW = 0xCD, POISON_FREED = 0xDD;

struct handle {
  enum handle_kind kind;
  void *object;
};

static int live_of(struct handle handle) {
  switch (handle.kind) {
    case HANDLE_STREAM: return ((struct stream *)handle.object)->live;
    case HANDLE_EVENT: return ((struct event *)handle.object)->live;
    case HANDLE_POOL: return ((struct pool *)handle.object)->live;
    case HANDLE_MODULE: return module_live(handle.object);
    default: return ((struct graph *)handle.object)->live;
  }
}

static int device_of(struct handle handle) {
  switch (handle.kind) {
    case HANDLE_STREAM: return ((struct stream *)handle.object)->device;
    case HANDLE_EVENT: return ((struct event *)handle.object)->device;
    case HANDLE_POOL: return ((struct pool *)handle.object)->device;
    case HANDLE_MODULE: return module_device(handle.object);
    default: return ((struct graph *)handle.object)->device;
  }
}

static struct handle *handles;
static size_t handle_count, handle_room;
static struct alloc **allocs;
static size_t alloc_count, alloc_room;
static uint64_t next_address[MAX_DEVICES];
static size_t quarantined;

static void *grow(void *array, size_t count, size_t *room, size_t each) {
  if (count < *room) {
    return array;
  }
  *room = *room ? *room * 2 : 64;
  return realloc(array, *room * each);
}

void *add_handle(enum handle_kind kind, void *object) {
  handles = grow(handles, handle_count, &handle_room, sizeof *handles);
  handles[handle_count] = (struct handle){kind, object};
  return (void *)(uintptr_t)(HANDLE_BASE + 16 * handle_count++);
}

/* Returns the object; NULL if the handle is none, is of another kind (was 0) or is dead (was 1). */
void *get_handle(void *handle, enum handle_kind kind, int *was) {
  uint64_t offset = (uint64_t)(uintptr_t)handle - HANDLE_BASE;
  *was = 0;
  if ((uint64_t)(uintptr_t)handle < HANDLE_BASE || offset % 16 || offset / 16 >= handle_count
      || handles[offset / 16].kind != kind) {
    return NULL;
  }
  void *object = handles[offset / 16].object;
  int live = live_of(handles[offset / 16]);
  *was = 1;
  return live ? object : NULL;
}

/* Destroyed streams too: what was enqueued before still runs. */
struct stream *each_stream(size_t *cursor) {
  while (*cursor < handle_count) {
    struct handle *h = &handles[(*cursor)++];
    if (h->kind == HANDLE_STREAM
        && (((struct stream *)h->object)->live || ((struct stream *)h->object)->head)) {
      return h->object;
    }
  }
  return NULL;
}

static size_t rounded(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

/* Takes the bytes from the pool or the device; NULL if they have no more. Device -1 is the host. */
struct alloc *add_alloc(int device, size_t size, struct pool *pool, enum alloc_state state) {
  size_t held = rounded(size, ALIGNMENT);
  if (pool) {
    size_t used = pool->used_bytes + held;
    if (pool->max_bytes && used > rounded(pool->max_bytes, GRANULE)) {
      return NULL;
    }
    size_t reserve = used > pool->reserved_bytes ? rounded(used, GRANULE) - pool->reserved_bytes : 0;
    if (reserve > sim.config.device_bytes - sim.devices[device].allocated_bytes) {
      return NULL;
    }
    sim.devices[device].allocated_bytes += reserve;
    pool->reserved_bytes += reserve;
    pool->used_bytes = used;
  } else if (device >= 0) {
    if (held > sim.config.device_bytes - sim.devices[device].allocated_bytes) {
      return NULL;
    }
    sim.devices[device].allocated_bytes += held;
  }
  struct alloc *a = calloc(1, sizeof *a);
  a->size = size;
  a->device = device;
  a->pool = pool;
  a->state = state;
  a->bytes = mmap(NULL, held, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (a->bytes == MAP_FAILED) {
    free(a);
    return NULL;
  }
  memset(a->bytes, POISON_NEW, held);
  if (device < 0) {
    a->base = (uint64_t)(uintptr_t)a->bytes;
  } else {
    if (!next_address[device]) {
      next_address[device] = DEVICE_BASE + DEVICE_SPAN * (uint64_t)device;
    }
    a->base = next_address[device];
    next_address[device] += held + ALIGNMENT; /* never used again: a late use is found out */
  }
  allocs = grow(allocs, alloc_count, &alloc_room, sizeof *allocs);
  allocs[alloc_count++] = a;
  return a;
}

/* Newest first: pinned addresses come again. */
struct alloc *find_alloc(uint64_t address) {
  for (size_t i = alloc_count; i-- > 0;) {
    if (address >= allocs[i]->base && address < allocs[i]->base + allocs[i]->size) {
      return allocs[i];
    }
  }
  return NULL;
}

int is_device_address(uint64_t address) {
  return address >= DEVICE_BASE && address < DEVICE_BASE + DEVICE_SPAN * MAX_DEVICES;
}

static const char *state_name(enum alloc_state state) {
  static const char *const NAMES[] = {"before its allocation", "", "", "after free"};
  return NAMES[state];
}

/* Returns where the bytes are, or NULL after reporting what is wrong; device -1 checks no device. */
unsigned char *access_bytes(uint64_t address, size_t bytes, int device, const char *who) {
  struct alloc *a = find_alloc(address);
  if (!a) {
    if (is_device_address(address)) {
      violation("%s: %#lx is in no allocation", who, (unsigned long)address);
      return NULL;
    }
    return (unsigned char *)(uintptr_t)address; /* ordinary memory of the host */
  }
  if (a->state == ALLOC_PENDING || a->state == ALLOC_FREED) {
    violation("%s: use of %#lx %s", who, (unsigned long)address, state_name(a->state));
    return NULL;
  }
  if (bytes > a->base + a->size - address) {
    violation("%s: %zu bytes at %#lx reach past the end of %zu bytes at %#lx", who, bytes,
              (unsigned long)address, a->size, (unsigned long)a->base);
    return NULL;
  }
  if (a->device >= 0 && device >= 0 && a->device != device && !(a->pool && a->pool->open_to >> device & 1)) {
    violation("%s: memory of device %d used on device %d", who, a->device, device);
    return NULL;
  }
  return a->bytes + (address - a->base);
}

int is_pinned(uint64_t address, size_t bytes) {
  struct alloc *a = find_alloc(address);
  return a && a->device < 0 && a->state == ALLOC_LIVE && bytes <= a->base + a->size - address;
}

/* Returns 0 if part of it is pinned already. */
int register_host(void *bytes, size_t size) {
  uint64_t base = (uint64_t)(uintptr_t)bytes;
  for (size_t i = 0; i < alloc_count; i++) {
    struct alloc *a = allocs[i];
    if (a->device < 0 && a->state == ALLOC_LIVE && a->base < base + size && base < a->base + a->size) {
      return 0;
    }
  }
  struct alloc *a = calloc(1, sizeof *a);
  *a = (struct alloc){.base = base, .size = size, .bytes = bytes, .device = -1, .state = ALLOC_LIVE, .registered = 1};
  allocs = grow(allocs, alloc_count, &alloc_room, sizeof *allocs);
  allocs[alloc_count++] = a;
  return 1;
}

/* Returns 0 if no memory that begins there was registered. Its address may come again. */
int unregister_host(void *bytes) {
  struct alloc *a = find_alloc((uint64_t)(uintptr_t)bytes);
  if (!a || !a->registered || a->bytes != bytes || a->state != ALLOC_LIVE) {
    return 0;
  }
  a->state = ALLOC_FREED;
  a->base = a->size = 0;
  a->bytes = NULL;
  return 1;
}

/* The address stays known, so that a later use of it is seen. */
void release_alloc(struct alloc *a) {
  size_t held = rounded(a->size, ALIGNMENT);
  a->state = ALLOC_FREED;
  memset(a->bytes, POISON_FREED, held);
  if (a->device < 0 && quarantined + held <= QUARANTINE_BYTES) {
    quarantined += held;
  } else {
    munmap(a->bytes, held);
    a->bytes = NULL;
    if (a->device < 0) {
      a->base = 0;
    }
  }
  if (a->pool) {
    a->pool->used_bytes -= held;
  } else if (a->device >= 0) {
    sim.devices[a->device].allocated_bytes -= held;
  }
}

void pool_trim(struct pool *pool, size_t keep_bytes) {
  size_t keep = rounded(keep_bytes > pool->used_bytes ? keep_bytes : pool->used_bytes, GRANULE);
  if (pool->reserved_bytes > keep) {
    sim.devices[pool->device].allocated_bytes -= pool->reserved_bytes - keep;
    pool->reserved_bytes = keep;
  }
}

size_t live_bytes(int device) {
  size_t bytes = 0;
  for (size_t i = 0; i < alloc_count; i++) {
    if (allocs[i]->device == device && allocs[i]->state != ALLOC_FREED) {
      bytes += allocs[i]->size;
    }
  }
  return bytes;
}

size_t pinned_bytes(void) { return live_bytes(-1); }

/* Reports what is still there; what died with a failed device is not the caller's any more. */
int leaks(void) {
  int found = 0, lost = 0;
  for (int d = 0; d < sim.config.devices; d++) {
    lost |= sim.devices[d].sticky;
  }
  for (size_t i = 0; i < alloc_count; i++) {
    struct alloc *a = allocs[i];
    if (a->state != ALLOC_FREED && !(a->device < 0 ? lost : sim.devices[a->device].sticky)) {
      found++;
      violation("leak: %zu bytes at %#lx of %s %d", a->size, (unsigned long)a->base,
                a->device < 0 ? "the host" : "device", a->device);
    }
  }
  static const char *const KINDS[] = {"", "a stream", "an event", "a pool", "a graph", "a module"};
  for (size_t i = 0; i < handle_count; i++) {
    int live = live_of(handles[i]), device = device_of(handles[i]);
    if (live && !sim.devices[device].sticky) {
      found++;
      violation("leak: %s of device %d", KINDS[handles[i].kind], device);
    }
  }
  return found;
}

void forget_everything(void) {
  for (int d = 0; d < MAX_DEVICES; d++) {
    drop_work(d);
  }
  for (size_t i = 0; i < handle_count; i++) {
    if (handles[i].kind == HANDLE_GRAPH) {
      forget_graph(handles[i].object);
    }
    free(handles[i].object);
  }
  handle_count = 0;
  for (size_t i = 0; i < alloc_count; i++) {
    if (allocs[i]->bytes && !allocs[i]->registered) {
      munmap(allocs[i]->bytes, rounded(allocs[i]->size, ALIGNMENT));
    }
    free(allocs[i]);
  }
  alloc_count = 0;
  quarantined = 0;
}
