/* A disk that fails on demand, for tests: preloaded, it counts the writes, fsyncs and renames below a folder and, at the k-th,
   refuses it, does half of it and refuses the rest, or kills the process. With FAULT_CLOCK set, the clock of the wall jumps a
   day ahead and back at every look. Everything else passes through. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { OFF, REFUSE, HALF, KILL };
static char root[PATH_MAX];
static int mode = OFF, at, seen, error_number;

void fault_arm(const char *folder, int how, int number, int error) {
    strncpy(root, folder, sizeof root - 1);
    at = number, seen = 0, error_number = error, mode = how;
}

int fault_seen(void) { mode = OFF; return seen; }

static int is_below(const char *path) { return path && strncmp(path, root, strlen(root)) == 0; }

static int is_ours(int fd) {
    char name[64], path[PATH_MAX];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(name, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return is_below(path);
}

/* Whether this operation is the one that fails. */
static int strikes(int ours) {
    if (mode == OFF || !ours || ++seen != at) return 0;
    if (mode == KILL) kill(getpid(), SIGKILL);
    errno = error_number;
    return 1;
}

#define NEXT(name) static __typeof__(name) *next; if (!next) next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *data, size_t size) {
    NEXT(write);
    if (mode != OFF && strikes(is_ours(fd))) {
        int saved = errno;
        if (mode == HALF && size > 1) next(fd, data, size / 2);
        errno = saved;
        return -1;
    }
    return next(fd, data, size);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    NEXT(writev);
    return mode != OFF && strikes(is_ours(fd)) ? -1 : next(fd, parts, count);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
    NEXT(pwrite64);
    return mode != OFF && strikes(is_ours(fd)) ? -1 : next(fd, data, size, offset);
}

int fsync(int fd) {
    NEXT(fsync);
    return mode != OFF && strikes(is_ours(fd)) ? -1 : next(fd);
}

int rename(const char *from, const char *to) {
    NEXT(rename);
    return mode != OFF && strikes(is_below(from)) ? -1 : next(from, to);
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
    NEXT(renameat2);
    return mode != OFF && strikes(is_below(from)) ? -1 : next(from_folder, from, to_folder, to, flags);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    NEXT(clock_gettime);
    static int looks;
    int result = next(clock, now);
    if (clock == CLOCK_REALTIME && getenv("FAULT_CLOCK")) now->tv_sec += ++looks % 2 ? 86400 : -86400;
    return result;
}
