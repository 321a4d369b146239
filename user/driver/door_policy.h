/* SPDX-License-Identifier: Apache-2.0 */
/* door_policy.h - which datagrams of an interface leave by its ring, and which by the sockets
 * behind it.
 *
 * Whoever asks for rings by name gets them for everything that they can send. `auto` has both doors
 * open where that pays: one call with segmentation by the kernel beats as many frames in a ring as
 * there are in a run, on links that carry the run whole (docs/spec/xdp.md 7); a single datagram is
 * sooner there by the ring.
 *
 * Units      datagrams.
 * Ownership  plain values; texts are constant.
 * Thread     any.
 * Errors     none.
 */
#ifndef RJ_DRIVER_DOOR_POLICY_H
#define RJ_DRIVER_DOOR_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/transport.h"
#include "xdp/mode.h"

enum { RJ_BULK_DATAGRAMS_MIN = 4 };

/* What kind of link an interface is, as far as it matters to transports. */
typedef enum rj_link_kind {
    RJ_LINK_LOOPBACK,
    RJ_LINK_VETH,
    RJ_LINK_VIRTUAL,    /* bridge, tun, bond, ...: software on this host */
    RJ_LINK_HYPERVISOR, /* a card that a hypervisor plays: virtio_net, vmxnet3, ... */
    RJ_LINK_CARD,
} rj_link_kind_t;

/* `kind` as rtnetlink tells it, "" for a plain device; `driver` as ethtool does, "" unknown. */
rj_link_kind_t rj_link_kind_of(bool is_loopback, const char *kind, const char *driver);

/* "veth", "card", ... */
const char *rj_link_kind_name(rj_link_kind_t kind);

typedef struct rj_door_facts {
    rj_transport_t asked;   /* of the driver */
    rj_transport_t sockets; /* the kind behind the rings */
    rj_link_kind_t link;
    enum rj_xdp_mode mode; /* that the program runs in */
    bool is_zero_copy;
} rj_door_facts_t;

typedef struct rj_door_policy {
    uint32_t bulk_datagrams_min; /* as ring_front.h has it; 0: the ring takes all */
    const char *why;
} rj_door_policy_t;

rj_door_policy_t rj_door_policy(const rj_door_facts_t *facts);

#endif
