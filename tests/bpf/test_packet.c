/* SPDX-License-Identifier: Apache-2.0 */
/* The two programs of packet sockets by the rows of frame and verdict that the XDP program has: the
 * tap accepts what the ingress drops and user space gets, and nothing else. Test runs know no queue
 * but the first: rows of others are left out, as are the shortest frames and the longest. */
#include <packet.skel.h>

#include <bpf/bpf.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "tests/fixtures/bpf_object.h"
#include "tests/fixtures/steer_bpf.h"

enum {
    NEXT = -1,
    DROP = 2,
    ETHERNET_BYTES = 14,
    RUN_BYTES_MIN = 54, /* what a test run takes: no less than the IP header it begins with */
    RUN_BYTES_MAX = 3500,
};

static struct packet *skeleton;
/* A test run of a socket filter takes an Ethernet header off, of which a tap knows nothing. */
static uint8_t bytes[ETHERNET_BYTES + STEER_FRAME_BYTES_MAX];
static uint8_t *const frame = bytes + ETHERNET_BYTES;

static void load(void)
{
    RJ_BPF_OPEN(skeleton, packet);
    cr_assert_eq(packet__load(skeleton), 0);
    steer_put_rules(skeleton->maps.rj_config, skeleton->maps.rj_channels, skeleton->maps.rj_streams,
                    skeleton->maps.rj_queues);
}

static void unload(void)
{
    packet__destroy(skeleton);
}

TestSuite(packet, .init = load, .fini = unload, .timeout = 120);

static int run(const struct bpf_program *program, void *data, uint32_t length, uint32_t gso_size)
{
    struct __sk_buff context = {.gso_size = gso_size, .gso_segs = gso_size != 0 ? 2 : 0};
    LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = data, .data_size_in = length,
                .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = 1);
    int error = bpf_prog_test_run_opts(bpf_program__fd(program), &opts);
    cr_assert_eq(error, 0, "%u bytes: %s", length, strerror(-error));
    return (int)opts.retval;
}

static void expect(const char *what, uint32_t length, uint32_t gso_size, uint32_t reason)
{
    const struct rj_count before = steer_count_of(skeleton->maps.rj_stats, reason);
    const bool is_user = reason == RJ_XDP_REDIRECTED_DATA || reason == RJ_XDP_REDIRECTED_CONTROL ||
                         reason == RJ_XDP_REDIRECTED_DEFAULT;
    const int accepted =
        run(skeleton->progs.rj_packet_tap, bytes, ETHERNET_BYTES + length, gso_size);
    cr_assert_eq(accepted, is_user ? (int)length : 0, "%s: the tap accepts %d", what, accepted);
    const int action = run(skeleton->progs.rj_packet_in, frame, length, gso_size);
    cr_assert_eq(action, is_user || reason == RJ_XDP_DROPPED ? DROP : NEXT, "%s: action %d", what,
                 action);
    const struct rj_count after = steer_count_of(skeleton->maps.rj_stats, reason);
    cr_assert_eq(after.packets, before.packets + 1, "%s: counted once, and for that", what);
    cr_assert_eq(after.bytes, before.bytes + length, "%s", what);
}

/* What XDP sends back a tap cannot. */
static uint32_t reason_of(const steer_row_t *row)
{
    return row->reason == RJ_XDP_ECHOED ? (uint32_t)RJ_XDP_PASS_NO_ECHO : row->reason;
}

static void run_rows(const steer_row_t *rows)
{
    int count = 0;
    for (const steer_row_t *row = rows; row->what != NULL; row++) {
        const uint32_t length = steer_frame_build(&row->frame, false, frame);
        if (row->frame.queue != 0 || length < RUN_BYTES_MIN || length > RUN_BYTES_MAX)
            continue;
        expect(row->what, length, 0, reason_of(row));
        count++;
    }
    cr_assert_gt(count, 5);
}

Test(packet, judges_the_link_layer)
{
    run_rows(steer_link_rows);
}

Test(packet, judges_ip)
{
    run_rows(steer_ip_rows);
}

Test(packet, judges_udp)
{
    run_rows(steer_udp_rows);
}

Test(packet, judges_frames_of_aeron)
{
    run_rows(steer_aeron_rows);
}

Test(packet, judges_by_the_rules)
{
    run_rows(steer_verdict_rows);
}

Test(packet, leaves_what_stands_for_several_datagrams_to_the_kernel)
{
    const steer_frame_t data = {.payload_bytes = 1344};
    const uint32_t length = steer_frame_build(&data, false, frame);
    expect("one datagram", length, 0, RJ_XDP_REDIRECTED_DATA);
    expect("two", length, 672, RJ_XDP_PASS_OVERSIZE);
}

/* Where the program may outlive its driver, the queue's owner must have shown a sign of life. */
Test(packet, steers_nothing_for_the_dead_where_it_outlives_them)
{
    const steer_frame_t data = {0};
    const uint32_t owner = STEER_OWNER;
    const uint32_t zero = 0;
    struct rj_owner_value value = {.alive_ns = 0};
    struct rj_xdp_config config = steer_config;
    struct timespec now;
    const uint32_t length = steer_frame_build(&data, false, frame);
    config.flags = RJ_XDP_OUTLIVES;
    steer_put(skeleton->maps.rj_config, &zero, sizeof(zero), &config, sizeof(config));
    expect("no owner", length, 0, RJ_XDP_PASS_NO_QUEUE);
    clock_gettime(CLOCK_MONOTONIC, &now);
    value.alive_ns = (uint64_t)now.tv_sec * 1000000000;
    steer_put(skeleton->maps.rj_owners, &owner, sizeof(owner), &value, sizeof(value));
    expect("a living owner", length, 0, RJ_XDP_REDIRECTED_DATA);
    value.alive_ns -= RJ_XDP_OWNER_TIMEOUT_NS;
    steer_put(skeleton->maps.rj_owners, &owner, sizeof(owner), &value, sizeof(value));
    expect("a dead owner", length, 0, RJ_XDP_PASS_NO_QUEUE);
}
