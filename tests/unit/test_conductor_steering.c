/* SPDX-License-Identifier: Apache-2.0 */
#include "conductor/conductor.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "proto/frame.h"
#include "tests/fixtures/driver_rig.h"
#include "tests/fixtures/steer_tables.h"
#include "tests/fixtures/wire_vectors.h"
#include "transport/path_header.h"

#define SECONDS(n)  ((n)*INT64_C(1000000000))
#define CHANNEL     "aeron:udp?endpoint=127.0.0.1:24391"
#define WILDCARD    "aeron:udp?endpoint=0.0.0.0:24392"
#define DESTINATION "aeron:udp?endpoint=0.0.0.0:"

enum { CLIENT = 7000, ETH0 = 2, WANTS_MAX = 16 };

/* --- a port that sends nothing and remembers the header of what it was to send, and by which the
 * test's own packets come --- */

static bool was_headed;
static rj_path_header_t seen;
static int send_count;

static int port_send(rj_port_t *port, rj_run_t *runs, size_t count)
{
    (void)port;
    for (size_t i = 0; i < count; i++) {
        was_headed = runs[i].path->header != NULL;
        if (was_headed)
            seen = *runs[i].path->header;
        runs[i].number = (uint64_t)send_count++;
        runs[i].result = (int32_t)runs[i].total_bytes;
    }
    return (int)count;
}

static struct {
    rj_endpoint_t *receivers[4]; /* in the order in which they came */
    int receiver_count;
    rj_endpoint_t *sender; /* the last one */
    rj_packet_t packet;    /* the next; without data: none */
} incoming;

static int port_poll(rj_port_t *port, rj_packet_t *packets, size_t count, int64_t now_ns)
{
    (void)port;
    (void)count;
    (void)now_ns;
    if (incoming.packet.data == NULL)
        return 0;
    packets[0] = incoming.packet;
    incoming.packet.data = NULL;
    return 1;
}

static uint64_t port_reclaim(rj_port_t *port)
{
    (void)port;
    return (uint64_t)send_count;
}

static int port_attach(rj_port_t *port, rj_endpoint_t *endpoint, rj_attach_role_t role)
{
    (void)port;
    (void)role;
    if (endpoint->kind == RJ_ENDPOINT_RECEIVE)
        incoming.receivers[incoming.receiver_count++] = endpoint;
    else
        incoming.sender = endpoint;
    return 0;
}

static void port_detach(rj_port_t *port, rj_endpoint_t *endpoint, rj_attach_role_t role)
{
    (void)port;
    (void)endpoint;
    (void)role;
}

static int port_take_error(rj_port_t *port, rj_endpoint_t **ret_endpoint)
{
    (void)port;
    (void)ret_endpoint;
    return 0;
}

static void port_close(rj_port_t *port)
{
    (void)port;
}

static const rj_port_ops_t port_ops = {.name = "spy",
                                       .send = port_send,
                                       .poll = port_poll,
                                       .reclaim = port_reclaim,
                                       .attach = port_attach,
                                       .detach = port_detach,
                                       .take_error = port_take_error,
                                       .close = port_close};
static rj_port_t spy = {.ops = &port_ops};

/* --- a feed whose snapshot the test writes --- */

static struct {
    rj_net_feed_t base;
    rj_net_snapshot_t *snapshot;
    rj_address_t wants[WANTS_MAX];
    int want_count;
} feed;

static const rj_net_snapshot_t *latest(rj_net_feed_t *base)
{
    (void)base;
    return feed.snapshot;
}

static void want(rj_net_feed_t *base, const rj_address_t *destination)
{
    (void)base;
    cr_assert_lt(feed.want_count, WANTS_MAX);
    feed.wants[feed.want_count++] = *destination;
}

static void unwant(rj_net_feed_t *base, const rj_address_t *destination)
{
    (void)base;
    int at = 0;
    while (at < feed.want_count && !rj_address_same_host(&feed.wants[at], destination))
        at++;
    cr_assert_lt(at, feed.want_count, "a destination that was not wanted");
    feed.wants[at] = feed.wants[--feed.want_count];
}

static const rj_net_feed_ops_t feed_ops = {latest, want, unwant};

/* 127.0.0.1 as a neighbour on eth0: the sockets are the kernel's, so what they are bound to has to
 * be there; the snapshot may say what it likes. */
static struct {
    bool has_neighbour;
    uint8_t mac;
    uint32_t mtu_bytes;
} view;

static void publish(void)
{
    static uint64_t generation;
    static const uint8_t loopback[4] = {127, 0, 0, 1}, ours[4] = {10, 0, 0, 1}, net[4] = {127};
    const rj_net_link_t link = {.index = ETH0,
                                .mtu_bytes = view.mtu_bytes,
                                .name = "eth0",
                                .mac = {2, 0, 0, 0, 0, 1},
                                .is_ethernet = true,
                                .is_up = true};
    const rj_net_address_t address = {
        .link_index = ETH0, .prefix_bits = 8, .address = rj_address_ipv4(ours, 0)};
    const rj_net_hop_t hop = {.link_index = ETH0, .weight = 1};
    const rj_net_route_t route = {.destination = rj_address_ipv4(net, 0),
                                  .prefix_bits = 8,
                                  .type = RJ_NET_ROUTE_UNICAST,
                                  .table = RJ_NET_TABLE_MAIN,
                                  .hop_count = 1};
    const rj_net_neighbour_t neighbour = {.link_index = ETH0,
                                          .address = rj_address_ipv4(loopback, 0),
                                          .mac = {2, 0, 0, 0, 0, view.mac},
                                          .is_usable = view.has_neighbour};
    const rj_net_snapshot_t parts = {.generation = ++generation,
                                     .links = &link,
                                     .link_count = 1,
                                     .addresses = &address,
                                     .address_count = 1,
                                     .routes = &route,
                                     .route_count = 1,
                                     .hops = &hop,
                                     .hop_count = 1,
                                     .neighbours = &neighbour,
                                     .neighbour_count = 1};
    rj_err_t err;
    rj_net_snapshot_free(feed.snapshot);
    cr_assert_eq(rj_net_snapshot_build(&parts, &feed.snapshot, &err), 0, "%s", err.text);
}

/* --- the rig --- */

static driver_rig_t rig;
static steer_tables_t tables;
static char last_event[RJ_ERR_TEXT_MAX];

static void on_event(void *state, const char *text)
{
    (void)state;
    snprintf(last_event, sizeof(last_event), "%s", text);
}

static const rj_steering_params_t steering = {.interfaces = {{.maps = &tables.maps,
                                                              .name = "eth0",
                                                              .index = ETH0,
                                                              .queue_count = 1,
                                                              .room_bytes = 3840}},
                                              .interface_count = 1,
                                              .pid = 1,
                                              .on_event = on_event};

static void open_rig(void)
{
    steer_tables_init(&tables);
    feed.base.ops = &feed_ops;
    view.has_neighbour = true;
    view.mac = 9;
    view.mtu_bytes = 1500;
    publish();
    /* Not connected, or loopback would be the local address of all. */
    static const char *const settings[] = {"AERON_DRIVER_CONNECT", "false",
                                           "RAMJET_CHANNEL_TRANSPORT",
                                           "*:24398=socket,*:24399=socket", NULL};
    driver_rig_open_steered(&rig, settings, &steering, &feed.base, &spy);
    driver_rig_make_client(&rig, CLIENT);
}

static void close_rig(void)
{
    driver_rig_close(&rig);
    rj_net_snapshot_free(feed.snapshot);
    cr_expect_eq(tables.channel_count + tables.stream_count + tables.claim_count, 0,
                 "entries were left behind");
    cr_expect_eq(tables.owner_count, 0);
}

TestSuite(conductor_steering, .init = open_rig, .fini = close_rig);

static int64_t publication(const char *channel)
{
    int64_t id = driver_rig_add_publication(&rig, CLIENT, true, channel, 2001);
    (void)driver_rig_expect(&rig, RJ_EVENT_EXCLUSIVE_PUBLICATION_READY);
    driver_rig_live(&rig, CLIENT, SECONDS(1));
    return id;
}

static int paths(rj_path_door_t door)
{
    const rj_path_counts_t counts = rj_driver_count_paths(rig.driver);
    return counts.by_door[door];
}

static void change(void)
{
    publish();
    driver_rig_live(&rig, CLIENT, SECONDS(2));
}

Test(conductor_steering, gives_the_path_of_a_publication_its_header)
{
    (void)publication(CHANNEL);
    cr_assert(was_headed);
    cr_expect_eq(paths(RJ_DOOR_RING), 1);
    cr_expect_eq(feed.want_count, 1);
    cr_expect_eq(seen.interface_index, ETH0);
    cr_expect_eq(seen.payload_bytes_max, 1500 - 28);
    static const uint8_t macs[] = {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 8, 0};
    static const uint8_t addresses[] = {10, 0, 0, 1, 127, 0, 0, 1};
    cr_expect_arr_eq(seen.bytes, macs, sizeof(macs));
    cr_expect_arr_eq(seen.bytes + 26, addresses, sizeof(addresses));
    cr_expect_eq(seen.bytes[36] << 8 | seen.bytes[37], 24391);
}

Test(conductor_steering, follows_the_neighbour_the_mtu_and_the_loss_of_both)
{
    (void)publication(CHANNEL);
    view.mac = 8;
    change();
    cr_expect(was_headed);
    cr_expect_eq(seen.bytes[5], 8);
    view.mtu_bytes = 1300;
    change();
    cr_expect_eq(seen.payload_bytes_max, 1300 - 28);
    view.has_neighbour = false;
    change();
    cr_expect_not(was_headed);
    const rj_path_counts_t counts = rj_driver_count_paths(rig.driver);
    cr_expect_eq(counts.by_door[RJ_DOOR_NO_WAY], 1);
    cr_expect_eq(counts.by_answer[RJ_NET_NO_NEIGHBOUR], 1);
    view.has_neighbour = true;
    change();
    cr_expect(was_headed);
}

/* Sends nothing in so many turns, which take no time. */
static bool is_silent(void)
{
    const int count = send_count;
    for (int turn = 0; turn < 10; turn++)
        driver_rig_turn(&rig);
    return send_count == count;
}

Test(conductor_steering, has_a_setup_wait_for_the_ring_that_will_serve_its_data)
{
    view.has_neighbour = false;
    publish();
    driver_rig_live(&rig, CLIENT, SECONDS(1));
    (void)driver_rig_add_publication(&rig, CLIENT, true, CHANNEL, 2001);
    (void)driver_rig_expect(&rig, RJ_EVENT_EXCLUSIVE_PUBLICATION_READY);
    cr_expect(is_silent(), "the next hop is being asked for");
    view.has_neighbour = true;
    publish();
    cr_expect_not(is_silent(), "it leaves as soon as it can");
    cr_expect(was_headed);
}

Test(conductor_steering, has_no_setup_wait_for_a_next_hop_that_never_answers)
{
    view.has_neighbour = false;
    publish();
    driver_rig_live(&rig, CLIENT, SECONDS(1));
    (void)driver_rig_add_publication(&rig, CLIENT, true, CHANNEL, 2001);
    (void)driver_rig_expect(&rig, RJ_EVENT_EXCLUSIVE_PUBLICATION_READY);
    driver_rig_live(&rig, CLIENT, SECONDS(1));
    cr_expect_gt(send_count, 0);
    cr_expect_not(was_headed);
}

Test(conductor_steering, has_no_setup_wait_where_no_ring_will_serve_its_data)
{
    view.has_neighbour = false;
    tables.is_attached = false;
    publish();
    driver_rig_live(&rig, CLIENT, SECONDS(1));
    (void)driver_rig_add_publication(&rig, CLIENT, true, CHANNEL, 2001);
    (void)driver_rig_expect(&rig, RJ_EVENT_EXCLUSIVE_PUBLICATION_READY);
    cr_expect_not(is_silent());
}

Test(conductor_steering, takes_headers_back_when_the_program_is_gone)
{
    (void)publication(CHANNEL);
    tables.is_attached = false;
    driver_rig_live(&rig, CLIENT, SECONDS(2));
    cr_expect_not(was_headed);
    cr_expect_eq(paths(RJ_DOOR_NO_RING), 1);
    cr_expect(driver_rig_has_error(&rig, "WARNING: eth0: the steering program is gone"));
    cr_expect_not_null(strstr(last_event, "gone"));
    cr_expect_eq(rj_driver_steering_stats(rig.driver)->detached, 1);
}

Test(conductor_steering, lets_a_path_go_with_its_endpoint)
{
    int64_t id = publication(CHANNEL);
    driver_rig_remove(&rig, RJ_COMMAND_REMOVE_PUBLICATION, CLIENT, id);
    (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
    driver_rig_live(&rig, CLIENT, SECONDS(20));
    cr_expect_eq(paths(RJ_DOOR_RING), 0);
    cr_expect_eq(feed.want_count, 0);
    cr_expect_eq(tables.channel_count, 0);
}

Test(conductor_steering, keeps_channels_and_streams_of_subscriptions_in_the_maps)
{
    int64_t first = driver_rig_add_subscription(&rig, CLIENT, WILDCARD, 1001);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    int64_t second = driver_rig_add_subscription(&rig, CLIENT, WILDCARD "|session-id=5", 1002);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    static const uint8_t address[16] = {[10] = 0xff, 0xff, 10, 0, 0, 1};
    cr_assert_eq(tables.channel_count, 1);
    cr_expect_arr_eq(tables.channels[0].key.address, address, sizeof(address));
    cr_expect_eq(tables.channels[0].key.port, 24392);
    cr_assert_eq(tables.stream_count, 2);
    cr_expect_eq(tables.streams[0].key.stream_id, 1001);
    cr_expect_eq(tables.streams[0].key.any_session, 1);
    cr_expect_eq(tables.streams[1].key.stream_id, 1002);
    cr_expect_eq(tables.streams[1].key.session_id, 5);
    driver_rig_remove(&rig, RJ_COMMAND_REMOVE_SUBSCRIPTION, CLIENT, first);
    (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
    cr_expect_eq(tables.stream_count, 1);
    driver_rig_remove(&rig, RJ_COMMAND_REMOVE_SUBSCRIPTION, CLIENT, second);
    (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
    cr_expect_eq(tables.channel_count, 0);
    cr_expect_eq(tables.stream_count, 0);
}

Test(conductor_steering, has_a_channel_for_what_comes_back_to_a_publication)
{
    (void)publication(CHANNEL);
    /* Bound to any address: what comes back is addressed to the one that the kernel chose. */
    cr_assert_eq(tables.channel_count, 1);
    cr_expect_eq(tables.channels[0].value.verdict, RJ_XDP_TO_KERNEL);
    cr_expect_neq(tables.channels[0].value.counter_index, RJ_XDP_COUNTER_NONE);
    cr_expect_eq(tables.stream_count, 0);
}

Test(conductor_steering, leaves_nothing_when_the_driver_ends_in_the_middle)
{
    (void)publication(CHANNEL);
    (void)driver_rig_add_subscription(&rig, CLIENT, WILDCARD, 1001);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    view.mac = 7;
    publish();
    /* The new header is on its way, the old one not back yet; close_rig looks at the rest. */
    (void)rj_driver_conductor_work(rig.driver, rig.now_ns, rig.epoch_ms);
    cr_expect_eq(tables.channel_count, 2);
}

/* --- destinations of a subscription --- */

static void tell_destination(int32_t type, int64_t registration_id, const char *channel)
{
    uint8_t body[256];
    const rj_command_destination_t command = {.header = {CLIENT, driver_rig_id(&rig)},
                                              .registration_id = registration_id,
                                              .channel_length = (int32_t)strlen(channel)};
    memcpy(body, &command, sizeof(command));
    memcpy(body + sizeof(command), channel, strlen(channel));
    driver_rig_write(&rig, type, body, (int32_t)(sizeof(command) + strlen(channel)));
    (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
}

static int64_t subscribe_to_two(void)
{
    int64_t id = driver_rig_add_subscription(&rig, CLIENT, "aeron:udp?control-mode=manual",
                                             VECTOR_STREAM_ID);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    tell_destination(RJ_COMMAND_ADD_RCV_DESTINATION, id, DESTINATION "24393");
    tell_destination(RJ_COMMAND_ADD_RCV_DESTINATION, id, DESTINATION "24394");
    return id;
}

Test(conductor_steering, has_a_channel_for_each_destination_with_all_streams_wanted_of_it)
{
    int64_t id = subscribe_to_two();
    cr_expect_eq(tables.channel_count, 2);
    cr_expect_eq(tables.stream_count, 2);
    tell_destination(RJ_COMMAND_REMOVE_RCV_DESTINATION, id, DESTINATION "24393");
    cr_assert_eq(tables.channel_count, 1);
    cr_expect_eq(tables.channels[0].key.port, 24394);
    cr_expect_eq(tables.stream_count, 1);
    tell_destination(RJ_COMMAND_ADD_RCV_DESTINATION, id, DESTINATION "24393");
    cr_expect_eq(tables.stream_count, 2, "what was wanted before is wanted of it too");
    driver_rig_remove(&rig, RJ_COMMAND_REMOVE_SUBSCRIPTION, CLIENT, id);
    (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
    cr_expect_eq(tables.channel_count, 0);
    cr_expect_eq(tables.stream_count, 0);
}

/* From a neighbour, by the destination that was attached as the `index`th. */
static void receive(int index, wire_vector_index_t vector)
{
    static uint8_t bytes[VECTOR_BYTES_MAX];
    static const uint8_t host[4] = {127, 0, 0, 1};
    memcpy(bytes, wire_vectors[vector].bytes, sizeof(bytes));
    incoming.packet = (rj_packet_t){.data = bytes,
                                    .length_bytes = wire_vectors[vector].length_bytes,
                                    .endpoint = incoming.receivers[index],
                                    .source = rj_address_ipv4(host, (uint16_t)(5000 + index))};
}

Test(conductor_steering, gives_each_connection_of_an_image_its_header)
{
    int64_t id = subscribe_to_two();
    receive(0, V1);
    (void)driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE);
    driver_rig_expect_nothing(&rig);
    cr_expect_eq(paths(RJ_DOOR_RING), 1);
    cr_expect_eq(feed.want_count, 1);
    receive(1, V7);
    driver_rig_expect_nothing(&rig);
    cr_expect_eq(paths(RJ_DOOR_RING), 2, "the engine found it");
    cr_expect_eq(feed.want_count, 2);
    driver_rig_live(&rig, CLIENT, SECONDS(1));
    cr_expect(was_headed);
    tell_destination(RJ_COMMAND_REMOVE_RCV_DESTINATION, id, DESTINATION "24393");
    cr_expect_eq(paths(RJ_DOOR_RING), 1);
    cr_expect_eq(feed.want_count, 1);
    driver_rig_live(&rig, CLIENT, SECONDS(1));
    cr_expect(was_headed);
    cr_expect_eq(seen.bytes[36] << 8 | seen.bytes[37], 5001, "to whom the second was heard from");
    driver_rig_remove(&rig, RJ_COMMAND_REMOVE_SUBSCRIPTION, CLIENT, id);
    (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
    driver_rig_live(&rig, CLIENT, SECONDS(15));
    cr_expect_eq(paths(RJ_DOOR_RING), 0);
    cr_expect_eq(feed.want_count, 0);
}

/* --- destinations of a publication --- */

static void change_destination(int32_t type, int64_t id, const char *channel)
{
    tell_destination(type, id, channel);
    driver_rig_live(&rig, CLIENT, SECONDS(1));
}

/* A receiver there asks for setups. */
static void elicit(uint16_t port)
{
    static const uint8_t loopback[4] = {127, 0, 0, 1};
    static rj_wire_sm_t frame;
    const rj_frame_sm_t sm = {.receiver_id = 1, .flags = RJ_SM_FLAG_SEND_SETUP};
    incoming.packet = (rj_packet_t){.data = (uint8_t *)&frame,
                                    .length_bytes = rj_frame_write_sm(&frame, &sm),
                                    .endpoint = incoming.sender,
                                    .source = rj_address_ipv4(loopback, port)};
    driver_rig_live(&rig, CLIENT, SECONDS(1));
}

Test(conductor_steering, gives_each_destination_that_is_added_its_header)
{
    int64_t id = publication("aeron:udp?control-mode=manual");
    cr_expect_eq(paths(RJ_DOOR_RING) + feed.want_count, 0, "the channel itself has no path");
    change_destination(RJ_COMMAND_ADD_DESTINATION, id, "aeron:udp?endpoint=127.0.0.1:24401");
    cr_expect(was_headed);
    cr_expect_eq(seen.bytes[36] << 8 | seen.bytes[37], 24401);
    change_destination(RJ_COMMAND_ADD_DESTINATION, id, "aeron:udp?endpoint=127.0.0.1:24402");
    cr_expect_eq(paths(RJ_DOOR_RING), 2);
    cr_expect_eq(feed.want_count, 2);
    view.mac = 8;
    change();
    cr_expect_eq(seen.bytes[5], 8);
    change_destination(RJ_COMMAND_REMOVE_DESTINATION, id, "aeron:udp?endpoint=127.0.0.1:24401");
    cr_expect_eq(paths(RJ_DOOR_RING), 1);
    cr_expect_eq(feed.want_count, 1);
    cr_expect_eq(seen.bytes[36] << 8 | seen.bytes[37], 24402);
}

Test(conductor_steering, gives_a_destination_that_answers_its_header_while_it_does)
{
    (void)publication("aeron:udp?control=127.0.0.1:0|control-mode=dynamic");
    elicit(24401);
    cr_expect(was_headed);
    cr_expect_eq(paths(RJ_DOOR_RING), 1);
    driver_rig_live(&rig, CLIENT, SECONDS(3));
    elicit(24402);
    cr_expect_eq(paths(RJ_DOOR_RING), 2);
    driver_rig_live(&rig, CLIENT, SECONDS(3));
    cr_expect_eq(paths(RJ_DOOR_RING), 1);
    cr_expect_eq(feed.want_count, 1);
    elicit(24403);
    cr_expect_eq(paths(RJ_DOOR_RING), 2, "its place is used again");
    driver_rig_live(&rig, CLIENT, SECONDS(8));
    cr_expect_eq(paths(RJ_DOOR_RING) + feed.want_count, 0);
}

Test(conductor_steering, lets_destinations_go_with_their_endpoint)
{
    int64_t manual = publication("aeron:udp?control-mode=manual|linger=0");
    change_destination(RJ_COMMAND_ADD_DESTINATION, manual, "aeron:udp?endpoint=127.0.0.1:24401");
    int64_t dynamic = publication("aeron:udp?control=127.0.0.1:0|control-mode=dynamic|linger=0");
    elicit(24402);
    cr_expect_eq(paths(RJ_DOOR_RING), 2);
    driver_rig_remove(&rig, RJ_COMMAND_REMOVE_PUBLICATION, CLIENT, manual);
    driver_rig_remove(&rig, RJ_COMMAND_REMOVE_PUBLICATION, CLIENT, dynamic);
    driver_rig_live(&rig, CLIENT, SECONDS(4));
    cr_expect_eq(paths(RJ_DOOR_RING) + feed.want_count, 0);
    cr_expect_eq(tables.channel_count, 0);
}

Test(conductor_steering, leaves_no_destination_when_the_driver_ends_in_the_middle)
{
    int64_t id = publication("aeron:udp?control-mode=manual");
    change_destination(RJ_COMMAND_ADD_DESTINATION, id, "aeron:udp?endpoint=127.0.0.1:24401");
    (void)publication("aeron:udp?control=127.0.0.1:0|control-mode=dynamic");
    elicit(24402);
    view.mac = 7;
    publish();
    (void)rj_driver_conductor_work(rig.driver, rig.now_ns, rig.epoch_ms);
    cr_expect_eq(paths(RJ_DOOR_RING), 2);
}

/* --- which door a channel asks for --- */

static void expect_refusal(int64_t id, const char *words)
{
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_ERROR);
    cr_expect_eq(event.error.offending_correlation_id, id);
    cr_expect_not_null(strstr(driver_rig_text(&event), words), "%s", driver_rig_text(&event));
}

Test(conductor_steering, leaves_a_channel_to_the_sockets_that_asks_for_them)
{
    (void)publication(CHANNEL "|ramjet-transport=socket");
    cr_expect_not(was_headed);
    cr_expect_eq(paths(RJ_DOOR_CHANNEL), 1);
    (void)driver_rig_add_subscription(&rig, CLIENT, WILDCARD "|ramjet-transport=socket", 1001);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    cr_expect_eq(tables.channel_count, 0);
    cr_expect_eq(tables.stream_count, 0);
    change();
    cr_expect_not(was_headed);
}

Test(conductor_steering, leaves_a_channel_to_the_sockets_for_which_a_rule_does)
{
    (void)publication("aeron:udp?endpoint=127.0.0.1:24399");
    cr_expect_not(was_headed);
    (void)publication("aeron:udp?endpoint=127.0.0.1:24398|ramjet-transport=xdp");
    cr_expect(was_headed, "what the client says goes first");
}

Test(conductor_steering, has_rings_take_bulk_too_where_a_channel_asks_for_them)
{
    (void)publication(CHANNEL);
    cr_expect_not(seen.takes_bulk);
    (void)publication("aeron:udp?endpoint=127.0.0.1:24393|ramjet-transport=xdp");
    cr_expect(was_headed);
    cr_expect(seen.takes_bulk);
}

Test(conductor_steering, gives_a_destination_the_door_that_it_asks_for)
{
    int64_t id = publication("aeron:udp?control-mode=manual");
    change_destination(RJ_COMMAND_ADD_DESTINATION, id,
                       "aeron:udp?endpoint=127.0.0.1:24401|ramjet-transport=socket");
    cr_expect_eq(paths(RJ_DOOR_CHANNEL), 1);
    change_destination(RJ_COMMAND_ADD_DESTINATION, id, "aeron:udp?endpoint=127.0.0.1:24402");
    cr_expect_eq(paths(RJ_DOOR_RING), 1);
}

Test(conductor_steering, refuses_transports_that_the_driver_does_not_have)
{
    expect_refusal(
        driver_rig_add_publication(&rig, CLIENT, true, CHANNEL "|ramjet-transport=uring", 1),
        "ramjet-transport=uring: this driver's sockets are gso: start it with");
    expect_refusal(driver_rig_add_subscription(&rig, CLIENT, CHANNEL "|ramjet-transport=packet", 1),
                   "ramjet-transport=packet: this driver's rings are xdp");
    expect_refusal(driver_rig_add_subscription(&rig, CLIENT, CHANNEL "|ramjet-transport=pigeon", 1),
                   "ramjet-transport=pigeon: no such transport: give auto, socket");
    (void)publication(CHANNEL "|ramjet-transport=gso");
    cr_expect_eq(paths(RJ_DOOR_CHANNEL), 1);
}

Test(conductor_steering, refuses_users_of_a_channel_that_contradict_each_other)
{
    (void)driver_rig_add_subscription(&rig, CLIENT, WILDCARD "|ramjet-transport=socket", 1001);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    expect_refusal(
        driver_rig_add_subscription(&rig, CLIENT, WILDCARD "|ramjet-transport=xdp", 1002),
        "ramjet-transport=xdp existing=socket");
    (void)driver_rig_add_subscription(&rig, CLIENT, WILDCARD, 1002);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
}
