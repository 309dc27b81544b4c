/*
 * Makes the RSA keys that Debian's OpenSSL 0.9.8c-1 to 0.9.8g-8 made with `openssl genrsa` (CVE-2008-0166): README.md.
 *
 * For each process identifier from FROM to below TO, one line: machine, state of ~/.rnd, bits, process identifier, the first
 * 8 octets of the SHA-256 of the modulus (what the list is made of), the last 10 octets of the SHA-1 of "Modulus=..." (what
 * Debian's openssl-blacklist held), and the modulus.
 */

#include <openssl/bn.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POOL = 1023, MD = 20, HALF = MD / 2, PRIMES = 2048, OCTETS_MAX = 256 };

struct machine {
    const char *name;
    int word;       /* sizeof(long), sizeof(time_t) */
    int big_endian;
    int stat;       /* sizeof(struct stat) */
};

static const struct machine MACHINES[] = {{"i386", 4, 0, 88}, {"amd64", 8, 0, 144}, {"ppc", 4, 1, 88}};

/* rnd: ~/.rnd is read. noreadrnd: it exists and cannot be read. nornd: it does not exist. */
static const char *const FILES[] = {"rnd", "noreadrnd", "nornd"};
enum file { RND, NOREADRND, NORND };

/* The generator: what is added to it has a length and no content, which is the fault. */
struct generator {
    const struct machine *machine;
    uint32_t process;
    uint8_t pool[POOL + MD]; /* one octet beyond the pool is used: the index may be equal to the size */
    uint8_t md[MD];
    int index, filled, polled, stirred;
    uint64_t drawn, added;
};

static void hash_integer(SHA_CTX *sha, const struct machine *machine, int size, uint64_t value) {
    uint8_t octets[8];
    for (int i = 0; i < size; i++) octets[machine->big_endian ? size - 1 - i : i] = (uint8_t)(value >> (8 * i));
    SHA1_Update(sha, octets, (size_t)size);
}

static void hash_counters(SHA_CTX *sha, const struct generator *g, uint64_t drawn, uint64_t added) {
    hash_integer(sha, g->machine, g->machine->word, drawn);
    hash_integer(sha, g->machine, g->machine->word, added);
}

/* `length` octets of a pool of `size` from `at`, around its end. */
static void hash_pool(SHA_CTX *sha, const struct generator *g, int at, int length, int size) {
    int around = at + length - size;
    if (around < 0) around = 0;
    SHA1_Update(sha, g->pool + at, (size_t)(length - around));
    SHA1_Update(sha, g->pool, (size_t)around);
}

static void add(struct generator *g, int length) {
    int at = g->index;
    uint64_t added = g->added;
    uint8_t md[MD];
    memcpy(md, g->md, MD);
    g->index += length;
    if (g->index >= POOL) {
        g->index %= POOL;
        g->filled = POOL;
    } else if (g->filled < g->index) {
        g->filled = g->index;
    }
    g->added += (uint64_t)((length + MD - 1) / MD);
    for (int done = 0; done < length; done += MD) {
        int part = length - done < MD ? length - done : MD;
        SHA_CTX sha;
        SHA1_Init(&sha);
        SHA1_Update(&sha, md, MD);
        hash_pool(&sha, g, at, part, POOL);
        hash_counters(&sha, g, g->drawn, added++);
        SHA1_Final(md, &sha);
        for (int i = 0; i < part; i++) {
            g->pool[at++] ^= md[i];
            if (at >= POOL) at = 0;
        }
    }
    for (int i = 0; i < MD; i++) g->md[i] ^= md[i];
}

/* 32 octets of /dev/urandom, then process, user and time. */
static void poll(struct generator *g) {
    add(g, 32);
    for (int i = 0; i < 3; i++) add(g, g->machine->word);
    g->polled = 1;
}

static void draw(struct generator *g, uint8_t *out, int length) {
    if (!g->polled) poll(g);
    if (!g->stirred) {
        for (int left = POOL; left > 0; left -= MD) add(g, MD);
        g->stirred = 1;
    }
    int at = g->index, size = g->filled;
    uint64_t drawn = g->drawn++, added = g->added;
    uint8_t md[MD];
    memcpy(md, g->md, MD);
    g->index += (length + HALF - 1) / HALF * HALF;
    if (g->index > g->filled) g->index %= g->filled;
    SHA_CTX sha;
    for (int done = 0; done < length; done += HALF) {
        SHA1_Init(&sha);
        if (done == 0 && g->process != 0) hash_integer(&sha, g->machine, 4, g->process);
        SHA1_Update(&sha, md, MD);
        hash_counters(&sha, g, drawn, added);
        hash_pool(&sha, g, at, HALF, size);
        SHA1_Final(md, &sha);
        for (int i = 0; i < HALF; i++) {
            g->pool[at++] ^= md[i];
            if (at >= size) at = 0;
            if (done + i < length) out[done + i] = md[HALF + i];
        }
    }
    SHA1_Init(&sha);
    hash_counters(&sha, g, drawn, added);
    SHA1_Update(&sha, md, MD);
    SHA1_Update(&sha, g->md, MD);
    SHA1_Final(g->md, &sha);
}

static void start(struct generator *g, const struct machine *machine, enum file file, uint32_t process) {
    memset(g, 0, sizeof *g);
    g->machine = machine;
    g->process = process;
    if (file != NORND) add(g, machine->stat);
    if (file == RND) add(g, 1024);
    else poll(g);
}

static uint32_t primes[PRIMES];
static uint32_t powers[OCTETS_MAX / 2][PRIMES]; /* of 2^16, modulo each prime */

static void tabulate(void) {
    int found = 0;
    for (uint32_t n = 2; found < PRIMES; n++) {
        int i = 0;
        while (i < found && n % primes[i] != 0) i++;
        if (i == found) primes[found++] = n;
    }
    for (int i = 0; i < PRIMES; i++) {
        uint64_t power = 1;
        for (int j = 0; j < OCTETS_MAX / 2; j++, power = (power << 16) % primes[i]) powers[j][i] = (uint32_t)power;
    }
}

/* The making of one key, up to the candidate that is to be tested next. */
struct making {
    struct generator generator;
    int octets, rounds, has_p;
    uint8_t buffer[OCTETS_MAX];
    BIGNUM *candidate, *minus_one, *base, *result, *p;
    BN_MONT_CTX *montgomery;
};

static void number(struct making *m) {
    add(&m->generator, m->generator.machine->word); /* the time */
    draw(&m->generator, m->buffer, m->octets);
}

/* A number n such that neither n nor n - 1 has a small odd factor. */
static void next_candidate(struct making *m) {
    uint64_t sums[PRIMES] = {0};
    uint32_t residues[PRIMES], delta = 0;
    number(m);
    m->buffer[0] |= 0xc0;
    m->buffer[m->octets - 1] |= 1;
    for (int i = 0; i < m->octets / 2; i++) {
        const uint8_t *at = m->buffer + m->octets - 2 - 2 * i;
        uint64_t digit = (uint64_t)(at[0] << 8 | at[1]);
        for (int j = 0; j < PRIMES; j++) sums[j] += digit * powers[i][j];
    }
    for (int j = 0; j < PRIMES; j++) residues[j] = (uint32_t)(sums[j] % primes[j]);
    for (int j = 1; j < PRIMES; j++) {
        if ((residues[j] + delta) % primes[j] > 1) continue;
        delta += 2;
        j = 0;
    }
    BN_bin2bn(m->buffer, m->octets, m->candidate);
    BN_add_word(m->candidate, delta);
    BN_copy(m->minus_one, m->candidate);
    BN_sub_word(m->minus_one, 1);
}

/* A base for one round of Miller and Rabin's test: only how much is drawn for it matters. */
static void draw_base(struct making *m) {
    uint8_t limit[OCTETS_MAX];
    BN_bn2binpad(m->minus_one, limit, m->octets);
    do number(m);
    while (memcmp(m->buffer, limit, (size_t)m->octets) >= 0);
}

/* What follows on the test of the candidate. Whether it is the second prime of the key. */
static int follow(struct making *m, int prime) {
    for (int i = 0; i < (prime ? m->rounds : 1); i++) draw_base(m);
    if (prime && BN_mod_word(m->minus_one, 65537) != 0) {
        if (m->has_p) return 1;
        BN_copy(m->p, m->candidate);
        m->has_p = 1;
    }
    next_candidate(m);
    return 0;
}

static void print(const struct making *m, const char *file, BN_CTX *context) {
    BIGNUM *modulus = BN_new();
    BN_mul(modulus, m->p, m->candidate, context);
    uint8_t octets[2 * OCTETS_MAX], sha256[32], sha1[20];
    SHA256(octets, (size_t)BN_bn2bin(modulus, octets), sha256);
    char *hex = BN_bn2hex(modulus), line[4 * OCTETS_MAX + 16];
    SHA1((uint8_t *)line, (size_t)snprintf(line, sizeof line, "Modulus=%s\n", hex), sha1);
    printf("%s %s %d %u ", m->generator.machine->name, file, m->octets * 16, m->generator.process);
    for (int i = 0; i < 8; i++) printf("%02x", sha256[i]);
    printf(" ");
    for (int i = 10; i < 20; i++) printf("%02x", sha1[i]);
    printf(" %s\n", hex);
    OPENSSL_free(hex);
    BN_free(modulus);
}

int main(int argc, char **argv) {
    const struct machine *machine = NULL;
    int file = -1;
    for (int i = 0; i < 3 && argc == 6; i++) {
        if (strcmp(argv[1], MACHINES[i].name) == 0) machine = &MACHINES[i];
        if (strcmp(argv[2], FILES[i]) == 0) file = i;
    }
    int octets = argc == 6 ? atoi(argv[3]) / 16 : 0;
    if (machine == NULL || file < 0 || octets < 32 || octets > OCTETS_MAX || octets % 2 != 0) {
        fprintf(stderr, "usage: %s i386|amd64|ppc rnd|noreadrnd|nornd BITS FROM TO\n", argv[0]);
        return 2;
    }
    int process = atoi(argv[4]), end = atoi(argv[5]), bits = octets * 8;
    tabulate();
    /* Two keys at a time, since OpenSSL has a fast way to make two powers of 1024-bit numbers at once. */
    struct making makings[2];
    int live[2];
    BN_CTX *context = BN_CTX_new();
    for (int i = 0; i < 2; i++) {
        struct making *m = &makings[i];
        live[i] = process < end;
        *m = (struct making){.octets = octets, .rounds = bits >= 1300 ? 2 : bits >= 850 ? 3 : bits >= 650 ? 4 : bits >= 550 ? 5 : 6};
        m->candidate = BN_new(), m->minus_one = BN_new(), m->base = BN_new(), m->result = BN_new(), m->p = BN_new();
        m->montgomery = BN_MONT_CTX_new();
        start(&m->generator, machine, (enum file)file, (uint32_t)process++);
        next_candidate(m);
    }
    struct making *a = &makings[0], *b = &makings[1];
    while (live[0] || live[1]) {
        for (int i = 0; i < 2; i++) {
            struct making *m = &makings[i];
            BN_MONT_CTX_set(m->montgomery, m->candidate, context);
            /* -2: as good a base as 2, and as long as the fast way wants it. */
            BN_copy(m->base, m->candidate);
            BN_sub_word(m->base, 2);
        }
        BN_mod_exp_mont_consttime_x2(a->result, a->base, a->minus_one, a->candidate, a->montgomery, b->result, b->base, b->minus_one,
                                     b->candidate, b->montgomery, context);
        for (int i = 0; i < 2; i++) {
            struct making *m = &makings[i];
            if (!live[i] || !follow(m, BN_is_one(m->result))) continue;
            print(m, argv[2], context);
            live[i] = process < end;
            if (!live[i]) continue;
            m->has_p = 0;
            start(&m->generator, machine, (enum file)file, (uint32_t)process++);
            next_candidate(m);
        }
    }
    return 0;
}
