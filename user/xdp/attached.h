/* SPDX-License-Identifier: Apache-2.0 */
/* attached.h - what program an interface carries, and who holds it there: at XDP; what is at the
 * ingress finds xdp/ingress.h.
 *
 * Names and links of other processes' programs are found by number, for which the kernel wants
 * CAP_SYS_ADMIN; without it they stay unknown, and only that there is a program is told.
 *
 * Units      none.
 * Ownership  a plain value.
 * Thread     any; interfaces are those of the caller's network namespace.
 * Errors     negative errno.
 */
#ifndef RJ_XDP_ATTACHED_H
#define RJ_XDP_ATTACHED_H

#include <linux/bpf.h>
#include <ramjet/xdp_abi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RJ_STEER_PROGRAM_NAME  "rj_steer"
#define RJ_PACKET_PROGRAM_NAME "rj_packet_in"

typedef struct rj_attached {
    uint32_t program_id;         /* 0: there is none */
    char name[BPF_OBJ_NAME_LEN]; /* empty: not known */
    enum rj_xdp_mode mode;       /* AUTO when it is none that we know, as offload */
    uint32_t link_id;            /* 0: none, or not known */
    uint32_t holder_pid;         /* 0: no process that we can see holds the link */
    char holder_name[16];
} rj_attached_t;

/* All but the holder. */
int rj_attached_look(uint32_t interface_index, rj_attached_t *ret_attached);

/* Name and link of `program_id`, as far as they can be seen. `link_type`: enum bpf_link_type. */
void rj_attached_describe(rj_attached_t *attached, uint32_t link_type);

/* Looks through /proc for a process other than this one that has the link open. */
void rj_attached_find_holder(rj_attached_t *attached);

/* Named as ours is; its maps are to be checked yet. */
bool rj_attached_is_steer(const rj_attached_t *attached);

/* "program 12 (xdp_pass), held by process 345 (loader)": all that is known. */
void rj_attached_print(const rj_attached_t *attached, char *text, size_t size);

#endif
