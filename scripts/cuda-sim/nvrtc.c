/*
 * Stands for libnvrtc.so.13: compiles the source of kernels as C, with the C compiler of this machine.
 *
 * A kernel is a function of one parameter, a structure by value, in the part of CUDA C++ that is also C.
 * Each gets a function beside it that takes the structure by its address, and its size.
 */
#define _GNU_SOURCE
#include "image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum { SUCCESS = 0, INVALID_INPUT = 3, INVALID_OPTION = 5, COMPILATION = 6, NAME = 64, LOG = 8192 };

/* As the compiler of CUDA 13 does: none before Turing, none that it has never heard of. */
enum { OLDEST = 75, NEWEST = 121 };

static const char PRELUDE[] =
    "#define __global__\n"
    "#define __device__ static inline\n"
    "struct dim { unsigned x, y, z; };\n"
    "struct dim threadIdx, blockIdx, blockDim, gridDim;\n"
    "#line 1 \"kernel.cu\"\n";

struct program {
  char *source;
  unsigned char *image;
  size_t image_bytes;
  char log[LOG];
};

EXPORT int nvrtcVersion(int *major, int *minor) {
  *major = 13;
  *minor = 1;
  return SUCCESS;
}

EXPORT const char *nvrtcGetErrorString(int result) {
  return result == SUCCESS ? "NVRTC_SUCCESS" : result == COMPILATION ? "NVRTC_ERROR_COMPILATION" : "NVRTC_ERROR";
}

EXPORT int nvrtcCreateProgram(struct program **program, const char *source, const char *name, int headers,
                              const char *const *texts, const char *const *names) {
  (void)name;
  (void)texts;
  (void)names;
  if (headers) {
    return INVALID_INPUT;
  }
  *program = calloc(1, sizeof **program);
  (*program)->source = strdup(source);
  return SUCCESS;
}

EXPORT int nvrtcDestroyProgram(struct program **program) {
  free((*program)->source);
  free((*program)->image);
  free(*program);
  *program = NULL;
  return SUCCESS;
}

static void write_entries(FILE *file, const char *source) {
  for (const char *at = source; (at = strstr(at, "__global__ void ")); at++) {
    char name[NAME], type[NAME];
    if (sscanf(at, "__global__ void %63[a-zA-Z0-9_](const struct %63[a-zA-Z0-9_] ", name, type) == 2) {
      fprintf(file, "\nvoid entry_%s(const void *p) { %s(*(const struct %s *)p); }\n", name, name, type);
      fprintf(file, "const unsigned long size_%s = sizeof(struct %s);\n", name, type);
    }
  }
}

static int read_image(struct program *p, const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) {
    return COMPILATION;
  }
  fseek(file, 0, SEEK_END);
  size_t bytes = (size_t)ftell(file);
  rewind(file);
  p->image_bytes = sizeof(struct image) + bytes;
  p->image = malloc(p->image_bytes);
  *(struct image *)p->image = (struct image){IMAGE_MAGIC, bytes};
  size_t read = fread(p->image + sizeof(struct image), 1, bytes, file);
  fclose(file);
  return read == bytes ? SUCCESS : COMPILATION;
}

static int compile(struct program *p, const char *directory) {
  char source[NAME], library[NAME], command[4 * NAME];
  snprintf(source, sizeof source, "%s/kernel.c", directory);
  snprintf(library, sizeof library, "%s/kernel.so", directory);
  FILE *file = fopen(source, "w");
  if (!file) {
    return COMPILATION;
  }
  fputs(PRELUDE, file);
  fputs(p->source, file);
  write_entries(file, p->source);
  fclose(file);
  /* As with --fmad=false: a product is rounded before it is added to. */
  snprintf(command, sizeof command, "gcc -std=c11 -O1 -ffp-contract=off -fPIC -shared -o %s %s 2>&1", library, source);
  FILE *compiler = popen(command, "r");
  if (!compiler) {
    return COMPILATION;
  }
  size_t length = fread(p->log, 1, LOG - 1, compiler);
  p->log[length] = 0;
  int result = pclose(compiler) == 0 ? read_image(p, library) : COMPILATION;
  unlink(source);
  unlink(library);
  return result;
}

EXPORT int nvrtcCompileProgram(struct program *program, int count, const char *const *options) {
  for (int i = 0; i < count; i++) {
    int architecture = NEWEST;
    if (sscanf(options[i], "--gpu-architecture=sm_%d", &architecture) != 1 && strcmp(options[i], "--fmad=false")) {
      snprintf(program->log, LOG, "an option that the simulation does not know: %s", options[i]);
      return INVALID_INPUT;
    }
    if (architecture < OLDEST || architecture > NEWEST) {
      snprintf(program->log, LOG, "nvrtc: error: invalid value for --gpu-architecture (-arch)");
      return INVALID_OPTION;
    }
  }
  char directory[] = "/tmp/cuda-sim-XXXXXX";
  if (!mkdtemp(directory)) {
    return COMPILATION;
  }
  int result = compile(program, directory);
  rmdir(directory);
  return result;
}

EXPORT int nvrtcGetCUBINSize(struct program *program, size_t *bytes) {
  *bytes = program->image_bytes;
  return SUCCESS;
}

EXPORT int nvrtcGetCUBIN(struct program *program, char *image) {
  memcpy(image, program->image, program->image_bytes);
  return SUCCESS;
}

EXPORT int nvrtcGetProgramLogSize(struct program *program, size_t *bytes) {
  *bytes = strlen(program->log) + 1;
  return SUCCESS;
}

EXPORT int nvrtcGetProgramLog(struct program *program, char *log) {
  strcpy(log, program->log);
  return SUCCESS;
}
