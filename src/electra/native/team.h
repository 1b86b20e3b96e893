/* Threads that go through the same steps, each with its part, and wait for one another between two steps. */

#include <sched.h>
#include <stdatomic.h>

typedef struct {
    _Atomic int arrived, phase;
} meeting; /* of zeros, before the first of them comes */

typedef struct {
    long me, all;
    meeting *place;
} team;

typedef struct {
    long begin, end;
} part;

#if defined(__x86_64__) || defined(__i386__)
#define REST __builtin_ia32_pause()
#else
#define REST
#endif
enum { PATIENCE = 20000 }; /* looks at the others, about half a millisecond, before a thread lets other programs have its core */

/* The part of this thread, of `count` things in whole units, or in fewer where there are too few of these. */
static inline part mine(team t, long count, long unit) {
    if (unit > 32 && count / unit < t.all) unit = 32;
    long units = (count + unit - 1) / unit, begin = units * t.me / t.all * unit, end = units * (t.me + 1) / t.all * unit;
    return (part){begin < count ? begin : count, end < count ? end : count};
}

/* Go on when all are here. */
static inline void meet(team t) {
    if (t.all == 1) return;
    int phase = atomic_load(&t.place->phase);
    if (atomic_fetch_add(&t.place->arrived, 1) == t.all - 1) {
        atomic_store(&t.place->arrived, 0);
        atomic_store(&t.place->phase, phase + 1);
        return;
    }
    for (long looks = 0; atomic_load_explicit(&t.place->phase, memory_order_acquire) == phase; looks++) {
        if (looks > PATIENCE) sched_yield();
        else REST;
    }
}
