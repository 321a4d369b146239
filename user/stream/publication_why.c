/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/publication_why.h"

#include "base/atomic.h"
#include "base/bits.h"

static rj_why_t why(rj_why_reason_t reason, bool is_held)
{
    return (rj_why_t){.reason = reason, .is_held = is_held};
}

static rj_why_t who(rj_why_reason_t reason, bool is_held, int64_t id)
{
    return (rj_why_t){.reason = reason, .is_held = is_held, .who = id};
}

/* Of readers on this host; NULL when there is none. */
static const rj_subscriber_position_t *slowest(const rj_subscriber_position_t *at)
{
    const rj_subscriber_position_t *found = at;
    for (; at != NULL; at = at->next)
        found = at->last < found->last ? at : found;
    return found;
}

/* --- network --- */

static rj_why_t not_connected(const rj_network_publication_t *publication)
{
    if (rj_load_acquire_i32(&publication->has_receivers) != 0)
        return (rj_why_t){.reason = RJ_WHY_GROUP_INCOMPLETE,
                          .is_held = true,
                          .has = rj_load_relaxed_i32(&publication->counted_receivers),
                          .needs = publication->config.flow_control.group_size_min};
    return why(rj_load_relaxed_i32(&publication->had_receivers) != 0 ? RJ_WHY_SUBSCRIBERS_GONE
                                                                     : RJ_WHY_NO_SUBSCRIBER,
               true);
}

/* Less than a datagram is left of the window, and less than what waits. */
static bool window_is_closed(const rj_network_publication_t *publication, int64_t snd_pos)
{
    const int64_t waiting_bytes = publication->producer.position - snd_pos;
    const int64_t window_bytes = rj_load_acquire_i64(publication->counters.snd_lmt) - snd_pos;
    return waiting_bytes > 0 &&
           window_bytes < rj_min_i64(waiting_bytes, publication->log->mtu_length);
}

static rj_why_t window_closed(const rj_network_publication_t *publication, bool is_held)
{
    int64_t receiver_id;
    rj_address_t address;
    if (rj_load_relaxed_i32(&publication->has_governor) == 0 ||
        !rj_governor_get(&publication->governor, &receiver_id, &address))
        return why(RJ_WHY_RECEIVER_JOINS, is_held);
    return who(RJ_WHY_WINDOW_CLOSED, is_held, receiver_id);
}

static rj_why_t of_active(const rj_network_publication_t *publication)
{
    const int64_t snd_pos = rj_load_acquire_i64(&publication->snd_pos);
    const bool is_held = publication->producer.position >= publication->pub_lmt;
    const rj_subscriber_position_t *spy = slowest(publication->spies);
    if (!publication->is_connected)
        return not_connected(publication);
    if (rj_load_acquire_i32(&publication->has_receivers) != 0 &&
        window_is_closed(publication, snd_pos))
        return window_closed(publication, is_held);
    if (is_held && spy != NULL && spy->last < snd_pos)
        return who(RJ_WHY_SUBSCRIBER_SLOW, true, spy->subscription_id);
    if (is_held)
        return why(RJ_WHY_SENDER_BEHIND, true);
    if (rj_load_relaxed_i32(&publication->resends_are_throttled) != 0)
        return why(RJ_WHY_RESENDS_THROTTLED, false);
    return why(RJ_WHY_FLOWS, false);
}

rj_why_t rj_network_publication_why(const rj_network_publication_t *publication)
{
    if (rj_load_acquire_i32(&publication->is_broken) != 0)
        return why(RJ_WHY_BROKEN, true);
    if (rj_log_is_revoked(publication->log))
        return why(RJ_WHY_REVOKED, true);
    if (publication->state == RJ_NETWORK_PUBLICATION_ACTIVE)
        return of_active(publication);
    return why(publication->state == RJ_NETWORK_PUBLICATION_DRAINING ? RJ_WHY_DRAINING
                                                                     : RJ_WHY_LINGERING,
               true);
}

/* --- IPC --- */

static rj_why_t of_active_ipc(const rj_ipc_publication_t *publication)
{
    const rj_subscriber_position_t *subscriber = slowest(publication->subscribers);
    if (subscriber == NULL)
        return why(publication->had_subscribers ? RJ_WHY_SUBSCRIBERS_GONE : RJ_WHY_NO_SUBSCRIBER,
                   true);
    if (publication->producer.position >= publication->pub_lmt)
        return who(RJ_WHY_SUBSCRIBER_SLOW, true, subscriber->subscription_id);
    return why(RJ_WHY_FLOWS, false);
}

rj_why_t rj_ipc_publication_why(const rj_ipc_publication_t *publication)
{
    if (publication->is_broken)
        return why(RJ_WHY_BROKEN, true);
    if (rj_log_is_revoked(publication->log))
        return why(RJ_WHY_REVOKED, true);
    if (publication->state == RJ_IPC_PUBLICATION_ACTIVE)
        return of_active_ipc(publication);
    return why(publication->state == RJ_IPC_PUBLICATION_DRAINING ? RJ_WHY_DRAINING
                                                                 : RJ_WHY_LINGERING,
               true);
}
