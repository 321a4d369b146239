/* SPDX-License-Identifier: Apache-2.0 */
/* registry.h - the kinds of port, by the name that --transport gives them.
 *
 * Units      none.
 * Ownership  an opened port is the caller's until it calls the port's close.
 * Thread     the conductor's; the port then goes to its engine.
 * Errors     negative errno with a text that says what was refused and what there is instead.
 */
#ifndef RJ_TRANSPORT_REGISTRY_H
#define RJ_TRANSPORT_REGISTRY_H

#include "base/err.h"
#include "transport/port.h"

/* Whether there is such a kind of port in this program, rings included: -ENOENT, and the text says
 * which there are. */
int rj_port_check_built_in(const char *name, rj_err_t *err);

/* Opens a port of that socket kind; rings are opened by their own modules. -ENOENT for an unknown
 * name, -ENOMEM, or what the kind says. */
int rj_port_open(const char *name, const rj_port_params_t *params, rj_port_t **ret_port,
                 rj_err_t *err);

#endif
