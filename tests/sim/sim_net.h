/* SPDX-License-Identifier: Apache-2.0 */
/* sim_net.h - a network in memory: virtual time, seeded faults, sockets and ports for whole
 * drivers.
 *
 * A datagram that a driver sends is judged once, by the seed: lost, corrupted (the checksum finds
 * it, so it is lost too), doubled, held back; then it waits for its time in a heap and lands in
 * the queue of the socket that is bound to where it goes. One to a multicast group is judged for
 * each host that has a member, and lands with all members there; as with the kernel's sockets, the
 * sender's own host is one of them. Nothing else happens between two calls of step.
 *
 * Units      virtual ns; shares in parts per million; bytes.
 * Ownership  the network owns datagrams and sockets; hosts are indices.
 * Thread     one.
 * Errors     a mistake of the simulation itself aborts.
 */
#ifndef RJ_TESTS_SIM_NET_H
#define RJ_TESTS_SIM_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/prng.h"
#include "driver/driver.h"
#include "proto/interface.h"

enum {
    SIM_HOSTS_MAX = 65, /* a sender and 64 receivers */
    SIM_SOCKETS_MAX = 256,
};

typedef struct sim_faults {
    uint32_t loss_ppm;
    uint32_t duplicate_ppm;
    uint32_t corrupt_ppm;
    uint32_t reorder_ppm; /* held back by up to reorder_ns more */
    uint32_t short_send_ppm;
    uint32_t merge_ppm; /* of datagrams that wait in a socket, with those of their size behind */
    int64_t delay_ns;
    int64_t jitter_ns;
    int64_t reorder_ns;
    bool is_partitioned; /* nothing passes between hosts */
} sim_faults_t;

/* sent + duplicated = delivered + lost + corrupted + partitioned + unbound + overflowed + under
 * way */
typedef struct sim_net_stats {
    int64_t sent;       /* to a group: for each host with members; without any, once */
    int64_t duplicated; /* also: to a second member on a host */
    int64_t delivered;
    int64_t lost;
    int64_t corrupted;
    int64_t partitioned;
    int64_t unbound;    /* no socket there, or one connected to somebody else */
    int64_t overflowed; /* the socket's receive buffer, or the engine's ring, was full */
    int64_t reordered;
    int64_t merged;  /* packets of several datagrams that engines were given */
    int64_t mixed;   /* of them, with frames of more than one stream, or a hole */
    int64_t by_ring; /* of those delivered */
    int64_t headed;  /* of those sent: a ring would have, for their path had a header */
    int64_t strayed; /* likewise: by a ring, and then nobody was there any more */
} sim_net_stats_t;

/* Which way a datagram comes into a host with rings. */
typedef enum sim_door {
    SIM_DOOR_SOCKET,
    SIM_DOOR_RING,
} sim_door_t;

typedef struct sim_arrival {
    const rj_address_t *source;
    const rj_address_t *destination;
    const uint8_t *bytes;
    uint32_t length;
} sim_arrival_t;

/* The queues of a host's interface, one for each engine. Set before its driver is opened. */
typedef struct sim_rings {
    int engine_count;   /* 0: sockets only */
    int capacity;       /* frames in each ring; more are lost */
    uint32_t spray_ppm; /* come to any queue instead of the one that the flow's hash names */
    uint32_t pass_ppm;  /* come by the socket, whatever the door says */
    int64_t sockets_interval_ns; /* between two looks at sockets that were found empty */
    /* NULL: everything comes by the ring. */
    sim_door_t (*door)(void *state, int engine, const sim_arrival_t *arrival);
    void *door_state;
} sim_rings_t;

typedef struct sim_net sim_net_t;

sim_net_t *sim_net_open(uint64_t seed, bool is_ipv6);
void sim_net_close(sim_net_t *net);

sim_faults_t *sim_net_faults(sim_net_t *net);
const sim_net_stats_t *sim_net_stats(const sim_net_t *net);

/* Everything that the network did so far, as one number: the same for the same seed. */
uint64_t sim_net_trace(const sim_net_t *net);
void sim_net_trace_add(sim_net_t *net, uint64_t value);

int64_t sim_net_now_ns(const sim_net_t *net);

/* Moves time on and delivers what is due. */
void sim_net_advance(sim_net_t *net, int64_t now_ns);

/* Sees every datagram that is sent, before anything happens to it. */
typedef void (*sim_tap_t)(void *state, const rj_address_t *address, const uint8_t *bytes,
                          uint32_t length);
void sim_net_tap(sim_net_t *net, sim_tap_t tap, void *state);

/* When the next datagram lands; INT64_MAX when none is under way. */
int64_t sim_net_deadline_ns(const sim_net_t *net);
int64_t sim_net_under_way(const sim_net_t *net);

/* A host's sockets, and its port for each engine (rj_driver_world_t.open_port with the host as
 * state). */
typedef struct sim_host sim_host_t;
sim_host_t *sim_net_host(sim_net_t *net, int index);
sim_rings_t *sim_host_rings(sim_host_t *host);
rj_sockets_t *sim_host_sockets(sim_host_t *host);
int sim_host_open_port(void *host, int index, const rj_port_params_t *params, rj_port_t **ret_port,
                       rj_err_t *err);
/* The socket of a resolver (rj_driver_world_t.open_gossip_wire with the host as state). */
int sim_host_open_gossip(void *host, const rj_address_t *bind, rj_gossip_wire_t **ret_wire,
                         rj_err_t *err);

/* The host's one interface. */
rj_interface_t sim_host_interface(const sim_host_t *host);
void sim_host_print_address(const sim_host_t *host, int port, char *text, size_t size);
int sim_host_socket_count(const sim_host_t *host);

/* The machine is gone: its sockets no longer receive, what it still sends goes nowhere. */
void sim_host_crash(sim_host_t *host);

/* Ends the seed. */
void sim_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* --- sim_alloc.c: nobody takes memory on the data path --- */

/* While forbidden, an allocation ends the run with a message. */
void sim_alloc_forbid(bool is_forbidden);

#endif
