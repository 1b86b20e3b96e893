/* What the kernels of training share: rows of numbers in float32 or bfloat16, worked on as float32, and dropout's coins.

A coin is a hash of (seed, row, place in the row): backward tosses the same coins again, and nothing is kept of them. */

#include <math.h>
#include <omp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

#define EACH(i, n) _Pragma("omp simd") for (int64_t i = 0; i < (n); i++)

/* The rows [first, last) of this thread. The sums over rows are kept by thread, so that they come out the same every time. */
#define MY_SHARE(count) \
    const int64_t me = omp_get_thread_num(), all = omp_get_num_threads(); \
    const int64_t first = (count) * me / all, last = (count) * (me + 1) / all

static inline float from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t to_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* The nearest bfloat16, halves to even, in the low half. */
static inline uint32_t narrowed(float value) {
    const uint32_t bits = to_bits(value);
    return (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
}

static inline uint32_t pair(float first, float second) { return narrowed(first) | narrowed(second) << 16; }

/* n numbers from place `start` of an array. */
static inline void read_row(float *row, const void *array, int64_t start, int64_t n, int is_bfloat16) {
    if (!is_bfloat16) {
        memcpy(row, (const float *)array + start, n * sizeof(float));
        return;
    }
    const uint16_t *narrow = (const uint16_t *)array + start;
    EACH(i, n) row[i] = from_bits((uint32_t)narrow[i] << 16);
}

static inline void write_row(void *array, int64_t start, const float *row, int64_t n, int is_bfloat16) {
    if (!is_bfloat16) {
        memcpy((float *)array + start, row, n * sizeof(float));
        return;
    }
    uint16_t *narrow = (uint16_t *)array + start;
#ifdef __AVX512BF16__ /* one instruction for what takes six; numbers below the normal ones become 0 */
    for (; n >= 16; n -= 16, row += 16, narrow += 16)
        _mm256_storeu_si256((__m256i *)narrow, (__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(row)));
#endif
    EACH(i, n) narrow[i] = (uint16_t)narrowed(row[i]);
}

static inline float sum(const float *row, int64_t n) {
    float total = 0;
#pragma omp simd reduction(+ : total)
    for (int64_t i = 0; i < n; i++) total += row[i];
    return total;
}

static inline float dot(const float *row, const float *other, int64_t n) {
    float total = 0;
#pragma omp simd reduction(+ : total)
    for (int64_t i = 0; i < n; i++) total += row[i] * other[i];
    return total;
}

static inline float largest(const float *row, int64_t n) {
    float most = -INFINITY;
#pragma omp simd reduction(max : most)
    for (int64_t i = 0; i < n; i++) most = row[i] > most ? row[i] : most;
    return most;
}

/* e to the x, x below 88, within 3e-7 of it: 2^n of the nearest n, by the exponent's bits, times a polynomial of the rest, the
one with the smallest largest error. Below -87 it is e^-87, 1.6e-38. */
static inline float exponential(float x) {
    const float power = x < -87.0f ? -87.0f : x;
    const float shifted = power * 1.44269504f + 12582912.0f; /* 1.5 * 2^23: its last bits are n */
    const float z = power * 1.44269504f - (shifted - 12582912.0f);
    float p = 1.32647273e-3f * z + 9.67151299e-3f;
    p = p * z + 5.55073358e-2f;
    p = p * z + 2.40222424e-1f;
    p = p * z + 6.93147004e-1f;
    p = p * z + 1;
    return from_bits(to_bits(p) + (to_bits(shifted) << 23));
}

/* The key of a row's coins. Source: Steele et al. (2014), SplitMix64. */
static inline uint32_t coins_of(uint64_t seed, uint64_t row) {
    uint64_t z = seed + (row + 1) * 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return (uint32_t)(z >> 32);
}

/* A coin of 32 bits; dropped is what lies below the threshold. Source: the finalizer of MurmurHash3. */
static inline uint32_t coin(uint32_t key, uint32_t place) {
    uint32_t h = key + place * 0x9e3779b1u;
    h = (h ^ (h >> 16)) * 0x85ebca6bu;
    return (h ^ (h >> 13)) * 0xc2b2ae35u;
}

/* Whether a number is kept is a coin's say; what is kept grows by 1 / (1 - p), so that the mean stays. */
static inline void drop(float *row, int64_t width, uint32_t key, uint32_t threshold, float growth) {
    if (threshold == 0) return;
    EACH(i, width) row[i] = coin(key, (uint32_t)i) < threshold ? 0 : row[i] * growth;
}
