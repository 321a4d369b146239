/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/udp_port.h"

#include <assert.h>
#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "transport/segment_refusals.h"
#include "transport/udp_inbox.h"

enum {
    SEND_MESSAGES = 128, /* of one sendmmsg */
    SEND_PARTS = 512,    /* pieces of runs in them */
    SEGMENTS_MAX = 64,   /* of a message: newer kernels would take 128 */
    BYTES_MAX = 65507,   /* of a message: what an IPv4 packet can hold */
    REFUSALS_MAX = 1,    /* echoes of earlier datagrams that one sendmmsg steps over */
};

/* How long each segment is. */
typedef union segment_control {
    struct cmsghdr header; /* for the alignment */
    uint8_t bytes[CMSG_SPACE(sizeof(uint16_t))];
} segment_control_t;

/* What is in a message besides what the kernel is told. */
typedef struct message {
    const rj_path_t *path;
    uint32_t first_part;
    uint32_t part_count;
    uint32_t bytes;
    uint32_t segment_bytes;
    uint32_t segments;
    bool is_open; /* more may join it */
} message_t;

typedef struct udp_port {
    rj_port_t base;
    rj_port_ops_t ops; /* with the kind's name */
    uint32_t segments_max;
    uint64_t next_run_number;
    int64_t now_ns; /* of the last poll */
    rj_segment_refusals_t refusals;

    struct mmsghdr headers[SEND_MESSAGES];
    segment_control_t controls[SEND_MESSAGES];
    message_t messages[SEND_MESSAGES];
    struct iovec parts[SEND_PARTS];
    uint32_t part_runs[SEND_PARTS]; /* the run that each part belongs to */

    rj_udp_inbox_t inbox;
} udp_port_t;

/* How far the runs of one call have been turned into messages. */
typedef struct send_cursor {
    rj_run_t *runs;
    size_t count;
    size_t index;
    uint32_t offset; /* in the run at `index` */
} send_cursor_t;

static udp_port_t *from_port(rj_port_t *port)
{
    return (udp_port_t *)port;
}

/* --- messages --- */

static int socket_of(const rj_run_t *run)
{
    return run->path->endpoint->socket;
}

/* Of the same socket: whether they lead to the same address. */
static bool leads_alike(const rj_path_t *a, const rj_path_t *b)
{
    return a == b || (a->sockaddr_bytes == b->sockaddr_bytes &&
                      memcmp(&a->sockaddr, &b->sockaddr, a->sockaddr_bytes) == 0);
}

/* As many datagrams of a run, of which `left` bytes remain, as a message has room for. */
static uint32_t fitting_bytes(const message_t *message, const rj_run_t *run, uint32_t left)
{
    const uint32_t segment = run->segment_bytes;
    const uint32_t by_count = SEGMENTS_MAX - message->segments;
    const uint32_t by_bytes = (BYTES_MAX - message->bytes) / segment;
    const uint32_t room = (by_count < by_bytes ? by_count : by_bytes) * segment;
    return left < room ? left : room;
}

/* How much of a run may join a message of others; 0: it needs its own. */
static uint32_t joining_bytes(const message_t *message, const rj_run_t *run, uint32_t left)
{
    if (!message->is_open || !leads_alike(message->path, run->path))
        return 0;
    if (run->segment_bytes == message->segment_bytes)
        return fitting_bytes(message, run, left);
    /* One that is shorter may be the last. */
    const bool is_last = left < message->segment_bytes && left <= run->segment_bytes;
    return is_last && message->bytes + left <= BYTES_MAX ? left : 0;
}

static void add_part(udp_port_t *port, message_t *message, const send_cursor_t *cursor,
                     uint32_t bytes)
{
    const rj_run_t *run = &cursor->runs[cursor->index];
    const uint32_t at = message->first_part + message->part_count++;
    /* The kernel's type lacks the const; it only reads. */
    port->parts[at] = (struct iovec){.iov_base = (void *)(uintptr_t)(run->start + cursor->offset),
                                     .iov_len = bytes};
    port->part_runs[at] = (uint32_t)cursor->index;
    message->bytes += bytes;
    message->segments += (bytes + message->segment_bytes - 1) / message->segment_bytes;
    message->is_open = message->is_open && message->segments < port->segments_max &&
                       message->bytes == (uint64_t)message->segments * message->segment_bytes;
}

/* One datagram where the kernel does not cut, or would not here; returns its bytes. */
static uint32_t begin_message(udp_port_t *port, message_t *message, const send_cursor_t *cursor,
                              uint32_t first_part, uint32_t left)
{
    const rj_run_t *run = &cursor->runs[cursor->index];
    const uint32_t segment = left < run->segment_bytes ? left : run->segment_bytes;
    assert(run->segment_bytes > 0);
    *message = (message_t){.path = run->path, .first_part = first_part, .segment_bytes = segment};
    message->is_open = port->segments_max > 1 && 2 * segment <= BYTES_MAX &&
                       !rj_segment_refusals_has(&port->refusals, run->path, segment, port->now_ns);
    const uint32_t bytes = message->is_open ? fitting_bytes(message, run, left) : segment;
    add_part(port, message, cursor, bytes);
    return bytes;
}

static void finish_message(udp_port_t *port, uint32_t index)
{
    const message_t *message = &port->messages[index];
    struct msghdr *header = &port->headers[index].msg_hdr;
    header->msg_name =
        message->path->sockaddr_bytes > 0 ? (void *)(uintptr_t)&message->path->sockaddr : NULL;
    header->msg_namelen = message->path->sockaddr_bytes;
    header->msg_iov = &port->parts[message->first_part];
    header->msg_iovlen = message->part_count;
    header->msg_control = NULL;
    header->msg_controllen = 0;
    if (message->segments > 1) {
        const uint16_t segment_bytes = (uint16_t)message->segment_bytes;
        header->msg_control = &port->controls[index];
        header->msg_controllen = sizeof(port->controls[index]);
        memcpy(CMSG_DATA(&port->controls[index].header), &segment_bytes, sizeof(segment_bytes));
    }
}

/* Fills messages from the cursor on, as long as the runs leave by the same socket. */
static uint32_t gather(udp_port_t *port, send_cursor_t *cursor)
{
    const int fd = socket_of(&cursor->runs[cursor->index]);
    uint32_t filled = 0;
    for (uint32_t part = 0; cursor->index < cursor->count && part < SEND_PARTS; part++) {
        const rj_run_t *run = &cursor->runs[cursor->index];
        const uint32_t left = run->total_bytes - cursor->offset;
        if (socket_of(run) != fd)
            break;
        if (left == 0) {
            cursor->index++;
            continue;
        }
        message_t *last = filled > 0 ? &port->messages[filled - 1] : NULL;
        uint32_t bytes = last != NULL ? joining_bytes(last, run, left) : 0;
        if (bytes > 0) {
            add_part(port, last, cursor, bytes);
        } else {
            if (filled == SEND_MESSAGES)
                break;
            bytes = begin_message(port, &port->messages[filled++], cursor, part, left);
        }
        cursor->offset += bytes;
        if (cursor->offset == run->total_bytes) {
            cursor->index++;
            cursor->offset = 0;
        }
    }
    for (uint32_t i = 0; i < filled; i++)
        finish_message(port, i);
    return filled;
}

/* --- send --- */

/* Sends messages `from` to `end` of the batch. Returns how many went, or a negative errno when the
 * first of them did not. A refusal is an earlier datagram's echo and says nothing of this one. */
static int send_some(udp_port_t *port, int fd, uint32_t from, uint32_t end)
{
    for (int refusals = 0;;) {
        const int sent = sendmmsg(fd, &port->headers[from], end - from, MSG_DONTWAIT);
        rj_port_count(&port->inbox.stats.send_calls, 1);
        if (sent >= 0)
            return sent;
        if (errno == EINTR || (errno == ECONNREFUSED && refusals++ < REFUSALS_MAX))
            continue;
        return errno == ECONNREFUSED ? -EAGAIN : -errno;
    }
}

static void credit(udp_port_t *port, rj_run_t *runs, uint32_t from, uint32_t count)
{
    uint64_t datagrams = 0;
    uint64_t segmented = 0;
    for (uint32_t i = from; i < from + count; i++) {
        const message_t *message = &port->messages[i];
        for (uint32_t n = message->first_part; n < message->first_part + message->part_count; n++)
            runs[port->part_runs[n]].result += (int32_t)port->parts[n].iov_len;
        datagrams += message->segments;
        segmented += message->segments > 1;
    }
    rj_port_count(&port->inbox.stats.sent_datagrams, datagrams);
    rj_port_count(&port->inbox.stats.sent_segmented, segmented);
}

static size_t first_run_of(const udp_port_t *port, const message_t *message)
{
    return port->part_runs[message->first_part];
}

/* The queue is full: moves the cursor behind all runs from `failed` on that leave by its socket. */
static void skip_socket(send_cursor_t *cursor, size_t failed)
{
    size_t index = failed + 1;
    const int fd = socket_of(&cursor->runs[failed]);
    while (index < cursor->count && socket_of(&cursor->runs[index]) == fd)
        index++;
    cursor->index = index;
    cursor->offset = 0;
}

/* Segments longer than the path's MTU cannot be cut, for they would have to be fragmented; a device
 * that computes no checksums cuts nothing. */
static bool is_segment_refusal(const message_t *message, int code)
{
    return message->segments > 1 && (code == -EINVAL || code == -EMSGSIZE || code == -EIO);
}

/* Goes back to where the message began; its datagrams leave one by one. */
static void send_singly(udp_port_t *port, send_cursor_t *cursor, const message_t *message, int code)
{
    const size_t first = first_run_of(port, message);
    const uint8_t *start = port->parts[message->first_part].iov_base;
    rj_port_count(&port->inbox.stats.segment_refused, 1);
    rj_segment_refusals_add(&port->refusals, message->path,
                            code == -EIO ? 1 : message->segment_bytes, port->now_ns);
    cursor->index = first;
    cursor->offset = (uint32_t)(start - cursor->runs[first].start);
}

/* All runs that had a part in the message have failed, and nothing more of them is tried. */
static void fail_message(const udp_port_t *port, send_cursor_t *cursor, const message_t *message,
                         int code)
{
    const size_t last = port->part_runs[message->first_part + message->part_count - 1];
    for (size_t i = first_run_of(port, message); i <= last; i++) {
        if (cursor->runs[i].result == 0)
            cursor->runs[i].result = code;
    }
    cursor->index = last + 1;
    cursor->offset = 0;
}

static void send_batch(udp_port_t *port, send_cursor_t *cursor)
{
    rj_run_t *runs = cursor->runs;
    const int fd = socket_of(&runs[cursor->index]);
    const uint32_t end = gather(port, cursor);
    for (uint32_t done = 0; done < end;) {
        const int sent = send_some(port, fd, done, end);
        if (sent > 0) {
            credit(port, runs, done, (uint32_t)sent);
            done += (uint32_t)sent;
            continue;
        }
        const message_t *failed = &port->messages[done];
        if (sent == 0 || sent == -EAGAIN) {
            rj_port_count(&port->inbox.stats.short_sends, 1);
            skip_socket(cursor, first_run_of(port, failed));
        } else if (is_segment_refusal(failed, sent)) {
            send_singly(port, cursor, failed, sent);
        } else {
            fail_message(port, cursor, failed, sent);
        }
        return;
    }
}

static int udp_port_send(rj_port_t *base, rj_run_t *runs, size_t count)
{
    udp_port_t *port = from_port(base);
    for (size_t i = 0; i < count; i++) {
        runs[i].number = port->next_run_number++;
        runs[i].result = 0;
    }
    send_cursor_t cursor = {.runs = runs, .count = count};
    while (cursor.index < count)
        send_batch(port, &cursor);
    return (int)count;
}

/* The kernel has copied every datagram that it took. */
static uint64_t udp_port_reclaim(rj_port_t *base)
{
    return from_port(base)->next_run_number;
}

/* --- the rest --- */

static int udp_port_poll(rj_port_t *base, rj_packet_t *packets, size_t count, int64_t now_ns)
{
    udp_port_t *port = from_port(base);
    port->now_ns = now_ns;
    const int got = rj_udp_inbox_poll(&port->inbox, packets, count, now_ns);
    port->base.has_more = port->inbox.has_more;
    return got;
}

static int udp_port_attach(rj_port_t *base, rj_endpoint_t *endpoint, rj_attach_role_t role)
{
    return rj_udp_inbox_attach(&from_port(base)->inbox, endpoint, role);
}

static void udp_port_detach(rj_port_t *base, rj_endpoint_t *endpoint, rj_attach_role_t role)
{
    rj_udp_inbox_detach(&from_port(base)->inbox, endpoint, role);
}

static int udp_port_take_error(rj_port_t *base, rj_endpoint_t **ret_endpoint)
{
    return rj_udp_inbox_take_error(&from_port(base)->inbox, ret_endpoint);
}

static const rj_port_stats_t *udp_port_stats(const rj_port_t *base)
{
    return &((const udp_port_t *)base)->inbox.stats;
}

static void udp_port_close(rj_port_t *base)
{
    udp_port_t *port = from_port(base);
    rj_udp_inbox_close(&port->inbox);
    free(port);
}

static const rj_port_ops_t udp_port_ops = {
    .send = udp_port_send,
    .poll = udp_port_poll,
    .reclaim = udp_port_reclaim,
    .attach = udp_port_attach,
    .detach = udp_port_detach,
    .take_error = udp_port_take_error,
    .stats = udp_port_stats,
    .close = udp_port_close,
};

static void init_controls(udp_port_t *port)
{
    for (uint32_t i = 0; i < SEND_MESSAGES; i++)
        port->controls[i].header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(uint16_t)),
                                                    .cmsg_level = SOL_UDP,
                                                    .cmsg_type = UDP_SEGMENT};
}

int rj_udp_port_open(const rj_udp_kind_t *kind, const rj_port_params_t *params,
                     rj_port_t **ret_port, rj_err_t *err)
{
    udp_port_t *port = calloc(1, sizeof(*port));
    if (port == NULL)
        return rj_fail(err, -ENOMEM, "no memory for its state");
    port->ops = udp_port_ops;
    port->ops.name = kind->name;
    port->base.ops = &port->ops;
    port->segments_max = kind->cuts ? SEGMENTS_MAX : 1;
    init_controls(port);
    const int result = rj_udp_inbox_open(&port->inbox, params, kind->merges, err);
    if (result < 0) {
        free(port);
        return result;
    }
    *ret_port = &port->base;
    return 0;
}
