/* Stands for libcuda.so.1, which the binding wants on the system; the runtime does the work. */
#define EXPORT __attribute__((visibility("default")))

EXPORT int cuInit(unsigned flags) {
  (void)flags;
  return 0;
}

EXPORT int cuDriverGetVersion(int *version) {
  *version = 13010;
  return 0;
}
