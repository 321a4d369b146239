/* SPDX-License-Identifier: Apache-2.0 */
/* neigh.h - RTM_NEWNEIGH and RTM_DELNEIGH read, and the requests that keep a neighbour known.
 *
 * Units      none.  Ownership plain values.  Thread any.
 * Errors     a message that does not name a neighbour by address is refused with false.
 */
#ifndef RJ_NETLINK_NEIGH_H
#define RJ_NETLINK_NEIGH_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>

#include "netlink/snapshot.h"

typedef struct rj_nl_neigh {
    uint32_t stamp;
    uint32_t link_index;
    rj_address_t address; /* without scope: the link says it */
    uint16_t state;       /* NUD_* */
    uint8_t mac[6];
    bool has_mac;
    bool is_managed; /* the kernel keeps it resolved by itself (NTF_EXT_MANAGED) */
    bool is_learned; /* NTF_EXT_LEARNED */
} rj_nl_neigh_t;

bool rj_nl_neigh_read(const struct nlmsghdr *message, rj_nl_neigh_t *ret);

/* By link and address. */
int rj_nl_neigh_compare(const void *item, const void *key);

/* Frames may be sent to its MAC. */
bool rj_nl_neigh_is_usable(const rj_nl_neigh_t *neigh);

/* Nothing needs to be done for it, ever: somebody wrote its MAC down, or none is needed. */
bool rj_nl_neigh_is_fixed(const rj_nl_neigh_t *neigh);

typedef enum rj_nl_neigh_wish {
    RJ_NL_NEIGH_MANAGE, /* resolve it and keep it so */
    RJ_NL_NEIGH_USE,    /* resolve or confirm it once; takes the flags of MANAGE away */
} rj_nl_neigh_wish_t;

enum { RJ_NL_NEIGH_REQUEST_BYTES = 128 };

/* Writes the request into `ret`. Neither kind changes a MAC or a state that is there. */
struct nlmsghdr *rj_nl_neigh_write(uint8_t ret[static RJ_NL_NEIGH_REQUEST_BYTES],
                                   rj_nl_neigh_wish_t wish, uint32_t link_index,
                                   const rj_address_t *address);

/* Asks for the neighbour; answered with RTM_NEWNEIGH. */
struct nlmsghdr *rj_nl_neigh_write_get(uint8_t ret[static RJ_NL_NEIGH_REQUEST_BYTES],
                                       uint32_t link_index, const rj_address_t *address);

#endif
