/*
 * module.h -- parts that need a library of their own, or a licence of its own:
 * loaded when they are asked for.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_MODULE_H
#define LM_MODULE_H

#include <stddef.h>

/* The directory that this code was loaded from, as the loader names it and without
 * a slash at its end: so many bytes of *dir. 0: it is not known. */
size_t lm_module_dir(const char **dir);

/*
 * `symbol` of lazymap-NAME.so, looked for beside the code that calls, in
 * lazymap/ there, and where it was installed. NULL: it is not here. In ordinary
 * context; it stays loaded.
 */
void *lm_module_load(const char *name, const char *symbol);

#endif
