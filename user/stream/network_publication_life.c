/* SPDX-License-Identifier: Apache-2.0 */
/* What the conductor does with a publication: the publisher's limit, cleaning, spies, the states of
 * its life. */
#include "stream/network_publication.h"

#include <errno.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "shm/term_unblock.h"

static bool is_broken(const rj_network_publication_t *publication)
{
    return rj_load_acquire_i32(&publication->is_broken) != 0;
}

/* Acquire: pairs with the release of the engine, which will not look below it but for resends. */
static int64_t sender_position(const rj_network_publication_t *publication)
{
    return rj_load_acquire_i64(&publication->snd_pos);
}

int64_t rj_network_publication_producer_position(rj_network_publication_t *publication)
{
    if (rj_log_producer_poll(&publication->producer, publication->log) == -EBADMSG)
        rj_store_release_i32(&publication->is_broken, 1);
    return publication->producer.position;
}

static void set_connected(rj_network_publication_t *publication, bool is_connected)
{
    if (publication->is_connected == is_connected)
        return;
    publication->is_connected = is_connected;
    rj_log_set_connected(publication->log, is_connected);
}

/* Release: pairs with the acquire of publishers; what was cleaned before is zero to them. */
static void set_limit(rj_network_publication_t *publication, int64_t pub_lmt)
{
    publication->pub_lmt = pub_lmt;
    rj_store_release_i64(publication->counters.pub_lmt, pub_lmt);
}

static void clean_to(rj_network_publication_t *publication, int64_t position)
{
    rj_log_clean_to(publication->log, &publication->clean_position, position);
}

static bool has_subscribers(const rj_network_publication_t *publication)
{
    if (publication->config.spies_simulate_connection && publication->spies != NULL)
        return true;
    return rj_load_acquire_i32(&publication->has_receivers) != 0 &&
           rj_load_acquire_i32(&publication->has_required_receivers) != 0;
}

static int64_t publish_position(rj_network_publication_t *publication)
{
    int64_t position = rj_network_publication_producer_position(publication);
    rj_store_release_i64(publication->counters.pub_pos, position);
    return position;
}

static void check_connected(rj_network_publication_t *publication)
{
    if (publication->state == RJ_NETWORK_PUBLICATION_ACTIVE)
        set_connected(publication, has_subscribers(publication) && !is_broken(publication));
}

/* --- spies --- */

/* Spies read what is committed, sent or not, and may have passed what the publishers had written
 * when the tails were looked at last. Acquire: pairs with the release of the client, which saw the
 * tail moved before it read what is below. */
static int64_t poll_spy(rj_network_publication_t *publication, rj_subscriber_position_t *spy)
{
    int64_t value = rj_load_acquire_i64(spy->counter);
    if (value > publication->producer.position)
        publish_position(publication);
    return rj_subscriber_position_check(spy, value, publication->producer.position,
                                        &publication->bad_position_count);
}

/* Returns the slowest spy, INT64_MAX when there is none; `*ret_max_pos` is the fastest. */
static int64_t poll_spies(rj_network_publication_t *publication, int64_t *ret_max_pos)
{
    int64_t min_pos = INT64_MAX;
    *ret_max_pos = 0;
    for (rj_subscriber_position_t *spy = publication->spies; spy != NULL; spy = spy->next) {
        int64_t position = poll_spy(publication, spy);
        min_pos = rj_min_i64(min_pos, position);
        *ret_max_pos = rj_max_i64(*ret_max_pos, position);
    }
    return min_pos;
}

/* Release in both: pairs with the acquire of the engine, which moves snd-pos there. */
static void tell_engine_of_spies(rj_network_publication_t *publication, int64_t max_pos)
{
    int32_t has_spies = publication->spies != NULL ? 1 : 0;
    if (max_pos > publication->max_spy_pos)
        rj_store_release_i64(&publication->max_spy_pos, max_pos);
    if (has_spies != publication->has_spies)
        rj_store_release_i32(&publication->has_spies, has_spies);
}

static bool accepts_spies(rj_network_publication_t *publication)
{
    if (publication->state == RJ_NETWORK_PUBLICATION_ACTIVE)
        return true;
    return publication->state == RJ_NETWORK_PUBLICATION_DRAINING && publication->spies != NULL &&
           rj_network_publication_producer_position(publication) > sender_position(publication);
}

bool rj_network_publication_add_spy(rj_network_publication_t *publication,
                                    rj_subscriber_position_t *position)
{
    if (!accepts_spies(publication))
        return false;
    rj_subscriber_position_link(&publication->spies, position, sender_position(publication));
    tell_engine_of_spies(publication, position->join_position);
    check_connected(publication);
    return true;
}

bool rj_network_publication_remove_spy(rj_network_publication_t *publication,
                                       rj_subscriber_position_t *position)
{
    if (!rj_subscriber_position_unlink(&publication->spies, position))
        return false;
    tell_engine_of_spies(publication, 0);
    check_connected(publication);
    return true;
}

/* --- the limit --- */

int rj_network_publication_update_limit(rj_network_publication_t *publication)
{
    const rj_log_t *log = publication->log;
    if (publication->state != RJ_NETWORK_PUBLICATION_ACTIVE)
        return 0;
    publish_position(publication);
    int64_t max_spy_pos;
    int64_t min_spy_pos = poll_spies(publication, &max_spy_pos);
    tell_engine_of_spies(publication, max_spy_pos);
    check_connected(publication);

    int64_t snd_pos = sender_position(publication);
    if (!publication->is_connected) {
        if (publication->pub_lmt <= snd_pos || is_broken(publication))
            return 0;
        set_limit(publication, snd_pos);
        clean_to(publication, snd_pos - log->term_length);
        return 1;
    }
    int64_t consumer_pos = rj_min_i64(snd_pos, min_spy_pos);
    int64_t pub_lmt = consumer_pos + publication->config.term_window_bytes;
    if (pub_lmt <= publication->pub_lmt)
        return 0;
    clean_to(publication, consumer_pos - log->term_length);
    if (!rj_log_limit_is_clean(log, publication->clean_position, pub_lmt))
        return 0;
    set_limit(publication, pub_lmt);
    return 1;
}

static void end_at(rj_network_publication_t *publication, int64_t position)
{
    set_limit(publication, position);
    rj_log_set_end_of_stream(publication->log, position);
}

/* Release: pairs with the acquire of the engine, which announces it in heartbeats. */
static void set_end_of_stream(rj_network_publication_t *publication)
{
    rj_store_release_i32(&publication->is_end_of_stream, 1);
}

void rj_network_publication_on_unreferenced(rj_network_publication_t *publication, int64_t now_ns)
{
    int64_t producer_pos = rj_network_publication_producer_position(publication);
    publication->state_changed_ns = now_ns;
    publication->stall.since_ns = now_ns;
    end_at(publication, producer_pos);
    if (publication->state != RJ_NETWORK_PUBLICATION_ACTIVE || rj_log_is_revoked(publication->log))
        return;
    if (sender_position(publication) >= producer_pos)
        set_end_of_stream(publication);
    publication->state = RJ_NETWORK_PUBLICATION_DRAINING;
}

static void on_revoked(rj_network_publication_t *publication)
{
    end_at(publication, publish_position(publication));
    set_connected(publication, false);
    set_end_of_stream(publication);
    publication->state = RJ_NETWORK_PUBLICATION_LINGER; /* the time of the last reference stays */
}

/* A publisher that died between claim and commit stops everybody behind it: the sender does not
 * move although there is something to send. */
static void unblock_when_stuck(rj_network_publication_t *publication, int64_t *unblocked_count,
                               int64_t now_ns)
{
    int64_t snd_pos = sender_position(publication);
    bool is_behind = rj_log_producer_is_ahead(&publication->producer, publication->log, snd_pos);
    if (rj_stall_check(&publication->stall, snd_pos, is_behind,
                       publication->config.unblock_timeout_ns, now_ns) &&
        rj_term_unblock(publication->log, snd_pos))
        (*unblocked_count)++;
}

static void on_active_time(rj_network_publication_t *publication, int64_t *unblocked_count,
                           int64_t now_ns)
{
    if (rj_log_is_revoked(publication->log)) {
        on_revoked(publication);
        return;
    }
    publish_position(publication);
    /* An exclusive publisher's tail runs ahead of its frames: a hole there is normal. */
    if (!publication->config.is_exclusive && !is_broken(publication))
        unblock_when_stuck(publication, unblocked_count, now_ns);
}

/* A publisher that died before it wrote the length of its last claim: no frame will come behind
 * it. Ours: the reference waits for that frame as long as there are receivers. */
static bool give_up_tail_when_stuck(rj_network_publication_t *publication, int64_t snd_pos,
                                    int64_t now_ns)
{
    return rj_stall_check(&publication->stall, snd_pos, true,
                          publication->config.unblock_timeout_ns, now_ns) &&
           rj_term_unblock_tail(publication->log, snd_pos);
}

/* Where a hole would stop those who still read: the sender, or without receivers the slowest spy,
 * which may be ahead of it. */
static int64_t reader_position(const rj_network_publication_t *publication, int64_t snd_pos,
                               int64_t spy_pos)
{
    bool has_receivers = rj_load_acquire_i32(&publication->has_receivers) != 0;
    return has_receivers || spy_pos == INT64_MAX ? snd_pos : rj_max_i64(snd_pos, spy_pos);
}

static void on_draining_time(rj_network_publication_t *publication, int64_t *unblocked_count,
                             int64_t now_ns)
{
    int64_t max_spy_pos;
    int64_t producer_pos = publish_position(publication);
    int64_t snd_pos = sender_position(publication);
    int64_t spy_pos = poll_spies(publication, &max_spy_pos);
    tell_engine_of_spies(publication, max_spy_pos);
    if (producer_pos > snd_pos && !is_broken(publication)) {
        int64_t reader_pos = reader_position(publication, snd_pos, spy_pos);
        if (rj_term_unblock(publication->log, reader_pos) ||
            give_up_tail_when_stuck(publication, reader_pos, now_ns)) {
            (*unblocked_count)++;
            return;
        }
        if (rj_load_acquire_i32(&publication->has_receivers) != 0)
            return;
    }
    if (producer_pos <= snd_pos)
        set_end_of_stream(publication);
    if (spy_pos < producer_pos && !is_broken(publication))
        return;
    publication->state_changed_ns = now_ns;
    publication->state = RJ_NETWORK_PUBLICATION_LINGER;
}

static void on_linger_time(rj_network_publication_t *publication, int refcount, int64_t now_ns)
{
    bool is_over = rj_load_acquire_i32(&publication->has_unicast_eos) != 0 ||
                   now_ns > publication->state_changed_ns + publication->config.linger_ns;
    if (refcount <= 0 && is_over)
        publication->state = RJ_NETWORK_PUBLICATION_DONE;
}

rj_network_publication_state_t rj_network_publication_on_time(rj_network_publication_t *publication,
                                                              int refcount,
                                                              int64_t *unblocked_count,
                                                              int64_t now_ns)
{
    switch (publication->state) {
    case RJ_NETWORK_PUBLICATION_ACTIVE:
        on_active_time(publication, unblocked_count, now_ns);
        break;
    case RJ_NETWORK_PUBLICATION_DRAINING:
        on_draining_time(publication, unblocked_count, now_ns);
        break;
    case RJ_NETWORK_PUBLICATION_LINGER:
        on_linger_time(publication, refcount, now_ns);
        break;
    case RJ_NETWORK_PUBLICATION_DONE:
        break;
    }
    return publication->state;
}
