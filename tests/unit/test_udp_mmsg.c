/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/udp_mmsg.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "tests/fixtures/udp_bench.h"
#include "transport/registry.h"
#include "transport/udp_socket.h"

enum { ENDPOINTS = UDP_BENCH_ENDPOINTS, BATCH = UDP_BENCH_BATCH };

static rj_packet_t *const packets = udp_bench.packets;
static rj_port_t *sender;
static rj_port_t *receiver;

static void open_ports(void)
{
    udp_bench_open("socket");
    sender = udp_bench.sender;
    receiver = udp_bench.receiver;
}

TestSuite(udp_mmsg, .init = open_ports, .fini = udp_bench_close);

static void expect_packet(const rj_packet_t *packet, const uint8_t *bytes, uint32_t count,
                          const rj_endpoint_t *from, const rj_endpoint_t *to)
{
    cr_assert_eq(packet->length_bytes, count);
    cr_assert_arr_eq(packet->data, bytes, count);
    cr_assert_eq(packet->endpoint, to);
    cr_assert(rj_address_equal(&packet->source, &from->local));
    cr_assert_eq(packet->receive_time_ns, 77);
}

Test(udp_mmsg, cuts_a_run_into_datagrams_of_which_the_last_is_shorter)
{
    rj_endpoint_t from;
    rj_endpoint_t to;
    udp_bench_open_endpoint(&from);
    udp_bench_open_endpoint(&to);
    udp_bench_attach(&to);
    rj_path_t path;
    rj_path_init(&path, &from, &to.local, false);
    uint8_t bytes[1000];
    udp_bench_fill(bytes, sizeof(bytes), 1);
    rj_run_t run = udp_bench_run_of(&path, bytes, sizeof(bytes), 300);
    cr_assert_eq(sender->ops->send(sender, &run, 1), 1);
    cr_assert_eq(run.result, 1000);
    cr_assert_eq(udp_bench_poll_for(&to, BATCH), 4);
    for (uint32_t i = 0; i < 4; i++)
        expect_packet(&packets[i], bytes + 300 * i, i < 3 ? 300 : 100, &from, &to);
    udp_bench_close_endpoint(&from);
    udp_bench_close_endpoint(&to);
}

Test(udp_mmsg, sends_runs_of_several_sockets_in_order_and_numbers_them)
{
    rj_endpoint_t from[2];
    rj_endpoint_t to[2];
    rj_path_t paths[2];
    for (int i = 0; i < 2; i++) {
        udp_bench_open_endpoint(&to[i]);
        const rj_address_t any_port = udp_bench_any_port();
        udp_bench_open_at(&from[i], &any_port, &to[i].local, 0, 0);
        udp_bench_attach(&to[i]);
        rj_path_init(&paths[i], &from[i], &to[i].local, true);
        cr_assert_eq(paths[i].sockaddr_bytes, 0);
    }
    uint8_t bytes[6 * 32];
    udp_bench_fill(bytes, sizeof(bytes), 9);
    rj_run_t runs[6];
    for (int i = 0; i < 6; i++)
        runs[i] = udp_bench_run_of(&paths[i == 2 || i == 5], bytes + 32 * i, 32, 32);
    cr_assert_eq(sender->ops->send(sender, runs, 4), 4);
    cr_assert_eq(sender->ops->send(sender, runs + 4, 2), 2);
    for (uint64_t i = 0; i < 6; i++) {
        cr_assert_eq(runs[i].result, 32);
        cr_assert_eq(runs[i].number, i);
    }
    cr_assert_eq(sender->ops->reclaim(sender), 6, "the kernel holds nothing of ours");
    udp_bench_await_input(&to[0]);
    cr_assert_eq(udp_bench_poll_for(&to[1], BATCH), 6);
    static const int order[2][4] = {{0, 1, 3, 4}, {2, 5}};
    int seen[2] = {0, 0};
    for (int i = 0; i < 6; i++) {
        const int at = packets[i].endpoint == &to[1];
        expect_packet(&packets[i], bytes + 32 * order[at][seen[at]++], 32, &from[at], &to[at]);
    }
    for (int i = 0; i < 2; i++) {
        udp_bench_close_endpoint(&from[i]);
        udp_bench_close_endpoint(&to[i]);
    }
}

Test(udp_mmsg, takes_a_run_of_more_datagrams_than_one_call_holds)
{
    rj_endpoint_t from;
    rj_endpoint_t to;
    udp_bench_open_endpoint(&from);
    const rj_address_t any_port = udp_bench_any_port();
    udp_bench_open_at(&to, &any_port, NULL, 0, 4 << 20);
    udp_bench_attach(&to);
    rj_path_t path;
    rj_path_init(&path, &from, &to.local, false);
    enum { DATAGRAMS = 300 };
    uint8_t bytes[DATAGRAMS * 32];
    udp_bench_fill(bytes, sizeof(bytes), 3);
    rj_run_t runs[2] = {udp_bench_run_of(&path, bytes, sizeof(bytes) - 32, 32),
                        udp_bench_run_of(&path, bytes + sizeof(bytes) - 32, 32, 32)};
    cr_assert_eq(sender->ops->send(sender, runs, 2), 2);
    cr_assert_eq(runs[0].result, sizeof(bytes) - 32);
    cr_assert_eq(runs[1].result, 32);
    int got = 0;
    while (got < DATAGRAMS) {
        const int count = udp_bench_poll_for(&to, BATCH);
        cr_assert_gt(count, 0);
        for (int i = 0; i < count; i++)
            cr_assert_arr_eq(packets[i].data, bytes + 32 * (got + i), 32);
        got += count;
    }
    cr_assert_eq(got, DATAGRAMS);
    udp_bench_close_endpoint(&from);
    udp_bench_close_endpoint(&to);
}

Test(udp_mmsg, carries_the_longest_datagram_over_ipv6)
{
    rj_address_t any_port;
    if (!udp_bench_any_port6(&any_port))
        cr_skip_test("no IPv6 on this machine");
    rj_endpoint_t from;
    rj_endpoint_t to;
    udp_bench_open_at(&to, &any_port, NULL, 0, 1 << 20);
    udp_bench_open_at(&from, &any_port, &to.local, 1 << 20, 0);
    udp_bench_attach(&to);
    rj_path_t path;
    rj_path_init(&path, &from, &to.local, true);
    static uint8_t bytes[2 * 65504];
    udp_bench_fill(bytes, sizeof(bytes), 5);
    rj_run_t run = udp_bench_run_of(&path, bytes, sizeof(bytes), 65504);
    cr_assert_eq(sender->ops->send(sender, &run, 1), 1);
    cr_assert_eq(run.result, sizeof(bytes));
    cr_assert_eq(udp_bench_poll_for(&to, BATCH), 2);
    expect_packet(&packets[0], bytes, 65504, &from, &to);
    expect_packet(&packets[1], bytes + 65504, 65504, &from, &to);
    udp_bench_close_endpoint(&from);
    udp_bench_close_endpoint(&to);
}

Test(udp_mmsg, lets_one_run_fail_alone)
{
    rj_endpoint_t from;
    rj_endpoint_t to;
    udp_bench_open_endpoint(&from);
    udp_bench_open_endpoint(&to);
    udp_bench_attach(&to);
    rj_path_t path;
    rj_path_init(&path, &from, &to.local, false);
    static uint8_t bytes[200000];
    udp_bench_fill(bytes, 96, 5);
    /* Longer than any datagram may be: refused by the system before anything is sent. */
    rj_run_t runs[3] = {udp_bench_run_of(&path, bytes, 64, 32),
                        udp_bench_run_of(&path, bytes, 140000, 70000),
                        udp_bench_run_of(&path, bytes + 64, 32, 32)};
    cr_assert_eq(sender->ops->send(sender, runs, 3), 3);
    cr_assert_eq(runs[0].result, 64);
    cr_assert_eq(runs[1].result, -EMSGSIZE);
    cr_assert_eq(runs[2].result, 32);
    cr_assert_eq(udp_bench_poll_for(&to, BATCH), 3);
    expect_packet(&packets[2], bytes + 64, 32, &from, &to);
    udp_bench_close_endpoint(&from);
    udp_bench_close_endpoint(&to);
}

Test(udp_mmsg, counts_a_refusal_as_nothing)
{
    rj_endpoint_t gone;
    udp_bench_open_endpoint(&gone);
    rj_endpoint_t from;
    const rj_address_t any_port = udp_bench_any_port();
    udp_bench_open_at(&from, &any_port, &gone.local, 0, 0);
    rj_path_t path;
    rj_path_init(&path, &from, &gone.local, true);
    udp_bench_close_endpoint(&gone);
    cr_assert_eq(sender->ops->attach(sender, &from, RJ_ATTACH_HOME), 0);
    uint8_t bytes[320];
    udp_bench_fill(bytes, sizeof(bytes), 5);
    for (int i = 0; i < 5; i++) {
        rj_run_t run = udp_bench_run_of(&path, bytes, sizeof(bytes), 32);
        cr_assert_eq(sender->ops->send(sender, &run, 1), 1);
        cr_assert_geq(run.result, 32, "an old echo must not hold back every datagram");
        cr_assert_eq(run.result % 32, 0, "whole datagrams only");
        cr_assert_eq(sender->ops->poll(sender, packets, BATCH, 77), 0);
        rj_endpoint_t *endpoint = NULL;
        cr_assert_eq(sender->ops->take_error(sender, &endpoint), 0);
    }
    udp_bench_close_endpoint(&from);
}

/* Sends 3 runs of 4 datagrams by one socket and one run by another, as the script has it. */
static void send_scripted(const int *script, rj_run_t runs[static 4], int *ret_received)
{
    rj_endpoint_t from[2];
    rj_endpoint_t to;
    rj_path_t paths[2];
    udp_bench_open_endpoint(&to);
    udp_bench_attach(&to);
    for (int i = 0; i < 2; i++) {
        udp_bench_open_endpoint(&from[i]);
        rj_path_init(&paths[i], &from[i], &to.local, false);
    }
    uint8_t bytes[4 * 32] = {1};
    for (int i = 0; i < 4; i++)
        runs[i] = udp_bench_run_of(&paths[i == 2], bytes, sizeof(bytes), 32);
    udp_bench.send_script = script;
    cr_assert_eq(sender->ops->send(sender, runs, 4), 4);
    udp_bench.send_script = NULL;
    *ret_received = receiver->ops->poll(receiver, packets, BATCH, 77);
    receiver->ops->detach(receiver, &to, RJ_ATTACH_HOME);
    for (int i = 0; i < 2; i++)
        udp_bench_close_endpoint(&from[i]);
    udp_bench_close_endpoint(&to);
}

Test(udp_mmsg, goes_on_where_a_call_stopped_early)
{
    static const int script[] = {3, 3, -EINTR, 1, 0};
    rj_run_t runs[4];
    int received;
    send_scripted(script, runs, &received);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(runs[i].result, 4 * 32);
    cr_assert_eq(received, 16);
}

Test(udp_mmsg, stops_at_a_full_queue_and_leaves_other_sockets_alone)
{
    static const int script[] = {5, -EAGAIN, 4, -EAGAIN, 0};
    rj_run_t runs[4];
    int received;
    send_scripted(script, runs, &received);
    cr_assert_eq(runs[0].result, 4 * 32);
    cr_assert_eq(runs[1].result, 32, "whole datagrams only");
    cr_assert_eq(runs[2].result, 4 * 32, "another socket");
    cr_assert_eq(runs[3].result, 0);
    cr_assert_eq(received, 9);
}

Test(udp_mmsg, does_not_try_what_follows_in_a_full_queue)
{
    static const int script[] = {2, -EAGAIN, 4, 4, 0};
    rj_run_t runs[4];
    int received;
    udp_bench.send_calls = 0;
    send_scripted(script, runs, &received);
    cr_assert_eq(runs[0].result, 2 * 32);
    cr_assert_eq(runs[1].result, 0);
    cr_assert_eq(runs[2].result, 4 * 32);
    cr_assert_eq(runs[3].result, 4 * 32);
    cr_assert_eq(udp_bench.send_calls, 4);
}

Test(udp_mmsg, steps_over_one_refusal_and_takes_the_next_for_a_full_queue)
{
    static const int script[] = {-ECONNREFUSED, 2, -ECONNREFUSED, -ECONNREFUSED, 0};
    rj_run_t runs[4];
    int received;
    send_scripted(script, runs, &received);
    cr_assert_eq(runs[0].result, 2 * 32);
    cr_assert_eq(runs[1].result, 0, "not an error");
    cr_assert_eq(runs[2].result, 4 * 32);
}

Test(udp_mmsg, keeps_what_went_before_an_error_in_the_same_run)
{
    static const int script[] = {2, -EPERM, 0};
    rj_run_t runs[4];
    int received;
    send_scripted(script, runs, &received);
    cr_assert_eq(runs[0].result, 2 * 32, "the next try will meet the error first");
    cr_assert_eq(runs[1].result, 4 * 32, "another run, not tried yet");
    cr_assert_eq(received, 14);
}

Test(udp_mmsg, keeps_a_socket_error_and_goes_on_with_the_others)
{
    rj_endpoint_t from;
    rj_endpoint_t to;
    rj_endpoint_t broken = {.socket = -1, .slot = -1};
    udp_bench_open_endpoint(&from);
    udp_bench_open_endpoint(&to);
    udp_bench_attach(&broken);
    udp_bench_attach(&to);
    rj_path_t path;
    rj_path_init(&path, &from, &to.local, false);
    uint8_t bytes[32] = {1};
    rj_run_t run = udp_bench_run_of(&path, bytes, 32, 32);
    cr_assert_eq(sender->ops->send(sender, &run, 1), 1);
    cr_assert_eq(udp_bench_poll_for(&to, BATCH), 1);
    rj_endpoint_t *endpoint = NULL;
    cr_assert_eq(receiver->ops->take_error(receiver, &endpoint), -EBADF);
    cr_assert_eq(endpoint, &broken);
    cr_assert_eq(receiver->ops->take_error(receiver, &endpoint), 0, "handed out once");
    receiver->ops->poll(receiver, packets, BATCH, 77);
    receiver->ops->detach(receiver, &broken, RJ_ATTACH_HOME);
    cr_assert_eq(receiver->ops->take_error(receiver, &endpoint), 0, "gone with its endpoint");
    udp_bench_close_endpoint(&from);
    udp_bench_close_endpoint(&to);
}

/* Sends one datagram to each endpoint and polls until all have come, a few packets at a time. */
static void expect_each_heard(rj_endpoint_t *to, int count, int polls_max, size_t per_poll)
{
    rj_endpoint_t from;
    udp_bench_open_endpoint(&from);
    uint8_t bytes[32] = {1};
    bool heard[ENDPOINTS] = {false};
    for (int i = 0; i < count; i++) {
        rj_path_t path;
        rj_path_init(&path, &from, &to[i].local, false);
        for (int copy = 0; copy < 8; copy++) {
            rj_run_t run = udp_bench_run_of(&path, bytes, 32, 32);
            cr_assert_eq(sender->ops->send(sender, &run, 1), 1);
            cr_assert_eq(run.result, 32);
        }
        udp_bench_await_input(&to[i]);
    }
    int heard_count = 0;
    for (int polls = 0; polls < polls_max; polls++) {
        const int got = receiver->ops->poll(receiver, packets, per_poll, 77);
        cr_assert_gt(got, 0);
        cr_assert_leq(got, (int)per_poll);
        for (int i = 0; i < got; i++) {
            const long index = (rj_endpoint_t *)packets[i].endpoint - to;
            heard_count += !heard[index];
            heard[index] = true;
        }
    }
    cr_assert_eq(heard_count, count, "every socket has its turn");
    while (receiver->ops->poll(receiver, packets, BATCH, 77) > 0)
        ;
    udp_bench_close_endpoint(&from);
}

Test(udp_mmsg, serves_all_sockets_before_one_is_empty)
{
    rj_endpoint_t to[4];
    for (int i = 0; i < 4; i++) {
        udp_bench_open_endpoint(&to[i]);
        udp_bench_attach(&to[i]);
    }
    expect_each_heard(to, 4, 4, 2);
    expect_each_heard(to, 4, 1, 4);
    for (int i = 0; i < 4; i++)
        udp_bench_close_endpoint(&to[i]);
}

Test(udp_mmsg, serves_many_sockets_and_goes_back_to_few)
{
    rj_endpoint_t to[ENDPOINTS];
    for (int i = 0; i < ENDPOINTS; i++) {
        udp_bench_open_endpoint(&to[i]);
        udp_bench_attach(&to[i]);
        cr_assert_eq(to[i].slot, i);
    }
    expect_each_heard(to, ENDPOINTS, 1, BATCH);
    expect_each_heard(to, ENDPOINTS, ENDPOINTS, 3);
    for (int i = ENDPOINTS - 1; i >= 3; i -= 2) {
        receiver->ops->detach(receiver, &to[i], RJ_ATTACH_HOME);
        cr_assert_eq(to[i].slot, -1);
    }
    for (int i = 4; i < ENDPOINTS; i += 2)
        receiver->ops->detach(receiver, &to[i], RJ_ATTACH_HOME);
    expect_each_heard(to, 3, 1, BATCH);
    for (int i = 0; i < ENDPOINTS; i++)
        udp_bench_close_endpoint(&to[i]);
}

Test(udp_mmsg, refuses_more_endpoints_than_it_was_opened_for)
{
    rj_endpoint_t endpoints[ENDPOINTS + 1];
    for (int i = 0; i <= ENDPOINTS; i++)
        udp_bench_open_endpoint(&endpoints[i]);
    for (int i = 0; i < ENDPOINTS; i++)
        udp_bench_attach(&endpoints[i]);
    cr_assert_eq(receiver->ops->attach(receiver, &endpoints[ENDPOINTS], RJ_ATTACH_HOME), -ENOSPC);
    cr_assert_eq(endpoints[ENDPOINTS].slot, -1);
    receiver->ops->detach(receiver, &endpoints[3], RJ_ATTACH_HOME);
    udp_bench_attach(&endpoints[ENDPOINTS]);
    for (int i = 0; i <= ENDPOINTS; i++)
        udp_bench_close_endpoint(&endpoints[i]);
}

Test(udp_mmsg, gives_no_more_packets_than_its_batch)
{
    rj_port_t *small = udp_bench_open_port("socket", 2, 1);
    rj_endpoint_t from;
    rj_endpoint_t to;
    udp_bench_open_endpoint(&from);
    udp_bench_open_endpoint(&to);
    cr_assert_eq(small->ops->attach(small, &to, RJ_ATTACH_HOME), 0);
    rj_path_t path;
    rj_path_init(&path, &from, &to.local, false);
    uint8_t bytes[96] = {1};
    rj_run_t run = udp_bench_run_of(&path, bytes, 96, 32);
    cr_assert_eq(sender->ops->send(sender, &run, 1), 1);
    udp_bench_await_input(&to);
    cr_assert_eq(small->ops->poll(small, packets, BATCH, 77), 2);
    cr_assert_eq(small->ops->poll(small, packets, BATCH, 77), 1);
    cr_assert_eq(small->ops->poll(small, packets, BATCH, 77), 0);
    small->ops->close(small);
    udp_bench_close_endpoint(&from);
    udp_bench_close_endpoint(&to);
}

Test(udp_mmsg, tells_when_the_kernel_had_a_datagram_where_that_is_wanted)
{
    const rj_address_t any_port = udp_bench_any_port();
    const rj_socket_params_t params = {.bind = any_port, .wants_media_time = true};
    rj_socket_info_t info;
    rj_err_t err;
    rj_endpoint_t from;
    rj_endpoint_t plain;
    cr_assert_eq(rj_sockets_kernel()->ops->open(rj_sockets_kernel(), &params, &info, &err), 0);
    cr_assert(info.has_media_time);
    rj_endpoint_t stamped = {
        .socket = info.socket, .local = info.local, .slot = -1, .wants_media_time = true};
    udp_bench_open_endpoint(&from);
    udp_bench_open_endpoint(&plain);
    udp_bench_attach(&stamped);
    udp_bench_attach(&plain);
    for (int round = 0; round < 2; round++) {
        rj_path_t path;
        uint8_t bytes[96] = {1};
        int64_t before_ns = rj_clock_epoch_ns();
        rj_path_init(&path, &from, &stamped.local, false);
        rj_run_t run = udp_bench_run_of(&path, bytes, 96, 32);
        cr_assert_eq(sender->ops->send(sender, &run, 1), 1);
        cr_assert_eq(udp_bench_poll_for(&stamped, BATCH), 3);
        int64_t after_ns = rj_clock_epoch_ns();
        for (int i = 0; i < 3; i++) {
            cr_assert_geq(packets[i].media_epoch_ns, before_ns);
            cr_assert_leq(packets[i].media_epoch_ns, after_ns);
        }
        rj_path_init(&path, &from, &plain.local, false);
        run = udp_bench_run_of(&path, bytes, 32, 32);
        cr_assert_eq(sender->ops->send(sender, &run, 1), 1);
        cr_assert_eq(udp_bench_poll_for(&plain, BATCH), 1);
        cr_assert_eq(packets[0].media_epoch_ns, 0);
    }
    udp_bench_close_endpoint(&from);
    udp_bench_close_endpoint(&plain);
    udp_bench_close_endpoint(&stamped);
}

Test(registry, names_what_it_refuses_and_what_there_is)
{
    const rj_port_params_t params = {.receive_batch = 1, .endpoint_max = 1};
    rj_port_t *port;
    rj_err_t err;
    cr_assert_eq(rj_port_open("pigeon", &params, &port, &err), -ENOENT);
    cr_assert_not_null(strstr(err.text, "pigeon"), "%s", err.text);
    cr_assert_not_null(strstr(err.text, "socket"), "%s", err.text);
}

Test(registry, refuses_a_batch_out_of_range)
{
    const rj_port_params_t params = {.receive_batch = 0, .endpoint_max = 1};
    rj_port_t *port;
    rj_err_t err;
    cr_assert_eq(rj_port_open("socket", &params, &port, &err), -EINVAL);
    cr_assert_not_null(strstr(err.text, "transport socket: "), "%s", err.text);
}

Test(registry, knows_rings_and_opens_none)
{
    const rj_port_params_t params = {.receive_batch = 1, .endpoint_max = 1};
    rj_port_t *port;
    rj_err_t err;
    cr_assert_eq(rj_port_check_built_in("xdp", &err), 0);
    cr_assert_eq(rj_port_open("xdp", &params, &port, &err), -EINVAL);
    cr_assert_eq(rj_port_check_built_in("pigeon", &err), -ENOENT);
    cr_assert_not_null(strstr(err.text, "pigeon"), "%s", err.text);
    cr_assert_not_null(strstr(err.text, " xdp"), "%s", err.text);
}
