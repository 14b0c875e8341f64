/* Preloaded into a process: its writes into one folder fail, every n-th of them, and its wall clock stands off.
 *
 * CHAOS_CONTROL names a file of five 64-bit numbers, mapped and read at every call, so that whoever holds the file switches
 * while the process runs: [0] every how many writes one fails (0: none), [1] how many have failed, [2] seconds that the wall
 * clock is ahead, [3] a counter of writes, [4] how many may fail in all. CHAOS_FOLDER is the folder whose files are meant.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *control;
static char folder[PATH_MAX];
static size_t folder_size;

__attribute__((constructor)) static void begin(void) {
    const char *file = getenv("CHAOS_CONTROL"), *where = getenv("CHAOS_FOLDER");
    if (file == NULL) return;
    int fd = open(file, O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    void *at = mmap(NULL, 40, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (at == MAP_FAILED) return;
    if (where != NULL && strlen(where) < sizeof folder) {
        strcpy(folder, where);
        folder_size = strlen(folder);
    }
    control = at;
}

/* Whether this write is the one that fails. */
static int fails(int fd) {
    if (control == NULL || folder_size == 0) return 0;
    int64_t every = control[0];
    if (every <= 0 || control[1] >= control[4]) return 0;
    char name[64], path[PATH_MAX];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    int kept = errno;
    ssize_t size = readlink(name, path, sizeof path - 1);
    errno = kept;
    if (size < (ssize_t)folder_size || strncmp(path, folder, folder_size) != 0) return 0;
    if (__atomic_add_fetch((int64_t *)&control[3], 1, __ATOMIC_SEQ_CST) % every != 0) return 0;
    __atomic_add_fetch((int64_t *)&control[1], 1, __ATOMIC_SEQ_CST);
    return 1;
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *data, size_t size) {
    static ssize_t (*real)(int, const void *, size_t);
    if (real == NULL) real = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    if (fails(fd)) { errno = ENOSPC; return -1; }
    return real(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    REAL(pwrite);
    if (fails(fd)) { errno = ENOSPC; return -1; }
    return real(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    REAL(pwrite64);
    if (fails(fd)) { errno = ENOSPC; return -1; }
    return real(fd, data, size, at);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(writev);
    if (fails(fd)) { errno = ENOSPC; return -1; }
    return real(fd, parts, count);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
    REAL(pwritev);
    if (fails(fd)) { errno = ENOSPC; return -1; }
    return real(fd, parts, count, at);
}

int fsync(int fd) {
    REAL(fsync);
    if (fails(fd)) { errno = EIO; return -1; }
    return real(fd);
}

int fdatasync(int fd) {
    REAL(fdatasync);
    if (fails(fd)) { errno = EIO; return -1; }
    return real(fd);
}

int clock_gettime(clockid_t id, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (real == NULL) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int told = real(id, at);
    if (told == 0 && control != NULL && id == CLOCK_REALTIME) at->tv_sec += control[2];
    return told;
}

int gettimeofday(struct timeval *at, void *zone) {
    static int (*real)(struct timeval *, void *);
    if (real == NULL) real = (int (*)(struct timeval *, void *))dlsym(RTLD_NEXT, "gettimeofday");
    int told = real(at, zone);
    if (told == 0 && control != NULL) at->tv_sec += control[2];
    return told;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at != NULL) *at = now.tv_sec;
    return now.tv_sec;
}
