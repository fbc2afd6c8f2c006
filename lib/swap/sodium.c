/*
 * sodium.c -- the cipher for the swap file: libsodium's ChaCha20. See cipher.h.
 *
 * Only confidentiality is asked of it: that bytes come back as they went is
 * checked by swap's own sums, which are in memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "swap/cipher.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

static int start(void)
{
	/* Chooses the processor's best code; 1: done before. */
	return sodium_init() < 0 ? -EIO : 0;
}

static void apply(void *buf, size_t len, const unsigned char *key,
		  uint64_t nonce)
{
	unsigned char bytes[crypto_stream_chacha20_NONCEBYTES];

	_Static_assert(crypto_stream_chacha20_KEYBYTES == LM_CIPHER_KEY, "key");
	_Static_assert(sizeof(bytes) == sizeof(nonce), "nonce");
	memcpy(bytes, &nonce, sizeof(nonce));
	crypto_stream_chacha20_xor(buf, buf, len, bytes, key);
}

extern const struct lm_cipher lm_cipher_module;
__attribute__((visibility("default")))
const struct lm_cipher lm_cipher_module = {
	.size = sizeof(lm_cipher_module),
	.version = LM_CIPHER_VERSION,
	.start = start,
	.apply = apply,
};
