/* SPDX-License-Identifier: Apache-2.0 */
/* xsk_ring.h - a single-producer, single-consumer ring that is shared with the kernel.
 *
 *      consumer <= producer <= consumer + size, both counting on for ever modulo 2^32
 *
 * Where we produce: has_room, write entries, submit. Where we consume: available, read entries,
 * release. `mine` is the index that we move, `theirs` the last one seen of the kernel's.
 *
 * Units      entries.
 * Ownership  the memory is mapped and unmapped by xsk.c.
 * Thread     one of ours; the kernel is the other side.
 * Errors     none.
 */
#ifndef RJ_XSK_XSK_RING_H
#define RJ_XSK_XSK_RING_H

#include <linux/if_xdp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What Debian 12's headers do not know yet. */
#ifndef XDP_USE_SG
#define XDP_USE_SG (1 << 4)
#endif
#ifndef XDP_PKT_CONTD
#define XDP_PKT_CONTD (1 << 0)
#endif

typedef struct rj_xsk_ring {
    uint32_t *producer;
    uint32_t *consumer;
    const uint32_t *flags;
    void *entries;
    uint32_t size;
    uint32_t mask;
    uint32_t mine;
    uint32_t theirs;
    void *mapping; /* NULL when closed */
    size_t mapping_bytes;
} rj_xsk_ring_t;

static inline uint64_t *rj_xsk_ring_address(const rj_xsk_ring_t *ring, uint32_t index)
{
    return (uint64_t *)ring->entries + (index & ring->mask);
}

static inline struct xdp_desc *rj_xsk_ring_desc(const rj_xsk_ring_t *ring, uint32_t index)
{
    return (struct xdp_desc *)ring->entries + (index & ring->mask);
}

/* Whether `count` more entries can be written from `mine` on. Acquire: pairs with the kernel's
 * release of what it has consumed. */
static inline bool rj_xsk_ring_has_room(rj_xsk_ring_t *ring, uint32_t count)
{
    if (ring->size - (ring->mine - ring->theirs) >= count)
        return true;
    ring->theirs = __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE);
    return ring->size - (ring->mine - ring->theirs) >= count;
}

/* Gives the kernel every entry below `mine`. Release: pairs with its acquire of the producer. */
static inline void rj_xsk_ring_submit(rj_xsk_ring_t *ring)
{
    __atomic_store_n(ring->producer, ring->mine, __ATOMIC_RELEASE);
}

/* How many submitted entries the kernel has not consumed. */
static inline uint32_t rj_xsk_ring_pending(rj_xsk_ring_t *ring)
{
    ring->theirs = __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE);
    return ring->mine - ring->theirs;
}

/* How many entries can be read from `mine` on. Acquire: pairs with the kernel's release. */
static inline uint32_t rj_xsk_ring_available(rj_xsk_ring_t *ring)
{
    if (ring->theirs == ring->mine)
        ring->theirs = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
    return ring->theirs - ring->mine;
}

/* The same, asking the kernel also when some are left: the end of a packet may have come. */
static inline uint32_t rj_xsk_ring_available_now(rj_xsk_ring_t *ring)
{
    ring->theirs = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
    return ring->theirs - ring->mine;
}

/* Gives the kernel back every entry below `mine`. Release: pairs with its acquire of the
 * consumer. */
static inline void rj_xsk_ring_release(rj_xsk_ring_t *ring)
{
    __atomic_store_n(ring->consumer, ring->mine, __ATOMIC_RELEASE);
}

/* Whether the other side sleeps until a system call wakes it. */
static inline bool rj_xsk_ring_needs_wakeup(const rj_xsk_ring_t *ring)
{
    return (__atomic_load_n(ring->flags, __ATOMIC_RELAXED) & XDP_RING_NEED_WAKEUP) != 0;
}

#endif
