/* The encoder on rows without padding, in float32, bfloat16 or int8: what electra/inference/compiled.py calls.

Between the products all is float32: residuals, LayerNorm, softmax, GELU. Bytes: weights are signed, with a scale per output;
a row of activations is unsigned, between its own least and largest value.
T tokens, H hidden, I intermediate, D width of a head. Every width is a multiple of 16. `kind` is how weights are held, `form`
how activations are (FLOAT32 or BFLOAT16). */

#include "products.h"
#include <math.h>
#include <string.h>

#ifdef __AVX512BF16__
enum { INNER = BFLOAT16 }; /* what attention multiplies in where weights are not float32 */
#else
enum { INNER = FLOAT32 };
#endif
enum { QUERIES = 96, SLICE = 96 }; /* rows at a time: of attention, and of answers that are float32 before they are bytes */

typedef struct {
    const char *weight;                /* panels */
    const float *scale, *total, *bias; /* (outputs,); the first two of bytes: scale, and scale times the sum of the weights */
    int64_t inputs, outputs;
} dense;

typedef struct {
    dense query, key_value, attention, intermediate, output;
    const float *norms[4]; /* weight and bias after attention, and after the feed-forward layer */
} layer;

typedef struct {
    int64_t kind, hidden, heads, embedding, layers, is_projected, vocabulary, types, positions;
    double epsilon;
    const float *word_table, *type_table, *position_table, *norms[2];
    dense project;
    const layer *layer;
} network;

typedef struct { /* activations as a product reads them */
    char *data;
    float *scale, *low; /* (T,) of bytes: value = scale * byte + low */
} operand;

/* A linear layer: answers (rows, outputs) in a form. */
static void linear(int kind, const dense *l, operand x, long rows, int is_gelu, int form, char *out) {
    long stride = l->inputs * size_of(kind), count = stride / 4;
    int tiled = are_tiled(kind, count);
    for (long n = 0; n < l->outputs; n += COLUMNS) {
        long columns = l->outputs - n < COLUMNS ? l->outputs - n : COLUMNS;
        for (long t = 0, step; t < rows; t += step) {
            float block[SPARE * COLUMNS];
            step = share(tiled, rows - t);
            product(kind, x.data + t * stride, stride, l->weight + n * 4 * count, count, step, columns, block, COLUMNS);
            for (long r = 0; r < step; r++) EACH(i, columns) {
                floats y = AT(floats, block + r * COLUMNS + i);
                if (kind == INT8) {
                    y *= AT(const floats, l->scale + n + i) * x.scale[t + r];
                    y += AT(const floats, l->total + n + i) * x.low[t + r];
                }
                y += AT(const floats, l->bias + n + i);
                if (is_gelu) y = gelu(y);
                store(form, out + ((t + r) * l->outputs + n + i) * size_of(form), y);
            }
        }
    }
}

/* Activations (rows, width) as a product with weights of this kind reads them. */
static void prepare(int kind, const float *x, long rows, long width, operand to) {
    for (long t = 0; t < rows; t++, x += width) {
        if (kind != INT8) {
            EACH(i, width) store(kind, to.data + (t * width + i) * size_of(kind), AT(const floats, x + i));
            continue;
        }
        floats high = AT(const floats, x), negated = -high;
        EACH(i, width) {
            high = larger(high, AT(const floats, x + i));
            negated = larger(negated, -AT(const floats, x + i));
        }
        float low = -largest_of(negated), scale = (largest_of(high) - low) / 255, inverse = scale > 0 ? 1 / scale : 0;
        EACH(i, width) {
            ints nearest = __builtin_convertvector((AT(const floats, x + i) - low) * inverse + 0.5f, ints);
            AT(bytes, to.data + t * width + i) = __builtin_convertvector(nearest, bytes);
        }
        to.scale[t] = scale, to.low[t] = low;
    }
}

/* x (rows, width) = LayerNorm(x + y), or of x where y is NULL */
static void normalise(float *x, const float *y, long rows, long width, const float *const norms[2], float epsilon) {
    for (long t = 0; t < rows; t++, x += width) {
        floats sum = {}, squares = {};
        EACH(i, width) {
            if (y) AT(floats, x + i) += AT(const floats, y + t * width + i);
            sum += AT(floats, x + i);
        }
        float mean = sum_of(sum) / width;
        EACH(i, width) {
            floats d = AT(floats, x + i) - mean;
            squares += d * d;
        }
        float scale = 1 / sqrtf(sum_of(squares) / width + epsilon);
        EACH(i, width) {
            floats standard = (AT(floats, x + i) - mean) * scale;
            AT(floats, x + i) = standard * AT(const floats, norms[0] + i) + AT(const floats, norms[1] + i);
        }
    }
}

/* -- attention --------------------------------------------------------------------------------------------------------- */

typedef struct { /* what a call works in, cut out of one piece of memory */
    float *x, *y, *context, *scores, *answers;
    char *query, *key_value, *keys, *values, *shares;
    operand narrow, wide;
} memory;

/* The keys of a head as the weights of a product with queries: panels of 16 positions, 0 from `length` on. */
static void pack_keys(int form, const char *from, long stride, long length, long padded, long width, char *to) {
    long count = width * size_of(form) / 4;
    for (long t = 0; t < padded; t++)
        for (long k = 0; k < count; k++)
            AT(word, to + t / 16 * 64 * count + 64 * k + t % 16 * 4) = t < length ? AT(const word, from + t * stride + 4 * k) : 0;
}

/* The values of a head as the weights of a product with shares of attention: panels of 16 of its D numbers. */
static void pack_values(int form, const char *from, long stride, long length, long padded, long width, char *to) {
    long size = size_of(form), count = padded * size / 4;
    for (long n = 0; n < width; n += 16)
        for (long t = 0; t < padded; t++)
            for (long i = 0; i < 16; i++) {
                char *place = to + n * 4 * count + t * size / 4 * 64 + i * 4 + t * size % 4;
                const char *value = from + t * stride + (n + i) * size;
                if (form == FLOAT32) AT(number, place) = t < length ? AT(const number, value) : 0;
                else AT(half, place) = t < length ? AT(const half, value) : 0;
            }
}

/* Softmax of scores (rows, padded) over the first `length`, without its division: the divisors (rows,) are left to the caller. */
static void soften(int form, float *scores, long rows, long length, long padded, char *shares, float *divisors) {
    long size = size_of(form), whole = round_up(length, LANES);
    for (long t = 0; t < rows; t++, scores += padded, shares += padded * size) {
        for (long i = length; i < whole; i++) scores[i] = -INFINITY;
        floats high = AT(floats, scores), sum = {};
        EACH(i, length) high = larger(high, AT(floats, scores + i));
        float most = largest_of(high);
        EACH(i, length) {
            floats x = AT(floats, scores + i), share = choose(x > -INFINITY, exponential(x - most), (floats){});
            sum += share;
            store(form, shares + i * size, share);
        }
        memset(shares + whole * size, 0, (padded - whole) * size);
        divisors[t] = sum_of(sum);
    }
}

/* m->context (queries, H) of each row's queries: all of its tokens, or the first */
static void attend(int form, const network *n, memory *m, const int32_t *lengths, long rows, int first_only) {
    long hidden = n->hidden, width = hidden / n->heads, size = size_of(form), first = 0;
    const char *text = m->key_value;
    for (long s = 0; s < rows; s++) {
        long length = lengths[s], padded = round_up(length, 32), queries = first_only ? 1 : length;
        for (long h = 0; h < n->heads; h++) {
            const char *keys = text + h * width * size;
            pack_keys(form, keys, 2 * hidden * size, length, padded, width, m->keys);
            pack_values(form, keys + hidden * size, 2 * hidden * size, length, padded, width, m->values);
            for (long t = 0; t < queries; t += QUERIES) {
                long count = queries - t < QUERIES ? queries - t : QUERIES, place = (first + t) * hidden + h * width;
                float divisors[QUERIES], *context = m->context + place;
                product(form, m->query + place * size, hidden * size, m->keys, width * size / 4, count, padded, m->scores, padded);
                soften(form, m->scores, count, length, padded, m->shares, divisors);
                product(form, m->shares, padded * size, m->values, padded * size / 4, count, width, context, hidden);
                for (long r = 0; r < count; r++) EACH(i, width) AT(floats, context + r * hidden + i) /= divisors[r];
            }
        }
        text += length * 2 * hidden * size, first += queries;
    }
}

/* -- the encoder ------------------------------------------------------------------------------------------------------- */

INLINE void *take(char **room, long bytes) {
    char *taken = *room;
    *room += round_up(bytes, 64);
    return taken;
}

static operand take_operand(char **room, int kind, long tokens, long width) {
    operand taken;
    taken.data = take(room, tokens * width * size_of(kind));
    taken.scale = take(room, tokens * 4);
    taken.low = take(room, tokens * 4);
    return taken;
}

/* The memory of a call that has `tokens` tokens, the longest row `longest` of them; returns its end. */
static char *share_out(const network *n, long tokens, long longest, char *room, memory *m) {
    long hidden = n->hidden, most = hidden > n->embedding ? hidden : n->embedding, intermediate = n->layer->intermediate.outputs;
    long padded = round_up(longest, 32), head = hidden / n->heads;
    tokens += SPARE;
    m->x = take(&room, tokens * most * 4);
    m->y = take(&room, tokens * hidden * 4);
    m->context = take(&room, tokens * hidden * 4);
    m->query = take(&room, tokens * hidden * 4);
    m->key_value = take(&room, tokens * 2 * hidden * 4);
    m->keys = take(&room, padded * head * 4);
    m->values = take(&room, padded * head * 4);
    m->scores = take(&room, (QUERIES + SPARE) * padded * 4);
    m->shares = take(&room, (QUERIES + SPARE) * padded * 4);
    m->narrow = take_operand(&room, n->kind, tokens, most);
    m->wide = take_operand(&room, n->kind, tokens, intermediate);
    m->answers = take(&room, n->kind == INT8 ? (SLICE + SPARE) * intermediate * 4 : 0);
    return room;
}

/* m->wide from m->narrow, in bytes: the range of a row is known when all of it is, so some rows are float32 first. */
static void feed_bytes(const layer *l, memory *m, long tokens) {
    const dense *d = &l->intermediate;
    for (long t = 0, step; t < tokens; t += step) {
        step = tokens - t < SLICE ? tokens - t : SLICE;
        operand from = {m->narrow.data + t * d->inputs, m->narrow.scale + t, m->narrow.low + t};
        operand to = {m->wide.data + t * d->outputs, m->wide.scale + t, m->wide.low + t};
        linear(INT8, d, from, step, 1, FLOAT32, (char *)m->answers);
        prepare(INT8, m->answers, step, d->outputs, to);
    }
}

/* m->x (T, H), and with it m->narrow, one layer further; with first_only of the first token of each row, (rows, H) */
static void run_layer(int kind, const network *n, const layer *l, memory *m, const int32_t *lengths, long rows, long tokens,
                      int first_only) {
    int form = kind == FLOAT32 ? FLOAT32 : INNER;
    long hidden = n->hidden;
    linear(kind, &l->key_value, m->narrow, tokens, 0, form, m->key_value);
    if (first_only) {
        for (long s = 0, token = 0; s < rows; token += lengths[s++])
            memmove(m->x + s * hidden, m->x + token * hidden, hidden * sizeof(float));
        tokens = rows;
        prepare(kind, m->x, tokens, hidden, m->narrow);
    }
    linear(kind, &l->query, m->narrow, tokens, 0, form, m->query);
    attend(form, n, m, lengths, rows, first_only);
    prepare(kind, m->context, tokens, hidden, m->narrow);
    linear(kind, &l->attention, m->narrow, tokens, 0, FLOAT32, (char *)m->y);
    normalise(m->x, m->y, tokens, hidden, l->norms, n->epsilon);
    prepare(kind, m->x, tokens, hidden, m->narrow);
    if (kind == INT8) feed_bytes(l, m, tokens);
    else linear(kind, &l->intermediate, m->narrow, tokens, 1, kind, m->wide.data);
    linear(kind, &l->output, m->wide, tokens, 0, FLOAT32, (char *)m->y);
    normalise(m->x, m->y, tokens, hidden, l->norms + 2, n->epsilon);
    prepare(kind, m->x, tokens, hidden, m->narrow);
}

static void embed(const network *n, memory *m, const int32_t *ids, const int32_t *types, const int32_t *positions, long tokens) {
    long width = n->embedding;
    for (long t = 0; t < tokens; t++) {
        const float *word = n->word_table + ids[t] * width, *type = n->type_table + types[t] * width;
        const float *position = n->position_table + positions[t] * width;
        EACH(i, width) {
            floats sum = AT(const floats, word + i) + AT(const floats, type + i);
            AT(floats, m->x + t * width + i) = sum + AT(const floats, position + i);
        }
    }
    normalise(m->x, 0, tokens, width, n->norms, n->epsilon);
    prepare(n->kind, m->x, tokens, width, m->narrow);
    if (!n->is_projected) return;
    linear(n->kind, &n->project, m->narrow, tokens, 0, FLOAT32, (char *)m->x);
    prepare(n->kind, m->x, tokens, n->hidden, m->narrow);
}

static int are_in(const int32_t *numbers, long count, long limit) {
    for (long i = 0; i < count; i++)
        if (numbers[i] < 0 || numbers[i] >= limit) return 0;
    return 1;
}

/* Bytes of memory that `encode` works in. */
long encode_bytes(const network *n, long tokens, long longest) {
    memory m;
    char *nowhere = (char *)64;
    return share_out(n, tokens, longest, nowhere, &m) - nowhere;
}

/* Hidden states (T, H) of rows of `lengths` tokens (at least one), one after the other; with first_only (rows, H) of the first
   of each. `room` begins at a multiple of 64. Answers 0, or what has a number outside its table: 1 ids, 2 types, 3 positions. */
int encode(const network *n, const int32_t *ids, const int32_t *types, const int32_t *positions, const int32_t *lengths,
           long rows, int first_only, char *room, float *out) {
    long tokens = 0, longest = 0;
    for (long s = 0; s < rows; s++) tokens += lengths[s], longest = lengths[s] > longest ? lengths[s] : longest;
    if (!are_in(ids, tokens, n->vocabulary)) return 1;
    if (!are_in(types, tokens, n->types)) return 2;
    if (!are_in(positions, tokens, n->positions)) return 3;
    memory m;
    share_out(n, tokens, longest, room, &m);
    configure(1);
    embed(n, &m, ids, types, positions, tokens);
    for (long i = 0; i < n->layers; i++)
        run_layer(n->kind, n, n->layer + i, &m, lengths, rows, tokens, first_only && i == n->layers - 1);
    configure(0);
    memcpy(out, m.x, (first_only ? rows : tokens) * n->hidden * sizeof(float));
    return 0;
}

/* -- weights, and a layer alone ---------------------------------------------------------------------------------------- */

/* The kinds this processor multiplies in, a bit each. Asks the system for the use of tiles: call it first. */
int kinds(void) {
    int found = 1 << FLOAT32;
#ifdef __AVX512BF16__
    found |= 1 << BFLOAT16;
#endif
#ifdef __AVX512VNNI__
    found |= 1 << INT8;
#endif
#ifdef TILES
    has_tiles = syscall(SYS_arch_prctl, 0x1023, 18) == 0; /* ARCH_REQ_XCOMP_PERM, XFEATURE_XTILE_DATA */
#endif
    return found;
}

/* weight (outputs, inputs) as panels; of bytes also the scale and the total, (outputs,), that `dense` has. */
void pack(int kind, const float *weight, long outputs, long inputs, char *panels, float *scale, float *total) {
    long size = size_of(kind), count = inputs * size / 4;
    for (long n = 0; n < outputs; n++, weight += inputs) {
        float most = 0;
        long sum = 0;
        for (long i = 0; kind == INT8 && i < inputs; i++) most = fabsf(weight[i]) > most ? fabsf(weight[i]) : most;
        float inverse = most > 0 ? 127 / most : 0;
        for (long i = 0; i < inputs; i++) {
            char *place = panels + n / 16 * 64 * count + i * size / 4 * 64 + n % 16 * 4 + i * size % 4;
            if (kind == FLOAT32) AT(number, place) = weight[i];
            else if (kind == BFLOAT16) AT(half, place) = rounded(AT(const word, weight + i));
            else sum += AT(int8_t, place) = lrintf(weight[i] * inverse);
        }
        scale[n] = most / 127, total[n] = scale[n] * sum;
    }
}

/* Bytes of memory that `apply` works in. */
long apply_bytes(int kind, long rows, long inputs) { return (rows + SPARE) * (inputs * size_of(kind) + 8) + 192; }

/* A linear layer alone: x (rows, inputs) -> out (rows, outputs). */
void apply(int kind, const dense *l, const float *x, long rows, int is_gelu, char *room, float *out) {
    operand narrow = take_operand(&room, kind, rows + SPARE, l->inputs);
    configure(1);
    prepare(kind, x, rows, l->inputs, narrow);
    linear(kind, l, narrow, rows, is_gelu, FLOAT32, (char *)out);
    configure(0);
}
