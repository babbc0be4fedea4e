/* The calls of the CUDA runtime, as libcudart exports them: devices, streams, events. */
#include "calls.h"
#include "hardware.h"

#include <stdlib.h>

enum { RUNTIME_VERSION = 13010, GREATEST_PRIORITY = -5 };

int enter(const char *call, int *hangs, int *fails) {
  pthread_mutex_lock(&sim.lock);
  sim.calls++;
  sim.host_ns += sim.config.call_ns;
  *hangs = *fails = 0;
  int sticky = sim.devices[current_device].sticky;
  return sticky ? sticky : injected(call, hangs, fails);
}

int leave(int error) {
  if (error) {
    last_error = error;
  }
  pthread_mutex_unlock(&sim.lock);
  return error;
}

__thread int last_error;

struct stream *stream_of(void *handle, const char *call) {
  int was;
  struct stream *s = get_handle(handle, HANDLE_STREAM, &was);
  if (!s) {
    violation("%s: %s stream", call, was ? "a destroyed" : "not a");
  }
  return s;
}

struct event *event_of(void *handle, const char *call) {
  int was;
  struct event *e = get_handle(handle, HANDLE_EVENT, &was);
  if (!e) {
    violation("%s: %s event", call, was ? "a destroyed" : "not an");
  }
  return e;
}

EXPORT int cudaGetDeviceCount(int *count) {
  int hangs, fails, error = enter("cudaGetDeviceCount", &hangs, &fails);
  *count = sim.config.devices;
  int driver = cudaSimHardware()->driver < RUNTIME_VERSION / 1000 * 1000 ? INSUFFICIENT_DRIVER : SUCCESS;
  return leave(error ? error : driver ? driver : sim.config.devices ? SUCCESS : NO_DEVICE);
}

EXPORT int cudaSetDevice(int device) {
  pthread_mutex_lock(&sim.lock);
  int known = device >= 0 && device < sim.config.devices;
  current_device = known ? device : current_device;
  /* It may return errors of what ran before, as documented; those that lose the device, always. */
  return leave(known ? sim.devices[device].sticky : INVALID_DEVICE);
}

EXPORT int cudaGetDevice(int *device) {
  *device = current_device;
  return SUCCESS;
}

EXPORT int cudaDriverGetVersion(int *version) {
  *version = cudaSimHardware()->driver;
  return SUCCESS;
}

EXPORT int cudaRuntimeGetVersion(int *version) {
  *version = RUNTIME_VERSION;
  return SUCCESS;
}

EXPORT int cudaDeviceGetAttribute(int *value, int attribute, int device) {
  CALL("cudaDeviceGetAttribute");
  enum { CAPABILITY_MAJOR = 75, CAPABILITY_MINOR = 76, POOLS_SUPPORTED = 115 };
  if (device < 0 || device >= sim.config.devices) {
    return leave(INVALID_DEVICE);
  }
  switch (attribute) {
    case CAPABILITY_MAJOR: *value = cudaSimHardware()->capability / 10; break;
    case CAPABILITY_MINOR: *value = cudaSimHardware()->capability % 10; break;
    case POOLS_SUPPORTED: *value = 1; break;
    default: return leave(NOT_SUPPORTED);
  }
  return leave(SUCCESS);
}

EXPORT int cudaDeviceGetStreamPriorityRange(int *least, int *greatest) {
  CALL("cudaDeviceGetStreamPriorityRange");
  *least = 0;
  *greatest = GREATEST_PRIORITY;
  return leave(SUCCESS);
}

EXPORT int cudaDeviceSynchronize(void) {
  CALL("cudaDeviceSynchronize");
  return leave(wait_for_device(current_device));
}

EXPORT int cudaGetLastError(void) {
  int error = last_error;
  last_error = SUCCESS;
  return error;
}

EXPORT const char *cudaGetErrorName(int error) {
  switch (error) {
    case SUCCESS: return "cudaSuccess";
    case INVALID_VALUE: return "cudaErrorInvalidValue";
    case OUT_OF_MEMORY: return "cudaErrorMemoryAllocation";
    case INVALID_DEVICE_POINTER: return "cudaErrorInvalidDevicePointer";
    case INSUFFICIENT_DRIVER: return "cudaErrorInsufficientDriver";
    case NO_DEVICE: return "cudaErrorNoDevice";
    case INVALID_DEVICE: return "cudaErrorInvalidDevice";
    case INVALID_HANDLE: return "cudaErrorInvalidResourceHandle";
    case NOT_READY: return "cudaErrorNotReady";
    case ILLEGAL_ADDRESS: return "cudaErrorIllegalAddress";
    case ALREADY_REGISTERED: return "cudaErrorHostMemoryAlreadyRegistered";
    case NOT_REGISTERED: return "cudaErrorHostMemoryNotRegistered";
    case LAUNCH_FAILURE: return "cudaErrorLaunchFailure";
    case NOT_SUPPORTED: return "cudaErrorNotSupported";
    case CAPTURE_UNSUPPORTED: return "cudaErrorStreamCaptureUnsupported";
    default: return "cudaErrorUnknown";
  }
}

EXPORT const char *cudaGetErrorString(int error) { return cudaGetErrorName(error); }

EXPORT int cudaStreamCreateWithPriority(void **stream, unsigned flags, int priority) {
  CALL("cudaStreamCreateWithPriority");
  (void)flags;
  struct stream *s = calloc(1, sizeof *s);
  s->device = current_device;
  s->live = 1;
  sim.urgent_streams += priority == GREATEST_PRIORITY;
  *stream = add_handle(HANDLE_STREAM, s);
  s->random = sim.config.seed * 0x9E3779B97F4A7C15u ^ (uint64_t)(uintptr_t)*stream;
  return leave(SUCCESS);
}

/* As CUDA's: returns at once, and what is enqueued still runs. */
EXPORT int cudaStreamDestroy(void *stream) {
  CALL("cudaStreamDestroy");
  struct stream *s = stream_of(stream, "cudaStreamDestroy");
  if (!s) {
    return leave(INVALID_HANDLE);
  }
  s->live = 0;
  return leave(SUCCESS);
}

EXPORT int cudaStreamSynchronize(void *stream) {
  CALL("cudaStreamSynchronize");
  struct stream *s = stream_of(stream, "cudaStreamSynchronize");
  if (s && s->capturing) {
    return leave(CAPTURE_UNSUPPORTED);
  }
  return leave(s ? wait_for_stream(s) : INVALID_HANDLE);
}

EXPORT int cudaStreamQuery(void *stream) {
  CALL("cudaStreamQuery");
  struct stream *s = stream_of(stream, "cudaStreamQuery");
  if (!s) {
    return leave(INVALID_HANDLE);
  }
  int error = ask(s->device);
  return leave(error ? error : s->head ? NOT_READY : SUCCESS);
}

EXPORT int cudaStreamWaitEvent(void *stream, void *event, unsigned flags) {
  CALL("cudaStreamWaitEvent");
  (void)flags;
  struct stream *s = stream_of(stream, "cudaStreamWaitEvent");
  struct event *e = event_of(event, "cudaStreamWaitEvent");
  if (!s || !e) {
    return leave(INVALID_HANDLE);
  }
  if (s->capturing) {
    return leave(CAPTURE_UNSUPPORTED); /* CUDA allows it; nothing here needs it */
  }
  if (sim.devices[e->device].sticky) {
    return leave(sim.devices[e->device].sticky);
  }
  sim.waits++;
  struct op *op = new_op(OP_WAIT, ENGINE_NONE, 0);
  op->event = e;
  op->sequence = e->recorded; /* the most recent record; none, and there is nothing to wait for */
  op->hangs = hangs;
  op->fails = fails;
  enqueue(s, op);
  return leave(SUCCESS);
}

EXPORT int cudaEventCreateWithFlags(void **event, unsigned flags) {
  CALL("cudaEventCreateWithFlags");
  struct event *e = calloc(1, sizeof *e);
  e->device = current_device;
  e->live = 1;
  e->blocking = flags & 1;
  *event = add_handle(HANDLE_EVENT, e);
  return leave(SUCCESS);
}

EXPORT int cudaEventDestroy(void *event) {
  CALL("cudaEventDestroy");
  struct event *e = event_of(event, "cudaEventDestroy");
  if (!e) {
    return leave(INVALID_HANDLE);
  }
  e->live = 0;
  return leave(SUCCESS);
}

EXPORT int cudaEventRecord(void *event, void *stream) {
  CALL("cudaEventRecord");
  struct stream *s = stream_of(stream, "cudaEventRecord");
  struct event *e = event_of(event, "cudaEventRecord");
  if (!s || !e) {
    return leave(INVALID_HANDLE);
  }
  if (s->capturing) {
    return leave(CAPTURE_UNSUPPORTED); /* CUDA allows it; nothing here needs it */
  }
  if (s->device != e->device) {
    violation("cudaEventRecord: event of device %d on a stream of device %d", e->device, s->device);
    return leave(INVALID_HANDLE);
  }
  struct op *op = new_op(OP_RECORD, ENGINE_NONE, 0);
  op->event = e;
  op->sequence = ++e->recorded;
  op->hangs = hangs;
  op->fails = fails;
  enqueue(s, op);
  return leave(SUCCESS);
}

EXPORT int cudaEventQuery(void *event) {
  CALL("cudaEventQuery");
  struct event *e = event_of(event, "cudaEventQuery");
  if (!e) {
    return leave(INVALID_HANDLE);
  }
  int error = e->done < e->recorded ? ask(e->device) : SUCCESS;
  return leave(error ? error : e->done < e->recorded ? NOT_READY : SUCCESS);
}

EXPORT int cudaEventSynchronize(void *event) {
  CALL("cudaEventSynchronize");
  struct event *e = event_of(event, "cudaEventSynchronize");
  return leave(e ? wait_for_event(e, e->recorded) : INVALID_HANDLE);
}

EXPORT int cudaEventElapsedTime(float *milliseconds, void *from, void *to) {
  CALL("cudaEventElapsedTime");
  struct event *a = event_of(from, "cudaEventElapsedTime");
  struct event *b = event_of(to, "cudaEventElapsedTime");
  if (!a || !b) {
    return leave(INVALID_HANDLE);
  }
  if (a->done < a->recorded || b->done < b->recorded) {
    return leave(NOT_READY);
  }
  *milliseconds = (float)((double)(b->done_ns - a->done_ns) / 1e6);
  return leave(SUCCESS);
}
