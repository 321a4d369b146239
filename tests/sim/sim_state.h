/* SPDX-License-Identifier: Apache-2.0 */
/* sim_state.h - what the sources of the simulated network share: sim_net.c, sim_port.c,
 * sim_ring.c.
 *
 * Units      as sim_net.h.  Ownership  as sim_net.h.  Thread  one.  Errors  none.
 */
#ifndef RJ_TESTS_SIM_STATE_H
#define RJ_TESTS_SIM_STATE_H

#include "sim_net.h"

enum { PPM = 1000000 };

typedef struct sim_datagram {
    struct sim_datagram *next; /* in a socket's queue, or given to an engine */
    int64_t due_ns;
    uint64_t order; /* of sending: what is due at the same time keeps it */
    rj_address_t source;
    rj_address_t destination;
    int host; /* where it lands when it is for a group */
    uint32_t length;
    uint8_t bytes[];
} sim_datagram_t;

typedef struct sim_socket {
    bool is_open;
    int host;
    rj_address_t local;
    rj_address_t peer;  /* family 0: not connected */
    rj_address_t group; /* family 0: a member of none */
    int32_t rcvbuf_bytes;
    int32_t queued_bytes;
    sim_datagram_t *first, *last;
} sim_socket_t;

/* One queue of a host's interface: frames that its engine has not polled yet. */
typedef struct sim_ring {
    int count;
    sim_datagram_t *first, *last;
} sim_ring_t;

struct sim_host {
    rj_sockets_t sockets; /* first member: what drivers hold */
    sim_net_t *net;
    int index;
    bool is_crashed;
    uint16_t next_port;
    rj_address_t address;
    sim_rings_t rings;
    int64_t ring_offered; /* frames that the door sent to a ring, lost there or not */
    sim_ring_t ring[RJ_ENGINES_MAX];
};

struct sim_net {
    rj_prng_t prng;
    rj_prng_t merge_prng; /* its own, so that merging changes nothing that the other draws */
    sim_faults_t faults;
    sim_net_stats_t stats;
    int64_t now_ns;
    uint64_t order;
    uint64_t trace;
    sim_tap_t tap;
    void *tap_state;
    sim_host_t hosts[SIM_HOSTS_MAX];
    sim_socket_t sockets[SIM_SOCKETS_MAX];
    sim_datagram_t **heap;
    size_t heap_count, heap_capacity;
};

/* --- sim_net.c --- */

bool sim_net_chance(sim_net_t *net, uint32_t ppm);

/* A datagram that a socket sends. */
void sim_net_submit(sim_net_t *net, const sim_socket_t *socket, const rj_address_t *address,
                    const uint8_t *bytes, uint32_t length);

void sim_free_datagrams(sim_datagram_t *datagram);

/* --- sim_merge.c --- */

/* What a socket's queue gives next: its first datagram, or that and some behind it merged, as the
 * kernel does it; then `*ret_segment_bytes` is not 0. NULL when it is empty. */
sim_datagram_t *sim_merge_next(sim_net_t *net, sim_socket_t *socket, uint32_t *ret_segment_bytes);

/* Whether the socket hears what is sent to `destination` from `source`. */
bool sim_socket_hears(const sim_net_t *net, const sim_socket_t *socket,
                      const sim_datagram_t *datagram);

/* --- sim_ring.c --- */

/* Takes a datagram that comes to somebody on a host with rings, or leaves it to the sockets. */
bool sim_ring_take(sim_net_t *net, sim_host_t *host, sim_datagram_t *datagram);

/* The oldest frame, no longer the ring's; NULL when there is none. */
sim_datagram_t *sim_ring_next(sim_ring_t *ring);

#endif
