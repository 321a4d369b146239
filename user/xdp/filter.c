/* SPDX-License-Identifier: Apache-2.0 */
#include "xdp/filter.h"

#include <errno.h>
#include <string.h>

static const char *const verdicts[RJ_XDP_VERDICT_COUNT] = {
    [RJ_XDP_TO_KERNEL] = "kernel", [RJ_XDP_TO_USER] = "user",  [RJ_XDP_DROP] = "drop",
    [RJ_XDP_ECHO] = "echo",        [RJ_XDP_BROKER] = "broker",
};

const char *rj_filter_verdict_name(unsigned verdict)
{
    return verdict < RJ_XDP_VERDICT_COUNT ? verdicts[verdict] : "?";
}

int rj_filter_verdict_parse(const char *text, enum rj_xdp_verdict *ret_verdict)
{
    for (int i = 0; i < RJ_XDP_VERDICT_COUNT; i++)
        if (strcmp(text, verdicts[i]) == 0) {
            *ret_verdict = (enum rj_xdp_verdict)i;
            return 0;
        }
    return -EINVAL;
}

static int failed(rj_err_t *err, const char *map, int code)
{
    if (code == -E2BIG)
        return rj_fail(err, code, "%s is full: remove rules first", map);
    if (code == -EPERM)
        return rj_fail(err, code, "%s: needs CAP_BPF: run as root", map);
    return rj_fail(err, code, "%s: %s", map, strerror(-code));
}

/* 0 when none is left. */
static uint32_t take_number(rj_steer_maps_t *maps, enum rj_xdp_claim kind)
{
    uint32_t last = kind == RJ_XDP_CLAIM_CHANNEL ? RJ_XDP_CHANNELS_MAX : RJ_XDP_COUNTERS_MAX - 1;
    for (uint32_t number = 1; number <= last; number++) {
        const struct rj_claim_key key = {.kind = kind, .number = number};
        int code = maps->ops->claim(maps, &key, RJ_XDP_OWNER_OPERATOR);
        if (code == 0)
            return number;
        if (code != -EEXIST)
            return 0;
    }
    return 0;
}

static bool is_operators(rj_steer_maps_t *maps, enum rj_xdp_claim kind, uint32_t number)
{
    const struct rj_claim_key key = {.kind = kind, .number = number};
    uint32_t owner;
    return maps->ops->get_claim(maps, &key, &owner) == 0 && owner == RJ_XDP_OWNER_OPERATOR;
}

/* What another has claimed is the other's to give back. */
static void give_number(rj_steer_maps_t *maps, enum rj_xdp_claim kind, uint32_t number)
{
    const struct rj_claim_key key = {.kind = kind, .number = number};
    if (number != 0 && is_operators(maps, kind, number))
        maps->ops->release(maps, &key);
}

static uint32_t take_counter(rj_steer_maps_t *maps)
{
    uint32_t index = take_number(maps, RJ_XDP_CLAIM_COUNTER);
    if (index != RJ_XDP_COUNTER_NONE)
        maps->ops->clear_counter(maps, index);
    return index;
}

static int add_channel(rj_steer_maps_t *maps, const rj_filter_rule_t *rule, rj_err_t *err)
{
    struct rj_channel_value there = {.channel_id = 0};
    struct rj_channel_value value = {.owner = RJ_XDP_OWNER_OPERATOR,
                                     .verdict = (__u8)rule->verdict,
                                     .origin = RJ_XDP_FROM_OPERATOR};
    int code = maps->ops->get_channel(maps, &rule->channel, &there);
    if (code != 0 && code != -ENOENT)
        return failed(err, "rj_channels", code);
    bool is_known = code == 0 && is_operators(maps, RJ_XDP_CLAIM_CHANNEL, there.channel_id);
    bool is_again = code == 0 && there.origin == RJ_XDP_FROM_OPERATOR;
    value.flags = there.flags & RJ_XDP_CONTROL_TO_USER;
    value.channel_id = is_known ? there.channel_id : take_number(maps, RJ_XDP_CLAIM_CHANNEL);
    value.counter_index = is_again ? there.counter_index : take_counter(maps);
    if (value.channel_id == 0)
        code = -E2BIG;
    else
        code = maps->ops->put_channel(maps, &rule->channel, &value, RJ_STEER_PUT_ANY);
    if (code == 0)
        return 0;
    if (!is_known)
        give_number(maps, RJ_XDP_CLAIM_CHANNEL, value.channel_id);
    if (!is_again)
        give_number(maps, RJ_XDP_CLAIM_COUNTER, value.counter_index);
    return failed(err, "rj_channels", code);
}

/* The channel's number, claimed by the operator. A driver that uses it goes on using it. */
static int settle_channel(rj_steer_maps_t *maps, const struct rj_channel_key *key,
                          uint32_t *ret_channel_id)
{
    struct rj_channel_value value;
    int code = maps->ops->get_channel(maps, key, &value);
    if (code == 0) {
        const struct rj_claim_key claim = {.kind = RJ_XDP_CLAIM_CHANNEL,
                                           .number = value.channel_id};
        if (!is_operators(maps, RJ_XDP_CLAIM_CHANNEL, value.channel_id)) {
            maps->ops->release(maps, &claim);
            code = maps->ops->claim(maps, &claim, RJ_XDP_OWNER_OPERATOR);
        }
    } else if (code == -ENOENT) {
        value = (struct rj_channel_value){.channel_id = take_number(maps, RJ_XDP_CLAIM_CHANNEL),
                                          .owner = RJ_XDP_OWNER_OPERATOR,
                                          .verdict = RJ_XDP_TO_KERNEL,
                                          .origin = RJ_XDP_FROM_DRIVER};
        code = value.channel_id == 0 ? -E2BIG
                                     : maps->ops->put_channel(maps, key, &value, RJ_STEER_PUT_NEW);
        if (code != 0)
            give_number(maps, RJ_XDP_CLAIM_CHANNEL, value.channel_id);
    }
    if (code == 0)
        *ret_channel_id = value.channel_id;
    return code;
}

static struct rj_stream_key stream_key(const rj_filter_rule_t *rule, uint32_t channel_id)
{
    return (struct rj_stream_key){.channel_id = channel_id,
                                  .stream_id = rule->stream_id,
                                  .session_id =
                                      rule->scope == RJ_FILTER_SESSION ? rule->session_id : 0,
                                  .any_session = rule->scope != RJ_FILTER_SESSION};
}

static int add_stream(rj_steer_maps_t *maps, const rj_filter_rule_t *rule, rj_err_t *err)
{
    struct rj_stream_value there;
    struct rj_stream_value value = {.owner = RJ_XDP_OWNER_OPERATOR,
                                    .verdict = (__u8)rule->verdict,
                                    .origin = RJ_XDP_FROM_OPERATOR};
    uint32_t channel_id = 0;
    int code = settle_channel(maps, &rule->channel, &channel_id);
    if (code != 0)
        return failed(err, "rj_channels", code);
    const struct rj_stream_key key = stream_key(rule, channel_id);
    bool is_again =
        maps->ops->get_stream(maps, &key, &there) == 0 && there.origin == RJ_XDP_FROM_OPERATOR;
    value.counter_index = is_again ? there.counter_index : take_counter(maps);
    code = maps->ops->put_stream(maps, &key, &value, RJ_STEER_PUT_ANY);
    if (code == 0)
        return 0;
    if (!is_again)
        give_number(maps, RJ_XDP_CLAIM_COUNTER, value.counter_index);
    return failed(err, "rj_streams", code);
}

int rj_filter_add(rj_kernel_maps_t *maps, const rj_filter_rule_t *rule, rj_err_t *err)
{
    return rule->scope == RJ_FILTER_CHANNEL ? add_channel(&maps->maps, rule, err)
                                            : add_stream(&maps->maps, rule, err);
}

/* --- looking --- */

/* What stands there, as much of it as both kinds of entry have. */
typedef struct entry {
    uint32_t owner;
    uint8_t origin;
    uint8_t verdict;
} entry_t;

/* -ENOENT where there is none; the channel that stream rules alone keep is none. */
static int find(rj_steer_maps_t *maps, const rj_filter_rule_t *rule, entry_t *ret_entry)
{
    struct rj_channel_value channel;
    int code = maps->ops->get_channel(maps, &rule->channel, &channel);
    if (code != 0)
        return code;
    if (rule->scope == RJ_FILTER_CHANNEL) {
        *ret_entry = (entry_t){channel.owner, channel.origin, channel.verdict};
        return channel.origin != RJ_XDP_FROM_OPERATOR && channel.owner == RJ_XDP_OWNER_OPERATOR
                   ? -ENOENT
                   : 0;
    }
    struct rj_stream_value stream;
    const struct rj_stream_key key = stream_key(rule, channel.channel_id);
    code = maps->ops->get_stream(maps, &key, &stream);
    if (code == 0)
        *ret_entry = (entry_t){stream.owner, stream.origin, stream.verdict};
    return code;
}

int rj_filter_look(rj_kernel_maps_t *maps, const rj_filter_rule_t *rule,
                   rj_filter_there_t *ret_there, rj_err_t *err)
{
    entry_t entry;
    int code = find(&maps->maps, rule, &entry);
    if (code != 0 && code != -ENOENT)
        return failed(err, "the rule's entry", code);
    *ret_there = code == -ENOENT                           ? RJ_FILTER_ABSENT
                 : entry.origin != RJ_XDP_FROM_OPERATOR    ? RJ_FILTER_A_DRIVERS
                 : entry.verdict == (uint8_t)rule->verdict ? RJ_FILTER_SAME
                                                           : RJ_FILTER_OTHER_VERDICT;
    return 0;
}

/* --- removing --- */

static bool has_stream_rules(const rj_kernel_maps_t *maps, uint32_t channel_id)
{
    struct rj_stream_key key;
    struct rj_stream_value value;
    int code = rj_kernel_maps_next_stream(maps, NULL, &key, &value);
    for (size_t i = 0; code > 0 && i < 2 * RJ_XDP_STREAMS_MAX; i++) {
        if (key.channel_id == channel_id && value.origin == RJ_XDP_FROM_OPERATOR)
            return true;
        code = rj_kernel_maps_next_stream(maps, &key, &key, &value);
    }
    return false;
}

static int refuse_drivers(const rj_kernel_maps_t *maps, uint32_t owner, rj_err_t *err)
{
    struct rj_owner_value value = {.pid = 0};
    rj_kernel_maps_get_owner(maps, owner, &value);
    return rj_fail(err, -EBUSY,
                   "that entry is driver process %u's, which puts it back when it is removed: "
                   "`filter add` overrides it, --force removes it until then",
                   value.pid);
}

static int remove_channel(rj_kernel_maps_t *kernel, const rj_filter_rule_t *rule, rj_err_t *err)
{
    rj_steer_maps_t *maps = &kernel->maps;
    struct rj_channel_value there;
    int code = maps->ops->get_channel(maps, &rule->channel, &there);
    bool is_drivers = code == 0 && there.origin != RJ_XDP_FROM_OPERATOR;
    if (code == 0 && !is_drivers && has_stream_rules(kernel, there.channel_id)) {
        const struct rj_channel_value nobodys = {.channel_id = there.channel_id,
                                                 .owner = RJ_XDP_OWNER_OPERATOR,
                                                 .verdict = RJ_XDP_TO_KERNEL,
                                                 .origin = RJ_XDP_FROM_DRIVER};
        code = maps->ops->put_channel(maps, &rule->channel, &nobodys, RJ_STEER_PUT_ANY);
    } else if (code == 0) {
        code = maps->ops->remove_channel(maps, &rule->channel);
        if (!is_drivers)
            give_number(maps, RJ_XDP_CLAIM_CHANNEL, there.channel_id);
    }
    if (code != 0)
        return failed(err, "rj_channels", code);
    if (!is_drivers)
        give_number(maps, RJ_XDP_CLAIM_COUNTER, there.counter_index);
    return 0;
}

/* The last stream rule of a channel gives its number back to the driver, or to everybody. */
static void leave_channel(rj_kernel_maps_t *kernel, const struct rj_channel_key *key,
                          const struct rj_channel_value *channel)
{
    rj_steer_maps_t *maps = &kernel->maps;
    const struct rj_claim_key claim = {.kind = RJ_XDP_CLAIM_CHANNEL, .number = channel->channel_id};
    if (channel->origin == RJ_XDP_FROM_OPERATOR || has_stream_rules(kernel, channel->channel_id))
        return;
    bool is_nobodys = channel->owner == RJ_XDP_OWNER_OPERATOR;
    if (is_nobodys)
        maps->ops->remove_channel(maps, key);
    give_number(maps, RJ_XDP_CLAIM_CHANNEL, channel->channel_id);
    if (!is_nobodys)
        maps->ops->claim(maps, &claim, channel->owner);
}

static int remove_stream(rj_kernel_maps_t *kernel, const rj_filter_rule_t *rule, rj_err_t *err)
{
    rj_steer_maps_t *maps = &kernel->maps;
    struct rj_channel_value channel;
    struct rj_stream_value there;
    int code = maps->ops->get_channel(maps, &rule->channel, &channel);
    const struct rj_stream_key key = stream_key(rule, code == 0 ? channel.channel_id : 0);
    if (code == 0)
        code = maps->ops->get_stream(maps, &key, &there);
    if (code == 0)
        code = maps->ops->remove_stream(maps, &key);
    if (code != 0)
        return failed(err, "rj_streams", code);
    if (there.origin == RJ_XDP_FROM_OPERATOR) {
        give_number(maps, RJ_XDP_CLAIM_COUNTER, there.counter_index);
        leave_channel(kernel, &rule->channel, &channel);
    }
    return 0;
}

int rj_filter_check_remove(rj_kernel_maps_t *maps, const rj_filter_rule_t *rule,
                           rj_filter_whose_t whose, rj_err_t *err)
{
    entry_t entry;
    int code = find(&maps->maps, rule, &entry);
    if (code == -ENOENT)
        return rj_fail(err, code, "no such rule: `ramjet filter list` shows what there is");
    if (code != 0)
        return failed(err, "the rule's entry", code);
    bool is_drivers = entry.origin != RJ_XDP_FROM_OPERATOR;
    return is_drivers && whose == RJ_FILTER_OPERATORS ? refuse_drivers(maps, entry.owner, err) : 0;
}

int rj_filter_remove(rj_kernel_maps_t *maps, const rj_filter_rule_t *rule, rj_filter_whose_t whose,
                     rj_err_t *err)
{
    int code = rj_filter_check_remove(maps, rule, whose, err);
    if (code != 0)
        return code;
    return rule->scope == RJ_FILTER_CHANNEL ? remove_channel(maps, rule, err)
                                            : remove_stream(maps, rule, err);
}
