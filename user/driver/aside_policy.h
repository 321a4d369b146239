/* SPDX-License-Identifier: Apache-2.0 */
/* aside_policy.h - when the ring of an interface steps aside for bulk, and when it comes back.
 *
 *      in place --bulk, AFTER without a break--> aside
 *               <--no bulk, BACK without a break--
 *
 * Generic XDP copies every super-frame before its program may say that it is the sockets'
 * (docs/performance.md): while nearly all that comes in are super-frames, an interface does better
 * without the program, and without a ring. What is bulk is judged look by look; it takes more of it
 * to make the ring leave than to keep it away, so that it does not come and go.
 *
 * Units      bytes, monotonic ns.
 * Ownership  plain values.
 * Thread     one.
 * Errors     none.
 */
#ifndef RJ_DRIVER_ASIDE_POLICY_H
#define RJ_DRIVER_ASIDE_POLICY_H

#include <stdbool.h>
#include <stdint.h>

enum {
    RJ_ASIDE_LOOK_NS = 25 * 1000 * 1000, /* longer than a busy machine keeps a thread waiting */
    RJ_ASIDE_AFTER_NS = 50 * 1000 * 1000,
    RJ_ASIDE_BACK_NS = 250 * 1000 * 1000,
};

/* What came in since somebody began to count. */
typedef struct rj_aside_bytes {
    uint64_t bulk; /* in super-frames */
    uint64_t single;
} rj_aside_bytes_t;

typedef struct rj_aside_policy {
    bool is_aside;
    rj_aside_bytes_t before; /* at the last look */
    int64_t looked_ns;
    int64_t since_ns; /* what speaks for a change has lasted without a break */
    int bulk_percent; /* of the bytes of the last look in which some came */
} rj_aside_policy_t;

/* Begins, in place or aside, to look at counts that now stand at `bytes`. */
void rj_aside_policy_begin(rj_aside_policy_t *policy, bool is_aside, const rj_aside_bytes_t *bytes,
                           int64_t now_ns);

/* Whether the next look is due. */
bool rj_aside_policy_is_due(const rj_aside_policy_t *policy, int64_t now_ns);

/* Looks, and says whether the ring should go where it is not. It says so again until `begin`. */
bool rj_aside_policy_look(rj_aside_policy_t *policy, const rj_aside_bytes_t *bytes, int64_t now_ns);

#endif
