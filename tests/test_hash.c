/* SPDX-License-Identifier: MIT */
/** BLAKE2b against values of Python's hashlib, in one piece and in all others; XXH3. */
#include "check.h"

#include "base/hash.h"
#include "base/thread.h"

static uint8_t bytes[100000];

static void digest_text(const void *data, size_t n, char text[65])
{
    uint8_t digest[FIRN_HASH_SIZE];
    firn_hash(data, n, digest);
    firn_hex(digest, sizeof digest, text);
}

/* hashlib.blake2b(bytes[:n], digest_size=32).hexdigest() */
static const struct {
    size_t n;
    const char *digest;
} golden[] = {
    {0, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"},
    {1, "fb3d635c7cb573d1b9e9bff4a64ab4f25190d29b6fd8db94c605a218a23fa9ad"},
    {3, "4597f32a70c5c1acaeb36d76a709a9fb59f1b5310fb8722ab509207ce560bd3b"},
    {127, "c93e67778816a2731c4f09ac957329eccb0d15d47e654201a3db97d50dd27f77"},
    {128, "903b9d106cf71e43293a9dee38e064b1f47cd894a08fe547997c5226211d5317"},
    {129, "149ed42437952d0b34175db8a7c95d7c0bc6bbf2d0250daad45d758fa75445c6"},
    {255, "1ca79e2e07df8d755a598a3808d6c3230b265a16d84fd6299b17e963c8874ca6"},
    {256, "be3d158760d4013c9764305158eb423d85a65abe22b0cda8204daaf9d5eafe01"},
    {257, "373d16aa23b748489fdc1cc0c1cdaf4c98d765bde9f64c893170e7c6267a7cfa"},
    {1000, "2acada4eebe6b6781bdfa6ddca0114f53de062edf3fcc96ab15992b158dda243"},
    {100000, "df21cb03b1a58d542aeb99f7a35eac6cd0a0574ed19c4bbeb8224f5271798dcb"},
};

static void blake2b_equals_hashlib(void)
{
    char text[65];
    for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) {
        digest_text(bytes, golden[i].n, text);
        CHECK_STR(text, golden[i].digest);
    }
    digest_text("abc", 3, text);
    CHECK_STR(text, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
}

/** The digest over the digests of bytes[:0], bytes[:1], ... bytes[:1024]. */
static void every_short_length(void)
{
    struct firn_hasher chain;
    uint8_t digest[FIRN_HASH_SIZE];
    char text[65];
    firn_hash_init(&chain);
    for (size_t n = 0; n <= 1024; n++) {
        firn_hash(bytes, n, digest);
        firn_hash_update(&chain, digest, sizeof digest);
    }
    firn_hash_final(&chain, digest);
    firn_hex(digest, sizeof digest, text);
    CHECK_STR(text, "691f020c58605c11e33aca171eb88e1959332bfaa3943725c39f15f663c1fd1a");
}

static void pieces_do_not_matter(void)
{
    unsigned long long seed = 1;
    for (int round = 0; round < 500; round++) {
        size_t n = check_random(&seed) % 2000, at = 0;
        uint8_t whole[FIRN_HASH_SIZE], parts[FIRN_HASH_SIZE];
        struct firn_hasher h;
        firn_hash(bytes, n, whole);
        firn_hash_init(&h);
        while (at < n) {
            size_t part = check_random(&seed) % (round % 2 ? 300 : 20);
            part = part < n - at ? part : n - at;
            firn_hash_update(&h, bytes + at, part);
            at += part;
        }
        firn_hash_final(&h, parts);
        CHECK(memcmp(whole, parts, sizeof whole) == 0, "n = %zu", n);
    }
}

/* Any number of messages of any lengths, many of them equal, by all instructions there are. */
static void together_as_alone(void)
{
    static struct firn_hash_job job[20];
    static uint8_t digest[20][FIRN_HASH_SIZE];
    unsigned long long seed = 2;
    for (int round = 0; round < 300; round++) {
        size_t n = check_random(&seed) % 20, most = (size_t[]){300, 2000, 20000}[round % 3];
        for (size_t i = 0; i < n; i++)
            job[i] = (struct firn_hash_job){bytes + check_random(&seed) % 1000,
                                            check_random(&seed) % (most / 128) * 128 +
                                                check_random(&seed) % 3, digest[i]};
        firn_hash_many(round % 2 ? FIRN_CPU_GENERIC : firn_cpu_best(), job, n);
        for (size_t i = 0; i < n; i++) {
            uint8_t alone[FIRN_HASH_SIZE];
            firn_hash(job[i].bytes, job[i].n, alone);
            CHECK(memcmp(alone, digest[i], sizeof alone) == 0, "message %zu of %zu, %zu bytes", i,
                  n, job[i].n);
        }
    }
}

static void checksum_is_xxh3(void)
{
    CHECK(firn_checksum("", 0) == 0x2D06800538D394C2ull);
    CHECK(firn_checksum("a", 1) == 0xE6C632B61E964E1Full);
    CHECK(firn_checksum("abc", 3) == 0x78AF5F94892F3950ull);
    uint64_t all = firn_checksum(bytes, sizeof bytes);
    bytes[77777] ^= 4;
    CHECK(firn_checksum(bytes, sizeof bytes) != all);
    bytes[77777] ^= 4;
    CHECK(firn_checksum(bytes, sizeof bytes) == all);
}

/** Figures for those who ask, with --bench; decides nothing. */
static void bench(void)
{
    double best[3] = {0};
    uint8_t digest[8][FIRN_HASH_SIZE];
    struct firn_hash_job job[8];
    for (int i = 0; i < 8; i++)
        job[i] = (struct firn_hash_job){bytes + 100 * i, sizeof bytes - 1000, digest[i]};
    volatile uint64_t sink = 0;
    for (int i = 0; i < 200; i++) {
        int64_t t[4] = {firn_now_ns()};
        firn_hash(bytes, sizeof bytes, digest[0]);
        t[1] = firn_now_ns();
        firn_hash_many(firn_cpu_best(), job, 8);
        t[2] = firn_now_ns();
        sink = firn_checksum(bytes, sizeof bytes);
        t[3] = firn_now_ns();
        for (int k = 0; k < 3; k++) {
            size_t n = k == 1 ? 8 * job[0].n : sizeof bytes;
            double rate = (double)n / (double)(t[k + 1] - t[k]);
            best[k] = rate > best[k] ? rate : best[k];
        }
    }
    (void)sink;
    printf("blake2b-256 %.2f GB/s, of eight at once %.2f GB/s, xxh3-64 %.2f GB/s\n", best[0],
           best[1], best[2]);
}

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 167 + (i >> 8) * 13 + 5);
    if (argc > 1 && strcmp(argv[1], "--bench") == 0) {
        bench();
        return 0;
    }
    blake2b_equals_hashlib();
    every_short_length();
    pieces_do_not_matter();
    together_as_alone();
    checksum_is_xxh3();
    CHECK_DONE();
}
