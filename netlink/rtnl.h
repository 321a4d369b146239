/* SPDX-License-Identifier: Apache-2.0 */
/* rtnl.h - sockets to the kernel's routing tables: dump, ask, listen.
 *
 * Two kinds of use, two sockets: one answers dumps and requests, each of which waits for the kernel
 * (it answers at once, and 2 s are waited at most); one listens to groups and never waits.
 *
 * Units      bytes.
 * Ownership  the socket and its buffer belong to the struct.
 * Thread     the netlink agent's.
 * Errors     negative errno with the kernel's own words where it has some (extended acks).
 *            -ENOBUFS from listen: the kernel had more to say than there was room for, and
 *            something is lost.
 */
#ifndef RJ_NETLINK_RTNL_H
#define RJ_NETLINK_RTNL_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct mnl_socket;

enum { RJ_RTNL_BUFFER_BYTES = 65536, RJ_RTNL_DUMP_TRIES = 5 };

typedef enum rj_rtnl_use { RJ_RTNL_ASK, RJ_RTNL_LISTEN } rj_rtnl_use_t;

typedef struct rj_rtnl {
    struct mnl_socket *socket; /* NULL when closed */
    uint8_t *buffer;
    uint32_t sequence;
    uint64_t interrupted_count; /* dumps that were overtaken by changes */
} rj_rtnl_t;

typedef void rj_rtnl_visit_t(void *state, const struct nlmsghdr *message);

/* `receive_bytes`: room for messages that wait to be read, for listening; 0: the system's. */
int rj_rtnl_open(rj_rtnl_t *rtnl, rj_rtnl_use_t use, size_t receive_bytes, rj_err_t *err);
void rj_rtnl_close(rj_rtnl_t *rtnl);

/* For poll; -1 when closed. */
int rj_rtnl_fd(const rj_rtnl_t *rtnl);

/* RTNLGRP_*: one at a time, for numbers above 31 do not fit the mask of bind. */
int rj_rtnl_join(rj_rtnl_t *rtnl, uint32_t group, rj_err_t *err);

/* Asks with `type` (RTM_GET*) for every object of `family` and visits each answer. A dump that
 * changes overtook is made again; 1 when that went on RJ_RTNL_DUMP_TRIES times: what was visited
 * may then have gaps. -EOPNOTSUPP and the like when the kernel lacks such objects. */
int rj_rtnl_dump(rj_rtnl_t *rtnl, uint16_t type, uint8_t family, rj_rtnl_visit_t *visit,
                 void *state, rj_err_t *err);

/* Sends a request that wants an ack, or one message as answer (visited when `visit` is given). */
int rj_rtnl_request(rj_rtnl_t *rtnl, struct nlmsghdr *request, rj_rtnl_visit_t *visit, void *state,
                    rj_err_t *err);

/* Visits what one read gives. Returns how many messages, 0 when none waits, or a negative errno. */
int rj_rtnl_listen(rj_rtnl_t *rtnl, rj_rtnl_visit_t *visit, void *state);

#endif
