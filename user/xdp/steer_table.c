/* SPDX-License-Identifier: Apache-2.0 */
#include "xdp/steer_table.h"

#include <errno.h>
#include <string.h>

#include "bpf/steer_decide.h"

#define WORDS(type) ((uint32_t)(sizeof(type) / sizeof(uint32_t)))

static rj_steer_table_t *table_of(rj_steer_maps_t *maps)
{
    return (rj_steer_table_t *)maps;
}

/* --- one call a map --- */

static int put(rj_word_table_t *table, const void *key, const void *value, rj_steer_put_t how)
{
    uint32_t there[RJ_WORD_TABLE_WORDS_MAX];
    if (how == RJ_STEER_PUT_NEW && rj_word_table_find(table, key, there))
        return -EEXIST;
    return rj_word_table_put(table, key, value);
}

static int put_channel(rj_steer_maps_t *maps, const struct rj_channel_key *key,
                       const struct rj_channel_value *value, rj_steer_put_t how)
{
    return put(&table_of(maps)->channels, key, value, how);
}

static int get_channel(rj_steer_maps_t *maps, const struct rj_channel_key *key,
                       struct rj_channel_value *ret_value)
{
    return rj_word_table_find(&table_of(maps)->channels, key, ret_value) ? 0 : -ENOENT;
}

static int remove_channel(rj_steer_maps_t *maps, const struct rj_channel_key *key)
{
    return rj_word_table_remove(&table_of(maps)->channels, key);
}

static int put_stream(rj_steer_maps_t *maps, const struct rj_stream_key *key,
                      const struct rj_stream_value *value, rj_steer_put_t how)
{
    return put(&table_of(maps)->streams, key, value, how);
}

static int get_stream(rj_steer_maps_t *maps, const struct rj_stream_key *key,
                      struct rj_stream_value *ret_value)
{
    return rj_word_table_find(&table_of(maps)->streams, key, ret_value) ? 0 : -ENOENT;
}

static int remove_stream(rj_steer_maps_t *maps, const struct rj_stream_key *key)
{
    return rj_word_table_remove(&table_of(maps)->streams, key);
}

static int put_queue(rj_steer_maps_t *maps, uint32_t queue, const struct rj_queue_value *value)
{
    if (queue >= RJ_XDP_QUEUES_MAX)
        return -E2BIG;
    return rj_word_table_put(&table_of(maps)->queues, &queue, value);
}

/* As an array of the kernel: a queue that nobody has is there, and empty. */
static int get_queue(rj_steer_maps_t *maps, uint32_t queue, struct rj_queue_value *ret_value)
{
    if (queue >= RJ_XDP_QUEUES_MAX)
        return -ENOENT;
    if (!rj_word_table_find(&table_of(maps)->queues, &queue, ret_value))
        *ret_value = (struct rj_queue_value){0};
    return 0;
}

static int put_owner(rj_steer_maps_t *maps, uint32_t owner, const struct rj_owner_value *value)
{
    return rj_word_table_put(&table_of(maps)->owners, &owner, value);
}

static int remove_owner(rj_steer_maps_t *maps, uint32_t owner)
{
    return rj_word_table_remove(&table_of(maps)->owners, &owner);
}

static int claim(rj_steer_maps_t *maps, const struct rj_claim_key *key, uint32_t owner)
{
    return put(&table_of(maps)->claims, key, &owner, RJ_STEER_PUT_NEW);
}

static int get_claim(rj_steer_maps_t *maps, const struct rj_claim_key *key, uint32_t *ret_owner)
{
    return rj_word_table_find(&table_of(maps)->claims, key, ret_owner) ? 0 : -ENOENT;
}

static int release(rj_steer_maps_t *maps, const struct rj_claim_key *key)
{
    return rj_word_table_remove(&table_of(maps)->claims, key);
}

/* Nobody counts by stream here: a ring counts what it takes and what it leaves. */
static int clear_counter(rj_steer_maps_t *maps, uint32_t counter_index)
{
    (void)maps;
    return counter_index < RJ_XDP_COUNTERS_MAX ? 0 : -E2BIG;
}

static uint64_t pack_mac(const uint8_t mac[6])
{
    uint64_t packed = 0;
    memcpy(&packed, mac, 6);
    return packed;
}

/* Relaxed, as the load of `decide`: eight bytes are whole by themselves. */
static int set_mac(rj_steer_maps_t *maps, const uint8_t mac[6])
{
    __atomic_store_n(&table_of(maps)->mac, pack_mac(mac), __ATOMIC_RELAXED);
    return 0;
}

static bool is_attached(rj_steer_maps_t *maps)
{
    (void)maps;
    return true;
}

/* --- sweeping --- */

typedef struct sweep {
    rj_steer_table_t *table;
    uint32_t condemned; /* or NONE: whoever gave no sign of life */
    int64_t now_ns;
} sweep_t;

static bool is_dead(const sweep_t *sweep, uint32_t owner)
{
    struct rj_owner_value value;
    if (sweep->condemned != RJ_XDP_OWNER_NONE)
        return owner == sweep->condemned;
    if (owner <= RJ_XDP_OWNER_OPERATOR)
        return false;
    return !rj_word_table_find(&sweep->table->owners, &owner, &value) ||
           (int64_t)value.alive_ns < sweep->now_ns - RJ_XDP_OWNER_TIMEOUT_NS;
}

/* Where in a value its owner stands, and whether the entry is a driver's. */
typedef struct owned {
    uint32_t owner;
    bool is_drivers;
} owned_t;

static owned_t channel_owner(const void *value)
{
    const struct rj_channel_value *channel = value;
    return (owned_t){channel->owner, channel->origin == RJ_XDP_FROM_DRIVER};
}

static owned_t stream_owner(const void *value)
{
    const struct rj_stream_value *stream = value;
    return (owned_t){stream->owner, stream->origin == RJ_XDP_FROM_DRIVER};
}

/* Of claims and queues. */
static owned_t first_word(const void *value)
{
    return (owned_t){*(const uint32_t *)value, true};
}

static void sweep_entries(const sweep_t *sweep, rj_word_table_t *table,
                          owned_t (*look)(const void *))
{
    uint32_t key[RJ_WORD_TABLE_WORDS_MAX];
    uint32_t value[RJ_WORD_TABLE_WORDS_MAX];
    for (uint32_t at = 0; rj_word_table_next(table, &at, key, value);) {
        const owned_t owned = look(value);
        if (owned.is_drivers && is_dead(sweep, owned.owner) &&
            rj_word_table_remove(table, key) == 0)
            at--;
    }
}

static int sweep_maps(rj_steer_maps_t *maps, uint32_t owner, int64_t now_ns)
{
    rj_steer_table_t *table = table_of(maps);
    const sweep_t sweep = {.table = table, .condemned = owner, .now_ns = now_ns};
    sweep_entries(&sweep, &table->channels, channel_owner);
    sweep_entries(&sweep, &table->streams, stream_owner);
    sweep_entries(&sweep, &table->claims, first_word);
    sweep_entries(&sweep, &table->queues, first_word);
    int swept = 0;
    uint32_t number;
    struct rj_owner_value value;
    for (uint32_t at = 0; rj_word_table_next(&table->owners, &at, &number, &value);) {
        if (is_dead(&sweep, number) && remove_owner(maps, number) == 0) {
            swept++;
            at--;
        }
    }
    return swept;
}

static const rj_steer_maps_ops_t table_ops = {.put_channel = put_channel,
                                              .get_channel = get_channel,
                                              .remove_channel = remove_channel,
                                              .put_stream = put_stream,
                                              .get_stream = get_stream,
                                              .remove_stream = remove_stream,
                                              .put_queue = put_queue,
                                              .get_queue = get_queue,
                                              .put_owner = put_owner,
                                              .remove_owner = remove_owner,
                                              .claim = claim,
                                              .get_claim = get_claim,
                                              .release = release,
                                              .clear_counter = clear_counter,
                                              .set_mac = set_mac,
                                              .is_attached = is_attached,
                                              .sweep = sweep_maps};

/* --- open, close --- */

int rj_steer_table_open(rj_steer_table_t *table, const uint8_t mac[6], rj_err_t *err)
{
    *table = (rj_steer_table_t){.maps.ops = &table_ops, .mac = pack_mac(mac)};
    int result =
        rj_word_table_open(&table->channels, RJ_XDP_CHANNELS_MAX, WORDS(struct rj_channel_key),
                           WORDS(struct rj_channel_value), err);
    if (result == 0)
        result =
            rj_word_table_open(&table->streams, RJ_XDP_STREAMS_MAX, WORDS(struct rj_stream_key),
                               WORDS(struct rj_stream_value), err);
    if (result == 0)
        result = rj_word_table_open(&table->claims, RJ_XDP_CLAIMS_MAX, WORDS(struct rj_claim_key),
                                    WORDS(struct rj_claim_value), err);
    if (result == 0)
        result = rj_word_table_open(&table->queues, RJ_XDP_QUEUES_MAX, 1,
                                    WORDS(struct rj_queue_value), err);
    if (result == 0)
        result = rj_word_table_open(&table->owners, RJ_XDP_OWNERS_MAX, 1,
                                    WORDS(struct rj_owner_value), err);
    if (result < 0)
        rj_steer_table_close(table);
    return result;
}

void rj_steer_table_close(rj_steer_table_t *table)
{
    rj_word_table_close(&table->channels);
    rj_word_table_close(&table->streams);
    rj_word_table_close(&table->claims);
    rj_word_table_close(&table->queues);
    rj_word_table_close(&table->owners);
}

/* --- the decision --- */

/* The look-ups of steer_decide.h know keys only: whose tables they mean, and where the values go
 * that they find, is the thread's for the time of one decision. */
static _Thread_local struct {
    const rj_steer_table_t *table;
    struct rj_channel_value channel;
    struct rj_stream_value stream;
    struct rj_queue_value queue;
} asked;

static const struct rj_channel_value *rj_channel_find(const struct rj_channel_key *key)
{
    return rj_word_table_find(&asked.table->channels, key, &asked.channel) ? &asked.channel : NULL;
}

static const struct rj_stream_value *rj_stream_find(const struct rj_stream_key *key)
{
    return rj_word_table_find(&asked.table->streams, key, &asked.stream) ? &asked.stream : NULL;
}

static const struct rj_queue_value *rj_queue_find(__u32 queue)
{
    return rj_word_table_find(&asked.table->queues, &queue, &asked.queue) ? &asked.queue : NULL;
}

enum rj_xdp_verdict rj_steer_table_decide(const rj_steer_table_t *table, const uint8_t *frame,
                                          uint32_t first_bytes, uint32_t length_bytes,
                                          uint32_t queue, enum rj_xdp_reason *ret_reason)
{
    const struct rj_steer_frame view = {.data = frame,
                                        .data_end = frame + first_bytes,
                                        .length_bytes = length_bytes,
                                        .queue = queue};
    struct rj_xdp_config config = {.abi_version = RJ_XDP_ABI_VERSION};
    struct rj_steer_datagram datagram = {0};
    const uint64_t mac = __atomic_load_n(&table->mac, __ATOMIC_RELAXED);
    memcpy(config.mac, &mac, sizeof(config.mac));
    asked.table = table;
    const struct rj_steer_decision decision = rj_steer_decide(&view, &config, &datagram);
    *ret_reason = (enum rj_xdp_reason)decision.reason;
    return (enum rj_xdp_verdict)decision.verdict;
}
