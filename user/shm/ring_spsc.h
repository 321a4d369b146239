/* SPDX-License-Identifier: Apache-2.0 */
/* ring_spsc.h - messages of one size from one agent of the driver to another, in its own memory.
 *
 * Each side keeps a copy of the other's index and reads the shared one only when the copy says full
 * or empty, so that a busy ring moves few cache lines.
 *
 * Units      counts in messages.
 * Ownership  the caller owns the struct; the slots are heap memory taken by open. Nothing is
 *            allocated afterwards.
 * Thread     one producer, one consumer; open and close by whoever starts and stops both.
 * Errors     open: negative errno. A full or empty ring is an answer, not an error.
 */
#ifndef RJ_SHM_RING_SPSC_H
#define RJ_SHM_RING_SPSC_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RJ_CACHE_LINE_BYTES = 64 };

/* One side's words fill a pair of cache lines of their own: processors fetch lines in pairs. */
typedef struct rj_ring_spsc_side {
    uint64_t index;      /* messages ever pushed or popped; stored with release */
    uint64_t other_seen; /* private: the other side's index when last looked at */
    uint8_t pad[2 * RJ_CACHE_LINE_BYTES - 16];
} rj_ring_spsc_side_t;

typedef struct __attribute__((aligned(2 * RJ_CACHE_LINE_BYTES))) rj_ring_spsc {
    rj_ring_spsc_side_t producer;
    rj_ring_spsc_side_t consumer;
    uint8_t *slots; /* NULL when closed */
    size_t slot_bytes;
    size_t message_bytes;
    uint64_t mask;
} rj_ring_spsc_t;

/* Takes room for `count` messages, rounded up to a power of two; -EINVAL for 0 bytes or messages,
 * -ENOMEM. Slots are 16-byte aligned. */
int rj_ring_spsc_open(rj_ring_spsc_t *ring, size_t message_bytes, size_t count, rj_err_t *err);

void rj_ring_spsc_close(rj_ring_spsc_t *ring);

/* Producer: the next free slot to be filled in place, NULL when full; rj_ring_spsc_publish shows
 * it. */
static inline void *rj_ring_spsc_claim(rj_ring_spsc_t *ring)
{
    uint64_t index = ring->producer.index;
    if (index - ring->producer.other_seen > ring->mask) {
        /* Acquire: pairs with the release in rj_ring_spsc_release. */
        ring->producer.other_seen = __atomic_load_n(&ring->consumer.index, __ATOMIC_ACQUIRE);
        if (index - ring->producer.other_seen > ring->mask)
            return NULL;
    }
    return ring->slots + (index & ring->mask) * ring->slot_bytes;
}

static inline void rj_ring_spsc_publish(rj_ring_spsc_t *ring)
{
    /* Release: pairs with the acquire in rj_ring_spsc_peek. */
    __atomic_store_n(&ring->producer.index, ring->producer.index + 1, __ATOMIC_RELEASE);
}

/* Consumer: the oldest message, NULL when empty; it stays until rj_ring_spsc_release. */
static inline void *rj_ring_spsc_peek(rj_ring_spsc_t *ring)
{
    uint64_t index = ring->consumer.index;
    if (index == ring->consumer.other_seen) {
        /* Acquire: pairs with the release in rj_ring_spsc_publish. */
        ring->consumer.other_seen = __atomic_load_n(&ring->producer.index, __ATOMIC_ACQUIRE);
        if (index == ring->consumer.other_seen)
            return NULL;
    }
    return ring->slots + (index & ring->mask) * ring->slot_bytes;
}

static inline void rj_ring_spsc_release(rj_ring_spsc_t *ring)
{
    /* Release: pairs with the acquire in rj_ring_spsc_claim. */
    __atomic_store_n(&ring->consumer.index, ring->consumer.index + 1, __ATOMIC_RELEASE);
}

/* Producer: copies a message in; false when full. */
bool rj_ring_spsc_push(rj_ring_spsc_t *ring, const void *message);

/* Consumer: copies the oldest message out; false when empty. */
bool rj_ring_spsc_pop(rj_ring_spsc_t *ring, void *ret_message);

/* Producer: how many messages can be pushed for certain. */
size_t rj_ring_spsc_free_count(rj_ring_spsc_t *ring);

/* Consumer: how many messages can be popped for certain. */
size_t rj_ring_spsc_used_count(rj_ring_spsc_t *ring);

#endif
