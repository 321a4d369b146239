/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/udp_inbox.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"

enum {
    DIRECT_MAX = 5,   /* sockets read without asking which are ready (driver.md 2.3) */
    READY_BATCH = 64, /* sockets that one question may name */
    PAYLOAD_MAX = 65536,
    /* Buffers that all begin at a multiple of 64 KiB would share their cache sets; an odd number of
     * lines between them, as many as a datagram of the default MTU has, spreads them. */
    BUFFER_STRIDE = PAYLOAD_MAX + 23 * 64,
    POLL_BYTES = 512 * 1024, /* of long messages: what a core's own cache may hold */
    BATCH_MIN = 4,
};

/* What the kernel tells of a message besides: when it had it, and how it was merged. */
typedef union rj_udp_control {
    struct cmsghdr header; /* for the alignment */
    uint8_t bytes[CMSG_SPACE(sizeof(struct timespec)) + CMSG_SPACE(sizeof(int))];
} rj_udp_control_t;

/* --- errors --- */

static void keep_error(rj_udp_inbox_t *inbox, int slot, int code)
{
    if (inbox->errors[slot] == 0)
        inbox->error_count++;
    inbox->errors[slot] = code;
}

static void clear_error(rj_udp_inbox_t *inbox, int slot)
{
    if (inbox->errors[slot] != 0)
        inbox->error_count--;
    inbox->errors[slot] = 0;
}

int rj_udp_inbox_take_error(rj_udp_inbox_t *inbox, rj_endpoint_t **ret_endpoint)
{
    if (inbox->error_count == 0)
        return 0;
    for (int slot = 0; slot < inbox->endpoint_count; slot++) {
        const int code = inbox->errors[slot];
        if (code == 0)
            continue;
        clear_error(inbox, slot);
        *ret_endpoint = inbox->endpoints[slot];
        return -code;
    }
    return 0;
}

/* --- one message --- */

static void read_control(const struct cmsghdr *control, rj_packet_t *packet)
{
    if (control->cmsg_level == SOL_SOCKET && control->cmsg_type == SO_TIMESTAMPNS &&
        control->cmsg_len >= CMSG_LEN(sizeof(struct timespec))) {
        struct timespec time;
        memcpy(&time, CMSG_DATA(control), sizeof(time));
        packet->media_epoch_ns = (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
    } else if (control->cmsg_level == SOL_UDP && control->cmsg_type == UDP_GRO &&
               control->cmsg_len >= CMSG_LEN(sizeof(int))) {
        int segment_bytes;
        memcpy(&segment_bytes, CMSG_DATA(control), sizeof(segment_bytes));
        /* One datagram may say so too, where others of its flow were merged. */
        if (segment_bytes > 0 && (uint32_t)segment_bytes < packet->length_bytes)
            packet->segment_bytes = (uint32_t)segment_bytes;
    }
}

static void read_controls(struct msghdr *header, rj_packet_t *packet)
{
    for (struct cmsghdr *control = CMSG_FIRSTHDR(header); control != NULL;
         control = CMSG_NXTHDR(header, control))
        read_control(control, packet);
    header->msg_controllen = sizeof(rj_udp_control_t); /* the kernel shortened it */
}

static void fill_packet(rj_udp_inbox_t *inbox, uint32_t index, rj_packet_t *packet)
{
    struct mmsghdr *message = &inbox->headers[index];
    packet->data = inbox->iovecs[index].iov_base;
    packet->length_bytes = message->msg_len;
    packet->segment_bytes = 0;
    packet->media_epoch_ns = 0;
    if (!rj_address_from_sockaddr(&packet->source, message->msg_hdr.msg_name,
                                  message->msg_hdr.msg_namelen))
        packet->source = (rj_address_t){.family = AF_UNSPEC};
    message->msg_hdr.msg_namelen = sizeof(inbox->names[0]); /* the kernel shortened it */
    if (message->msg_hdr.msg_control != NULL)
        read_controls(&message->msg_hdr, packet);
}

/* --- one socket --- */

/* Has the kernel tell what it knows besides of the next `count` messages, or not. */
static void want_control(rj_udp_inbox_t *inbox, uint32_t first, uint32_t count, bool is_wanted)
{
    for (uint32_t i = first; i < first + count; i++) {
        struct msghdr *header = &inbox->headers[i].msg_hdr;
        header->msg_control = is_wanted ? &inbox->controls[i] : NULL;
        header->msg_controllen = is_wanted ? sizeof(inbox->controls[i]) : 0;
    }
}

static void count_received(rj_udp_inbox_t *inbox, const rj_packet_t *packets, uint32_t count)
{
    uint64_t datagrams = count;
    uint64_t merged = 0;
    for (uint32_t i = 0; inbox->merges && i < count; i++) {
        const uint32_t segment_bytes = packets[i].segment_bytes;
        if (segment_bytes == 0)
            continue;
        datagrams += (packets[i].length_bytes - 1) / segment_bytes;
        merged++;
    }
    rj_port_count(&inbox->stats.received_datagrams, datagrams);
    rj_port_count(&inbox->stats.received_merged, merged);
}

/* Reads at most `quota` messages of one endpoint into the buffers from number `filled` on. */
static uint32_t receive_from(rj_udp_inbox_t *inbox, rj_endpoint_t *endpoint, rj_packet_t *packets,
                             uint32_t filled, uint32_t quota, int64_t now_ns)
{
    const bool switches_control = endpoint->wants_media_time && !inbox->merges;
    if (switches_control)
        want_control(inbox, filled, quota, true);
    const int got = recvmmsg(endpoint->socket, &inbox->headers[filled], quota, MSG_DONTWAIT, NULL);
    rj_port_count(&inbox->stats.receive_calls, 1);
    if (got < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNREFUSED)
        keep_error(inbox, endpoint->slot, errno);
    const uint32_t count = (uint32_t)rj_max_i64(got, 0);
    inbox->has_more |= count == quota;
    for (uint32_t i = filled; i < filled + count; i++) {
        fill_packet(inbox, i, &packets[i]);
        packets[i].endpoint = endpoint;
        packets[i].receive_time_ns = now_ns;
    }
    if (count > 0)
        count_received(inbox, &packets[filled], count);
    if (switches_control)
        want_control(inbox, filled, quota, false);
    return count;
}

/* --- all sockets --- */

/* An equal share of what is left, rounded up. */
static uint32_t share(uint32_t left, uint32_t sockets)
{
    return (left + sockets - 1) / sockets;
}

static uint32_t poll_direct(rj_udp_inbox_t *inbox, rj_packet_t *packets, uint32_t count,
                            int64_t now_ns)
{
    const uint32_t sockets = (uint32_t)inbox->endpoint_count;
    uint32_t slot = (uint32_t)inbox->first_slot;
    uint32_t filled = 0;
    for (uint32_t left = sockets; left > 0; left--) {
        if (filled == count) {
            inbox->has_more = true; /* for all that we know */
            break;
        }
        if (slot >= sockets)
            slot = 0;
        filled += receive_from(inbox, inbox->endpoints[slot++], packets, filled,
                               share(count - filled, left), now_ns);
    }
    return filled;
}

/* Level-triggered, so that sockets which are not emptied are named again, behind the others. */
static uint32_t poll_ready(rj_udp_inbox_t *inbox, rj_packet_t *packets, uint32_t count,
                           int64_t now_ns)
{
    struct epoll_event events[READY_BATCH];
    const int event_max = count < READY_BATCH ? (int)count : READY_BATCH;
    const int ready = epoll_wait(inbox->epoll_fd, events, event_max, 0);
    uint32_t filled = 0;
    inbox->has_more = ready == event_max;
    for (int i = 0; i < ready; i++)
        filled += receive_from(inbox, events[i].data.ptr, packets, filled,
                               share(count - filled, (uint32_t)(ready - i)), now_ns);
    return filled;
}

/* Long messages, of which many datagrams were merged, are read a few at a time: what one poll
 * brings is read again at once by whoever sorts it, and should still be near. */
static void adapt_batch(rj_udp_inbox_t *inbox, const rj_packet_t *packets, uint32_t count)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        bytes += packets[i].length_bytes;
    const uint32_t fitting = bytes < POLL_BYTES / RJ_PORT_RECEIVE_BATCH_MAX
                                 ? RJ_PORT_RECEIVE_BATCH_MAX
                                 : (uint32_t)((uint64_t)POLL_BYTES * count / bytes);
    const uint32_t batch = fitting > BATCH_MIN ? fitting : BATCH_MIN;
    inbox->batch = batch < inbox->batch_max ? batch : inbox->batch_max;
}

int rj_udp_inbox_poll(rj_udp_inbox_t *inbox, rj_packet_t *packets, size_t count, int64_t now_ns)
{
    const uint32_t room = count < inbox->batch ? (uint32_t)count : inbox->batch;
    if (inbox->endpoint_count == 0 || room == 0)
        return 0;
    uint32_t filled;
    inbox->has_more = false;
    if (inbox->uses_epoll) {
        filled = poll_ready(inbox, packets, room, now_ns);
    } else {
        inbox->first_slot++;
        if (inbox->first_slot >= inbox->endpoint_count)
            inbox->first_slot = 0;
        filled = poll_direct(inbox, packets, room, now_ns);
    }
    if (inbox->merges && filled > 0)
        adapt_batch(inbox, packets, filled);
    return (int)filled;
}

/* --- attach --- */

static int watch(rj_udp_inbox_t *inbox, rj_endpoint_t *endpoint)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = endpoint};
    return epoll_ctl(inbox->epoll_fd, EPOLL_CTL_ADD, endpoint->socket, &event) < 0 ? -errno : 0;
}

static void unwatch(rj_udp_inbox_t *inbox, const rj_endpoint_t *endpoint)
{
    struct epoll_event ignored;
    epoll_ctl(inbox->epoll_fd, EPOLL_CTL_DEL, endpoint->socket, &ignored);
}

static void unwatch_all(rj_udp_inbox_t *inbox, int count)
{
    for (int slot = 0; slot < count; slot++)
        unwatch(inbox, inbox->endpoints[slot]);
    inbox->uses_epoll = false;
}

static int watch_all(rj_udp_inbox_t *inbox)
{
    for (int slot = 0; slot < inbox->endpoint_count; slot++) {
        const int result = watch(inbox, inbox->endpoints[slot]);
        if (result < 0) {
            unwatch_all(inbox, slot);
            return result;
        }
    }
    inbox->uses_epoll = true;
    return 0;
}

/* A socket that says no gives datagrams one by one, as it would to a port that does not ask. Off
 * again for whoever reads it next. */
static void set_merging(const rj_udp_inbox_t *inbox, const rj_endpoint_t *endpoint, int is_on)
{
    if (inbox->merges)
        (void)setsockopt(endpoint->socket, SOL_UDP, UDP_GRO, &is_on, sizeof(is_on));
}

int rj_udp_inbox_attach(rj_udp_inbox_t *inbox, rj_endpoint_t *endpoint, rj_attach_role_t role)
{
    if (role == RJ_ATTACH_GUEST)
        return 0;
    if (inbox->endpoint_count == inbox->endpoint_max)
        return -ENOSPC;
    const int slot = inbox->endpoint_count;
    inbox->endpoints[slot] = endpoint;
    inbox->errors[slot] = 0;
    inbox->endpoint_count++;
    int result = 0;
    if (inbox->uses_epoll)
        result = watch(inbox, endpoint);
    else if (inbox->endpoint_count > DIRECT_MAX)
        result = watch_all(inbox);
    if (result < 0) {
        inbox->endpoint_count--;
        return result;
    }
    endpoint->slot = slot;
    set_merging(inbox, endpoint, 1);
    return 0;
}

void rj_udp_inbox_detach(rj_udp_inbox_t *inbox, rj_endpoint_t *endpoint, rj_attach_role_t role)
{
    const int slot = endpoint->slot;
    if (role == RJ_ATTACH_GUEST || slot < 0)
        return;
    set_merging(inbox, endpoint, 0);
    if (inbox->uses_epoll)
        unwatch(inbox, endpoint);
    clear_error(inbox, slot);
    const int last = --inbox->endpoint_count;
    inbox->endpoints[slot] = inbox->endpoints[last];
    inbox->endpoints[slot]->slot = slot;
    inbox->errors[slot] = inbox->errors[last];
    inbox->errors[last] = 0;
    endpoint->slot = -1;
    if (inbox->uses_epoll && inbox->endpoint_count <= DIRECT_MAX)
        unwatch_all(inbox, inbox->endpoint_count);
}

/* --- open, close --- */

/* Address space only: a buffer takes memory as far as datagrams have filled it. */
static uint8_t *map_buffers(uint32_t count)
{
    void *memory = mmap(NULL, (size_t)count * BUFFER_STRIDE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static bool take_memory(rj_udp_inbox_t *inbox, const rj_port_params_t *params)
{
    const size_t batch = params->receive_batch;
    inbox->batch_max = params->receive_batch;
    inbox->batch = params->receive_batch;
    inbox->endpoint_max = (int)params->endpoint_max;
    inbox->endpoints = calloc(params->endpoint_max, sizeof(inbox->endpoints[0]));
    inbox->errors = calloc(params->endpoint_max, sizeof(inbox->errors[0]));
    inbox->headers = calloc(batch, sizeof(inbox->headers[0]));
    inbox->iovecs = calloc(batch, sizeof(inbox->iovecs[0]));
    inbox->names = calloc(batch, sizeof(inbox->names[0]));
    inbox->controls = calloc(batch, sizeof(inbox->controls[0]));
    inbox->buffers = map_buffers(params->receive_batch);
    return inbox->endpoints != NULL && inbox->errors != NULL && inbox->headers != NULL &&
           inbox->iovecs != NULL && inbox->names != NULL && inbox->controls != NULL &&
           inbox->buffers != NULL;
}

/* What stays the same for every message. */
static void link_headers(rj_udp_inbox_t *inbox)
{
    for (uint32_t i = 0; i < inbox->batch_max; i++) {
        inbox->iovecs[i].iov_base = inbox->buffers + (size_t)i * BUFFER_STRIDE;
        inbox->iovecs[i].iov_len = PAYLOAD_MAX;
        inbox->headers[i].msg_hdr.msg_iov = &inbox->iovecs[i];
        inbox->headers[i].msg_hdr.msg_iovlen = 1;
        inbox->headers[i].msg_hdr.msg_name = &inbox->names[i];
        inbox->headers[i].msg_hdr.msg_namelen = sizeof(inbox->names[i]);
    }
    want_control(inbox, 0, inbox->batch_max, inbox->merges);
}

static int check(const rj_port_params_t *params, rj_err_t *err)
{
    if (params->receive_batch < 1 || params->receive_batch > RJ_PORT_RECEIVE_BATCH_MAX)
        return rj_fail(err, -EINVAL, "a batch of %u packets is not within 1..%d",
                       params->receive_batch, RJ_PORT_RECEIVE_BATCH_MAX);
    if (params->endpoint_max < 1 || params->endpoint_max > RJ_PORT_ENDPOINTS_MAX)
        return rj_fail(err, -EINVAL, "room for %u endpoints is not within 1..%d",
                       params->endpoint_max, RJ_PORT_ENDPOINTS_MAX);
    return 0;
}

int rj_udp_inbox_open(rj_udp_inbox_t *inbox, const rj_port_params_t *params, bool merges,
                      rj_err_t *err)
{
    *inbox = (rj_udp_inbox_t){.epoll_fd = -1, .merges = merges};
    int result = check(params, err);
    if (result < 0)
        return result;
    if (!take_memory(inbox, params)) {
        result = rj_fail(err, -ENOMEM, "no memory for %u packets", params->receive_batch);
        goto fail;
    }
    inbox->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (inbox->epoll_fd < 0) {
        result = rj_fail(err, -errno, "epoll: %s", strerrordesc_np(errno));
        goto fail;
    }
    link_headers(inbox);
    return 0;
fail:
    rj_udp_inbox_close(inbox);
    return result;
}

void rj_udp_inbox_close(rj_udp_inbox_t *inbox)
{
    if (inbox->epoll_fd >= 0)
        close(inbox->epoll_fd);
    if (inbox->buffers != NULL)
        munmap(inbox->buffers, (size_t)inbox->batch_max * BUFFER_STRIDE);
    free(inbox->headers);
    free(inbox->iovecs);
    free(inbox->names);
    free(inbox->controls);
    free(inbox->endpoints);
    free(inbox->errors);
}
