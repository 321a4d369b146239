/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's program against a model of it: the same decisions, a ring of slots, nothing else.
 * Each test has a network namespace of its own, whose loopback is the port of host 1; a socket
 * there hears the clones, which arrive at it like any frame. */
#include "bpf/impair_decide.h"

#include <impair.skel.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fixtures/bpf_object.h"

enum {
    PASS = 0,
    DROP = 2,
    LOOPBACK = 1, /* its interface index in every namespace */
    FRAME_MAX = 1600,
    IPV4_PAYLOAD = 14 + 20 + 8,
    IPV6_PAYLOAD = 14 + 40 + 8,
    CLONE_PATIENCE_MS = 5000,
};

static struct impair *skeleton;
static int clone_fd = -1;

typedef struct frame {
    uint32_t length;
    uint8_t bytes[FRAME_MAX];
} frame_t;

static void open_namespace(void)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = LOOPBACK};
    int room_bytes = 8 << 20;
    cr_assert_eq(unshare(CLONE_NEWNET), 0, "needs root: %s", strerror(errno));
    clone_fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(ETH_P_ALL));
    cr_assert_geq(clone_fd, 0);
    cr_assert_eq(ioctl(clone_fd, SIOCSIFFLAGS, &request), 0);
    setsockopt(clone_fd, SOL_SOCKET, SO_RCVBUFFORCE, &room_bytes, sizeof(room_bytes));
    cr_assert_eq(bind(clone_fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

/* Every direction from host 1 gets these settings. */
static void load(struct rj_impair_config config)
{
    open_namespace();
    RJ_BPF_OPEN(skeleton, impair);
    skeleton->rodata->rj_ports[0] = LOOPBACK;
    skeleton->rodata->rj_frame_max = FRAME_MAX;
    bpf_map__set_value_size(skeleton->maps.rj_imp_slots, sizeof(struct rj_impair_slot) + FRAME_MAX);
    bpf_map__set_max_entries(skeleton->maps.rj_imp_slots, RJ_IMPAIR_SLOTS);
    cr_assert_eq(impair__load(skeleton), 0);
    for (uint32_t i = 0; i < RJ_IMPAIR_HOSTS_MAX; i++)
        cr_assert_eq(bpf_map__update_elem(skeleton->maps.rj_imp_config, &i, sizeof(i), &config,
                                          sizeof(config), BPF_ANY),
                     0);
}

static void unload(void)
{
    impair__destroy(skeleton);
    if (clone_fd >= 0)
        close(clone_fd);
}

TestSuite(impair, .fini = unload);

static struct rj_impair_state state_of(uint32_t destination)
{
    uint32_t direction = rj_impair_direction(1, destination);
    struct rj_impair_state state = {0};
    cr_assert_eq(bpf_map__lookup_elem(skeleton->maps.rj_imp_state, &direction, sizeof(direction),
                                      &state, sizeof(state), 0),
                 0);
    return state;
}

/* Sends the frame through the program; afterwards it holds what the program made of it. */
static int run_marked(frame_t *frame, uint32_t mark)
{
    static frame_t out;
    struct __sk_buff context = {.mark = mark};
    LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame->bytes, .data_size_in = frame->length,
                .data_out = out.bytes, .data_size_out = sizeof(out.bytes), .ctx_in = &context,
                .ctx_size_in = sizeof(context), .repeat = 1);
    cr_assert_eq(bpf_prog_test_run_opts(bpf_program__fd(skeleton->progs.rj_impair), &opts), 0);
    out.length = opts.data_size_out;
    *frame = out;
    return (int)opts.retval;
}

static int run(frame_t *frame)
{
    return run_marked(frame, 0);
}

static void put_ethernet(frame_t *frame, uint8_t destination, uint16_t type)
{
    const uint8_t head[] = {0x02, 0x72, 0x6a, 0, 0, destination,          0x02,
                            0x72, 0x6a, 0,    0, 1, (uint8_t)(type >> 8), (uint8_t)type};
    memset(frame, 0, sizeof(*frame));
    memcpy(frame->bytes, head, sizeof(head));
}

/* A UDP datagram to host 2 that carries `number` over and over. */
static frame_t udp_ipv4(uint32_t number, uint32_t payload_bytes)
{
    frame_t frame;
    put_ethernet(&frame, 2, ETH_P_IP);
    frame.bytes[14] = 0x45;
    frame.bytes[14 + 9] = IPPROTO_UDP;
    frame.length = IPV4_PAYLOAD + payload_bytes;
    for (uint32_t at = 0; at + sizeof(number) <= payload_bytes; at += sizeof(number))
        memcpy(frame.bytes + IPV4_PAYLOAD + at, &number, sizeof(number));
    return frame;
}

static frame_t udp_ipv6(uint32_t number, uint32_t payload_bytes)
{
    frame_t frame;
    put_ethernet(&frame, 2, ETH_P_IPV6);
    frame.bytes[14] = 0x60;
    frame.bytes[14 + 6] = IPPROTO_UDP;
    frame.length = IPV6_PAYLOAD + payload_bytes;
    for (uint32_t at = 0; at + sizeof(number) <= payload_bytes; at += sizeof(number))
        memcpy(frame.bytes + IPV6_PAYLOAD + at, &number, sizeof(number));
    return frame;
}

/* Waits for the next clone. */
static void expect_clone(const frame_t *expected)
{
    frame_t clone;
    struct pollfd wait = {.fd = clone_fd, .events = POLLIN};
    cr_assert_eq(poll(&wait, 1, CLONE_PATIENCE_MS), 1, "no clone came");
    ssize_t got = recv(clone_fd, clone.bytes, sizeof(clone.bytes), 0);
    cr_assert_eq(got, expected->length);
    cr_assert_arr_eq(clone.bytes, expected->bytes, expected->length);
}

static void expect_no_clone(void)
{
    frame_t clone;
    cr_assert_eq(recv(clone_fd, clone.bytes, sizeof(clone.bytes), 0), -1);
}

typedef struct model {
    struct rj_impair_config config;
    struct rj_impair_state state;
    frame_t slots[RJ_IMPAIR_SLOTS];
} model_t;

static void corrupt(frame_t *frame, uint32_t offset, const struct rj_impair_verdict *verdict)
{
    if (frame->length > offset)
        frame->bytes[offset + verdict->corrupt_place % (frame->length - offset)] ^=
            verdict->corrupt_mask;
}

/* What the program is to do with the frame: its verdict, its bytes afterwards, and its clones. */
static int expect(model_t *model, frame_t *frame, uint32_t payload_offset, frame_t clones[2],
                  int *ret_clone_count)
{
    struct rj_impair_state *state = &model->state;
    uint64_t number = state->next_frame++;
    uint64_t due = 1ULL << number % RJ_IMPAIR_SLOTS;
    struct rj_impair_verdict verdict =
        rj_impair_decide(&model->config, rj_impair_direction(1, 2), number);
    bool is_gone = verdict.drop;
    int clone_count = 0;
    state->seen_frames++;
    state->seen_bytes += frame->length;
    state->dropped_frames += verdict.drop;
    if (verdict.duplicate) {
        clones[clone_count++] = *frame;
        state->duplicated_frames++;
    }
    if (verdict.corrupt && frame->length > payload_offset) {
        corrupt(frame, payload_offset, &verdict);
        state->corrupted_frames++;
    }
    if (verdict.hold) {
        uint32_t slot = rj_impair_slot_choose(state->taken_slots, number, verdict.hold_distance,
                                              model->config.delay_frames);
        is_gone = slot != RJ_IMPAIR_NO_SLOT;
        state->held_frames += is_gone;
        state->refused_holds += !is_gone;
        if (is_gone) {
            model->slots[slot] = *frame;
            state->taken_slots |= 1ULL << slot;
            state->ready_slots |= 1ULL << slot;
        }
    }
    state->passed_frames += !is_gone;
    bool takes_along = (state->ready_slots & due) != 0;
    if (takes_along) {
        if (!is_gone)
            clones[clone_count++] = *frame;
        *frame = model->slots[number % RJ_IMPAIR_SLOTS];
        state->taken_slots &= ~due;
        state->ready_slots &= ~due;
        state->released_frames++;
    }
    *ret_clone_count = clone_count;
    return is_gone && !takes_along ? DROP : PASS;
}

static void compare_with_model(struct rj_impair_config config, uint32_t frame_count)
{
    static model_t model;
    load(config);
    model.config = config;
    for (uint32_t number = 0; number < frame_count; number++) {
        frame_t clones[2];
        int clone_count = 0;
        bool is_ipv6 = number % 3 == 0;
        uint32_t payload_bytes = 24 + number * 37 % 1400;
        frame_t frame = is_ipv6 ? udp_ipv6(number, payload_bytes) : udp_ipv4(number, payload_bytes);
        frame_t expected = frame;
        int verdict =
            expect(&model, &expected, is_ipv6 ? IPV6_PAYLOAD : IPV4_PAYLOAD, clones, &clone_count);
        cr_assert_eq(run(&frame), verdict, "frame %u", number);
        if (verdict == PASS) {
            cr_assert_eq(frame.length, expected.length, "frame %u", number);
            cr_assert_arr_eq(frame.bytes, expected.bytes, expected.length, "frame %u", number);
        }
        for (int i = 0; i < clone_count; i++)
            expect_clone(&clones[i]);
    }
    struct rj_impair_state state = state_of(2);
    expect_no_clone();
    cr_assert_eq(memcmp(&state, &model.state, sizeof(state)), 0);
    cr_assert_eq(state.seen_frames, state.passed_frames + state.dropped_frames + state.held_frames);
    cr_assert_eq(state.held_frames - state.released_frames,
                 (uint64_t)__builtin_popcountll(state.ready_slots));
}

Test(impair, does_what_the_model_says_when_all_harm_comes_together)
{
    compare_with_model((struct rj_impair_config){.seed = 1,
                                                 .loss_ppm = 100000,
                                                 .duplicate_ppm = 100000,
                                                 .reorder_ppm = 300000,
                                                 .corrupt_ppm = 100000,
                                                 .delay_frames = 8},
                       2000);
}

Test(impair, does_what_the_model_says_when_slots_run_out)
{
    compare_with_model(
        (struct rj_impair_config){
            .seed = 7, .duplicate_ppm = 50000, .reorder_ppm = 900000, .delay_frames = 2},
        500);
}

Test(impair, does_what_the_model_says_with_the_longest_delay)
{
    compare_with_model((struct rj_impair_config){.seed = UINT64_MAX,
                                                 .loss_ppm = 500000,
                                                 .reorder_ppm = RJ_IMPAIR_PPM,
                                                 .delay_frames = RJ_IMPAIR_DELAY_FRAMES_MAX},
                       500);
}

Test(impair, lets_everything_pass_untouched_when_nothing_is_asked_for)
{
    compare_with_model((struct rj_impair_config){.delay_frames = 8}, 100);
    cr_assert_eq(state_of(2).passed_frames, 100);
}

static const struct rj_impair_config lose_all = {.loss_ppm = RJ_IMPAIR_PPM};
static const struct rj_impair_config corrupt_all = {.corrupt_ppm = RJ_IMPAIR_PPM};
static const struct rj_impair_config lose_all_of_everything = {.loss_ppm = RJ_IMPAIR_PPM,
                                                               .flags = RJ_IMPAIR_ALL_FRAMES};

static frame_t other_frame(uint16_t type, uint8_t first, uint8_t protocol, uint32_t length)
{
    frame_t frame;
    put_ethernet(&frame, 2, type);
    frame.length = length;
    frame.bytes[14] = first;
    frame.bytes[type == ETH_P_IPV6 ? 14 + 6 : 14 + 9] = protocol;
    return frame;
}

typedef struct row {
    const char *what;
    uint16_t type;
    uint8_t first; /* of the network header */
    uint8_t protocol;
    uint8_t icmp_type;
    uint32_t length;
    int verdict;     /* when all of UDP is lost */
    int verdict_all; /* when all of everything is lost */
} row_t;

/* The kernel does not test-run frames whose network header is cut off; netns/test_lab_wire.c sends
 * those over a wire. */
static const row_t rows[] = {
    {"ARP", ETH_P_ARP, 0, 0, 0, 42, PASS, PASS},
    {"UDP over IPv4", ETH_P_IP, 0x45, IPPROTO_UDP, 0, 60, DROP, DROP},
    {"UDP over IPv4 with options", ETH_P_IP, 0x4f, IPPROTO_UDP, 0, 100, DROP, DROP},
    {"IPv4 header too short by its own word", ETH_P_IP, 0x44, IPPROTO_UDP, 0, 60, PASS, PASS},
    {"TCP over IPv4", ETH_P_IP, 0x45, IPPROTO_TCP, 0, 60, PASS, DROP},
    {"UDP over IPv6", ETH_P_IPV6, 0x60, IPPROTO_UDP, 0, 80, DROP, DROP},
    {"fragment header cut off", ETH_P_IPV6, 0x60, IPPROTO_FRAGMENT, 0, 60, PASS, PASS},
    {"echo request", ETH_P_IPV6, 0x60, IPPROTO_ICMPV6, 128, 80, PASS, DROP},
    {"router solicitation", ETH_P_IPV6, 0x60, IPPROTO_ICMPV6, 133, 80, PASS, PASS},
    {"neighbour advertisement", ETH_P_IPV6, 0x60, IPPROTO_ICMPV6, 136, 80, PASS, PASS},
    {"redirect", ETH_P_IPV6, 0x60, IPPROTO_ICMPV6, 137, 80, PASS, PASS},
    {"ICMPv6 without a type", ETH_P_IPV6, 0x60, IPPROTO_ICMPV6, 0, 54, PASS, PASS},
    {"a tagged frame", ETH_P_8021Q, 0x45, IPPROTO_UDP, 0, 60, PASS, PASS},
};

static void expect_rows(bool is_all)
{
    uint64_t others = 0;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int verdict = is_all ? rows[i].verdict_all : rows[i].verdict;
        frame_t frame = other_frame(rows[i].type, rows[i].first, rows[i].protocol, rows[i].length);
        if (rows[i].type == ETH_P_IPV6 && rows[i].length > 54)
            frame.bytes[54] = rows[i].icmp_type;
        cr_assert_eq(run(&frame), verdict, "%s", rows[i].what);
        others += verdict == PASS;
        cr_assert_eq(state_of(2).other_frames, others, "%s", rows[i].what);
    }
}

Test(impair, harms_udp_alone)
{
    load(lose_all);
    expect_rows(false);
}

Test(impair, harms_all_but_what_hosts_need_to_find_each_other_when_asked_to)
{
    load(lose_all_of_everything);
    expect_rows(true);
}

Test(impair, corrupts_one_byte_of_the_payload_and_no_header)
{
    load(corrupt_all);
    for (uint32_t number = 0; number < 500; number++) {
        frame_t before = udp_ipv4(number, 1 + number % 64);
        frame_t after = before;
        uint32_t changed = 0;
        cr_assert_eq(run(&after), PASS);
        cr_assert_arr_eq(after.bytes, before.bytes, IPV4_PAYLOAD);
        for (uint32_t at = IPV4_PAYLOAD; at < before.length; at++)
            changed += before.bytes[at] != after.bytes[at];
        cr_assert_eq(changed, 1);
    }
    frame_t empty = udp_ipv4(0, 0);
    cr_assert_eq(run(&empty), PASS);
    cr_assert_eq(state_of(2).corrupted_frames, 500);
}

Test(impair, takes_a_later_fragment_for_payload_from_its_first_byte)
{
    load(corrupt_all);
    bool is_early = false;
    for (uint32_t number = 0; number < 500; number++) {
        frame_t before = udp_ipv4(number, 16);
        before.bytes[14 + 7] = 1; /* fragment offset */
        frame_t after = before;
        cr_assert_eq(run(&after), PASS);
        cr_assert_arr_eq(after.bytes, before.bytes, 14 + 20);
        is_early = is_early || memcmp(after.bytes, before.bytes, IPV4_PAYLOAD) != 0;
    }
    cr_assert(is_early);
}

Test(impair, keeps_apart_the_directions_to_each_host_and_to_groups)
{
    static const struct {
        uint8_t mac[6];
        uint32_t destination; /* 1 is the source itself: a group */
    } frames[] = {{{0x02, 0x72, 0x6a, 0, 0, 2}, 2},  {{0x02, 0x72, 0x6a, 0, 0, 16}, 16},
                  {{0x01, 0x00, 0x5e, 1, 2, 3}, 1},  {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 1},
                  {{0x02, 0x72, 0x6a, 0, 0, 17}, 1}, {{0x02, 0x72, 0x6a, 0, 0, 0}, 1},
                  {{0x02, 0x72, 0x6a, 0, 1, 2}, 1}};
    uint64_t seen[RJ_IMPAIR_HOSTS_MAX + 1] = {0};
    load(lose_all);
    for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
        frame_t frame = udp_ipv4(0, 32);
        memcpy(frame.bytes, frames[i].mac, sizeof(frames[i].mac));
        cr_assert_eq(run(&frame), DROP);
        seen[frames[i].destination]++;
        cr_assert_eq(state_of(frames[i].destination).seen_frames, seen[frames[i].destination]);
    }
}

Test(impair, lets_its_own_clones_pass_uncounted)
{
    load(lose_all);
    frame_t frame = udp_ipv4(0, 32);
    cr_assert_eq(run_marked(&frame, 0x726a696d), PASS);
    cr_assert_eq(state_of(2).seen_frames, 0);
    cr_assert_eq(run_marked(&frame, 1), DROP);
}

Test(impair, passes_a_frame_that_is_too_long_to_be_held)
{
    load((struct rj_impair_config){.reorder_ppm = RJ_IMPAIR_PPM, .delay_frames = 1});
    static uint8_t bytes[FRAME_MAX + 1];
    frame_t head = udp_ipv4(0, 0);
    memcpy(bytes, head.bytes, head.length);
    LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = bytes, .data_size_in = sizeof(bytes),
                .repeat = 1);
    cr_assert_eq(bpf_prog_test_run_opts(bpf_program__fd(skeleton->progs.rj_impair), &opts), 0);
    cr_assert_eq(opts.retval, PASS);
    cr_assert_eq(state_of(2).refused_holds, 1);
    cr_assert_eq(state_of(2).passed_frames, 1);
}

Test(impair, passes_what_comes_from_no_port_of_the_lab)
{
    load(lose_all);
    impair__destroy(skeleton);
    RJ_BPF_OPEN(skeleton, impair);
    cr_assert_eq(impair__load(skeleton), 0);
    frame_t frame = udp_ipv4(0, 32);
    cr_assert_eq(run(&frame), PASS);
}
