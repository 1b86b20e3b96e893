/* Attention over rows of tokens that stand without padding, forward and backward, one head of one row at a time.

What a head needs stays in the cache: no (length, length) array is ever in memory, and the backward pass works the shares out
again from the logarithm of their sum. Tokens are (tokens, 3, heads, depth): query, key, value; whom a position sees is told by
two numbers a token: of its row it sees those whose of_key is its own of_query. TALL tokens more than there are may be read, and
change nothing. Depths are even in bfloat16. */

#include "tile.h"

enum { QUERY, KEY, VALUE };
#define NOBODY INT32_MIN /* the number of places beyond a row */

typedef struct {
    const uint32_t *tokens;
    const int64_t *starts;            /* (rows + 1): where each row's tokens begin */
    const int32_t *of_query, *of_key; /* (tokens,) */
    int64_t rows, heads, depth, longest;
    float scale, growth; /* of the scores; of the shares that are kept */
    uint64_t seed;
    uint32_t threshold;
    int threads;
} problem;

/* A head of a row: where it stands, and its sizes rounded up. */
typedef struct {
    int64_t h, start, count, wide;
} head;

static head head_of(const problem *of, int64_t n) {
    const int64_t start = of->starts[n / of->heads], count = of->starts[n / of->heads + 1] - start;
    return (head){n % of->heads, start, count, round_up(count, WIDE)};
}

/* The first place of a head's query, key or value (parts 3), or of its context (parts 1); rows are `stride` words apart. */
INLINE const uint32_t *at(int pairs, const problem *of, const uint32_t *array, int64_t parts, int64_t part, head in) {
    return array + words_of(((in.start * parts + part) * of->heads + in.h) * of->depth, pairs);
}

static void see(const problem *of, head in, int32_t *of_key) {
    for (int64_t k = 0; k < in.wide; k++) of_key[k] = k < in.count ? of->of_key[in.start + k] : NOBODY;
}

/* row: scores (wide,), become their softmax over what is seen; returns the logarithm of the sum. What sees nothing looks evenly
at all `count`, and has no gradient. */
static float soften(float *row, const int32_t *of_key, int32_t own, head in, float scale) {
    EACH(k, in.wide) row[k] = of_key[k] == own ? row[k] * scale : -INFINITY;
    const float most = largest(row, in.wide);
    if (most == -INFINITY) {
        for (int64_t k = 0; k < in.wide; k++) row[k] = k < in.count ? 1.0f / in.count : 0;
        return INFINITY;
    }
    EACH(k, in.wide) row[k] = exponential(row[k] - most);
    const float total = sum(row, in.wide), share = 1 / total;
    EACH(k, in.wide) row[k] = of_key[k] == own ? row[k] * share : 0;
    return most + logf(total);
}

INLINE void forward(int pairs, const problem *of, void *context, float *logs) {
    const int64_t deep = round_up(of->depth, WIDE), most = round_up(of->longest, WIDE), steps = words_of(of->depth, pairs);
    const int64_t stride = words_of(3 * of->heads * of->depth, pairs);
#pragma omp parallel num_threads(of->threads)
    {
        MY_SHARE(of->rows * of->heads);
        uint32_t *held = calloc(2 * most * deep, 4), *keys = held, *values = held + most * deep;
        float scores[TALL * most], rows[TALL * deep];
        uint32_t shares[TALL * most];
        int32_t of_key[most];
        for (int64_t n = first; n < last; n++) {
            const head in = head_of(of, n);
            const int64_t places = words_of(in.wide, pairs);
            const uint32_t *query = at(pairs, of, of->tokens, 3, QUERY, in);
            see(of, in, of_key);
            by_rows(at(pairs, of, of->tokens, 3, KEY, in), stride, in.count, steps, keys);
            along_rows(pairs, at(pairs, of, of->tokens, 3, VALUE, in), stride, in.count, deep, places, values);
            for (int64_t q = 0; q < in.count; q += TALL) {
                block(pairs, query + q * stride, stride, 1, keys, steps, in.wide, scores);
                for (int64_t i = 0; i < TALL && q + i < in.count; i++) {
                    const int64_t token = in.start + q + i, n = token * of->heads + in.h;
                    logs[n] = soften(scores + i * in.wide, of_key, of->of_query[token], in, of->scale);
                    drop(scores + i * in.wide, in.wide, coins_of(of->seed, n), of->threshold, of->growth);
                }
                write_row(shares, 0, scores, TALL * in.wide, pairs);
                block(pairs, shares, places, 1, values, places, deep, rows);
                for (int64_t i = 0; i < TALL && q + i < in.count; i++)
                    write_row(context, ((in.start + q + i) * of->heads + in.h) * of->depth, rows + i * deep, of->depth, pairs);
            }
        }
        free(held);
    }
}

/* The gradient of TALL places' query, key or value, and what it adds to the bias's. */
static void give(const problem *of, void *out, float *sums, int64_t part, head in, int64_t place, const float *rows,
                 int64_t deep, int is_bfloat16) {
    float *sum = sums + ((omp_get_thread_num() * 3 + part) * of->heads + in.h) * of->depth;
    for (int64_t i = 0; i < TALL && place + i < in.count; i++) {
        const float *row = rows + i * deep;
        EACH(d, of->depth) sum[d] += row[d];
        write_row(out, (((in.start + place + i) * 3 + part) * of->heads + in.h) * of->depth, row, of->depth, is_bfloat16);
    }
}

/* A row of scores (wide,) -> the shares after dropout; slopes: the gradient of those -> that of the scores. */
static void soften_backward(const problem *of, head in, const int32_t *of_key, int64_t token, float log, float less,
                            float *scores, float *slopes) {
    const uint32_t key = coins_of(of->seed, token * of->heads + in.h), threshold = of->threshold;
    const int32_t own = of->of_query[token];
    const float scale = of->scale, growth = of->growth;
    EACH(k, in.wide) {
        const float share = exponential(scores[k] * scale - log);
        scores[k] = of_key[k] == own ? share : 0;
    }
    EACH(k, in.wide) {
        const float grown = coin(key, (uint32_t)k) < threshold ? 0 : growth;
        slopes[k] = scores[k] * (slopes[k] * grown - less) * scale;
        scores[k] *= grown;
    }
}

/* given: the gradient of the context; out: that of the tokens; sums (threads, 3, heads, depth): of their bias. */
INLINE void backward(int pairs, const problem *of, const uint32_t *context, const float *logs, const uint32_t *given, void *out,
                     float *sums) {
    const int64_t deep = round_up(of->depth, WIDE), most = round_up(of->longest, WIDE), steps = words_of(of->depth, pairs);
    const int64_t narrow = words_of(of->heads * of->depth, pairs), stride = words_of(3 * of->heads * of->depth, pairs);
#pragma omp parallel num_threads(of->threads)
    {
        MY_SHARE(of->rows * of->heads);
        uint32_t *held = calloc(5 * most * deep + 2 * most * most, 4);
        uint32_t *keys_by_place = held, *values_by_place = keys_by_place + most * deep, *keys = values_by_place + most * deep;
        uint32_t *queries = keys + most * deep, *gifts = queries + most * deep;
        uint32_t *all_slopes = gifts + most * deep, *all_shares = all_slopes + most * most; /* words along queries */
        float scores[TALL * most], slopes[TALL * most], rows[TALL * deep];
        float less[most], one[of->depth], other[of->depth];
        uint32_t line[TALL * most];
        int32_t of_key[most];
        for (int64_t n = first; n < last; n++) {
            const head in = head_of(of, n);
            const int64_t places = words_of(in.wide, pairs), tall = words_of(round_up(in.count, TALL), pairs);
            const uint32_t *query = at(pairs, of, of->tokens, 3, QUERY, in), *key = at(pairs, of, of->tokens, 3, KEY, in);
            const uint32_t *value = at(pairs, of, of->tokens, 3, VALUE, in), *gift = at(pairs, of, given, 1, 0, in);
            for (int64_t q = 0; q < in.count; q++) { /* apart, so that the memory's delays overlap */
                const int64_t at = ((in.start + q) * of->heads + in.h) * of->depth;
                read_row(one, given, at, of->depth, pairs);
                read_row(other, context, at, of->depth, pairs);
                less[q] = dot(one, other, of->depth);
            }
            see(of, in, of_key);
            by_rows(key, stride, in.count, steps, keys_by_place);
            by_rows(value, stride, in.count, steps, values_by_place);
            along_rows(pairs, key, stride, in.count, deep, places, keys);
            along_rows(pairs, query, stride, in.count, deep, tall, queries);
            along_rows(pairs, gift, narrow, in.count, deep, tall, gifts);
            for (int64_t q = 0; q < in.count; q += TALL) {
                block(pairs, query + q * stride, stride, 1, keys_by_place, steps, in.wide, scores);
                block(pairs, gift + q * narrow, narrow, 1, values_by_place, steps, in.wide, slopes);
                for (int64_t i = 0; i < TALL; i++) {
                    const int64_t token = in.start + q + i, n = token * of->heads + in.h;
                    if (q + i >= in.count) {
                        memset(scores + i * in.wide, 0, in.wide * sizeof(float));
                        memset(slopes + i * in.wide, 0, in.wide * sizeof(float));
                        continue;
                    }
                    soften_backward(of, in, of_key, token, logs[n], less[q + i], scores + i * in.wide, slopes + i * in.wide);
                }
                write_row(line, 0, scores, TALL * in.wide, pairs);
                along_rows(pairs, line, places, TALL, in.wide, tall, all_shares + words_of(q, pairs) * WIDE);
                write_row(line, 0, slopes, TALL * in.wide, pairs);
                along_rows(pairs, line, places, TALL, in.wide, tall, all_slopes + words_of(q, pairs) * WIDE);
                block(pairs, line, places, 1, keys, places, deep, rows);
                give(of, out, sums, QUERY, in, q, rows, deep, pairs);
            }
            for (int64_t k = 0; k < in.count; k += TALL) {
                const int64_t panel = k / WIDE * tall * WIDE + k % WIDE;
                block(pairs, all_slopes + panel, 1, WIDE, queries, tall, deep, rows);
                give(of, out, sums, KEY, in, k, rows, deep, pairs);
                block(pairs, all_shares + panel, 1, WIDE, gifts, tall, deep, rows);
                give(of, out, sums, VALUE, in, k, rows, deep, pairs);
            }
        }
        free(held);
    }
}

void attention(const uint32_t *tokens, const int64_t *starts, const int32_t *of_query, const int32_t *of_key, void *context,
               float *logs, int64_t rows, int64_t heads, int64_t depth, int64_t longest, float scale, uint64_t seed,
               uint32_t threshold, float growth, int is_bfloat16, int threads) {
    const problem of = {tokens, starts, of_query, of_key, rows, heads, depth, longest, scale, growth, seed, threshold, threads};
    if (is_bfloat16)
        forward(1, &of, context, logs);
    else
        forward(0, &of, context, logs);
}

void attention_backward(const uint32_t *tokens, const int64_t *starts, const int32_t *of_query, const int32_t *of_key,
                        const uint32_t *context, const float *logs, const uint32_t *given, void *out, float *sums, int64_t rows,
                        int64_t heads, int64_t depth, int64_t longest, float scale, uint64_t seed, uint32_t threshold,
                        float growth, int is_bfloat16, int threads) {
    const problem of = {tokens, starts, of_query, of_key, rows, heads, depth, longest, scale, growth, seed, threshold, threads};
    if (is_bfloat16)
        backward(1, &of, context, logs, given, out, sums);
    else
        backward(0, &of, context, logs, given, out, sums);
}
