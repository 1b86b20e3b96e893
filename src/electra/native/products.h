/* Products of activations and weights, in float32, bfloat16 or bytes, by vectors or by AMX's tiles.

One kernel serves all three. A weight (outputs, inputs) is kept in panels of 16 outputs; a panel holds, word after word of 32
bits along the inputs, that word of each of its outputs. A word is 1 float, 2 bfloat16 or 4 bytes, so a step of the kernel
is: 32 bits of a row, times as many bits of each output, added to a sum per output. Tiles read the same panels.

Rows may be read, and answers written, up to SPARE rows beyond the last. */

#pragma GCC optimize("no-tree-pre") /* it moves the kernel's sums out of the registers, which halves the speed (GCC 12) */

#include "numbers.h"
#if defined(__AMX_BF16__) && defined(__AMX_INT8__)
#define TILES
#include <sys/syscall.h>
#include <unistd.h>
#endif

enum { ROWS = 6, COLUMNS = LANES * VECTORS, TILE = 32, SPARE = 32 };

INLINE ints multiply(int kind, ints sum, ints weight, ints given) {
#ifdef __AVX512BF16__
    if (kind == BFLOAT16) return (ints)_mm512_dpbf16_ps((__m512)sum, (__m512bh)given, (__m512bh)weight);
#endif
#ifdef __AVX512VNNI__
    if (kind == INT8) return (ints)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)given, (__m512i)weight);
#endif
    return (ints)((floats)sum + (floats)given * (floats)weight);
}

/* Sums of `rows` rows and `vectors` vectors of outputs, over `count` words of inputs. */
INLINE void sums(int kind, int rows, int vectors, const char *x, long stride, const char *weight, long count, float *out,
                 long width) {
    ints sum[ROWS][VECTORS];
    UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < vectors; v++) sum[r][v] = (ints){};
    for (long k = 0; k < count; k++) {
        ints part[VECTORS];
        UNROLL for (int v = 0; v < vectors; v++) {
            int column = v * LANES;
            part[v] = AT(const ints, weight + column / 16 * 64 * count + column % 16 * 4 + 64 * k);
        }
        UNROLL for (int r = 0; r < rows; r++) {
            ints given = (ints){} + AT(const int32_t, x + r * stride + 4 * k);
            UNROLL for (int v = 0; v < vectors; v++) sum[r][v] = multiply(kind, sum[r][v], part[v], given);
        }
    }
    UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < vectors; v++) AT(floats, out + r * width + v * LANES) =
        kind == INT8 ? __builtin_convertvector(sum[r][v], floats) : (floats)sum[r][v];
}

/* A function each, for the registers' sake: `rows` rows of COLUMNS outputs, or six of one vector where fewer are left. */
typedef void kernel(const char *x, long stride, const char *weight, long count, float *out, long width);
#define KERNEL(kind, rows, vectors) \
    static __attribute__((noinline)) void kernel_##kind##_##rows##_##vectors( \
        const char *x, long stride, const char *weight, long count, float *out, long width) { \
        sums(kind, rows, vectors, x, stride, weight, count, out, width); \
    }
#define NAME(kind, rows, vectors) kernel_##kind##_##rows##_##vectors,
#define ALL(use, kind) use(kind, 1, VECTORS) use(kind, 2, VECTORS) use(kind, 3, VECTORS) use(kind, 4, VECTORS) \
    use(kind, 5, VECTORS) use(kind, 6, VECTORS) use(kind, 6, 1)
ALL(KERNEL, FLOAT32)
ALL(KERNEL, BFLOAT16)
ALL(KERNEL, INT8)
static kernel *const KERNELS[3][ROWS + 1] = {{ALL(NAME, FLOAT32)}, {ALL(NAME, BFLOAT16)}, {ALL(NAME, INT8)}};

static int has_tiles = 0;

#ifdef TILES
static void configure(int on) {
    struct { uint8_t palette, start, zeros[14]; uint16_t bytes[16]; uint8_t rows[16]; } tiles = {.palette = 1};
    for (int i = 0; i < 8; i++) tiles.bytes[i] = 64, tiles.rows[i] = 16;
    if (has_tiles && on) _tile_loadconfig(&tiles);
    if (has_tiles && !on) _tile_release();
}

#define TILE_PRODUCT(to, x, weight) \
    if (kind == BFLOAT16) _tile_dpbf16ps(to, x, weight); \
    else _tile_dpbusd(to, x, weight);

/* Sums of 16 or 32 rows and 32 outputs. */
INLINE void tile_sums(int kind, int rows, const char *x, long stride, const char *weight, long count, float *out, long width) {
    __asm__ volatile("" ::: "memory"); /* the compiler does not know that tiles are read from memory */
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (long k = 0; k < count; k += 16) {
        _tile_loadd(4, x + 4 * k, stride);
        _tile_loadd(6, weight + 64 * k, 64);
        _tile_loadd(7, weight + 64 * count + 64 * k, 64);
        TILE_PRODUCT(0, 4, 6)
        TILE_PRODUCT(1, 4, 7)
        if (rows <= 16) continue;
        _tile_loadd(5, x + 16 * stride + 4 * k, stride);
        TILE_PRODUCT(2, 5, 6)
        TILE_PRODUCT(3, 5, 7)
    }
    _tile_stored(0, out, width * 4);
    _tile_stored(1, out + 16, width * 4);
    if (rows > 16) {
        _tile_stored(2, out + 16 * width, width * 4);
        _tile_stored(3, out + 16 * width + 16, width * 4);
    }
    __asm__ volatile("" ::: "memory");
    if (kind == INT8) for (int r = 0; r < rows; r++) EACH(i, TILE)
        AT(floats, out + r * width + i) = __builtin_convertvector(AT(ints, out + r * width + i), floats);
}

static __attribute__((noinline)) void by_tiles(int kind, int rows, const char *x, long stride, const char *weight, long count,
                                               float *out, long width) {
    if (kind == BFLOAT16 && rows > 16) tile_sums(BFLOAT16, 32, x, stride, weight, count, out, width);
    else if (kind == BFLOAT16) tile_sums(BFLOAT16, 16, x, stride, weight, count, out, width);
    else if (rows > 16) tile_sums(INT8, 32, x, stride, weight, count, out, width);
    else tile_sums(INT8, 16, x, stride, weight, count, out, width);
}
#else
static void configure(int on) { (void)on; }
static void by_tiles(int kind, int rows, const char *x, long stride, const char *weight, long count, float *out, long width) {
    (void)kind, (void)rows, (void)x, (void)stride, (void)weight, (void)count, (void)out, (void)width;
}
#endif

INLINE int are_tiled(int kind, long count) { return has_tiles && kind != FLOAT32 && count % 16 == 0; }

/* How many of the rows left are taken next: a tile's, or about ROWS, as evenly as can be. */
INLINE long share(int tiled, long left) {
    if (tiled) return left < TILE ? left : TILE;
    return left / ((left + ROWS - 1) / ROWS);
}

/* Raw sums of `rows` rows and `columns` outputs. */
static void product(int kind, const char *x, long stride, const char *weight, long count, long rows, long columns, float *out,
                    long width) {
    for (long n = 0, wide; n < columns; n += wide) {
        int tiled = are_tiled(kind, count) && columns - n >= TILE, whole = columns - n >= COLUMNS;
        const char *panels = weight + n * 4 * count;
        wide = tiled ? TILE : whole ? COLUMNS : LANES;
        for (long t = 0, step; t < rows; t += step) {
            const char *from = x + t * stride;
            step = share(tiled, rows - t);
            if (tiled) by_tiles(kind, step, from, stride, panels, count, out + t * width + n, width);
            else KERNELS[kind][whole ? step - 1 : ROWS](from, stride, panels, count, out + t * width + n, width);
        }
    }
}
