/* SPDX-License-Identifier: Apache-2.0 */
#include "endpoint/receive_endpoint.h"

#include <criterion/criterion.h>

static rj_receive_endpoint_t endpoint;

static const int64_t start_ns = INT64_C(5000000000);

static void open_endpoint(void)
{
    cr_assert_eq(rj_dispatcher_open(&endpoint.dispatcher, 4, 512, INT32_MAX), 0);
    rj_dispatcher_add_stream(endpoint.dispatcher, 1);
}

static void close_endpoint(void)
{
    rj_dispatcher_close(endpoint.dispatcher);
}

TestSuite(receive_endpoint, .init = open_endpoint, .fini = close_endpoint);

static rj_dispatch_t on_data(int32_t session_id)
{
    rj_network_image_t *image;
    return rj_dispatcher_on_data(endpoint.dispatcher, 1, session_id, 0, &image);
}

Test(receive_endpoint, gives_a_pending_setup_up_when_more_than_a_second_is_over)
{
    cr_assert_eq(rj_receive_endpoint_deadline_ns(&endpoint), INT64_MAX);
    for (int32_t i = 0; i < 3; i++) {
        cr_assert_eq(on_data(i), RJ_DISPATCH_ELICIT_SETUP);
        cr_assert(rj_receive_endpoint_add_pending(&endpoint, 1, i, start_ns + i * 1000));
    }
    const int64_t due_ns = start_ns + RJ_PENDING_SETUP_NS + 1;
    cr_assert_eq(rj_receive_endpoint_deadline_ns(&endpoint), due_ns);
    cr_assert_eq(rj_receive_endpoint_expire_pending(&endpoint, due_ns - 1), 0);
    cr_assert_eq(rj_receive_endpoint_expire_pending(&endpoint, due_ns), 1);
    cr_assert_eq(on_data(0), RJ_DISPATCH_ELICIT_SETUP);
    cr_assert_eq(on_data(1), RJ_DISPATCH_IGNORE);
    cr_assert_eq(rj_receive_endpoint_deadline_ns(&endpoint), due_ns + 1000);
    cr_assert_eq(rj_receive_endpoint_expire_pending(&endpoint, due_ns + 5000), 2);
    cr_assert_eq(on_data(2), RJ_DISPATCH_ELICIT_SETUP);
}

Test(receive_endpoint, leaves_a_session_alone_that_has_moved_on)
{
    rj_network_image_t *image;
    on_data(0);
    rj_receive_endpoint_add_pending(&endpoint, 1, 0, start_ns);
    cr_assert_eq(rj_dispatcher_on_setup(endpoint.dispatcher, 1, 0, &image),
                 RJ_DISPATCH_CREATE_IMAGE);
    cr_assert_eq(rj_receive_endpoint_expire_pending(&endpoint, start_ns * 2), 1);
    cr_assert_eq(rj_dispatcher_on_setup(endpoint.dispatcher, 1, 0, &image), RJ_DISPATCH_IGNORE);
}

Test(receive_endpoint, declines_more_pending_setups_than_it_holds)
{
    for (int32_t i = 0; i < RJ_PENDING_SETUPS_MAX; i++)
        cr_assert(rj_receive_endpoint_add_pending(&endpoint, 1, i, start_ns));
    cr_assert_not(rj_receive_endpoint_add_pending(&endpoint, 1, -1, start_ns));
    cr_assert_eq(rj_receive_endpoint_expire_pending(&endpoint, start_ns * 2),
                 RJ_PENDING_SETUPS_MAX);
    cr_assert(rj_receive_endpoint_add_pending(&endpoint, 1, -1, start_ns));
}

static rj_address_t address_of(uint16_t port)
{
    static const uint8_t host[4] = {10, 0, 0, 1};
    return rj_address_ipv4(host, port);
}

Test(receive_endpoint, connects_an_image_once_to_each_destination)
{
    static rj_received_image_t received;
    static rj_receive_destination_t destinations[RJ_RECEIVE_DESTINATIONS_MAX + 1];
    const rj_address_t first = address_of(1);
    const rj_address_t second = address_of(2);
    const rj_address_t control = address_of(3);
    for (int32_t i = 0; i <= RJ_RECEIVE_DESTINATIONS_MAX; i++)
        destinations[i] = (rj_receive_destination_t){.id = 100 + i, .slot = i};

    cr_assert_eq(rj_received_image_connect(&received, &destinations[0], NULL, &first, start_ns), 0);
    cr_assert_eq(rj_received_image_connect(&received, &destinations[0], NULL, &second, start_ns),
                 0);
    cr_assert(rj_address_equal(&received.control_paths[0].address, &first),
              "it answers to where it was first heard from");
    cr_assert_eq(received.control_paths[0].endpoint, &destinations[0].base);
    cr_assert_eq(
        rj_received_image_connect(&received, &destinations[1], &control, &second, start_ns), 1);
    cr_assert(rj_address_equal(&received.control_paths[1].address, &control));
    cr_assert_eq(received.image.connections[1].control, &received.control_paths[1]);
    for (int32_t i = 2; i < RJ_RECEIVE_DESTINATIONS_MAX; i++)
        cr_assert_eq(rj_received_image_connect(&received, &destinations[i], NULL, &first, start_ns),
                     i);
    cr_assert_eq(rj_received_image_connect(&received, &destinations[RJ_RECEIVE_DESTINATIONS_MAX],
                                           NULL, &first, start_ns),
                 -1);
}

Test(receive_endpoint, answers_through_a_destination_once_somebody_was_heard_there)
{
    static rj_received_image_t received;
    static rj_receive_destination_t destination = {.id = 7, .slot = 3};
    const rj_address_t source = address_of(1);
    cr_assert_eq(rj_received_image_connect(&received, &destination, NULL, NULL, start_ns), 0);
    cr_assert_null(received.image.connections[0].control);
    cr_assert_eq(rj_received_image_connect(&received, &destination, NULL, &source, start_ns), 0);
    cr_assert_eq(received.image.connections[0].control, &received.control_paths[3]);
    cr_assert(rj_address_equal(&received.control_paths[3].address, &source));
}

Test(receive_endpoint, moves_no_path_when_another_connection_goes)
{
    static rj_received_image_t received;
    static rj_log_t log;
    static rj_receive_destination_t destinations[3];
    received.image.log = &log;
    const rj_address_t source = address_of(1);
    for (int32_t i = 0; i < 3; i++) {
        destinations[i] = (rj_receive_destination_t){.id = i, .slot = i};
        rj_received_image_connect(&received, &destinations[i], NULL, &source, start_ns);
    }
    received.told_paths = 7;
    rj_received_image_disconnect(&received, &destinations[0], start_ns);
    cr_assert_eq(received.image.connection_count, 2);
    for (int i = 0; i < 2; i++) {
        const int32_t id = received.image.connections[i].destination_id;
        cr_assert_eq(received.image.connections[i].control, &received.control_paths[id]);
    }
    cr_assert_eq(received.told_paths, 6, "the slot may be another destination's next");
}

Test(receive_endpoint, sends_a_connection_elsewhere_when_its_control_moves)
{
    static rj_received_image_t received;
    static rj_receive_destination_t destination, other = {.id = 1, .slot = 1};
    const rj_address_t before = address_of(1);
    const rj_address_t after = address_of(2);
    rj_received_image_connect(&received, &destination, &before, NULL, start_ns);
    received.told_paths = 1;
    rj_received_image_redirect(&received, &destination, &after);
    cr_assert(rj_address_equal(&received.control_paths[0].address, &after));
    cr_assert_eq(received.told_paths, 0);
    rj_received_image_redirect(&received, &other, &after);
    cr_assert_eq(received.image.connection_count, 1, "not heard there, so not answered there");
}

/* Two control addresses, one group and a plain socket of one endpoint. */
static rj_receive_destination_t destinations[4];

static void add_destinations(void)
{
    const rj_address_t control = address_of(3);
    for (int32_t i = 0; i < 4; i++) {
        destinations[i] = (rj_receive_destination_t){.id = i, .slot = i, .setup_sent_ns = start_ns};
        endpoint.destinations[endpoint.destination_count++] = &destinations[i];
    }
    rj_receive_destination_set_control(&destinations[0], &control);
    rj_receive_destination_set_control(&destinations[1], &control);
    rj_receive_destination_set_control(&destinations[2], &control);
    destinations[2].is_multicast = true;
    destinations[1].setup_sent_ns = start_ns + 1;
}

Test(receive_endpoint, asks_control_addresses_again_a_second_later_while_something_is_wanted)
{
    add_destinations();
    const int64_t due_ns = start_ns + RJ_PENDING_SETUP_NS + 1;
    rj_dispatcher_remove_stream(endpoint.dispatcher, 1);
    cr_assert_null(rj_receive_endpoint_next_setup(&endpoint, due_ns));
    cr_assert_eq(rj_receive_endpoint_deadline_ns(&endpoint), INT64_MAX);

    cr_assert_eq(rj_dispatcher_add_stream(endpoint.dispatcher, 1), 0);
    cr_assert_eq(rj_receive_endpoint_deadline_ns(&endpoint), due_ns);
    cr_assert_null(rj_receive_endpoint_next_setup(&endpoint, due_ns - 1));
    cr_assert_eq(rj_receive_endpoint_next_setup(&endpoint, due_ns), &destinations[0]);
    cr_assert_null(rj_receive_endpoint_next_setup(&endpoint, due_ns));
    cr_assert_eq(rj_receive_endpoint_deadline_ns(&endpoint), due_ns + 1);
    cr_assert_eq(rj_receive_endpoint_next_setup(&endpoint, due_ns + 1), &destinations[1]);
}
