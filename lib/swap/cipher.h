/*
 * cipher.h -- encrypting what goes to the swap file: a module, for it needs a
 * library (lazymap-swap-sodium.so, symbol `lm_cipher_module`).
 *
 * A key belongs to one file and lives as long as the process; a nonce is never
 * used twice with it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_SWAP_CIPHER_H
#define LM_SWAP_CIPHER_H

#include <stddef.h>
#include <stdint.h>

#define LM_CIPHER_VERSION 1
#define LM_CIPHER_KEY 32 /* bytes */

struct lm_cipher {
	size_t size;
	unsigned version;
	/* In ordinary context, once. 0 or -errno. */
	int (*start)(void);
	/* Encrypt, or decrypt, len bytes in place. Async-signal-safe. */
	void (*apply)(void *buf, size_t len, const unsigned char *key,
		      uint64_t nonce);
};

#endif
