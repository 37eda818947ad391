/* Makes writes and fsyncs to the files of a database fail, for tests: put in front of the C library
 * by LD_PRELOAD. Which call fails is told by a small file that the test and the program share:
 * six 32-bit numbers, see `struct control`. Other files are left alone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

enum { WRITES = 1, SYNCS = 2 };

struct control {
    int32_t kinds;   /* which calls count: WRITES, SYNCS or both; 0 is none */
    int32_t after;   /* how many of them still succeed */
    int32_t length;  /* how many fail after those */
    int32_t error;   /* the errno of a failure */
    int32_t seen;    /* how many have counted so far */
    int32_t failed;  /* how many have failed so far */
};

static struct control *control;

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("FAULTS_CONTROL");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *shared = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (shared != MAP_FAILED) control = shared;
    close(file);
}

static int is_of_the_database(int file) {
    char link[40], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return strstr(path, "daemun.db") != NULL;
}

static int fails(int file, int kind) {
    if (!control || !(__atomic_load_n(&control->kinds, __ATOMIC_ACQUIRE) & kind)) return 0;
    if (!is_of_the_database(file)) return 0;
    int32_t number = __atomic_fetch_add(&control->seen, 1, __ATOMIC_ACQ_REL);
    if (number < control->after || number - control->after >= control->length) return 0;
    __atomic_fetch_add(&control->failed, 1, __ATOMIC_ACQ_REL);
    errno = control->error;
    return 1;
}

#define WRAP(result, name, kind, parameters, arguments)                       \
    result name parameters {                                                  \
        static result(*real) parameters;                                      \
        if (!real) real = (result(*) parameters)dlsym(RTLD_NEXT, #name);      \
        if (fails(file, kind)) return -1;                                     \
        return real arguments;                                                \
    }

WRAP(ssize_t, write, WRITES, (int file, const void *bytes, size_t size), (file, bytes, size))
WRAP(ssize_t, pwrite, WRITES, (int file, const void *bytes, size_t size, off_t at),
     (file, bytes, size, at))
WRAP(ssize_t, pwrite64, WRITES, (int file, const void *bytes, size_t size, off64_t at),
     (file, bytes, size, at))
WRAP(int, ftruncate, WRITES, (int file, off_t size), (file, size))
WRAP(int, ftruncate64, WRITES, (int file, off64_t size), (file, size))
WRAP(int, fsync, SYNCS, (int file), (file))
WRAP(int, fdatasync, SYNCS, (int file), (file))
