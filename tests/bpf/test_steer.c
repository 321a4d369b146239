/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's steering program by rows of frame and verdict, and against the user-space build of
 * the same decision. A veth of four queues in a namespace of its own stands for the interface; the
 * sockets in rj_xsks have a ring and are not bound, for a test run sends nothing on. */
#include <steer.skel.h>

#include <bpf/bpf.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/prng.h"
#include "tests/fixtures/bpf_object.h"
#include "tests/fixtures/steer_bpf.h"

enum { PASS = 2, DROP = 1, TX = 3, REDIRECT = 4, LEAST_FRAME_BYTES = 14 };

static struct steer *skeleton;
static int ifindex;
static uint8_t in[STEER_FRAME_BYTES_MAX];
static uint8_t out[STEER_FRAME_BYTES_MAX];

static void put_config(const struct rj_xdp_config *config)
{
    const uint32_t zero = 0;
    steer_put(skeleton->maps.rj_config, &zero, sizeof(zero), config, sizeof(*config));
}

static void put_socket(uint32_t queue)
{
    const int descriptors = 64;
    int fd = socket(AF_XDP, SOCK_RAW, 0);
    cr_assert_geq(fd, 0);
    cr_assert_eq(setsockopt(fd, SOL_XDP, XDP_RX_RING, &descriptors, sizeof(descriptors)), 0);
    steer_put(skeleton->maps.rj_xsks, &queue, sizeof(queue), &fd, sizeof(fd));
}

static void put_rules(void)
{
    steer_put_rules(skeleton->maps.rj_config, skeleton->maps.rj_channels, skeleton->maps.rj_streams,
                    skeleton->maps.rj_queues);
    for (uint32_t i = 0; i < STEER_QUEUES; i++)
        put_socket(i);
}

static void load(void)
{
    cr_assert_eq(unshare(CLONE_NEWNET), 0, "needs root: %s", strerror(errno));
    cr_assert_eq(system("ip link add rj0 numrxqueues 4 numtxqueues 4 type veth peer name rj1"), 0);
    ifindex = (int)if_nametoindex("rj0");
    cr_assert_gt(ifindex, 0);
    RJ_BPF_OPEN(skeleton, steer);
    cr_assert_eq(steer__load(skeleton), 0);
    put_rules();
}

static void unload(void)
{
    steer__destroy(skeleton);
}

TestSuite(steer, .init = load, .fini = unload, .timeout = 120);

static struct rj_stream_count read_stream(uint32_t index)
{
    static struct rj_stream_count counts[STEER_CPUS_MAX];
    uint64_t sum[sizeof(struct rj_stream_count) / sizeof(uint64_t)] = {0};
    struct rj_stream_count ret;
    int cpus = libbpf_num_possible_cpus();
    cr_assert_eq(bpf_map__lookup_elem(skeleton->maps.rj_stream_stats, &index, sizeof(index), counts,
                                      sizeof(counts[0]) * (size_t)cpus, 0),
                 0);
    for (int i = 0; i < cpus; i++)
        for (size_t at = 0; at < sizeof(sum) / sizeof(sum[0]); at++)
            sum[at] += ((uint64_t *)&counts[i])[at];
    memcpy(&ret, sum, sizeof(ret));
    return ret;
}

/* Sends `in` through the program, which leaves it in `out`. */
static uint32_t run(uint32_t length, uint32_t queue)
{
    struct xdp_md context = {
        .data_end = length, .ingress_ifindex = (uint32_t)ifindex, .rx_queue_index = queue};
    LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in, .data_size_in = length, .data_out = out,
                .data_size_out = sizeof(out), .ctx_in = &context, .ctx_size_in = sizeof(context),
                .repeat = 1);
    int error = bpf_prog_test_run_opts(bpf_program__fd(skeleton->progs.rj_steer), &opts);
    cr_assert_eq(error, 0, "%s", strerror(-error));
    cr_assert_eq(opts.data_size_out, length);
    return opts.retval;
}

static uint32_t action_of(uint32_t reason)
{
    switch (reason) {
    case RJ_XDP_REDIRECTED_DATA:
    case RJ_XDP_REDIRECTED_CONTROL:
    case RJ_XDP_REDIRECTED_DEFAULT:
        return REDIRECT;
    case RJ_XDP_DROPPED:
        return DROP;
    case RJ_XDP_ECHOED:
        return TX;
    default:
        return PASS;
    }
}

/* Nothing but that reason and that counter has counted this one frame. */
static void expect_counts(const char *what, uint32_t reason, uint32_t counter_index,
                          uint32_t length, const struct rj_stream_count *before)
{
    static struct rj_count told[RJ_XDP_REASON_COUNT];
    told[reason].packets++;
    told[reason].bytes += length;
    for (uint32_t i = 0; i < RJ_XDP_REASON_COUNT; i++) {
        struct rj_count count = steer_count_of(skeleton->maps.rj_stats, i);
        cr_assert_eq(count.packets, told[i].packets, "%s: packets of reason %u", what, i);
        cr_assert_eq(count.bytes, told[i].bytes, "%s: bytes of reason %u", what, i);
    }
    if (counter_index >= RJ_XDP_COUNTERS_MAX)
        return;
    struct rj_stream_count expected = *before;
    struct rj_stream_count after = read_stream(counter_index);
    uint32_t action = action_of(reason);
    struct rj_count *one = action == REDIRECT ? &expected.redirected
                           : action == DROP   ? &expected.dropped
                           : action == TX     ? &expected.echoed
                                              : &expected.passed;
    if (counter_index != RJ_XDP_COUNTER_NONE) {
        one->packets++;
        one->bytes += length;
    }
    cr_assert_eq(memcmp(&after, &expected, sizeof(after)), 0, "%s: counter %u", what,
                 counter_index);
}

static void run_row(const steer_row_t *row)
{
    struct rj_stream_count before = {0};
    uint32_t length = steer_frame_build(&row->frame, false, in);
    if (row->counter_index < RJ_XDP_COUNTERS_MAX)
        before = read_stream(row->counter_index);
    uint32_t action = run(length, row->frame.queue);
    cr_assert_eq(action, action_of(row->reason), "%s: action %u", row->what, action);
    expect_counts(row->what, row->reason, row->counter_index, length, &before);
    if (action != TX)
        cr_assert_arr_eq(out, in, length, "%s: has other bytes", row->what);
}

static void run_rows(const steer_row_t *rows)
{
    for (const steer_row_t *row = rows; row->what != NULL; row++)
        run_row(row);
}

Test(steer, judges_the_link_layer)
{
    run_rows(steer_link_rows);
}

Test(steer, judges_ip)
{
    run_rows(steer_ip_rows);
}

Test(steer, judges_udp)
{
    run_rows(steer_udp_rows);
}

Test(steer, judges_frames_of_aeron)
{
    run_rows(steer_aeron_rows);
}

Test(steer, judges_by_the_rules)
{
    run_rows(steer_verdict_rows);
}

Test(steer, lets_a_frame_pass_whose_queue_lost_its_socket)
{
    const uint32_t queue = 1;
    cr_assert_eq(bpf_map__delete_elem(skeleton->maps.rj_xsks, &queue, sizeof(queue), 0), 0);
    run_row(&(steer_row_t){"data without a socket", {.queue = queue}, RJ_XDP_PASS_NO_QUEUE, 101});
    run_row(&(steer_row_t){"control without a socket",
                           {.queue = queue, .kind = STEER_SM, .port = 40007},
                           RJ_XDP_PASS_NO_QUEUE,
                           11});
}

Test(steer, lets_everything_pass_by_maps_of_another_version)
{
    struct rj_xdp_config config = steer_config;
    config.abi_version++;
    put_config(&config);
    for (size_t t = 0; t < steer_table_count; t++) {
        for (const steer_row_t *row = steer_tables[t]; row->what != NULL; row++) {
            steer_row_t other = *row;
            other.reason = RJ_XDP_PASS_VERSION;
            other.counter_index = 0;
            run_row(&other);
        }
    }
}

Test(steer, follows_the_address_of_the_interface)
{
    struct rj_xdp_config config = steer_config;
    config.mac[5] = 9;
    put_config(&config);
    run_row(&(steer_row_t){"the old address", {0}, RJ_XDP_PASS_OTHER_HOST, 0});
}

/* What a frame becomes with that sum in it is what it would be with the other one. */
static void expect_echo(const char *what, steer_frame_t frame, steer_sum_t sum_after)
{
    static uint8_t expected[STEER_FRAME_BYTES_MAX];
    uint32_t length = steer_frame_build(&frame, false, in);
    cr_assert_eq(run(length, 0), TX, "%s", what);
    frame.sum = sum_after;
    cr_assert_eq(steer_frame_build(&frame, true, expected), length);
    for (uint32_t i = 0; i < length; i++)
        cr_assert_eq(out[i], expected[i], "%s: byte %u of %u is %02x, not %02x", what, i, length,
                     out[i], expected[i]);
}

/* Setups may have any length; every remainder of a piece of the sum comes up, and several
 * buffers. */
static const uint32_t echo_bytes[] = {40,  41,  42,  43,   246,  247,  248,  249,  250, 255,
                                      256, 504, 505, 1344, 1345, 3000, 4000, 8960, 9001};

static void expect_echoes(bool is_generic)
{
    static const steer_sum_t after_ipv4[] = {STEER_SUM_WHOLE, STEER_SUM_NONE, STEER_SUM_NONE,
                                             STEER_SUM_BAD};
    static const steer_sum_t after_ipv6[] = {STEER_SUM_WHOLE, STEER_SUM_WHOLE, STEER_SUM_NONE,
                                             STEER_SUM_BAD};
    struct rj_xdp_config config = steer_config;
    config.flags = is_generic ? RJ_XDP_GENERIC : 0;
    put_config(&config);
    for (size_t i = 0; i < sizeof(echo_bytes) / sizeof(echo_bytes[0]); i++) {
        for (steer_sum_t sum = STEER_SUM_WHOLE; sum <= STEER_SUM_BAD; sum++) {
            steer_frame_t frame = {
                .kind = STEER_SETUP, .stream_id = 1004, .payload_bytes = echo_bytes[i], .sum = sum};
            expect_echo("IPv4", frame, is_generic ? sum : after_ipv4[sum]);
            frame.words = 13;
            expect_echo("IPv4 with options", frame, is_generic ? sum : after_ipv4[sum]);
            frame.tag_count = 1;
            expect_echo("IPv4 with a tag", frame, is_generic ? sum : after_ipv4[sum]);
            frame.is_ipv6 = true;
            expect_echo("IPv6 with a tag", frame, is_generic ? sum : after_ipv6[sum]);
            frame.tag_count = 0;
            expect_echo("IPv6", frame, is_generic ? sum : after_ipv6[sum]);
        }
    }
}

Test(steer, turns_an_echo_round_with_its_sum_finished)
{
    expect_echoes(false);
}

Test(steer, leaves_an_unfinished_sum_alone_in_generic_mode)
{
    expect_echoes(true);
}

/* A sum that comes out as 0 is sent as its other form, for 0 says that there is none. */
Test(steer, never_finishes_a_sum_as_none)
{
    enum { SUM = 14 + 40 + 6 };
    steer_frame_t frame = {
        .is_ipv6 = true, .kind = STEER_SETUP, .stream_id = 1004, .session_id = 1};
    for (; frame.session_id < 0x10000; frame.session_id++) {
        steer_frame_build(&frame, false, in);
        if (in[SUM] == 0xff && in[SUM + 1] == 0xff)
            break;
    }
    cr_assert_lt(frame.session_id, 0x10000);
    frame.sum = STEER_SUM_UNFINISHED;
    expect_echo("a sum of ones", frame, STEER_SUM_WHOLE);
}

/* The sum of an IPv4 header carries over when a hop is taken off. */
Test(steer, keeps_the_sum_of_every_ipv4_header_right)
{
    for (uint32_t hops = 2; hops < 256; hops++)
        for (uint8_t words = 5; words < 16; words += 5)
            expect_echo("IPv4",
                        (steer_frame_t){.port = 40005, .hops = (uint8_t)hops, .words = words},
                        STEER_SUM_WHOLE);
}

/* Frames with a few wrong bytes, cut somewhere, on any queue. */
Test(steer, decides_as_the_user_space_build_does)
{
    enum { FRAMES = 30000 };
    uint64_t told[RJ_XDP_REASON_COUNT] = {0};
    rj_prng_t prng;
    rj_prng_init(&prng, 4);
    for (uint32_t frame = 0; frame < FRAMES; frame++) {
        const steer_row_t *rows = steer_tables[rj_prng_below(&prng, steer_table_count)];
        uint32_t count = 0;
        while (rows[count].what != NULL)
            count++;
        const steer_row_t *row = &rows[rj_prng_below(&prng, count)];
        uint32_t length = steer_frame_build(&row->frame, false, in);
        uint32_t queue = (uint32_t)rj_prng_below(&prng, STEER_QUEUES);
        uint32_t reach = length < 110 ? length : 110;
        for (uint64_t changes = rj_prng_below(&prng, 4); changes > 0; changes--)
            in[rj_prng_below(&prng, reach)] ^= (uint8_t)(1U << rj_prng_below(&prng, 8));
        if (rj_prng_chance(&prng, 0.2))
            length = (uint32_t)rj_prng_between(&prng, LEAST_FRAME_BYTES, length);
        steer_decision_t decision = steer_decide_plainly(in, length, length, queue, &steer_config);
        told[decision.reason]++;
        uint32_t action = run(length, queue);
        cr_assert_eq(action, action_of(decision.reason), "frame %u of \"%s\": %u, reason %u", frame,
                     row->what, action, decision.reason);
    }
    for (uint32_t i = 0; i < RJ_XDP_REASON_COUNT; i++) {
        cr_assert_eq(steer_count_of(skeleton->maps.rj_stats, i).packets, told[i], "reason %u", i);
        cr_assert(told[i] > 0 || i == RJ_XDP_PASS_VERSION, "reason %u never came up", i);
    }
}
