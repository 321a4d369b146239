/* SPDX-License-Identifier: Apache-2.0 */
/* Netlink's feed with both sides in threads of their own, for the thread sanitizer: snapshots are
 * whole and never go back, and in the end the agent knows exactly the wishes that stand. */
#include "netlink/kernel_feed.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 20000, HOSTS = 64 };

static rj_nl_kernel_feed_t feed;
static rj_address_t wanted[RJ_NL_WANTS_MAX];
static int32_t is_done;

static void fail(const char *text)
{
    printf("not ok stress feed: %s\n", text);
    exit(1);
}

static rj_net_snapshot_t *make(uint64_t generation)
{
    const rj_net_link_t link = {.index = 1, .mtu_bytes = (uint32_t)generation};
    const rj_net_snapshot_t parts = {.generation = generation, .links = &link, .link_count = 1};
    rj_net_snapshot_t *snapshot = NULL;
    if (rj_net_snapshot_build(&parts, &snapshot, NULL) < 0)
        fail("no memory");
    return snapshot;
}

/* Returns how many wishes stood at the last look. */
static void *run_agent(void *state)
{
    int *last_count = state;
    /* Acquire: pairs with the release in main. */
    for (uint64_t generation = 2;; generation++) {
        const bool is_last = __atomic_load_n(&is_done, __ATOMIC_ACQUIRE) != 0;
        const int count = rj_nl_kernel_feed_wanted(&feed, wanted);
        if (count >= 0)
            *last_count = count;
        for (int i = 0; i < count; i++) {
            if (wanted[i].family != AF_INET || wanted[i].bytes[0] != 10)
                fail("a wish that nobody made");
        }
        rj_nl_kernel_feed_publish(&feed, make(generation));
        rj_nl_kernel_feed_collect(&feed);
        if (is_last)
            return NULL;
    }
}

static void wish(uint32_t number, bool is_wanted)
{
    const uint8_t bytes[4] = {10, 0, 0, (uint8_t)number};
    const rj_address_t host = rj_address_ipv4(bytes, 0);
    if (is_wanted)
        feed.feed.ops->want(&feed.feed, &host);
    else
        feed.feed.ops->unwant(&feed.feed, &host);
}

int main(void)
{
    pthread_t agent;
    bool is_wanted[HOSTS] = {false};
    int known_count = 0;
    int standing_count = 0;
    if (rj_nl_kernel_feed_open(&feed, NULL) < 0)
        fail("open");
    feed.current = make(1);
    pthread_create(&agent, NULL, run_agent, &known_count);
    uint64_t generation = 1;
    uint32_t random = 12345;
    for (int i = 0; i < ROUNDS; i++) {
        const rj_net_snapshot_t *snapshot = feed.feed.ops->latest(&feed.feed);
        if (snapshot->generation < generation)
            fail("a snapshot went back");
        if (snapshot->links[0].mtu_bytes != (uint32_t)snapshot->generation)
            fail("a snapshot is not whole");
        generation = snapshot->generation;
        random = random * 1664525 + 1013904223;
        const uint32_t number = (random >> 16) % HOSTS;
        is_wanted[number] = !is_wanted[number];
        wish(number, is_wanted[number]);
    }
    for (int i = 0; i < HOSTS; i++)
        standing_count += is_wanted[i];
    /* Release: pairs with the acquire in run_agent, which then looks once more. */
    __atomic_store_n(&is_done, 1, __ATOMIC_RELEASE);
    pthread_join(agent, NULL);
    if (known_count != standing_count)
        fail("the agent knows other wishes than stand");
    if (feed.refused_count != 0)
        fail("a wish was refused");
    rj_nl_kernel_feed_close(&feed);
    printf("ok stress feed\n");
    return 0;
}
