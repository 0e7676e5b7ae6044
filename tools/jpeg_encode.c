/* SPDX-License-Identifier: MIT */
/**
 * Baseline JPEG (ITU-T T.81). firn only reads photographs; this writes the samples that
 * tools/quickstart and the tests begin with, so that neither needs another package. An MCU is
 * 16x16 pixels: four blocks of Y, then one each of Cb and Cr, averaged over 2x2 pixels.
 */
#include "jpeg_encode.h"

#include <math.h>
#include <string.h>

/* Table K.1 and K.2, in rows. */
static const uint8_t luma_quant[64] = {
    16, 11, 10, 16, 24,  40,  51,  61,  12, 12, 14, 19, 26,  58,  60,  55,
    14, 13, 16, 24, 40,  57,  69,  56,  14, 17, 22, 29, 51,  87,  80,  62,
    18, 22, 37, 56, 68,  109, 103, 77,  24, 35, 55, 64, 81,  104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
};
static const uint8_t chroma_quant[64] = {
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99,
    24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
};

/* Table K.3 to K.6: how many codes of each length, then their symbols. */
struct huffman_spec {
    uint8_t counts[16];
    uint8_t symbols[162];
};
static const struct huffman_spec specs[4] = {
    {{0, 1, 5, 1, 1, 1, 1, 1, 1}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
    {{0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7d},
     {0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61,
      0x07, 0x22, 0x71, 0x14, 0x32, 0x81, 0x91, 0xa1, 0x08, 0x23, 0x42, 0xb1, 0xc1, 0x15, 0x52,
      0xd1, 0xf0, 0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0a, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x25,
      0x26, 0x27, 0x28, 0x29, 0x2a, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45,
      0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64,
      0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x83,
      0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99,
      0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6,
      0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3,
      0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8,
      0xe9, 0xea, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa}},
    {{0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
    {{0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77},
     {0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61,
      0x71, 0x13, 0x22, 0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xa1, 0xb1, 0xc1, 0x09, 0x23, 0x33,
      0x52, 0xf0, 0x15, 0x62, 0x72, 0xd1, 0x0a, 0x16, 0x24, 0x34, 0xe1, 0x25, 0xf1, 0x17, 0x18,
      0x19, 0x1a, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44,
      0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63,
      0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a,
      0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97,
      0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4,
      0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca,
      0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7,
      0xe8, 0xe9, 0xea, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa}},
};

struct code {
    uint16_t bits;
    uint8_t length;
};

struct encoder {
    FILE *out;
    const uint8_t *rgb;
    int width, height;
    uint8_t quant[2][64];     /* luma, chroma; in rows */
    struct code codes[4][256]; /* by symbol: luma DC, luma AC, chroma DC, chroma AC */
    float cosine[8][8];       /* [frequency][sample], scaled so that the DCT is orthonormal */
    uint8_t zigzag[64];       /* place in rows of the k-th coefficient */
    int last_dc[3];
    uint32_t bits;            /* not yet written, `held` of them, the oldest on top */
    int held;
};

static void make_zigzag(uint8_t zigzag[64])
{
    int k = 0;
    for (int sum = 0; sum < 15; sum++) {
        for (int i = 0; i <= sum; i++) {
            int y = sum % 2 ? i : sum - i, x = sum - y;
            if (x < 8 && y < 8)
                zigzag[k++] = (uint8_t)(y * 8 + x);
        }
    }
}

static void make_codes(const struct huffman_spec *spec, struct code codes[256])
{
    const uint8_t *symbol = spec->symbols;
    unsigned code = 0;
    for (int length = 1; length <= 16; length++, code <<= 1) {
        for (int i = 0; i < spec->counts[length - 1]; i++)
            codes[*symbol++] = (struct code){(uint16_t)code++, (uint8_t)length};
    }
}

static void make_tables(struct encoder *e, int quality)
{
    int scale = quality < 50 ? 5000 / quality : 200 - 2 * quality;
    for (int i = 0; i < 64; i++) {
        for (int t = 0; t < 2; t++) {
            int q = ((t ? chroma_quant : luma_quant)[i] * scale + 50) / 100;
            e->quant[t][i] = (uint8_t)(q < 1 ? 1 : q > 255 ? 255 : q);
        }
    }
    for (int t = 0; t < 4; t++)
        make_codes(&specs[t], e->codes[t]);
    for (int u = 0; u < 8; u++) {
        for (int x = 0; x < 8; x++) {
            double c = cos((2 * x + 1) * u * 3.14159265358979323846 / 16) / 2;
            e->cosine[u][x] = (float)(u ? c : c * 0.70710678118654752440);
        }
    }
    make_zigzag(e->zigzag);
}

static void put16(FILE *out, int value)
{
    putc(value >> 8, out);
    putc(value & 0xFF, out);
}

static void put_headers(const struct encoder *e)
{
    static const uint8_t jfif[] = {0xFF, 0xD8, 0xFF, 0xE0, 0, 16, 'J', 'F', 'I', 'F',
                                   0,    1,    1,    0,    0, 1,  0,   1,   0,   0};
    static const uint8_t components[] = {3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1};
    static const uint8_t scan[] = {0xFF, 0xDA, 0, 12, 3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0};
    static const uint8_t table_class[] = {0x00, 0x10, 0x01, 0x11};
    fwrite(jfif, 1, sizeof(jfif), e->out);
    for (int t = 0; t < 2; t++) {
        put16(e->out, 0xFFDB);
        put16(e->out, 67);
        putc(t, e->out);
        for (int k = 0; k < 64; k++)
            putc(e->quant[t][e->zigzag[k]], e->out);
    }
    put16(e->out, 0xFFC0);
    put16(e->out, 17);
    putc(8, e->out);
    put16(e->out, e->height);
    put16(e->out, e->width);
    fwrite(components, 1, sizeof(components), e->out);
    for (int t = 0; t < 4; t++) {
        int n = 0;
        for (int i = 0; i < 16; i++)
            n += specs[t].counts[i];
        put16(e->out, 0xFFC4);
        put16(e->out, 19 + n);
        putc(table_class[t], e->out);
        fwrite(specs[t].counts, 1, 16, e->out);
        fwrite(specs[t].symbols, 1, (size_t)n, e->out);
    }
    fwrite(scan, 1, sizeof(scan), e->out);
}

static void put_bits(struct encoder *e, unsigned bits, int length)
{
    e->bits = e->bits << length | (bits & ((1u << length) - 1));
    e->held += length;
    while (e->held >= 8) {
        int byte = e->bits >> (e->held - 8) & 0xFF;
        putc(byte, e->out);
        if (byte == 0xFF) {
            putc(0, e->out); /* so that it is no marker */
        }
        e->held -= 8;
    }
}

/** A Huffman code whose symbol has the value's length in its lower half, then the value. */
static void put_value(struct encoder *e, int table, int run, int value)
{
    int length = 0;
    for (int rest = value < 0 ? -value : value; rest; rest >>= 1)
        length++;
    const struct code *code = &e->codes[table][run << 4 | length];
    put_bits(e, code->bits, code->length);
    if (length)
        put_bits(e, (unsigned)(value < 0 ? value - 1 : value), length);
}

static void forward_dct(const struct encoder *e, const float in[64], float out[64])
{
    float rows[64];
    for (int y = 0; y < 8; y++) {
        for (int u = 0; u < 8; u++) {
            float sum = 0;
            for (int x = 0; x < 8; x++)
                sum += in[y * 8 + x] * e->cosine[u][x];
            rows[y * 8 + u] = sum;
        }
    }
    for (int v = 0; v < 8; v++) {
        for (int u = 0; u < 8; u++) {
            float sum = 0;
            for (int y = 0; y < 8; y++)
                sum += rows[y * 8 + u] * e->cosine[v][y];
            out[v * 8 + u] = sum;
        }
    }
}

static void put_block(struct encoder *e, const float in[64], int component)
{
    int chroma = component > 0, run = 0;
    float dct[64];
    forward_dct(e, in, dct);
    int dc = (int)lrintf(dct[0] / e->quant[chroma][0]);
    put_value(e, 2 * chroma, 0, dc - e->last_dc[component]);
    e->last_dc[component] = dc;
    for (int k = 1; k < 64; k++) {
        int at = e->zigzag[k];
        int value = (int)lrintf(dct[at] / e->quant[chroma][at]);
        if (value == 0) {
            run++;
            continue;
        }
        for (; run > 15; run -= 16)
            put_bits(e, e->codes[2 * chroma + 1][0xF0].bits, e->codes[2 * chroma + 1][0xF0].length);
        put_value(e, 2 * chroma + 1, run, value);
        run = 0;
    }
    if (run)
        put_bits(e, e->codes[2 * chroma + 1][0].bits, e->codes[2 * chroma + 1][0].length);
}

/** Sixteen rows and columns of Y, Cb, Cr around 0; the picture's edge is repeated beyond it. */
static void load_mcu(const struct encoder *e, int x0, int y0, float ycc[3][16][16])
{
    for (int y = 0; y < 16; y++) {
        int py = y0 + y < e->height ? y0 + y : e->height - 1;
        for (int x = 0; x < 16; x++) {
            int px = x0 + x < e->width ? x0 + x : e->width - 1;
            const uint8_t *p = e->rgb + ((size_t)py * (size_t)e->width + (size_t)px) * 3;
            float r = p[0], g = p[1], b = p[2];
            ycc[0][y][x] = 0.299f * r + 0.587f * g + 0.114f * b - 128;
            ycc[1][y][x] = -0.168736f * r - 0.331264f * g + 0.5f * b;
            ycc[2][y][x] = 0.5f * r - 0.418688f * g - 0.081312f * b;
        }
    }
}

static void put_mcu(struct encoder *e, float ycc[3][16][16])
{
    float block[64];
    for (int quarter = 0; quarter < 4; quarter++) {
        for (int i = 0; i < 64; i++)
            block[i] = ycc[0][quarter / 2 * 8 + i / 8][quarter % 2 * 8 + i % 8];
        put_block(e, block, 0);
    }
    for (int c = 1; c < 3; c++) {
        for (int i = 0; i < 64; i++) {
            int y = i / 8 * 2, x = i % 8 * 2;
            block[i] = (ycc[c][y][x] + ycc[c][y][x + 1] + ycc[c][y + 1][x] +
                        ycc[c][y + 1][x + 1]) / 4;
        }
        put_block(e, block, c);
    }
}

void firn_jpeg_encode(FILE *out, const uint8_t *rgb, int width, int height, int quality)
{
    struct encoder e = {.out = out, .rgb = rgb, .width = width, .height = height};
    float ycc[3][16][16];
    make_tables(&e, quality);
    put_headers(&e);
    for (int y = 0; y < height; y += 16) {
        for (int x = 0; x < width; x += 16) {
            load_mcu(&e, x, y, ycc);
            put_mcu(&e, ycc);
        }
    }
    if (e.held) {
        put_bits(&e, 0x7F, 8 - e.held); /* ones fill the last byte */
    }
    put16(out, 0xFFD9);
}
