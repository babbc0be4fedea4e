/* What NVRTC of the simulation makes of a source, and its driver loads: a library behind a head. */
#ifndef CUDA_SIM_IMAGE_H
#define CUDA_SIM_IMAGE_H

#include <stdint.h>

#define IMAGE_MAGIC 0x4d49534144554355u

struct image {
  uint64_t magic, bytes; /* of the library, which follows */
};

/* How the simulated device calls a kernel. */
struct dim {
  unsigned x, y, z;
};

#endif
