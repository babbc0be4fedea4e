/*
 * Stands for libnvjpeg.so.13: single images, into interleaved pixels or luma. What decodes is a function that the
 * test gives it; here are the order of things, the memory, and what is refused.
 */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  OK = 0,
  INVALID_PARAMETER = 2,
  BAD_JPEG = 3,
  JPEG_NOT_SUPPORTED = 4,
  ALLOCATOR_FAILURE = 5,
  EXECUTION_FAILED = 6,
  OUTPUT_Y = 2,
  OUTPUT_RGBI = 5,
  OUTPUT_BGRI = 6
};

typedef int (*dev_malloc)(void *context, void **pointer, size_t bytes, void *stream);
typedef int (*dev_free)(void *context, void *pointer, size_t bytes, void *stream);

struct allocator {
  dev_malloc allocate;
  dev_free release;
  void *context;
};

struct nvimage {
  unsigned char *channel[4];
  size_t pitch[4];
};

struct library {
  struct allocator device;
  int states;
  void *tables;
};

enum { TABLE_BYTES = 4096 };

struct state {
  struct library *library;
  void *scratch;
  size_t bytes;
  void *stream;
};

/* Writes width * height * channels bytes, blue first; returns 0 if it can. */
typedef int (*decoder)(const void *data, long bytes, int channels, void *pixels, long room);

static decoder decode_with;

int cudaSimPicture(void *stream, uint64_t to, size_t pitch, unsigned char *pixels, size_t row, int rows);
void cudaSimViolation(const char *text);

EXPORT void nvjpegSimDecoder(decoder function) { decode_with = function; }

EXPORT int nvjpegGetProperty(int property, int *value) {
  *value = property == 0 ? 13 : 0;
  return OK;
}

EXPORT int nvjpegCreateExV2(int backend, const struct allocator *device, const void *pinned, unsigned flags,
                            struct library **library) {
  (void)backend;
  (void)pinned;
  (void)flags;
  if (!device) {
    return INVALID_PARAMETER;
  }
  void *tables; /* for any stream, so of none */
  if (device->allocate(device->context, &tables, TABLE_BYTES, NULL)) {
    return ALLOCATOR_FAILURE;
  }
  *library = calloc(1, sizeof **library);
  (*library)->device = *device;
  (*library)->tables = tables;
  return OK;
}

EXPORT int nvjpegDestroy(struct library *library) {
  if (library->states) {
    cudaSimViolation("nvjpegDestroy: a state of it is still there");
  }
  library->device.release(library->device.context, library->tables, TABLE_BYTES, NULL);
  free(library);
  return OK;
}

EXPORT int nvjpegJpegStateCreate(struct library *library, struct state **state) {
  *state = calloc(1, sizeof **state);
  (*state)->library = library;
  library->states++;
  return OK;
}

static void release(struct state *s) {
  if (s->scratch) {
    s->library->device.release(s->library->device.context, s->scratch, s->bytes, s->stream);
    s->scratch = NULL;
  }
}

EXPORT int nvjpegJpegStateDestroy(struct state *state) {
  release(state);
  state->library->states--;
  free(state);
  return OK;
}

/* The frame header: 0 if this is one that the library decodes. */
static int frame(const unsigned char *d, size_t n, int *width, int *height, int *components) {
  if (n < 4 || d[0] != 0xFF || d[1] != 0xD8) {
    return BAD_JPEG;
  }
  for (size_t at = 2; at + 9 < n && d[at] == 0xFF;) {
    int marker = d[at + 1];
    if (marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC) {
      *height = d[at + 5] << 8 | d[at + 6];
      *width = d[at + 7] << 8 | d[at + 8];
      *components = d[at + 9];
      return marker == 0xC0 && *components != 4 ? OK : JPEG_NOT_SUPPORTED;
    }
    at += 2 + (size_t)(d[at + 2] << 8 | d[at + 3]);
  }
  return BAD_JPEG;
}

EXPORT int nvjpegGetImageInfo(struct library *library, const unsigned char *data, size_t bytes, int *components,
                              int *subsampling, int *widths, int *heights) {
  (void)library;
  *subsampling = -1;
  int refused = frame(data, bytes, widths, heights, components);
  return refused == JPEG_NOT_SUPPORTED ? OK : refused;
}

EXPORT int nvjpegDecode(struct library *library, struct state *state, const unsigned char *data, size_t bytes, int format,
                        struct nvimage *to, void *stream) {
  int width, height, components;
  int refused = frame(data, bytes, &width, &height, &components);
  if (refused || !decode_with) {
    return refused ? refused : JPEG_NOT_SUPPORTED;
  }
  if (format != OUTPUT_Y && format != OUTPUT_BGRI && format != OUTPUT_RGBI) {
    return INVALID_PARAMETER;
  }
  int channels = format == OUTPUT_Y ? 1 : 3;
  size_t row = (size_t)width * (size_t)channels, room = row * (size_t)height;
  if (to->pitch[0] < row) {
    return INVALID_PARAMETER;
  }
  if (state->bytes < room || !state->scratch) {
    release(state);
    state->stream = stream;
    state->bytes = room;
    if (library->device.allocate(library->device.context, &state->scratch, room, stream)) {
      state->scratch = NULL;
      return ALLOCATOR_FAILURE;
    }
  }
  unsigned char *pixels = malloc(room);
  if (decode_with(data, (long)bytes, channels, pixels, (long)room)) {
    free(pixels);
    return BAD_JPEG;
  }
  if (format == OUTPUT_RGBI) {
    for (size_t i = 0; i < room; i += 3) {
      unsigned char blue = pixels[i];
      pixels[i] = pixels[i + 2];
      pixels[i + 2] = blue;
    }
  }
  uint64_t at = (uint64_t)(uintptr_t)to->channel[0];
  return cudaSimPicture(stream, at, to->pitch[0], pixels, row, height) ? EXECUTION_FAILED : OK;
}
