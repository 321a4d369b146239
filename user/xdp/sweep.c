/* SPDX-License-Identifier: Apache-2.0 */
#include "xdp/sweep.h"

#include <errno.h>
#include <stdlib.h>

typedef struct sweep {
    rj_kernel_maps_t *maps;
    uint32_t owner; /* the one to sweep; NONE: all that are dead */
    uint32_t alive[RJ_XDP_OWNERS_MAX];
    size_t alive_count;
    uint32_t dead[RJ_XDP_OWNERS_MAX];
    size_t dead_count;
} sweep_t;

static bool is_dead(const sweep_t *sweep, uint32_t owner)
{
    if (sweep->owner != RJ_XDP_OWNER_NONE)
        return owner == sweep->owner;
    if (owner == RJ_XDP_OWNER_NONE || owner == RJ_XDP_OWNER_OPERATOR)
        return false;
    for (size_t i = 0; i < sweep->alive_count; i++)
        if (sweep->alive[i] == owner)
            return false;
    return true;
}

/* An owner whose clock reads later than ours is alive: it has just written. */
static int judge_owners(sweep_t *sweep, int64_t now_ns)
{
    struct rj_owner_value value;
    uint32_t owner;
    const uint32_t *from = NULL;
    int code = 0;
    for (size_t i = 0; i < RJ_XDP_OWNERS_MAX; i++) {
        code = rj_kernel_maps_next_owner(sweep->maps, from, &owner, &value);
        if (code <= 0)
            break;
        bool is_late = (int64_t)value.alive_ns < now_ns - RJ_XDP_OWNER_TIMEOUT_NS;
        if (sweep->owner == RJ_XDP_OWNER_NONE ? is_late : owner == sweep->owner)
            sweep->dead[sweep->dead_count++] = owner;
        else
            sweep->alive[sweep->alive_count++] = owner;
        from = &owner;
    }
    return code < 0 ? code : 0;
}

/* Each of these decides on one entry; a walk removes an entry only when it has the next one's key,
 * for a walk that stands on a removed entry begins anew. */
static int sweep_stream(sweep_t *sweep, const struct rj_stream_key *key,
                        const struct rj_stream_value *value)
{
    rj_steer_maps_t *maps = &sweep->maps->maps;
    if (value->origin == RJ_XDP_FROM_OPERATOR || !is_dead(sweep, value->owner))
        return 0;
    return maps->ops->remove_stream(maps, key);
}

static int sweep_channel(sweep_t *sweep, const struct rj_channel_key *key,
                         const struct rj_channel_value *value)
{
    rj_steer_maps_t *maps = &sweep->maps->maps;
    const struct rj_claim_key claim = {.kind = RJ_XDP_CLAIM_CHANNEL, .number = value->channel_id};
    const struct rj_channel_value nobodys = {.channel_id = value->channel_id,
                                             .owner = RJ_XDP_OWNER_OPERATOR,
                                             .verdict = RJ_XDP_TO_KERNEL,
                                             .origin = RJ_XDP_FROM_DRIVER};
    uint32_t claimant;
    if (value->origin == RJ_XDP_FROM_OPERATOR || !is_dead(sweep, value->owner))
        return 0;
    if (maps->ops->get_claim(maps, &claim, &claimant) == 0 && claimant == RJ_XDP_OWNER_OPERATOR)
        return maps->ops->put_channel(maps, key, &nobodys, RJ_STEER_PUT_ANY);
    return maps->ops->remove_channel(maps, key);
}

static int sweep_claim(sweep_t *sweep, const struct rj_claim_key *key,
                       const struct rj_claim_value *value)
{
    rj_steer_maps_t *maps = &sweep->maps->maps;
    return is_dead(sweep, value->owner) ? maps->ops->release(maps, key) : 0;
}

/* Others may have been quicker: what is gone is gone. */
static int unless_gone(int code)
{
    return code == -ENOENT ? 0 : code;
}

static int sweep_streams(sweep_t *sweep)
{
    struct rj_stream_key key;
    struct rj_stream_key next;
    struct rj_stream_value value;
    struct rj_stream_value next_value;
    int code = rj_kernel_maps_next_stream(sweep->maps, NULL, &key, &value);
    for (size_t i = 0; code > 0 && i < 2 * RJ_XDP_STREAMS_MAX; i++) {
        code = rj_kernel_maps_next_stream(sweep->maps, &key, &next, &next_value);
        int done = unless_gone(sweep_stream(sweep, &key, &value));
        if (done != 0)
            return done;
        key = next;
        value = next_value;
    }
    return code < 0 ? code : 0;
}

static int sweep_channels(sweep_t *sweep)
{
    struct rj_channel_key key;
    struct rj_channel_key next;
    struct rj_channel_value value;
    struct rj_channel_value next_value;
    int code = rj_kernel_maps_next_channel(sweep->maps, NULL, &key, &value);
    for (size_t i = 0; code > 0 && i < 2 * RJ_XDP_CHANNELS_MAX; i++) {
        code = rj_kernel_maps_next_channel(sweep->maps, &key, &next, &next_value);
        int done = unless_gone(sweep_channel(sweep, &key, &value));
        if (done != 0)
            return done;
        key = next;
        value = next_value;
    }
    return code < 0 ? code : 0;
}

static int sweep_claims(sweep_t *sweep)
{
    struct rj_claim_key key;
    struct rj_claim_key next;
    struct rj_claim_value value;
    struct rj_claim_value next_value;
    int code = rj_kernel_maps_next_claim(sweep->maps, NULL, &key, &value);
    for (size_t i = 0; code > 0 && i < 2 * RJ_XDP_CLAIMS_MAX; i++) {
        code = rj_kernel_maps_next_claim(sweep->maps, &key, &next, &next_value);
        int done = unless_gone(sweep_claim(sweep, &key, &value));
        if (done != 0)
            return done;
        key = next;
        value = next_value;
    }
    return code < 0 ? code : 0;
}

static int sweep_queues(sweep_t *sweep)
{
    rj_steer_maps_t *maps = &sweep->maps->maps;
    const struct rj_queue_value nobody = {.owner = RJ_XDP_OWNER_NONE};
    for (uint32_t queue = 0; queue < RJ_XDP_QUEUES_MAX; queue++) {
        struct rj_queue_value value;
        int code = maps->ops->get_queue(maps, queue, &value);
        if (code == 0 && is_dead(sweep, value.owner))
            code = maps->ops->put_queue(maps, queue, &nobody);
        if (code != 0)
            return code;
    }
    return 0;
}

static int sweep_all(sweep_t *sweep)
{
    rj_steer_maps_t *maps = &sweep->maps->maps;
    int (*const parts[])(sweep_t *) = {sweep_queues, sweep_streams, sweep_channels, sweep_claims};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        int code = parts[i](sweep);
        if (code != 0)
            return code;
    }
    for (size_t i = 0; i < sweep->dead_count; i++) {
        int code = unless_gone(maps->ops->remove_owner(maps, sweep->dead[i]));
        if (code != 0)
            return code;
    }
    return (int)sweep->dead_count;
}

int rj_kernel_maps_sweep(rj_kernel_maps_t *maps, uint32_t owner, int64_t now_ns)
{
    sweep_t *sweep = calloc(1, sizeof(*sweep));
    if (sweep == NULL)
        return -ENOMEM;
    sweep->maps = maps;
    sweep->owner = owner;
    int code = judge_owners(sweep, now_ns);
    if (code == 0)
        code = sweep_all(sweep);
    free(sweep);
    return code;
}
