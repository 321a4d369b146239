/* SPDX-License-Identifier: Apache-2.0 */
/* dispatcher.h - libxdp's dispatcher, which lets several XDP programs share an interface.
 *
 * On request only: it attaches by netlink, so its programs stay when their loader is gone, and it
 * needs a kernel that lets programs replace functions of others. Where that is refused libxdp
 * attaches a program without dispatcher and says nothing; here that is noticed and undone.
 *
 * Units      none.
 * Ownership  the kernel and libxdp's own pins (<bpffs>/xdp) hold the program.
 * Thread     the thread that is in the interface's network namespace.
 * Errors     negative errno and one line; -EOPNOTSUPP where the kernel refuses such programs.
 */
#ifndef RJ_XDP_DISPATCHER_H
#define RJ_XDP_DISPATCHER_H

#include "base/err.h"

#include <ramjet/xdp_abi.h>
#include <stdbool.h>
#include <stdint.h>

struct bpf_object;

#define RJ_DISPATCHER_PROGRAM_NAME "xdp_dispatcher"

/* Tries it with two small programs. */
int rj_dispatcher_probe(rj_err_t *err);

/* Loads the opened object and lets the dispatcher call its program of this section. `mode` is
 * NATIVE or GENERIC. Returns the descriptor of the loaded program, which the caller closes. */
int rj_dispatcher_attach(struct bpf_object *object, const char *section, uint32_t interface_index,
                         enum rj_xdp_mode mode, rj_err_t *err);

/* Whether the interface's dispatcher calls this program. */
bool rj_dispatcher_has(uint32_t interface_index, uint32_t program_id);

/* Takes the program out of the dispatcher; not there is success. */
int rj_dispatcher_detach(uint32_t interface_index, uint32_t program_id, rj_err_t *err);

#endif
