/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/embedded.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CONDUCTOR_INTERVAL_NS = 100000, SETTINGS_MAX = 3 };

int rj_embedded_open(rj_media_driver_t **ret_driver, const char *directory,
                     bool (*is_interrupted)(void *user), rj_err_t *err)
{
    char own[64];
    const char *named = directory != NULL ? directory : getenv("AERON_DIR");
    rj_setting_t settings[SETTINGS_MAX] = {{"aeron.threading.mode", "INVOKER"}};
    size_t count = 1;
    if (named == NULL || named[0] == '\0') {
        snprintf(own, sizeof(own), "/dev/shm/ramjet-embedded-%d", getpid());
        named = own;
        settings[count++] = (rj_setting_t){"aeron.dir.delete.on.shutdown", "true"};
    }
    settings[count++] = (rj_setting_t){"aeron.dir", named};
    const rj_media_driver_options_t options = {.settings = settings,
                                               .setting_count = count,
                                               .base = RJ_SETTINGS_BASE_ENVIRONMENT,
                                               .warnings = stderr,
                                               .is_interrupted = is_interrupted,
                                               .conductor_interval_ns = CONDUCTOR_INTERVAL_NS};
    return rj_media_driver_open(ret_driver, &options, err);
}
