/* SPDX-License-Identifier: Apache-2.0 */
/* Several engines whose ports bring frames for each other. Engine 0 is the home of the endpoint
 * that frames are for; the test is the conductor. */
#include "engine/engine.h"

#include <criterion/criterion.h>

#include "proto/frame.h"
#include "tests/fixtures/engine_bench.h"

enum { ENGINES = 3, HOME = 0, OWNER = 1, OTHER = 2 };

static engine_bench_t benches[ENGINES];
static bench_image_t image;

static void tell_all(const rj_engine_command_t *command)
{
    for (int i = 0; i < ENGINES; i++)
        engine_bench_tell(&benches[i], command);
}

static void open_group(void)
{
    rj_engine_t *engines[ENGINES];
    for (int i = 0; i < ENGINES; i++) {
        engine_bench_open_as(&benches[i], i);
        engines[i] = benches[i].engine;
    }
    cr_assert_eq(rj_engine_join(engines, ENGINES, NULL), 0);
    for (int i = 0; i < ENGINES; i++)
        engine_bench_add_receive(&benches[i], &benches[HOME]);
    tell_all(&(rj_engine_command_t){.type = RJ_ENGINE_ADD_SEND_ENDPOINT,
                                    .send_endpoint = &benches[HOME].send});
    engine_bench_tell(&benches[HOME],
                      &(rj_engine_command_t){.type = RJ_ENGINE_ADD_INTEREST,
                                             .receive_endpoint = &benches[HOME].receive,
                                             .stream_id = STREAM_LOG_STREAM});
}

static void close_group(void)
{
    for (int i = 0; i < ENGINES; i++)
        engine_bench_close(&benches[i]);
}

TestSuite(engine_group, .init = open_group, .fini = close_group);

/* Until nobody has work; a frame that goes round would never end. */
static void run(void)
{
    for (int turn = 0; turn < 20; turn++) {
        int work = 0;
        for (int i = 0; i < ENGINES; i++)
            work += engine_bench_turn(&benches[i]);
        if (work == 0)
            return;
    }
    cr_assert_fail("somebody always has work");
}

static const rj_engine_stats_t *stats(int engine)
{
    return rj_engine_stats(benches[engine].engine);
}

static int64_t forwarded(void)
{
    return stats(0)->frames_forwarded + stats(1)->frames_forwarded + stats(2)->frames_forwarded;
}

static rj_engine_command_t session_command(rj_engine_command_type_t type)
{
    return (rj_engine_command_t){.type = type,
                                 .receive_endpoint = &benches[HOME].receive,
                                 .stream_id = STREAM_LOG_STREAM,
                                 .session_id = STREAM_LOG_SESSION,
                                 .image = &image.received.image,
                                 .engine = OWNER};
}

/* Gives the session to OWNER, as the conductor does. */
static void grant_image(void)
{
    bench_image_make(&image, &benches[HOME], STREAM_LOG_SESSION, true);
    rj_engine_command_t command = session_command(RJ_ENGINE_ADD_IMAGE);
    engine_bench_tell(&benches[OWNER], &command);
    command.type = RJ_ENGINE_ADD_SESSION;
    engine_bench_tell(&benches[HOME], &command);
    run();
}

/* Data of the session at `position` comes by the port of an engine. */
static int64_t receive_at(int engine, int64_t position)
{
    uint8_t frame[STREAM_LOG_MTU];
    const int32_t length = stream_log_frame(&image.log, frame, position, RJ_FRAME_TYPE_DATA, 1000);
    engine_bench_receive(&benches[engine], &benches[HOME].destination.base, frame, (size_t)length);
    return position + length;
}

Test(engine_group, knows_an_endpoint_at_home_and_as_a_guest)
{
    run();
    cr_assert_eq(benches[HOME].port.endpoint_count, 2);
    cr_assert_eq(benches[HOME].port.guest_count, 0);
    cr_assert_eq(benches[OTHER].port.endpoint_count, 0);
    cr_assert_eq(benches[OTHER].port.guest_count, 2);
    for (int i = 0; i < ENGINES; i++)
        engine_bench_remove_receive(&benches[i], &benches[HOME]);
    run();
    for (int i = 0; i < ENGINES; i++) {
        engine_bench_event(&benches[i], RJ_ENGINE_RECEIVE_DESTINATION_RELEASED);
        engine_bench_event(&benches[i], RJ_ENGINE_RECEIVE_ENDPOINT_RELEASED);
    }
    cr_assert_eq(benches[OTHER].port.guest_count, 1);
}

Test(engine_group, asks_for_an_image_by_the_home_and_names_the_engine_of_the_setup)
{
    run();
    engine_bench_receive(&benches[OTHER], &benches[HOME].destination.base, wire_vectors[V1].bytes,
                         wire_vectors[V1].length_bytes);
    run();
    const rj_engine_event_t *event = engine_bench_event(&benches[HOME], RJ_ENGINE_SETUP);
    cr_assert_eq(event->setup.engine, OTHER);
    cr_assert(rj_address_equal(&event->setup.source, &benches[OTHER].remote));
    cr_assert_not(engine_bench_has_event(&benches[OTHER]));
    cr_assert_eq(forwarded(), 1);
}

Test(engine_group, elicits_a_setup_by_the_home_for_data_that_came_elsewhere)
{
    run();
    bench_image_make(&image, &benches[HOME], STREAM_LOG_SESSION, true);
    receive_at(OTHER, 0);
    run();
    cr_assert_eq(memory_port_count(&benches[HOME].port, RJ_FRAME_TYPE_SM), 1);
    cr_assert_eq(memory_port_count(&benches[OTHER].port, RJ_FRAME_TYPE_SM), 0);
    rj_log_close(&image.log);
}

Test(engine_group, brings_data_to_its_image_from_wherever_it_comes)
{
    grant_image();
    cr_assert_eq(memory_port_count(&benches[OWNER].port, RJ_FRAME_TYPE_SM), 1,
                 "it answers by its own engine's port");
    const int64_t first = receive_at(OWNER, 0);
    run();
    cr_assert_eq(image.rcv_pos, first);
    cr_assert_eq(forwarded(), 0, "no detour for what comes right");
    const int64_t second = receive_at(HOME, first);
    run();
    cr_assert_eq(image.rcv_pos, second);
    cr_assert_eq(forwarded(), 1);
    const int64_t third = receive_at(OTHER, second);
    run();
    cr_assert_eq(image.rcv_pos, third);
    cr_assert_eq(forwarded(), 3, "by the home");
    cr_assert_eq(stats(HOME)->forward_strays + stats(OWNER)->forward_strays, 0);
    rj_log_close(&image.log);
}

/* Four datagrams merged, the last two perhaps of another session, at the home's port. */
static void receive_piece_at_home(int64_t position, int32_t last_session_id)
{
    enum { SEGMENT = 128 };
    uint8_t bytes[4 * SEGMENT];
    for (int i = 0; i < 4; i++) {
        uint8_t *frame = bytes + i * SEGMENT;
        stream_log_frame(&image.log, frame, position + i * SEGMENT, RJ_FRAME_TYPE_DATA,
                         SEGMENT - RJ_DATA_HEADER_BYTES);
        if (i >= 2)
            ((rj_wire_data_t *)(void *)frame)->session_id = last_session_id;
    }
    memory_port_receive_merged(&benches[HOME].port, &benches[HOME].destination.base,
                               &benches[HOME].remote, bytes, sizeof(bytes), SEGMENT);
}

Test(engine_group, forwards_datagrams_that_came_merged_as_one_where_they_are_of_one_stream)
{
    grant_image();
    receive_piece_at_home(0, STREAM_LOG_SESSION);
    run();
    cr_assert_eq(image.rcv_pos, 512);
    cr_assert_eq(forwarded(), 1);
    receive_piece_at_home(256, STREAM_LOG_SESSION);
    run();
    cr_assert_eq(image.rcv_pos, 768, "what is new of it");
    receive_piece_at_home(768, STREAM_LOG_SESSION + 1);
    run();
    cr_assert_eq(image.rcv_pos, 1024, "what is its own");
    cr_assert_eq(forwarded(), 3);
    cr_assert_eq(memory_port_count(&benches[HOME].port, RJ_FRAME_TYPE_SM), 1, "for the other");
    rj_log_close(&image.log);
}

Test(engine_group, drops_what_comes_to_an_owner_that_has_the_image_no_more)
{
    grant_image();
    rj_engine_command_t command = session_command(RJ_ENGINE_REMOVE_IMAGE);
    engine_bench_tell(&benches[OWNER], &command);
    run();
    engine_bench_event(&benches[OWNER], RJ_ENGINE_IMAGE_RELEASED);
    receive_at(HOME, 0);
    receive_at(OWNER, 0);
    run();
    cr_assert_eq(stats(OWNER)->forward_strays, 2, "and nothing goes round");
    command.type = RJ_ENGINE_REMOVE_SESSION;
    engine_bench_tell(&benches[HOME], &command);
    receive_at(OWNER, 0);
    run();
    cr_assert_eq(stats(OWNER)->forward_strays, 2);
    cr_assert_eq(memory_port_count(&benches[HOME].port, RJ_FRAME_TYPE_SM), 0, "it cools down");
    rj_log_close(&image.log);
}

Test(engine_group, starves_an_image_that_nobody_wants)
{
    grant_image();
    const rj_engine_command_t starve = session_command(RJ_ENGINE_STARVE_IMAGE);
    engine_bench_tell(&benches[OWNER], &starve);
    engine_bench_tell(&benches[HOME],
                      &(rj_engine_command_t){.type = RJ_ENGINE_REMOVE_INTEREST,
                                             .receive_endpoint = &benches[HOME].receive,
                                             .stream_id = STREAM_LOG_STREAM});
    run();
    receive_at(OWNER, 0);
    run();
    cr_assert_eq(image.rcv_pos, 0);
    rj_log_close(&image.log);
}

Test(engine_group, takes_images_from_an_endpoint_that_is_removed_in_every_engine)
{
    grant_image();
    for (int i = 0; i < ENGINES; i++)
        engine_bench_remove_receive(&benches[i], &benches[HOME]);
    run();
    cr_assert_null(image.received.endpoint);
    const rj_engine_command_t command = session_command(RJ_ENGINE_REMOVE_IMAGE);
    engine_bench_tell(&benches[OWNER], &command);
    run();
    engine_bench_event(&benches[OWNER], RJ_ENGINE_RECEIVE_DESTINATION_RELEASED);
    engine_bench_event(&benches[OWNER], RJ_ENGINE_RECEIVE_ENDPOINT_RELEASED);
    engine_bench_event(&benches[OWNER], RJ_ENGINE_IMAGE_RELEASED);
    rj_log_close(&image.log);
}

/* What was on its way when the endpoint went is not for whoever comes after. */
Test(engine_group, drops_what_is_for_an_endpoint_that_has_gone)
{
    run();
    bench_image_make(&image, &benches[HOME], STREAM_LOG_SESSION, true);
    receive_at(OTHER, 0);
    engine_bench_turn(&benches[OTHER]);
    engine_bench_remove_receive(&benches[HOME], &benches[HOME]);
    cr_assert_lt(rj_engine_deadline_ns(benches[HOME].engine), INT64_MAX, "a frame waits");
    run();
    cr_assert_eq(stats(HOME)->forward_strays, 1);
    cr_assert_eq(memory_port_count(&benches[HOME].port, RJ_FRAME_TYPE_SM), 0);
    rj_log_close(&image.log);
}

Test(engine_group, counts_what_a_full_ring_cannot_take)
{
    grant_image();
    int64_t sent = 0;
    while (stats(OTHER)->forward_drops == 0) {
        for (int i = 0; i < BENCH_BATCH; i++, sent++)
            receive_at(OTHER, 0);
        engine_bench_turn(&benches[OTHER]);
    }
    cr_assert_eq(stats(OTHER)->frames_forwarded + stats(OTHER)->forward_drops, sent);
    run();
    cr_assert_eq(stats(HOME)->frames_taken, stats(OTHER)->frames_forwarded);
    rj_log_close(&image.log);
}

Test(engine_group, brings_what_receivers_say_to_the_publications_home)
{
    static bench_publication_t publication;
    bench_publication_open(&publication, &benches[HOME], STREAM_LOG_SESSION);
    run();
    const rj_frame_sm_t sm = {.session_id = STREAM_LOG_SESSION,
                              .stream_id = STREAM_LOG_STREAM,
                              .term_id = publication.log.initial_term_id,
                              .receiver_window = 8192,
                              .receiver_id = VECTOR_RECEIVER_ID};
    rj_wire_sm_t frame;
    const uint32_t length = rj_frame_write_sm(&frame, &sm);
    engine_bench_receive(&benches[OTHER], &benches[HOME].send.base, &frame, length);
    run();
    cr_assert_eq(publication.snd_lmt, 8192);
    cr_assert_eq(forwarded(), 1);
    /* What no publication hears stays where it came. */
    engine_bench_receive(&benches[OTHER], &benches[HOME].send.base, wire_vectors[V1].bytes,
                         wire_vectors[V1].length_bytes);
    run();
    cr_assert_eq(forwarded(), 1);
    rj_log_close(&publication.log);
}

/* A destination that comes while the image lives in another engine than the endpoint; its control
 * address moves, and it goes. */
Test(engine_group, speaks_for_an_image_through_destinations_that_come_and_go)
{
    static const uint8_t control_host[4] = {10, 0, 0, 3};
    static rj_receive_destination_t second;
    rj_address_t control = rj_address_ipv4(control_host, 7000);
    grant_image();
    second = (rj_receive_destination_t){.endpoint = &benches[HOME].receive, .id = 1, .slot = 1};
    second.base = (rj_endpoint_t){.kind = RJ_ENDPOINT_RECEIVE, .id = 200, .home = HOME, .slot = -1};
    rj_receive_destination_set_control(&second, &control);
    rj_engine_command_t command = {.type = RJ_ENGINE_ADD_RECEIVE_DESTINATION,
                                   .receive_destination = &second};
    tell_all(&command);
    run();
    cr_expect_eq(memory_port_count(&benches[HOME].port, RJ_FRAME_TYPE_SM), 1, "registers");
    engine_bench_event(&benches[OWNER], RJ_ENGINE_CONNECTED);
    cr_expect_not(engine_bench_has_event(&benches[HOME]));

    command = (rj_engine_command_t){.type = RJ_ENGINE_SET_CONTROL, .receive_destination = &second};
    command.address = control = rj_address_ipv4(control_host, 7001);
    tell_all(&command);
    memory_port_clear(&benches[OWNER].port);
    benches[OWNER].now_ns += 201 * bench_ms;
    run();
    const memory_port_t *port = &benches[OWNER].port;
    int count = 0;
    for (int i = 0; i < port->sent_count; i++)
        count += port->sent[i].endpoint == &second.base &&
                 rj_address_equal(&port->sent[i].address, &control);
    cr_expect_eq(count, 1);

    command.type = RJ_ENGINE_REMOVE_RECEIVE_DESTINATION;
    tell_all(&command);
    run();
    for (int i = 0; i < ENGINES; i++)
        engine_bench_event(&benches[i], RJ_ENGINE_RECEIVE_DESTINATION_RELEASED);
    cr_expect_eq(image.received.image.connection_count, 1);
    cr_expect_eq(benches[HOME].receive.destination_count, 1);
    rj_log_close(&image.log);
}
