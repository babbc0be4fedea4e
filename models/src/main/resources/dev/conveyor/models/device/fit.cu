// Brings a decoded image to its place in the input of a model: size, padding, order of the channels, numbers.
//
// One thread per pixel of the input. Written in the part of CUDA C++ that is C too, so that the same lines
// run on a CPU in tests. Sizes and interpolation are OpenCV's INTER_LINEAR: centres of pixels on centres of
// pixels, edges repeated, the level rounded to 8 bits before it is normalised. The weights are exact
// quotients of integers, not accumulated.

struct placement {
  const unsigned char *pixels; // rows of `pitch` bytes, channels behind each other
  unsigned char *target;       // of this image
  double factor[3], shift[3];  // by channel of the target: factor * level + shift
  long long pitch;
  int source_width, source_height;
  int width, height;           // of the target
  int x, y, box_width, box_height; // what part of it shows the image
  int channels, pad;
  int swapped, planar;         // red before blue, planes behind each other
  int floats, normalised;      // 4 bytes or 1 per number; as it is, or factor and shift
};

__device__ int level_at(const struct placement *p, int column, int row, int channel) {
  long long two_width = 2LL * p->box_width, two_height = 2LL * p->box_height;
  long long across = (2LL * (column - p->x) + 1) * p->source_width - p->box_width;
  long long down = (2LL * (row - p->y) + 1) * p->source_height - p->box_height;
  across = across < 0 ? 0 : across;
  down = down < 0 ? 0 : down;
  int left = (int)(across / two_width), top = (int)(down / two_height);
  float to_right = (float)(across - left * two_width) / (float)two_width;
  float to_bottom = (float)(down - top * two_height) / (float)two_height;
  int right = left + 1 < p->source_width ? left + 1 : left;
  int bottom = top + 1 < p->source_height ? top + 1 : top;
  const unsigned char *upper = p->pixels + top * p->pitch + channel;
  const unsigned char *lower = p->pixels + bottom * p->pitch + channel;
  float a = (float)upper[left * p->channels] * (1.0f - to_right) + (float)upper[right * p->channels] * to_right;
  float b = (float)lower[left * p->channels] * (1.0f - to_right) + (float)lower[right * p->channels] * to_right;
  return (int)(a * (1.0f - to_bottom) + b * to_bottom + 0.5f);
}

#ifdef __cplusplus
extern "C"
#endif
__global__ void fit(const struct placement p) {
  int column = (int)(blockIdx.x * blockDim.x + threadIdx.x);
  int row = (int)(blockIdx.y * blockDim.y + threadIdx.y);
  if (column >= p.width || row >= p.height) {
    return;
  }
  int inside = column >= p.x && column < p.x + p.box_width && row >= p.y && row < p.y + p.box_height;
  for (int c = 0; c < p.channels; c++) {
    int level = inside ? level_at(&p, column, row, p.swapped ? p.channels - 1 - c : c) : p.pad;
    long long at = p.planar ? ((long long)c * p.height + row) * p.width + column
                            : ((long long)row * p.width + column) * p.channels + c;
    if (p.floats) {
      ((float *)p.target)[at] = (float)p.factor[c] * (float)level + (float)p.shift[c];
    } else if (p.normalised) {
      double rounded = (double)level * p.factor[c] + p.shift[c] + 0.5;
      p.target[at] = (unsigned char)(rounded < 0 ? 0 : rounded > 255 ? 255 : (int)rounded);
    } else {
      p.target[at] = (unsigned char)level;
    }
  }
}
