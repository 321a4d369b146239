/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/af_xdp.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bits.h"
#include "transport/xdp_ring.h"

typedef struct ring_set ring_set_t;

typedef struct member {
    rj_xdp_ring_t ring;
    ring_set_t *set;
} member_t;

/* The rings of one port with the UMEM that they share; the last of them to close frees it. */
struct ring_set {
    uint32_t open_count;
    rj_umem_t umem;
    rj_xsk_t xsks[RJ_AF_XDP_RINGS_MAX];
    member_t members[RJ_AF_XDP_RINGS_MAX];
};

static rj_xdp_ring_t *from_ring(rj_frame_ring_t *ring)
{
    return (rj_xdp_ring_t *)ring;
}

/* --- what a ring does --- */

static uint32_t xdp_put(rj_frame_ring_t *base, const rj_run_t *run, uint32_t offset)
{
    rj_xdp_ring_t *ring = from_ring(base);
    uint32_t at = offset;
    while (at < run->total_bytes) {
        const uint32_t left = run->total_bytes - at;
        const uint32_t length = left < run->segment_bytes ? left : run->segment_bytes;
        if (!rj_xdp_ring_put_of(ring, run, at, length, base->identification++))
            break;
        at += length;
    }
    return at - offset;
}

static uint64_t xdp_reclaim(rj_frame_ring_t *base)
{
    return rj_xdp_ring_reclaim(from_ring(base));
}

static void xdp_flush(rj_frame_ring_t *base)
{
    rj_xdp_ring_flush(from_ring(base));
}

static void xdp_begin(rj_frame_ring_t *base)
{
    rj_xdp_ring_recycle(from_ring(base));
    rj_xdp_ring_flush(from_ring(base));
}

static bool xdp_next(rj_frame_ring_t *base, uint8_t *scratch, rj_ring_frame_t *ret_frame)
{
    return rj_xdp_ring_next(from_ring(base), scratch, ret_frame);
}

static void xdp_end(rj_frame_ring_t *base)
{
    rj_xdp_ring_release(from_ring(base));
}

static void xdp_look(rj_frame_ring_t *base, rj_frame_ring_look_t *ret_look)
{
    const rj_xdp_ring_t *ring = from_ring(base);
    rj_xsk_losses_t losses = {0};
    (void)rj_xsk_losses(ring->xsk->fd, &losses); /* only a closed socket has none to tell */
    *ret_look = (rj_frame_ring_look_t){.is_bound = rj_xsk_is_bound(ring->xsk->fd),
                                       .lost_full = losses.rx_ring_full,
                                       .lost_other = losses.rx_dropped};
}

static void leave(ring_set_t *set)
{
    if (--set->open_count > 0)
        return;
    rj_umem_close(&set->umem);
    free(set);
}

static void xdp_close(rj_frame_ring_t *base)
{
    rj_xdp_ring_close(from_ring(base));
    leave(((member_t *)base)->set);
}

static const rj_frame_ring_ops_t xdp_ops = {
    .put = xdp_put,
    .flush = xdp_flush,
    .begin = xdp_begin,
    .next = xdp_next,
    .end = xdp_end,
    .reclaim = xdp_reclaim,
    .look = xdp_look,
    .close = xdp_close,
};

/* --- open --- */

/* Sizes with the defaults filled in. */
static rj_af_xdp_params_t complete(const rj_af_xdp_params_t *params)
{
    rj_af_xdp_params_t full = *params;
    if (full.frames_per_ring == 0)
        full.frames_per_ring = RJ_AF_XDP_FRAMES_DEFAULT;
    if (full.rx_size == 0)
        full.rx_size = RJ_AF_XDP_RING_SIZE_DEFAULT;
    if (full.tx_size == 0)
        full.tx_size = RJ_AF_XDP_RING_SIZE_DEFAULT;
    return full;
}

static int check(const rj_af_xdp_params_t *params, rj_err_t *err)
{
    if (params->ring_count < 1 || params->ring_count > RJ_AF_XDP_RINGS_MAX)
        return rj_fail(err, -EINVAL, "%u rings: 1 to %d are possible", params->ring_count,
                       RJ_AF_XDP_RINGS_MAX);
    if (!rj_is_pow2(params->rx_size) || !rj_is_pow2(params->tx_size))
        return rj_fail(err, -EINVAL, "rings of %u and %u entries: powers of two are possible",
                       params->rx_size, params->tx_size);
    if (params->frames_per_ring <= params->rx_size)
        return rj_fail(err, -EINVAL, "%u frames a ring: more than the %u of its fill ring",
                       params->frames_per_ring, params->rx_size);
    return 0;
}

static int open_ring(ring_set_t *set, const rj_af_xdp_params_t *params, uint32_t index,
                     rj_err_t *err)
{
    const rj_af_xdp_ring_params_t *wanted = &params->rings[index];
    const rj_xsk_params_t xsk_params = {
        .interface_name = wanted->interface_name,
        .interface_index = wanted->interface_index,
        .queue = wanted->queue,
        .mtu_bytes = wanted->mtu_bytes,
        .mode = wanted->mode,
        .uses_segments = wanted->mtu_bytes > RJ_XSK_MTU_MAX,
        .likes_segments = params->memory != NULL,
        .busy_poll_us = wanted->busy_poll_us,
        .busy_poll_budget = wanted->busy_poll_budget,
        .rx_size = params->rx_size,
        .tx_size = params->tx_size,
        .fill_size = params->rx_size,
        .completion_size = params->tx_size,
    };
    rj_xsk_t *xsk = &set->xsks[index];
    member_t *member = &set->members[index];
    int result = rj_xsk_open(xsk, &xsk_params, &set->umem, set->xsks, index, err);
    if (result == 0) {
        member->set = set;
        result = rj_xdp_ring_open(&member->ring, xsk, &set->umem, wanted,
                                  params->frames_per_ring - params->rx_size, err);
        member->ring.base.ops = &xdp_ops;
        set->open_count++;
    }
    return result < 0 ? rj_err_context(err, "%s: ", wanted->interface_name) : 0;
}

static int open_all(ring_set_t *set, const rj_af_xdp_params_t *params, uint32_t *ret_failed_ring,
                    rj_err_t *err)
{
    uint32_t frame_bytes = RJ_UMEM_FRAME_BYTES_MIN;
    for (uint32_t i = 0; i < params->ring_count; i++)
        frame_bytes =
            (uint32_t)rj_max_i64(frame_bytes, rj_umem_frame_bytes(params->rings[i].mtu_bytes));
    const uint32_t frame_count = params->frames_per_ring * params->ring_count;
    int result = params->memory == NULL
                     ? rj_umem_open(&set->umem, frame_bytes, frame_count, err)
                     : rj_umem_open_in(&set->umem, RJ_UMEM_FRAME_BYTES_MAX, frame_count,
                                       params->memory, params->reach_bytes, err);
    for (uint32_t i = 0; result == 0 && i < params->ring_count; i++) {
        result = open_ring(set, params, i, err);
        if (result < 0)
            *ret_failed_ring = i;
    }
    return result;
}

int rj_af_xdp_open(const rj_af_xdp_params_t *params, rj_frame_ring_t **ret_rings,
                   uint32_t *ret_failed_ring, rj_err_t *err)
{
    const rj_af_xdp_params_t full = complete(params);
    *ret_failed_ring = params->ring_count;
    int result = check(&full, err);
    if (result < 0)
        return result;
    ring_set_t *set = calloc(1, sizeof(*set));
    if (set == NULL)
        return rj_fail(err, -ENOMEM, "no memory for %u rings", full.ring_count);
    set->open_count = 1; /* ours, so that it outlives what fails */
    result = open_all(set, &full, ret_failed_ring, err);
    const uint32_t opened = set->open_count - 1;
    for (uint32_t i = 0; i < opened; i++) {
        if (result < 0)
            xdp_close(&set->members[i].ring.base);
        else
            ret_rings[i] = &set->members[i].ring.base;
    }
    leave(set);
    return result;
}

void rj_af_xdp_ring_info(const rj_frame_ring_t *ring, rj_af_xdp_ring_info_t *ret_info)
{
    const rj_xsk_t *xsk = ((const rj_xdp_ring_t *)ring)->xsk;
    *ret_info = (rj_af_xdp_ring_info_t){
        .fd = xsk->fd,
        .is_zero_copy = xsk->is_zero_copy,
        .uses_segments = xsk->uses_segments,
        .sends_by_reference = ((const rj_xdp_ring_t *)ring)->references != NULL,
        .busy_polls = xsk->busy_polls,
        .busy_poll_result = xsk->busy_poll_result,
    };
}
