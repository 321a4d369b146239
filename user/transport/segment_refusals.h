/* SPDX-License-Identifier: Apache-2.0 */
/* segment_refusals.h - where the kernel would not cut messages into segments, remembered.
 *
 * Paths change and devices too, so nothing is remembered for longer than a second. A place holds
 * one address; whichever came last has it.
 *
 * Units      bytes; monotonic ns.
 * Ownership  a plain value without memory of its own; zeroed is empty.
 * Thread     the port's.
 * Errors     none.
 */
#ifndef RJ_TRANSPORT_SEGMENT_REFUSALS_H
#define RJ_TRANSPORT_SEGMENT_REFUSALS_H

#include <stdbool.h>
#include <stdint.h>

#include "transport/path.h"
#include "transport/port.h"

enum { RJ_SEGMENT_REFUSALS_MAX = 64 /* a power of two */ };

typedef struct rj_segment_refusal {
    int64_t endpoint_id;
    rj_address_t address;
    uint32_t segment_bytes; /* these and longer ones */
    int64_t until_ns;       /* 0: nothing here */
} rj_segment_refusal_t;

typedef struct rj_segment_refusals {
    rj_segment_refusal_t places[RJ_SEGMENT_REFUSALS_MAX];
    int64_t last_until_ns; /* nothing is remembered beyond it */
} rj_segment_refusals_t;

/* Segments of that size, and longer ones, were refused on this path. */
void rj_segment_refusals_add(rj_segment_refusals_t *refusals, const rj_path_t *path,
                             uint32_t segment_bytes, int64_t now_ns);

/* The same, when there may be one. */
bool rj_segment_refusals_look(const rj_segment_refusals_t *refusals, const rj_path_t *path,
                              uint32_t segment_bytes, int64_t now_ns);

/* Whether segments of that size need not be tried. */
static inline bool rj_segment_refusals_has(const rj_segment_refusals_t *refusals,
                                           const rj_path_t *path, uint32_t segment_bytes,
                                           int64_t now_ns)
{
    return __builtin_expect(now_ns < refusals->last_until_ns, 0) &&
           rj_segment_refusals_look(refusals, path, segment_bytes, now_ns);
}

#endif
