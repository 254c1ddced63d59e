/* The time of day, moved by as many seconds as a file says; to be loaded before all libraries.
 *
 * CLOCK names the file: one 64-bit number, which may change at any time. Clocks that only count
 * on (CLOCK_MONOTONIC and the like) are left alone, and so are files' times, which the kernel writes.
 * A wait until a moment of the day is a wait until the same moment of the kernel's clock.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const int64_t none = 0;
static volatile const int64_t *offset = &none;

__attribute__((constructor)) static void begin(void)
{
    const char *name = getenv("CLOCK");
    int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *memory = mmap(NULL, sizeof none, PROT_READ, MAP_SHARED, file, 0);
    if (memory != MAP_FAILED)
        offset = memory;
    close(file);
}

/* The library's own function, looked for once. */
#define OWN(name)                                                                                 \
    static __typeof__(&name) own;                                                                 \
    if (!own)                                                                                     \
        own = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static int is_day(clockid_t clock)
{
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
}

/* A moment of the kernel's clock; one that counts from the machine's start is what it was. */
static struct timespec kernels(struct timespec moment)
{
    if (moment.tv_sec > 500000000)
        moment.tv_sec -= *offset;
    return moment;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    OWN(clock_gettime);
    int failed = own(clock, now);
    if (!failed && is_day(clock))
        now->tv_sec += *offset;
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    OWN(gettimeofday);
    int failed = own(now, zone);
    if (!failed)
        now->tv_sec += *offset;
    return failed;
}

time_t time(time_t *result)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result)
        *result = now.tv_sec;
    return now.tv_sec;
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *until, struct timespec *left)
{
    OWN(clock_nanosleep);
    struct timespec moment = *until;
    if ((flags & TIMER_ABSTIME) && is_day(clock))
        moment = kernels(moment);
    return own(clock, flags, &moment, left);
}

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until)
{
    OWN(pthread_cond_timedwait);
    struct timespec moment = kernels(*until);
    return own(condition, mutex, &moment);
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until)
{
    OWN(sem_timedwait);
    struct timespec moment = kernels(*until);
    return own(semaphore, &moment);
}

int sem_clockwait(sem_t *restrict semaphore, clockid_t clock, const struct timespec *restrict until)
{
    OWN(sem_clockwait);
    struct timespec moment = is_day(clock) ? kernels(*until) : *until;
    return own(semaphore, clock, &moment);
}

/* Google's libraries, of which Ray is made, wait by the system call itself. */
long syscall(long number, ...)
{
    OWN(syscall);
    va_list given;
    va_start(given, number);
    long a = va_arg(given, long), b = va_arg(given, long), c = va_arg(given, long);
    long d = va_arg(given, long), e = va_arg(given, long), f = va_arg(given, long);
    va_end(given);
    struct timespec moment;
    if (number == SYS_futex && (b & FUTEX_CLOCK_REALTIME) && d) {
        moment = kernels(*(struct timespec *)d);
        d = (long)&moment;
    }
    return own(number, a, b, c, d, e, f);
}
