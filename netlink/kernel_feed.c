/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink/kernel_feed.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static rj_nl_kernel_feed_t *kernel_feed_of(rj_net_feed_t *feed)
{
    return (rj_nl_kernel_feed_t *)feed;
}

static const rj_net_snapshot_t *latest(rj_net_feed_t *net_feed)
{
    rj_nl_kernel_feed_t *feed = kernel_feed_of(net_feed);
    if (__atomic_load_n(&feed->mailbox, __ATOMIC_RELAXED) == NULL)
        return feed->current;
    /* Acquire: pairs with the release in rj_nl_kernel_feed_publish. */
    rj_net_snapshot_t *snapshot = __atomic_exchange_n(&feed->mailbox, NULL, __ATOMIC_ACQ_REL);
    if (snapshot == NULL)
        return feed->current;
    /* The agent frees them, for that may take long; should it not come to it, we do. */
    if (feed->current != NULL && !rj_ring_spsc_push(&feed->retired, &feed->current))
        rj_net_snapshot_free(feed->current);
    feed->current = snapshot;
    return snapshot;
}

/* Release: pairs with the acquire in rj_nl_kernel_feed_wanted. */
static void tell_agent(rj_nl_kernel_feed_t *feed)
{
    __atomic_fetch_add(&feed->want_version, 1, __ATOMIC_RELEASE);
    rj_nl_kernel_feed_wake(feed);
}

void rj_nl_kernel_feed_wake(rj_nl_kernel_feed_t *feed)
{
    /* Below 2^64 wakes that nobody read, an eventfd takes one more. */
    const uint64_t one = 1;
    const ssize_t written = write(feed->wake_fd, &one, sizeof(one));
    (void)written;
}

static rj_nl_want_t *find_want(rj_nl_kernel_feed_t *feed, const rj_address_t *destination)
{
    for (uint32_t i = 0; i < feed->want_end; i++) {
        rj_nl_want_t *want = &feed->wants[i];
        if (want->count > 0 && rj_address_same_host(&want->destination, destination))
            return want;
    }
    return NULL;
}

/* Acquire: pairs with the release with which the agent made it free. */
static rj_nl_want_t *find_free(rj_nl_kernel_feed_t *feed)
{
    for (uint32_t i = 0; i < feed->want_end; i++) {
        rj_nl_want_t *want = &feed->wants[i];
        if (__atomic_load_n(&want->state, __ATOMIC_ACQUIRE) == RJ_NL_WANT_FREE)
            return want;
    }
    return feed->want_end < RJ_NL_WANTS_MAX ? &feed->wants[feed->want_end] : NULL;
}

/* An entry that the agent has not let go of yet is taken back as it is. */
static bool revive(rj_nl_kernel_feed_t *feed, const rj_address_t *destination)
{
    for (uint32_t i = 0; i < feed->want_end; i++) {
        rj_nl_want_t *want = &feed->wants[i];
        int32_t expected = RJ_NL_WANT_UNWANTED;
        if (want->count == 0 && rj_address_same_host(&want->destination, destination) &&
            __atomic_compare_exchange_n(&want->state, &expected, RJ_NL_WANT_WANTED, false,
                                        __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
            want->count = 1;
            return true;
        }
    }
    return false;
}

static void want(rj_net_feed_t *net_feed, const rj_address_t *destination)
{
    rj_nl_kernel_feed_t *feed = kernel_feed_of(net_feed);
    rj_nl_want_t *slot = find_want(feed, destination);
    if (slot != NULL) {
        slot->count++;
        return;
    }
    if (!revive(feed, destination)) {
        slot = find_free(feed);
        if (slot == NULL) {
            __atomic_fetch_add(&feed->refused_count, 1, __ATOMIC_RELAXED);
            return;
        }
        slot->destination = *destination;
        slot->destination.port = 0;
        slot->count = 1;
        /* Release, both: pair with the acquires in rj_nl_kernel_feed_wanted. */
        __atomic_store_n(&slot->state, RJ_NL_WANT_WANTED, __ATOMIC_RELEASE);
        if (slot == &feed->wants[feed->want_end])
            __atomic_store_n(&feed->want_end, feed->want_end + 1, __ATOMIC_RELEASE);
    }
    tell_agent(feed);
}

static void unwant(rj_net_feed_t *net_feed, const rj_address_t *destination)
{
    rj_nl_kernel_feed_t *feed = kernel_feed_of(net_feed);
    rj_nl_want_t *slot = find_want(feed, destination);
    /* One that the full table refused is not there. */
    if (slot == NULL || --slot->count > 0)
        return;
    __atomic_store_n(&slot->state, RJ_NL_WANT_UNWANTED, __ATOMIC_RELEASE);
    tell_agent(feed);
}

static const rj_net_feed_ops_t kernel_ops = {latest, want, unwant};

int rj_nl_kernel_feed_open(rj_nl_kernel_feed_t *feed, rj_err_t *err)
{
    memset(feed, 0, sizeof(*feed));
    feed->feed.ops = &kernel_ops;
    feed->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (feed->wake_fd < 0) {
        const int code = errno;
        return rj_fail(err, -code, "eventfd: %s", strerror(code));
    }
    return rj_ring_spsc_open(&feed->retired, sizeof(rj_net_snapshot_t *), RJ_NL_RETIRED_MAX, err);
}

void rj_nl_kernel_feed_close(rj_nl_kernel_feed_t *feed)
{
    if (feed->retired.slots != NULL)
        rj_nl_kernel_feed_collect(feed);
    rj_ring_spsc_close(&feed->retired);
    rj_net_snapshot_free(feed->mailbox);
    rj_net_snapshot_free(feed->current);
    feed->mailbox = feed->current = NULL;
    if (feed->wake_fd >= 0)
        close(feed->wake_fd);
    feed->wake_fd = -1;
}

void rj_nl_kernel_feed_publish(rj_nl_kernel_feed_t *feed, rj_net_snapshot_t *snapshot)
{
    /* Release: pairs with the acquire in `latest`; acquire: what comes back was ours before. */
    rj_net_snapshot_free(__atomic_exchange_n(&feed->mailbox, snapshot, __ATOMIC_ACQ_REL));
}

void rj_nl_kernel_feed_collect(rj_nl_kernel_feed_t *feed)
{
    rj_net_snapshot_t *snapshot;
    while (rj_ring_spsc_pop(&feed->retired, &snapshot))
        rj_net_snapshot_free(snapshot);
}

int rj_nl_kernel_feed_wanted(rj_nl_kernel_feed_t *feed,
                             rj_address_t ret_destinations[static RJ_NL_WANTS_MAX])
{
    /* First the wake, then the version: who changes it in between wakes us once more. */
    uint64_t wakes;
    const ssize_t got = read(feed->wake_fd, &wakes, sizeof(wakes));
    (void)got;
    const uint32_t version = __atomic_load_n(&feed->want_version, __ATOMIC_ACQUIRE);
    if (version == feed->want_version_seen)
        return -1;
    feed->want_version_seen = version;

    int count = 0;
    const uint32_t end = __atomic_load_n(&feed->want_end, __ATOMIC_ACQUIRE);
    for (uint32_t i = 0; i < end; i++) {
        rj_nl_want_t *slot = &feed->wants[i];
        int32_t state = __atomic_load_n(&slot->state, __ATOMIC_ACQUIRE);
        /* Release: pairs with the acquire in find_free. When it fails the slot is wanted again, and
         * `state` says so. */
        if (state == RJ_NL_WANT_UNWANTED)
            __atomic_compare_exchange_n(&slot->state, &state, RJ_NL_WANT_FREE, false,
                                        __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
        if (state == RJ_NL_WANT_WANTED)
            ret_destinations[count++] = slot->destination;
    }
    return count;
}
