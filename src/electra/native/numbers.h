/* Vectors of numbers, as wide as the processor's, and what encoder.c needs of them that C lacks. */

#include <stdint.h>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

#ifdef __AVX512F__
enum { LANES = 16, VECTORS = 4 }; /* VECTORS: of a step of a product, as the registers allow */
#elif defined(__AVX__)
enum { LANES = 8, VECTORS = 2 };
#else
enum { LANES = 4, VECTORS = 4 };
#endif
enum { FLOAT32, BFLOAT16, INT8 };

typedef float floats __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t ints __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef uint32_t words __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef uint16_t halves __attribute__((vector_size(2 * LANES), aligned(2), may_alias));
typedef uint8_t bytes __attribute__((vector_size(LANES), aligned(1), may_alias));
typedef float number __attribute__((may_alias));
typedef uint32_t word __attribute__((may_alias));
typedef uint16_t half __attribute__((may_alias));
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")
#define EACH(i, n) for (long i = 0; i < (n); i += LANES)
#define AT(type, pointer) (*(type *)(pointer))

INLINE long size_of(int kind) { return kind == FLOAT32 ? 4 : kind == BFLOAT16 ? 2 : 1; }

INLINE long round_up(long x, long step) { return (x + step - 1) / step * step; }

INLINE floats choose(ints where, floats yes, floats no) { return (floats)(((ints)yes & where) | ((ints)no & ~where)); }

INLINE floats larger(floats a, floats b) { return choose(a > b, a, b); }

INLINE float sum_of(floats x) {
#ifdef __AVX512F__
    return _mm512_reduce_add_ps((__m512)x);
#else
    float sum = 0;
    for (int i = 0; i < LANES; i++) sum += x[i];
    return sum;
#endif
}

INLINE float largest_of(floats x) {
#ifdef __AVX512F__
    return _mm512_reduce_max_ps((__m512)x);
#else
    float largest = x[0];
    for (int i = 1; i < LANES; i++) largest = x[i] > largest ? x[i] : largest;
    return largest;
#endif
}

INLINE uint32_t rounded(uint32_t bits) { return (bits + 0x7fff + (bits >> 16 & 1)) >> 16; } /* float32 to bfloat16 */

INLINE void store(int form, char *to, floats x) {
    words bits = (words)x;
    if (form == FLOAT32) AT(floats, to) = x;
    else AT(halves, to) = __builtin_convertvector((bits + 0x7fff + (bits >> 16 & 1)) >> 16, halves);
}

/* e to the x, x at most 0, within 1e-7 of it: 2^n for the nearest n, by the exponent's bits, times a polynomial of the rest */
INLINE floats exponential(floats x) {
    floats y = larger(x, (floats){} - 87.0f) * 1.44269504f, shifted = y + 12582912.0f; /* 1.5 * 2^23: its last bits are n */
    floats z = y - (shifted - 12582912.0f), p = 1.32647273e-3f * z + 9.67151299e-3f;
    p = p * z + 5.55073358e-2f;
    p = p * z + 2.40222424e-1f;
    p = p * z + 6.93147004e-1f;
    p = p * z + 1.0f;
    return (floats)((ints)p + ((ints)shifted << 23));
}

/* x times the share of the normal distribution below x. Abramowitz and Stegun (1964), 7.1.26: within 1.5e-7 */
INLINE floats gelu(floats x) {
    floats size = (floats)((ints)x & 0x7fffffff), t = 1.0f / (size * 0.231641888f + 1.0f);
    floats p = 0.5307027145f * t - 0.7265760135f;
    p = p * t + 0.7107068705f;
    p = p * t - 0.142248368f;
    p = p * t + 0.127414796f;
    return larger(x, (floats){}) - size * (p * t) * exponential(-0.5f * x * x);
}
