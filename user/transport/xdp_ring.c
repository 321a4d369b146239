/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/xdp_ring.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/checksum.h"

enum {
    LINE_BYTES = 64, /* of the caches, where that is known */
    LINK_BYTES = 18, /* Ethernet header and one VLAN tag */
};

/* --- the frames for receiving --- */

/* How many the kernel gets while there are no bursts. */
static uint32_t few_of(const rj_xdp_ring_t *ring)
{
    const bool wants_all = ring->xsk->is_zero_copy || ring->rx_frames < RJ_XDP_RING_FEW;
    return wants_all ? ring->rx_frames : RJ_XDP_RING_FEW;
}

/* Those that were read last go first. The kernel shows a packet before it shows that its frame has
 * left the fill ring: who reads fast may find no room yet, and gives the rest later. */
static void refill(rj_xdp_ring_t *ring)
{
    rj_xsk_ring_t *fill = &ring->xsk->fill;
    const uint32_t reserve = ring->rx_frames - ring->rx_offered;
    if (ring->held_count <= reserve)
        return;
    while (ring->held_count > reserve && rj_xsk_ring_has_room(fill, 1)) {
        const uint64_t address = ring->held[--ring->held_count];
        rj_umem_move(ring->umem, address, RJ_FRAME_RX, RJ_FRAME_FILL);
        *rj_xsk_ring_address(fill, fill->mine++) =
            address & ~(uint64_t)(ring->umem->frame_bytes - 1);
    }
    rj_xsk_ring_submit(fill);
}

/* --- open, close --- */

/* Longer ones have been merged, or were never cut: several pieces would take them, at the cost of a
 * copy by the kernel and another by us. Sockets have them with neither. */
static uint32_t single_frame_bytes(const rj_af_xdp_ring_params_t *params, uint32_t room)
{
    return (uint32_t)rj_min_i64(room, (int64_t)params->mtu_bytes + LINK_BYTES);
}

int rj_xdp_ring_open(rj_xdp_ring_t *ring, rj_xsk_t *xsk, rj_umem_t *umem,
                     const rj_af_xdp_ring_params_t *params, uint32_t tx_frames_max, rj_err_t *err)
{
    const uint32_t segments = params->mtu_bytes > RJ_XSK_MTU_MAX ? RJ_UMEM_SEGMENTS_MAX : 1;
    const bool has_logs = umem->reach_bytes > rj_umem_length(umem) && xsk->uses_segments;
    *ring = (rj_xdp_ring_t){
        .xsk = xsk,
        .umem = umem,
        .tx_frames_max = tx_frames_max,
    };
    const uint32_t room = rj_umem_receive_room(umem->frame_bytes, segments);
    ring->base = (rj_frame_ring_t){
        .interface_index = params->interface_index,
        .queue = params->queue,
        .receive_room_bytes = segments == 1 ? room : single_frame_bytes(params, room),
        .send_room_bytes = umem->frame_bytes * segments - RJ_UMEM_HEADROOM_BYTES,
        .scratch_bytes = RJ_UMEM_HEADROOM_BYTES + room,
        .may_be_merged = params->is_generic,
    };
    const uint32_t fill_size = xsk->fill.size;
    ring->held = calloc(fill_size, sizeof(ring->held[0]));
    if (has_logs)
        ring->references = calloc(xsk->completion.size, sizeof(ring->references[0]));
    if (ring->held == NULL || (has_logs && ring->references == NULL))
        return rj_fail(err, -ENOMEM, "no memory for a ring of %u frames", fill_size);
    for (uint32_t i = 0; i < fill_size; i++)
        ring->held[ring->held_count++] = rj_umem_take(umem, RJ_FRAME_RX);
    ring->rx_frames = fill_size;
    ring->rx_offered = params->never_sleeps ? few_of(ring) : fill_size;
    refill(ring);
    return 0;
}

void rj_xdp_ring_close(rj_xdp_ring_t *ring)
{
    if (ring->xsk != NULL) {
        rj_xdp_ring_flush(ring);
        rj_xsk_close(ring->xsk);
    }
    free(ring->held);
    free(ring->references);
    ring->held = NULL;
    ring->references = NULL;
    ring->xsk = NULL;
}

/* --- send --- */

static rj_xdp_reference_t *reference_at(const rj_xdp_ring_t *ring, uint32_t index)
{
    return &ring->references[index & ring->xsk->completion.mask];
}

/* They come back in the order of sending, unless the kernel lets packets go in another one. Of two
 * to the same bytes either will do. */
static void let_reference_go(rj_xdp_ring_t *ring, uint64_t address)
{
    uint32_t at = ring->reference_head;
    while (at != ring->reference_tail &&
           (reference_at(ring, at)->is_done || reference_at(ring, at)->address != address))
        at++;
    assert(at != ring->reference_tail);
    reference_at(ring, at)->is_done = true;
    while (ring->reference_head != ring->reference_tail &&
           reference_at(ring, ring->reference_head)->is_done)
        ring->reference_head++;
}

uint64_t rj_xdp_ring_reclaim(const rj_xdp_ring_t *ring)
{
    return ring->reference_head == ring->reference_tail
               ? UINT64_MAX
               : reference_at(ring, ring->reference_head)->run_number;
}

static void reap(rj_xdp_ring_t *ring)
{
    rj_xsk_ring_t *completion = &ring->xsk->completion;
    const uint64_t frames_end = rj_umem_length(ring->umem);
    const uint32_t count = rj_xsk_ring_available_now(completion);
    if (count == 0)
        return;
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t address = *rj_xsk_ring_address(completion, completion->mine++);
        if (address >= frames_end) {
            let_reference_go(ring, address);
            continue;
        }
        rj_umem_free(ring->umem, address, RJ_FRAME_TX);
        assert(ring->tx_frames > 0);
        ring->tx_frames--;
    }
    rj_xsk_ring_release(completion);
}

/* In copy mode a call sends a bounded number of packets, and none where a queue behind it is full:
 * it is repeated as long as it gets anywhere. In zero-copy mode it only wakes the driver. What
 * stays is for the next flush. */
static void kick(rj_xdp_ring_t *ring)
{
    rj_xsk_ring_t *tx = &ring->xsk->tx;
    uint32_t pending = rj_xsk_ring_pending(tx);
    while (pending > 0 && (rj_xsk_ring_needs_wakeup(tx) || ring->xsk->busy_polls)) {
        const int result = rj_xsk_kick_tx(ring->xsk);
        rj_frame_ring_count(&ring->base.stats.tx_kicks, 1);
        if (result == -ENXIO || result == -ENODEV)
            ring->base.is_gone = true;
        const uint32_t left = rj_xsk_ring_pending(tx);
        /* A kick that polls wakes nobody; a card may send in a NAPI of its own, as virtio does. */
        if (left > 0 && ring->xsk->is_zero_copy && ring->xsk->busy_polls)
            rj_xsk_wake_tx(ring->xsk);
        if (left == pending || ring->xsk->is_zero_copy)
            break;
        pending = left;
    }
}

/* A frame that is alone, in the ring and on its way: it takes the short one. What is refused there
 * goes by the ring. */
static bool send_directly(rj_xdp_ring_t *ring)
{
    rj_xsk_ring_t *tx = &ring->xsk->tx;
    if (ring->xsk->direct_fd < 0 || ring->tx_frames != 1 || ring->base.is_gone ||
        ring->reference_head != ring->reference_tail)
        return false;
    const struct xdp_desc *desc = rj_xsk_ring_desc(tx, tx->mine - 1);
    if (!rj_xsk_send_directly(ring->xsk, ring->umem->bytes + desc->addr, desc->len))
        return false;
    rj_umem_free(ring->umem, desc->addr, RJ_FRAME_TX);
    tx->mine--;
    ring->tx_frames--;
    ring->base.has_unsent = false;
    rj_frame_ring_count(&ring->base.stats.tx_direct, 1);
    return true;
}

void rj_xdp_ring_flush(rj_xdp_ring_t *ring)
{
    if (ring->base.has_unsent && send_directly(ring))
        return;
    if (ring->base.has_unsent)
        rj_xsk_ring_submit(&ring->xsk->tx);
    ring->base.has_unsent = false;
    if (ring->tx_frames == 0 && ring->reference_head == ring->reference_tail)
        return;
    if (!ring->base.is_gone && ring->xsk->tx.mine != ring->xsk->tx.theirs)
        kick(ring);
    reap(ring);
}

static void put_descriptor(rj_xdp_ring_t *ring, uint64_t address, uint32_t length, bool is_last)
{
    rj_xsk_ring_t *tx = &ring->xsk->tx;
    *rj_xsk_ring_desc(tx, tx->mine++) =
        (struct xdp_desc){.addr = address, .len = length, .options = is_last ? 0 : XDP_PKT_CONTD};
}

/* The frames behind the first, of a packet that one does not hold. All but the last are of even
 * length, so that the sum goes on. */
static uint64_t put_rest(rj_xdp_ring_t *ring, const uint8_t *payload, uint32_t length, uint64_t sum)
{
    while (length > 0) {
        const uint64_t address = rj_umem_take(ring->umem, RJ_FRAME_TX);
        const uint32_t part = (uint32_t)rj_min_i64(length, ring->umem->frame_bytes);
        sum = rj_checksum_copy(ring->umem->bytes + address, payload, part, sum);
        put_descriptor(ring, address, part, part == length);
        payload += part;
        length -= part;
    }
    return sum;
}

bool rj_xdp_ring_put(rj_xdp_ring_t *ring, const rj_path_header_t *header, const uint8_t *payload,
                     uint32_t payload_bytes, uint16_t identification)
{
    const uint32_t frame_bytes = ring->umem->frame_bytes;
    const uint32_t bytes = RJ_UMEM_HEADROOM_BYTES + header->length_bytes + payload_bytes;
    const uint32_t segments = (bytes + frame_bytes - 1) / frame_bytes;
    if (ring->tx_frames + segments > ring->tx_frames_max ||
        !rj_xsk_ring_has_room(&ring->xsk->tx, segments))
        return false;
    const uint64_t address = rj_umem_take(ring->umem, RJ_FRAME_TX) + RJ_UMEM_HEADROOM_BYTES;
    uint8_t *frame = ring->umem->bytes + address;
    const uint32_t first_bytes = (uint32_t)rj_min_i64(bytes, frame_bytes) - RJ_UMEM_HEADROOM_BYTES;
    const uint32_t first_payload = first_bytes - header->length_bytes;
    rj_path_header_put(header, frame);
    uint64_t sum = rj_checksum_copy(frame + header->length_bytes, payload, first_payload, 0);
    put_descriptor(ring, address, first_bytes, segments == 1);
    if (segments > 1)
        sum = put_rest(ring, payload + first_payload, payload_bytes - first_payload, sum);
    rj_path_header_finish(header, frame, payload_bytes, sum, identification);
    ring->tx_frames += segments;
    ring->base.has_unsent = true;
    rj_frame_ring_count(&ring->base.stats.tx_frames, 1);
    return true;
}

/* --- send from a log buffer --- */

/* How many pieces that cross no border of a frame; 0: it is copied. */
static uint32_t parts_of(const rj_xdp_ring_t *ring, const uint8_t *payload, uint32_t payload_bytes)
{
    const uint32_t frame_bytes = ring->umem->frame_bytes;
    const uint32_t parts_max =
        (ring->xsk->is_zero_copy ? RJ_XDP_RING_ZERO_COPY_PARTS_MAX : RJ_UMEM_SEGMENTS_MAX) - 1;
    if (ring->references == NULL || payload_bytes < RJ_XDP_RING_REFERENCED_BYTES_MIN ||
        !rj_umem_reaches(ring->umem, payload, payload_bytes))
        return 0;
    const uint32_t in_frame =
        (uint32_t)(uintptr_t)(payload - ring->umem->bytes) & (frame_bytes - 1);
    const uint32_t parts = (in_frame + payload_bytes + frame_bytes - 1) / frame_bytes;
    return parts <= parts_max ? parts : 0;
}

static void put_references(rj_xdp_ring_t *ring, uint64_t address, uint32_t length,
                           uint64_t run_number)
{
    while (length > 0) {
        const uint64_t border = (address | (ring->umem->frame_bytes - 1)) + 1;
        const uint32_t part = (uint32_t)rj_min_i64(length, (int64_t)(border - address));
        put_descriptor(ring, address, part, part == length);
        *reference_at(ring, ring->reference_tail++) =
            (rj_xdp_reference_t){.address = address, .run_number = run_number};
        address += part;
        length -= part;
    }
}

bool rj_xdp_ring_put_of(rj_xdp_ring_t *ring, const rj_run_t *run, uint32_t offset,
                        uint32_t payload_bytes, uint16_t identification)
{
    const rj_path_header_t *header = run->path->header;
    const uint8_t *payload = run->start + offset;
    const uint32_t parts = parts_of(ring, payload, payload_bytes);
    if (parts == 0)
        return rj_xdp_ring_put(ring, header, payload, payload_bytes, identification);
    const uint32_t references = ring->reference_tail - ring->reference_head;
    if (ring->tx_frames == ring->tx_frames_max || references + parts > ring->xsk->completion.size ||
        !rj_xsk_ring_has_room(&ring->xsk->tx, 1 + parts))
        return false;
    const uint64_t address = rj_umem_take(ring->umem, RJ_FRAME_TX) + RJ_UMEM_HEADROOM_BYTES;
    uint8_t *frame = ring->umem->bytes + address;
    rj_path_header_put(header, frame);
    rj_path_header_finish(header, frame, payload_bytes, rj_checksum_add(payload, payload_bytes, 0),
                          identification);
    put_descriptor(ring, address, header->length_bytes, false);
    put_references(ring, (uint64_t)(payload - ring->umem->bytes), payload_bytes, run->number);
    ring->tx_frames++;
    ring->base.has_unsent = true;
    rj_frame_ring_count(&ring->base.stats.tx_frames, 1);
    rj_frame_ring_count(&ring->base.stats.tx_referenced, 1);
    return true;
}

/* --- receive --- */

/* Looks at what came since the last time: that, and what waits. */
static void adapt(rj_xdp_ring_t *ring)
{
    const uint32_t few = few_of(ring);
    const uint32_t burst = ring->rx_since + rj_xsk_ring_available_now(&ring->xsk->rx);
    ring->calm += ring->rx_since;
    ring->rx_since = 0;
    if (burst > few / 4) {
        ring->rx_offered = ring->rx_frames;
        ring->calm = 0;
    } else if (ring->calm >= RJ_XDP_RING_CALM) {
        ring->rx_offered = few;
        ring->calm = 0;
    }
}

void rj_xdp_ring_recycle(rj_xdp_ring_t *ring)
{
    if (ring->rx_since > 0)
        adapt(ring);
    if (ring->held_count > 0)
        refill(ring);
    if (!ring->base.is_gone &&
        (ring->xsk->busy_polls || rj_xsk_ring_needs_wakeup(&ring->xsk->fill)))
        rj_xsk_kick_rx(ring->xsk);
}

/* Takes one descriptor; its frame is ours until the next recycle. */
static struct xdp_desc take(rj_xdp_ring_t *ring)
{
    rj_xsk_ring_t *rx = &ring->xsk->rx;
    const struct xdp_desc desc = *rj_xsk_ring_desc(rx, rx->mine++);
    assert(rj_umem_contains(ring->umem, desc.addr, desc.len));
    rj_umem_move(ring->umem, desc.addr, RJ_FRAME_FILL, RJ_FRAME_RX);
    ring->held[ring->held_count++] = desc.addr;
    ring->rx_since++;
    ring->rx_taken++;
    ring->rx_offset = (uint32_t)desc.addr & (ring->umem->frame_bytes - 1);
    return desc;
}

/* In copy mode the kernel fills frames in the order of the fill ring: the next one is known before
 * its descriptor has come from the other CPU's cache, and can come at the same time. A wrong guess
 * costs nothing but two lines. */
static void ask_for_frame(const rj_xdp_ring_t *ring)
{
    const rj_xsk_ring_t *fill = &ring->xsk->fill;
    const uint8_t *frame = ring->umem->bytes + *rj_xsk_ring_address(fill, ring->rx_taken);
    __builtin_prefetch(frame + ring->rx_offset);
    __builtin_prefetch(frame + ring->rx_offset + LINE_BYTES);
}

/* How many descriptors the packet at the front has; 0 while its end has not come; one more than
 * possible when it has too many. */
static uint32_t packet_segments(rj_xdp_ring_t *ring)
{
    rj_xsk_ring_t *rx = &ring->xsk->rx;
    const uint32_t available = rj_xsk_ring_available_now(rx);
    for (uint32_t i = 0; i < available; i++) {
        if (i == RJ_UMEM_SEGMENTS_MAX)
            return i + 1;
        if ((rj_xsk_ring_desc(rx, rx->mine + i)->options & XDP_PKT_CONTD) == 0)
            return i + 1;
    }
    return 0;
}

/* Drops what is there of a packet of too many frames. */
static void skip_rest(rj_xdp_ring_t *ring)
{
    ring->skips_rest = true;
    while (ring->skips_rest && rj_xsk_ring_available(&ring->xsk->rx) > 0)
        ring->skips_rest = (take(ring).options & XDP_PKT_CONTD) != 0;
}

static bool next_of_segments(rj_xdp_ring_t *ring, uint8_t *scratch, rj_ring_frame_t *ret_frame)
{
    const uint32_t segments = packet_segments(ring);
    if (segments == 0)
        return false;
    rj_frame_ring_count(&ring->base.stats.rx_frames, 1);
    /* Its payload begins where one in the UMEM does. */
    *ret_frame = (rj_ring_frame_t){.bytes = scratch + RJ_UMEM_HEADROOM_BYTES};
    if (segments > RJ_UMEM_SEGMENTS_MAX) {
        skip_rest(ring);
        return true; /* empty, hence malformed */
    }
    for (uint32_t i = 0; i < segments; i++) {
        const struct xdp_desc desc = take(ring);
        memcpy(ret_frame->bytes + ret_frame->length_bytes, ring->umem->bytes + desc.addr, desc.len);
        ret_frame->length_bytes += desc.len;
    }
    rj_frame_ring_count(&ring->base.stats.rx_linearised, 1);
    return true;
}

bool rj_xdp_ring_next(rj_xdp_ring_t *ring, uint8_t *scratch, rj_ring_frame_t *ret_frame)
{
    rj_xsk_ring_t *rx = &ring->xsk->rx;
    if (ring->skips_rest)
        skip_rest(ring);
    if (rj_xsk_ring_available(rx) == 0)
        return false;
    if (!ring->xsk->is_zero_copy)
        ask_for_frame(ring);
    if ((rj_xsk_ring_desc(rx, rx->mine)->options & XDP_PKT_CONTD) != 0)
        return next_of_segments(ring, scratch, ret_frame);
    const struct xdp_desc desc = take(ring);
    rj_frame_ring_count(&ring->base.stats.rx_frames, 1);
    *ret_frame =
        (rj_ring_frame_t){.bytes = ring->umem->bytes + desc.addr, .length_bytes = desc.len};
    return true;
}

void rj_xdp_ring_release(rj_xdp_ring_t *ring)
{
    if (ring->rx_since > 0)
        rj_xsk_ring_release(&ring->xsk->rx);
}
