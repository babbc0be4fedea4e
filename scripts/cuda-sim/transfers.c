/* The calls of the CUDA runtime that allocate and copy. */
#include "calls.h"

#include <stdlib.h>
#include <string.h>

enum copy_kind { HOST_TO_HOST, HOST_TO_DEVICE, DEVICE_TO_HOST, DEVICE_TO_DEVICE };

enum pool_attribute { RELEASE_THRESHOLD = 4, RESERVED_CURRENT = 5, USED_CURRENT = 7 };

/* The head of struct cudaMemPoolProps. */
struct pool_props {
  int alloc_type, handle_types, location_type, device;
  void *security;
  size_t max_bytes;
};

/* struct cudaMemAccessDesc. */
struct access {
  int location_type, device, flags;
};

static struct pool *pool_of(void *handle, const char *call) {
  int was;
  struct pool *p = get_handle(handle, HANDLE_POOL, &was);
  if (!p) {
    violation("%s: %s pool", call, was ? "a destroyed" : "not a");
  }
  return p;
}

static uint64_t address_of(const void *pointer) { return (uint64_t)(uintptr_t)pointer; }

EXPORT int cudaMemGetInfo(size_t *free_bytes, size_t *total_bytes) {
  CALL("cudaMemGetInfo");
  *total_bytes = sim.config.device_bytes;
  *free_bytes = sim.config.device_bytes - sim.devices[current_device].allocated_bytes;
  return leave(SUCCESS);
}

EXPORT int cudaMalloc(void **pointer, size_t size) {
  CALL("cudaMalloc");
  struct alloc *a = size ? add_alloc(current_device, size, NULL, ALLOC_LIVE) : NULL;
  *pointer = a ? (void *)(uintptr_t)a->base : NULL;
  return leave(a || !size ? SUCCESS : OUT_OF_MEMORY);
}

static int free_now(void *pointer, int device, const char *call) {
  struct alloc *a = find_alloc(address_of(pointer));
  if (!a || a->base != address_of(pointer) || (a->device < 0) != (device < 0)) {
    violation("%s: %p was not allocated so", call, pointer);
    return INVALID_DEVICE_POINTER;
  }
  if (a->state != ALLOC_LIVE) {
    violation("%s: double free of %p", call, pointer);
    return INVALID_DEVICE_POINTER;
  }
  release_alloc(a);
  return SUCCESS;
}

EXPORT int cudaFree(void *pointer) {
  CALL("cudaFree");
  int error = pointer ? wait_for_device(current_device) : SUCCESS;
  return leave(error || !pointer ? error : free_now(pointer, current_device, "cudaFree"));
}

EXPORT int cudaHostAlloc(void **pointer, size_t size, unsigned flags) {
  CALL("cudaHostAlloc");
  (void)flags;
  struct alloc *a = add_alloc(-1, size, NULL, ALLOC_LIVE);
  *pointer = a ? a->bytes : NULL;
  return leave(a ? SUCCESS : OUT_OF_MEMORY);
}

EXPORT int cudaFreeHost(void *pointer) {
  CALL("cudaFreeHost");
  return leave(pointer ? free_now(pointer, -1, "cudaFreeHost") : SUCCESS);
}

EXPORT int cudaHostRegister(void *pointer, size_t size, unsigned flags) {
  CALL("cudaHostRegister");
  (void)flags;
  return leave(!pointer || !size ? INVALID_VALUE : register_host(pointer, size) ? SUCCESS : ALREADY_REGISTERED);
}

EXPORT int cudaHostUnregister(void *pointer) {
  CALL("cudaHostUnregister");
  return leave(unregister_host(pointer) ? SUCCESS : NOT_REGISTERED);
}

EXPORT int cudaMemPoolCreate(void **pool, const struct pool_props *props) {
  CALL("cudaMemPoolCreate");
  if (props->device < 0 || props->device >= sim.config.devices) {
    return leave(INVALID_VALUE);
  }
  struct pool *p = calloc(1, sizeof *p);
  p->live = 1;
  p->device = props->device;
  p->max_bytes = props->max_bytes;
  *pool = add_handle(HANDLE_POOL, p);
  return leave(SUCCESS);
}

EXPORT int cudaMemPoolDestroy(void *pool) {
  CALL("cudaMemPoolDestroy");
  struct pool *p = pool_of(pool, "cudaMemPoolDestroy");
  if (!p) {
    return leave(INVALID_HANDLE);
  }
  if (p->used_bytes) {
    violation("cudaMemPoolDestroy: %zu bytes of it are still allocated", p->used_bytes);
  }
  pool_trim(p, 0);
  p->live = 0;
  return leave(SUCCESS);
}

EXPORT int cudaMemPoolTrimTo(void *pool, size_t keep_bytes) {
  CALL("cudaMemPoolTrimTo");
  struct pool *p = pool_of(pool, "cudaMemPoolTrimTo");
  if (p) {
    pool_trim(p, keep_bytes);
  }
  return leave(p ? SUCCESS : INVALID_HANDLE);
}

EXPORT int cudaMemPoolSetAttribute(void *pool, int attribute, const void *value) {
  CALL("cudaMemPoolSetAttribute");
  struct pool *p = pool_of(pool, "cudaMemPoolSetAttribute");
  if (!p || attribute != RELEASE_THRESHOLD) {
    return leave(p ? NOT_SUPPORTED : INVALID_HANDLE);
  }
  memcpy(&p->threshold_bytes, value, sizeof p->threshold_bytes);
  return leave(SUCCESS);
}

EXPORT int cudaMemPoolGetAttribute(void *pool, int attribute, void *value) {
  CALL("cudaMemPoolGetAttribute");
  struct pool *p = pool_of(pool, "cudaMemPoolGetAttribute");
  if (!p) {
    return leave(INVALID_HANDLE);
  }
  size_t figure = attribute == RESERVED_CURRENT ? p->reserved_bytes
                  : attribute == USED_CURRENT   ? p->used_bytes
                                                : p->threshold_bytes;
  memcpy(value, &figure, sizeof figure);
  return leave(SUCCESS);
}

static int can_access(int device, int peer) {
  int known = device >= 0 && device < sim.config.devices && peer >= 0 && peer < sim.config.devices;
  return known && device != peer && sim.config.peers;
}

EXPORT int cudaDeviceCanAccessPeer(int *can, int device, int peer) {
  CALL("cudaDeviceCanAccessPeer");
  *can = can_access(device, peer);
  return leave(SUCCESS);
}

/* Of memory in pools this alone decides: cudaDeviceEnablePeerAccess, which is not here, does not. */
EXPORT int cudaMemPoolSetAccess(void *pool, const struct access *access, size_t count) {
  CALL("cudaMemPoolSetAccess");
  struct pool *p = pool_of(pool, "cudaMemPoolSetAccess");
  for (size_t i = 0; p && i < count; i++) {
    if (!can_access(access[i].device, p->device)) {
      return leave(INVALID_DEVICE);
    }
    unsigned bit = 1u << access[i].device;
    p->open_to = access[i].flags ? p->open_to | bit : p->open_to & ~bit;
  }
  return leave(p ? SUCCESS : INVALID_HANDLE);
}

EXPORT int cudaMallocFromPoolAsync(void **pointer, size_t size, void *pool, void *stream) {
  CALL("cudaMallocFromPoolAsync");
  struct pool *p = pool_of(pool, "cudaMallocFromPoolAsync");
  struct stream *s = stream_of(stream, "cudaMallocFromPoolAsync");
  if (!p || !s) {
    return leave(INVALID_HANDLE);
  }
  if (p->device != s->device) {
    violation("cudaMallocFromPoolAsync: pool of device %d, stream of %d", p->device, s->device);
    return leave(INVALID_VALUE);
  }
  struct alloc *a = add_alloc(p->device, size, p, ALLOC_PENDING);
  if (!a) {
    return leave(OUT_OF_MEMORY);
  }
  *pointer = (void *)(uintptr_t)a->base;
  struct op *op = new_op(OP_ALLOC, ENGINE_NONE, 0);
  op->alloc = a;
  enqueue(s, op);
  return leave(SUCCESS);
}

EXPORT int cudaFreeAsync(void *pointer, void *stream) {
  CALL("cudaFreeAsync");
  struct stream *s = stream_of(stream, "cudaFreeAsync");
  struct alloc *a = find_alloc(address_of(pointer));
  if (!s) {
    return leave(INVALID_HANDLE);
  }
  if (!a || a->base != address_of(pointer) || a->device != s->device) {
    violation("cudaFreeAsync: %p is not memory of device %d", pointer, s->device);
    return leave(INVALID_DEVICE_POINTER);
  }
  if (a->state == ALLOC_FREEING || a->state == ALLOC_FREED) {
    violation("cudaFreeAsync: double free of %p", pointer);
    return leave(INVALID_DEVICE_POINTER);
  }
  if (a->state == ALLOC_LIVE) {
    a->state = ALLOC_FREEING;
  }
  struct op *op = new_op(OP_FREE, ENGINE_NONE, 0);
  op->alloc = a;
  enqueue(s, op);
  return leave(SUCCESS);
}

static uint64_t copy_cost_ns(size_t bytes, uint64_t mb_s) {
  return sim.config.copy_ns + (mb_s ? (uint64_t)((double)bytes * 1e3 / (double)mb_s) : 0);
}

/*
 * Pinned memory: read or written when the device gets to it. Ordinary memory: the source is read
 * before the call returns, and a copy to it has the host wait.
 */
EXPORT int cudaMemcpyAsync(void *to, const void *from, size_t bytes, int kind, void *stream) {
  CALL("cudaMemcpyAsync");
  struct stream *s = stream_of(stream, "cudaMemcpyAsync");
  if (!s) {
    return leave(INVALID_HANDLE);
  }
  if (kind == DEVICE_TO_DEVICE) {
    if (!is_device_address(address_of(to)) || !is_device_address(address_of(from))) {
      violation("cudaMemcpyAsync: from %p to %p, which are not both on a device", from, to);
      return leave(INVALID_VALUE);
    }
    sim.async_copies++;
    sim.copied_bytes[ENGINE_ON_DEVICE] += bytes;
    struct op *op = new_op(OP_COPY, ENGINE_ON_DEVICE, sim.config.copy_ns);
    op->to = address_of(to);
    op->from = address_of(from);
    op->bytes = bytes;
    op->hangs = hangs;
    op->fails = fails;
    enqueue(s, op);
    return leave(SUCCESS);
  }
  if (kind != HOST_TO_DEVICE && kind != DEVICE_TO_HOST) {
    return leave(NOT_SUPPORTED);
  }
  int to_device = kind == HOST_TO_DEVICE;
  uint64_t host = address_of(to_device ? from : to);
  struct alloc *known = find_alloc(host);
  int pinned = is_pinned(host, bytes);
  if (known && !pinned) {
    violation("cudaMemcpyAsync: %zu bytes at %p are not all in live pinned memory", bytes,
              (void *)(uintptr_t)host);
    return leave(INVALID_VALUE);
  }
  sim.async_copies++;
  sim.pageable_copies += !pinned;
  sim.copied_bytes[to_device ? ENGINE_TO_DEVICE : ENGINE_TO_HOST] += bytes;
  struct op *op =
      new_op(OP_COPY, to_device ? ENGINE_TO_DEVICE : ENGINE_TO_HOST,
             copy_cost_ns(bytes, to_device ? sim.config.to_device_mb_s : sim.config.to_host_mb_s));
  op->to = address_of(to);
  op->from = address_of(from);
  op->bytes = bytes;
  op->hangs = hangs;
  op->fails = fails;
  if (!pinned && to_device && !sim.config.no_data) {
    op->held = malloc(bytes);
    memcpy(op->held, from, bytes);
    sim.host_ns += op->cost_ns;
  }
  enqueue(s, op);
  return leave(!pinned && !to_device ? wait_for_stream(s) : SUCCESS);
}

static int is_on(uint64_t address, int device) {
  struct alloc *a = find_alloc(address);
  return a && device >= 0 && a->device == device;
}

/*
 * In the order of its stream and of no other, whichever device that is of. Where the stream's device
 * may not access the other's memory it goes by way of the host, in the same order.
 */
EXPORT int cudaMemcpyPeerAsync(void *to, int to_device, const void *from, int from_device, size_t bytes, void *stream) {
  CALL("cudaMemcpyPeerAsync");
  struct stream *s = stream_of(stream, "cudaMemcpyPeerAsync");
  if (!s || s->capturing) {
    return leave(s ? CAPTURE_UNSUPPORTED : INVALID_HANDLE);
  }
  if (!is_on(address_of(to), to_device) || !is_on(address_of(from), from_device)) {
    violation("cudaMemcpyPeerAsync: %p and %p are not memory of devices %d and %d", from, to, from_device, to_device);
    return leave(INVALID_VALUE);
  }
  int lost = sim.devices[from_device].sticky ? sim.devices[from_device].sticky : sim.devices[to_device].sticky;
  if (lost) {
    return leave(lost);
  }
  struct pool *far = find_alloc(address_of(s->device == to_device ? from : to))->pool;
  *(far && far->open_to >> s->device & 1 ? &sim.peer_bytes : &sim.staged_bytes) += bytes;
  struct op *op = new_op(OP_COPY, ENGINE_ON_DEVICE, sim.config.copy_ns);
  op->between = 1;
  op->to = address_of(to);
  op->to_device = to_device;
  op->from = address_of(from);
  op->from_device = from_device;
  op->bytes = bytes;
  op->hangs = hangs;
  op->fails = fails;
  enqueue(s, op);
  return leave(SUCCESS);
}

EXPORT int cudaMemsetAsync(void *pointer, int value, size_t bytes, void *stream) {
  CALL("cudaMemsetAsync");
  struct stream *s = stream_of(stream, "cudaMemsetAsync");
  if (!s) {
    return leave(INVALID_HANDLE);
  }
  struct op *op = new_op(OP_FILL, ENGINE_COMPUTE, sim.config.copy_ns);
  op->to = address_of(pointer);
  op->value = value;
  op->bytes = bytes;
  op->hangs = hangs;
  op->fails = fails;
  enqueue(s, op);
  return leave(SUCCESS);
}
