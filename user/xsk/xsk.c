/* SPDX-License-Identifier: Apache-2.0 */
#include "xsk/xsk.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"

#ifndef XDP_MAX_TX_SKB_BUDGET
#define XDP_MAX_TX_SKB_BUDGET 9 /* since 6.17: packets that one kick sends in copy mode */
#endif

#ifndef SO_PREFER_BUSY_POLL
#define SO_PREFER_BUSY_POLL 69 /* since 5.11 */
#define SO_BUSY_POLL_BUDGET 70
#endif

enum { BIND_TRIES = 50 };

static const int64_t bind_pause_ns = INT64_C(20000000);

/* --- rings --- */

static int map_ring(int fd, rj_xsk_ring_t *ring, const struct xdp_ring_offset *offset,
                    uint32_t size, size_t entry_bytes, off_t page_offset)
{
    const size_t length = offset->desc + (size_t)size * entry_bytes;
    void *mapping =
        mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, page_offset);
    if (mapping == MAP_FAILED)
        return -errno;
    uint8_t *bytes = mapping;
    ring->mapping = mapping;
    ring->mapping_bytes = length;
    ring->producer = (uint32_t *)(bytes + offset->producer);
    ring->consumer = (uint32_t *)(bytes + offset->consumer);
    ring->flags = (const uint32_t *)(bytes + offset->flags);
    ring->entries = bytes + offset->desc;
    ring->size = size;
    ring->mask = size - 1;
    return 0;
}

static void unmap_ring(rj_xsk_ring_t *ring)
{
    if (ring->mapping != NULL)
        munmap(ring->mapping, ring->mapping_bytes);
    *ring = (rj_xsk_ring_t){0};
}

static int set_size(int fd, int option, uint32_t size)
{
    return setsockopt(fd, SOL_XDP, option, &size, sizeof(size)) < 0 ? -errno : 0;
}

static int make_rings(rj_xsk_t *xsk, const rj_xsk_params_t *params)
{
    struct xdp_mmap_offsets offsets;
    socklen_t length = sizeof(offsets);
    int result = set_size(xsk->fd, XDP_UMEM_FILL_RING, params->fill_size);
    if (result == 0)
        result = set_size(xsk->fd, XDP_UMEM_COMPLETION_RING, params->completion_size);
    if (result == 0)
        result = set_size(xsk->fd, XDP_RX_RING, params->rx_size);
    if (result == 0)
        result = set_size(xsk->fd, XDP_TX_RING, params->tx_size);
    if (result == 0 && getsockopt(xsk->fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &length) < 0)
        result = -errno;
    if (result < 0)
        return result;
    result = map_ring(xsk->fd, &xsk->fill, &offsets.fr, params->fill_size, sizeof(uint64_t),
                      (off_t)XDP_UMEM_PGOFF_FILL_RING);
    if (result == 0)
        result = map_ring(xsk->fd, &xsk->completion, &offsets.cr, params->completion_size,
                          sizeof(uint64_t), (off_t)XDP_UMEM_PGOFF_COMPLETION_RING);
    if (result == 0)
        result = map_ring(xsk->fd, &xsk->rx, &offsets.rx, params->rx_size, sizeof(struct xdp_desc),
                          (off_t)XDP_PGOFF_RX_RING);
    if (result == 0)
        result = map_ring(xsk->fd, &xsk->tx, &offsets.tx, params->tx_size, sizeof(struct xdp_desc),
                          (off_t)XDP_PGOFF_TX_RING);
    return result;
}

/* --- errors that say what to do --- */

/* How many queues the interface has; 0 when its driver does not say. */
static uint32_t queue_count(const char *interface_name)
{
    struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
    struct ifreq request = {.ifr_data = (char *)&channels};
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface_name);
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const bool is_known = fd >= 0 && ioctl(fd, SIOCETHTOOL, &request) == 0;
    if (fd >= 0)
        close(fd);
    if (!is_known)
        return 0;
    const uint32_t own =
        channels.rx_count > channels.tx_count ? channels.rx_count : channels.tx_count;
    return own + channels.combined_count;
}

static int fail_socket(int code, rj_err_t *err)
{
    if (code == -EPERM || code == -EACCES)
        return rj_fail(err, code, "an AF_XDP socket needs CAP_NET_RAW: run as root or grant it");
    if (code == -EAFNOSUPPORT)
        return rj_fail(err, code, "this kernel has no AF_XDP sockets (CONFIG_XDP_SOCKETS)");
    return rj_fail(err, code, "an AF_XDP socket: %s", strerror(-code));
}

static int fail_registration(int code, const rj_umem_t *umem, rj_err_t *err)
{
    const unsigned long long kib = umem->reach_bytes / 1024;
    if (code == -ENOBUFS || code == -EPERM)
        return rj_fail(err, -ENOBUFS,
                       "%llu KiB of packet memory cannot be locked: raise `ulimit -l` or grant "
                       "CAP_IPC_LOCK",
                       kib);
    return rj_fail(err, code, "packet memory of %llu KiB: %s", kib, strerror(-code));
}

static int fail_segments(const rj_xsk_params_t *params, rj_err_t *err)
{
    return rj_fail(err, -EOPNOTSUPP,
                   "queue %u: MTU %u needs packets of several buffers, which this kernel or driver "
                   "lacks (Linux 6.6): lower the MTU to %u",
                   params->queue, params->mtu_bytes, RJ_XSK_MTU_MAX);
}

static int fail_mode(const rj_xsk_params_t *params, rj_err_t *err)
{
    return rj_fail(err, -EOPNOTSUPP, "queue %u: no %s mode here: try --xdp-mode auto",
                   params->queue, params->mode == RJ_XSK_COPY ? "copy" : "zero-copy");
}

static int fail_invalid(const rj_xsk_params_t *params, rj_err_t *err)
{
    const uint32_t queues = queue_count(params->interface_name);
    if (queues > 0 && params->queue >= queues)
        return rj_fail(err, -EINVAL,
                       "queue %u: the interface has %u (0 to %u): `ethtool -L %s` changes that",
                       params->queue, queues, queues - 1, params->interface_name);
    if (params->uses_segments)
        return fail_segments(params, err);
    /* So says a driver that has zero-copy, but not for this card: virtio's without the DMA API. */
    if (params->mode == RJ_XSK_ZERO_COPY)
        return fail_mode(params, err);
    return rj_fail(err, -EINVAL, "queue %u: the kernel refuses the socket: is there such a queue?",
                   params->queue);
}

static int fail_bind(int code, const rj_xsk_params_t *params, rj_err_t *err)
{
    switch (-code) {
    case EBUSY:
        return rj_fail(err, code,
                       "queue %u is taken by another AF_XDP socket: stop that program or choose "
                       "another with --queues",
                       params->queue);
    case EINVAL:
        return fail_invalid(params, err);
    case EOPNOTSUPP:
        if (params->uses_segments)
            return fail_segments(params, err);
        return fail_mode(params, err);
    case ENETDOWN:
        return rj_fail(err, code, "the interface is down: `ip link set %s up`",
                       params->interface_name);
    case ENODEV:
        return rj_fail(err, code, "there is no such interface");
    default:
        return rj_fail(err, code, "queue %u: bind: %s", params->queue, strerror(-code));
    }
}

/* --- open --- */

/* In zero-copy mode there is no headroom of ours: network cards round the room of a frame up to
 * what their descriptors can say, and with it that would be more than there is. */
static int register_umem(int fd, rj_xsk_mode_t mode, const rj_umem_t *umem)
{
    const struct xdp_umem_reg registration = {.addr = (uint64_t)(uintptr_t)umem->bytes,
                                              .len = umem->reach_bytes,
                                              .chunk_size = umem->frame_bytes,
                                              .headroom =
                                                  mode == RJ_XSK_COPY ? RJ_UMEM_HEADROOM_BYTES : 0};
    return setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &registration, sizeof(registration)) < 0 ? -errno
                                                                                          : 0;
}

static int bind_once(const rj_xsk_t *xsk, const rj_xsk_params_t *params, const rj_xsk_t *lead)
{
    struct sockaddr_xdp address = {.sxdp_family = AF_XDP,
                                   .sxdp_ifindex = params->interface_index,
                                   .sxdp_queue_id = params->queue};
    if (lead != NULL) {
        /* Who shares takes over the other's mode and may not name one. */
        address.sxdp_flags = XDP_SHARED_UMEM;
        address.sxdp_shared_umem_fd = (uint32_t)lead->fd;
    } else {
        const uint32_t flags = XDP_USE_NEED_WAKEUP | (params->uses_segments ? XDP_USE_SG : 0) |
                               (params->mode == RJ_XSK_COPY ? XDP_COPY : XDP_ZEROCOPY);
        address.sxdp_flags = (uint16_t)flags;
    }
    return bind(xsk->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

/* A queue stays busy for some milliseconds after its last socket was closed. */
static int bind_patiently(const rj_xsk_t *xsk, const rj_xsk_params_t *params, const rj_xsk_t *lead)
{
    int result = bind_once(xsk, params, lead);
    for (int tries = 1; tries < BIND_TRIES && result == -EBUSY; tries++) {
        rj_clock_sleep_ns(bind_pause_ns);
        result = bind_once(xsk, params, lead);
    }
    return result;
}

/* A socket without it works as well; who asked for it hears why. */
static void set_busy_poll(rj_xsk_t *xsk, const rj_xsk_params_t *params)
{
    const int options[][2] = {{SO_PREFER_BUSY_POLL, 1},
                              {SO_BUSY_POLL, (int)params->busy_poll_us},
                              {SO_BUSY_POLL_BUDGET, (int)params->busy_poll_budget}};
    if (params->busy_poll_us == 0)
        return;
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        if (setsockopt(xsk->fd, SOL_SOCKET, options[i][0], &options[i][1], sizeof(int)) == 0)
            continue;
        xsk->busy_poll_result = -errno;
        return;
    }
    xsk->busy_polls = true;
}

static bool is_zero_copy(int fd)
{
    struct xdp_options options = {0};
    socklen_t length = sizeof(options);
    return getsockopt(fd, SOL_XDP, XDP_OPTIONS, &options, &length) == 0 &&
           (options.flags & XDP_OPTIONS_ZEROCOPY) != 0;
}

static const rj_xsk_t *find_lead(const rj_xsk_params_t *params, const rj_xsk_t *peers,
                                 uint32_t peer_count)
{
    for (uint32_t i = 0; i < peer_count; i++) {
        if (peers[i].owns_registration && peers[i].uses_segments == params->uses_segments &&
            peers[i].is_zero_copy == (params->mode == RJ_XSK_ZERO_COPY))
            return &peers[i];
    }
    return NULL;
}

/* A packet socket that sends as the TX ring does, past all queueing, and receives nothing. It takes
 * the queue of the CPU, so that it is for interfaces with one: elsewhere a frame could come out of
 * another than ours. Whoever may have an AF_XDP socket may have this; without it the ring sends. */
static int open_direct(const rj_xsk_t *xsk, const rj_xsk_params_t *params)
{
    const struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                        .sll_ifindex = (int)params->interface_index};
    const int bypass = 1;
    if (xsk->is_zero_copy || xsk->busy_polls || queue_count(params->interface_name) != 1)
        return -1;
    const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &bypass, sizeof(bypass)) == 0 &&
        bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Opens in the one mode that `params` names. */
static int open_in_mode(rj_xsk_t *xsk, const rj_xsk_params_t *params, const rj_umem_t *umem,
                        const rj_xsk_t *peers, uint32_t peer_count, rj_err_t *err)
{
    const rj_xsk_t *lead = find_lead(params, peers, peer_count);
    *xsk = (rj_xsk_t){.fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0),
                      .direct_fd = -1,
                      .uses_segments = params->uses_segments,
                      .owns_registration = lead == NULL};
    if (xsk->fd < 0)
        return fail_socket(-errno, err);
    int result = lead == NULL ? register_umem(xsk->fd, params->mode, umem) : 0;
    if (result < 0) {
        result = fail_registration(result, umem, err);
        goto fail;
    }
    result = make_rings(xsk, params);
    if (result < 0) {
        result = rj_fail(err, result, "rings of %u and %u entries: %s", params->rx_size,
                         params->tx_size, strerror(-result));
        goto fail;
    }
    result = bind_patiently(xsk, params, lead);
    if (result < 0) {
        result = fail_bind(result, params, err);
        goto fail;
    }
    xsk->is_zero_copy = is_zero_copy(xsk->fd);
    /* A kernel without the option goes on in small steps. */
    setsockopt(xsk->fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, &params->tx_size, sizeof(params->tx_size));
    set_busy_poll(xsk, params);
    xsk->direct_fd = open_direct(xsk, params);
    return 0;
fail:
    rj_xsk_close(xsk);
    return result;
}

/* Whether another mode would fare no better. */
static bool is_final(int result)
{
    return result == -EBUSY || result == -ENOBUFS || result == -EPERM;
}

/* Packets of several buffers are needed, or only liked: then a mode without them is as good. */
static int open_with_segments(rj_xsk_t *xsk, const rj_xsk_params_t *params, const rj_umem_t *umem,
                              const rj_xsk_t *peers, uint32_t peer_count, rj_err_t *err)
{
    rj_xsk_params_t tried = *params;
    tried.uses_segments |= params->likes_segments;
    const int result = open_in_mode(xsk, &tried, umem, peers, peer_count, err);
    if (result == 0 || is_final(result) || tried.uses_segments == params->uses_segments)
        return result;
    return open_in_mode(xsk, params, umem, peers, peer_count, err);
}

int rj_xsk_open(rj_xsk_t *xsk, const rj_xsk_params_t *params, const rj_umem_t *umem,
                const rj_xsk_t *peers, uint32_t peer_count, rj_err_t *err)
{
    *xsk = (rj_xsk_t){.fd = -1, .direct_fd = -1};
    if (params->mode != RJ_XSK_AUTO)
        return open_with_segments(xsk, params, umem, peers, peer_count, err);
    /* What a driver answers that cannot do it differs; the queue's state does not depend on it. */
    rj_xsk_params_t tried = *params;
    tried.mode = RJ_XSK_ZERO_COPY;
    const int result = open_with_segments(xsk, &tried, umem, peers, peer_count, err);
    if (result == 0 || is_final(result))
        return result;
    tried.mode = RJ_XSK_COPY;
    return open_with_segments(xsk, &tried, umem, peers, peer_count, err);
}

void rj_xsk_close(rj_xsk_t *xsk)
{
    unmap_ring(&xsk->rx);
    unmap_ring(&xsk->tx);
    unmap_ring(&xsk->fill);
    unmap_ring(&xsk->completion);
    if (xsk->fd >= 0)
        close(xsk->fd);
    if (xsk->direct_fd >= 0)
        close(xsk->direct_fd);
    xsk->fd = -1;
    xsk->direct_fd = -1;
}

/* --- while it is open --- */

/* Receives nothing, ever; at most it wakes the driver. */
bool rj_xsk_is_bound(int fd)
{
    return recvfrom(fd, NULL, 0, MSG_DONTWAIT, NULL, NULL) >= 0 || errno != ENXIO;
}

int rj_xsk_losses(int fd, rj_xsk_losses_t *ret_losses)
{
    struct xdp_statistics statistics = {0};
    socklen_t length = sizeof(statistics);
    if (getsockopt(fd, SOL_XDP, XDP_STATISTICS, &statistics, &length) < 0)
        return -errno;
    *ret_losses = (rj_xsk_losses_t){
        .rx_dropped = statistics.rx_dropped,
        .rx_ring_full = statistics.rx_ring_full,
        .fill_ring_empty = statistics.rx_fill_ring_empty_descs,
        .rx_invalid_descriptors = statistics.rx_invalid_descs,
        .tx_invalid_descriptors = statistics.tx_invalid_descs,
    };
    return 0;
}

/* The library's own would make the thread a point of cancellation each time. */
static long send_at_once(int fd, const void *bytes, size_t length)
{
    return syscall(SYS_sendto, fd, bytes, length, MSG_DONTWAIT, NULL, 0);
}

int rj_xsk_kick_tx(const rj_xsk_t *xsk)
{
    return send_at_once(xsk->fd, NULL, 0) < 0 ? -errno : 0;
}

bool rj_xsk_send_directly(const rj_xsk_t *xsk, const void *frame, uint32_t length)
{
    return xsk->direct_fd >= 0 && send_at_once(xsk->direct_fd, frame, length) >= 0;
}

void rj_xsk_wake_tx(const rj_xsk_t *xsk)
{
    struct pollfd wanted = {.fd = xsk->fd, .events = POLLOUT};
    (void)poll(&wanted, 1, 0); /* what it says is seen in the ring */
}

void rj_xsk_kick_rx(const rj_xsk_t *xsk)
{
    recvfrom(xsk->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
}
