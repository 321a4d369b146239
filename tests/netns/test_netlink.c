/* SPDX-License-Identifier: Apache-2.0 */
/* The netlink agent in a namespace of its own, with `ip` as the one who changes things. What it
 * mirrors is held against what `ip` prints, and its ways against what was set up. */
#include "netlink/agent.h"

#include <bpf/bpf.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/if_link.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum { PATIENCE_MS = 20000, GLANCE_NS = 50000000, TEXT_MAX = 4 << 20 };

static char peer[32]; /* the namespace at the far end of the veth pairs */
static rj_netlink_t netlink;
static bool is_open;

static int run_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int run_text(const char *format, ...)
{
    char command[512];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof(command), format, args);
    va_end(args);
    return system(command);
}

#define run(...) cr_assert_eq(run_text(__VA_ARGS__), 0, "failed: " __VA_ARGS__)

static void open_agent(const rj_netlink_params_t *params)
{
    rj_err_t err;
    cr_assert_eq(rj_netlink_open(&netlink, params, rj_clock_mono_ns(), &err), 0, "%s", err.text);
    is_open = true;
}

static void close_agent(void)
{
    if (is_open)
        rj_netlink_close(&netlink);
    is_open = false;
}

/* v0 and v1 here, p0 and p1 over there; 10.0.0.1 and 10.0.1.1 here, .2 there; IPv6 likewise. */
static void set_up(void)
{
    cr_assert_eq(unshare(CLONE_NEWNET), 0, "%s", strerror(errno));
    snprintf(peer, sizeof(peer), "rj-netlink-%d", (int)getpid());
    run("ip netns add %s", peer);
    run("ip link set lo up");
    for (int i = 0; i < 2; i++) {
        run("ip link add v%d type veth peer name p%d netns %s", i, i, peer);
        run("ip link set v%d up && ip -n %s link set p%d up", i, peer, i);
        run("ip addr add 10.0.%d.1/24 dev v%d && ip -n %s addr add 10.0.%d.2/24 dev p%d", i, i,
            peer, i, i);
        run("ip addr add fd00:%d::1/64 dev v%d nodad && ip -n %s addr add fd00:%d::2/64 dev p%d "
            "nodad",
            i, i, peer, i, i);
    }
}

static void tear_down(void)
{
    close_agent();
    if (peer[0] != '\0')
        run_text("ip netns del %s", peer);
}

TestSuite(netlink, .init = set_up, .fini = tear_down, .timeout = 120);

static const rj_net_snapshot_t *latest(void)
{
    rj_net_feed_t *feed = rj_netlink_feed(&netlink);
    return feed->ops->latest(feed);
}

/* Turns the agent until the condition holds; false when it does not within the patience. */
static bool await_condition(bool (*is_met)(const void *state), const void *state)
{
    const int64_t end_ns = rj_clock_mono_ns() + PATIENCE_MS * INT64_C(1000000);
    for (;;) {
        const int64_t now_ns = rj_clock_mono_ns();
        rj_netlink_do_work(&netlink, now_ns);
        if (is_met(state))
            return true;
        if (now_ns > end_ns)
            return false;
        const int64_t rest_ns = rj_netlink_deadline_ns(&netlink) - now_ns;
        rj_netlink_wait(&netlink, rest_ns < GLANCE_NS ? rest_ns : GLANCE_NS);
    }
}

/* --- routes against ip's own words --- */

static const char as_ip_says[] =
    "for f in 4 6; do ip -$f -j route show; done | python3 -c '"
    "import json, sys, ipaddress\n"
    "decoder, text = json.JSONDecoder(), sys.stdin.read().strip()\n"
    "lines = []\n"
    "while text:\n"
    "    routes, end = decoder.raw_decode(text)\n"
    "    text = text[end:].strip()\n"
    "    for r in routes:\n"
    "        hops = r.get(\"nexthops\", [r] if \"dev\" in r else [])\n"
    "        v6 = \":\" in r[\"dst\"] or \":\" in r.get(\"gateway\", \"\")\n"
    "        dst = ipaddress.ip_network(r[\"dst\"].replace(\"default\", \"::/0\" if v6 else "
    "\"0.0.0.0/0\"))\n"
    "        simple = r.get(\"type\", \"unicast\") == \"unicast\"\n"
    "        ways = sorted(h.get(\"gateway\", \"-\") + \"@\" + h[\"dev\"] for h in hops)\n"
    "        lines.append(\"%s %d %s\" % (dst, r.get(\"metric\", 0), \" \".join(ways) if simple "
    "else \"other\"))\n"
    "print(\"\\n\".join(sorted(lines)))'";

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void print_hops(const rj_net_snapshot_t *snapshot, const rj_net_route_t *route, char *line,
                       size_t size)
{
    char texts[8][96];
    char *sorted[8];
    cr_assert_leq(route->hop_count, 8);
    for (uint32_t i = 0; i < route->hop_count; i++) {
        const rj_net_hop_t *hop = &snapshot->hops[route->first_hop + i];
        const rj_net_link_t *link = rj_net_snapshot_link(snapshot, hop->link_index);
        char gateway[RJ_ADDRESS_TEXT_BYTES] = "-";
        if (hop->gateway.family != AF_UNSPEC)
            rj_address_print_host(&hop->gateway, gateway);
        snprintf(texts[i], sizeof(texts[i]), "%s@%s", gateway, link != NULL ? link->name : "?");
        sorted[i] = texts[i];
    }
    qsort(sorted, route->hop_count, sizeof(sorted[0]), compare_texts);
    for (uint32_t i = 0; i < route->hop_count; i++)
        snprintf(line + strlen(line), size - strlen(line), " %s", sorted[i]);
}

/* The main table, printed as `as_ip_says` prints it. */
static char *print_routes(const rj_net_snapshot_t *snapshot)
{
    char **lines = calloc(snapshot->route_count + 1, sizeof(*lines));
    size_t count = 0;
    for (size_t i = 0; i < snapshot->route_count; i++) {
        const rj_net_route_t *route = &snapshot->routes[i];
        char host[RJ_ADDRESS_TEXT_BYTES];
        char line[512];
        if (route->table != RJ_NET_TABLE_MAIN)
            continue;
        rj_address_print_host(&route->destination, host);
        snprintf(line, sizeof(line), "%s/%u %u", host, route->prefix_bits, route->priority);
        if (route->type == RJ_NET_ROUTE_UNICAST)
            print_hops(snapshot, route, line, sizeof(line));
        else
            snprintf(line + strlen(line), sizeof(line) - strlen(line), " other");
        lines[count++] = strdup(line);
    }
    qsort(lines, count, sizeof(*lines), compare_texts);
    char *text = calloc(1, TEXT_MAX);
    char *end = text;
    for (size_t i = 0; i < count; i++) {
        end = stpcpy(stpcpy(end, lines[i]), "\n");
        free(lines[i]);
    }
    free(lines);
    return text;
}

static char *read_output(const char *command)
{
    char *text = calloc(1, TEXT_MAX);
    FILE *pipe = popen(command, "r");
    cr_assert_not_null(pipe);
    const size_t got = fread(text, 1, TEXT_MAX - 1, pipe);
    text[got] = '\0';
    cr_assert_eq(pclose(pipe), 0);
    return text;
}

static bool routes_are(const void *state)
{
    char *ours = print_routes(latest());
    const bool is_same = strcmp(ours, state) == 0;
    free(ours);
    return is_same;
}

static void expect_routes_of_ip(const char *when)
{
    char *expected = read_output(as_ip_says);
    if (!await_condition(routes_are, expected)) {
        char *ours = print_routes(latest());
        if (strlen(ours) + strlen(expected) < 8192)
            cr_expect(false, "%s: ours:\n%sip's:\n%s", when, ours, expected);
        else
            cr_expect(false, "%s: %zu bytes of ours, %zu of ip's", when, strlen(ours),
                      strlen(expected));
        free(ours);
    }
    free(expected);
}

/* --- ways --- */

typedef struct expectation {
    const char *destination;
    rj_net_answer_t answer;
    const char *next_hop; /* NULL: whichever */
} expectation_t;

static rj_address_t address(const char *text)
{
    rj_address_t result;
    const uint16_t family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
    cr_assert(rj_address_parse_literal(&result, family, text, strlen(text)), "%s", text);
    return result;
}

static rj_net_answer_t ask(const char *destination, rj_net_way_t *way)
{
    const rj_address_t any = {0};
    const rj_address_t to = address(destination);
    return rj_net_snapshot_find_way(latest(), &any, &to, 0, way);
}

static bool way_is(const void *state)
{
    const expectation_t *expected = state;
    rj_net_way_t way;
    if (ask(expected->destination, &way) != expected->answer)
        return false;
    if (expected->next_hop == NULL)
        return true;
    const rj_address_t hop = address(expected->next_hop);
    return memcmp(way.next_hop.bytes, hop.bytes, sizeof(hop.bytes)) == 0;
}

static void expect_way(const char *destination, rj_net_answer_t answer, const char *next_hop)
{
    const expectation_t expected = {destination, answer, next_hop};
    if (await_condition(way_is, &expected))
        return;
    rj_net_way_t way;
    const rj_net_answer_t got = ask(destination, &way);
    char text[RJ_ADDRESS_TEXT_BYTES];
    rj_address_print(&way.next_hop, text);
    cr_expect(false, "%s: %s by %s instead of %s by %s", destination, rj_net_answer_text(got), text,
              rj_net_answer_text(answer), next_hop != NULL ? next_hop : "any");
}

/* --- links and addresses --- */

static const rj_net_link_t *link_named(const char *name)
{
    return rj_net_snapshot_link_named(latest(), name);
}

static bool link_is_there(const void *name)
{
    return link_named(name) != NULL;
}

static bool link_is_gone(const void *name)
{
    return link_named(name) == NULL;
}

Test(netlink, the_first_snapshot_is_complete)
{
    open_agent(NULL);
    const rj_net_link_t *link = link_named("v0");
    cr_assert_not_null(link);
    cr_expect_str_eq(link->kind, "veth");
    cr_expect_eq(link->mtu_bytes, 1500);
    cr_expect(link->is_ethernet && link->is_up && !link->is_loopback);
    cr_expect_eq(link->rx_queue_count, 1, "allocated are as many as there are CPUs");
    cr_expect(link_named("lo")->is_loopback);
    const rj_address_t own = address("10.0.1.1");
    cr_expect(rj_net_snapshot_is_ours(latest(), &own));
    rj_net_way_t way;
    cr_expect_eq(ask("fd00:1::1", &way), RJ_NET_LOCAL);
    cr_expect_eq(ask("10.0.0.2", &way), RJ_NET_NO_NEIGHBOUR);
    cr_expect_eq(way.link_index, link->index);
    cr_expect_eq(memcmp(way.source_mac, link->mac, 6), 0);
    cr_expect_not(latest()->has_rules);
    expect_routes_of_ip("after a dump");
}

static bool is_changed_link(const void *state)
{
    const rj_net_link_t *link = link_named("v0");
    (void)state;
    return link != NULL && link->mtu_bytes == 1400 && link->mac[5] == 0x77;
}

static bool is_down(const void *name)
{
    return link_named(name) != NULL && !link_named(name)->is_up;
}

Test(netlink, links_are_followed)
{
    open_agent(NULL);
    run("ip link add x0 numrxqueues 3 numtxqueues 3 type veth peer name x1");
    cr_assert(await_condition(link_is_there, "x0"));
    cr_expect_eq(link_named("x0")->rx_queue_count, 3);
    cr_expect_not(link_named("x0")->is_up);
    run("ip link set v0 mtu 1400 && ip link set v0 address 02:00:00:00:00:77");
    cr_expect(await_condition(is_changed_link, NULL));
    const uint32_t index = link_named("v0")->index;
    run("ip link set v0 name w0");
    cr_expect(await_condition(link_is_there, "w0"));
    cr_expect_eq(link_named("w0")->index, index);
    cr_expect_null(link_named("v0"));
    run("ip link del x0");
    cr_expect(await_condition(link_is_gone, "x0"));
    run("ip -n %s link set p1 down", peer);
    cr_expect(await_condition(is_down, "v1"), "without a carrier");
    run("ip link set w0 netns %s", peer);
    cr_expect(await_condition(link_is_gone, "w0"));
    rj_net_way_t way;
    cr_expect_eq(ask("10.0.0.1", &way), RJ_NET_NO_ROUTE, "its address went with it");
    expect_routes_of_ip("without the link");
}

static bool is_own(const void *state)
{
    const rj_address_t own = address(state);
    return rj_net_snapshot_is_ours(latest(), &own);
}

static bool is_not_own(const void *state)
{
    return !is_own(state);
}

Test(netlink, addresses_come_and_go_with_the_routes_that_prefer_them)
{
    open_agent(NULL);
    run("ip addr add 10.0.9.1/24 dev v0");
    cr_expect(await_condition(is_own, "10.0.9.1"));
    run("ip route add 192.0.2.0/24 via 10.0.0.2 src 10.0.9.1");
    expect_routes_of_ip("with a preferred source");
    rj_net_way_t way;
    ask("192.0.2.1", &way);
    const rj_address_t source = address("10.0.9.1");
    cr_expect(rj_address_equal(&way.source, &source));
    run("ip addr del 10.0.9.1/24 dev v0");
    cr_expect(await_condition(is_not_own, "10.0.9.1"));
    expect_routes_of_ip("without the address");
    run("ip addr add fd00:9::1/64 dev v0 nodad");
    cr_expect(await_condition(is_own, "fd00:9::1"));
    expect_routes_of_ip("with an address of IPv6");
}

static bool has_program(const void *state)
{
    return link_named("v0")->xdp_program_id == *(const uint32_t *)state;
}

Test(netlink, a_program_is_seen_though_no_message_tells_of_it)
{
    open_agent(NULL);
    /* return XDP_PASS */
    const struct bpf_insn instructions[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = XDP_PASS},
        {.code = BPF_JMP | BPF_EXIT}};
    const int program = bpf_prog_load(BPF_PROG_TYPE_XDP, "rj_pass", "GPL", instructions, 2, NULL);
    cr_assert_geq(program, 0, "%s", strerror(errno));
    LIBBPF_OPTS(bpf_link_create_opts, options, .flags = XDP_FLAGS_SKB_MODE);
    const int attached = bpf_link_create(program, (int)link_named("v0")->index, BPF_XDP, &options);
    cr_assert_geq(attached, 0, "%s", strerror(errno));
    struct bpf_prog_info info = {0};
    uint32_t length = sizeof(info);
    cr_assert_eq(bpf_obj_get_info_by_fd(program, &info, &length), 0);
    cr_expect(await_condition(has_program, &info.id));
    close(attached);
    const uint32_t none = 0;
    cr_expect(await_condition(has_program, &none));
    close(program);
}

/* --- routes --- */

Test(netlink, routes_are_added_replaced_appended_and_deleted)
{
    open_agent(NULL);
    run("ip route add 192.0.2.0/24 via 10.0.0.2");
    expect_way("192.0.2.1", RJ_NET_NO_NEIGHBOUR, "10.0.0.2");
    run("ip route append 192.0.2.0/24 via 10.0.0.3");
    run("ip route prepend 192.0.2.0/24 via 10.0.0.4");
    expect_way("192.0.2.1", RJ_NET_NO_NEIGHBOUR, "10.0.0.4");
    expect_routes_of_ip("in one place");
    run("ip route replace 192.0.2.0/24 via 10.0.1.5");
    expect_way("192.0.2.1", RJ_NET_NO_NEIGHBOUR, "10.0.1.5");
    expect_routes_of_ip("with the first one replaced");
    run("ip route del 192.0.2.0/24 via 10.0.1.5");
    expect_way("192.0.2.1", RJ_NET_NO_NEIGHBOUR, "10.0.0.2");
    run("ip route del 192.0.2.0/24 via 10.0.0.2 && ip route del 192.0.2.0/24");
    expect_way("192.0.2.1", RJ_NET_NO_ROUTE, NULL);
    expect_routes_of_ip("without them");
}

Test(netlink, the_lowest_metric_counts_and_the_next_is_promoted)
{
    open_agent(NULL);
    run("ip route add 192.0.2.0/24 via 10.0.0.2 metric 20");
    run("ip route add 192.0.2.0/24 via 10.0.1.2 metric 10");
    expect_way("192.0.2.1", RJ_NET_NO_NEIGHBOUR, "10.0.1.2");
    run("ip route del 192.0.2.0/24 metric 10");
    expect_way("192.0.2.1", RJ_NET_NO_NEIGHBOUR, "10.0.0.2");
    run("ip -6 route add fd02::/64 via fd00:0::2 metric 20");
    run("ip -6 route add fd02::/64 via fd00:1::2 metric 10");
    expect_way("fd02::1", RJ_NET_NO_NEIGHBOUR, "fd00:1::2");
    run("ip -6 route del fd02::/64 metric 10");
    expect_way("fd02::1", RJ_NET_NO_NEIGHBOUR, "fd00::2");
}

Test(netlink, longer_prefixes_stand_beside_shorter_ones)
{
    open_agent(NULL);
    run("ip route add 192.0.2.0/24 via 10.0.0.2 && ip route add 192.0.2.0/25 via 10.0.1.2");
    run("ip route add 192.0.2.200/32 via 10.0.1.2 && ip route add blackhole 192.0.3.0/24");
    expect_way("192.0.2.200", RJ_NET_NO_NEIGHBOUR, "10.0.1.2");
    expect_way("192.0.2.201", RJ_NET_NO_NEIGHBOUR, "10.0.0.2");
    expect_way("192.0.3.1", RJ_NET_NOT_SIMPLE, NULL);
    run("ip route del 192.0.2.0/24");
    expect_way("192.0.2.201", RJ_NET_NO_ROUTE, NULL);
    expect_way("192.0.2.1", RJ_NET_NO_NEIGHBOUR, "10.0.1.2");
    run("ip route add 192.0.4.0/24 via inet6 fd00:1::2 dev v1");
    expect_way("192.0.4.1", RJ_NET_NO_NEIGHBOUR, "fd00:1::2");
    run("ip route add 192.0.5.0/24 via 10.0.0.2 mtu 1300");
    expect_way("192.0.5.1", RJ_NET_NO_NEIGHBOUR, NULL);
    rj_net_way_t way;
    ask("192.0.5.1", &way);
    cr_expect_eq(way.mtu_bytes, 1300);
}

Test(netlink, members_of_a_route_with_several_hops_come_and_go)
{
    open_agent(NULL);
    run("ip route add 192.0.2.0/24 nexthop via 10.0.0.2 nexthop via 10.0.1.2");
    expect_way("192.0.2.1", RJ_NET_NOT_SIMPLE, NULL);
    run("ip route replace 192.0.2.0/24 nexthop via 10.0.0.2");
    expect_way("192.0.2.1", RJ_NET_NO_NEIGHBOUR, "10.0.0.2");
    run("ip -6 route add fd02::/64 via fd00:0::2 && ip -6 route append fd02::/64 via fd00:1::2");
    expect_way("fd02::1", RJ_NET_NOT_SIMPLE, NULL);
    expect_routes_of_ip("with two hops");
    run("ip -6 route del fd02::/64 via fd00:0::2");
    expect_way("fd02::1", RJ_NET_NO_NEIGHBOUR, "fd00:1::2");
    run("ip -6 route replace fd02::/64 via fd00:0::3");
    expect_way("fd02::1", RJ_NET_NO_NEIGHBOUR, "fd00:0::3");
    expect_routes_of_ip("replaced");
    run("ip -6 route add fd03::/64 nexthop via fd00:0::2 nexthop via fd00:1::2");
    run("ip -6 route del fd03::/64");
    expect_routes_of_ip("deleted as a whole");
}

static void change_objects(int compat_mode)
{
    open_agent(NULL);
    run("echo %d > /proc/sys/net/ipv4/nexthop_compat_mode", compat_mode);
    run("ip nexthop add id 1 via 10.0.0.2 dev v0 && ip nexthop add id 2 via 10.0.1.2 dev v1");
    run("ip nexthop add id 9 group 1/2");
    run("ip route add 192.0.2.0/24 nhid 1 && ip route add 192.0.3.0/24 nhid 9");
    run("ip nexthop add id 6 via fd00:1::2 dev v1 && ip -6 route add fd02::/64 nhid 6");
    expect_way("192.0.2.1", RJ_NET_NO_NEIGHBOUR, "10.0.0.2");
    expect_way("192.0.3.1", RJ_NET_NOT_SIMPLE, NULL);
    expect_way("fd02::1", RJ_NET_NO_NEIGHBOUR, "fd00:1::2");
    run("ip nexthop replace id 1 via 10.0.0.7 dev v0");
    expect_way("192.0.2.1", RJ_NET_NO_NEIGHBOUR, "10.0.0.7");
    run("ip nexthop del id 1");
    expect_way("192.0.2.1", RJ_NET_NO_ROUTE, NULL);
    expect_way("192.0.3.1", RJ_NET_NO_NEIGHBOUR, "10.0.1.2");
    run("ip nexthop add id 4 blackhole && ip route add 192.0.4.0/24 nhid 4");
    expect_way("192.0.4.1", RJ_NET_NOT_SIMPLE, NULL);
    run("ip link set v1 down");
    expect_way("192.0.3.1", RJ_NET_NO_ROUTE, NULL);
    expect_way("fd02::1", RJ_NET_NO_ROUTE, NULL);
}

Test(netlink, objects_change_their_routes_when_the_kernel_tells_each)
{
    change_objects(1);
}

Test(netlink, objects_change_their_routes_when_the_kernel_tells_only_the_object)
{
    change_objects(0);
}

Test(netlink, a_link_that_goes_down_takes_its_routes_along)
{
    open_agent(NULL);
    run("ip route add 192.0.2.0/24 via 10.0.0.2");
    run("ip route add 192.0.3.0/24 nexthop via 10.0.0.2 nexthop via 10.0.1.2");
    run("ip route add 192.0.4.0/24 via 10.0.1.2 metric 10");
    run("ip route add 192.0.4.0/24 via 10.0.0.2 metric 5");
    expect_way("192.0.4.1", RJ_NET_NO_NEIGHBOUR, "10.0.0.2");
    run("ip link set v0 down");
    expect_way("192.0.2.1", RJ_NET_NO_ROUTE, NULL);
    expect_way("192.0.3.1", RJ_NET_NO_NEIGHBOUR, "10.0.1.2");
    expect_way("192.0.4.1", RJ_NET_NO_NEIGHBOUR, "10.0.1.2");
    expect_routes_of_ip("with the link down");
    run("ip link set v0 up");
    expect_way("192.0.3.1", RJ_NET_NOT_SIMPLE, NULL);
    expect_way("10.0.0.2", RJ_NET_NO_NEIGHBOUR, "10.0.0.2");
    expect_routes_of_ip("with the link up again");
}

Test(netlink, without_a_carrier_the_kernels_setting_decides)
{
    open_agent(NULL);
    run("ip route add 192.0.2.0/24 via 10.0.0.2 metric 5");
    run("ip route add 192.0.2.0/24 via 10.0.1.2 metric 10");
    run("ip -n %s link set p0 down", peer);
    expect_way("192.0.2.1", RJ_NET_LINK_DOWN, "10.0.0.2");
    run("echo 1 > /proc/sys/net/ipv4/conf/v0/ignore_routes_with_linkdown");
    expect_way("192.0.2.1", RJ_NET_NO_NEIGHBOUR, "10.0.1.2");
    run("ip -n %s link set p0 up", peer);
    expect_way("192.0.2.1", RJ_NET_NO_NEIGHBOUR, "10.0.0.2");
}

static bool has_rules(const void *state)
{
    return latest()->has_rules == *(const bool *)state;
}

Test(netlink, rules_beside_the_default_ones_are_noticed)
{
    open_agent(NULL);
    bool expected = true;
    run("ip rule add from 10.0.0.0/8 lookup 100 && ip route add 192.0.2.0/24 via 10.0.0.2 table "
        "100");
    cr_expect(await_condition(has_rules, &expected));
    expect_way("192.0.2.1", RJ_NET_NOT_SIMPLE, NULL);
    run("ip rule del from 10.0.0.0/8 lookup 100");
    expected = false;
    cr_expect(await_condition(has_rules, &expected));
    expect_way("192.0.2.1", RJ_NET_NO_ROUTE, NULL);
    run("ip -6 rule del lookup main");
    expected = true;
    cr_expect(await_condition(has_rules, &expected));
}

/* --- more than the agent can take --- */

static void write_batch(const char *path, const char *verb, int count)
{
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    for (int i = 0; i < count; i++)
        fprintf(file, "route %s 20.%d.%d.%d/32 via 10.0.%d.2\n", verb, i >> 16, (i >> 8) & 255,
                i & 255, i & 1);
    fclose(file);
}

static bool has_resynced(const void *state)
{
    rj_netlink_status_t status;
    (void)state;
    rj_netlink_read_status(&netlink, &status);
    return status.resync_count > 0;
}

Test(netlink, an_overrun_is_noticed_and_mended)
{
    char path[64];
    snprintf(path, sizeof(path), "/dev/shm/rj-netlink-%d", (int)getpid());
    run("ip route add 192.0.2.0/24 via 10.0.0.2");
    const rj_netlink_params_t params = {.receive_bytes = 65536};
    open_agent(&params);
    write_batch(path, "add", 20000);
    run("ip -batch %s", path);
    run("ip route del 192.0.2.0/24");
    cr_expect(await_condition(has_resynced, NULL));
    rj_netlink_status_t status;
    rj_netlink_read_status(&netlink, &status);
    cr_expect_geq(status.overrun_count, 1);
    expect_routes_of_ip("after 20000 new routes");
    cr_expect_gt(latest()->route_count, 20000);
    run("ip link set v0 down");
    expect_routes_of_ip("after half of them went without a word");
    write_batch(path, "replace", 5000);
    run("ip link set v0 up && ip -batch %s", path);
    unlink(path);
    expect_routes_of_ip("after another burst");
}

Test(netlink, a_dump_amid_changes_ends_with_the_truth)
{
    char path[64];
    snprintf(path, sizeof(path), "/dev/shm/rj-netlink-%d", (int)getpid());
    write_batch(path, "add", 20000);
    run("ip -batch %s", path);
    write_batch(path, "del", 20000);
    FILE *deleting = popen("exec ip -batch - >/dev/null", "w");
    cr_assert_not_null(deleting);
    for (int i = 0; i < 20000; i++) {
        if (i == 1000)
            open_agent(NULL);
        fprintf(deleting, "route del 20.%d.%d.%d/32\n", i >> 16, (i >> 8) & 255, i & 255);
        if (i > 1000 && i % 1000 == 0)
            rj_netlink_do_work(&netlink, rj_clock_mono_ns());
    }
    cr_assert_eq(pclose(deleting), 0);
    unlink(path);
    expect_routes_of_ip("after all were deleted");
}

/* --- next hops --- */

static void want(const char *destination)
{
    const rj_address_t to = address(destination);
    rj_net_feed_t *feed = rj_netlink_feed(&netlink);
    feed->ops->want(feed, &to);
}

static void unwant(const char *destination)
{
    const rj_address_t to = address(destination);
    rj_net_feed_t *feed = rj_netlink_feed(&netlink);
    feed->ops->unwant(feed, &to);
}

typedef struct neighbour_line {
    const char *name; /* "10.0.0.2 dev v0" */
    const char *word; /* that its line has or lacks */
} neighbour_line_t;

static bool neighbour_has(const void *state)
{
    const neighbour_line_t *wanted = state;
    char *text = read_output("ip neigh show");
    bool has_word = false;
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;)
        has_word |= strncmp(line, wanted->name, strlen(wanted->name)) == 0 &&
                    strstr(line, wanted->word) != NULL;
    free(text);
    return has_word;
}

static bool neighbour_lacks(const void *state)
{
    return !neighbour_has(state);
}

static void expect_neighbour(const char *name, const char *word)
{
    const neighbour_line_t line = {name, word};
    cr_expect(await_condition(neighbour_has, &line), "%s: not %s", name, word);
}

static void expect_neighbour_without(const char *name, const char *word)
{
    const neighbour_line_t line = {name, word};
    cr_expect(await_condition(neighbour_lacks, &line), "%s: %s", name, word);
}

Test(netlink, wanted_next_hops_are_managed_by_the_kernel_until_unwanted)
{
    open_agent(NULL);
    run("ip route add 192.0.2.0/24 via 10.0.0.2");
    want("192.0.2.77");
    want("192.0.2.78");
    want("fd00:1::2");
    expect_way("192.0.2.77", RJ_NET_REACHED, "10.0.0.2");
    expect_way("fd00:1::2", RJ_NET_REACHED, "fd00:1::2");
    expect_neighbour("10.0.0.2 dev v0", "managed");
    expect_neighbour("fd00:1::2 dev v1", "managed");
    rj_netlink_status_t status;
    rj_netlink_read_status(&netlink, &status);
    cr_expect_eq(status.keep, RJ_NL_KEEP_MANAGED);

    run("ip neigh del 10.0.0.2 dev v0");
    expect_way("192.0.2.77", RJ_NET_REACHED, "10.0.0.2");
    run("ip neigh flush all");
    expect_way("192.0.2.77", RJ_NET_REACHED, "10.0.0.2");
    run("ip link set v0 down && ip link set v0 up && ip route add 192.0.2.0/24 via 10.0.0.2");
    expect_way("192.0.2.77", RJ_NET_REACHED, "10.0.0.2");
    run("ip route replace 192.0.2.0/24 via 10.0.1.2");
    expect_way("192.0.2.77", RJ_NET_REACHED, "10.0.1.2");
    expect_neighbour("10.0.1.2 dev v1", "managed");
    expect_neighbour_without("10.0.0.2 dev v0", "managed");
    expect_neighbour("10.0.0.2 dev v0", "lladdr");

    unwant("fd00:1::2");
    unwant("192.0.2.77");
    expect_neighbour_without("fd00:1::2 dev v1", "managed");
    const neighbour_line_t last = {"10.0.1.2 dev v1", "managed"};
    cr_expect(neighbour_has(&last), "still wanted once");
    unwant("192.0.2.78");
    expect_neighbour_without("10.0.1.2 dev v1", "managed");
    want("10.0.1.2");
    expect_neighbour("10.0.1.2 dev v1", "managed");
    close_agent();
    cr_expect_not(neighbour_has(&last), "closing takes it back");
}

static bool mac_is(const void *state)
{
    rj_net_way_t way;
    return ask("10.0.0.2", &way) == RJ_NET_REACHED &&
           way.destination_mac[5] == *(const uint8_t *)state;
}

Test(netlink, a_peer_with_another_mac_is_found_again)
{
    open_agent(NULL);
    run("ip -n %s link set p0 address 02:00:00:00:00:41", peer);
    want("10.0.0.2");
    uint8_t last = 0x41;
    cr_expect(await_condition(mac_is, &last));
    run("ip -n %s link set p0 address 02:00:00:00:00:42", peer);
    run("ip -n %s neigh flush all", peer);
    /* Its own question tells us the new one. */
    run("ip netns exec %s python3 -c 'import socket; s = socket.socket(socket.AF_INET, "
        "socket.SOCK_DGRAM); s.sendto(b\"\", (\"10.0.0.1\", 9))'",
        peer);
    last = 0x42;
    cr_expect(await_condition(mac_is, &last));
}

Test(netlink, a_neighbour_that_is_silent_at_first_is_asked_again)
{
    open_agent(NULL);
    run("ip -n %s link set p0 down", peer);
    want("10.0.0.2");
    expect_way("10.0.0.2", RJ_NET_LINK_DOWN, NULL);
    run("ip -n %s addr flush dev p0 && ip -n %s link set p0 up", peer, peer);
    expect_neighbour("10.0.0.2 dev v0", "FAILED");
    run("ip -n %s addr add 10.0.0.2/24 dev p0", peer);
    expect_way("10.0.0.2", RJ_NET_REACHED, NULL);
}

Test(netlink, a_neighbour_that_was_written_down_is_left_alone)
{
    open_agent(NULL);
    run("ip neigh add 10.0.0.2 lladdr 02:00:00:00:00:55 dev v0 nud permanent");
    want("10.0.0.2");
    uint8_t last = 0x55;
    cr_expect(await_condition(mac_is, &last));
    rj_netlink_status_t status;
    rj_netlink_read_status(&netlink, &status);
    cr_expect_eq(status.request_count, 0);
    expect_neighbour("10.0.0.2 dev v0", "PERMANENT");
}

Test(netlink, where_the_kernel_cannot_manage_it_is_told_of_the_use)
{
    const rj_netlink_params_t params = {.keep = RJ_NL_KEEP_USE};
    open_agent(&params);
    want("10.0.0.2");
    want("fd00::2");
    expect_way("10.0.0.2", RJ_NET_REACHED, NULL);
    expect_way("fd00::2", RJ_NET_REACHED, NULL);
    expect_neighbour_without("10.0.0.2 dev v0", "managed");
}

Test(netlink, without_privilege_a_datagram_resolves)
{
    cr_assert_eq(setresuid(65534, 65534, 0), 0);
    open_agent(NULL);
    want("10.0.0.2");
    want("fd00::2");
    expect_way("10.0.0.2", RJ_NET_REACHED, NULL);
    expect_way("fd00::2", RJ_NET_REACHED, NULL);
    rj_netlink_status_t status;
    rj_netlink_read_status(&netlink, &status);
    cr_expect_eq(status.keep, RJ_NL_KEEP_DATAGRAM);
    close_agent();
    cr_assert_eq(setresuid(0, 0, 0), 0);
}

/* --- memberships, generations, the thread --- */

typedef struct members {
    const char *group;
    const char *link; /* NULL: any */
    int count;
} members_t;

static bool members_are(const void *state)
{
    const members_t *expected = state;
    const rj_address_t group = address(expected->group);
    const uint32_t index = expected->link != NULL ? link_named(expected->link)->index : 0;
    return rj_net_snapshot_member_count(latest(), &group, index) == expected->count;
}

static void expect_members(const char *group, const char *link, int count)
{
    const members_t expected = {group, link, count};
    cr_expect(await_condition(members_are, &expected), "%s on %s: not %d", group,
              link != NULL ? link : "any", count);
}

static int join(const char *group, const char *link)
{
    const rj_address_t to = address(group);
    struct group_req request = {.gr_interface = link_named(link)->index};
    rj_address_to_sockaddr(&to, &request.gr_group);
    const int fd = socket(to.family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const int level = to.family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
    cr_assert_eq(setsockopt(fd, level, MCAST_JOIN_GROUP, &request, sizeof(request)), 0, "%s",
                 strerror(errno));
    return fd;
}

Test(netlink, members_of_wanted_groups_are_counted)
{
    open_agent(NULL);
    expect_members("239.1.2.3", NULL, -1);
    want("239.1.2.3");
    want("ff05::123");
    expect_members("239.1.2.3", NULL, 0);
    const int first = join("239.1.2.3", "v0");
    const int second = join("239.1.2.3", "v0");
    const int third = join("239.1.2.3", "v1");
    const int sixth = join("ff05::123", "v1");
    expect_members("239.1.2.3", "v0", 2);
    expect_members("239.1.2.3", "v1", 1);
    expect_members("239.1.2.3", NULL, 3);
    expect_members("ff05::123", "v1", 1);
    expect_members("ff05::123", "v0", 0);
    close(first);
    expect_members("239.1.2.3", "v0", 1);
    unwant("239.1.2.3");
    expect_members("239.1.2.3", NULL, -1);
    close(second);
    close(third);
    close(sixth);
}

static bool has_ticked_twice(const void *state)
{
    return netlink.tick_due_ns >= *(const int64_t *)state + 2 * INT64_C(1000000000);
}

Test(netlink, the_generation_stands_while_nothing_changes)
{
    open_agent(NULL);
    want("10.0.0.2");
    expect_way("10.0.0.2", RJ_NET_REACHED, NULL);
    run("ip link set v0 mtu 1400");
    const int64_t ticked_ns = netlink.tick_due_ns;
    cr_expect(await_condition(has_ticked_twice, &ticked_ns));
    const uint64_t generation = latest()->generation;
    const rj_net_snapshot_t *snapshot = latest();
    const int64_t again_ns = netlink.tick_due_ns;
    cr_expect(await_condition(has_ticked_twice, &again_ns));
    cr_expect_eq(latest()->generation, generation);
    cr_expect_eq(latest(), snapshot);
}

static bool await_other_thread(bool (*is_met)(const void *state), const void *state)
{
    for (int i = 0; i < PATIENCE_MS / 5; i++) {
        if (is_met(state))
            return true;
        poll(NULL, 0, 5);
    }
    return false;
}

Test(netlink, in_its_own_thread_it_serves_the_one_that_asks)
{
    open_agent(NULL);
    rj_err_t err;
    cr_assert_eq(rj_netlink_start(&netlink, &err), 0, "%s", err.text);
    const expectation_t reached = {"10.0.0.2", RJ_NET_REACHED, NULL};
    const expectation_t gone = {"192.0.2.1", RJ_NET_NO_ROUTE, NULL};
    want("10.0.0.2");
    cr_expect(await_other_thread(way_is, &reached));
    for (int i = 0; i < 20; i++) {
        const expectation_t there = {"192.0.2.1", RJ_NET_NO_NEIGHBOUR, "10.0.0.3"};
        run("ip route add 192.0.2.0/24 via 10.0.0.3");
        cr_expect(await_other_thread(way_is, &there), "round %d", i);
        run("ip route del 192.0.2.0/24");
        cr_expect(await_other_thread(way_is, &gone), "round %d", i);
    }
    rj_netlink_stop(&netlink);
}
