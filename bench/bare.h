/* SPDX-License-Identifier: Apache-2.0 */
/* bare.h - one way of carrying datagrams, without a protocol: the bound of the driver's transports.
 *
 *      sender   numbered datagrams of one length, so many unanswered at most   ->  receiver
 *               <-  UDP: the number after the highest that came
 *
 * Units      bytes.
 * Ownership  what open makes lives as long as the process.
 * Thread     one.
 * Errors     printed, and the process ends.
 */
#ifndef RJ_BENCH_BARE_H
#define RJ_BENCH_BARE_H

#include <stdbool.h>
#include <stdint.h>

enum { RJ_BARE_BATCH = 64, RJ_BARE_LENGTH_MIN = 64, RJ_BARE_LENGTH_MAX = 1472 };

/* Of the frames that pass without IP: one of the two types left for experiments. */
#define RJ_BARE_ETHERTYPE 0x88b5

typedef struct rj_bare_params {
    const char *interface_name; /* of kinds below IP */
    const char *address;        /* the receiver's, of kinds above */
    uint16_t port;
    uint32_t length; /* of a datagram, without headers */
    bool is_sender;
} rj_bare_params_t;

typedef struct rj_bare_kind {
    const char *name;
    void (*open)(const rj_bare_params_t *params);
    /* Sends at most RJ_BARE_BATCH datagrams, numbered from `number` on; answers how many. */
    uint32_t (*send)(uint64_t number, uint32_t count);
    /* Takes what is there, RJ_BARE_BATCH packets or so; answers how many datagrams, and raises
     * `*next` to the number after the highest of them. */
    uint32_t (*receive)(uint64_t *next);
} rj_bare_kind_t;

extern const rj_bare_kind_t rj_bare_mmsg;
extern const rj_bare_kind_t rj_bare_gso;
extern const rj_bare_kind_t rj_bare_packet;
extern const rj_bare_kind_t rj_bare_xdp_generic;
extern const rj_bare_kind_t rj_bare_xdp_native;

/* Prints `what` with the reason in errno, and ends the process. */
__attribute__((noreturn)) void rj_bare_die(const char *what);

/* Whether `number` is the highest so far. */
static inline void rj_bare_note(uint64_t number, uint64_t *next)
{
    if (number >= *next)
        *next = number + 1;
}

#endif
