/* SPDX-License-Identifier: Apache-2.0 */
/* privilege.h - which capabilities XDP needs and this process lacks.
 *
 * Units      none.  Ownership  none.
 * Thread     the calling thread's capabilities.
 * Errors     -EPERM and one line that names what is missing.
 */
#ifndef RJ_XDP_PRIVILEGE_H
#define RJ_XDP_PRIVILEGE_H

#include "base/err.h"

/* To load a program and put it on an interface: CAP_NET_ADMIN, and CAP_BPF with CAP_PERFMON, for
 * which CAP_SYS_ADMIN stands as well. */
int rj_privilege_check(rj_err_t *err);

#endif
