/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel cuts and merges; on loopback what was cut stays one message on its way. */
#include "transport/udp_gso.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/fixtures/udp_bench.h"
#include "transport/registry.h"
#include "transport/udp_socket.h"

enum { BATCH = UDP_BENCH_BATCH, BYTES_MAX = 256 * 1024, RCVBUF = 4 << 20 };

static rj_packet_t *const packets = udp_bench.packets;
static uint8_t sent[BYTES_MAX];

/* What came, datagram by datagram. */
static struct {
    uint32_t lengths[1024];
    uint32_t count;
    uint8_t bytes[BYTES_MAX];
    uint32_t total;
    int messages;
} got;

static rj_endpoint_t from;
static rj_endpoint_t to;
static rj_path_t path;

/* Which option the kernel does not know. */
static int unknown_option = -1;

int setsockopt(int fd, int level, int option, const void *value, socklen_t length)
{
    if (level == SOL_UDP && option == unknown_option) {
        errno = ENOPROTOOPT;
        return -1;
    }
    return (int)syscall(SYS_setsockopt, fd, level, option, value, length);
}

static void open_endpoints(void)
{
    const rj_address_t any_port = udp_bench_any_port();
    udp_bench_open("gso");
    udp_bench_open_at(&from, &any_port, NULL, 0, 0);
    udp_bench_open_at(&to, &any_port, NULL, 0, RCVBUF);
    udp_bench_attach(&to);
    rj_path_init(&path, &from, &to.local, false);
    udp_bench_fill(sent, sizeof(sent), 3);
    memset(&got, 0, sizeof(got));
}

static void close_endpoints(void)
{
    udp_bench_close_endpoint(&from);
    udp_bench_close_endpoint(&to);
    udp_bench_close();
}

TestSuite(udp_gso, .init = open_endpoints, .fini = close_endpoints);

static const rj_port_stats_t *stats(const rj_port_t *port)
{
    return port->ops->stats(port);
}

static int send_runs(rj_run_t *runs, size_t count)
{
    return udp_bench.sender->ops->send(udp_bench.sender, runs, count);
}

static void take(const rj_packet_t *packet)
{
    rj_packet_t datagram;
    for (uint32_t at = 0; rj_packet_next(packet, &at, &datagram); got.count++) {
        cr_assert_leq(got.total + datagram.length_bytes, sizeof(got.bytes));
        memcpy(got.bytes + got.total, datagram.data, datagram.length_bytes);
        got.total += datagram.length_bytes;
        got.lengths[got.count] = datagram.length_bytes;
    }
}

/* Reads until so many bytes have come. */
static void receive_bytes(uint32_t bytes)
{
    while (got.total < bytes) {
        const int count = udp_bench_poll_for(&to, BATCH);
        cr_assert_gt(count, 0);
        for (int i = 0; i < count; i++) {
            cr_assert_eq(packets[i].endpoint, &to);
            cr_assert_eq(packets[i].receive_time_ns, UDP_BENCH_NOW_NS);
            cr_assert(rj_address_equal(&packets[i].source, &from.local));
            take(&packets[i]);
        }
        got.messages += count;
    }
    cr_assert_eq(got.total, bytes);
}

/* Sends one run and expects each of its datagrams. */
static void expect_cut(uint32_t total, uint32_t segment)
{
    rj_run_t run = udp_bench_run_of(&path, sent, total, segment);
    cr_assert_eq(send_runs(&run, 1), 1);
    cr_assert_eq(run.result, (int32_t)total);
    receive_bytes(total);
    cr_assert_eq(got.count, (total + segment - 1) / segment);
    for (uint32_t i = 0; i < got.count; i++)
        cr_expect_eq(got.lengths[i], i + 1 < got.count ? segment : total - i * segment);
    cr_assert_arr_eq(got.bytes, sent, total);
}

Test(udp_gso, cuts_a_run_into_datagrams_of_which_the_last_is_shorter)
{
    expect_cut(1000, 300);
    cr_expect_eq(got.messages, 1, "merged all the way");
    cr_expect_eq(packets[0].segment_bytes, 300);
    cr_expect_eq(udp_bench.send_calls, 1);
    cr_expect_eq(udp_bench.call_messages[0], 1);
    cr_expect_eq(udp_bench.call_segments[0], 300);
    cr_expect_eq(stats(udp_bench.sender)->sent_datagrams, 4);
    cr_expect_eq(stats(udp_bench.sender)->sent_segmented, 1);
    cr_expect_eq(stats(udp_bench.sender)->send_calls, 1);
    cr_expect_eq(stats(udp_bench.receiver)->received_datagrams, 4);
    cr_expect_eq(stats(udp_bench.receiver)->received_merged, 1);
    cr_expect_eq(stats(udp_bench.receiver)->receive_calls, 1);
}

Test(udp_gso, leaves_a_datagram_alone_that_is_alone)
{
    expect_cut(300, 300);
    cr_expect_eq(packets[0].segment_bytes, 0);
    cr_expect_eq(udp_bench.call_segments[0], 0);
    cr_expect_eq(stats(udp_bench.receiver)->received_merged, 0);
}

Test(udp_gso, puts_no_more_into_a_message_than_64_datagrams)
{
    expect_cut(300 * 64, 64);
    cr_expect_eq(got.messages, 5);
    cr_expect_eq(udp_bench.send_calls, 1);
    cr_expect_eq(udp_bench.call_messages[0], 5);
}

Test(udp_gso, puts_no_more_into_a_message_than_a_packet_can_hold)
{
    expect_cut(64 * 1408, 1408);
    cr_expect_eq(got.messages, 2);
    cr_expect_eq(udp_bench.call_messages[0], 2);
}

Test(udp_gso, sends_datagrams_singly_of_which_no_two_fit_into_a_message)
{
    expect_cut(2 * 40000, 40000);
    cr_expect_eq(stats(udp_bench.sender)->sent_segmented, 0);
}

Test(udp_gso, puts_neighbouring_runs_of_one_size_for_one_address_into_one_message)
{
    rj_path_t same;
    rj_path_init(&same, &from, &to.local, false);
    rj_run_t runs[] = {
        udp_bench_run_of(&path, sent, 300, 100),
        udp_bench_run_of(&same, sent + 1000, 100, 100),
        udp_bench_run_of(&path, sent + 2000, 250, 100), /* ends the message */
        udp_bench_run_of(&path, sent + 3000, 40, 40),
        udp_bench_run_of(&path, sent + 4000, 40, 40),
        udp_bench_run_of(&path, sent + 5000, 30, 30), /* the last of the second */
        udp_bench_run_of(&path, sent + 6000, 60, 60),
    };
    static const uint32_t lengths[] = {100, 100, 100, 100, 100, 100, 50, 40, 40, 30, 60};
    cr_assert_eq(send_runs(runs, 7), 7);
    uint32_t total = 0;
    for (int i = 0; i < 7; i++) {
        cr_expect_eq(runs[i].result, (int32_t)runs[i].total_bytes);
        cr_expect_eq(runs[i].number, (uint64_t)i);
        total += runs[i].total_bytes;
    }
    receive_bytes(total);
    cr_assert_eq(got.count, sizeof(lengths) / sizeof(lengths[0]));
    cr_expect_arr_eq(got.lengths, lengths, sizeof(lengths));
    uint32_t at = 0;
    for (int i = 0; i < 7; i++, at += runs[i - 1].total_bytes)
        cr_expect_arr_eq(got.bytes + at, runs[i].start, runs[i].total_bytes);
    cr_expect_eq(udp_bench.send_calls, 1);
    cr_expect_eq(udp_bench.call_messages[0], 3);
    cr_expect_eq(got.messages, 3);
}

Test(udp_gso, keeps_messages_for_different_addresses_and_sockets_apart)
{
    rj_endpoint_t other;
    rj_endpoint_t from_other;
    const rj_address_t any_port = udp_bench_any_port();
    udp_bench_open_endpoint(&other);
    udp_bench_open_at(&from_other, &any_port, &to.local, 0, 0);
    rj_path_t paths[3] = {path};
    rj_path_init(&paths[1], &from, &other.local, false);
    rj_path_init(&paths[2], &from_other, &to.local, true);
    rj_run_t runs[6];
    for (int i = 0; i < 6; i++)
        runs[i] = udp_bench_run_of(&paths[i / 2], sent, 100, 100);
    cr_assert_eq(send_runs(runs, 6), 6);
    for (int i = 0; i < 6; i++)
        cr_expect_eq(runs[i].result, 100);
    cr_expect_eq(udp_bench.send_calls, 2, "one for each socket");
    cr_expect_eq(udp_bench.call_messages[0], 2);
    cr_expect_eq(udp_bench.call_messages[1], 1);
    cr_expect_eq(stats(udp_bench.sender)->sent_datagrams, 6);
    cr_expect_eq(stats(udp_bench.sender)->sent_segmented, 3);
    udp_bench_close_endpoint(&other);
    udp_bench_close_endpoint(&from_other);
}

Test(udp_gso, carries_mixed_sizes_and_the_longest_in_order)
{
    static const uint32_t sizes[] = {1408, 65504, 32, 1408, 8192};
    static const uint32_t counts[] = {20, 1, 9, 3, 5};
    rj_run_t runs[5];
    uint32_t at = 0;
    for (int i = 0; i < 5; i++) {
        runs[i] = udp_bench_run_of(&path, sent + at, sizes[i] * counts[i], sizes[i]);
        at += runs[i].total_bytes;
    }
    cr_assert_eq(send_runs(runs, 5), 5);
    receive_bytes(at);
    cr_assert_arr_eq(got.bytes, sent, at);
    uint32_t n = 0;
    for (int i = 0; i < 5; i++)
        for (uint32_t k = 0; k < counts[i]; k++)
            cr_assert_eq(got.lengths[n++], sizes[i]);
    cr_assert_eq(got.count, n);
}

Test(udp_gso, carries_more_in_one_call_than_its_batch_holds)
{
    static rj_run_t runs[600];
    for (int i = 0; i < 600; i++)
        runs[i] = udp_bench_run_of(&path, sent + i * 64, i % 2 != 0 ? 48 : 64, 64);
    cr_assert_eq(send_runs(runs, 600), 600);
    for (int i = 0; i < 600; i++)
        cr_assert_eq(runs[i].result, i % 2 != 0 ? 48 : 64);
    receive_bytes(300 * (48 + 64));
    cr_expect_gt(udp_bench.send_calls, 1);
}

Test(udp_gso, cuts_and_merges_over_ipv6)
{
    rj_address_t any_port;
    if (!udp_bench_any_port6(&any_port))
        cr_skip_test("no IPv6 on this machine");
    udp_bench.receiver->ops->detach(udp_bench.receiver, &to, RJ_ATTACH_HOME);
    close_endpoints();
    udp_bench_open("gso");
    udp_bench_open_at(&to, &any_port, NULL, 0, RCVBUF);
    udp_bench_open_at(&from, &any_port, &to.local, 1 << 20, 0);
    udp_bench_attach(&to);
    rj_path_init(&path, &from, &to.local, true);
    expect_cut(50 * 1408 + 64, 1408);
    cr_expect_eq(got.messages, 2);
}

Test(udp_gso, cuts_what_goes_to_a_group_for_every_member)
{
    static const uint8_t loopback[4] = {127, 0, 0, 1};
    static const uint8_t group[4] = {239, 77, 5, 2};
    rj_socket_params_t params = {.bind = rj_address_ipv4(group, 20177),
                                 .group = {.address = rj_address_ipv4(group, 20177),
                                           .interface = rj_address_ipv4(loopback, 0),
                                           .interface_index = 1,
                                           .ttl = 1},
                                 .rcvbuf_bytes = RCVBUF};
    rj_endpoint_t members[2];
    rj_err_t err;
    for (int i = 0; i < 2; i++) {
        rj_socket_info_t info;
        cr_assert_eq(rj_sockets_kernel()->ops->open(rj_sockets_kernel(), &params, &info, &err), 0,
                     "%s", err.text);
        members[i] = (rj_endpoint_t){.socket = info.socket, .local = info.local, .slot = -1};
        udp_bench_attach(&members[i]);
    }
    rj_path_init(&path, &members[0], &params.group.address, false);
    rj_run_t run = udp_bench_run_of(&path, sent, 1000, 300);
    cr_assert_eq(send_runs(&run, 1), 1);
    cr_assert_eq(run.result, 1000);
    uint32_t bytes[2] = {0, 0};
    udp_bench_await_input(&members[1]);
    const int count = udp_bench_poll_for(&members[0], BATCH);
    for (int i = 0; i < count; i++) {
        cr_expect_eq(packets[i].segment_bytes, 300);
        cr_expect_arr_eq(packets[i].data, sent, packets[i].length_bytes);
        bytes[packets[i].endpoint == &members[1]] += packets[i].length_bytes;
    }
    cr_expect_eq(bytes[0], 1000);
    cr_expect_eq(bytes[1], 1000);
    for (int i = 0; i < 2; i++)
        udp_bench_close_endpoint(&members[i]);
}

Test(udp_gso, tells_when_the_kernel_had_what_it_merged)
{
    const rj_address_t any_port = udp_bench_any_port();
    const rj_socket_params_t params = {.bind = any_port, .wants_media_time = true};
    rj_socket_info_t info;
    rj_endpoint_t stamped;
    cr_assert_eq(rj_sockets_kernel()->ops->open(rj_sockets_kernel(), &params, &info, NULL), 0);
    stamped = (rj_endpoint_t){
        .socket = info.socket, .local = info.local, .slot = -1, .wants_media_time = true};
    udp_bench_attach(&stamped);
    rj_path_init(&path, &from, &stamped.local, false);
    const int64_t before_ns = rj_clock_epoch_ns();
    for (int i = 0; i < 2; i++) {
        rj_run_t run = udp_bench_run_of(&path, sent, i == 0 ? 900 : 300, 300);
        cr_assert_eq(send_runs(&run, 1), 1);
    }
    cr_assert_eq(udp_bench_poll_for(&stamped, BATCH), 2);
    cr_expect_eq(packets[0].segment_bytes, 300);
    cr_expect_eq(packets[1].segment_bytes, 0);
    for (int i = 0; i < 2; i++) {
        cr_expect_geq(packets[i].media_epoch_ns, before_ns);
        cr_expect_leq(packets[i].media_epoch_ns, rj_clock_epoch_ns());
    }
    udp_bench_close_endpoint(&stamped);
}

/* As a socket has it that was another port's before. */
Test(udp_gso, has_its_sockets_merge_only_while_they_are_attached)
{
    rj_port_t *const receiver = udp_bench.receiver;
    rj_port_t *plain = udp_bench_open_port("socket", BATCH, 1);
    receiver->ops->detach(receiver, &to, RJ_ATTACH_HOME);
    cr_assert_eq(plain->ops->attach(plain, &to, RJ_ATTACH_HOME), 0);
    rj_run_t run = udp_bench_run_of(&path, sent, 1000, 300);
    cr_assert_eq(send_runs(&run, 1), 1);
    udp_bench_await_input(&to);
    cr_assert_eq(plain->ops->poll(plain, packets, BATCH, 77), 4);
    for (uint32_t i = 0; i < 4; i++) {
        cr_expect_eq(packets[i].length_bytes, i < 3 ? 300 : 100);
        cr_expect_arr_eq(packets[i].data, sent + 300 * i, packets[i].length_bytes);
    }
    plain->ops->close(plain);
}

Test(udp_gso, reads_fewer_messages_at_a_time_while_they_are_long)
{
    enum { MESSAGES = 12 };
    for (int i = 0; i < MESSAGES; i++) {
        rj_run_t run = udp_bench_run_of(&path, sent, 40 * 1408, 1408);
        cr_assert_eq(send_runs(&run, 1), 1);
    }
    cr_assert_eq(udp_bench_poll_for(&to, 2), 2);
    const int some = udp_bench_poll_for(&to, BATCH);
    cr_assert_gt(some, 0);
    cr_assert_lt(some, MESSAGES - 2, "what a core's cache holds");
    cr_expect(udp_bench.receiver->has_more);
    int rest = MESSAGES - 2 - some;
    while (rest > 0)
        rest -= udp_bench_poll_for(&to, BATCH);
    cr_assert_eq(rest, 0);
    for (int i = 0; i < 2 * MESSAGES; i++) {
        rj_run_t run = udp_bench_run_of(&path, sent, 64, 64);
        cr_assert_eq(send_runs(&run, 1), 1);
    }
    int all = udp_bench_poll_for(&to, BATCH);
    cr_assert_eq(udp_bench_poll_for(&to, BATCH) + all, 2 * MESSAGES, "short ones all at once");
    cr_expect_not(udp_bench.receiver->has_more);
}

/* --- what the kernel would not --- */

static void expect_singly(int code)
{
    const int script[] = {code, 0};
    udp_bench.send_script = script;
    rj_run_t runs[2] = {udp_bench_run_of(&path, sent, 900, 300),
                        udp_bench_run_of(&path, sent + 900, 300, 300)};
    cr_assert_eq(send_runs(runs, 2), 2);
    udp_bench.send_script = NULL;
    cr_expect_eq(runs[0].result, 900);
    cr_expect_eq(runs[1].result, 300);
    cr_expect_eq(stats(udp_bench.sender)->segment_refused, 1);
    cr_expect_eq(stats(udp_bench.sender)->sent_segmented, 0);
    cr_expect_eq(stats(udp_bench.sender)->sent_datagrams, 4);
    receive_bytes(1200);
    cr_expect_eq(got.messages, 4);
    cr_expect_arr_eq(got.bytes, sent, 1200);
    cr_expect_eq(udp_bench.send_calls, 2);
}

/* Sends three datagrams; whether they left as one message. */
static bool leaves_as_one(const rj_path_t *to_path, uint32_t segment)
{
    const uint64_t before = stats(udp_bench.sender)->sent_segmented;
    rj_run_t run = udp_bench_run_of(to_path, sent, 3 * segment, segment);
    cr_assert_eq(send_runs(&run, 1), 1);
    cr_assert_eq(run.result, (int32_t)(3 * segment));
    return stats(udp_bench.sender)->sent_segmented > before;
}

static void pass_time(int64_t now_ns)
{
    udp_bench.sender->ops->poll(udp_bench.sender, packets, BATCH, now_ns);
}

Test(udp_gso, sends_singly_what_is_too_long_for_the_path_and_remembers)
{
    rj_endpoint_t other;
    rj_path_t other_path;
    udp_bench_open_endpoint(&other);
    rj_path_init(&other_path, &from, &other.local, false);
    expect_singly(-EINVAL);
    cr_expect_not(leaves_as_one(&path, 300));
    cr_expect_not(leaves_as_one(&path, 301), "longer ones neither");
    cr_expect(leaves_as_one(&path, 299), "shorter ones may fit");
    cr_expect(leaves_as_one(&other_path, 300), "another path");
    pass_time(1001 * 1000 * 1000);
    cr_expect(leaves_as_one(&path, 300), "paths change");
    udp_bench_close_endpoint(&other);
}

Test(udp_gso, sends_singly_what_is_told_to_be_too_long)
{
    expect_singly(-EMSGSIZE);
}

Test(udp_gso, sends_singly_what_no_device_would_cut)
{
    expect_singly(-EIO);
    cr_expect_not(leaves_as_one(&path, 299), "whatever its length");
}

Test(udp_gso, goes_on_where_a_message_of_a_long_run_was_refused)
{
    static const int script[] = {1, -EINVAL, 0};
    udp_bench.send_script = script;
    expect_cut(150 * 64, 64);
    cr_expect_eq(got.messages, 1 + 86, "what was sent before is not sent again");
}

Test(udp_gso, tells_every_run_of_a_message_that_failed_and_no_other)
{
    static const int script[] = {1, -EPERM, 0};
    udp_bench.send_script = script;
    rj_run_t runs[5] = {
        udp_bench_run_of(&path, sent, 350, 100), udp_bench_run_of(&path, sent, 100, 100),
        udp_bench_run_of(&path, sent, 100, 100), udp_bench_run_of(&path, sent, 150, 100),
        udp_bench_run_of(&path, sent, 100, 100)};
    cr_assert_eq(send_runs(runs, 5), 5);
    cr_expect_eq(runs[0].result, 350);
    for (int i = 1; i < 4; i++)
        cr_expect_eq(runs[i].result, -EPERM);
    cr_expect_eq(runs[4].result, 100);
}

Test(udp_gso, credits_whole_datagrams_of_each_run_when_the_queue_is_full)
{
    static const int script[] = {1, -EAGAIN, 0};
    udp_bench.send_script = script;
    rj_run_t runs[3] = {udp_bench_run_of(&path, sent, 40 * 64, 64),
                        udp_bench_run_of(&path, sent, 40 * 64, 64),
                        udp_bench_run_of(&path, sent, 64, 64)};
    cr_assert_eq(send_runs(runs, 3), 3);
    cr_expect_eq(runs[0].result, 40 * 64);
    cr_expect_eq(runs[1].result, 24 * 64, "64 datagrams in the message that went");
    cr_expect_eq(runs[2].result, 0);
    cr_expect_eq(stats(udp_bench.sender)->short_sends, 1);
    receive_bytes(64 * 64);
}

Test(udp_gso, is_refused_by_a_kernel_that_lacks_a_half_of_it)
{
    static const int options[] = {UDP_SEGMENT, UDP_GRO};
    static const char *const names[] = {"UDP_SEGMENT", "UDP_GRO"};
    const rj_port_params_t params = {.receive_batch = 1, .endpoint_max = 1};
    for (int i = 0; i < 2; i++) {
        rj_port_t *port;
        rj_err_t err;
        unknown_option = options[i];
        cr_expect_eq(rj_port_open("gso", &params, &port, &err), -EOPNOTSUPP);
        cr_expect_not_null(strstr(err.text, names[i]), "%s", err.text);
        cr_expect_not_null(strstr(err.text, "use socket"), "%s", err.text);
    }
    unknown_option = -1;
}
