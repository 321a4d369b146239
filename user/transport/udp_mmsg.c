/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/udp_mmsg.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"

enum {
    SEND_BATCH = 128, /* datagrams of one sendmmsg */
    DIRECT_MAX = 5,   /* sockets read without asking which are ready (driver.md 2.3) */
    READY_BATCH = 64, /* sockets that one question may name */
    REFUSALS_MAX = 1, /* echoes of earlier datagrams that one sendmmsg steps over */
    PAYLOAD_MAX = 65536,
    /* Buffers that all begin at a multiple of 64 KiB would share their cache sets; an odd number of
     * lines between them, as many as a datagram of the default MTU has, spreads them. */
    BUFFER_STRIDE = PAYLOAD_MAX + 23 * 64,
};

/* What the kernel tells of a datagram besides: when it had it. */
typedef union receive_control {
    struct cmsghdr header; /* for the alignment */
    uint8_t bytes[CMSG_SPACE(sizeof(struct timespec))];
} receive_control_t;

typedef struct udp_mmsg {
    rj_port_t base;
    uint64_t next_run_number;

    rj_endpoint_t **endpoints; /* dense: [slot] */
    int *errors;               /* [slot], positive errno, 0 when none */
    int endpoint_count;
    int endpoint_max;
    int error_count;
    int first_slot; /* where the next poll begins */
    int epoll_fd;
    bool uses_epoll; /* all sockets are registered, which costs a little for each datagram */

    uint32_t receive_batch;
    struct mmsghdr *receive_headers;
    struct iovec *receive_iovecs;
    struct sockaddr_in6 *receive_names; /* has room for an IPv4 address too */
    receive_control_t *receive_controls;
    uint8_t *buffers;

    struct mmsghdr send_headers[SEND_BATCH];
    struct iovec send_iovecs[SEND_BATCH];
    uint32_t send_runs[SEND_BATCH]; /* the run that each datagram belongs to */
} udp_mmsg_t;

/* How far the runs of one call have been turned into datagrams. */
typedef struct send_cursor {
    rj_run_t *runs;
    size_t count;
    size_t index;
    uint32_t offset; /* in the run at `index` */
} send_cursor_t;

static udp_mmsg_t *from_port(rj_port_t *port)
{
    return (udp_mmsg_t *)port;
}

/* --- send --- */

static int socket_of(const rj_run_t *run)
{
    return run->path->endpoint->socket;
}

static void gather_datagram(udp_mmsg_t *mmsg, uint32_t slot, const send_cursor_t *cursor,
                            uint32_t length)
{
    const rj_run_t *run = &cursor->runs[cursor->index];
    const rj_path_t *path = run->path;
    struct msghdr *header = &mmsg->send_headers[slot].msg_hdr;
    /* The kernel's types lack the const; it only reads both. */
    mmsg->send_iovecs[slot].iov_base = (void *)(uintptr_t)(run->start + cursor->offset);
    mmsg->send_iovecs[slot].iov_len = length;
    header->msg_name = path->sockaddr_bytes > 0 ? (void *)(uintptr_t)&path->sockaddr : NULL;
    header->msg_namelen = path->sockaddr_bytes;
    mmsg->send_runs[slot] = (uint32_t)cursor->index;
}

/* Fills the batch from the cursor on, as long as the runs leave by the same socket. */
static uint32_t gather(udp_mmsg_t *mmsg, send_cursor_t *cursor)
{
    const int fd = socket_of(&cursor->runs[cursor->index]);
    uint32_t filled = 0;
    while (cursor->index < cursor->count && filled < SEND_BATCH) {
        const rj_run_t *run = &cursor->runs[cursor->index];
        if (socket_of(run) != fd)
            break;
        if (cursor->offset >= run->total_bytes) {
            cursor->index++;
            cursor->offset = 0;
            continue;
        }
        assert(run->segment_bytes > 0);
        const uint32_t left = run->total_bytes - cursor->offset;
        const uint32_t length = left < run->segment_bytes ? left : run->segment_bytes;
        gather_datagram(mmsg, filled++, cursor, length);
        cursor->offset += length;
    }
    return filled;
}

/* Sends datagrams `from` to `end` of the batch. Returns how many went, or a negative errno when the
 * first of them did not. A refusal is an earlier datagram's echo and says nothing of this one. */
static int send_some(udp_mmsg_t *mmsg, int fd, uint32_t from, uint32_t end)
{
    for (int refusals = 0;;) {
        const int sent = sendmmsg(fd, &mmsg->send_headers[from], end - from, MSG_DONTWAIT);
        if (sent >= 0)
            return sent;
        if (errno == EINTR || (errno == ECONNREFUSED && refusals++ < REFUSALS_MAX))
            continue;
        return errno == ECONNREFUSED ? -EAGAIN : -errno;
    }
}

static void credit(const udp_mmsg_t *mmsg, rj_run_t *runs, uint32_t from, uint32_t count)
{
    for (uint32_t i = from; i < from + count; i++)
        runs[mmsg->send_runs[i]].result += (int32_t)mmsg->send_iovecs[i].iov_len;
}

/* Moves the cursor behind the run that failed, and with `skips_socket` behind all that follow it on
 * the same socket. */
static void give_up(send_cursor_t *cursor, size_t failed, bool skips_socket)
{
    size_t index = failed + 1;
    const int fd = socket_of(&cursor->runs[failed]);
    while (skips_socket && index < cursor->count && socket_of(&cursor->runs[index]) == fd)
        index++;
    if (index > cursor->index) {
        cursor->index = index;
        cursor->offset = 0;
    }
}

static void send_batch(udp_mmsg_t *mmsg, send_cursor_t *cursor)
{
    rj_run_t *runs = cursor->runs;
    const int fd = socket_of(&runs[cursor->index]);
    const uint32_t end = gather(mmsg, cursor);
    uint32_t done = 0;
    while (done < end) {
        const int sent = send_some(mmsg, fd, done, end);
        if (sent > 0) {
            credit(mmsg, runs, done, (uint32_t)sent);
            done += (uint32_t)sent;
            continue;
        }
        const uint32_t failed = mmsg->send_runs[done];
        if (sent == 0 || sent == -EAGAIN) {
            give_up(cursor, failed, true);
            return;
        }
        if (runs[failed].result == 0)
            runs[failed].result = sent;
        give_up(cursor, failed, false);
        while (done < end && mmsg->send_runs[done] == failed)
            done++;
    }
}

static int udp_mmsg_send(rj_port_t *port, rj_run_t *runs, size_t count)
{
    udp_mmsg_t *mmsg = from_port(port);
    for (size_t i = 0; i < count; i++) {
        runs[i].number = mmsg->next_run_number++;
        runs[i].result = 0;
    }
    send_cursor_t cursor = {.runs = runs, .count = count};
    while (cursor.index < count)
        send_batch(mmsg, &cursor);
    return (int)count;
}

/* The kernel has copied every datagram that it took. */
static uint64_t udp_mmsg_reclaim(rj_port_t *port)
{
    return from_port(port)->next_run_number;
}

/* --- receive --- */

static void keep_error(udp_mmsg_t *mmsg, int slot, int code)
{
    if (mmsg->errors[slot] == 0)
        mmsg->error_count++;
    mmsg->errors[slot] = code;
}

static void clear_error(udp_mmsg_t *mmsg, int slot)
{
    if (mmsg->errors[slot] != 0)
        mmsg->error_count--;
    mmsg->errors[slot] = 0;
}

static void fill_packet(const udp_mmsg_t *mmsg, uint32_t index, rj_packet_t *packet)
{
    struct mmsghdr *message = &mmsg->receive_headers[index];
    packet->data = mmsg->receive_iovecs[index].iov_base;
    packet->length_bytes = message->msg_len;
    packet->segment_bytes = 0;
    if (!rj_address_from_sockaddr(&packet->source, message->msg_hdr.msg_name,
                                  message->msg_hdr.msg_namelen))
        packet->source = (rj_address_t){.family = AF_UNSPEC};
    message->msg_hdr.msg_namelen = sizeof(mmsg->receive_names[0]); /* the kernel shortened it */
}

/* Has the kernel tell what it knows besides of the next `count` datagrams, or not. */
static void want_control(udp_mmsg_t *mmsg, uint32_t first, uint32_t count, bool is_wanted)
{
    for (uint32_t i = first; i < first + count; i++) {
        struct msghdr *header = &mmsg->receive_headers[i].msg_hdr;
        header->msg_control = is_wanted ? &mmsg->receive_controls[i] : NULL;
        header->msg_controllen = is_wanted ? sizeof(mmsg->receive_controls[i]) : 0;
    }
}

static int64_t media_epoch_ns(struct msghdr *header)
{
    struct cmsghdr *control = CMSG_FIRSTHDR(header);
    struct timespec time;
    if (control == NULL || control->cmsg_level != SOL_SOCKET ||
        control->cmsg_type != SO_TIMESTAMPNS || control->cmsg_len < CMSG_LEN(sizeof(time)))
        return 0;
    memcpy(&time, CMSG_DATA(control), sizeof(time));
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* Reads at most `quota` datagrams of one endpoint into the buffers from number `filled` on. */
static uint32_t receive_from(udp_mmsg_t *mmsg, rj_endpoint_t *endpoint, rj_packet_t *packets,
                             uint32_t filled, uint32_t quota, int64_t now_ns)
{
    if (endpoint->wants_media_time)
        want_control(mmsg, filled, quota, true);
    const int got =
        recvmmsg(endpoint->socket, &mmsg->receive_headers[filled], quota, MSG_DONTWAIT, NULL);
    if (got < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNREFUSED)
        keep_error(mmsg, endpoint->slot, errno);
    for (uint32_t i = filled; i < filled + (uint32_t)rj_max_i64(got, 0); i++) {
        fill_packet(mmsg, i, &packets[i]);
        packets[i].endpoint = endpoint;
        packets[i].receive_time_ns = now_ns;
        packets[i].media_epoch_ns =
            endpoint->wants_media_time ? media_epoch_ns(&mmsg->receive_headers[i].msg_hdr) : 0;
    }
    if (endpoint->wants_media_time)
        want_control(mmsg, filled, quota, false);
    return (uint32_t)rj_max_i64(got, 0);
}

/* An equal share of what is left, rounded up. */
static uint32_t share(uint32_t left, uint32_t sockets)
{
    return (left + sockets - 1) / sockets;
}

static uint32_t poll_direct(udp_mmsg_t *mmsg, rj_packet_t *packets, uint32_t count, int64_t now_ns)
{
    const uint32_t sockets = (uint32_t)mmsg->endpoint_count;
    uint32_t slot = (uint32_t)mmsg->first_slot;
    uint32_t filled = 0;
    for (uint32_t left = sockets; left > 0 && filled < count; left--) {
        if (slot >= sockets)
            slot = 0;
        filled += receive_from(mmsg, mmsg->endpoints[slot++], packets, filled,
                               share(count - filled, left), now_ns);
    }
    return filled;
}

/* Level-triggered, so that sockets which are not emptied are named again, behind the others. */
static uint32_t poll_ready(udp_mmsg_t *mmsg, rj_packet_t *packets, uint32_t count, int64_t now_ns)
{
    struct epoll_event events[READY_BATCH];
    const int event_max = count < READY_BATCH ? (int)count : READY_BATCH;
    const int ready = epoll_wait(mmsg->epoll_fd, events, event_max, 0);
    uint32_t filled = 0;
    for (int i = 0; i < ready; i++)
        filled += receive_from(mmsg, events[i].data.ptr, packets, filled,
                               share(count - filled, (uint32_t)(ready - i)), now_ns);
    return filled;
}

static int udp_mmsg_poll(rj_port_t *port, rj_packet_t *packets, size_t count, int64_t now_ns)
{
    udp_mmsg_t *mmsg = from_port(port);
    const uint32_t room = count < mmsg->receive_batch ? (uint32_t)count : mmsg->receive_batch;
    if (mmsg->endpoint_count == 0 || room == 0)
        return 0;
    if (mmsg->uses_epoll)
        return (int)poll_ready(mmsg, packets, room, now_ns);
    mmsg->first_slot++;
    if (mmsg->first_slot >= mmsg->endpoint_count)
        mmsg->first_slot = 0;
    return (int)poll_direct(mmsg, packets, room, now_ns);
}

static int udp_mmsg_take_error(rj_port_t *port, rj_endpoint_t **ret_endpoint)
{
    udp_mmsg_t *mmsg = from_port(port);
    if (mmsg->error_count == 0)
        return 0;
    for (int slot = 0; slot < mmsg->endpoint_count; slot++) {
        const int code = mmsg->errors[slot];
        if (code == 0)
            continue;
        clear_error(mmsg, slot);
        *ret_endpoint = mmsg->endpoints[slot];
        return -code;
    }
    return 0;
}

/* --- attach --- */

static int watch(udp_mmsg_t *mmsg, rj_endpoint_t *endpoint)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = endpoint};
    return epoll_ctl(mmsg->epoll_fd, EPOLL_CTL_ADD, endpoint->socket, &event) < 0 ? -errno : 0;
}

static void unwatch(udp_mmsg_t *mmsg, const rj_endpoint_t *endpoint)
{
    struct epoll_event ignored;
    epoll_ctl(mmsg->epoll_fd, EPOLL_CTL_DEL, endpoint->socket, &ignored);
}

static void unwatch_all(udp_mmsg_t *mmsg, int count)
{
    for (int slot = 0; slot < count; slot++)
        unwatch(mmsg, mmsg->endpoints[slot]);
    mmsg->uses_epoll = false;
}

static int watch_all(udp_mmsg_t *mmsg)
{
    for (int slot = 0; slot < mmsg->endpoint_count; slot++) {
        const int result = watch(mmsg, mmsg->endpoints[slot]);
        if (result < 0) {
            unwatch_all(mmsg, slot);
            return result;
        }
    }
    mmsg->uses_epoll = true;
    return 0;
}

static int udp_mmsg_attach(rj_port_t *port, rj_endpoint_t *endpoint, rj_attach_role_t role)
{
    udp_mmsg_t *mmsg = from_port(port);
    if (role == RJ_ATTACH_GUEST)
        return 0;
    if (mmsg->endpoint_count == mmsg->endpoint_max)
        return -ENOSPC;
    const int slot = mmsg->endpoint_count;
    mmsg->endpoints[slot] = endpoint;
    mmsg->errors[slot] = 0;
    mmsg->endpoint_count++;
    int result = 0;
    if (mmsg->uses_epoll)
        result = watch(mmsg, endpoint);
    else if (mmsg->endpoint_count > DIRECT_MAX)
        result = watch_all(mmsg);
    if (result < 0) {
        mmsg->endpoint_count--;
        return result;
    }
    endpoint->slot = slot;
    return 0;
}

static void udp_mmsg_detach(rj_port_t *port, rj_endpoint_t *endpoint, rj_attach_role_t role)
{
    udp_mmsg_t *mmsg = from_port(port);
    const int slot = endpoint->slot;
    if (role == RJ_ATTACH_GUEST || slot < 0)
        return;
    if (mmsg->uses_epoll)
        unwatch(mmsg, endpoint);
    clear_error(mmsg, slot);
    const int last = --mmsg->endpoint_count;
    mmsg->endpoints[slot] = mmsg->endpoints[last];
    mmsg->endpoints[slot]->slot = slot;
    mmsg->errors[slot] = mmsg->errors[last];
    mmsg->errors[last] = 0;
    endpoint->slot = -1;
    if (mmsg->uses_epoll && mmsg->endpoint_count <= DIRECT_MAX)
        unwatch_all(mmsg, mmsg->endpoint_count);
}

/* --- open, close --- */

static void udp_mmsg_close(rj_port_t *port)
{
    udp_mmsg_t *mmsg = from_port(port);
    if (mmsg->epoll_fd >= 0)
        close(mmsg->epoll_fd);
    if (mmsg->buffers != NULL)
        munmap(mmsg->buffers, (size_t)mmsg->receive_batch * BUFFER_STRIDE);
    free(mmsg->receive_headers);
    free(mmsg->receive_iovecs);
    free(mmsg->receive_names);
    free(mmsg->receive_controls);
    free(mmsg->endpoints);
    free(mmsg->errors);
    free(mmsg);
}

static const rj_port_ops_t udp_mmsg_ops = {
    .name = "socket",
    .send = udp_mmsg_send,
    .poll = udp_mmsg_poll,
    .reclaim = udp_mmsg_reclaim,
    .attach = udp_mmsg_attach,
    .detach = udp_mmsg_detach,
    .take_error = udp_mmsg_take_error,
    .close = udp_mmsg_close,
};

/* Address space only: a buffer takes memory as far as datagrams have filled it. */
static uint8_t *map_buffers(uint32_t count)
{
    void *memory = mmap(NULL, (size_t)count * BUFFER_STRIDE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static bool take_memory(udp_mmsg_t *mmsg, const rj_port_params_t *params)
{
    const size_t batch = params->receive_batch;
    mmsg->receive_batch = params->receive_batch;
    mmsg->endpoint_max = (int)params->endpoint_max;
    mmsg->endpoints = calloc(params->endpoint_max, sizeof(mmsg->endpoints[0]));
    mmsg->errors = calloc(params->endpoint_max, sizeof(mmsg->errors[0]));
    mmsg->receive_headers = calloc(batch, sizeof(mmsg->receive_headers[0]));
    mmsg->receive_iovecs = calloc(batch, sizeof(mmsg->receive_iovecs[0]));
    mmsg->receive_names = calloc(batch, sizeof(mmsg->receive_names[0]));
    mmsg->receive_controls = calloc(batch, sizeof(mmsg->receive_controls[0]));
    mmsg->buffers = map_buffers(params->receive_batch);
    return mmsg->endpoints != NULL && mmsg->errors != NULL && mmsg->receive_headers != NULL &&
           mmsg->receive_iovecs != NULL && mmsg->receive_names != NULL &&
           mmsg->receive_controls != NULL && mmsg->buffers != NULL;
}

/* What stays the same for every datagram. */
static void link_headers(udp_mmsg_t *mmsg)
{
    for (uint32_t i = 0; i < SEND_BATCH; i++) {
        mmsg->send_headers[i].msg_hdr.msg_iov = &mmsg->send_iovecs[i];
        mmsg->send_headers[i].msg_hdr.msg_iovlen = 1;
    }
    for (uint32_t i = 0; i < mmsg->receive_batch; i++) {
        mmsg->receive_iovecs[i].iov_base = mmsg->buffers + (size_t)i * BUFFER_STRIDE;
        mmsg->receive_iovecs[i].iov_len = PAYLOAD_MAX;
        mmsg->receive_headers[i].msg_hdr.msg_iov = &mmsg->receive_iovecs[i];
        mmsg->receive_headers[i].msg_hdr.msg_iovlen = 1;
        mmsg->receive_headers[i].msg_hdr.msg_name = &mmsg->receive_names[i];
        mmsg->receive_headers[i].msg_hdr.msg_namelen = sizeof(mmsg->receive_names[i]);
    }
}

int rj_udp_mmsg_open(const rj_port_params_t *params, rj_port_t **ret_port, rj_err_t *err)
{
    if (params->receive_batch < 1 || params->receive_batch > RJ_PORT_RECEIVE_BATCH_MAX)
        return rj_fail(err, -EINVAL, "a batch of %u packets is not within 1..%d",
                       params->receive_batch, RJ_PORT_RECEIVE_BATCH_MAX);
    if (params->endpoint_max < 1 || params->endpoint_max > RJ_PORT_ENDPOINTS_MAX)
        return rj_fail(err, -EINVAL, "room for %u endpoints is not within 1..%d",
                       params->endpoint_max, RJ_PORT_ENDPOINTS_MAX);
    udp_mmsg_t *mmsg = calloc(1, sizeof(*mmsg));
    if (mmsg == NULL)
        return rj_fail(err, -ENOMEM, "no memory for its state");
    mmsg->base.ops = &udp_mmsg_ops;
    mmsg->epoll_fd = -1;
    int result = 0;
    if (!take_memory(mmsg, params)) {
        result = rj_fail(err, -ENOMEM, "no memory for %u packets", params->receive_batch);
        goto fail;
    }
    mmsg->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (mmsg->epoll_fd < 0) {
        result = rj_fail(err, -errno, "epoll: %s", strerrordesc_np(errno));
        goto fail;
    }
    link_headers(mmsg);
    *ret_port = &mmsg->base;
    return 0;
fail:
    udp_mmsg_close(&mmsg->base);
    return result;
}
