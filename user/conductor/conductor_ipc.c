/* SPDX-License-Identifier: Apache-2.0 */
/* IPC publications: both sides of a stream on one host (commands.md 5.1; driver.md 7). */
#include "conductor/conductor_state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <utlist.h>

static const char ipc_channel[] = "aeron:ipc";

bool rj_conductor_ipc_session_is_used(const rj_conductor_t *conductor, int32_t stream_id,
                                      int32_t session_id, bool is_any_state)
{
    const rj_ipc_entry_t *ipc;
    DL_FOREACH(conductor->ipc_publications, ipc)
    {
        const rj_ipc_publication_t *publication = &ipc->publication;
        if (publication->config.stream_id == stream_id &&
            publication->config.session_id == session_id &&
            (is_any_state || publication->state == RJ_IPC_PUBLICATION_ACTIVE ||
             publication->state == RJ_IPC_PUBLICATION_DRAINING))
            return true;
    }
    return false;
}

rj_ipc_entry_t *rj_conductor_find_ipc(rj_conductor_t *conductor, int64_t registration_id)
{
    rj_ipc_entry_t *ipc;
    DL_FOREACH(conductor->ipc_publications, ipc)
    {
        if (ipc->publication.config.registration_id == registration_id)
            return ipc;
    }
    return NULL;
}

static rj_ipc_entry_t *find_shared(rj_conductor_t *conductor)
{
    const rj_client_command_t *command = &conductor->command;
    rj_ipc_entry_t *ipc;
    DL_FOREACH(conductor->ipc_publications, ipc)
    {
        const rj_ipc_publication_t *publication = &ipc->publication;
        if (publication->config.stream_id == command->stream_id &&
            publication->state == RJ_IPC_PUBLICATION_ACTIVE && !publication->config.is_exclusive &&
            ipc->published.response_correlation_id ==
                command->publication_params.response_correlation_id)
            return ipc;
    }
    return NULL;
}

int rj_conductor_add_ipc_publication(rj_conductor_t *conductor, rj_err_t *err)
{
    rj_client_command_t *command = &conductor->command;
    rj_publication_params_t *params = &command->publication_params;
    int result = rj_publication_params_parse(params, &command->channel.uri, command->stream_id,
                                             &conductor->defaults, err);
    if (result == 0)
        result = rj_conductor_follow_entity(conductor, err);
    if (result < 0)
        return result;
    rj_ipc_entry_t *shared = rj_conductor_is_exclusive(command) ? NULL : find_shared(conductor);
    if (shared != NULL) {
        result = rj_conductor_match_publication(params, &shared->published, err);
        return result < 0 ? result : rj_conductor_join_publication(conductor, NULL, shared, err);
    }
    if (params->has_session_id &&
        rj_conductor_ipc_session_is_used(conductor, command->stream_id, params->session_id, false))
        return rj_conductor_fail_clash(command, err);
    result = rj_conductor_check_entity(conductor, err);
    return result < 0 ? result : rj_conductor_start_publication_log(conductor, NULL, true, err);
}

/* The entry with its counters; NULL with `err`. The log becomes its own with `add_entry`. */
static rj_ipc_entry_t *make_entry(rj_conductor_t *conductor, rj_err_t *err)
{
    rj_ipc_entry_t *ipc = calloc(1, sizeof(*ipc));
    if (ipc == NULL)
        rj_fail(err, -ENOMEM, "out of memory for a publication");
    else if (rj_conductor_publish(conductor, RJ_STREAM_IPC_COUNTER_COUNT, &ipc->published, err) ==
             0)
        return ipc;
    free(ipc);
    return NULL;
}

/* From here on it lives by its states. */
static void add_entry(rj_conductor_t *conductor, rj_ipc_entry_t *ipc)
{
    const rj_client_command_t *command = &conductor->command;
    rj_ipc_publication_config_t config = {
        .registration_id = command->correlation_id,
        .session_id = command->session_id,
        .stream_id = command->stream_id,
        .start_position = rj_publication_params_position(&command->publication_params),
        .term_window_bytes = command->publication_params.window_bytes,
        .unblock_timeout_ns = conductor->config->publication_unblock_timeout_ns,
        .is_exclusive = rj_conductor_is_exclusive(command)};
    rj_ipc_publication_counters_t counters = {
        .pub_pos =
            rj_counters_value(conductor->counters, ipc->published.counter_ids[RJ_STREAM_PUB_POS]),
        .pub_lmt =
            rj_counters_value(conductor->counters, ipc->published.counter_ids[RJ_STREAM_PUB_LMT])};
    rj_ipc_publication_init(&ipc->publication, &config, &counters, ipc->published.log,
                            conductor->now_ns);
    DL_APPEND(conductor->ipc_publications, ipc);
}

/* The log is there: everything else of a new publication. NULL with `err`; nothing of it stays. */
static rj_ipc_entry_t *create(rj_conductor_t *conductor, rj_err_t *err)
{
    rj_publication_link_t *link = rj_conductor_make_publication_link(conductor, err);
    if (link == NULL)
        return NULL;
    rj_ipc_entry_t *ipc = make_entry(conductor, err);
    if (ipc == NULL) {
        free(link);
        return NULL;
    }
    add_entry(conductor, ipc);
    rj_conductor_link_publication(conductor, link, NULL, ipc);
    return ipc;
}

/* --- subscribers --- */

static void link_pair(rj_conductor_t *conductor, rj_ipc_entry_t *ipc,
                      rj_subscription_entry_t *subscription)
{
    rj_subscriber_link_t *link = rj_conductor_make_link(
        conductor, subscription, ipc->publication.config.registration_id,
        ipc->publication.config.session_id, ipc->publication.consumer_position);
    if (link == NULL)
        return;
    if (!rj_ipc_publication_add_subscriber(&ipc->publication, &link->position)) {
        rj_conductor_free_link(conductor, link);
        return;
    }
    rj_conductor_label_link(conductor, link);
    link->state = RJ_LINK_ACTIVE;
    DL_APPEND2(ipc->links, link, prev, next_link);
    rj_conductor_announce_log(conductor, &ipc->published, link);
}

static bool wants(const rj_subscription_entry_t *subscription, const rj_ipc_entry_t *ipc)
{
    return subscription->kind == RJ_SUBSCRIPTION_IPC && ipc->rejected_until_ns == 0 &&
           ipc->publication.state <= RJ_IPC_PUBLICATION_DRAINING &&
           rj_conductor_subscription_wants(subscription, ipc->publication.config.stream_id,
                                           ipc->publication.config.session_id);
}

void rj_conductor_link_ipc_subscription(rj_conductor_t *conductor,
                                        rj_subscription_entry_t *subscription)
{
    rj_ipc_entry_t *ipc;
    DL_FOREACH(conductor->ipc_publications, ipc)
    {
        if (wants(subscription, ipc))
            link_pair(conductor, ipc, subscription);
    }
}

static void link_all(rj_conductor_t *conductor, rj_ipc_entry_t *ipc)
{
    rj_subscription_entry_t *subscription;
    DL_FOREACH(conductor->subscriptions, subscription)
    {
        if (wants(subscription, ipc))
            link_pair(conductor, ipc, subscription);
    }
}

static void drop_link(rj_conductor_t *conductor, rj_ipc_entry_t *ipc, rj_subscriber_link_t *link)
{
    (void)rj_ipc_publication_remove_subscriber(&ipc->publication, &link->position);
    DL_DELETE2(ipc->links, link, prev, next_link);
    rj_conductor_free_link(conductor, link);
}

void rj_conductor_unlink_ipc_subscription(rj_conductor_t *conductor,
                                          rj_subscription_entry_t *subscription)
{
    rj_ipc_entry_t *ipc;
    DL_FOREACH(conductor->ipc_publications, ipc)
    {
        rj_subscriber_link_t *link, *next;
        DL_FOREACH_SAFE2(ipc->links, link, next, next_link)
        {
            if (link->subscription == subscription)
                drop_link(conductor, ipc, link);
        }
    }
}

/* --- the rest of its life --- */

int rj_conductor_step_ipc_publication(rj_conductor_t *conductor, rj_err_t *err)
{
    const rj_task_t *task = conductor->command.task;
    rj_conductor_note_storage(conductor, task);
    rj_ipc_entry_t *ipc = create(conductor, err);
    if (ipc == NULL) {
        rj_conductor_free_log(conductor, task->log, task->path);
        return err->code;
    }
    rj_conductor_finish_command(conductor);
    rj_conductor_link_ipc_response(conductor, ipc);
    link_all(conductor, ipc);
    return 0;
}

/* A timer event of an active publication: readers that are too slow lose it, or come back. */
static void time_readers(rj_conductor_t *conductor, rj_ipc_entry_t *ipc)
{
    rj_ipc_publication_t *publication = &ipc->publication;
    const int64_t limit_pos =
        rj_tether_limit(publication->consumer_position, publication->config.term_window_bytes);
    const rj_published_t *published = &ipc->published;
    rj_subscriber_link_t *link, *next;
    DL_FOREACH_SAFE2(ipc->links, link, next, next_link)
    {
        if (!rj_conductor_time_tether(conductor, link, published->log, &published->untethered,
                                      link->position.last, limit_pos))
            continue;
        if (link->position.tether.state == RJ_TETHER_RESTING)
            (void)rj_ipc_publication_remove_subscriber(publication, &link->position);
        else if (link->position.tether.state == RJ_TETHER_CLOSED)
            drop_link(conductor, ipc, link);
        else if (link->position.tether.state == RJ_TETHER_ACTIVE &&
                 rj_ipc_publication_add_subscriber(publication, &link->position))
            rj_conductor_announce_log(conductor, published, link);
    }
}

static void announce_end(rj_conductor_t *conductor, const rj_ipc_entry_t *ipc)
{
    const rj_subscriber_link_t *link;
    DL_FOREACH2(ipc->links, link, next_link)
    {
        if (link->position.tether.state == RJ_TETHER_ACTIVE)
            rj_reply_unavailable_image(
                &conductor->to_clients, ipc->publication.config.registration_id,
                link->position.subscription_id, ipc->publication.config.stream_id, ipc_channel);
    }
}

static void drop_links(rj_conductor_t *conductor, rj_ipc_entry_t *ipc)
{
    rj_subscriber_link_t *link, *next;
    DL_FOREACH_SAFE2(ipc->links, link, next, next_link)
    {
        drop_link(conductor, ipc, link);
    }
}

void rj_conductor_cool_down_ipc(rj_conductor_t *conductor, rj_ipc_entry_t *ipc)
{
    bool is_cooling = ipc->rejected_until_ns != 0;
    if (ipc->publication.state > RJ_IPC_PUBLICATION_DRAINING)
        return; /* its readers have been told of the end */
    ipc->rejected_until_ns = conductor->now_ns + conductor->config->image_liveness_timeout_ns;
    if (is_cooling)
        return;
    announce_end(conductor, ipc);
    drop_links(conductor, ipc);
}

/* As Aeron: whoever was rejected may try again, with the same image. */
static void end_cool_down(rj_conductor_t *conductor, rj_ipc_entry_t *ipc)
{
    if (ipc->rejected_until_ns == 0 || conductor->now_ns <= ipc->rejected_until_ns ||
        ipc->publication.state != RJ_IPC_PUBLICATION_ACTIVE)
        return;
    ipc->rejected_until_ns = 0;
    link_all(conductor, ipc);
}

static void free_ipc(rj_conductor_t *conductor, rj_ipc_entry_t *ipc)
{
    drop_links(conductor, ipc);
    rj_conductor_unpublish(conductor, &ipc->published);
    DL_DELETE(conductor->ipc_publications, ipc);
    free(ipc);
}

static void time_ipc(rj_conductor_t *conductor, rj_ipc_entry_t *ipc)
{
    rj_ipc_publication_state_t before = ipc->publication.state;
    int64_t unblocked_count = 0;
    rj_ipc_publication_state_t after = rj_ipc_publication_on_time(
        &ipc->publication, ipc->published.refcount, &unblocked_count, conductor->now_ns);
    rj_system_counter_add(conductor->system, RJ_SYSTEM_UNBLOCKED_PUBLICATIONS, unblocked_count);
    if (before != RJ_IPC_PUBLICATION_LINGER && after == RJ_IPC_PUBLICATION_LINGER) {
        if (before == RJ_IPC_PUBLICATION_ACTIVE)
            rj_system_counter_add(conductor->system, RJ_SYSTEM_PUBLICATIONS_REVOKED, 1);
        announce_end(conductor, ipc);
    }
    if (after == RJ_IPC_PUBLICATION_ACTIVE)
        time_readers(conductor, ipc);
    if (after == RJ_IPC_PUBLICATION_DONE)
        free_ipc(conductor, ipc);
    else
        end_cool_down(conductor, ipc);
}

void rj_conductor_time_ipc_publications(rj_conductor_t *conductor)
{
    rj_ipc_entry_t *ipc, *next;
    DL_FOREACH_SAFE(conductor->ipc_publications, ipc, next)
    {
        time_ipc(conductor, ipc);
    }
}

int rj_conductor_update_ipc_limits(rj_conductor_t *conductor)
{
    int work = 0;
    rj_ipc_entry_t *ipc;
    DL_FOREACH(conductor->ipc_publications, ipc)
    {
        work += rj_ipc_publication_update_limit(&ipc->publication);
    }
    return work;
}

void rj_conductor_free_ipc_publications(rj_conductor_t *conductor)
{
    rj_ipc_entry_t *ipc, *next;
    DL_FOREACH_SAFE(conductor->ipc_publications, ipc, next)
    {
        free_ipc(conductor, ipc);
    }
}
