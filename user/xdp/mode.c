/* SPDX-License-Identifier: Apache-2.0 */
#include "xdp/mode.h"

#include <errno.h>
#include <string.h>

/* The last one is nobody's choice for XDP. */
enum { MODE_COUNT = RJ_XDP_MODE_PACKET + 1, CHOICE_COUNT = RJ_XDP_MODE_PACKET };

static const char *const names[MODE_COUNT] = {
    [RJ_XDP_MODE_AUTO] = "auto",       [RJ_XDP_MODE_NATIVE] = "native",
    [RJ_XDP_MODE_GENERIC] = "generic", [RJ_XDP_MODE_ZERO_COPY] = "zero-copy",
    [RJ_XDP_MODE_PACKET] = "packet",
};

const char *rj_xdp_mode_name(enum rj_xdp_mode mode)
{
    return names[mode];
}

int rj_xdp_mode_parse(const char *text, enum rj_xdp_mode *ret_mode)
{
    for (int i = 0; i < CHOICE_COUNT; i++) {
        if (strcmp(text, names[i]) == 0) {
            *ret_mode = (enum rj_xdp_mode)i;
            return 0;
        }
    }
    return -EINVAL;
}
