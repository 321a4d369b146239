/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink/keeper.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <string.h>
#include <unistd.h>

enum { DISCARD_PORT = 9 };

const char *rj_nl_keep_text(rj_nl_keep_t keep)
{
    static const char *const texts[] = {
        [RJ_NL_KEEP_AUTO] = "auto",
        [RJ_NL_KEEP_MANAGED] = "managed by the kernel",
        [RJ_NL_KEEP_USE] = "confirmed every 20 s",
        [RJ_NL_KEEP_DATAGRAM] = "empty datagrams every 20 s",
    };
    return texts[keep];
}

void rj_nl_keeper_init(rj_nl_keeper_t *keeper, rj_rtnl_t *ask, rj_nl_keep_t keep)
{
    *keeper = (rj_nl_keeper_t){.ask = ask, .keep = keep, .datagram_fds = {-1, -1}};
    rj_nl_array_init(&keeper->hops, sizeof(rj_nl_kept_hop_t));
}

/* --- the ways --- */

static int ask(rj_nl_keeper_t *keeper, rj_nl_neigh_wish_t wish, const rj_nl_kept_hop_t *hop)
{
    _Alignas(4) uint8_t bytes[RJ_NL_NEIGH_REQUEST_BYTES];
    keeper->request_count++;
    return rj_rtnl_request(keeper->ask,
                           rj_nl_neigh_write(bytes, wish, hop->link_index, &hop->address), NULL,
                           NULL, NULL);
}

static void look_at_answer(void *state, const struct nlmsghdr *message)
{
    rj_nl_neigh_t neigh;
    if (rj_nl_neigh_read(message, &neigh))
        *(bool *)state = neigh.is_managed;
}

/* A kernel that does not know the flag takes the request and forgets it, so look once. */
static void learn_way(rj_nl_keeper_t *keeper, rj_nl_kept_hop_t *hop)
{
    _Alignas(4) uint8_t bytes[RJ_NL_NEIGH_REQUEST_BYTES];
    bool is_managed = false;
    if (rj_rtnl_request(keeper->ask, rj_nl_neigh_write_get(bytes, hop->link_index, &hop->address),
                        look_at_answer, &is_managed, NULL) < 0)
        return;
    keeper->keep = is_managed ? RJ_NL_KEEP_MANAGED : RJ_NL_KEEP_USE;
    if (!is_managed) {
        hop->is_managed = false;
        ask(keeper, RJ_NL_NEIGH_USE, hop);
    }
}

/* An empty datagram to the discard port makes the kernel resolve the hop, whoever we are. */
static int send_datagram(rj_nl_keeper_t *keeper, const rj_nl_kept_hop_t *hop)
{
    const uint16_t family = hop->address.family;
    int *fd = &keeper->datagram_fds[family == AF_INET6];
    if (*fd < 0)
        *fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*fd < 0)
        return -errno;
    /* Where the system does not let us bind to the link, the routes say the same. */
    const int link_index = (int)hop->link_index;
    setsockopt(*fd, SOL_SOCKET, SO_BINDTOIFINDEX, &link_index, sizeof(link_index));
    rj_address_t to = hop->address;
    to.port = DISCARD_PORT;
    if (rj_address_is_link_local(&to))
        to.scope_id = hop->link_index;
    struct sockaddr_storage name;
    const socklen_t length = rj_address_to_sockaddr(&to, &name);
    keeper->request_count++;
    return sendto(*fd, "", 0, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&name, length) < 0
               ? -errno
               : 0;
}

/* Makes the request of the way that we are on; afterwards that may be another one. */
static void resolve(rj_nl_keeper_t *keeper, rj_nl_kept_hop_t *hop)
{
    int result = 0;
    if (keeper->keep == RJ_NL_KEEP_AUTO || keeper->keep == RJ_NL_KEEP_MANAGED) {
        result = ask(keeper, RJ_NL_NEIGH_MANAGE, hop);
        hop->is_managed = hop->is_managed || result == 0;
        if (result == 0 && keeper->keep == RJ_NL_KEEP_AUTO)
            learn_way(keeper, hop);
    } else if (keeper->keep == RJ_NL_KEEP_USE) {
        result = ask(keeper, RJ_NL_NEIGH_USE, hop);
    }
    if (result == -EPERM || result == -EACCES)
        keeper->keep = RJ_NL_KEEP_DATAGRAM;
    if (keeper->keep == RJ_NL_KEEP_DATAGRAM)
        result = send_datagram(keeper, hop);
    keeper->failed_count += result < 0;
}

static void let_go(rj_nl_keeper_t *keeper, rj_nl_kept_hop_t *hop)
{
    /* The entry may have gone with its link: no error then. */
    if (hop->is_managed)
        ask(keeper, RJ_NL_NEIGH_USE, hop);
    hop->is_managed = false;
}

void rj_nl_keeper_close(rj_nl_keeper_t *keeper)
{
    for (size_t i = 0; i < keeper->hops.count; i++)
        let_go(keeper, rj_nl_array_at(&keeper->hops, i));
    rj_nl_array_close(&keeper->hops);
    for (size_t i = 0; i < 2; i++) {
        if (keeper->datagram_fds[i] >= 0)
            close(keeper->datagram_fds[i]);
        keeper->datagram_fds[i] = -1;
    }
}

/* --- rounds --- */

void rj_nl_keeper_begin(rj_nl_keeper_t *keeper)
{
    keeper->stamp++;
}

static int compare_hops(const void *item, const void *key)
{
    const rj_nl_kept_hop_t *a = item, *b = key;
    if (a->link_index != b->link_index)
        return a->link_index < b->link_index ? -1 : 1;
    return memcmp(&a->address, &b->address, sizeof(a->address));
}

void rj_nl_keeper_want(rj_nl_keeper_t *keeper, uint32_t link_index, const rj_address_t *address)
{
    const rj_nl_kept_hop_t hop = {.stamp = keeper->stamp,
                                  .link_index = link_index,
                                  .address = *address,
                                  .asked_ns = INT64_MIN};
    bool is_there;
    const size_t at = rj_nl_array_find(&keeper->hops, &hop, compare_hops, &is_there);
    if (is_there)
        ((rj_nl_kept_hop_t *)rj_nl_array_at(&keeper->hops, at))->stamp = keeper->stamp;
    else if (keeper->hops.count == RJ_NL_HOPS_MAX ||
             rj_nl_array_insert(&keeper->hops, at, &hop) < 0)
        keeper->full_count++;
}

void rj_nl_keeper_end(rj_nl_keeper_t *keeper)
{
    for (size_t i = 0; i < keeper->hops.count; i++) {
        rj_nl_kept_hop_t *hop = rj_nl_array_at(&keeper->hops, i);
        if (hop->stamp != keeper->stamp)
            let_go(keeper, hop);
    }
    rj_nl_array_sweep(&keeper->hops, keeper->stamp);
}

/* When the hop is to be looked after again, counted from its last request; 0: not at all for now.
 */
static int64_t period_ns(const rj_nl_keeper_t *keeper, const rj_nl_neigh_t *neigh)
{
    if (neigh != NULL && rj_nl_neigh_is_fixed(neigh))
        return 0;
    const bool is_lost = neigh == NULL || (neigh->state & NUD_FAILED);
    switch (keeper->keep) {
    case RJ_NL_KEEP_AUTO:
    case RJ_NL_KEEP_MANAGED:
        return is_lost || !neigh->is_managed ? RJ_NL_RETRY_NS : 0;
    case RJ_NL_KEEP_USE:
        return is_lost ? RJ_NL_RETRY_NS : RJ_NL_CONFIRM_NS;
    case RJ_NL_KEEP_DATAGRAM:
        break;
    }
    return RJ_NL_CONFIRM_NS;
}

int rj_nl_keeper_do_work(rj_nl_keeper_t *keeper, const rj_nl_tables_t *tables, int64_t now_ns)
{
    int work = 0;
    for (size_t i = 0; i < keeper->hops.count; i++) {
        rj_nl_kept_hop_t *hop = rj_nl_array_at(&keeper->hops, i);
        const rj_nl_neigh_t *neigh =
            rj_nl_tables_find_neigh(tables, hop->link_index, &hop->address);
        const int64_t period = period_ns(keeper, neigh);
        if (period == 0 || (hop->asked_ns != INT64_MIN && now_ns - hop->asked_ns < period))
            continue;
        resolve(keeper, hop);
        hop->asked_ns = now_ns;
        work++;
    }
    return work;
}
