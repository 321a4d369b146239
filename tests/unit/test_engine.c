/* SPDX-License-Identifier: Apache-2.0 */
/* The engine as a whole; its halves are in test_sender.c and test_receiver.c. */
#include "engine/engine.h"

#include <criterion/criterion.h>
#include <errno.h>

#include "proto/frame.h"
#include "tests/fixtures/engine_bench.h"
#include "transport/path_header.h"

static engine_bench_t bench;

static void open_bench(void)
{
    engine_bench_open(&bench);
}

static void close_bench(void)
{
    engine_bench_close(&bench);
}

TestSuite(engine, .init = open_bench, .fini = close_bench);

Test(engine, is_idle_when_it_has_nothing)
{
    cr_assert_eq(engine_bench_turn(&bench), 0);
    cr_assert_eq(rj_engine_deadline_ns(bench.engine), INT64_MAX);
}

Test(engine, refuses_what_it_cannot_be_opened_with)
{
    rj_engine_t *engine;
    rj_err_t err;
    rj_engine_params_t params = {
        .ports = {&bench.port.base}, .system_counters = &bench.system, .receive_batch = 4};
    cr_assert_eq(rj_engine_open(&engine, &params, &err), -EINVAL);
    params.port_count = 1;
    params.receive_batch = 0;
    cr_assert_eq(rj_engine_open(&engine, &params, &err), -EINVAL);
    cr_assert_not(bench.port.is_closed, "then the port is still the caller's");
}

Test(engine, closes_its_port)
{
    static memory_port_t port;
    memory_port_init(&port);
    const rj_engine_params_t params = {.ports = {&port.base},
                                       .port_count = 1,
                                       .system_counters = &bench.system,
                                       .receive_batch = 4};
    rj_engine_t *engine;
    cr_assert_eq(rj_engine_open(&engine, &params, NULL), 0);
    rj_engine_close(engine);
    cr_assert(port.is_closed);
    rj_engine_close(NULL);
}

Test(engine, measures_the_cycles_of_its_halves)
{
    static memory_port_t port;
    memory_port_init(&port);
    const rj_engine_params_t params = {.ports = {&port.base},
                                       .port_count = 1,
                                       .system_counters = &bench.system,
                                       .receive_batch = 4,
                                       .halves = RJ_ENGINE_RECEIVER,
                                       .receiver_threshold_ns = 1000};
    rj_engine_t *engine;
    cr_assert_eq(rj_engine_open(&engine, &params, NULL), 0);
    static const int64_t turns_ns[] = {50000, 50500, 52000, 53000, 54001};
    for (size_t i = 0; i < sizeof(turns_ns) / sizeof(turns_ns[0]); i++)
        rj_engine_do_work(engine, turns_ns[i]);
    cr_assert_eq(bench.counters[RJ_SYSTEM_RECEIVER_MAX_CYCLE_TIME], 1500);
    cr_assert_eq(bench.counters[RJ_SYSTEM_RECEIVER_CYCLE_TIME_EXCEEDED], 2);
    cr_assert_eq(bench.counters[RJ_SYSTEM_SENDER_MAX_CYCLE_TIME], 0);
    cr_assert_eq(bench.counters[RJ_SYSTEM_SENDER_CYCLE_TIME_EXCEEDED], 0);
    rj_engine_close(engine);
}

/* Two full rings must not wait for each other: the engine goes on taking commands. */
Test(engine, takes_commands_while_nobody_takes_its_answers)
{
    enum { COUNT = 2 * RJ_ENGINE_EVENT_RING };
    const rj_engine_command_t command = {.type = RJ_ENGINE_REMOVE_SEND_ENDPOINT,
                                         .send_endpoint = &bench.send};
    for (int i = 0; i < COUNT; i++) {
        engine_bench_tell(&bench, &command);
        engine_bench_turn(&bench);
    }
    cr_assert_eq(rj_ring_spsc_free_count(rj_engine_event_ring(bench.engine)), 0);
    int answers = 0;
    for (; answers < COUNT; answers++) {
        if (!engine_bench_has_event(&bench))
            engine_bench_turn(&bench);
        engine_bench_event(&bench, RJ_ENGINE_SEND_ENDPOINT_RELEASED);
    }
    cr_assert_eq(answers, COUNT, "no answer is lost");
    cr_assert_not(engine_bench_has_event(&bench));
}

Test(engine, executes_a_bounded_number_of_commands_a_turn)
{
    const rj_engine_command_t command = {
        .type = RJ_ENGINE_ADD_INTEREST, .receive_endpoint = &bench.receive, .stream_id = 7};
    for (int i = 0; i < RJ_ENGINE_COMMANDS_MAX + 1; i++)
        engine_bench_tell(&bench, &command);
    cr_assert_eq(engine_bench_turn(&bench), RJ_ENGINE_COMMANDS_MAX);
    cr_assert_eq(engine_bench_turn(&bench), 1);
}

Test(engine, serves_both_halves_in_one_turn)
{
    static bench_publication_t publication;
    static bench_image_t image;
    engine_bench_tell(&bench, &(rj_engine_command_t){.type = RJ_ENGINE_ADD_SEND_ENDPOINT,
                                                     .send_endpoint = &bench.send});
    engine_bench_add_receive(&bench, &bench);
    engine_bench_tell(&bench, &(rj_engine_command_t){.type = RJ_ENGINE_ADD_INTEREST,
                                                     .receive_endpoint = &bench.receive,
                                                     .stream_id = STREAM_LOG_STREAM});
    bench_publication_open(&publication, &bench, STREAM_LOG_SESSION);
    bench_image_open(&image, &bench, STREAM_LOG_SESSION, true);
    engine_bench_turn(&bench);
    cr_assert_eq(memory_port_count(&bench.port, RJ_FRAME_TYPE_SETUP), 1);
    cr_assert_eq(memory_port_count(&bench.port, RJ_FRAME_TYPE_SM), 1);

    /* What the image says opens the window of the publication, whose data then reach the image. */
    const memory_datagram_t *sm = memory_port_find(&bench.port, RJ_FRAME_TYPE_SM);
    engine_bench_receive(&bench, &bench.send.base, sm->bytes, sm->length_bytes);
    bench_publication_append(&publication, 20, 1000);
    memory_port_clear(&bench.port);
    engine_bench_turn(&bench);
    engine_bench_turn(&bench);
    cr_assert_eq(publication.snd_pos, publication.end_pos);
    for (int i = 0; i < bench.port.sent_count; i++)
        engine_bench_receive(&bench, &bench.destination.base, bench.port.sent[i].bytes,
                             bench.port.sent[i].length_bytes);
    engine_bench_turn(&bench);
    cr_assert_eq(image.rcv_pos, publication.end_pos);
    rj_log_close(&publication.log);
    rj_log_close(&image.log);
}

/* A header is the engine's from SET_HEADER on, and the old one is not given back while a run may
 * name it. */
Test(engine, swaps_the_header_of_a_path_and_gives_the_old_one_back)
{
    static bench_publication_t publication;
    rj_path_header_t headers[2];
    rj_path_t *path = &bench.send.data_path;
    engine_bench_tell(
        &bench,
        &(rj_engine_command_t){.type = RJ_ENGINE_SET_HEADER, .path = path, .header = &headers[0]});
    bench_publication_open(&publication, &bench, STREAM_LOG_SESSION);
    bench.port.holds = true;
    engine_bench_turn(&bench);
    cr_assert_eq(path->header, &headers[0]);
    cr_assert_not(engine_bench_has_event(&bench), "there was none before");

    engine_bench_tell(
        &bench,
        &(rj_engine_command_t){.type = RJ_ENGINE_SET_HEADER, .path = path, .header = &headers[1]});
    engine_bench_turn(&bench);
    cr_assert_eq(path->header, &headers[1]);
    cr_assert_not(engine_bench_has_event(&bench), "the setup is still in flight");
    bench.port.holds = false;
    engine_bench_turn(&bench);
    cr_assert_eq(engine_bench_event(&bench, RJ_ENGINE_HEADER_RELEASED)->header, &headers[0]);

    engine_bench_tell(&bench, &(rj_engine_command_t){.type = RJ_ENGINE_SET_HEADER, .path = path});
    engine_bench_turn(&bench);
    cr_assert_null(path->header);
    cr_assert_eq(engine_bench_event(&bench, RJ_ENGINE_HEADER_RELEASED)->header, &headers[1]);
    rj_log_close(&publication.log);
}

/* The header leads to the old address, so it goes with it. */
Test(engine, has_a_path_lead_elsewhere_and_gives_its_header_back)
{
    static const uint8_t elsewhere[4] = {10, 0, 0, 9};
    rj_path_header_t header;
    rj_path_t *path = &bench.send.data_path;
    const socklen_t was_connected_bytes = path->sockaddr_bytes;
    const rj_address_t address = rj_address_ipv4(elsewhere, 4000);
    engine_bench_tell(&bench, &(rj_engine_command_t){
                                  .type = RJ_ENGINE_SET_HEADER, .path = path, .header = &header});
    engine_bench_tell(&bench, &(rj_engine_command_t){
                                  .type = RJ_ENGINE_SET_ADDRESS, .path = path, .address = address});
    engine_bench_turn(&bench);
    cr_assert(rj_address_equal(&path->address, &address));
    cr_assert_eq(path->sockaddr_bytes, was_connected_bytes);
    cr_assert_null(path->header);
    cr_assert_eq(engine_bench_event(&bench, RJ_ENGINE_HEADER_RELEASED)->header, &header);
}

/* Told to every engine that knows it, so each step is answered; in between it hears nothing. */
Test(engine, moves_a_send_endpoint_that_was_taken_off_its_ports)
{
    static const uint8_t elsewhere[4] = {10, 0, 0, 9};
    const rj_engine_command_t detach = {.type = RJ_ENGINE_DETACH_SEND_ENDPOINT,
                                        .send_endpoint = &bench.send};
    const rj_engine_command_t attach = {.type = RJ_ENGINE_ATTACH_SEND_ENDPOINT,
                                        .send_endpoint = &bench.send};
    const rj_engine_command_t move = {.type = RJ_ENGINE_MOVE_SEND_ENDPOINT,
                                      .send_endpoint = &bench.send,
                                      .address = rj_address_ipv4(elsewhere, 4000)};
    engine_bench_tell(&bench, &(rj_engine_command_t){.type = RJ_ENGINE_ADD_SEND_ENDPOINT,
                                                     .send_endpoint = &bench.send});
    engine_bench_turn(&bench);
    const int before = (int)bench.port.endpoint_count;
    engine_bench_tell(&bench, &detach);
    engine_bench_turn(&bench);
    cr_assert_eq(engine_bench_event(&bench, RJ_ENGINE_SEND_ENDPOINT_DETACHED)->send_endpoint,
                 &bench.send);
    cr_assert_eq(bench.port.endpoint_count, before - 1);
    engine_bench_tell(&bench, &move);
    engine_bench_tell(&bench, &attach);
    engine_bench_turn(&bench);
    cr_assert_eq(engine_bench_event(&bench, RJ_ENGINE_SEND_ENDPOINT_MOVED)->value, 0);
    cr_assert(rj_address_equal(&bench.send.data_path.address, &move.address));
    cr_assert_eq(bench.port.endpoint_count, before);
}
