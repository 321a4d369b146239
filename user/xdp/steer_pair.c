/* SPDX-License-Identifier: Apache-2.0 */
#include "xdp/steer_pair.h"

static rj_steer_pair_t *pair_of(rj_steer_maps_t *maps)
{
    return (rj_steer_pair_t *)maps;
}

/* --- channels --- */

/* What the program's maps have is what the table has to have. */
static int get_channel(rj_steer_maps_t *maps, const struct rj_channel_key *key,
                       struct rj_channel_value *ret_value)
{
    const rj_steer_pair_t *pair = pair_of(maps);
    const int result = pair->program->ops->get_channel(pair->program, key, ret_value);
    if (result == 0)
        (void)pair->table->ops->put_channel(pair->table, key, ret_value, RJ_STEER_PUT_ANY);
    else
        (void)pair->table->ops->remove_channel(pair->table, key);
    return result;
}

static int put_channel(rj_steer_maps_t *maps, const struct rj_channel_key *key,
                       const struct rj_channel_value *value, rj_steer_put_t how)
{
    const rj_steer_pair_t *pair = pair_of(maps);
    struct rj_channel_value there;
    int result = pair->table->ops->put_channel(pair->table, key, value, RJ_STEER_PUT_ANY);
    if (result == 0)
        result = pair->program->ops->put_channel(pair->program, key, value, how);
    if (result < 0)
        (void)get_channel(maps, key, &there);
    return result;
}

static int remove_channel(rj_steer_maps_t *maps, const struct rj_channel_key *key)
{
    const rj_steer_pair_t *pair = pair_of(maps);
    const int result = pair->program->ops->remove_channel(pair->program, key);
    (void)pair->table->ops->remove_channel(pair->table, key);
    return result;
}

/* --- streams --- */

static int get_stream(rj_steer_maps_t *maps, const struct rj_stream_key *key,
                      struct rj_stream_value *ret_value)
{
    const rj_steer_pair_t *pair = pair_of(maps);
    const int result = pair->program->ops->get_stream(pair->program, key, ret_value);
    if (result == 0)
        (void)pair->table->ops->put_stream(pair->table, key, ret_value, RJ_STEER_PUT_ANY);
    else
        (void)pair->table->ops->remove_stream(pair->table, key);
    return result;
}

static int put_stream(rj_steer_maps_t *maps, const struct rj_stream_key *key,
                      const struct rj_stream_value *value, rj_steer_put_t how)
{
    const rj_steer_pair_t *pair = pair_of(maps);
    struct rj_stream_value there;
    int result = pair->table->ops->put_stream(pair->table, key, value, RJ_STEER_PUT_ANY);
    if (result == 0)
        result = pair->program->ops->put_stream(pair->program, key, value, how);
    if (result < 0)
        (void)get_stream(maps, key, &there);
    return result;
}

static int remove_stream(rj_steer_maps_t *maps, const struct rj_stream_key *key)
{
    const rj_steer_pair_t *pair = pair_of(maps);
    const int result = pair->program->ops->remove_stream(pair->program, key);
    (void)pair->table->ops->remove_stream(pair->table, key);
    return result;
}

/* --- queues --- */

static int get_queue(rj_steer_maps_t *maps, uint32_t queue, struct rj_queue_value *ret_value)
{
    const rj_steer_pair_t *pair = pair_of(maps);
    const int result = pair->program->ops->get_queue(pair->program, queue, ret_value);
    if (result == 0)
        (void)pair->table->ops->put_queue(pair->table, queue, ret_value);
    return result;
}

static int put_queue(rj_steer_maps_t *maps, uint32_t queue, const struct rj_queue_value *value)
{
    const rj_steer_pair_t *pair = pair_of(maps);
    const int result = pair->table->ops->put_queue(pair->table, queue, value);
    return result < 0 ? result : pair->program->ops->put_queue(pair->program, queue, value);
}

/* --- what the program's maps alone have --- */

static int put_owner(rj_steer_maps_t *maps, uint32_t owner, const struct rj_owner_value *value)
{
    rj_steer_maps_t *program = pair_of(maps)->program;
    return program->ops->put_owner(program, owner, value);
}

static int remove_owner(rj_steer_maps_t *maps, uint32_t owner)
{
    rj_steer_maps_t *program = pair_of(maps)->program;
    return program->ops->remove_owner(program, owner);
}

static int claim(rj_steer_maps_t *maps, const struct rj_claim_key *key, uint32_t owner)
{
    rj_steer_maps_t *program = pair_of(maps)->program;
    return program->ops->claim(program, key, owner);
}

static int get_claim(rj_steer_maps_t *maps, const struct rj_claim_key *key, uint32_t *ret_owner)
{
    rj_steer_maps_t *program = pair_of(maps)->program;
    return program->ops->get_claim(program, key, ret_owner);
}

static int release(rj_steer_maps_t *maps, const struct rj_claim_key *key)
{
    rj_steer_maps_t *program = pair_of(maps)->program;
    return program->ops->release(program, key);
}

static int clear_counter(rj_steer_maps_t *maps, uint32_t counter_index)
{
    rj_steer_maps_t *program = pair_of(maps)->program;
    return program->ops->clear_counter(program, counter_index);
}

static bool is_attached(rj_steer_maps_t *maps)
{
    rj_steer_maps_t *program = pair_of(maps)->program;
    return program->ops->is_attached(program);
}

/* --- both --- */

static int set_mac(rj_steer_maps_t *maps, const uint8_t mac[6])
{
    const rj_steer_pair_t *pair = pair_of(maps);
    const int result = pair->table->ops->set_mac(pair->table, mac);
    return result < 0 ? result : pair->program->ops->set_mac(pair->program, mac);
}

/* Of the dead the table has nothing, and of signs of life: it is swept of the condemned only. */
static int sweep(rj_steer_maps_t *maps, uint32_t owner, int64_t now_ns)
{
    const rj_steer_pair_t *pair = pair_of(maps);
    const int result = pair->program->ops->sweep(pair->program, owner, now_ns);
    if (owner != RJ_XDP_OWNER_NONE)
        (void)pair->table->ops->sweep(pair->table, owner, now_ns);
    return result;
}

static const rj_steer_maps_ops_t pair_ops = {.put_channel = put_channel,
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
                                             .sweep = sweep};

void rj_steer_pair_init(rj_steer_pair_t *pair, rj_steer_maps_t *program, rj_steer_maps_t *table)
{
    *pair = (rj_steer_pair_t){.maps.ops = &pair_ops, .program = program, .table = table};
}
