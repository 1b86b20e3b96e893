/* What a layer does between its matrix products: GELU; bias, dropout, residual and LayerNorm; forward and backward.

Arrays are (rows, width), float32 or bfloat16, and worked on as float32. `sums` are (threads, ..., width) zeros, to which every
thread adds its rows'. */

#include "rows.h"

/* summed = drop(summed + bias) + before, in place; out = LayerNorm(summed); moments (rows, 2): mean, 1 / deviation. */
void add_norm(void *summed, const float *bias, const void *before, const float *scale, const float *shift, void *out,
              float *moments, int64_t rows, int64_t width, float epsilon, uint64_t seed, uint32_t threshold, float growth,
              int is_bfloat16, int threads) {
#pragma omp parallel num_threads(threads)
    {
        MY_SHARE(rows);
        float row[width], other[width];
        for (int64_t r = first; r < last; r++) {
            read_row(row, summed, r * width, width, is_bfloat16);
            read_row(other, before, r * width, width, is_bfloat16);
            EACH(i, width) row[i] += bias[i];
            drop(row, width, coins_of(seed, r), threshold, growth);
            EACH(i, width) row[i] += other[i];
            write_row(summed, r * width, row, width, is_bfloat16);
            const float mean = sum(row, width) / width;
            EACH(i, width) row[i] -= mean;
            const float inverse = 1 / sqrtf(dot(row, row, width) / width + epsilon);
            EACH(i, width) row[i] = row[i] * inverse * scale[i] + shift[i];
            write_row(out, r * width, row, width, is_bfloat16);
            moments[2 * r] = mean;
            moments[2 * r + 1] = inverse;
        }
    }
}

/* From the gradient of `out`, those of `before` and of what was dropped: `dense`, null where nothing is dropped.
sums (threads, 3, width): the gradients of scale, shift and bias. */
void add_norm_backward(const void *gradient, const void *summed, const float *scale, const float *moments, void *before,
                       void *dense, float *sums, int64_t rows, int64_t width, uint64_t seed, uint32_t threshold, float growth,
                       int is_bfloat16, int threads) {
#pragma omp parallel num_threads(threads)
    {
        MY_SHARE(rows);
        float row[width], normal[width];
        float *of_scale = sums + me * 3 * width, *of_shift = of_scale + width, *of_bias = of_shift + width;
        for (int64_t r = first; r < last; r++) {
            const float mean = moments[2 * r], inverse = moments[2 * r + 1];
            read_row(row, gradient, r * width, width, is_bfloat16);
            read_row(normal, summed, r * width, width, is_bfloat16);
            EACH(i, width) {
                normal[i] = (normal[i] - mean) * inverse;
                of_scale[i] += row[i] * normal[i];
                of_shift[i] += row[i];
                row[i] *= scale[i];
            }
            const float mean_slope = sum(row, width) / width, along = dot(row, normal, width) / width;
            EACH(i, width) row[i] = inverse * (row[i] - mean_slope - normal[i] * along);
            write_row(before, r * width, row, width, is_bfloat16);
            drop(row, width, coins_of(seed, r), threshold, growth);
            EACH(i, width) of_bias[i] += row[i];
            if (dense != NULL) write_row(dense, r * width, row, width, is_bfloat16);
        }
    }
}

/* The share of a normal distribution below x, given exp(-x^2 / 2). Source: Abramowitz and Stegun, 7.1.26; within 1e-7. */
static inline float share_below(float x, float bell) {
    float t = 1 / (1 + 0.3275911f * 0.70710678f * fabsf(x));
    float tail = 1.061405429f;
    tail = tail * t - 1.453152027f;
    tail = tail * t + 1.421413741f;
    tail = tail * t - 0.284496736f;
    tail = 0.5f * (tail * t + 0.254829592f) * t * bell;
    return x < 0 ? tail : 1 - tail;
}

/* out = GELU(in + bias), the exact form. */
void gelu(const void *in, const float *bias, void *out, int64_t rows, int64_t width, int is_bfloat16, int threads) {
#pragma omp parallel num_threads(threads)
    {
        MY_SHARE(rows);
        float row[width];
        for (int64_t r = first; r < last; r++) {
            read_row(row, in, r * width, width, is_bfloat16);
            EACH(i, width) {
                float x = row[i] + bias[i];
                row[i] = x * share_below(x, exponential(-0.5f * x * x));
            }
            write_row(out, r * width, row, width, is_bfloat16);
        }
    }
}

/* gradient: of GELU(in + bias), becomes that of `in`; out = GELU(in + bias) once more; sums (threads, width): of the bias. */
void gelu_backward(const void *in, const float *bias, void *gradient, void *out, float *sums, int64_t rows, int64_t width,
                   int is_bfloat16, int threads) {
#pragma omp parallel num_threads(threads)
    {
        MY_SHARE(rows);
        float row[width], slope[width], *of_bias = sums + me * width;
        for (int64_t r = first; r < last; r++) {
            read_row(row, in, r * width, width, is_bfloat16);
            read_row(slope, gradient, r * width, width, is_bfloat16);
            EACH(i, width) {
                float x = row[i] + bias[i], bell = exponential(-0.5f * x * x), share = share_below(x, bell);
                row[i] = x * share;
                slope[i] *= share + x * bell * 0.39894228f;
                of_bias[i] += slope[i];
            }
            write_row(out, r * width, row, width, is_bfloat16);
            write_row(gradient, r * width, slope, width, is_bfloat16);
        }
    }
}
