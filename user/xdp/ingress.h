/* SPDX-License-Identifier: Apache-2.0 */
/* ingress.h - the packet transport's program at an interface's ingress: put there, found, gone.
 *
 *   tcx        a link, from Linux 6.6 on: gone with the process that holds it
 *   clsact     a filter of tc: stays until it is taken off, or swept by the next driver
 *
 * Others' programs stand beside it and are left alone.
 *
 * Units      none.
 * Ownership  a held link is the caller's descriptor; a filter is the interface's.
 * Thread     the thread that is in the interface's network namespace.
 * Errors     negative errno.
 */
#ifndef RJ_XDP_INGRESS_H
#define RJ_XDP_INGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "xdp/attached.h"

typedef enum rj_ingress_way {
    RJ_INGRESS_BEST, /* a link, and a filter where the kernel has no tcx */
    RJ_INGRESS_LINK,
    RJ_INGRESS_FILTER,
} rj_ingress_way_t;

/* Puts the program there. `*ret_link_fd` is -1 when it became a filter. */
int rj_ingress_attach(uint32_t interface_index, int program_fd, rj_ingress_way_t way,
                      int *ret_link_fd);

/* Takes the filter off; the clsact qdisc stays, for others may use it by now. */
void rj_ingress_detach(uint32_t interface_index);

/* Our program there, of whichever process; program_id is 0 when there is none, or when we may not
 * look. A link stands in front of a filter. */
void rj_ingress_look(uint32_t interface_index, rj_attached_t *ret_attached);

/* Whether that program is there still. */
bool rj_ingress_has(uint32_t interface_index, uint32_t program_id);

#endif
