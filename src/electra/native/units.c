/* Lines of text to ids: WordPiece over UTF-8, in one pass.

A unit is one ASCII mark, or what stands between white space and such marks. Short units are kept with their ids in a
cache, where the newer takes the place of the older; others are spelled out, one character after another. Unusual here:
no rule of Unicode. What a character becomes is asked of the caller when it is first met. */

#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the keys of units are compared as little-endian numbers"
#endif

enum {
    LETTERS = 100,       /* a word of more is unknown; also the most ids of a word */
    ROOM = LETTERS + 16, /* ids one character can lead to: a word ends, and each byte it becomes is another */
    SHORT = 15,          /* bytes of a unit that is kept */
    FEW = 4,             /* ids of a unit that is kept */
    SPAN = 256,          /* bytes whose units are looked up together, so that memory is waited for once */
};

typedef uint8_t Bytes __attribute__((vector_size(16)));
typedef struct { uint8_t size, bytes[15]; } Character; /* what it becomes, ' ' ends a word; size + 1, 0: unknown */
typedef struct { uint32_t from; int32_t piece; } Node; /* from: the node before << 8 | the byte between; 0: no node */
typedef struct { uint64_t low, high; } Key;            /* the bytes of a unit; in bits 120 to 123 how many */
typedef struct { Key key; int32_t ids[FEW]; } Slot;    /* in bits 124 to 127 of the key, how many ids */
typedef struct { int64_t at; Key key; Slot *slot; } Unit;

typedef struct {
    const Character *characters; /* by code point, 2^21 of them */
    Node *nodes;                 /* the pieces as a tree, in a hash table; piece is -1 where none ends */
    Slot *slots;
    uint32_t last_node, last_slot; /* 2^n - 1 */
    uint32_t continued;            /* the node of "##" */
    int32_t unknown;
    int64_t at, line;      /* how far the text is read, and lengths are complete */
    int64_t letters, size; /* of the word that is open; it may go on in the next text */
    uint8_t word[4 * LETTERS];
} Reader;

/* 1: white space, 2: a mark */
static const uint8_t KIND[256] = {
    ['\t'] = 1, ['\n'] = 1, ['\r'] = 1, [' '] = 1,
    ['!' ... '/'] = 2, [':' ... '@'] = 2, ['[' ... '`'] = 2, ['{' ... '~'] = 2,
};

/* Where the node behind `node` and `byte` is, or would be. Places come from keys alone, so a walk need not wait. */
static inline uint32_t follow(const Reader *r, uint32_t node, uint8_t byte) {
    uint32_t from = node << 8 | byte, place = (from * 0x9E3779B97F4A7C15u >> 40) & r->last_node;
    while (r->nodes[place].from && r->nodes[place].from != from) place = (place + 1) & r->last_node;
    return place;
}

/* Make the tree of `count` pieces, which stand one after another in `bytes`, each up to its end. Returns how many nodes.
   Node 0 is no node, 1 the root. */
int64_t plant(Reader *r, const uint8_t *bytes, const int64_t *ends, const int32_t *ids, int64_t count) {
    int64_t at = 0, made = 2;
    r->nodes[0].from = r->nodes[1].from = UINT32_MAX;
    for (int64_t i = 0; i < count; i++) {
        uint32_t node = 1;
        for (; at < ends[i]; at++) {
            uint32_t next = follow(r, node, bytes[at]);
            if (!r->nodes[next].from) {
                r->nodes[next] = (Node){node << 8 | bytes[at], -1};
                made++;
            }
            node = next;
        }
        r->nodes[node].piece = ids[i];
    }
    r->continued = follow(r, follow(r, 1, '#'), '#');
    return made;
}

/* The ids of the open word, always the longest piece that fits; closes it. Returns how many. */
static int64_t close_word(Reader *r, int32_t *ids) {
    int64_t count = 0, size = r->size, stop = 0;
    int is_known = r->letters <= LETTERS;
    if (!r->letters) return 0;
    r->letters = r->size = 0;
    for (int64_t start = 0; is_known && start < size; start = stop, count++) {
        uint32_t node = start ? r->continued : 1;
        for (int64_t i = start; i < size; i++) {
            node = follow(r, node, r->word[i]);
            if (!r->nodes[node].from) break;
            if (r->nodes[node].piece < 0) continue;
            ids[count] = r->nodes[node].piece;
            stop = i + 1;
        }
        is_known = stop > start;
    }
    if (is_known) return count;
    ids[0] = r->unknown;
    return 1;
}

/* The code point at `text`, and its bytes. */
static inline uint32_t decode(const uint8_t *text, int *size) {
    uint32_t c = text[0];
    *size = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    if (c < 0x80) return c;
    if (c < 0xE0) return (c & 31) << 6 | (text[1] & 63);
    if (c < 0xF0) return (c & 15) << 12 | (text[1] & 63) << 6 | (text[2] & 63);
    return (c & 7) << 18 | (text[1] & 63) << 12 | (text[2] & 63) << 6 | (text[3] & 63);
}

/* Read the unit at *at, or the rest of it, character by character. False where that stopped before its end. */
static int spell(
    Reader *r, const uint8_t *text, int64_t *at, int64_t size, int32_t *ids, int64_t room, int64_t *count
) {
    int is_mark = KIND[text[*at]], is_whole = 0, bytes;
    while (*at < size && !is_whole) {
        const Character *becomes = &r->characters[decode(text + *at, &bytes)];
        if (!becomes->size || room - *count < ROOM) return 0;
        for (int i = 0; i + 1 < becomes->size; i++) {
            uint8_t byte = becomes->bytes[i];
            if (byte == ' ') {
                *count += close_word(r, ids + *count);
                continue;
            }
            r->letters += (byte & 0xC0) != 0x80;
            if (r->letters <= LETTERS) r->word[r->size++] = byte;
        }
        *at += bytes;
        is_whole = is_mark || KIND[text[*at]];
    }
    if (*at < size) *count += close_word(r, ids + *count);
    return 1;
}

/* 64 bytes that are 0 or 1 as bits. */
static inline uint64_t bits_of(const uint8_t *are) {
    uint64_t eight, bits = 0;
    for (int i = 0; i < 64; i += 8) {
        memcpy(&eight, are + i, 8);
        bits |= eight * 0x0102040810204080u >> 56 << i;
    }
    return bits;
}

/* Of 64 bytes, a bit for each that ends a unit, and for each that stands alone: marks and line ends. */
static inline void classify(const uint8_t *text, uint64_t *ends, uint64_t *alone) {
    uint8_t are_ends[64], are_alone[64];
    for (int i = 0; i < 64; i += 16) {
        Bytes c, is_alone, is_end;
        memcpy(&c, text + i, 16);
        is_alone = (Bytes)(c - '!' < 15) | (Bytes)(c - ':' < 7) | (Bytes)(c - '[' < 6) | (Bytes)(c - '{' < 4);
        is_alone = 1 & (is_alone | (Bytes)(c == '\n'));
        is_end = 1 & (is_alone | (Bytes)(c == ' ') | (Bytes)(c == '\t') | (Bytes)(c == '\r'));
        memcpy(are_alone + i, &is_alone, 16);
        memcpy(are_ends + i, &is_end, 16);
    }
    *ends = bits_of(are_ends);
    *alone = bits_of(are_alone);
}

/* The key of a unit and the place where it is, if it is kept. */
static inline Slot *find(const Reader *r, const uint8_t *text, int size, Key *key) {
    memcpy(key, text, 16);
    key->low &= size < 8 ? (1ull << 8 * size) - 1 : UINT64_MAX;
    key->high &= size > 8 ? (1ull << 8 * (size - 8)) - 1 : 0;
    key->high |= (uint64_t)size << 56;
    uint64_t hash = (key->low ^ key->high * 0x9E3779B97F4A7C15u) * 0xD6E8FEB86659FD93u;
    Slot *slot = &r->slots[hash >> 32 & r->last_slot];
    __builtin_prefetch(slot);
    return slot;
}

/* The units, and line ends, that begin in the next SPAN bytes; no slot for a long one, or one that the text may cut. */
static int collect(const Reader *r, const uint8_t *text, int64_t from, int64_t size, int is_begin, Unit *units) {
    uint64_t ends, alone, next_ends, next_alone;
    int count = 0;
    classify(text + from, &ends, &alone);
    for (int64_t base = from; base < size && base < from + SPAN; base += 64, ends = next_ends, alone = next_alone) {
        classify(text + base + 64, &next_ends, &next_alone);
        uint64_t starts = alone | (~ends & (ends << 1 | is_begin));
        if (size - base < 64) starts &= (1ull << (size - base)) - 1;
        for (; starts; starts &= starts - 1) {
            int start = __builtin_ctzll(starts);
            uint64_t stops = ends >> start >> 1 | next_ends << (63 - start) | (alone >> start & 1);
            int length = stops ? __builtin_ctzll(stops) + 1 : 64;
            Unit *unit = &units[count++];
            unit->at = base + start;
            unit->slot = length > SHORT || unit->at + length >= size ? 0 : find(r, text + unit->at, length, &unit->key);
        }
        is_begin = ends >> 63;
    }
    return count;
}

/* Read on from r->at. Returns how many ids were written, at most `room`, and adds each line's to its length.

It stops early where less than ROOM is left, or at an unknown character. Behind `size` 128 bytes are readable. */
int64_t encode(Reader *r, const uint8_t *text, int64_t size, int32_t *ids, int64_t room, int64_t *lengths) {
    int64_t count = 0, begun = 0, at = r->at, next;
    Unit units[SPAN];
    if (r->letters && at < size) {
        if (KIND[text[at]] == 1) count = close_word(r, ids);
        else if (!spell(r, text, &at, size, ids, room, &count)) goto out;
    }
    for (int is_begin = 1; at < size; at = next, is_begin = KIND[text[at - 1]] != 0) {
        int many = collect(r, text, at, size, is_begin, units);
        next = at + SPAN < size ? at + SPAN : size;
        for (Unit *unit = units; unit < units + many; unit++) {
            Slot *slot = unit->slot;
            at = unit->at;
            if (text[at] == '\n') {
                lengths[r->line++] += count - begun;
                begun = count;
                continue;
            }
            if (room - count < ROOM) goto out;
            if (slot && slot->key.low == unit->key.low && (slot->key.high ^ unit->key.high) << 4 == 0) {
                memcpy(ids + count, slot->ids, sizeof slot->ids);
                count += slot->key.high >> 60;
                continue;
            }
            int64_t first = count;
            if (!spell(r, text, &at, size, ids, room, &count)) goto out;
            if (slot && count - first <= FEW) {
                slot->key = (Key){unit->key.low, unit->key.high | (uint64_t)(count - first) << 60};
                memcpy(slot->ids, ids + first, (count - first) * sizeof *ids);
            }
            if (at > next) next = at;
        }
    }
out:
    if (count > begun) lengths[r->line] += count - begun;
    r->at = at;
    return count;
}
