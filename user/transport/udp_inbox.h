/* SPDX-License-Identifier: Apache-2.0 */
/* udp_inbox.h - the receiving half of a port of kernel sockets: which ones it reads, and how.
 *
 * Few sockets are read one after the other, more of them are asked for readiness first; each gets
 * an equal share of what a poll may give. Where the kernel merges datagrams (UDP_GRO) a message may
 * be 64 KiB long, and a poll asks for no more of them than the caches hold.
 *
 *   [buffer 0 ............ 64 KiB][buffer 1 ...     each holds one message; the first ones are
 *    |<- datagram(s) ->|  unused                    filled again by every poll
 *
 * Units      bytes; times are monotonic ns.
 * Ownership  it owns its buffers, not the sockets: endpoints keep them. Packets point into the
 *            buffers, until the next poll.
 * Thread     open by the conductor, the rest by the port's engine.
 * Errors     as in port.h, whose slots of the same names these serve.
 */
#ifndef RJ_TRANSPORT_UDP_INBOX_H
#define RJ_TRANSPORT_UDP_INBOX_H

#include <sys/socket.h>

#include "base/err.h"
#include "transport/port.h"

union rj_udp_control;

typedef struct rj_udp_inbox {
    rj_endpoint_t **endpoints; /* dense: [slot] */
    int *errors;               /* [slot], positive errno, 0 when none */
    int endpoint_count;
    int endpoint_max;
    int error_count;
    int first_slot; /* where the next poll begins */
    int epoll_fd;
    bool uses_epoll; /* all sockets are registered, which costs a little for each datagram */
    bool merges;     /* the kernel is asked to */
    bool has_more;   /* of the last poll: a socket was not read until it was empty */

    uint32_t batch_max;
    uint32_t batch; /* messages that the next poll asks for, fewer while they are long */
    struct mmsghdr *headers;
    struct iovec *iovecs;
    struct sockaddr_in6 *names; /* has room for an IPv4 address too */
    union rj_udp_control *controls;
    uint8_t *buffers;
    rj_port_stats_t stats; /* of the whole port */
} rj_udp_inbox_t;

/* `params` as for the port. -EINVAL, -ENOMEM, or what the system says; nothing stays open. */
int rj_udp_inbox_open(rj_udp_inbox_t *inbox, const rj_port_params_t *params, bool merges,
                      rj_err_t *err);
void rj_udp_inbox_close(rj_udp_inbox_t *inbox);

int rj_udp_inbox_poll(rj_udp_inbox_t *inbox, rj_packet_t *packets, size_t count, int64_t now_ns);
int rj_udp_inbox_attach(rj_udp_inbox_t *inbox, rj_endpoint_t *endpoint, rj_attach_role_t role);
void rj_udp_inbox_detach(rj_udp_inbox_t *inbox, rj_endpoint_t *endpoint, rj_attach_role_t role);
int rj_udp_inbox_take_error(rj_udp_inbox_t *inbox, rj_endpoint_t **ret_endpoint);

#endif
