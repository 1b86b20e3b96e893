/* Products with a weight: of activations (rows, inputs) with it, and of two activations for its gradient.

All widths are multiples of WIDE. Where PyTorch's products are faster (is_faster), they are taken. */

#include "tile.h"

enum { CHUNK = 64, TOKENS = 256 }; /* rows that meet a panel, and rows whose words are made, while these are in the cache */

/* Whether these are faster than PyTorch's: it has AMX, and AVX-512 for float32 on Intel's processors alone. */
int is_faster(int pairs) {
#if !defined(__AVX512F__) || defined(__AMX_BF16__)
    (void)pairs;
    return 0;
#else
    return pairs ? HAS_PAIRS : !__builtin_cpu_is("intel");
#endif
}

int has_pairs(void) { return HAS_PAIRS; }

int wide(void) { return WIDE; }

/* A weight (outputs, inputs) of floats, its outputs rounded up with zeros -> panels (columns / WIDE, steps, WIDE). Columns are
the outputs and the sum is over inputs; where is_transposed, the other way round. */
void pack(const float *weight, uint32_t *panels, int64_t outputs, int64_t inputs, int is_transposed, int pairs, int threads) {
    const int64_t stride = words_of(inputs, pairs), steps = words_of(round_up(outputs, WIDE), pairs);
#pragma omp parallel for num_threads(threads)
    for (int64_t first = 0; first < outputs; first += WIDE) {
        uint32_t rows[WIDE * stride];
        memset(rows, 0, sizeof rows);
        for (int64_t o = first; o < first + WIDE && o < outputs; o++)
            write_row(rows + (o - first) * stride, 0, weight + o * inputs, inputs, pairs);
        if (!is_transposed)
            by_rows(rows, stride, WIDE, stride, panels + first * stride);
        else if (pairs)
            along_rows(1, rows, stride, WIDE, inputs, steps, panels + words_of(first, 1) * WIDE);
        else
            along_rows(0, rows, stride, WIDE, inputs, steps, panels + first * WIDE);
    }
}

/* out (rows, columns) = a (rows, steps) times panels, plus the `bias` of each column and `more`, unless these are null. */
INLINE void multiply_rows(int pairs, const uint32_t *a, const uint32_t *panels, const float *bias, const void *more, void *out,
                          int64_t rows, int64_t steps, int64_t columns, int threads) {
#pragma omp parallel for num_threads(threads)
    for (int64_t chunk = 0; chunk < rows; chunk += CHUNK)
        for (int64_t first = 0; first < columns; first += WIDE)
            for (int64_t r = chunk; r < rows && r < chunk + CHUNK; r += TALL) {
                const uint32_t *some = a + r * steps;
                uint32_t last[TALL * steps];
                if (r + TALL > rows) some = memcpy(last, some, (rows - r) * steps * sizeof(uint32_t));
                float sums[TALL * WIDE], other[WIDE];
                block(pairs, some, steps, 1, panels + first * steps, steps, WIDE, sums);
                for (int i = 0; i < TALL && r + i < rows; i++) {
                    float *row = sums + i * WIDE;
                    const int64_t at = (r + i) * columns + first;
                    if (bias != NULL) EACH(c, WIDE) row[c] += bias[first + c];
                    if (more != NULL) {
                        read_row(other, more, at, WIDE, pairs);
                        EACH(c, WIDE) row[c] += other[c];
                    }
                    write_row(out, at, row, WIDE, pairs);
                }
            }
}

void product(const uint32_t *a, const uint32_t *panels, const float *bias, const void *more, void *out, int64_t rows,
             int64_t steps, int64_t columns, int pairs, int threads) {
    if (pairs)
        multiply_rows(1, a, panels, bias, more, out, rows, steps, columns, threads);
    else
        multiply_rows(0, a, panels, bias, more, out, rows, steps, columns, threads);
}

/* out (outputs, inputs) = the sum over rows of gradient (rows, outputs) times a (rows, inputs). */
INLINE void sum_products(int pairs, const uint32_t *gradient, const uint32_t *a, float *out, int64_t rows, int64_t outputs,
                         int64_t inputs, int threads) {
    const int64_t steps = words_of(TOKENS, pairs), given = words_of(outputs, pairs), taken = words_of(inputs, pairs);
    uint32_t *both = malloc(2 * inputs * steps * sizeof(uint32_t)); /* while some threads read one half, others write the other */
#pragma omp parallel num_threads(threads)
    {
        MY_SHARE(outputs / WIDE);
        uint32_t *down = malloc((last - first) * WIDE * steps * sizeof(uint32_t));
        memset(out + first * WIDE * inputs, 0, (last - first) * WIDE * inputs * sizeof(float));
        for (int64_t t = 0; t < rows; t += TOKENS) {
            const int64_t count = rows - t < TOKENS ? rows - t : TOKENS;
            const uint32_t *mine = gradient + t * given + words_of(first * WIDE, pairs);
            uint32_t *across = both + t / TOKENS % 2 * inputs * steps;
            along_rows(pairs, mine, given, count, (last - first) * WIDE, steps, down);
#pragma omp for schedule(static)
            for (int64_t i = 0; i < inputs; i += WIDE)
                along_rows(pairs, a + t * taken + words_of(i, pairs), taken, count, WIDE, steps, across + i * steps);
            for (int64_t o = 0; o < (last - first) * WIDE; o += TALL)
                for (int64_t i = 0; i < inputs; i += WIDE) {
                    float *to = out + (first * WIDE + o) * inputs + i;
                    floats totals[TALL][2];
                    UNROLL for (int n = 0; n < TALL; n++) memcpy(totals[n], to + n * inputs, sizeof totals[n]);
                    tile(pairs, down + o / WIDE * WIDE * steps + o % WIDE, 1, WIDE, across + i * steps, words_of(count, pairs),
                         totals);
                    UNROLL for (int n = 0; n < TALL; n++) memcpy(to + n * inputs, totals[n], sizeof totals[n]);
                }
        }
        free(down);
    }
    free(both);
}

void product_of_gradient(const uint32_t *gradient, const uint32_t *a, float *out, int64_t rows, int64_t outputs, int64_t inputs,
                         int pairs, int threads) {
    if (pairs)
        sum_products(1, gradient, a, out, rows, outputs, inputs, threads);
    else
        sum_products(0, gradient, a, out, rows, outputs, inputs, threads);
}
