/* The encoder on rows without padding, in float32, bfloat16 or int8: what electra/inference/compiled.py calls.

Between the products all is float32: residuals, LayerNorm, softmax, GELU. Bytes: weights are signed, with a scale per output;
a row of activations is unsigned, between its own least and largest value.
T tokens, H hidden, I intermediate, D width of a head. Every width is a multiple of 16. `kind` is how weights are held, `form`
how activations are (FLOAT32 or BFLOAT16). Several threads may go through one call together, a `team`: each has a part of the
outputs, heads or tokens of every step, and they meet between steps; what comes out is the same for any number of them. */

#include "products.h"
#include "team.h"
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

/* A part of the outputs of a linear layer: answers (rows, outputs) in a form. */
static void linear(int kind, const dense *l, operand x, long rows, int is_gelu, int form, char *out, part outputs) {
    long stride = l->inputs * size_of(kind), count = stride / 4;
    int tiled = are_tiled(kind, count);
    for (long n = outputs.begin; n < outputs.end; n += COLUMNS) {
        long columns = outputs.end - n < COLUMNS ? outputs.end - n : COLUMNS;
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
    float *x, *y, *context;
    char *query, *key_value;
    operand narrow, wide;
    float *scores, *answers; /* from here on a thread's own */
    char *keys, *values, *shares;
    int32_t *lengths; /* (rows,) */
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

/* m->context (queries, H) of each row's queries, all of its tokens or the first: of some of the heads. What a product writes
   beyond a row's queries is in the columns of the same head, so a head is of one thread. */
static void attend(int form, const network *n, memory *m, long rows, int first_only, part heads) {
    long hidden = n->hidden, width = hidden / n->heads, size = size_of(form), first = 0;
    const char *text = m->key_value;
    for (long s = 0; s < rows; s++) {
        long length = m->lengths[s], padded = round_up(length, 32), queries = first_only ? 1 : length;
        for (long h = heads.begin; h < heads.end; h++) {
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

INLINE operand at(operand x, int kind, long token, long width) {
    return (operand){x.data + token * width * size_of(kind), x.scale + token, x.low + token};
}

static operand take_operand(char **room, int kind, long tokens, long width) {
    operand taken;
    taken.data = take(room, tokens * width * size_of(kind));
    taken.scale = take(room, tokens * 4);
    taken.low = take(room, tokens * 4);
    return taken;
}

/* The memory of thread `me` of `all` of a call with `tokens` tokens in `rows` rows, the longest of `longest`; returns its end. */
static char *share_out(const network *n, long rows, long tokens, long longest, long me, long all, char *room, memory *m) {
    long hidden = n->hidden, most = hidden > n->embedding ? hidden : n->embedding, intermediate = n->layer->intermediate.outputs;
    long padded = round_up(longest, 32), head = hidden / n->heads;
    tokens += SPARE;
    m->x = take(&room, tokens * most * 4);
    m->y = take(&room, tokens * hidden * 4);
    m->context = take(&room, tokens * hidden * 4);
    m->query = take(&room, tokens * hidden * 4);
    m->key_value = take(&room, tokens * 2 * hidden * 4);
    m->narrow = take_operand(&room, n->kind, tokens, most);
    m->wide = take_operand(&room, n->kind, tokens, intermediate);
    for (long thread = 0; thread < all; thread++) {
        memory unused, *own = thread == me ? m : &unused;
        own->keys = take(&room, padded * head * 4);
        own->values = take(&room, padded * head * 4);
        own->scores = take(&room, (QUERIES + SPARE) * padded * 4);
        own->shares = take(&room, (QUERIES + SPARE) * padded * 4);
        own->answers = take(&room, n->kind == INT8 ? (SLICE + SPARE) * intermediate * 4 : 0);
        own->lengths = take(&room, rows * sizeof(int32_t));
    }
    return room;
}

/* m->wide from m->narrow, in bytes: the range of a row is known when all of it is, so some rows are float32 first. */
static void feed_bytes(const dense *d, memory *m, part tokens) {
    for (long t = tokens.begin, step; t < tokens.end; t += step) {
        step = tokens.end - t < SLICE ? tokens.end - t : SLICE;
        linear(INT8, d, at(m->narrow, INT8, t, d->inputs), step, 1, FLOAT32, (char *)m->answers, (part){0, d->outputs});
        prepare(INT8, m->answers, step, d->outputs, at(m->wide, INT8, t, d->outputs));
    }
}

/* m->x = LayerNorm(m->x + m->y) of some tokens, and m->narrow of it */
static void add_norm(int kind, memory *m, part tokens, long width, const float *const norms[2], float epsilon) {
    long count = tokens.end - tokens.begin, place = tokens.begin * width;
    normalise(m->x + place, m->y + place, count, width, norms, epsilon);
    prepare(kind, m->x + place, count, width, at(m->narrow, kind, tokens.begin, width));
}

/* m->x (T, H), and with it m->narrow, one layer further; with first_only of the first token of each row, (rows, H) */
static void run_layer(int kind, const network *n, const layer *l, memory *m, long rows, long tokens, int first_only, team t) {
    int form = kind == FLOAT32 ? FLOAT32 : INNER;
    long hidden = n->hidden;
    part narrow = mine(t, hidden, COLUMNS);
    linear(kind, &l->key_value, m->narrow, tokens, 0, form, m->key_value, mine(t, 2 * hidden, COLUMNS));
    if (first_only) {
        meet(t);
        for (long s = 0, token = 0; s < rows && !t.me; token += m->lengths[s++])
            memmove(m->x + s * hidden, m->x + token * hidden, hidden * sizeof(float));
        if (!t.me) prepare(kind, m->x, rows, hidden, m->narrow);
        meet(t);
        tokens = rows;
    }
    part own = mine(t, tokens, 1);
    linear(kind, &l->query, m->narrow, tokens, 0, form, m->query, narrow);
    meet(t);
    attend(form, n, m, rows, first_only, mine(t, n->heads, 1));
    meet(t);
    prepare(kind, m->context + own.begin * hidden, own.end - own.begin, hidden, at(m->narrow, kind, own.begin, hidden));
    meet(t);
    linear(kind, &l->attention, m->narrow, tokens, 0, FLOAT32, (char *)m->y, narrow);
    meet(t);
    add_norm(kind, m, own, hidden, l->norms, n->epsilon);
    meet(t);
    if (kind == INT8) feed_bytes(&l->intermediate, m, own);
    else linear(kind, &l->intermediate, m->narrow, tokens, 1, kind, m->wide.data, mine(t, l->intermediate.outputs, COLUMNS));
    meet(t);
    linear(kind, &l->output, m->wide, tokens, 0, FLOAT32, (char *)m->y, narrow);
    meet(t);
    add_norm(kind, m, own, hidden, l->norms + 2, n->epsilon);
    meet(t);
}

typedef struct { /* the texts of a batch: ids, types and positions (T,) row after row; starts (B + 1,), where they begin */
    const int32_t *ids, *types, *positions;
    const int64_t *starts;
} texts;

/* m->x (T, H), and m->narrow, before the first layer */
static void embed(const network *n, memory *m, const texts *of, const int32_t *chosen, long rows, long tokens, team t) {
    long width = n->embedding;
    part own = mine(t, tokens, 1);
    for (long s = 0, first = 0; s < rows; first += m->lengths[s++])
        for (long i = 0; i < m->lengths[s]; i++) {
            if (first + i < own.begin || first + i >= own.end) continue;
            long from = of->starts[chosen[s]] + i;
            const float *word = n->word_table + of->ids[from] * width, *type = n->type_table + of->types[from] * width;
            const float *position = n->position_table + of->positions[from] * width;
            EACH(j, width) {
                floats sum = AT(const floats, word + j) + AT(const floats, type + j);
                AT(floats, m->x + (first + i) * width + j) = sum + AT(const floats, position + j);
            }
        }
    float *x = m->x + own.begin * width;
    normalise(x, 0, own.end - own.begin, width, n->norms, n->epsilon);
    prepare(n->kind, x, own.end - own.begin, width, at(m->narrow, n->kind, own.begin, width));
    meet(t);
    if (!n->is_projected) return;
    linear(n->kind, &n->project, m->narrow, tokens, 0, FLOAT32, (char *)m->x, mine(t, n->hidden, COLUMNS));
    meet(t);
    x = m->x + own.begin * n->hidden;
    prepare(n->kind, x, own.end - own.begin, n->hidden, at(m->narrow, n->kind, own.begin, n->hidden));
    meet(t);
}

static int are_in(const int32_t *numbers, long count, long limit) {
    for (long i = 0; i < count; i++)
        if (numbers[i] < 0 || numbers[i] >= limit) return 0;
    return 1;
}

/* Bytes of memory that `encode` works in. */
long encode_bytes(const network *n, long rows, long tokens, long longest, long all) {
    memory m;
    char *nowhere = (char *)64;
    return share_out(n, rows, tokens, longest, 0, all, nowhere, &m) - nowhere;
}

/* Hidden states of the rows `chosen` of some texts, each written to its place in `out`, (T, H); with first_only those of the
   first token of each row, in (B, H). `room` begins at a multiple of 64. Thread `me` of `all` that call this together, with a
   `meeting` of zeros. Answers 0, or what has a number outside its table: 1 ids, 2 types, 3 positions. */
int encode(const network *n, const int32_t *ids, const int32_t *types, const int32_t *positions, const int64_t *starts,
           const int32_t *chosen, long rows, int first_only, long me, long all, meeting *place, char *room, float *out) {
    const texts of = {ids, types, positions, starts};
    long tokens = 0, longest = 0, hidden = n->hidden;
    for (long s = 0; s < rows; s++) {
        long start = starts[chosen[s]], length = starts[chosen[s] + 1] - start;
        tokens += length, longest = length > longest ? length : longest;
        if (!are_in(ids + start, length, n->vocabulary)) return 1;
        if (!are_in(types + start, length, n->types)) return 2;
        if (!are_in(positions + start, length, n->positions)) return 3;
    }
    memory m;
    team t = {me, all, place};
    share_out(n, rows, tokens, longest, me, all, room, &m);
    for (long s = 0; s < rows; s++) m.lengths[s] = starts[chosen[s] + 1] - starts[chosen[s]];
    configure(1);
    embed(n, &m, &of, chosen, rows, tokens, t);
    for (long i = 0; i < n->layers; i++) run_layer(n->kind, n, n->layer + i, &m, rows, tokens, first_only && i == n->layers - 1, t);
    configure(0);
    for (long s = 0, first = 0; s < rows && !me; first += first_only ? 1 : m.lengths[s], s++) {
        long to = first_only ? chosen[s] : starts[chosen[s]], count = first_only ? 1 : m.lengths[s];
        memcpy(out + to * hidden, m.x + first * hidden, count * hidden * sizeof(float));
    }
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
    linear(kind, l, narrow, rows, is_gelu, FLOAT32, (char *)out, (part){0, l->outputs});
    configure(0);
}
