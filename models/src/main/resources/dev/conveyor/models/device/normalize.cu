// Brings the numbers of images to those that a model takes: (x - mean) * scale, by channel.
//
// One thread per number. Written in the part of CUDA C++ that is C too, so that the same lines run on a CPU in tests.
// Every operation is the one of the step on the CPU, in its order and precision, so that the numbers are the same.

struct normalization {
  const unsigned char *source; // bytes or floats
  float *target;
  long long numbers;
  int plane, channels; // numbers of a channel behind each other; channels of an image
  int means, scales;   // of channels, or one for all
  int floats;          // 4 bytes or 1 per number of the source
  float mean[16], scale[16];
};

#ifdef __cplusplus
extern "C"
#endif
__global__ void normalize(const struct normalization p) {
  long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= p.numbers) {
    return;
  }
  int channel = (int)(i / p.plane % p.channels);
  float x = p.floats ? ((const float *)p.source)[i] : (float)p.source[i];
  p.target[i] = (x - p.mean[channel % p.means]) * p.scale[channel % p.scales];
}
