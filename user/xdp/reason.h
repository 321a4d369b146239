/* SPDX-License-Identifier: Apache-2.0 */
/* reason.h - why frames went where they went, in words.
 *
 * Units      none.
 * Ownership  constant texts.
 * Thread     any.
 * Errors     none; "?" for a number that is no reason.
 */
#ifndef RJ_XDP_REASON_H
#define RJ_XDP_REASON_H

#include <ramjet/xdp_abi.h>

/* "passed: no channel", "redirected: data": the verdict comes first. */
const char *rj_xdp_reason_name(unsigned reason);

#endif
