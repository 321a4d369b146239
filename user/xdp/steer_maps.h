/* SPDX-License-Identifier: Apache-2.0 */
/* steer_maps.h - the maps of one interface's steering program, as a table of calls.
 *
 * Two kinds: the kernel's (xdp/steer.h) and the simulation's plain tables. What goes into them is
 * decided by fabric/steering.h and by `ramjet filter`; nothing here knows why.
 *
 * Units      ramjet/xdp_abi.h.
 * Ownership  the caller owns keys and values; the maps keep copies.
 * Thread     one caller at a time in a process. Other processes write the same maps: each call is
 *            atomic, two calls are not.
 * Errors     negative errno: -ENOENT absent, -EEXIST present, -E2BIG full, -ENODEV when the program
 *            is gone from its interface, or what bpf(2) says.
 */
#ifndef RJ_XDP_STEER_MAPS_H
#define RJ_XDP_STEER_MAPS_H

#include <ramjet/xdp_abi.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct rj_steer_maps rj_steer_maps_t;

typedef enum rj_steer_put {
    RJ_STEER_PUT_ANY, /* insert or replace */
    RJ_STEER_PUT_NEW, /* -EEXIST when it is there */
} rj_steer_put_t;

typedef struct rj_steer_maps_ops {
    int (*put_channel)(rj_steer_maps_t *maps, const struct rj_channel_key *key,
                       const struct rj_channel_value *value, rj_steer_put_t how);
    int (*get_channel)(rj_steer_maps_t *maps, const struct rj_channel_key *key,
                       struct rj_channel_value *ret_value);
    int (*remove_channel)(rj_steer_maps_t *maps, const struct rj_channel_key *key);

    int (*put_stream)(rj_steer_maps_t *maps, const struct rj_stream_key *key,
                      const struct rj_stream_value *value, rj_steer_put_t how);
    int (*get_stream)(rj_steer_maps_t *maps, const struct rj_stream_key *key,
                      struct rj_stream_value *ret_value);
    int (*remove_stream)(rj_steer_maps_t *maps, const struct rj_stream_key *key);

    /* `queue` below RJ_XDP_QUEUES_MAX. */
    int (*put_queue)(rj_steer_maps_t *maps, uint32_t queue, const struct rj_queue_value *value);
    int (*get_queue)(rj_steer_maps_t *maps, uint32_t queue, struct rj_queue_value *ret_value);

    int (*put_owner)(rj_steer_maps_t *maps, uint32_t owner, const struct rj_owner_value *value);
    int (*remove_owner)(rj_steer_maps_t *maps, uint32_t owner);

    /* -EEXIST when somebody has it; the same owner twice is -EEXIST too. */
    int (*claim)(rj_steer_maps_t *maps, const struct rj_claim_key *key, uint32_t owner);
    int (*get_claim)(rj_steer_maps_t *maps, const struct rj_claim_key *key, uint32_t *ret_owner);
    int (*release)(rj_steer_maps_t *maps, const struct rj_claim_key *key);

    /* A counter starts from 0 for its next holder. */
    int (*clear_counter)(rj_steer_maps_t *maps, uint32_t counter_index);

    int (*set_mac)(rj_steer_maps_t *maps, const uint8_t mac[6]);

    /* Whether the program still sits on its interface, or is to come back to it. */
    bool (*is_attached)(rj_steer_maps_t *maps);

    /* Removes channels, streams, queues, claims and owner of everybody who gave no sign of life
     * for RJ_XDP_OWNER_TIMEOUT_NS, or of `owner` itself when it is not NONE. Operator's entries
     * stay. Returns how many owners were swept. */
    int (*sweep)(rj_steer_maps_t *maps, uint32_t owner, int64_t now_ns);
} rj_steer_maps_ops_t;

struct rj_steer_maps {
    const rj_steer_maps_ops_t *ops;
};

#endif
