/*
 * own-store.c -- memory that is computed when it is looked at. The area is a
 * table of the primes below 10^12, one bit for each number, 116 GiB in all; a
 * callback sieves the part that is touched, and nothing else is ever computed.
 * The program then uses the table as if it had always been there, and compares
 * with what is known of the primes.
 *
 *	own-store
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <lazymap.h>

#define LIMIT 1000000000000ULL /* the square of ROOT */
#define ROOT 1000000

/* The primes below ROOT: all that is needed to sieve up to LIMIT. */
static uint32_t primes[80000];
static size_t prime_count;

static void find_primes(void)
{
	static unsigned char composite[ROOT];
	size_t i, j;

	for (i = 2; i < ROOT; i++) {
		if (composite[i])
			continue;
		primes[prime_count++] = (uint32_t)i;
		for (j = i * i; j < ROOT; j += i)
			composite[j] = 1;
	}
}

/* The store's read: bit n of the table is set if n is prime. */
static int sieve(void *data, void *buf, size_t len, off_t offset)
{
	uint64_t first = (uint64_t)offset * 8, end = first + len * 8, n;
	unsigned char *bits = buf;
	size_t i;

	memset(bits, 0xff, len);
	for (i = 0; i < prime_count; i++) {
		uint64_t p = primes[i];

		if (p * p >= end)
			break;
		n = (first + p - 1) / p * p;
		for (n = n < p * p ? p * p : n; n < end; n += p)
			bits[(n - first) / 8] &=
				(unsigned char)~(1 << (n - first) % 8);
	}
	if (first == 0)
		bits[0] &= 0xfc;     /* 0 and 1 */
	++*(_Atomic unsigned *)data; /* reads may run at once */
	return 0;
}

static int is_prime(const unsigned char *table, uint64_t n)
{
	return table[n / 8] >> n % 8 & 1;
}

static unsigned count(const unsigned char *table, uint64_t from, uint64_t to)
{
	unsigned found = 0;

	for (; from < to; from++)
		found += (unsigned)is_prime(table, from);
	return found;
}

int main(void)
{
	static const struct lazymap_store_ops ops = {
		.size = sizeof(ops),
		.version = LAZYMAP_STORE_VERSION,
		.read = sieve,
	};
	const size_t len = LIMIT / 8;
	_Atomic unsigned calls = 0;
	unsigned small, middle;
	struct lazymap_stats stats;
	unsigned char *table;
	uint64_t n;

	find_primes();
	table = lazymap_map_store(NULL, len, PROT_READ, MAP_PRIVATE, &ops,
				  &calls, 0);
	if (table == LAZYMAP_FAILED) {
		perror("lazymap_map_store");
		return 1;
	}
	small = count(table, 0, 1000000);
	printf("%u primes below a million\n", small);
	for (n = LIMIT - 1; !is_prime(table, n); n--)
		;
	printf("%llu is the largest below 10^12\n", (unsigned long long)n);
	middle = count(table, 500000000000ULL, 500000001000ULL);
	printf("%u in the thousand from 5 * 10^11\n", middle);

	if (lazymap_stats(&stats, sizeof(stats)))
		return 1;
	printf("%zu bytes of table; computed %llu, in %u calls\n", len,
	       (unsigned long long)stats.bytes_filled, calls);
	if (lazymap_unmap(table, len))
		return 1;
	return small != 78498 || n != 999999999989ULL || middle != 35;
}
