/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/ipc_publication.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "shm/term_unblock.h"

void rj_ipc_publication_init(rj_ipc_publication_t *publication,
                             const rj_ipc_publication_config_t *config,
                             const rj_ipc_publication_counters_t *counters, rj_log_t *log,
                             int64_t now_ns)
{
    memset(publication, 0, sizeof(*publication));
    publication->config = *config;
    publication->counters = *counters;
    publication->log = log;
    rj_log_producer_init(&publication->producer, log, config->start_position);
    publication->pub_lmt = config->start_position;
    publication->consumer_position = config->start_position;
    publication->clean_position = config->start_position;
    rj_log_reach_init(&publication->reach, log, config->start_position);
    publication->stall = (rj_stall_t){config->start_position, now_ns};
}

/* What a reader left is cleaned by so much, long before the limit moves: it is in the caches still,
 * which for a window of half a term it would not be. */
enum { CLEAN_STEP_BYTES = 512 * 1024 };

static int64_t publish_position(rj_ipc_publication_t *publication)
{
    if (rj_log_producer_poll(&publication->producer, publication->log) == -EBADMSG)
        publication->is_broken = true;
    rj_store_release_i64(publication->counters.pub_pos, publication->producer.position);
    return publication->producer.position;
}

static void set_connected(rj_ipc_publication_t *publication, bool is_connected)
{
    if (publication->is_connected == is_connected)
        return;
    publication->is_connected = is_connected;
    rj_log_set_connected(publication->log, is_connected);
}

/* Release: pairs with the acquire of publishers; what was cleaned before is zero to them. */
static void set_limit(rj_ipc_publication_t *publication, int64_t pub_lmt)
{
    publication->pub_lmt = pub_lmt;
    rj_store_release_i64(publication->counters.pub_lmt, pub_lmt);
}

static void clean_to(rj_ipc_publication_t *publication, int64_t position)
{
    rj_log_reach_extend(&publication->reach, publication->log, position);
    rj_log_clean_to(publication->log, &publication->clean_position, position);
}

/* A reader may have passed what the publishers had written when the tails were looked at last.
 * Acquire: pairs with the release of the client, which saw the tail moved before it read what is
 * below. */
static int64_t poll_subscriber(rj_ipc_publication_t *publication, rj_subscriber_position_t *at)
{
    int64_t value = rj_load_acquire_i64(at->counter);
    if (value > publication->producer.position)
        publish_position(publication);
    return rj_subscriber_position_check(at, value, publication->producer.position,
                                        &publication->bad_position_count);
}

/* Returns the slowest subscriber, INT64_MAX when there is none; `*ret_max_pos` is the fastest. */
static int64_t poll_subscribers(rj_ipc_publication_t *publication, int64_t *ret_max_pos)
{
    int64_t min_pos = INT64_MAX;
    *ret_max_pos = publication->consumer_position;
    for (rj_subscriber_position_t *at = publication->subscribers; at != NULL; at = at->next) {
        int64_t position = poll_subscriber(publication, at);
        min_pos = rj_min_i64(min_pos, position);
        *ret_max_pos = rj_max_i64(*ret_max_pos, position);
    }
    return min_pos;
}

static bool is_drained(rj_ipc_publication_t *publication)
{
    int64_t max_pos;
    return poll_subscribers(publication, &max_pos) >= publication->producer.position;
}

static bool accepts_subscribers(rj_ipc_publication_t *publication)
{
    return publication->state == RJ_IPC_PUBLICATION_ACTIVE ||
           (publication->state == RJ_IPC_PUBLICATION_DRAINING && !is_drained(publication));
}

bool rj_ipc_publication_add_subscriber(rj_ipc_publication_t *publication,
                                       rj_subscriber_position_t *position)
{
    if (!accepts_subscribers(publication))
        return false;
    int64_t max_pos;
    int64_t min_pos = poll_subscribers(publication, &max_pos);
    publication->consumer_position = max_pos;
    int64_t join_position = rj_min_i64(max_pos, min_pos);
    assert(join_position >= publication->clean_position);
    rj_subscriber_position_link(&publication->subscribers, position, join_position);
    publication->subscriber_count++;
    publication->had_subscribers = true;
    set_connected(publication, publication->state == RJ_IPC_PUBLICATION_ACTIVE);
    return true;
}

bool rj_ipc_publication_remove_subscriber(rj_ipc_publication_t *publication,
                                          rj_subscriber_position_t *position)
{
    if (!rj_subscriber_position_unlink(&publication->subscribers, position))
        return false;
    /* What it has read counts, or a later one would join in front of it. */
    publication->consumer_position =
        rj_max_i64(publication->consumer_position, poll_subscriber(publication, position));
    if (--publication->subscriber_count == 0)
        set_connected(publication, false);
    return true;
}

int rj_ipc_publication_update_limit(rj_ipc_publication_t *publication)
{
    if (publication->state != RJ_IPC_PUBLICATION_ACTIVE)
        return 0;
    publish_position(publication);
    if (publication->is_broken) {
        set_connected(publication, false);
        return 0;
    }
    int64_t max_pos;
    int64_t min_pos = poll_subscribers(publication, &max_pos);
    publication->consumer_position = max_pos;
    if (publication->subscribers == NULL) {
        if (publication->pub_lmt <= max_pos)
            return 0;
        set_limit(publication, max_pos);
        publication->trip_limit = max_pos;
        clean_to(publication, max_pos);
        return 1;
    }
    if (min_pos - publication->clean_position >= CLEAN_STEP_BYTES)
        clean_to(publication, min_pos);
    int64_t pub_lmt = min_pos + publication->config.term_window_bytes;
    if (pub_lmt <= publication->trip_limit)
        return 0;
    clean_to(publication, min_pos);
    set_limit(publication, pub_lmt);
    publication->trip_limit = pub_lmt + publication->config.term_window_bytes / 8;
    return 1;
}

void rj_ipc_publication_on_unreferenced(rj_ipc_publication_t *publication, int64_t now_ns)
{
    int64_t producer_pos = publish_position(publication);
    if (publication->pub_lmt > producer_pos)
        set_limit(publication, producer_pos);
    rj_log_set_end_of_stream(publication->log, producer_pos);
    publication->stall.since_ns = now_ns;
    if (publication->state == RJ_IPC_PUBLICATION_ACTIVE && !rj_log_is_revoked(publication->log))
        publication->state = RJ_IPC_PUBLICATION_DRAINING;
}

static void on_revoked(rj_ipc_publication_t *publication)
{
    int64_t producer_pos = publish_position(publication);
    set_limit(publication, producer_pos);
    rj_log_set_end_of_stream(publication->log, producer_pos);
    set_connected(publication, false);
    publication->state = RJ_IPC_PUBLICATION_LINGER;
}

static bool unblock(rj_ipc_publication_t *publication, int64_t position, int64_t *unblocked_count)
{
    if (publication->is_broken || !rj_term_unblock(publication->log, position))
        return false;
    (*unblocked_count)++;
    return true;
}

/* A publisher that died between claim and commit stops all readers behind it. */
static void unblock_when_stuck(rj_ipc_publication_t *publication, int64_t *unblocked_count,
                               int64_t now_ns)
{
    int64_t position = publication->consumer_position;
    bool is_behind = rj_log_producer_is_ahead(&publication->producer, publication->log, position);
    if (rj_stall_check(&publication->stall, position, is_behind,
                       publication->config.unblock_timeout_ns, now_ns))
        unblock(publication, position, unblocked_count);
}

static void on_active_time(rj_ipc_publication_t *publication, int64_t *unblocked_count,
                           int64_t now_ns)
{
    if (rj_log_is_revoked(publication->log)) {
        on_revoked(publication);
        return;
    }
    publish_position(publication);
    int64_t max_pos;
    poll_subscribers(publication, &max_pos);
    publication->consumer_position = max_pos;
    if (!publication->config.is_exclusive)
        unblock_when_stuck(publication, unblocked_count, now_ns);
}

/* A publisher that died before it wrote the length of its last claim: no frame will come behind
 * it. Ours: the reference waits for that frame, and its readers with it, for ever. */
static void give_up_tail_when_stuck(rj_ipc_publication_t *publication, int64_t position,
                                    int64_t *unblocked_count, int64_t now_ns)
{
    if (rj_stall_check(&publication->stall, position, true, publication->config.unblock_timeout_ns,
                       now_ns) &&
        rj_term_unblock_tail(publication->log, position))
        (*unblocked_count)++;
}

/* Where the slowest reader stands is where a hole may be; the reference looks at the fastest of the
 * time when it was active, and may wait for ever. */
static void on_draining_time(rj_ipc_publication_t *publication, int64_t *unblocked_count,
                             int64_t now_ns)
{
    int64_t max_pos;
    int64_t producer_pos = publish_position(publication);
    int64_t min_pos = poll_subscribers(publication, &max_pos);
    if (min_pos >= producer_pos || publication->is_broken)
        publication->state = RJ_IPC_PUBLICATION_LINGER;
    else if (!unblock(publication, min_pos, unblocked_count))
        give_up_tail_when_stuck(publication, min_pos, unblocked_count, now_ns);
}

rj_ipc_publication_state_t rj_ipc_publication_on_time(rj_ipc_publication_t *publication,
                                                      int refcount, int64_t *unblocked_count,
                                                      int64_t now_ns)
{
    switch (publication->state) {
    case RJ_IPC_PUBLICATION_ACTIVE:
        on_active_time(publication, unblocked_count, now_ns);
        break;
    case RJ_IPC_PUBLICATION_DRAINING:
        on_draining_time(publication, unblocked_count, now_ns);
        break;
    case RJ_IPC_PUBLICATION_LINGER:
        if (refcount <= 0)
            publication->state = RJ_IPC_PUBLICATION_DONE;
        break;
    case RJ_IPC_PUBLICATION_DONE:
        break;
    }
    return publication->state;
}
