/* SPDX-License-Identifier: Apache-2.0 */
/* The steering program on an interface as a driver holds it, and its maps in the kernel: each test
 * in a network namespace of its own, on its loopback. Nothing is pinned, so no bpffs is needed. */
#include "xdp/filter.h"
#include "xdp/steer.h"

#include "xdp/attached.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DEAD = 100, ALIVE = 200, UNKNOWN = 300, CHANNEL = 7, COUNTER = 9 };

#define NOW_NS (2 * RJ_XDP_OWNER_TIMEOUT_NS)

static rj_steer_t steer;
static rj_steer_maps_t *maps;
static rj_err_t err;

static const rj_steer_options_t attaching = {
    .interface = "lo", .mode = RJ_XDP_MODE_AUTO, .attach_if = RJ_STEER_ATTACH_IF_NONE};
static const rj_steer_options_t using = {.interface = "lo", .attach_if = RJ_STEER_USE_ONLY};

static void enter(void)
{
    cr_assert_eq(unshare(CLONE_NEWNET), 0, "needs root");
}

static void attach(void)
{
    enter();
    cr_assert_eq(rj_steer_open(&steer, &attaching, NOW_NS, &err), 0, "%s", err.text);
    maps = &steer.maps.maps;
}

static void take_off(void)
{
    rj_steer_close(&steer);
}

static struct rj_channel_key channel_key(uint8_t host)
{
    return (struct rj_channel_key){.address = {[10] = 0xff, [11] = 0xff, 10, 0, 0, host},
                                   .port = 40123};
}

static void add_owner(uint32_t owner, int64_t alive_ns)
{
    const struct rj_owner_value value = {.alive_ns = (uint64_t)alive_ns, .pid = owner};
    cr_assert_eq(maps->ops->put_owner(maps, owner, &value), 0);
}

/* A channel, a stream, a queue, and the claims of what they use. */
static void add_entries(uint32_t owner, uint32_t number)
{
    const struct rj_channel_key channel = channel_key((uint8_t)number);
    const struct rj_channel_value channel_value = {.channel_id = number, .owner = owner};
    const struct rj_stream_key stream = {.channel_id = number, .stream_id = 1001, .any_session = 1};
    const struct rj_stream_value stream_value = {
        .owner = owner, .counter_index = number, .verdict = RJ_XDP_TO_USER};
    const struct rj_queue_value queue = {.owner = owner, .room_bytes = 2048};
    const struct rj_claim_key claims[] = {{RJ_XDP_CLAIM_CHANNEL, number},
                                          {RJ_XDP_CLAIM_COUNTER, number}};
    cr_assert_eq(maps->ops->put_channel(maps, &channel, &channel_value, RJ_STEER_PUT_NEW), 0);
    cr_assert_eq(maps->ops->put_stream(maps, &stream, &stream_value, RJ_STEER_PUT_NEW), 0);
    cr_assert_eq(maps->ops->put_queue(maps, number, &queue), 0);
    cr_assert_eq(maps->ops->claim(maps, &claims[0], owner), 0);
    cr_assert_eq(maps->ops->claim(maps, &claims[1], owner), 0);
}

/* How many of the five are there. */
static int count_entries(uint32_t number)
{
    const struct rj_channel_key channel = channel_key((uint8_t)number);
    const struct rj_stream_key stream = {.channel_id = number, .stream_id = 1001, .any_session = 1};
    const struct rj_claim_key claims[] = {{RJ_XDP_CLAIM_CHANNEL, number},
                                          {RJ_XDP_CLAIM_COUNTER, number}};
    struct rj_channel_value channel_value;
    struct rj_stream_value stream_value;
    struct rj_queue_value queue;
    uint32_t owner;
    cr_assert_eq(maps->ops->get_queue(maps, number, &queue), 0);
    return (maps->ops->get_channel(maps, &channel, &channel_value) == 0) +
           (maps->ops->get_stream(maps, &stream, &stream_value) == 0) +
           (queue.owner != RJ_XDP_OWNER_NONE) +
           (maps->ops->get_claim(maps, &claims[0], &owner) == 0) +
           (maps->ops->get_claim(maps, &claims[1], &owner) == 0);
}

static rj_filter_rule_t rule(rj_filter_scope_t scope, enum rj_xdp_verdict verdict)
{
    return (rj_filter_rule_t){
        .channel = channel_key(CHANNEL), .scope = scope, .stream_id = 5, .verdict = verdict};
}

static bool has_any_claim(void)
{
    struct rj_claim_key key;
    struct rj_claim_value value;
    return rj_kernel_maps_next_claim(&steer.maps, NULL, &key, &value) == 1;
}

Test(steer, nothing_is_there_unless_attaching_is_asked_for, .init = enter)
{
    cr_assert_eq(rj_steer_open(&steer, &using, NOW_NS, &err), -ENOENT);
    cr_assert_not_null(strstr(err.text, "lo: nothing is attached: `ramjet attach lo`"), "%s",
                       err.text);
}

Test(steer, who_holds_the_link_leaves_nothing_when_it_closes, .init = attach)
{
    rj_attached_t there;
    cr_assert_eq(steer.holder, RJ_STEER_OURS);
    cr_assert_eq(steer.mode, RJ_XDP_MODE_GENERIC);
    cr_assert(maps->ops->is_attached(maps));
    cr_assert_eq(rj_attached_look(steer.maps.interface_index, &there), 0);
    cr_assert(rj_attached_is_steer(&there));
    rj_steer_close(&steer);
    cr_assert_eq(rj_attached_look(if_nametoindex("lo"), &there), 0);
    cr_assert_eq(there.program_id, 0);
}

Test(steer, why_native_was_refused_is_remembered_in_the_maps, .init = attach, .fini = take_off)
{
    struct rj_xdp_config config;
    cr_assert_eq(rj_kernel_maps_get_config(&steer.maps, &config), 0);
    cr_assert_eq(config.abi_version, RJ_XDP_ABI_VERSION);
    cr_assert_eq(config.native_errno, EOPNOTSUPP);
    cr_assert_eq(config.flags, RJ_XDP_GENERIC);
    cr_assert_not_null(strstr(steer.why, "native was refused"), "%s", steer.why);
}

Test(steer, a_mode_that_is_asked_for_is_not_exchanged, .init = enter)
{
    rj_steer_options_t options = attaching;
    options.mode = RJ_XDP_MODE_NATIVE;
    cr_assert_eq(rj_steer_open(&steer, &options, NOW_NS, &err), -EOPNOTSUPP);
    cr_assert_not_null(strstr(err.text, "use --mode generic"), "%s", err.text);
    cr_assert_eq(steer.link_fd, -1);
}

Test(steer, a_second_driver_finds_the_same_maps_by_the_interfaces_program, .init = attach,
     .fini = take_off)
{
    const struct rj_queue_value mine = {.owner = ALIVE, .room_bytes = 1500};
    struct rj_queue_value seen = {0};
    rj_steer_t second;
    add_owner(ALIVE, NOW_NS);
    cr_assert_eq(maps->ops->put_queue(maps, 3, &mine), 0);
    cr_assert_eq(rj_steer_open(&second, &using, NOW_NS, &err), 0, "%s", err.text);
    cr_assert_eq(second.holder, RJ_STEER_OTHERS);
    cr_assert_eq(second.mode, RJ_XDP_MODE_GENERIC);
    cr_assert_eq(rj_kernel_maps_get_queue(&second.maps, 3, &seen), 0);
    cr_assert_eq(seen.owner, ALIVE);
    take_off();
    cr_assert_not(second.maps.maps.ops->is_attached(&second.maps.maps));
    rj_steer_close(&second);
}

Test(steer, maps_of_another_version_are_refused, .init = attach, .fini = take_off)
{
    const struct rj_xdp_config other = {.abi_version = RJ_XDP_ABI_VERSION + 1};
    rj_steer_t second;
    cr_assert_eq(rj_kernel_maps_put_config(&steer.maps, &other), 0);
    cr_assert_eq(rj_steer_open(&second, &using, NOW_NS, &err), -EPROTO);
    cr_assert_not_null(strstr(err.text, "version"), "%s", err.text);
}

Test(steer, only_a_socket_of_xdp_goes_into_the_map_of_sockets, .init = attach, .fini = take_off)
{
    int udp = socket(AF_INET, SOCK_DGRAM, 0);
    int xsk = socket(AF_XDP, SOCK_RAW, 0);
    cr_assert_eq(rj_steer_put_xsk(&steer, 0, udp), -EOPNOTSUPP);
    cr_assert_lt(rj_steer_put_xsk(&steer, RJ_XDP_QUEUES_MAX, xsk), 0);
    close(udp);
    close(xsk);
}

Test(maps, a_number_is_claimed_once, .init = attach, .fini = take_off)
{
    const struct rj_claim_key key = {RJ_XDP_CLAIM_CHANNEL, 4};
    uint32_t owner = 0;
    cr_assert_eq(maps->ops->get_claim(maps, &key, &owner), -ENOENT);
    cr_assert_eq(maps->ops->claim(maps, &key, ALIVE), 0);
    cr_assert_eq(maps->ops->claim(maps, &key, ALIVE), -EEXIST);
    cr_assert_eq(maps->ops->claim(maps, &key, DEAD), -EEXIST);
    cr_assert_eq(maps->ops->get_claim(maps, &key, &owner), 0);
    cr_assert_eq(owner, ALIVE);
    cr_assert_eq(maps->ops->release(maps, &key), 0);
    cr_assert_eq(maps->ops->release(maps, &key), -ENOENT);
}

Test(maps, what_is_there_is_not_put_as_new, .init = attach, .fini = take_off)
{
    const struct rj_channel_key key = channel_key(1);
    struct rj_channel_value value = {.channel_id = 1, .owner = ALIVE};
    cr_assert_eq(maps->ops->put_channel(maps, &key, &value, RJ_STEER_PUT_NEW), 0);
    cr_assert_eq(maps->ops->put_channel(maps, &key, &value, RJ_STEER_PUT_NEW), -EEXIST);
    value.verdict = RJ_XDP_DROP;
    cr_assert_eq(maps->ops->put_channel(maps, &key, &value, RJ_STEER_PUT_ANY), 0);
    value.verdict = 0;
    cr_assert_eq(maps->ops->get_channel(maps, &key, &value), 0);
    cr_assert_eq(value.verdict, RJ_XDP_DROP);
}

Test(maps, a_full_map_says_so, .init = attach, .fini = take_off)
{
    const struct rj_owner_value value = {.pid = 1};
    for (uint32_t owner = 2; owner < 2 + RJ_XDP_OWNERS_MAX; owner++)
        cr_assert_eq(maps->ops->put_owner(maps, owner, &value), 0);
    cr_assert_eq(maps->ops->put_owner(maps, 1, &value), -E2BIG);
}

Test(maps, the_mac_changes_and_nothing_beside_it, .init = attach, .fini = take_off)
{
    static const uint8_t mac[6] = {2, 4, 6, 8, 10, 12};
    struct rj_xdp_config before;
    struct rj_xdp_config after;
    cr_assert_eq(rj_kernel_maps_get_config(&steer.maps, &before), 0);
    cr_assert_eq(maps->ops->set_mac(maps, mac), 0);
    cr_assert_eq(rj_kernel_maps_get_config(&steer.maps, &after), 0);
    memcpy(before.mac, mac, sizeof(mac));
    cr_assert_eq(memcmp(&before, &after, sizeof(before)), 0);
}

Test(sweep, takes_all_that_the_dead_left_and_nothing_of_the_living, .init = attach,
     .fini = take_off)
{
    struct rj_owner_value value;
    add_owner(DEAD, NOW_NS - RJ_XDP_OWNER_TIMEOUT_NS - 1);
    add_owner(ALIVE, NOW_NS - RJ_XDP_OWNER_TIMEOUT_NS);
    add_entries(DEAD, 1);
    add_entries(ALIVE, 2);
    add_entries(UNKNOWN, 3);
    add_entries(RJ_XDP_OWNER_OPERATOR, 4);
    cr_assert_eq(maps->ops->sweep(maps, RJ_XDP_OWNER_NONE, NOW_NS), 1);
    cr_assert_eq(count_entries(1), 0);
    cr_assert_eq(count_entries(2), 5);
    cr_assert_eq(count_entries(3), 0);
    cr_assert_eq(count_entries(4), 5);
    cr_assert_eq(rj_kernel_maps_get_owner(&steer.maps, DEAD, &value), -ENOENT);
    cr_assert_eq(rj_kernel_maps_get_owner(&steer.maps, ALIVE, &value), 0);
    cr_assert_eq(maps->ops->sweep(maps, RJ_XDP_OWNER_NONE, NOW_NS), 0);
}

Test(sweep, takes_a_driver_that_goes_though_it_lives, .init = attach, .fini = take_off)
{
    add_owner(ALIVE, NOW_NS);
    add_owner(DEAD, 0);
    add_entries(ALIVE, 2);
    add_entries(DEAD, 1);
    cr_assert_eq(maps->ops->sweep(maps, ALIVE, NOW_NS), 1);
    cr_assert_eq(count_entries(2), 0);
    cr_assert_eq(count_entries(1), 5);
}

Test(sweep, a_driver_that_opens_the_maps_sweeps_them, .init = attach, .fini = take_off)
{
    rj_steer_t second;
    add_owner(DEAD, 0);
    add_entries(DEAD, 1);
    cr_assert_eq(rj_steer_open(&second, &using, NOW_NS, &err), 0, "%s", err.text);
    cr_assert_eq(second.swept_owners, 1);
    cr_assert_eq(count_entries(1), 0);
    rj_steer_close(&second);
}

Test(sweep, many_entries_go_in_one_sweep, .init = attach, .fini = take_off)
{
    struct rj_stream_key key = {.channel_id = 1, .any_session = 1};
    const struct rj_stream_value value = {.owner = UNKNOWN};
    struct rj_stream_value seen;
    for (key.stream_id = 0; key.stream_id < 3000; key.stream_id++)
        cr_assert_eq(maps->ops->put_stream(maps, &key, &value, RJ_STEER_PUT_NEW), 0);
    cr_assert_eq(maps->ops->sweep(maps, RJ_XDP_OWNER_NONE, NOW_NS), 0);
    cr_assert_eq(rj_kernel_maps_next_stream(&steer.maps, NULL, &key, &seen), 0);
}

Test(filter, a_rule_takes_numbers_and_gives_them_back, .init = attach, .fini = take_off)
{
    static const rj_filter_scope_t scopes[] = {RJ_FILTER_CHANNEL, RJ_FILTER_STREAM,
                                               RJ_FILTER_SESSION};
    for (size_t i = 0; i < sizeof(scopes) / sizeof(scopes[0]); i++) {
        const rj_filter_rule_t one = rule(scopes[i], RJ_XDP_DROP);
        const rj_filter_rule_t changed = rule(scopes[i], RJ_XDP_ECHO);
        cr_assert_eq(rj_filter_add(&steer.maps, &one, &err), 0, "%s", err.text);
        cr_assert_eq(rj_filter_add(&steer.maps, &changed, &err), 0, "%s", err.text);
        cr_assert(has_any_claim());
        cr_assert_eq(rj_filter_remove(&steer.maps, &one, RJ_FILTER_OPERATORS, &err), 0, "%s",
                     err.text);
        cr_assert_not(has_any_claim());
        cr_assert_eq(rj_filter_remove(&steer.maps, &one, RJ_FILTER_OPERATORS, &err), -ENOENT);
    }
}

Test(filter, a_drivers_entry_goes_by_force_only, .init = attach, .fini = take_off)
{
    const rj_filter_rule_t one = rule(RJ_FILTER_CHANNEL, RJ_XDP_DROP);
    add_owner(ALIVE, NOW_NS);
    add_entries(ALIVE, CHANNEL);
    cr_assert_eq(rj_filter_remove(&steer.maps, &one, RJ_FILTER_OPERATORS, &err), -EBUSY);
    cr_assert_eq(count_entries(CHANNEL), 5);
    cr_assert_eq(rj_filter_remove(&steer.maps, &one, RJ_FILTER_DRIVERS_TOO, &err), 0);
    cr_assert_eq(count_entries(CHANNEL), 4);
}

Test(filter, a_rule_for_a_channel_stands_in_the_drivers_place, .init = attach, .fini = take_off)
{
    const rj_filter_rule_t one = rule(RJ_FILTER_CHANNEL, RJ_XDP_DROP);
    struct rj_channel_value value;
    add_entries(ALIVE, CHANNEL);
    cr_assert_eq(rj_filter_add(&steer.maps, &one, &err), 0, "%s", err.text);
    cr_assert_eq(maps->ops->get_channel(maps, &one.channel, &value), 0);
    cr_assert_eq(value.owner, RJ_XDP_OWNER_OPERATOR);
    cr_assert_eq(value.origin, RJ_XDP_FROM_OPERATOR);
    cr_assert_neq(value.channel_id, CHANNEL, "the driver's number is the driver's");
}

Test(filter, the_number_of_a_stream_rules_channel_outlives_its_driver, .init = attach,
     .fini = take_off)
{
    const rj_filter_rule_t one = rule(RJ_FILTER_STREAM, RJ_XDP_DROP);
    const struct rj_claim_key claim = {RJ_XDP_CLAIM_CHANNEL, CHANNEL};
    const struct rj_stream_key key = {.channel_id = CHANNEL, .stream_id = 5, .any_session = 1};
    struct rj_channel_value channel;
    struct rj_stream_value stream;
    uint32_t owner = 0;
    add_owner(DEAD, NOW_NS);
    add_entries(DEAD, CHANNEL);
    cr_assert_eq(rj_filter_add(&steer.maps, &one, &err), 0, "%s", err.text);
    cr_assert_eq(maps->ops->sweep(maps, DEAD, NOW_NS), 1);
    cr_assert_eq(maps->ops->get_channel(maps, &one.channel, &channel), 0);
    cr_assert_eq(channel.verdict, RJ_XDP_TO_KERNEL);
    cr_assert_eq(channel.origin, RJ_XDP_FROM_DRIVER, "the next driver may have it");
    cr_assert_eq(maps->ops->get_stream(maps, &key, &stream), 0);
    cr_assert_eq(stream.verdict, RJ_XDP_DROP);
    cr_assert_eq(maps->ops->get_claim(maps, &claim, &owner), 0);
    cr_assert_eq(owner, RJ_XDP_OWNER_OPERATOR);
    cr_assert_eq(rj_filter_remove(&steer.maps, &one, RJ_FILTER_OPERATORS, &err), 0, "%s", err.text);
    cr_assert_not(has_any_claim());
    cr_assert_eq(maps->ops->get_channel(maps, &one.channel, &channel), -ENOENT);
}

Test(filter, the_last_stream_rule_gives_a_living_driver_its_number_back, .init = attach,
     .fini = take_off)
{
    const rj_filter_rule_t one = rule(RJ_FILTER_STREAM, RJ_XDP_DROP);
    const struct rj_claim_key claim = {RJ_XDP_CLAIM_CHANNEL, CHANNEL};
    uint32_t owner = 0;
    add_owner(ALIVE, NOW_NS);
    add_entries(ALIVE, CHANNEL);
    cr_assert_eq(rj_filter_add(&steer.maps, &one, &err), 0, "%s", err.text);
    cr_assert_eq(rj_filter_remove(&steer.maps, &one, RJ_FILTER_OPERATORS, &err), 0, "%s", err.text);
    cr_assert_eq(maps->ops->get_claim(maps, &claim, &owner), 0);
    cr_assert_eq(owner, ALIVE);
    cr_assert_eq(count_entries(CHANNEL), 5);
}

Test(filter, channels_do_not_outnumber_their_map, .init = attach, .fini = take_off)
{
    rj_filter_rule_t one = rule(RJ_FILTER_CHANNEL, RJ_XDP_DROP);
    for (uint32_t number = 1; number <= RJ_XDP_CHANNELS_MAX; number++) {
        const struct rj_claim_key key = {RJ_XDP_CLAIM_CHANNEL, number};
        cr_assert_eq(maps->ops->claim(maps, &key, ALIVE), 0);
    }
    cr_assert_eq(rj_filter_add(&steer.maps, &one, &err), -E2BIG);
    cr_assert_not_null(strstr(err.text, "rj_channels is full"), "%s", err.text);
}
