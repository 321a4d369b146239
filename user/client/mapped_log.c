/* SPDX-License-Identifier: Apache-2.0 */
#include "client/mapped_log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int rj_mapped_log_acquire(rj_mapped_log_t **list, const char *path, rj_mapped_log_t **ret_log,
                          rj_err_t *err)
{
    for (rj_mapped_log_t *mapped = *list; mapped != NULL; mapped = mapped->next) {
        if (strcmp(mapped->path, path) == 0) {
            mapped->reference_count++;
            *ret_log = mapped;
            return 0;
        }
    }
    size_t path_bytes = strlen(path) + 1;
    rj_mapped_log_t *mapped = calloc(1, sizeof(*mapped) + path_bytes);
    if (mapped == NULL)
        return rj_fail(err, -ENOMEM, "%s: out of memory", path);
    int code = rj_log_map(&mapped->log, path, err);
    if (code < 0) {
        free(mapped);
        return code;
    }
    memcpy(mapped->path, path, path_bytes);
    mapped->reference_count = 1;
    mapped->list = list;
    mapped->next = *list;
    *list = mapped;
    *ret_log = mapped;
    return 0;
}

void rj_mapped_log_release(rj_mapped_log_t *mapped)
{
    if (mapped == NULL || --mapped->reference_count > 0)
        return;
    rj_mapped_log_t **at = mapped->list;
    while (*at != mapped)
        at = &(*at)->next;
    *at = mapped->next;
    rj_log_close(&mapped->log);
    free(mapped);
}
