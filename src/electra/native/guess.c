/* The generator's answers: from logits over the vocabulary to errors, samples and gradients, a row in one pass.

Logits are (rows, stride), float32 or bfloat16, of which `width` are tokens. A sample is drawn by one uniform number: the first
token up to which the distribution holds more than that share. */

#include "rows.h"

enum { BLOCK = 256 }; /* tokens whose shares are added up before the sample is looked for */

static int32_t draw(const float *shares, int64_t width, const double *sums, double target) {
    int64_t block = 0, i;
    while ((block + 1) * BLOCK < width && target >= sums[block]) target -= sums[block++];
    for (i = block * BLOCK; i < width - 1 && target >= shares[i]; i++) target -= shares[i];
    return (int32_t)i;
}

/* errors: -log of the original's share; samples; logs: the logarithm of the sum of all exponentials. Each (rows,). */
void guess(const void *logits, const int64_t *originals, const float *uniform, float *errors, int32_t *samples, float *logs,
           int64_t rows, int64_t stride, int64_t width, int is_bfloat16, int threads) {
    const int64_t blocks = (width + BLOCK - 1) / BLOCK;
#pragma omp parallel num_threads(threads)
    {
        MY_SHARE(rows);
        float *row = malloc(width * sizeof(float));
        double *sums = malloc(blocks * sizeof(double));
        for (int64_t r = first; r < last; r++) {
            read_row(row, logits, r * stride, width, is_bfloat16);
            const float most = largest(row, width), original = row[originals[r]];
            double total = 0;
            EACH(i, width) row[i] = exponential(row[i] - most);
            for (int64_t b = 0; b < blocks; b++) {
                const int64_t start = b * BLOCK, rest = width - start;
                total += sums[b] = sum(row + start, rest < BLOCK ? rest : BLOCK);
            }
            logs[r] = most + (float)log(total);
            errors[r] = logs[r] - original;
            samples[r] = draw(row, width, sums, uniform[r] * total);
        }
        free(row);
        free(sums);
    }
}

/* The gradient of the logits, in their place, from that of the errors. sums (threads, width): of a bias of the logits. */
void guess_backward(void *logits, const int64_t *originals, const float *gradient, const float *logs, float *sums, int64_t rows,
                    int64_t stride, int64_t width, int is_bfloat16, int threads) {
#pragma omp parallel num_threads(threads)
    {
        MY_SHARE(rows);
        float *row = calloc(stride, sizeof(float)), *of_bias = sums + me * width;
        for (int64_t r = first; r < last; r++) {
            read_row(row, logits, r * stride, width, is_bfloat16);
            EACH(i, width) row[i] = exponential(row[i] - logs[r]) * gradient[r];
            row[originals[r]] -= gradient[r];
            EACH(i, width) of_bias[i] += row[i];
            write_row(logits, r * stride, row, stride, is_bfloat16);
        }
        free(row);
    }
}
