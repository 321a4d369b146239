/* SPDX-License-Identifier: Apache-2.0 */
/* kernel_maps.h - the maps of a steering program in the kernel, as steer_maps.h wants them.
 *
 * Descriptors come from a load of our own, from pins, or from the ids of a program that another
 * process loaded. Of the last two nothing is believed: name, type, sizes and the ABI version in
 * rj_config are checked first.
 *
 * Units      ramjet/xdp_abi.h.
 * Ownership  the struct owns its descriptors; the kernel keeps the maps while a program, a pin or
 *            another process holds them.
 * Thread     steer_maps.h; is_attached looks in the caller's network namespace.
 * Errors     negative errno. Of the opening calls: -ENOENT a map is missing, -EPROTO maps of
 *            another version.
 */
#ifndef RJ_XDP_KERNEL_MAPS_H
#define RJ_XDP_KERNEL_MAPS_H

#include "base/err.h"
#include "xdp/steer_maps.h"

#include <stddef.h>

typedef enum rj_kernel_map {
    RJ_MAP_CHANNELS,
    RJ_MAP_STREAMS,
    RJ_MAP_XSKS,
    RJ_MAP_QUEUES,
    RJ_MAP_OWNERS,
    RJ_MAP_CLAIMS,
    RJ_MAP_CONFIG,
    RJ_MAP_STATS,
    RJ_MAP_STREAM_STATS,
    RJ_MAP_COUNT
} rj_kernel_map_t;

typedef struct rj_kernel_maps {
    rj_steer_maps_t maps; /* first: its calls are given this */
    int fds[RJ_MAP_COUNT];
    uint32_t interface_index; /* 0: on no interface */
    uint32_t program_id;
    uint32_t attached_id; /* what the interface carries: the program, or libxdp's dispatcher */
    bool is_at_ingress;   /* it carries the program there, and not at XDP */
    bool is_aside;        /* off the interface for a while, by its driver's own will */
    size_t cpu_count;     /* possible ones */
} rj_kernel_maps_t;

/* The map's name in the kernel, "rj_channels". */
const char *rj_kernel_map_name(rj_kernel_map_t map);

/* The closed value: no descriptor, on no interface. */
void rj_kernel_maps_init(rj_kernel_maps_t *maps);

/* Takes over a descriptor of each map, in the order of rj_kernel_map_t, and closes them with the
 * struct, also when it fails because one of them is not what it should be. */
int rj_kernel_maps_open(rj_kernel_maps_t *maps, const int fds[static RJ_MAP_COUNT], rj_err_t *err);

/* The maps that a loaded program uses. */
int rj_kernel_maps_open_program(rj_kernel_maps_t *maps, uint32_t program_id, rj_err_t *err);

/* Safe on closed and half open values. */
void rj_kernel_maps_close(rj_kernel_maps_t *maps);

int rj_kernel_maps_get_config(const rj_kernel_maps_t *maps, struct rj_xdp_config *ret_config);
int rj_kernel_maps_put_config(const rj_kernel_maps_t *maps, const struct rj_xdp_config *config);

int rj_kernel_maps_get_owner(const rj_kernel_maps_t *maps, uint32_t owner,
                             struct rj_owner_value *ret_value);
int rj_kernel_maps_get_queue(const rj_kernel_maps_t *maps, uint32_t queue,
                             struct rj_queue_value *ret_value);

/* What the program counted, of all CPUs. */
int rj_kernel_maps_get_reason(const rj_kernel_maps_t *maps, enum rj_xdp_reason reason,
                              struct rj_count *ret_count);
int rj_kernel_maps_get_stream_count(const rj_kernel_maps_t *maps, uint32_t counter_index,
                                    struct rj_stream_count *ret_count);

/* Walks over a hash map: `key` is NULL for the first. Returns 1 with the entry after `key`, 0 at
 * the end. An entry removed meanwhile may start the walk again, so walks count their steps. */
int rj_kernel_maps_next_channel(const rj_kernel_maps_t *maps, const struct rj_channel_key *key,
                                struct rj_channel_key *ret_key, struct rj_channel_value *ret_value);
int rj_kernel_maps_next_stream(const rj_kernel_maps_t *maps, const struct rj_stream_key *key,
                               struct rj_stream_key *ret_key, struct rj_stream_value *ret_value);
int rj_kernel_maps_next_owner(const rj_kernel_maps_t *maps, const uint32_t *key, uint32_t *ret_key,
                              struct rj_owner_value *ret_value);
int rj_kernel_maps_next_claim(const rj_kernel_maps_t *maps, const struct rj_claim_key *key,
                              struct rj_claim_key *ret_key, struct rj_claim_value *ret_value);

#endif
