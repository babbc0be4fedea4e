// Cuts a box out of each of some images and brings it to a size: bilinear, centres of pixels on centres of pixels, edges repeated.
//
// One thread per pixel of a crop, one layer of the grid per crop. Written in the part of CUDA C++ that is C too, so that the same lines run on a
// CPU in tests. Every operation is the one of the step on the CPU, in its order and precision, so that the numbers
// are the same.

// With as many the structure stays below the 4 KiB that every device takes.
enum { MOST_BOXES = 240 };

struct box {
  float left, top, right, bottom; // corners in pixels of the source
};

struct crop {
  const unsigned char *pixels; // of one image behind the other, planes behind each other, of bytes or floats
  unsigned char *target;       // likewise
  int source_width, source_height;
  int width, height;           // of the target
  int planes, floats;          // 4 bytes or 1 per number
  struct box boxes[MOST_BOXES];
};

__device__ float held(float at, int most) {
  return at > (float)most ? (float)most : at > 0.0f ? at : 0.0f;
}

__device__ float number_at(const struct crop *p, long long row, int column) {
  long long at = row * p->source_width + column;
  return p->floats ? ((const float *)p->pixels)[at] : (float)p->pixels[at];
}

__device__ float mixed(float a, float b, float part) {
  return a + (b - a) * part;
}

#ifdef __cplusplus
extern "C"
#endif
__global__ void crop(const struct crop p) {
  int x = (int)(blockIdx.x * blockDim.x + threadIdx.x);
  int y = (int)(blockIdx.y * blockDim.y + threadIdx.y);
  if (x >= p.width || y >= p.height) {
    return;
  }
  const struct box box = p.boxes[blockIdx.z];
  float step_x = (box.right - box.left) / (float)p.width;
  float step_y = (box.bottom - box.top) / (float)p.height;
  float across = held(box.left + ((float)x + 0.5f) * step_x - 0.5f, p.source_width - 1);
  float down = held(box.top + ((float)y + 0.5f) * step_y - 0.5f, p.source_height - 1);
  int left = (int)across, top = (int)down;
  int right = left + 1 < p.source_width ? left + 1 : left;
  int bottom = top + 1 < p.source_height ? top + 1 : top;
  for (int plane = 0; plane < p.planes; plane++) {
    long long layer = (long long)blockIdx.z * p.planes + plane;
    long long rows = layer * p.source_height;
    float upper = mixed(number_at(&p, rows + top, left), number_at(&p, rows + top, right), across - (float)left);
    float lower = mixed(number_at(&p, rows + bottom, left), number_at(&p, rows + bottom, right), across - (float)left);
    float value = mixed(upper, lower, down - (float)top);
    long long at = (layer * p.height + y) * p.width + x;
    if (p.floats) {
      ((float *)p.target)[at] = value;
    } else {
      double rounded = (double)value + 0.5;
      p.target[at] = (unsigned char)(rounded < 0 ? 0 : rounded > 255 ? 255 : (int)rounded);
    }
  }
}
