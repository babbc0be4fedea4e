/*
 * Books of the memory that native code holds: loaded with LD_PRELOAD, it stands before malloc and
 * its kin and remembers, for each block, who asked for it. The C library's own books
 * (mallinfo2) cannot tell the JVM's share from that of other libraries, and count what threads
 * keep for later as given out.
 *
 * A block counts with the bytes that were asked for; what the C library rounds them up to depends
 * on what was free beside it. Not counted: what libjvm.so asks for (the JVM has native memory
 * tracking for that), and memory that is mapped past malloc.
 *
 * CONVEYOR_BOOKS=FILE turns it on. Creating FILE.ask makes it write FILE and delete FILE.ask. FILE
 * has a first line "total BYTES BLOCKS", then a line "BYTES BLOCKS CALLER CALLER" for each place,
 * the largest first, where a caller is an address in a library.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

enum { SLOTS = 1 << 20, FRAMES = 3, DEPTH = FRAMES + 2, POLL_US = 20000, PLACES = 4096 };

/* A slot is free, was freed (probing goes on over it), or holds a block. */
static const uintptr_t FREED = 1;

struct block {
  uintptr_t address;
  size_t bytes;
  void *callers[FRAMES];
};

struct place {
  size_t bytes;
  size_t blocks;
  void *callers[FRAMES];
};

static struct block *table;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *report_file;
static uintptr_t jvm_from, jvm_to;
static __thread int inside;

static size_t slot_of(uintptr_t address) {
  return (size_t)(((address >> 4) * UINT64_C(0x9E3779B97F4A7C15)) >> 44) & (SLOTS - 1);
}

static int of_jvm(const void *caller) {
  return (uintptr_t)caller >= jvm_from && (uintptr_t)caller < jvm_to;
}

static void enter(void *address, size_t bytes, void *caller) {
  if (address == NULL || table == NULL || inside || of_jvm(caller)) {
    return;
  }
  inside = 1;
  void *frames[DEPTH] = {0};
  int depth = backtrace(frames, DEPTH);
  int at = 0;
  while (at < depth && frames[at] != caller) {
    at++;
  }
  struct block block = {(uintptr_t)address, bytes, {caller}};
  for (int i = 1; i < FRAMES && at + i < depth; i++) {
    block.callers[i] = frames[at + i];
  }
  pthread_mutex_lock(&lock);
  for (size_t i = 0; i < SLOTS; i++) {
    struct block *slot = &table[(slot_of(block.address) + i) & (SLOTS - 1)];
    if (slot->address <= FREED) {
      *slot = block;
      break;
    }
  }
  pthread_mutex_unlock(&lock);
  inside = 0;
}

/* Where probing ends anyway it need not go on over slots that were freed. */
static void free_end(size_t last) {
  if (table[(last + 1) & (SLOTS - 1)].address != 0) {
    return;
  }
  for (size_t i = last; table[i].address == FREED; i = (i - 1) & (SLOTS - 1)) {
    table[i].address = 0;
  }
}

static void leave(void *address) {
  if (address == NULL || table == NULL) {
    return;
  }
  pthread_mutex_lock(&lock);
  for (size_t i = 0; i < SLOTS; i++) {
    struct block *slot = &table[(slot_of((uintptr_t)address) + i) & (SLOTS - 1)];
    if (slot->address == 0) {
      break;
    }
    if (slot->address == (uintptr_t)address) {
      slot->address = FREED;
      free_end((size_t)(slot - table));
      break;
    }
  }
  pthread_mutex_unlock(&lock);
}

void *malloc(size_t bytes) {
  void *block = __libc_malloc(bytes);
  enter(block, bytes, __builtin_return_address(0));
  return block;
}

void *calloc(size_t count, size_t bytes) {
  void *block = __libc_calloc(count, bytes);
  enter(block, count * bytes, __builtin_return_address(0));
  return block;
}

void *realloc(void *old, size_t bytes) {
  leave(old);
  void *block = __libc_realloc(old, bytes);
  enter(block, bytes, __builtin_return_address(0));
  return block;
}

void *memalign(size_t alignment, size_t bytes) {
  void *block = __libc_memalign(alignment, bytes);
  enter(block, bytes, __builtin_return_address(0));
  return block;
}

void *aligned_alloc(size_t alignment, size_t bytes) {
  void *block = __libc_memalign(alignment, bytes);
  enter(block, bytes, __builtin_return_address(0));
  return block;
}

int posix_memalign(void **to, size_t alignment, size_t bytes) {
  void *block = __libc_memalign(alignment, bytes);
  if (block == NULL) {
    return ENOMEM;
  }
  *to = block;
  enter(block, bytes, __builtin_return_address(0));
  return 0;
}

void free(void *block) {
  leave(block);
  __libc_free(block);
}

static void find_jvm(void) {
  FILE *maps = fopen("/proc/self/maps", "r");
  char line[1024];
  while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
    unsigned long from, to;
    if (strstr(line, "/libjvm.so") != NULL && sscanf(line, "%lx-%lx", &from, &to) == 2) {
      jvm_from = jvm_from == 0 || from < jvm_from ? from : jvm_from;
      jvm_to = to > jvm_to ? to : jvm_to;
    }
  }
  if (maps != NULL) {
    fclose(maps);
  }
}

static int larger_first(const void *a, const void *b) {
  size_t x = ((const struct place *)a)->bytes, y = ((const struct place *)b)->bytes;
  return x < y ? 1 : x > y ? -1 : 0;
}

static void print_caller(FILE *out, void *caller) {
  Dl_info info;
  if (caller == NULL) {
    return;
  }
  if (dladdr(caller, &info) == 0 || info.dli_fname == NULL) {
    fprintf(out, " ?");
    return;
  }
  const char *slash = strrchr(info.dli_fname, '/');
  fprintf(out, " %s+0x%lx", slash == NULL ? info.dli_fname : slash + 1,
          (unsigned long)((char *)caller - (char *)info.dli_fbase));
}

static void write_report(void) {
  static struct place places[PLACES];
  size_t used = 0, bytes = 0, blocks = 0;
  pthread_mutex_lock(&lock);
  for (size_t i = 0; i < SLOTS; i++) {
    const struct block *block = &table[i];
    if (block->address <= FREED || of_jvm(block->callers[0])) {
      continue;
    }
    bytes += block->bytes;
    blocks++;
    size_t p = 0;
    while (p < used && memcmp(places[p].callers, block->callers, sizeof block->callers) != 0) {
      p++;
    }
    if (p == used && used < PLACES) {
      places[used++] = (struct place){0, 0, {0}};
      memcpy(places[p].callers, block->callers, sizeof block->callers);
    }
    if (p < used) {
      places[p].bytes += block->bytes;
      places[p].blocks++;
    }
  }
  pthread_mutex_unlock(&lock);
  qsort(places, used, sizeof places[0], larger_first);
  char name[4096];
  snprintf(name, sizeof name, "%s.new", report_file);
  FILE *out = fopen(name, "w");
  if (out == NULL) {
    return;
  }
  fprintf(out, "total %zu %zu\n", bytes, blocks);
  for (size_t p = 0; p < used; p++) {
    fprintf(out, "%zu %zu", places[p].bytes, places[p].blocks);
    for (int i = 0; i < FRAMES; i++) {
      print_caller(out, places[p].callers[i]);
    }
    fputc('\n', out);
  }
  fclose(out);
  rename(name, report_file);
}

static void *wait_for_questions(void *unused) {
  (void)unused;
  inside = 1;
  char ask[4096];
  snprintf(ask, sizeof ask, "%s.ask", report_file);
  for (;;) {
    usleep(POLL_US);
    if (jvm_to == 0) {
      find_jvm();
    }
    if (access(ask, F_OK) == 0) {
      write_report();
      unlink(ask);
    }
  }
  return NULL;
}

__attribute__((constructor)) static void start(void) {
  report_file = getenv("CONVEYOR_BOOKS");
  if (report_file == NULL) {
    return;
  }
  /* Its first call loads a library. */
  void *frame[1];
  (void)backtrace(frame, 1);
  /* Touched at once, so that it is no growth of the process later. */
  struct block *slots = mmap(NULL, sizeof(struct block) * SLOTS, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (slots == MAP_FAILED) {
    return;
  }
  /* Children would write to the same file. */
  report_file = strdup(report_file);
  unsetenv("CONVEYOR_BOOKS");
  unsetenv("LD_PRELOAD");
  table = slots;
  pthread_t thread;
  inside = 1;
  if (pthread_create(&thread, NULL, wait_for_questions, NULL) == 0) {
    pthread_detach(thread);
  }
  inside = 0;
}
