/* The tile all products are made of: TALL rows times WIDE columns, summed over words of 32 bits: a float, or two bfloat16.

The second factor stands in panels: of WIDE columns, word after word along the sum, that word of each. */

#include "rows.h"

#ifdef __AVX512F__
enum { LANES = 16, TALL = 8 };
#else
enum { LANES = 8, TALL = 4 };
#endif
enum { WIDE = 2 * LANES };
#ifdef __AVX512BF16__
enum { HAS_PAIRS = 1 }; /* two bfloat16 are multiplied and added at once; elsewhere they are widened to floats first */
#else
enum { HAS_PAIRS = 0 };
#endif

typedef float floats __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef uint32_t words __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

INLINE floats multiply(int pairs, floats total, words one, words other) {
#ifdef __AVX512BF16__
    if (pairs) return (floats)_mm512_dpbf16_ps((__m512)total, (__m512bh)one, (__m512bh)other);
#endif
    (void)pairs;
    return total + (floats)one * (floats)other;
}

/* totals += a b. Word s of row i of `a` stands at a[i * down + s * along]; `panel` holds WIDE words for each of the steps. */
INLINE void tile(int pairs, const uint32_t *a, int64_t down, int64_t along, const uint32_t *panel, int64_t steps,
                 floats totals[TALL][2]) {
    for (int64_t s = 0; s < steps; s++) {
        const words left = *(const words *)(panel + s * WIDE), right = *(const words *)(panel + s * WIDE + LANES);
        UNROLL for (int i = 0; i < TALL; i++) {
            const words word = a[i * down + s * along] - (words){};
            totals[i][0] = multiply(pairs, totals[i][0], word, left);
            totals[i][1] = multiply(pairs, totals[i][1], word, right);
        }
    }
}

/* out (TALL, columns) = a times the panels that hold the columns. */
INLINE void block(int pairs, const uint32_t *a, int64_t down, int64_t along, const uint32_t *panels, int64_t steps,
                  int64_t columns, float *out) {
    for (int64_t c = 0; c < columns; c += WIDE) {
        floats totals[TALL][2] = {};
        tile(pairs, a, down, along, panels + c * steps, steps, totals);
        UNROLL for (int i = 0; i < TALL; i++) memcpy(out + i * columns + c, totals[i], sizeof totals[i]);
    }
}

static inline int64_t round_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

/* The number of words that hold n numbers along a sum. */
static inline int64_t words_of(int64_t n, int pairs) { return pairs ? (n + 1) / 2 : n; }

/* Of `count` rows of numbers, `stride` words apart, the words along the rows: panels of WIDE columns, `steps` words in each. */
INLINE void along_rows(int pairs, const uint32_t *rows, int64_t stride, int64_t count, int64_t columns, int64_t steps,
                       uint32_t *panels) {
    static const uint16_t nothing[WIDE];
    for (int64_t s = 0; s < words_of(count, pairs); s++)
        for (int64_t c = 0; c < columns; c += WIDE) {
            uint32_t *to = panels + c * steps + s * WIDE;
            if (!pairs) {
                memcpy(to, rows + s * stride + c, WIDE * sizeof(uint32_t));
                continue;
            }
            const uint16_t *one = (const uint16_t *)(rows + 2 * s * stride) + c;
            const uint16_t *other = 2 * s + 1 < count ? one + 2 * stride : nothing;
            EACH(w, WIDE) to[w] = one[w] | (uint32_t)other[w] << 16;
        }
}

/* Of `count` rows, the words of each along itself: panels of WIDE rows, `steps` words in each. */
INLINE void by_rows(const uint32_t *rows, int64_t stride, int64_t count, int64_t steps, uint32_t *panels) {
    for (int64_t i = 0; i < count; i++)
        for (int64_t s = 0; s < steps; s++) panels[(i / WIDE * steps + s) * WIDE + i % WIDE] = rows[i * stride + s];
}
