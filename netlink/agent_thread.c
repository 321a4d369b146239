/* SPDX-License-Identifier: Apache-2.0 */
/* The netlink agent's own thread, and how it sleeps. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "netlink/agent.h"

enum { MS_NS = 1000000, WAIT_MS_MAX = 60000 };

int rj_netlink_fd(const rj_netlink_t *netlink)
{
    return netlink->epoll_fd;
}

void rj_netlink_wait(rj_netlink_t *netlink, int64_t timeout_ns)
{
    if (timeout_ns <= 0)
        return;
    /* Rounded up: waking before the deadline means waking twice. */
    const int64_t timeout_ms = timeout_ns / MS_NS + (timeout_ns % MS_NS != 0);
    struct epoll_event event;
    epoll_wait(netlink->epoll_fd, &event, 1,
               timeout_ms < WAIT_MS_MAX ? (int)timeout_ms : WAIT_MS_MAX);
}

static void *run(void *state)
{
    rj_netlink_t *netlink = state;
    /* Acquire: pairs with the release of rj_netlink_stop. */
    while (__atomic_load_n(&netlink->is_running, __ATOMIC_ACQUIRE) != 0) {
        const int64_t now_ns = rj_clock_mono_ns();
        rj_netlink_do_work(netlink, now_ns);
        rj_netlink_wait(netlink, rj_netlink_deadline_ns(netlink) - now_ns);
    }
    return NULL;
}

int rj_netlink_start(rj_netlink_t *netlink, rj_err_t *err)
{
    __atomic_store_n(&netlink->is_running, 1, __ATOMIC_RELEASE);
    const int result = pthread_create(&netlink->thread, NULL, run, netlink);
    if (result != 0)
        return rj_fail(err, -result, "thread netlink: %s", strerror(result));
    netlink->has_thread = true;
    pthread_setname_np(netlink->thread, "netlink");
    return 0;
}

void rj_netlink_stop(rj_netlink_t *netlink)
{
    if (!netlink->has_thread)
        return;
    __atomic_store_n(&netlink->is_running, 0, __ATOMIC_RELEASE);
    rj_nl_kernel_feed_wake(&netlink->feed);
    pthread_join(netlink->thread, NULL);
    netlink->has_thread = false;
}
