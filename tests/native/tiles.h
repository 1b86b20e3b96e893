/* AMX's tiles in plain C, so that the code that uses them is tested on any machine: compile with -include tiles.h. */
#ifdef __x86_64__
#include <immintrin.h>
#endif
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define __AMX_BF16__ 1
#define __AMX_INT8__ 1
#define syscall(...) 0 /* the system allows tiles */

#undef _tile_loadconfig
#undef _tile_release
#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbf16ps
#undef _tile_dpbusd
#define _tile_loadconfig(config) (void)(config)
#define _tile_release() (void)0
#define _tile_zero(tile) memset(tiles[tile], 0, sizeof tiles[tile])
#define _tile_loadd(tile, from, stride) for (int r_ = 0; r_ < 16; r_++) memcpy(tiles[tile][r_], (const char *)(from) + r_ * (stride), 64)
#define _tile_stored(tile, to, stride) for (int r_ = 0; r_ < 16; r_++) memcpy((char *)(to) + r_ * (stride), tiles[tile][r_], 64)
#define _tile_dpbf16ps(to, x, weight) tile_product(to, x, weight, 0)
#define _tile_dpbusd(to, x, weight) tile_product(to, x, weight, 1)

static __thread uint32_t tiles[8][16][16];
long tile_products = 0; /* how many there were: a test shows that they are used */

static void tile_product(int to, int x, int weight, int is_bytes) {
    tile_products++;
    for (int m = 0; m < 16; m++)
        for (int k = 0; k < 16; k++)
            for (int n = 0; n < 16; n++) {
                uint32_t a = tiles[x][m][k], b = tiles[weight][k][n], *c = &tiles[to][m][n];
                if (is_bytes) {
                    for (int i = 0; i < 4; i++) *c += (int)(uint8_t)(a >> 8 * i) * (int)(int8_t)(b >> 8 * i);
                    continue;
                }
                float sum, parts[2][2];
                uint32_t bits[2][2] = {{a << 16, a & 0xffff0000}, {b << 16, b & 0xffff0000}};
                memcpy(&sum, c, 4);
                memcpy(parts, bits, sizeof parts);
                sum += parts[0][0] * parts[1][0] + parts[0][1] * parts[1][1];
                memcpy(c, &sum, 4);
            }
}
