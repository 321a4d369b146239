/* SPDX-License-Identifier: Apache-2.0 */
/* A lab's wire with real datagrams on it: what is sent against what arrives, what the wire counted,
 * and what the shared decisions foretell. Each test makes its own lab, named by its process. */
#include "bpf/impair_decide.h"
#include "lab/impair.h"
#include "lab/netns.h"
#include "lab/plan.h"
#include "lab/run.h"
#include "lab/state.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PORT = 40123,
    BURST = 64, /* few enough for any queue on the way */
    PATIENCE_MS = 10000,
    SOCKET_ROOM_BYTES = 64 << 20,
    NUMBERS_MAX = 8192,
    DATAGRAM_MAX = 9000,
};

static rj_lab_shape_t shape;

static void make_lab(rj_lab_topology_t topology, int host_count, int mtu_bytes)
{
    static rj_lab_plan_t plan;
    rj_err_t err;
    shape = (rj_lab_shape_t){
        .topology = topology, .host_count = host_count, .mtu_bytes = mtu_bytes, .queue_count = 1};
    snprintf(shape.name, sizeof(shape.name), "rj-wire%d", (int)getpid());
    cr_assert_eq(rj_lab_check_privilege(&err), 0, "%s", err.text);
    rj_lab_plan_up(&plan, &shape);
    cr_assert_eq(rj_lab_run(&plan, &err), 0, "%s", err.text);
}

static void remove_lab(void)
{
    static rj_lab_plan_t plan;
    uint32_t hosts = 0;
    if (shape.name[0] == '\0' || rj_lab_find(shape.name, &hosts, NULL) != 0)
        return;
    rj_lab_plan_down(&plan, shape.name, hosts);
    rj_lab_run_all(&plan, NULL);
}

TestSuite(lab_wire, .fini = remove_lab);

static const rj_lab_directions_t all_directions = {RJ_LAB_ALL_HOSTS, RJ_LAB_ALL_HOSTS};

static void impair(struct rj_impair_config config)
{
    rj_err_t err;
    cr_assert_eq(rj_lab_impair_set(&shape, &all_directions, &config, &err), 0, "%s", err.text);
}

static struct rj_impair_state state_of(uint32_t source, uint32_t destination)
{
    static rj_impair_view_t view;
    rj_err_t err;
    cr_assert_eq(rj_lab_impair_look(&shape, &view, &err), 0, "%s", err.text);
    return view.states[rj_impair_direction(source, destination)];
}

static void enter(rj_netns_t *netns, int host)
{
    char namespace[RJ_LAB_NAMESPACE_MAX];
    rj_err_t err;
    rj_lab_namespace(shape.name, host, namespace);
    cr_assert_eq(rj_netns_enter(netns, namespace, &err), 0, "%s", err.text);
}

static socklen_t address_of(int family, int host, struct sockaddr_storage *ret_address)
{
    char text[40];
    memset(ret_address, 0, sizeof(*ret_address));
    if (family == AF_INET) {
        struct sockaddr_in *ipv4 = (struct sockaddr_in *)ret_address;
        rj_lab_address_ipv4(host, text);
        ipv4->sin_family = AF_INET;
        ipv4->sin_port = htons(PORT);
        cr_assert_eq(inet_pton(AF_INET, text, &ipv4->sin_addr), 1);
        return sizeof(*ipv4);
    }
    struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)ret_address;
    rj_lab_address_ipv6(host, text);
    ipv6->sin6_family = AF_INET6;
    ipv6->sin6_port = htons(PORT);
    cr_assert_eq(inet_pton(AF_INET6, text, &ipv6->sin6_addr), 1);
    return sizeof(*ipv6);
}

/* A datagram socket on the host, bound to its address. */
static int open_socket(int family, int host)
{
    struct sockaddr_storage address;
    socklen_t length = address_of(family, host, &address);
    int room_bytes = SOCKET_ROOM_BYTES;
    rj_netns_t netns;
    enter(&netns, host);
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    rj_netns_leave(&netns);
    cr_assert_geq(fd, 0);
    cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room_bytes, sizeof(room_bytes)), 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, length), 0, "%s", strerror(errno));
    return fd;
}

/* What arrived: how often each number, and whether one came after a higher one. */
typedef struct arrivals {
    uint32_t count;
    uint32_t late_count;
    uint32_t highest;
    uint8_t times[NUMBERS_MAX];
} arrivals_t;

static void take_arrivals(int fd, arrivals_t *arrivals)
{
    uint8_t bytes[DATAGRAM_MAX];
    uint32_t number = 0;
    ssize_t got;
    while ((got = recv(fd, bytes, sizeof(bytes), 0)) >= 0) {
        cr_assert_geq((size_t)got, sizeof(number));
        memcpy(&number, bytes, sizeof(number));
        cr_assert_lt(number, (uint32_t)NUMBERS_MAX);
        /* Every four bytes carry the number: nothing damaged or mixed may get through. */
        for (size_t at = 0; at + sizeof(number) <= (size_t)got; at += sizeof(number))
            cr_assert_eq(memcmp(bytes + at, &number, sizeof(number)), 0, "datagram %u", number);
        arrivals->count++;
        arrivals->times[number]++;
        arrivals->late_count += number < arrivals->highest;
        arrivals->highest = number > arrivals->highest ? number : arrivals->highest;
    }
    cr_assert_eq(errno, EAGAIN, "%s", strerror(errno));
}

/* Waits until so many have arrived. */
static void await_arrivals(int fd, arrivals_t *arrivals, uint64_t count)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    take_arrivals(fd, arrivals);
    while (arrivals->count < count) {
        cr_assert_eq(poll(&wait, 1, PATIENCE_MS), 1, "%u of %llu arrived", arrivals->count,
                     (unsigned long long)count);
        take_arrivals(fd, arrivals);
    }
    cr_assert_eq(arrivals->count, count);
}

/* Waits until the wire has seen so many. Its counters wake nobody, hence the short naps. */
static struct rj_impair_state await_seen(uint64_t count)
{
    for (int ms = 0; ms < PATIENCE_MS; ms++) {
        struct rj_impair_state state = state_of(1, 2);
        if (state.seen_frames >= count)
            return state;
        poll(NULL, 0, 1);
    }
    cr_assert_fail("the wire saw %llu of %llu", (unsigned long long)state_of(1, 2).seen_frames,
                   (unsigned long long)count);
    return (struct rj_impair_state){0};
}

static void send_number(int fd, int family, uint32_t number, size_t length_bytes)
{
    struct sockaddr_storage address;
    socklen_t address_length = address_of(family, 2, &address);
    uint8_t bytes[DATAGRAM_MAX];
    for (size_t at = 0; at < length_bytes; at += sizeof(number))
        memcpy(bytes + at, &number, sizeof(number));
    cr_assert_eq(sendto(fd, bytes, length_bytes, 0, (struct sockaddr *)&address, address_length),
                 (ssize_t)length_bytes, "%s", strerror(errno));
}

/* Sends numbers 0 to count - 1 from host 1 to host 2, a burst at a time, and waits for what the
 * wire says must arrive. The receiver's checksum takes what was corrupted. */
static struct rj_impair_state exchange(int family, uint32_t count, arrivals_t *ret_arrivals)
{
    int sender = open_socket(family, 1);
    int receiver = open_socket(family, 2);
    struct rj_impair_state state = {0};
    memset(ret_arrivals, 0, sizeof(*ret_arrivals));
    for (uint32_t number = 0; number < count; number++) {
        send_number(sender, family, number, 4 + number * 28 % 1400);
        if ((number + 1) % BURST == 0 || number + 1 == count)
            state = await_seen(number + 1);
    }
    cr_assert_eq(state.seen_frames, count);
    cr_assert_eq(state.seen_frames, state.passed_frames + state.dropped_frames + state.held_frames);
    cr_assert_eq(state.failed_clones, 0);
    await_arrivals(receiver, ret_arrivals,
                   state.passed_frames + state.duplicated_frames + state.released_frames -
                       state.corrupted_frames);
    close(sender);
    close(receiver);
    return state;
}

/* One datagram each way, so that the addresses, the routes and the neighbours are all in place. */
static void expect_reachable(int family, int from, int to)
{
    struct sockaddr_storage address;
    struct sockaddr_storage back;
    socklen_t length = address_of(family, to, &address);
    socklen_t back_length = sizeof(back);
    char bytes[8] = "";
    int near = open_socket(family, from);
    int far = open_socket(family, to);
    struct pollfd near_wait = {.fd = near, .events = POLLIN};
    struct pollfd far_wait = {.fd = far, .events = POLLIN};
    cr_assert_eq(sendto(near, "ping", 4, 0, (struct sockaddr *)&address, length), 4);
    cr_assert_eq(poll(&far_wait, 1, PATIENCE_MS), 1, "h%d does not hear h%d", to, from);
    cr_assert_eq(recvfrom(far, bytes, sizeof(bytes), 0, (struct sockaddr *)&back, &back_length), 4);
    cr_assert_eq(sendto(far, "pong", 4, 0, (struct sockaddr *)&back, back_length), 4);
    cr_assert_eq(poll(&near_wait, 1, PATIENCE_MS), 1, "h%d does not answer h%d", to, from);
    close(near);
    close(far);
}

Test(lab_wire, loses_exactly_what_the_seed_says)
{
    static arrivals_t arrivals;
    struct rj_impair_config config = {.seed = 3, .loss_ppm = 100000, .delay_frames = 8};
    make_lab(RJ_LAB_BRIDGED, 2, 1500);
    impair(config);
    struct rj_impair_state state = exchange(AF_INET, 4000, &arrivals);
    /* 400 expected; the deviation is 19. */
    cr_assert(state.dropped_frames > 300 && state.dropped_frames < 500, "%llu lost",
              (unsigned long long)state.dropped_frames);
    for (uint32_t number = 0; number < 4000; number++)
        cr_assert_neq(arrivals.times[number],
                      rj_impair_decide(&config, rj_impair_direction(1, 2), number).drop);
    cr_assert_eq(arrivals.late_count, 0);
}

Test(lab_wire, duplicates_exactly_what_the_seed_says)
{
    static arrivals_t arrivals;
    struct rj_impair_config config = {.seed = 4, .duplicate_ppm = 200000, .delay_frames = 8};
    make_lab(RJ_LAB_BRIDGED, 2, 1500);
    impair(config);
    exchange(AF_INET6, 2000, &arrivals);
    for (uint32_t number = 0; number < 2000; number++)
        cr_assert_eq(arrivals.times[number],
                     1 + rj_impair_decide(&config, rj_impair_direction(1, 2), number).duplicate);
}

Test(lab_wire, holds_frames_back_and_loses_none_but_those_that_still_wait)
{
    static arrivals_t arrivals;
    make_lab(RJ_LAB_BRIDGED, 2, 1500);
    impair((struct rj_impair_config){.seed = 5, .reorder_ppm = 200000, .delay_frames = 16});
    struct rj_impair_state state = exchange(AF_INET, 2000, &arrivals);
    uint64_t missing = 0;
    for (uint32_t number = 0; number < 2000; number++) {
        cr_assert_leq(arrivals.times[number], 1);
        missing += arrivals.times[number] == 0;
    }
    cr_assert_eq(missing, state.held_frames - state.released_frames);
    cr_assert_gt(arrivals.late_count, 100);
}

Test(lab_wire, all_harm_together_adds_up_and_nothing_damaged_gets_through)
{
    static arrivals_t arrivals;
    make_lab(RJ_LAB_BRIDGED, 2, 1500);
    /* Without reordering, so that no damaged frame is among those that still wait. */
    impair((struct rj_impair_config){.seed = 6,
                                     .loss_ppm = 50000,
                                     .duplicate_ppm = 50000,
                                     .corrupt_ppm = 50000,
                                     .delay_frames = 8});
    struct rj_impair_state state = exchange(AF_INET, 3000, &arrivals);
    cr_assert_gt(state.corrupted_frames, 50);
    /* Duplicates leave before their frame is damaged: they alone arrive for it. */
    cr_assert_gt(state.duplicated_frames, 50);
    impair((struct rj_impair_config){.seed = 6, .corrupt_ppm = 50000, .delay_frames = 8});
    state = exchange(AF_INET6, 1000, &arrivals);
    cr_assert_gt(state.corrupted_frames, 20);
}

Test(lab_wire, sees_every_segment_of_a_large_send_by_itself)
{
    static arrivals_t arrivals;
    enum { SEGMENTS = 40, SEGMENT_BYTES = 1000 };
    struct sockaddr_storage address;
    static uint8_t bytes[SEGMENTS * SEGMENT_BYTES];
    int segment_bytes = SEGMENT_BYTES;
    make_lab(RJ_LAB_BRIDGED, 2, 1500);
    impair((struct rj_impair_config){.seed = 7, .loss_ppm = 200000, .delay_frames = 8});
    int sender = open_socket(AF_INET, 1);
    int receiver = open_socket(AF_INET, 2);
    socklen_t length = address_of(AF_INET, 2, &address);
    for (uint32_t at = 0; at < sizeof(bytes); at += 4) {
        uint32_t number = at / SEGMENT_BYTES;
        memcpy(bytes + at, &number, sizeof(number));
    }
    cr_assert_eq(setsockopt(sender, IPPROTO_UDP, UDP_SEGMENT, &segment_bytes, sizeof(int)), 0);
    cr_assert_eq(sendto(sender, bytes, sizeof(bytes), 0, (struct sockaddr *)&address, length),
                 (ssize_t)sizeof(bytes), "%s", strerror(errno));
    struct rj_impair_state state = await_seen(SEGMENTS);
    cr_assert_eq(state.seen_frames, SEGMENTS);
    cr_assert(state.dropped_frames > 0 && state.dropped_frames < SEGMENTS);
    await_arrivals(receiver, &arrivals, state.passed_frames);
    close(sender);
    close(receiver);
}

Test(lab_wire, reordered_jumbo_frames_arrive_whole)
{
    static arrivals_t arrivals;
    make_lab(RJ_LAB_BRIDGED, 2, 9000);
    impair((struct rj_impair_config){.seed = 8, .reorder_ppm = 500000, .delay_frames = 4});
    int sender = open_socket(AF_INET, 1);
    int receiver = open_socket(AF_INET, 2);
    struct rj_impair_state state = {0};
    for (uint32_t number = 0; number < 200; number++) {
        send_number(sender, AF_INET, number, number % 2 == 0 ? 8968 : 8);
        state = await_seen(number + 1);
    }
    cr_assert_eq(state.refused_holds, 0);
    await_arrivals(receiver, &arrivals, state.passed_frames + state.released_frames);
    cr_assert_gt(arrivals.late_count, 10);
    close(sender);
    close(receiver);
}

/* A carrier of one family may be too short for the headers of the other; what it cannot take along
 * must wait on and not be lost. */
Test(lab_wire, frames_of_both_families_take_each_other_along)
{
    static arrivals_t ipv4;
    static arrivals_t ipv6;
    make_lab(RJ_LAB_BRIDGED, 2, 1500);
    impair((struct rj_impair_config){.seed = 10, .reorder_ppm = 400000, .delay_frames = 3});
    int senders[] = {open_socket(AF_INET, 1), open_socket(AF_INET6, 1)};
    int receivers[] = {open_socket(AF_INET, 2), open_socket(AF_INET6, 2)};
    struct rj_impair_state state = {0};
    for (uint32_t number = 0; number < 1000; number++) {
        send_number(senders[number % 2], number % 2 == 0 ? AF_INET : AF_INET6, number, 4);
        state = await_seen(number + 1);
    }
    uint64_t expected = state.passed_frames + state.released_frames;
    cr_assert_gt(state.released_frames, 100);
    cr_assert_leq(state.held_frames - state.released_frames, 3);
    for (int ms = 0; ms < PATIENCE_MS && ipv4.count + ipv6.count < expected; ms++) {
        take_arrivals(receivers[0], &ipv4);
        take_arrivals(receivers[1], &ipv6);
        poll(NULL, 0, 1);
    }
    cr_assert_eq(ipv4.count + ipv6.count, expected);
    for (uint32_t number = 0; number < 1000; number++)
        cr_assert_leq(ipv4.times[number] + ipv6.times[number], 1);
    for (int i = 0; i < 2; i++) {
        close(senders[i]);
        close(receivers[i]);
    }
}

typedef struct burst {
    int fd;
    int cpu;
    uint32_t first;
} burst_t;

static void *send_burst(void *argument)
{
    const burst_t *burst = argument;
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(burst->cpu, &cpus);
    /* With one processor both take turns, and the test is a weaker one. */
    sched_setaffinity(0, sizeof(cpus), &cpus);
    for (uint32_t number = burst->first; number < burst->first + BURST; number++)
        send_number(burst->fd, AF_INET, number, 200);
    return NULL;
}

Test(lab_wire, counts_add_up_when_two_processors_send_at_once)
{
    static arrivals_t arrivals;
    struct rj_impair_state state = {0};
    make_lab(RJ_LAB_BRIDGED, 2, 1500);
    impair((struct rj_impair_config){.seed = 12,
                                     .loss_ppm = 50000,
                                     .duplicate_ppm = 100000,
                                     .reorder_ppm = 400000,
                                     .delay_frames = 4});
    int sender = open_socket(AF_INET, 1);
    int receiver = open_socket(AF_INET, 2);
    for (uint32_t sent = 0; sent < 50 * BURST; sent += 2 * BURST) {
        burst_t bursts[] = {{sender, 0, sent}, {sender, 1, sent + BURST}};
        pthread_t threads[2];
        for (int i = 0; i < 2; i++)
            cr_assert_eq(pthread_create(&threads[i], NULL, send_burst, &bursts[i]), 0);
        for (int i = 0; i < 2; i++)
            pthread_join(threads[i], NULL);
        state = await_seen(sent + 2 * BURST);
    }
    cr_assert_eq(state.seen_frames, state.passed_frames + state.dropped_frames + state.held_frames);
    cr_assert_gt(state.released_frames, 100);
    await_arrivals(receiver, &arrivals,
                   state.passed_frames + state.duplicated_frames + state.released_frames);
    close(sender);
    close(receiver);
}

Test(lab_wire, reordered_fragments_are_put_together_again)
{
    static arrivals_t arrivals;
    enum { DATAGRAMS = 100, FRAGMENTS = 3 };
    make_lab(RJ_LAB_BRIDGED, 2, 1500);
    impair((struct rj_impair_config){.seed = 11, .reorder_ppm = 300000, .delay_frames = 4});
    int sender = open_socket(AF_INET, 1);
    int receiver = open_socket(AF_INET, 2);
    struct rj_impair_state state = {0};
    for (uint32_t number = 0; number < DATAGRAMS; number++) {
        send_number(sender, AF_INET, number, 4000);
        state = await_seen((number + 1) * FRAGMENTS);
    }
    cr_assert_eq(state.seen_frames, DATAGRAMS * FRAGMENTS);
    cr_assert_gt(state.held_frames, 50);
    /* Each frame that still waits keeps at most one datagram from being whole. */
    for (int ms = 0; ms < PATIENCE_MS; ms++) {
        take_arrivals(receiver, &arrivals);
        if (arrivals.count + state.held_frames - state.released_frames >= DATAGRAMS)
            break;
        poll(NULL, 0, 1);
    }
    cr_assert_geq(arrivals.count + state.held_frames - state.released_frames, DATAGRAMS);
    close(sender);
    close(receiver);
}

static uint32_t offload_of(int host, uint32_t command)
{
    struct ethtool_value value = {.cmd = command};
    struct ifreq request = {.ifr_name = "eth0", .ifr_data = (char *)&value};
    rj_netns_t netns;
    enter(&netns, host);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    rj_netns_leave(&netns);
    cr_assert_eq(ioctl(fd, SIOCETHTOOL, &request), 0, "%s", strerror(errno));
    close(fd);
    return value.data;
}

Test(lab_wire, made_good_again_it_carries_everything_and_the_links_are_as_before)
{
    static const uint32_t commands[] = {ETHTOOL_GTXCSUM, ETHTOOL_GTSO, ETHTOOL_GGSO};
    static rj_impair_view_t view;
    rj_err_t err;
    make_lab(RJ_LAB_BRIDGED, 2, 1500);
    impair((struct rj_impair_config){.loss_ppm = RJ_IMPAIR_PPM, .delay_frames = 8});
    for (int host = 1; host <= 2; host++)
        for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
            cr_assert_eq(offload_of(host, commands[i]), 0);
    cr_assert_eq(rj_lab_impair_off(&shape, &err), 0, "%s", err.text);
    cr_assert_eq(rj_lab_impair_off(&shape, &err), 0, "%s", err.text);
    cr_assert_eq(rj_lab_impair_look(&shape, &view, &err), -ENOENT);
    for (int host = 1; host <= 2; host++)
        for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
            cr_assert_eq(offload_of(host, commands[i]), 1);
    expect_reachable(AF_INET, 1, 2);
    expect_reachable(AF_INET6, 2, 1);
}

Test(lab_wire, harms_the_named_direction_alone)
{
    rj_err_t err;
    struct rj_impair_config config = {.seed = 9, .loss_ppm = RJ_IMPAIR_PPM, .delay_frames = 8};
    rj_lab_directions_t back = {1u << 2, 1u << 1};
    static arrivals_t arrivals;
    make_lab(RJ_LAB_BRIDGED, 2, 1500);
    cr_assert_eq(rj_lab_impair_set(&shape, &back, &config, &err), 0, "%s", err.text);
    struct rj_impair_state state = exchange(AF_INET, 100, &arrivals);
    cr_assert_eq(state.dropped_frames, 0);
    int sender = open_socket(AF_INET, 2);
    struct sockaddr_storage address;
    socklen_t length = address_of(AF_INET, 1, &address);
    cr_assert_eq(sendto(sender, "back", 4, 0, (struct sockaddr *)&address, length), 4);
    for (int ms = 0; ms < PATIENCE_MS && state_of(2, 1).dropped_frames == 0; ms++)
        poll(NULL, 0, 1);
    cr_assert_eq(state_of(2, 1).dropped_frames, 1);
    close(sender);
}

/* Frames no kernel would send: the wire must neither count them as its own nor choke. */
Test(lab_wire, lets_frames_pass_whose_headers_are_cut_off)
{
    static const struct {
        uint16_t type;
        uint8_t first;
        size_t length;
    } rows[] = {{ETH_P_IP, 0, 14},
                {ETH_P_IP, 0x45, 15},
                {ETH_P_IP, 0x45, 33},
                {ETH_P_IPV6, 0x60, 15},
                {ETH_P_IPV6, 0x60, 53}};
    struct sockaddr_ll address = {.sll_family = AF_PACKET};
    rj_netns_t netns;
    make_lab(RJ_LAB_BRIDGED, 2, 1500);
    impair((struct rj_impair_config){
        .loss_ppm = RJ_IMPAIR_PPM, .flags = RJ_IMPAIR_ALL_FRAMES, .delay_frames = 8});
    enter(&netns, 1);
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    address.sll_ifindex = (int)if_nametoindex("eth0");
    rj_netns_leave(&netns);
    cr_assert_geq(fd, 0);
    uint64_t before = state_of(1, 2).other_frames;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t frame[64] = {0x02, 0x72, 0x6a, 0, 0, 2, 0x02, 0x72, 0x6a, 0, 0, 1};
        frame[12] = (uint8_t)(rows[i].type >> 8);
        frame[13] = (uint8_t)rows[i].type;
        frame[14] = rows[i].first;
        cr_assert_eq(
            sendto(fd, frame, rows[i].length, 0, (struct sockaddr *)&address, sizeof(address)),
            (ssize_t)rows[i].length, "row %zu: %s", i, strerror(errno));
    }
    uint64_t expected = before + sizeof(rows) / sizeof(rows[0]);
    for (int ms = 0; ms < PATIENCE_MS && state_of(1, 2).other_frames < expected; ms++)
        poll(NULL, 0, 1);
    cr_assert_eq(state_of(1, 2).other_frames, expected);
    close(fd);
}

Test(lab_wire, every_host_reaches_every_other_over_ipv4_and_ipv6)
{
    make_lab(RJ_LAB_BRIDGED, 3, 1500);
    for (int from = 1; from <= 3; from++) {
        for (int to = 1; to <= 3; to++) {
            if (from == to)
                continue;
            expect_reachable(AF_INET, from, to);
            expect_reachable(AF_INET6, from, to);
        }
    }
}

Test(lab_wire, two_hosts_joined_directly_reach_each_other)
{
    rj_err_t err;
    struct rj_impair_config config = {.delay_frames = 8};
    make_lab(RJ_LAB_DIRECT, 2, 9000);
    expect_reachable(AF_INET, 1, 2);
    expect_reachable(AF_INET6, 2, 1);
    cr_assert_eq(rj_lab_impair_set(&shape, &all_directions, &config, &err), -EOPNOTSUPP);
}

Test(lab_wire, a_group_reaches_all_hosts_and_counts_as_a_direction_of_its_own)
{
    struct sockaddr_in group = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    struct ip_mreqn membership = {0};
    int members[2];
    make_lab(RJ_LAB_BRIDGED, 3, 1500);
    impair((struct rj_impair_config){.delay_frames = 8});
    cr_assert_eq(inet_pton(AF_INET, "224.20.30.39", &group.sin_addr), 1);
    membership.imr_multiaddr = group.sin_addr;
    for (int i = 0; i < 2; i++) {
        rj_netns_t netns;
        enter(&netns, 2 + i);
        members[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        membership.imr_ifindex = (int)if_nametoindex("eth0");
        cr_assert_eq(
            setsockopt(members[i], IPPROTO_IP, IP_ADD_MEMBERSHIP, &membership, sizeof(membership)),
            0);
        rj_netns_leave(&netns);
        cr_assert_eq(bind(members[i], (struct sockaddr *)&group, sizeof(group)), 0);
    }
    int sender = open_socket(AF_INET, 1);
    cr_assert_eq(sendto(sender, "all", 3, 0, (struct sockaddr *)&group, sizeof(group)), 3, "%s",
                 strerror(errno));
    for (int i = 0; i < 2; i++) {
        struct pollfd wait = {.fd = members[i], .events = POLLIN};
        cr_assert_eq(poll(&wait, 1, PATIENCE_MS), 1, "h%d is not reached", 2 + i);
        close(members[i]);
    }
    cr_assert_eq(state_of(1, 1).passed_frames, 1);
    close(sender);
}
