/*
 * others.h -- VM areas that are not lazymap's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef OTHERS_H
#define OTHERS_H

#include <stddef.h>

/* What libraries have: n mappings of a page each, that never join. */
void others_map(size_t n);

#endif
