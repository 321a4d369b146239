/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/embedded.h"

#include "base/clock.h"
#include "cli/driver_start.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONDUCTOR_INTERVAL_NS = 100000 };

int rj_embedded_open(rj_embedded_t *embedded, const char *directory, bool (*is_interrupted)(void),
                     rj_err_t *err)
{
    rj_driver_config_t *config = &embedded->config;
    const rj_driver_start_t start = {
        .is_interrupted = is_interrupted, .attach = RJ_RING_ATTACH_NAMED, .is_quiet = true};
    const char *named = directory != NULL ? directory : getenv("AERON_DIR");
    *embedded = (rj_embedded_t){.driver = NULL};
    rj_config_read(config, rj_config_environment, NULL, stderr);
    config->threading_mode = RJ_THREADING_INVOKER;
    if (named != NULL && named[0] != '\0') {
        if (snprintf(config->dir, sizeof(config->dir), "%s", named) >= (int)sizeof(config->dir))
            return rj_fail(err, -ENAMETOOLONG, "driver directory %.60s...: too long", named);
    } else {
        snprintf(config->dir, sizeof(config->dir), "/dev/shm/ramjet-embedded-%d", getpid());
        config->dir_delete_on_shutdown = true;
    }
    int result = rj_driver_settle(config, err);
    return result == 0 ? rj_driver_start(&embedded->driver, config, &start, err) : result;
}

int rj_embedded_work(rj_embedded_t *embedded, int64_t now_ns)
{
    int work = 0;
    int engine_count = rj_driver_engine_count(embedded->driver);
    for (int i = 0; i < engine_count; i++)
        work += rj_driver_engine_work(embedded->driver, i, now_ns);
    if (now_ns >= embedded->conductor_due_ns) {
        embedded->conductor_due_ns = now_ns + CONDUCTOR_INTERVAL_NS;
        work += rj_driver_helper_work(embedded->driver, now_ns);
        work += rj_driver_conductor_work(embedded->driver, now_ns, rj_clock_epoch_ms());
    }
    return work;
}

void rj_embedded_close(rj_embedded_t *embedded)
{
    rj_driver_close(embedded->driver);
    embedded->driver = NULL;
}
