/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/capabilities.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shm/dir.h"

static const unsigned needed[] = {CAP_BPF, CAP_NET_ADMIN, CAP_NET_BIND_SERVICE};

enum { NEEDED_COUNT = sizeof(needed) / sizeof(needed[0]) };

static bool may_use(const char *path)
{
    return faccessat(AT_FDCWD, path, R_OK | W_OK | X_OK, AT_EACCESS) == 0;
}

/* Files come and go in the directory, and at the end it may be removed itself. */
static bool can_live_in(const char *directory)
{
    char parent[RJ_DIR_PATH_BYTES_MAX];
    const char *slash = strrchr(directory, '/');
    if (slash == NULL)
        return may_use(directory);
    snprintf(parent, sizeof(parent), "%.*s", slash == directory ? 1 : (int)(slash - directory),
             directory);
    return may_use(directory) && faccessat(AT_FDCWD, parent, W_OK | X_OK, AT_EACCESS) == 0;
}

static int failed(rj_err_t *err)
{
    return rj_fail(err, -EPERM, "cannot give up privileges: %s", strerror(errno));
}

static int apply(const bool kept[static NEEDED_COUNT], capng_type_t override_in)
{
    capng_clear(CAPNG_SELECT_CAPS);
    for (size_t i = 0; i < NEEDED_COUNT; i++)
        if (kept[i])
            capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, needed[i]);
    if (override_in != 0)
        capng_update(CAPNG_ADD, override_in, CAP_DAC_OVERRIDE);
    return capng_apply(CAPNG_SELECT_CAPS);
}

int rj_capabilities_reduce(const char *directory, rj_err_t *err)
{
    bool kept[NEEDED_COUNT];
    if (capng_get_caps_process() != 0)
        return failed(err);
    for (size_t i = 0; i < NEEDED_COUNT; i++)
        kept[i] = capng_have_capability(CAPNG_PERMITTED, needed[i]);
    bool has_override = capng_have_capability(CAPNG_PERMITTED, CAP_DAC_OVERRIDE);
    /* The bounding set is what a program started by us could get back. */
    if (capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP)) {
        capng_clear(CAPNG_SELECT_BOUNDS);
        if (capng_apply(CAPNG_SELECT_BOUNDS) != 0)
            return failed(err);
    }
    /* Whether the directory needs it shows once it is laid down. */
    if (apply(kept, has_override ? CAPNG_PERMITTED : 0) != 0)
        return failed(err);
    if (!has_override)
        return 0;
    capng_type_t override_in = can_live_in(directory) ? 0 : CAPNG_EFFECTIVE | CAPNG_PERMITTED;
    return apply(kept, override_in) == 0 ? 0 : failed(err);
}
