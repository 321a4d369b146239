/* SPDX-License-Identifier: Apache-2.0 */
/* Texts from files and servers that become settings, and the settings that become of them: whatever
 * is in them, every field is within its bounds, and a refusal is one line. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "config/option.h"
#include "config/property.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_bounds(const rj_driver_config_t *config)
{
    for (size_t i = 0; i < rj_option_count; i++) {
        const rj_option_t *option = &rj_options[i];
        const bool is_bounded = option->type == RJ_OPTION_SIZE || option->type == RJ_OPTION_INT ||
                                option->type == RJ_OPTION_DURATION;
        if (!is_bounded || option->variable == NULL)
            continue;
        const int64_t value = rj_option_number(config, option);
        assert(value == option->fallback || (value >= option->min && value <= option->max));
    }
}

static const char *find(const char *name, const void *state)
{
    (void)state;
    return getenv(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rj_driver_config_t config;
    rj_err_t err = {.text = ""};
    clearenv();
    if (rj_property_define_all((const char *)data, size, &err) < 0)
        assert(err.text[0] != '\0');
    rj_config_read(&config, find, NULL, NULL);
    check_bounds(&config);
    if (rj_config_check(&config, &err) < 0)
        assert(err.text[0] != '\0');
    return 0;
}
