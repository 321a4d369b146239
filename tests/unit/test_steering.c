/* SPDX-License-Identifier: Apache-2.0 */
#include "fabric/steering.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/fixtures/address_text.h"
#include "tests/fixtures/steer_tables.h"
#include "tests/fixtures/steered_host.h"

#define SECONDS(n) ((n)*INT64_C(1000000000))

enum {
    ETH0 = STEERED_ETH0,
    ETH1 = STEERED_ETH1,
    PORT = 24390,
    OTHER_OWNER = 777,
    EVENTS_MAX = 32,
};

static steer_tables_t tables[2];
static rj_steering_t *steering;
static int64_t now_ns;
static char events[EVENTS_MAX][RJ_ERR_TEXT_MAX];
static int event_count;

/* --- a host with two interfaces --- */

static rj_address_t ipv4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port)
{
    const uint8_t bytes[4] = {a, b, c, d};
    return rj_address_ipv4(bytes, port);
}

static steered_host_t host;

static void give_address(const char *text, uint32_t link)
{
    steered_host_give_address(&host, text, link);
}

static void give_members(const char *group, uint32_t link, uint32_t count)
{
    steered_host_give_members(&host, group, link, count);
}

static void publish(void)
{
    steered_host_publish(&host);
}

static void on_event(void *state, const char *text)
{
    (void)state;
    cr_assert_lt(event_count, EVENTS_MAX);
    snprintf(events[event_count++], RJ_ERR_TEXT_MAX, "%s", text);
}

static bool was_told(const char *words)
{
    for (int i = 0; i < event_count; i++) {
        if (strstr(events[i], words) != NULL)
            return true;
    }
    return false;
}

static int times_told(const char *words)
{
    int count = 0;
    for (int i = 0; i < event_count; i++)
        count += strstr(events[i], words) != NULL;
    return count;
}

static void turn(void)
{
    int bound = 1000;
    while (rj_steering_do_work(steering, host.snapshot, now_ns) > 0)
        cr_assert_gt(--bound, 0, "it never comes to rest");
}

static void pass(int64_t duration_ns)
{
    now_ns += duration_ns;
    turn();
}

static uint32_t unbound_queue; /* of eth0; 0: none */

static bool is_bound(const void *state, uint32_t queue)
{
    (void)state;
    return queue != unbound_queue;
}

static void open_with(rj_steering_control_t control, int interface_count)
{
    const rj_steering_params_t params = {.interfaces = {{.maps = &tables[0].maps,
                                                         .name = "eth0",
                                                         .index = ETH0,
                                                         .queue_first = 4,
                                                         .queue_count = 2,
                                                         .room_bytes = 3840,
                                                         .is_bound = is_bound},
                                                        {.maps = &tables[1].maps,
                                                         .name = "eth1",
                                                         .index = ETH1,
                                                         .queue_count = 1,
                                                         .room_bytes = 1792}},
                                         .interface_count = interface_count,
                                         .control = control,
                                         .pid = 4242,
                                         .on_event = on_event};
    rj_prng_t prng;
    rj_err_t err;
    rj_prng_init(&prng, 7);
    cr_assert_eq(rj_steering_open(&steering, &params, &prng, host.snapshot, now_ns, &err), 0);
    turn();
}

static void set_up(void)
{
    now_ns = SECONDS(100);
    host.mac = 0x11;
    give_address("10.0.0.1", ETH0);
    publish();
    for (int i = 0; i < 2; i++)
        steer_tables_init(&tables[i]);
}

static void tear_down(void)
{
    rj_steering_close(steering);
    steered_host_close(&host);
}

TestSuite(steering, .init = set_up, .fini = tear_down);

/* --- what is asked of the tables --- */

static struct rj_channel_key key_of(const char *text)
{
    rj_address_t address = address_of_text(text);
    address.port = PORT;
    return steer_tables_key(&address);
}

static const struct rj_channel_value *channel_on(int table, const char *text)
{
    const struct rj_channel_key key = key_of(text);
    return steer_tables_channel(&tables[table], &key);
}

static const struct rj_channel_value *channel_of(const char *text)
{
    return channel_on(0, text);
}

static const struct rj_stream_value *stream_of(const char *text, int32_t stream_id)
{
    const struct rj_channel_value *channel = channel_of(text);
    if (channel == NULL)
        return NULL;
    const struct rj_stream_key key = {
        .channel_id = channel->channel_id, .stream_id = stream_id, .any_session = 1};
    return steer_tables_stream(&tables[0], &key);
}

static rj_steer_stream_t any_of(int32_t stream_id)
{
    return (rj_steer_stream_t){.stream_id = stream_id};
}

static rj_steer_wish_t *wish(const rj_address_t *local, int32_t stream_id)
{
    rj_steer_wish_t *made = rj_steering_add(steering, local, 0, 0);
    const rj_steer_stream_t stream = any_of(stream_id);
    rj_steering_add_stream(steering, made, &stream);
    return made;
}

/* --- rows --- */

Test(steering, takes_its_queues_and_says_that_it_lives)
{
    open_with(RJ_STEERING_CONTROL_TO_KERNEL, 2);
    const uint32_t owner = rj_steering_owner(steering);
    cr_expect_gt(owner, (uint32_t)RJ_XDP_OWNER_OPERATOR);
    for (int i = 0; i < RJ_XDP_QUEUES_MAX; i++) {
        const bool is_ours = i == 4 || i == 5;
        cr_expect_eq(tables[0].queues[i].owner, is_ours ? owner : 0, "%d", i);
        cr_expect_eq(tables[0].queues[i].room_bytes, is_ours ? 3840 : 0);
    }
    cr_expect_eq(tables[1].queues[0].owner, owner);
    cr_expect_eq(tables[0].owners[0].owner, owner);
    cr_expect_eq(tables[0].owners[0].value.pid, 4242);
    cr_expect_eq(tables[0].owners[0].value.start_ns, SECONDS(100));
    pass(SECONDS(3));
    cr_expect_eq(tables[0].owners[0].value.alive_ns, SECONDS(103));
    cr_expect_eq(tables[0].config.mac[5], 0x11);
    host.mac = 0x22;
    publish();
    turn();
    cr_expect_eq(tables[0].config.mac[5], 0x22);
}

Test(steering, steers_streams_of_a_receive_endpoint_and_leaves_the_rest_to_the_kernel)
{
    open_with(RJ_STEERING_CONTROL_TO_KERNEL, 1);
    const rj_address_t local = ipv4(10, 0, 0, 1, PORT);
    rj_steer_wish_t *made = wish(&local, 1001);
    const rj_steer_stream_t session = {.stream_id = 1002, .session_id = -5, .has_session = true};
    rj_steering_add_stream(steering, made, &session);
    const struct rj_channel_value *channel = channel_of("10.0.0.1");
    cr_assert_not_null(channel);
    cr_expect_eq(channel->verdict, RJ_XDP_TO_KERNEL);
    cr_expect_eq(channel->flags, 0);
    cr_expect_eq(channel->owner, rj_steering_owner(steering));
    cr_expect_neq(channel->channel_id, 0);
    cr_expect_neq(channel->counter_index, RJ_XDP_COUNTER_NONE);
    const struct rj_stream_value *any = stream_of("10.0.0.1", 1001);
    cr_assert_not_null(any);
    cr_expect_eq(any->verdict, RJ_XDP_TO_USER);
    cr_expect_neq(any->counter_index, channel->counter_index);
    const struct rj_stream_key key = {
        .channel_id = channel->channel_id, .stream_id = 1002, .session_id = -5};
    cr_expect_not_null(steer_tables_stream(&tables[0], &key));
    rj_steering_remove_stream(steering, made, &session);
    cr_expect_null(steer_tables_stream(&tables[0], &key));
    cr_expect_not_null(stream_of("10.0.0.1", 1001));
    /* Channel, its stream and their numbers: what is left is the driver's own. */
    rj_steering_remove(steering, made);
    cr_expect_eq(tables[0].channel_count, 0);
    cr_expect_eq(tables[0].stream_count, 0);
    cr_expect_eq(tables[0].claim_count, 1);
    cr_expect_eq(rj_steering_stats(steering)->channels, 0);
    cr_expect_eq(rj_steering_stats(steering)->streams, 0);
}

Test(steering, lets_the_setting_say_where_control_frames_go)
{
    open_with(RJ_STEERING_CONTROL_TO_RING, 1);
    const rj_address_t local = ipv4(10, 0, 0, 1, PORT);
    cr_assert_not_null(rj_steering_add(steering, &local, 0, 0));
    cr_expect_eq(channel_of("10.0.0.1")->flags, RJ_XDP_CONTROL_TO_USER);
    cr_expect_eq(tables[0].stream_count, 0);
}

Test(steering, comes_to_rest_and_does_not_write_what_stands)
{
    open_with(RJ_STEERING_CONTROL_TO_KERNEL, 2);
    const rj_address_t local = ipv4(10, 0, 0, 1, PORT);
    (void)wish(&local, 1001);
    const int written = tables[0].write_count;
    for (int i = 0; i < 5; i++)
        pass(SECONDS(1));
    cr_expect_eq(tables[0].write_count, written);
    cr_expect_eq(rj_steering_stats(steering)->put_again, 0);
    cr_expect_eq(event_count, 0, "%s", events[0]);
    cr_expect_eq(rj_steering_deadline_ns(steering), now_ns + RJ_STEERING_PERIOD_NS);
}

Test(steering, gives_a_wildcard_a_channel_for_each_address_of_this_host_and_follows_them)
{
    give_address("127.0.0.1", 1);
    give_address("192.168.7.1", ETH1);
    give_address("fd00::1", ETH0);
    publish();
    open_with(RJ_STEERING_CONTROL_TO_KERNEL, 2);
    const rj_address_t local = ipv4(0, 0, 0, 0, PORT);
    (void)wish(&local, 1001);
    for (int i = 0; i < 2; i++) {
        cr_expect_eq(tables[i].channel_count, 2);
        cr_expect_not_null(channel_on(i, "10.0.0.1"));
        cr_expect_not_null(channel_on(i, "192.168.7.1"));
    }
    /* Transit to the address of somebody else is none of our business. */
    cr_expect_null(channel_of("10.0.0.2"));
    give_address("10.0.0.9", ETH0);
    publish();
    turn();
    cr_expect_not_null(channel_of("10.0.0.9"));
    cr_expect_not_null(stream_of("10.0.0.9", 1001));
    host.address_count--;
    publish();
    turn();
    cr_expect_null(channel_of("10.0.0.9"));
    cr_expect_eq(tables[0].channel_count, 2);
    cr_expect_eq(tables[0].stream_count, 2);
}

Test(steering, takes_a_link_local_address_on_its_own_link_only)
{
    give_address("fe80::1", ETH0);
    give_address("fe80::2", ETH1);
    give_address("::1", 1);
    publish();
    open_with(RJ_STEERING_CONTROL_TO_KERNEL, 2);
    rj_address_t local = rj_address_wildcard(AF_INET6);
    local.port = PORT;
    cr_assert_not_null(rj_steering_add(steering, &local, 0, 0));
    cr_expect_eq(tables[0].channel_count, 1);
    cr_expect_eq(tables[1].channel_count, 1);
    cr_expect_not_null(channel_on(0, "fe80::1"));
    cr_expect_not_null(channel_on(1, "fe80::2"));
}

Test(steering, leaves_loopback_alone_and_drops_an_address_that_is_no_longer_ours)
{
    open_with(RJ_STEERING_CONTROL_TO_KERNEL, 1);
    const rj_address_t loopback = ipv4(127, 0, 0, 1, PORT);
    cr_assert_not_null(rj_steering_add(steering, &loopback, 0, 0));
    cr_expect_eq(tables[0].channel_count, 0);
    const rj_address_t local = ipv4(10, 0, 0, 1, PORT);
    (void)wish(&local, 1001);
    cr_expect_eq(tables[0].channel_count, 1);
    host.address_count = 0;
    publish();
    turn();
    cr_expect_eq(tables[0].channel_count, 0);
    cr_expect_eq(tables[0].stream_count, 0);
}

Test(steering, shares_a_channel_between_wishes_and_a_stream_too)
{
    open_with(RJ_STEERING_CONTROL_TO_KERNEL, 1);
    const rj_address_t wildcard = ipv4(0, 0, 0, 0, PORT);
    const rj_address_t local = ipv4(10, 0, 0, 1, PORT);
    rj_steer_wish_t *first = wish(&wildcard, 1001);
    rj_steer_wish_t *second = wish(&local, 1001);
    cr_expect_eq(tables[0].channel_count, 1);
    cr_expect_eq(tables[0].stream_count, 1);
    rj_steering_remove(steering, first);
    cr_expect_not_null(stream_of("10.0.0.1", 1001));
    rj_steering_remove(steering, second);
    cr_expect_eq(tables[0].channel_count, 0);
}

Test(steering, lets_user_space_filter_where_the_streams_are_full_and_takes_it_back)
{
    tables[0].stream_max = 1;
    open_with(RJ_STEERING_CONTROL_TO_KERNEL, 1);
    const rj_address_t local = ipv4(10, 0, 0, 1, PORT);
    rj_steer_wish_t *made = wish(&local, 1001);
    const rj_steer_stream_t second = any_of(1002), third = any_of(1003);
    rj_steering_add_stream(steering, made, &second);
    rj_steering_add_stream(steering, made, &third);
    cr_expect_eq(channel_of("10.0.0.1")->verdict, RJ_XDP_TO_USER);
    cr_expect_eq(channel_of("10.0.0.1")->flags, RJ_XDP_STREAMS_OVERFLOW);
    cr_expect_eq(rj_steering_stats(steering)->streams_left_out, 2);
    cr_expect_eq(times_told("rj_streams is full"), 1);
    tables[0].stream_max = STEER_TABLES_STREAMS_MAX;
    pass(SECONDS(1));
    cr_expect_eq(channel_of("10.0.0.1")->verdict, RJ_XDP_TO_KERNEL);
    cr_expect_eq(channel_of("10.0.0.1")->flags, 0);
    cr_expect_not_null(stream_of("10.0.0.1", 1003));
    cr_expect_eq(rj_steering_stats(steering)->streams_left_out, 0);
    cr_expect_eq(rj_steering_stats(steering)->put_again, 0);
}

Test(steering, leaves_a_channel_to_its_socket_where_the_channels_are_full)
{
    tables[0].channel_max = 1;
    open_with(RJ_STEERING_CONTROL_TO_KERNEL, 1);
    const rj_address_t local = ipv4(10, 0, 0, 1, PORT);
    rj_address_t other = local;
    other.port = PORT + 1;
    rj_steer_wish_t *first = wish(&local, 1001);
    (void)wish(&other, 1001);
    pass(SECONDS(1));
    cr_expect_eq(tables[0].channel_count, 1);
    cr_expect_eq(tables[0].stream_count, 1, "streams without their channel");
    cr_expect_eq(rj_steering_stats(steering)->channels_left_out, 1);
    cr_expect_eq(times_told("rj_channels is full"), 1);
    rj_steering_remove(steering, first);
    pass(SECONDS(1));
    cr_expect_eq(tables[0].channel_count, 1);
    cr_expect_eq(tables[0].channels[0].key.port, PORT + 1);
    cr_expect_eq(rj_steering_stats(steering)->channels_left_out, 0);
    cr_expect_eq(rj_steering_stats(steering)->streams, 1);
}

Test(steering, counts_nothing_where_all_counters_are_taken)
{
    for (uint32_t i = 1; i < 2000; i++) {
        const struct rj_claim_key key = {RJ_XDP_CLAIM_COUNTER, i};
        cr_assert_eq(tables[0].maps.ops->claim(&tables[0].maps, &key, RJ_XDP_OWNER_OPERATOR), 0);
    }
    open_with(RJ_STEERING_CONTROL_TO_KERNEL, 1);
    /* The search begins somewhere else for every owner; here all room for claims is used up. */
    for (uint32_t i = 2000; tables[0].claim_count < STEER_TABLES_CLAIMS_MAX - 1; i++) {
        const struct rj_claim_key key = {RJ_XDP_CLAIM_COUNTER, i};
        (void)tables[0].maps.ops->claim(&tables[0].maps, &key, RJ_XDP_OWNER_OPERATOR);
    }
    const rj_address_t local = ipv4(10, 0, 0, 1, PORT);
    (void)wish(&local, 1001);
    cr_expect_eq(channel_of("10.0.0.1")->counter_index, RJ_XDP_COUNTER_NONE);
    cr_assert_not_null(stream_of("10.0.0.1", 1001));
    cr_expect_eq(stream_of("10.0.0.1", 1001)->counter_index, RJ_XDP_COUNTER_NONE);
    cr_expect_gt(rj_steering_stats(steering)->uncounted, 0);
    cr_expect_eq(times_told("are taken"), 1);
}

Test(steering, leaves_an_operators_channel_alone_until_it_is_gone)
{
    const struct rj_channel_key key = key_of("10.0.0.1");
    const struct rj_channel_value rule = {.channel_id = 9,
                                          .owner = RJ_XDP_OWNER_OPERATOR,
                                          .verdict = RJ_XDP_DROP,
                                          .origin = RJ_XDP_FROM_OPERATOR};
    (void)tables[0].maps.ops->put_channel(&tables[0].maps, &key, &rule, RJ_STEER_PUT_NEW);
    open_with(RJ_STEERING_CONTROL_TO_KERNEL, 1);
    const rj_address_t local = ipv4(10, 0, 0, 1, PORT);
    (void)wish(&local, 1001);
    pass(SECONDS(5));
    cr_expect_eq(memcmp(channel_of("10.0.0.1"), &rule, sizeof(rule)), 0);
    cr_expect_eq(tables[0].stream_count, 0);
    cr_expect_eq(rj_steering_stats(steering)->operator_entries, 1);
    cr_expect_eq(times_told("operator"), 1);
    (void)tables[0].maps.ops->remove_channel(&tables[0].maps, &key);
    pass(SECONDS(1));
    cr_expect_eq(channel_of("10.0.0.1")->owner, rj_steering_owner(steering));
    cr_expect_not_null(stream_of("10.0.0.1", 1001));
    /* And the other way round: the rule comes while the driver runs. */
    (void)tables[0].maps.ops->put_channel(&tables[0].maps, &key, &rule, RJ_STEER_PUT_ANY);
    pass(SECONDS(1));
    cr_expect_eq(memcmp(channel_of("10.0.0.1"), &rule, sizeof(rule)), 0);
    cr_expect_eq(tables[0].stream_count, 0);
}

Test(steering, leaves_an_operators_stream_alone_and_keeps_its_number_alive)
{
    open_with(RJ_STEERING_CONTROL_TO_KERNEL, 1);
    const rj_address_t local = ipv4(10, 0, 0, 1, PORT);
    rj_steer_wish_t *made = wish(&local, 1001);
    const uint32_t number = channel_of("10.0.0.1")->channel_id;
    const struct rj_claim_key claim = {RJ_XDP_CLAIM_CHANNEL, number};
    rj_steer_maps_t *maps = &tables[0].maps;
    (void)maps->ops->release(maps, &claim);
    (void)maps->ops->claim(maps, &claim, RJ_XDP_OWNER_OPERATOR);
    const struct rj_stream_key key = {.channel_id = number, .stream_id = 1001, .any_session = 1};
    const struct rj_stream_value rule = {
        .owner = RJ_XDP_OWNER_OPERATOR, .verdict = RJ_XDP_DROP, .origin = RJ_XDP_FROM_OPERATOR};
    (void)maps->ops->put_stream(maps, &key, &rule, RJ_STEER_PUT_ANY);
    pass(SECONDS(2));
    cr_expect_eq(steer_tables_stream(&tables[0], &key)->verdict, RJ_XDP_DROP);
    rj_steering_remove(steering, made);
    cr_assert_not_null(channel_of("10.0.0.1"));
    cr_expect_eq(channel_of("10.0.0.1")->owner, RJ_XDP_OWNER_OPERATOR);
    cr_expect_eq(channel_of("10.0.0.1")->verdict, RJ_XDP_TO_KERNEL);
    cr_expect_not_null(steer_tables_stream(&tables[0], &key));
    /* The next one goes on with that number, so that the rule still means its stream. */
    (void)wish(&local, 1001);
    cr_expect_eq(channel_of("10.0.0.1")->owner, rj_steering_owner(steering));
    cr_expect_eq(channel_of("10.0.0.1")->channel_id, number);
    cr_expect_eq(steer_tables_stream(&tables[0], &key)->verdict, RJ_XDP_DROP);
}

Test(steering, overwrites_another_drivers_channel_at_once)
{
    const struct rj_channel_key key = key_of("10.0.0.1");
    const struct rj_channel_value foreign = {
        .channel_id = 9, .owner = OTHER_OWNER, .verdict = RJ_XDP_TO_USER};
    const struct rj_owner_value alive = {.alive_ns = SECONDS(99)};
    rj_steer_maps_t *maps = &tables[0].maps;
    (void)maps->ops->put_owner(maps, OTHER_OWNER, &alive);
    (void)maps->ops->put_channel(maps, &key, &foreign, RJ_STEER_PUT_NEW);
    open_with(RJ_STEERING_CONTROL_TO_KERNEL, 1);
    const rj_address_t local = ipv4(10, 0, 0, 1, PORT);
    (void)wish(&local, 1001);
    cr_expect_eq(channel_of("10.0.0.1")->owner, rj_steering_owner(steering));
    cr_expect_neq(channel_of("10.0.0.1")->channel_id, 9);
    cr_expect_eq(rj_steering_stats(steering)->taken_over, 1);
    cr_expect_eq(times_told("777"), 1);
    tables[0].queues[4].owner = OTHER_OWNER;
    pass(SECONDS(1));
    cr_expect_eq(tables[0].queues[4].owner, rj_steering_owner(steering));
}

Test(steering, puts_back_what_has_vanished_with_new_numbers_where_the_old_are_taken)
{
    open_with(RJ_STEERING_CONTROL_TO_KERNEL, 1);
    const rj_address_t local = ipv4(10, 0, 0, 1, PORT);
    (void)wish(&local, 1001);
    const uint32_t before = channel_of("10.0.0.1")->channel_id;
    rj_steer_maps_t *maps = &tables[0].maps;
    /* Asleep for so long that another driver swept it and took its numbers. */
    (void)maps->ops->sweep(maps, rj_steering_owner(steering), now_ns);
    const struct rj_claim_key claim = {RJ_XDP_CLAIM_CHANNEL, before};
    const struct rj_owner_value alive = {.alive_ns = (__u64)now_ns};
    (void)maps->ops->put_owner(maps, OTHER_OWNER, &alive);
    (void)maps->ops->claim(maps, &claim, OTHER_OWNER);
    pass(SECONDS(1));
    cr_assert_not_null(channel_of("10.0.0.1"));
    cr_expect_neq(channel_of("10.0.0.1")->channel_id, before);
    cr_expect_not_null(stream_of("10.0.0.1", 1001));
    cr_expect_eq(tables[0].stream_count, 1);
    cr_expect_eq(rj_steering_stats(steering)->streams, 1);
    cr_expect_gt(rj_steering_stats(steering)->put_again, 0);
    cr_expect_eq(tables[0].queues[5].owner, rj_steering_owner(steering));
}

/* Whoever swept it while it slept had not come to its claims when it woke up and wrote again. */
Test(steering, gives_up_a_number_that_another_driver_has_claimed_meanwhile)
{
    open_with(RJ_STEERING_CONTROL_TO_KERNEL, 1);
    const rj_address_t local = ipv4(10, 0, 0, 1, PORT);
    (void)wish(&local, 1001);
    const uint32_t before = channel_of("10.0.0.1")->channel_id;
    const struct rj_claim_key claim = {RJ_XDP_CLAIM_CHANNEL, before};
    rj_steer_maps_t *maps = &tables[0].maps;
    (void)maps->ops->release(maps, &claim);
    pass(SECONDS(1));
    uint32_t owner = RJ_XDP_OWNER_NONE;
    (void)maps->ops->get_claim(maps, &claim, &owner);
    cr_expect_eq(owner, rj_steering_owner(steering));
    cr_expect_eq(channel_of("10.0.0.1")->channel_id, before);
    (void)maps->ops->release(maps, &claim);
    (void)maps->ops->claim(maps, &claim, OTHER_OWNER);
    pass(SECONDS(1));
    cr_expect_neq(channel_of("10.0.0.1")->channel_id, before);
    cr_expect_not_null(stream_of("10.0.0.1", 1001));
    cr_expect_eq(tables[0].stream_count, 1, "one was left among the other driver's");
    cr_expect_eq(rj_steering_stats(steering)->streams, 1);
}

/* A search is a thousand calls of the kernel, and there may be thousands of channels. */
Test(steering, searches_once_a_second_where_all_numbers_are_taken)
{
    enum { WISHES = 30, FREED = 2000 };
    rj_steer_maps_t *maps = &tables[0].maps;
    open_with(RJ_STEERING_CONTROL_TO_KERNEL, 1);
    for (uint32_t i = 1; i <= RJ_XDP_CHANNELS_MAX; i++) {
        const struct rj_claim_key key = {RJ_XDP_CLAIM_CHANNEL, i};
        (void)maps->ops->claim(maps, &key, RJ_XDP_OWNER_OPERATOR);
    }
    rj_address_t local = ipv4(10, 0, 0, 1, 0);
    for (int i = 0; i < WISHES; i++) {
        local.port = (uint16_t)(PORT + i);
        (void)rj_steering_add(steering, &local, 0, 0);
    }
    for (uint32_t i = 0; i < 8; i++) {
        for (uint32_t k = 0; i == 3 && k < WISHES; k++) {
            const struct rj_claim_key key = {RJ_XDP_CLAIM_CHANNEL, FREED + k};
            (void)maps->ops->release(maps, &key);
        }
        tables[0].claim_try_count = 0;
        pass(SECONDS(1));
        cr_expect_leq(tables[0].claim_try_count, 1024 + 2 * WISHES);
    }
    cr_expect_eq(tables[0].channel_count, WISHES, "they were found in the end");
    cr_expect_eq(rj_steering_stats(steering)->channels_left_out, 0);
}

Test(steering, takes_a_group_only_while_all_members_on_this_host_are_its_own)
{
    open_with(RJ_STEERING_CONTROL_TO_KERNEL, 2);
    const rj_address_t group = ipv4(224, 20, 30, 39, PORT);
    rj_steer_wish_t *made = rj_steering_add(steering, &group, ETH0, 0);
    const rj_steer_stream_t stream = any_of(1001);
    rj_steering_add_stream(steering, made, &stream);
    /* Nobody has counted the members yet. */
    turn();
    cr_expect_eq(tables[0].channel_count, 0);
    give_members("224.20.30.39", ETH0, 1);
    publish();
    turn();
    cr_expect_not_null(stream_of("224.20.30.39", 1001));
    cr_expect_eq(tables[1].channel_count, 0, "joined on the other interface only");
    give_members("224.20.30.39", ETH0, 2);
    publish();
    turn();
    cr_expect_eq(tables[0].channel_count, 0);
    cr_expect_eq(tables[0].stream_count, 0);
    cr_expect_eq(rj_steering_stats(steering)->groups_shared, 1);
    pass(SECONDS(1));
    cr_expect_eq(times_told("224.20.30.39"), 1);
    give_members("224.20.30.39", ETH0, 1);
    publish();
    turn();
    cr_expect_not_null(stream_of("224.20.30.39", 1001));
    cr_expect_eq(rj_steering_stats(steering)->groups_shared, 0);
}

Test(steering, counts_its_own_members_of_a_group_and_waits_for_a_late_count_of_them)
{
    open_with(RJ_STEERING_CONTROL_TO_KERNEL, 1);
    rj_address_t group = ipv4(224, 20, 30, 39, PORT);
    cr_assert_not_null(rj_steering_add(steering, &group, ETH0, 0));
    group.port = PORT + 1;
    rj_steer_wish_t *second = rj_steering_add(steering, &group, ETH0, 0);
    give_members("224.20.30.39", ETH0, 2);
    publish();
    turn();
    cr_expect_eq(tables[0].channel_count, 2);
    /* Its socket has left; the snapshot does not know yet. */
    rj_steering_remove(steering, second);
    pass(SECONDS(1));
    cr_expect_eq(tables[0].channel_count, 1);
    cr_expect_not(was_told("others"));
    pass(SECONDS(2));
    cr_expect_eq(tables[0].channel_count, 0, "patience has an end");
    cr_expect(was_told("others"));
}

Test(steering, places_a_group_when_the_snapshot_learns_its_way)
{
    host.has_no_route = true;
    give_members("239.1.2.3", ETH1, 1);
    publish();
    open_with(RJ_STEERING_CONTROL_TO_KERNEL, 2);
    const rj_address_t group = ipv4(239, 1, 2, 3, PORT);
    (void)wish(&group, 1001);
    pass(SECONDS(1));
    cr_expect_null(channel_on(1, "239.1.2.3"));
    host.has_no_route = false;
    publish();
    pass(0);
    cr_expect_not_null(channel_on(1, "239.1.2.3"));
    cr_expect_null(channel_on(0, "239.1.2.3"));
}

Test(steering, ends_another_drivers_grip_on_a_group_that_both_have_joined)
{
    const struct rj_channel_key key = key_of("224.20.30.39");
    const struct rj_channel_value foreign = {
        .channel_id = 9, .owner = OTHER_OWNER, .verdict = RJ_XDP_TO_USER};
    const struct rj_owner_value alive = {.alive_ns = SECONDS(99)};
    (void)tables[1].maps.ops->put_owner(&tables[1].maps, OTHER_OWNER, &alive);
    (void)tables[1].maps.ops->put_channel(&tables[1].maps, &key, &foreign, RJ_STEER_PUT_NEW);
    give_members("224.20.30.39", ETH1, 2);
    publish();
    open_with(RJ_STEERING_CONTROL_TO_KERNEL, 2);
    /* No interface named: the route says that it was joined on eth1. */
    const rj_address_t group = ipv4(224, 20, 30, 39, PORT);
    (void)wish(&group, 1001);
    cr_expect_eq(tables[1].channel_count, 0);
    cr_expect_eq(rj_steering_stats(steering)->groups_shared, 1);
}

Test(steering, goes_on_over_sockets_when_its_program_is_gone)
{
    open_with(RJ_STEERING_CONTROL_TO_KERNEL, 2);
    cr_expect(rj_steering_serves(steering, ETH0));
    cr_expect_not(rj_steering_serves(steering, 99));
    tables[0].is_attached = false;
    pass(SECONDS(1));
    pass(SECONDS(1));
    cr_expect_not(rj_steering_serves(steering, ETH0));
    cr_expect(rj_steering_serves(steering, ETH1));
    cr_expect_eq(rj_steering_stats(steering)->detached, 1);
    cr_expect_eq(times_told("eth0: the steering program is gone"), 1);
    const rj_address_t local = ipv4(10, 0, 0, 1, PORT);
    (void)wish(&local, 1001);
    cr_expect_eq(tables[0].channel_count, 0);
    tables[0].is_attached = true;
    pass(SECONDS(1));
    cr_expect_not_null(stream_of("10.0.0.1", 1001));
}

/* The kernel drops what is redirected to a socket that it has unbound. */
Test(steering, lets_its_queues_go_when_a_ring_is_bound_to_nothing)
{
    open_with(RJ_STEERING_CONTROL_TO_KERNEL, 2);
    tables[0].queues[6].owner = OTHER_OWNER;
    unbound_queue = 5;
    pass(SECONDS(1));
    pass(SECONDS(1));
    cr_expect_not(rj_steering_serves(steering, ETH0));
    cr_expect(rj_steering_serves(steering, ETH1));
    cr_expect_eq(tables[0].queues[4].owner, RJ_XDP_OWNER_NONE);
    cr_expect_eq(tables[0].queues[5].owner, RJ_XDP_OWNER_NONE);
    cr_expect_eq(tables[0].queues[6].owner, OTHER_OWNER);
    cr_expect_eq(rj_steering_stats(steering)->detached, 1);
    cr_expect_eq(times_told("eth0: the kernel has unbound its rings"), 1);
}

Test(steering, goes_on_over_sockets_when_there_is_no_room_for_another_owner)
{
    tables[0].owner_max = 0;
    open_with(RJ_STEERING_CONTROL_TO_KERNEL, 1);
    const rj_address_t local = ipv4(10, 0, 0, 1, PORT);
    (void)wish(&local, 1001);
    cr_expect_eq(tables[0].channel_count, 0, "nobody would ever sweep it");
    cr_expect_not(rj_steering_serves(steering, ETH0));
    cr_expect_eq(times_told("use the steering program already"), 1);
}

/* A driver that its supervisor has started again and again leaves an owner each time. */
Test(steering, finds_room_when_the_owners_in_its_way_have_died)
{
    rj_steer_maps_t *maps = &tables[0].maps;
    tables[0].owner_max = 3;
    for (uint32_t i = 0; i < 3; i++) {
        const struct rj_owner_value dying = {.alive_ns = (__u64)now_ns};
        (void)maps->ops->put_owner(maps, OTHER_OWNER + i, &dying);
    }
    open_with(RJ_STEERING_CONTROL_TO_KERNEL, 1);
    const rj_address_t local = ipv4(10, 0, 0, 1, PORT);
    (void)wish(&local, 1001);
    pass(SECONDS(5));
    cr_expect_not(rj_steering_serves(steering, ETH0));
    pass(SECONDS(6));
    pass(SECONDS(1));
    cr_expect(rj_steering_serves(steering, ETH0));
    cr_expect_not_null(stream_of("10.0.0.1", 1001));
    cr_expect_eq(rj_steering_stats(steering)->swept_owners, 3);
    cr_expect_eq(times_told("use the steering program already"), 1);
}

Test(steering, sweeps_the_dead_at_its_start_and_itself_at_its_end)
{
    rj_steer_maps_t *maps = &tables[0].maps;
    const struct rj_channel_key key = key_of("10.0.0.5");
    const struct rj_channel_value old = {.channel_id = 1, .owner = OTHER_OWNER};
    const struct rj_owner_value dead = {.alive_ns = SECONDS(80)};
    const struct rj_claim_key claim = {RJ_XDP_CLAIM_CHANNEL, 1};
    (void)maps->ops->put_owner(maps, OTHER_OWNER, &dead);
    (void)maps->ops->put_channel(maps, &key, &old, RJ_STEER_PUT_NEW);
    (void)maps->ops->claim(maps, &claim, OTHER_OWNER);
    tables[0].queues[9].owner = OTHER_OWNER;
    open_with(RJ_STEERING_CONTROL_TO_KERNEL, 1);
    cr_expect_eq(steer_tables_count_of(&tables[0], OTHER_OWNER), 0);
    cr_expect_eq(rj_steering_stats(steering)->swept_owners, 1);
    const rj_address_t local = ipv4(10, 0, 0, 1, PORT);
    (void)wish(&local, 1001);
    const uint32_t owner = rj_steering_owner(steering);
    cr_expect_gt(steer_tables_count_of(&tables[0], owner), 5);
    rj_steering_close(steering);
    steering = NULL;
    cr_expect_eq(steer_tables_count_of(&tables[0], owner), 0);
}

Test(steering, draws_another_number_when_a_driver_has_it)
{
    open_with(RJ_STEERING_CONTROL_TO_KERNEL, 2);
    const uint32_t first = rj_steering_owner(steering);
    rj_steering_t *other = steering;
    /* The same seed draws the same number first. */
    open_with(RJ_STEERING_CONTROL_TO_KERNEL, 2);
    cr_expect_neq(rj_steering_owner(steering), first);
    rj_steering_close(other);
    cr_expect_eq(steer_tables_count_of(&tables[1], first), 0);
    cr_expect_gt(steer_tables_count_of(&tables[1], rj_steering_owner(steering)), 0);
}

Test(steering, looks_at_thousands_of_entries_a_share_at_a_time)
{
    open_with(RJ_STEERING_CONTROL_TO_KERNEL, 1);
    rj_address_t local = ipv4(10, 0, 0, 1, 0);
    for (int i = 0; i < 200; i++) {
        local.port = (uint16_t)(PORT + i);
        (void)wish(&local, 1001);
    }
    now_ns += SECONDS(1);
    int turns = 0;
    while (rj_steering_do_work(steering, host.snapshot, now_ns) > 0) {
        cr_expect(turns > 3 || rj_steering_deadline_ns(steering) <= now_ns ||
                  rj_steering_deadline_ns(steering) == now_ns + RJ_STEERING_PERIOD_NS);
        turns++;
    }
    cr_expect_gt(turns, 2);
}
