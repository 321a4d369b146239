/* SPDX-License-Identifier: Apache-2.0 */
/* mode.h - the ways in which an XDP program can sit on an interface, by name.
 *
 * Units      none.
 * Ownership  constant texts.
 * Thread     any.
 * Errors     -EINVAL for a name that is none.
 */
#ifndef RJ_XDP_MODE_H
#define RJ_XDP_MODE_H

#include <ramjet/xdp_abi.h>

#define RJ_XDP_MODE_NAMES "auto, native, generic or zero-copy"

const char *rj_xdp_mode_name(enum rj_xdp_mode mode);

int rj_xdp_mode_parse(const char *text, enum rj_xdp_mode *ret_mode);

#endif
