/* SPDX-License-Identifier: Apache-2.0 */
/* umem.h - the memory that AF_XDP sockets receive into and send from, and who holds each frame.
 *
 *      | frame 0 | frame 1 | frame 2 | ...      every one of `frame_bytes`, page-aligned as a whole
 *
 *      FREE --take--> FILL --kernel received--> RX (ours) --given back--> FILL
 *        |                                                                  |
 *        `--take--> TX --kernel sent, seen in the completion ring--> FREE   `--close--> gone
 *
 * All sockets of a port share one UMEM, whatever their interfaces and queues. FILL covers the fill
 * ring and the RX ring until we read it, TX the TX ring, the driver and the completion ring: the
 * moves in between are the kernel's own.
 *
 * Units      bytes; an address is an offset into the UMEM, as descriptors have it.
 * Ownership  open maps the memory, close unmaps it: after every socket that uses it.
 * Thread     the engine's.
 * Errors     open: negative errno. A frame that is not where it should be is our mistake, asserted.
 */
#ifndef RJ_XSK_UMEM_H
#define RJ_XSK_UMEM_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
    RJ_UMEM_FRAME_BYTES_MIN = 2048,
    RJ_UMEM_FRAME_BYTES_MAX = 4096, /* the page: what every kernel takes */
    /* The kernel keeps 256 bytes of each received frame's chunk for XDP programs. In copy mode we
     * ask for 22 more, and leave them before sent frames, so that the payload behind Ethernet, IPv4
     * and UDP begins at a cache line. */
    RJ_UMEM_XDP_HEADROOM_BYTES = 256,
    RJ_UMEM_HEADROOM_BYTES = 22,
    /* Most frames that one packet may lie in: the kernel's MAX_SKB_FRAGS + 1 is never below. */
    RJ_UMEM_SEGMENTS_MAX = 18,
    RJ_UMEM_FRAMES_MAX = 1 << 20,
};

typedef enum rj_frame_owner {
    RJ_FRAME_FREE,
    RJ_FRAME_FILL,
    RJ_FRAME_RX,
    RJ_FRAME_TX,
    RJ_FRAME_OWNER_COUNT
} rj_frame_owner_t;

typedef struct rj_umem {
    uint8_t *bytes;       /* NULL when closed */
    uint64_t reach_bytes; /* what the kernel knows: the frames, and what lies behind them */
    bool is_lent;         /* the memory is the caller's */
    uint32_t frame_bytes;
    uint32_t frame_shift;
    uint32_t frame_count;
    uint32_t counts[RJ_FRAME_OWNER_COUNT];
    uint8_t *owners;     /* [frame], of rj_frame_owner_t */
    uint32_t *free_list; /* a stack of counts[RJ_FRAME_FREE] frames */
} rj_umem_t;

/* Frames that hold a packet of an interface with this MTU: the smallest that does, else the
 * greatest there is. */
uint32_t rj_umem_frame_bytes(uint32_t mtu_bytes);

/* The longest received packet that fits into so many frames. */
static inline uint32_t rj_umem_receive_room(uint32_t frame_bytes, uint32_t segments)
{
    return (frame_bytes - RJ_UMEM_XDP_HEADROOM_BYTES - RJ_UMEM_HEADROOM_BYTES) * segments;
}

/* Maps `frame_count` frames, all of them free. -EINVAL for a size that no kernel takes, -ENOMEM. */
int rj_umem_open(rj_umem_t *umem, uint32_t frame_bytes, uint32_t frame_count, rj_err_t *err);

/* The same in memory of the caller's, at a page and of zeros; what lies behind the frames up to
 * `reach_bytes` can be sent from too, in pieces that cross no multiple of frame_bytes. */
int rj_umem_open_in(rj_umem_t *umem, uint32_t frame_bytes, uint32_t frame_count, uint8_t *memory,
                    uint64_t reach_bytes, rj_err_t *err);

/* Safe on a closed UMEM. */
void rj_umem_close(rj_umem_t *umem);

/* Of the frames. */
static inline uint64_t rj_umem_length(const rj_umem_t *umem)
{
    return (uint64_t)umem->frame_count << umem->frame_shift;
}

/* Whether bytes lie behind the frames, within reach. */
static inline bool rj_umem_reaches(const rj_umem_t *umem, const uint8_t *bytes, uint32_t length)
{
    const uint64_t at = (uint64_t)(uintptr_t)bytes - (uint64_t)(uintptr_t)umem->bytes;
    return at >= rj_umem_length(umem) && at < umem->reach_bytes && length <= umem->reach_bytes - at;
}

/* Whether a descriptor's bytes lie in one frame. The kernel wrote it, so this is an assertion's
 * question. */
static inline bool rj_umem_contains(const rj_umem_t *umem, uint64_t address, uint32_t length)
{
    const uint64_t frame = address >> umem->frame_shift;
    return frame < umem->frame_count && length <= umem->frame_bytes &&
           (address + (length > 0 ? length - 1 : 0)) >> umem->frame_shift == frame;
}

/* The frame of `address` goes from one owner to the other. */
static inline void rj_umem_move(rj_umem_t *umem, uint64_t address, rj_frame_owner_t from,
                                rj_frame_owner_t to)
{
    const uint64_t frame = address >> umem->frame_shift;
    assert(frame < umem->frame_count && umem->owners[frame] == from);
    umem->owners[frame] = (uint8_t)to;
    umem->counts[from]--;
    umem->counts[to]++;
}

/* The address of a frame that was free and is `owner`'s now; the caller has looked at the count. */
static inline uint64_t rj_umem_take(rj_umem_t *umem, rj_frame_owner_t owner)
{
    assert(umem->counts[RJ_FRAME_FREE] > 0);
    const uint32_t frame = umem->free_list[umem->counts[RJ_FRAME_FREE] - 1];
    const uint64_t address = (uint64_t)frame << umem->frame_shift;
    rj_umem_move(umem, address, RJ_FRAME_FREE, owner);
    return address;
}

/* The frame of `address`, `owner`'s until now, is free. */
static inline void rj_umem_free(rj_umem_t *umem, uint64_t address, rj_frame_owner_t owner)
{
    rj_umem_move(umem, address, owner, RJ_FRAME_FREE);
    umem->free_list[umem->counts[RJ_FRAME_FREE] - 1] = (uint32_t)(address >> umem->frame_shift);
}

#endif
