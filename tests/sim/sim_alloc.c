/* SPDX-License-Identifier: Apache-2.0 */
/* The data path allocates nothing: the linker sends our calls of the allocator through here. */
#include <stdio.h>
#include <stdlib.h>

#include "sim_net.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

static bool forbidden;

void sim_alloc_forbid(bool is_forbidden)
{
    forbidden = is_forbidden;
}

static void check(const char *call)
{
    if (!forbidden)
        return;
    fprintf(stderr, "sim: an engine called %s on the data path\n", call);
    abort();
}

void *__wrap_malloc(size_t size)
{
    check("malloc");
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    check("calloc");
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    check("realloc");
    return __real_realloc(old, size);
}
