/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink/agent.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    MS_NS = 1000000,
    TICK_NS = 1000 * MS_NS,
    VERIFY_NS = 200 * MS_NS,
    RESYNC_GAP_NS = 100 * MS_NS,
    PUBLISH_GAP_NS = 10 * MS_NS,
    PUBLISH_GAP_ROUTE_NS = 1000, /* more for each route that has to be sorted again */
    DRAIN_READS_MAX = 100000,
};

/* --- dumps --- */

/* What to ask for each kind, in the order in which they rest on each other. */
static const struct {
    uint32_t kind;
    uint16_t type;
    uint8_t family;
    bool may_fail; /* kernels without IPv6 or next-hop objects */
} dumps[] = {
    {RJ_NL_LINKS, RTM_GETLINK, AF_UNSPEC, false}, {RJ_NL_ADDRS, RTM_GETADDR, AF_INET, false},
    {RJ_NL_ADDRS, RTM_GETADDR, AF_INET6, true},   {RJ_NL_NEXTHOPS, RTM_GETNEXTHOP, AF_UNSPEC, true},
    {RJ_NL_ROUTES, RTM_GETROUTE, AF_INET, false}, {RJ_NL_ROUTES, RTM_GETROUTE, AF_INET6, true},
    {RJ_NL_RULES, RTM_GETRULE, AF_INET, true},    {RJ_NL_RULES, RTM_GETRULE, AF_INET6, true},
    {RJ_NL_NEIGHS, RTM_GETNEIGH, AF_INET, false}, {RJ_NL_NEIGHS, RTM_GETNEIGH, AF_INET6, true},
};

static void visit_dumped(void *state, const struct nlmsghdr *message)
{
    rj_nl_tables_apply(state, message, RJ_NL_DUMPED);
}

/* The kernel has no such objects, so there is nothing to mirror. */
static bool is_lacking(int result)
{
    return result == -EOPNOTSUPP || result == -EAFNOSUPPORT || result == -EINVAL;
}

/* Which of the kinds are not for certain as the kernel has them; the others have been swept. */
static int dump(rj_netlink_t *netlink, uint32_t kinds, uint32_t *ret_doubts, rj_err_t *err)
{
    uint32_t failed = 0;
    uint32_t doubts = 0;
    int first_error = 0;
    rj_nl_tables_begin_dump(&netlink->tables, kinds);
    for (size_t i = 0; i < sizeof(dumps) / sizeof(dumps[0]); i++) {
        if ((kinds & dumps[i].kind) == 0)
            continue;
        const int result = rj_rtnl_dump(&netlink->ask, dumps[i].type, dumps[i].family, visit_dumped,
                                        &netlink->tables, first_error == 0 ? err : NULL);
        if (result > 0)
            doubts |= dumps[i].kind;
        if (result >= 0 || (dumps[i].may_fail && is_lacking(result)))
            continue;
        failed |= dumps[i].kind;
        first_error = first_error == 0 ? result : first_error;
    }
    /* What changes overtook may have been left out: it stays until a dump is whole. */
    rj_nl_tables_end_dump(&netlink->tables, kinds & ~failed & ~doubts);
    netlink->counters.interrupted_count = netlink->ask.interrupted_count;
    netlink->counters.failed_count += failed != 0;
    *ret_doubts = failed | doubts;
    return first_error;
}

static void verify_at(rj_netlink_t *netlink, uint32_t kinds, int64_t due_ns)
{
    if (kinds == 0)
        return;
    netlink->verify_kinds |= kinds;
    if (due_ns < netlink->verify_due_ns)
        netlink->verify_due_ns = due_ns;
}

static void dump_again(rj_netlink_t *netlink, uint32_t kinds, int64_t now_ns)
{
    uint32_t doubts;
    dump(netlink, kinds, &doubts, NULL);
    verify_at(netlink, doubts, now_ns + TICK_NS);
}

/* The driver is asked once for each message about a link; queues change without one, which the
 * look once a second mends. */
static void count_queues(rj_netlink_t *netlink)
{
    for (size_t i = 0; i < netlink->tables.links.count; i++) {
        rj_nl_link_t *link = rj_nl_array_at(&netlink->tables.links, i);
        if (!link->is_fresh)
            continue;
        link->is_fresh = false;
        const uint32_t count = rj_nl_link_count_queues(netlink->ioctl_fd, link);
        netlink->tables.is_changed |= count != link->net.rx_queue_count;
        link->net.rx_queue_count = count;
    }
}

/* --- snapshots --- */

/* Makes a snapshot when something changed, and drops it again when nobody would see that. */
static rj_net_snapshot_t *make_snapshot(rj_netlink_t *netlink, rj_err_t *err)
{
    const uint64_t generation = netlink->last == NULL ? 1 : netlink->last->generation + 1;
    rj_net_snapshot_t *snapshot = NULL;
    if (rj_nl_tables_snapshot(&netlink->tables, netlink->members.items, netlink->members.count,
                              generation, netlink->last, &snapshot, err) < 0) {
        netlink->counters.failed_count++;
        return NULL;
    }
    netlink->tables.is_changed = false;
    netlink->tables.are_routes_changed = false;
    if (netlink->last != NULL && rj_net_snapshot_equal(netlink->last, snapshot)) {
        rj_net_snapshot_free(snapshot);
        return NULL;
    }
    netlink->last = snapshot;
    netlink->counters.snapshot_count++;
    return snapshot;
}

static int64_t publish_due_ns(const rj_netlink_t *netlink)
{
    if (!netlink->tables.is_changed)
        return INT64_MAX;
    const size_t sorted =
        netlink->tables.are_routes_changed ? rj_nl_route_table_count(netlink->tables.routes) : 0;
    return netlink->published_ns + PUBLISH_GAP_NS + (int64_t)sorted * PUBLISH_GAP_ROUTE_NS;
}

static int publish(rj_netlink_t *netlink, int64_t now_ns)
{
    if (now_ns < publish_due_ns(netlink))
        return 0;
    netlink->published_ns = now_ns;
    rj_net_snapshot_t *snapshot = make_snapshot(netlink, NULL);
    if (snapshot == NULL)
        return 0;
    rj_nl_kernel_feed_publish(&netlink->feed, snapshot);
    netlink->has_round = true;
    return 1;
}

/* --- events --- */

static void visit_event(void *state, const struct nlmsghdr *message)
{
    rj_netlink_t *netlink = state;
    netlink->counters.event_count++;
    rj_nl_tables_apply(&netlink->tables, message, RJ_NL_EVENT);
}

static void visit_nothing(void *state, const struct nlmsghdr *message)
{
    (void)state;
    (void)message;
}

/* Groups that every kernel has come first. */
static int subscribe(rj_netlink_t *netlink, rj_err_t *err)
{
    static const uint32_t groups[] = {RTNLGRP_LINK,         RTNLGRP_IPV4_IFADDR, RTNLGRP_NEIGH,
                                      RTNLGRP_IPV4_ROUTE,   RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV6_ROUTE,
                                      RTNLGRP_IPV4_RULE,    RTNLGRP_IPV6_RULE,   RTNLGRP_NEXTHOP,
                                      RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV6_NETCONF};
    enum { NEEDED = 4 };
    const size_t bytes = netlink->params.receive_bytes;
    int result = rj_rtnl_open(&netlink->listen, RJ_RTNL_LISTEN,
                              bytes != 0 ? bytes : (size_t)RJ_NETLINK_RECEIVE_BYTES, err);
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]) && result == 0; i++) {
        const int joined = rj_rtnl_join(&netlink->listen, groups[i], err);
        result = i < NEEDED ? joined : 0;
    }
    if (result < 0)
        return result;
    struct epoll_event event = {.events = EPOLLIN};
    if (epoll_ctl(netlink->epoll_fd, EPOLL_CTL_ADD, rj_rtnl_fd(&netlink->listen), &event) == 0)
        return 0;
    const int code = errno;
    return rj_fail(err, -code, "netlink: epoll: %s", strerror(code));
}

/* Several overruns within a short time make one dump. */
static void note_overrun(rj_netlink_t *netlink, int64_t now_ns)
{
    netlink->counters.overrun_count++;
    const int64_t earliest_ns = netlink->resynced_ns + RESYNC_GAP_NS;
    if (netlink->resync_due_ns == INT64_MAX)
        netlink->resync_due_ns = now_ns > earliest_ns ? now_ns : earliest_ns;
}

/* A socket that fails otherwise than for room is of no more use. */
static void listen_anew(rj_netlink_t *netlink, int64_t now_ns)
{
    rj_rtnl_close(&netlink->listen);
    if (subscribe(netlink, NULL) < 0) {
        rj_rtnl_close(&netlink->listen);
        netlink->counters.failed_count++;
    }
    note_overrun(netlink, now_ns);
}

static int take_events(rj_netlink_t *netlink, int64_t now_ns)
{
    int work = 0;
    while (work < RJ_NETLINK_EVENTS_MAX) {
        if (rj_rtnl_fd(&netlink->listen) < 0) {
            if (now_ns >= netlink->tick_due_ns)
                listen_anew(netlink, now_ns);
            return work;
        }
        const int count = rj_rtnl_listen(&netlink->listen, visit_event, netlink);
        if (count == 0)
            return work;
        if (count == -ENOBUFS)
            note_overrun(netlink, now_ns);
        else if (count < 0)
            listen_anew(netlink, now_ns);
        work += count > 0 ? count : 1;
    }
    return work;
}

/* What waits to be read is older than the dump and has gaps: it would only confuse. */
static void resync(rj_netlink_t *netlink, int64_t now_ns)
{
    for (int i = 0; i < DRAIN_READS_MAX && rj_rtnl_fd(&netlink->listen) >= 0; i++) {
        if (rj_rtnl_listen(&netlink->listen, visit_nothing, NULL) == 0)
            break;
    }
    netlink->counters.resync_count++;
    netlink->resync_due_ns = INT64_MAX;
    netlink->resynced_ns = now_ns;
    netlink->verify_due_ns = INT64_MAX;
    netlink->verify_kinds = 0;
    dump_again(netlink, RJ_NL_EVERYTHING, now_ns);
}

/* --- what is due by the clock --- */

static void look_for_members(rj_netlink_t *netlink)
{
    if (netlink->group_count == 0 && netlink->members.count == 0)
        return;
    rj_nl_members_t members = {0};
    if (rj_nl_member_lists_read(&netlink->member_lists, &members, netlink->groups,
                                netlink->group_count) < 0) {
        netlink->counters.failed_count++;
        rj_nl_members_close(&members);
        return;
    }
    const bool is_same =
        members.count == netlink->members.count &&
        (members.count == 0 || memcmp(members.items, netlink->members.items,
                                      members.count * sizeof(*members.items)) == 0);
    rj_nl_members_close(&netlink->members);
    netlink->members = members;
    netlink->tables.is_changed |= !is_same;
}

static int take_wishes(rj_netlink_t *netlink)
{
    rj_address_t wanted[RJ_NL_WANTS_MAX];
    const int count = rj_nl_kernel_feed_wanted(&netlink->feed, wanted);
    if (count < 0)
        return 0;
    netlink->hop_want_count = 0;
    netlink->group_count = 0;
    for (int i = 0; i < count; i++) {
        if (rj_address_is_multicast(&wanted[i]))
            netlink->groups[netlink->group_count++] = wanted[i];
        else
            netlink->hop_wants[netlink->hop_want_count++] = wanted[i];
    }
    netlink->has_round = true;
    look_for_members(netlink);
    return 1;
}

/* Which next hops the wanted destinations have now. */
static void make_round(rj_netlink_t *netlink)
{
    const rj_address_t any = {0};
    rj_nl_keeper_begin(&netlink->keeper);
    for (size_t i = 0; i < netlink->hop_want_count; i++) {
        rj_net_way_t way;
        const rj_net_answer_t answer =
            rj_net_snapshot_find_way(netlink->last, &any, &netlink->hop_wants[i], 0, &way);
        if (answer == RJ_NET_REACHED || answer == RJ_NET_NO_NEIGHBOUR)
            rj_nl_keeper_want(&netlink->keeper, way.link_index, &way.next_hop);
    }
    rj_nl_keeper_end(&netlink->keeper);
    netlink->has_round = false;
}

static int verify(rj_netlink_t *netlink, int64_t now_ns)
{
    uint32_t *doubts = &netlink->tables.doubts;
    /* Wrong rules mean wrong ways everywhere, and a dump of them is short. */
    if (*doubts & RJ_NL_RULES)
        verify_at(netlink, *doubts & RJ_NL_RULES, now_ns);
    verify_at(netlink, *doubts & ~(uint32_t)RJ_NL_RULES, now_ns + VERIFY_NS);
    *doubts = 0;
    if (now_ns < netlink->verify_due_ns)
        return 0;
    const uint32_t kinds = netlink->verify_kinds;
    netlink->verify_kinds = 0;
    netlink->verify_due_ns = INT64_MAX;
    netlink->counters.verify_count++;
    dump_again(netlink, kinds, now_ns);
    return 1;
}

/* An XDP program attached by a link of its own, and the number of queues, change without a message.
 */
static int tick(rj_netlink_t *netlink, int64_t now_ns)
{
    if (now_ns < netlink->tick_due_ns)
        return 0;
    netlink->tick_due_ns = now_ns + TICK_NS;
    dump_again(netlink, RJ_NL_LINKS, now_ns);
    look_for_members(netlink);
    return 1;
}

static void show_status(rj_netlink_t *netlink)
{
    rj_netlink_status_t *counters = &netlink->counters;
    counters->refused_want_count = __atomic_load_n(&netlink->feed.refused_count, __ATOMIC_RELAXED);
    counters->unkept_hop_count = netlink->keeper.full_count;
    counters->request_count = netlink->keeper.request_count;
    counters->failed_request_count = netlink->keeper.failed_count;
    counters->keep = netlink->keeper.keep;
    const uint64_t *from = (const uint64_t *)counters;
    uint64_t *to = (uint64_t *)&netlink->status;
    _Static_assert(sizeof(*counters) % sizeof(*to) == 0, "a status is words");
    /* Relaxed: each word counts by itself. */
    for (size_t i = 0; i < sizeof(*counters) / sizeof(*to); i++)
        __atomic_store_n(&to[i], from[i], __ATOMIC_RELAXED);
}

void rj_netlink_read_status(const rj_netlink_t *netlink, rj_netlink_status_t *ret)
{
    const uint64_t *from = (const uint64_t *)&netlink->status;
    uint64_t *to = (uint64_t *)ret;
    for (size_t i = 0; i < sizeof(*ret) / sizeof(*to); i++)
        to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

int rj_netlink_do_work(rj_netlink_t *netlink, int64_t now_ns)
{
    rj_nl_kernel_feed_collect(&netlink->feed);
    int work = take_wishes(netlink);
    const int event_count = take_events(netlink, now_ns);
    work += event_count;
    if (now_ns >= netlink->resync_due_ns) {
        resync(netlink, now_ns);
        work++;
    } else if (event_count < RJ_NETLINK_EVENTS_MAX) {
        /* With everything read a dump is newer than all that we know. */
        work += verify(netlink, now_ns);
    }
    const int ticks = tick(netlink, now_ns);
    count_queues(netlink);
    work += ticks + publish(netlink, now_ns);
    const bool is_keeping = netlink->has_round || ticks > 0 || event_count > 0;
    if (netlink->has_round)
        make_round(netlink);
    if (is_keeping)
        work += rj_nl_keeper_do_work(&netlink->keeper, &netlink->tables, now_ns);
    show_status(netlink);
    return work;
}

int64_t rj_netlink_deadline_ns(const rj_netlink_t *netlink)
{
    int64_t due_ns = netlink->tick_due_ns;
    due_ns = netlink->resync_due_ns < due_ns ? netlink->resync_due_ns : due_ns;
    due_ns = netlink->verify_due_ns < due_ns ? netlink->verify_due_ns : due_ns;
    const int64_t publish_ns = publish_due_ns(netlink);
    return publish_ns < due_ns ? publish_ns : due_ns;
}

/* --- open and close --- */

static int open_sockets(rj_netlink_t *netlink, rj_err_t *err)
{
    netlink->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    netlink->ioctl_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct epoll_event event = {.events = EPOLLIN};
    if (netlink->epoll_fd < 0 || netlink->ioctl_fd < 0 ||
        epoll_ctl(netlink->epoll_fd, EPOLL_CTL_ADD, netlink->feed.wake_fd, &event) != 0) {
        const int code = errno;
        return rj_fail(err, -code, "netlink: %s", strerror(code));
    }
    const int result = rj_rtnl_open(&netlink->ask, RJ_RTNL_ASK, 0, err);
    return result < 0 ? result : subscribe(netlink, err);
}

int rj_netlink_open(rj_netlink_t *netlink, const rj_netlink_params_t *params, int64_t now_ns,
                    rj_err_t *err)
{
    memset(netlink, 0, sizeof(*netlink));
    netlink->params = params != NULL ? *params : (rj_netlink_params_t){0};
    netlink->epoll_fd = netlink->ioctl_fd = -1;
    netlink->resync_due_ns = netlink->verify_due_ns = INT64_MAX;
    netlink->tick_due_ns = now_ns + TICK_NS;
    netlink->published_ns = netlink->resynced_ns = now_ns - TICK_NS;
    rj_nl_keeper_init(&netlink->keeper, &netlink->ask, netlink->params.keep);
    rj_nl_member_lists_open(&netlink->member_lists);
    int result = rj_nl_kernel_feed_open(&netlink->feed, err);
    if (result < 0 || (result = rj_nl_tables_open(&netlink->tables, err)) < 0 ||
        (result = open_sockets(netlink, err)) < 0)
        goto fail;
    uint32_t doubts;
    if ((result = dump(netlink, RJ_NL_EVERYTHING, &doubts, err)) < 0)
        goto fail;
    verify_at(netlink, doubts, now_ns + TICK_NS);
    count_queues(netlink);
    netlink->feed.current = make_snapshot(netlink, err);
    if (netlink->feed.current == NULL) {
        result = -ENOMEM;
        goto fail;
    }
    show_status(netlink);
    return 0;
fail:
    rj_netlink_close(netlink);
    return result;
}

void rj_netlink_close(rj_netlink_t *netlink)
{
    /* A zeroed one was never opened. */
    if (netlink->feed.feed.ops == NULL)
        return;
    rj_netlink_stop(netlink);
    rj_nl_keeper_close(&netlink->keeper);
    rj_rtnl_close(&netlink->ask);
    rj_rtnl_close(&netlink->listen);
    rj_nl_tables_close(&netlink->tables);
    rj_nl_members_close(&netlink->members);
    rj_nl_member_lists_close(&netlink->member_lists);
    rj_nl_kernel_feed_close(&netlink->feed);
    if (netlink->epoll_fd >= 0)
        close(netlink->epoll_fd);
    if (netlink->ioctl_fd >= 0)
        close(netlink->ioctl_fd);
    netlink->epoll_fd = netlink->ioctl_fd = -1;
    netlink->feed.feed.ops = NULL;
    netlink->last = NULL;
}
