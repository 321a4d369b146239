/* SPDX-License-Identifier: Apache-2.0 */
/* What network and IPC publications have in common: session ids, logs, clients' handles
 * (commands.md 5.1, 5.2, 6). */
#include "conductor/conductor_why.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* --- session ids --- */

static int32_t skip_reserved(const rj_conductor_t *conductor, int32_t session_id)
{
    const rj_driver_config_t *config = conductor->config;
    if (session_id >= config->reserved_session_id_low &&
        session_id <= config->reserved_session_id_high)
        return (int32_t)((uint32_t)config->reserved_session_id_high + 1);
    return session_id;
}

static int32_t advance(int32_t session_id)
{
    return (int32_t)((uint32_t)session_id + 1);
}

int32_t rj_conductor_next_session_id(rj_conductor_t *conductor, int32_t stream_id,
                                     const rj_send_entry_t *send, bool is_ipc)
{
    int32_t candidate = skip_reserved(conductor, conductor->next_session_id);
    while (is_ipc ? rj_conductor_ipc_session_is_used(conductor, stream_id, candidate, false)
                  : send != NULL &&
                        rj_conductor_network_session_is_used(conductor, send, stream_id, candidate))
        candidate = skip_reserved(conductor, advance(candidate));
    conductor->next_session_id = advance(candidate);
    return candidate;
}

void rj_conductor_on_next_session_id(rj_conductor_t *conductor, int64_t correlation_id,
                                     int32_t stream_id)
{
    int32_t candidate = skip_reserved(conductor, conductor->next_session_id);
    while (rj_conductor_ipc_session_is_used(conductor, stream_id, candidate, true) ||
           rj_conductor_network_session_is_used(conductor, NULL, stream_id, candidate))
        candidate = skip_reserved(conductor, advance(candidate));
    conductor->next_session_id = advance(candidate);
    rj_reply_next_session_id(&conductor->to_clients, correlation_id, candidate);
}

/* --- what a URI may ask for of a log that is there --- */

int rj_conductor_match_publication(const rj_publication_params_t *params,
                                   const rj_published_t *published, rj_err_t *err)
{
    const rj_log_t *log = published->log;
    const struct {
        const char *name;
        bool is_given;
        int32_t existing;
        int32_t requested;
    } rows[] = {
        {"session-id", params->has_session_id, log->session_id, params->session_id},
        {"mtu", params->has_mtu, log->mtu_length, params->mtu_bytes},
        {"term-length", params->has_term_length, log->term_length, params->term_length_bytes},
        {"init-term-id", params->has_position, log->initial_term_id, params->initial_term_id},
        {"term-id", params->has_position, published->starting_term_id, params->term_id},
        {"term-offset", params->has_position, published->starting_term_offset, params->term_offset},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].is_given && rows[i].existing != rows[i].requested)
            return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC,
                                 "existing publication has different '%s': existing=%" PRId32
                                 " requested=%" PRId32,
                                 rows[i].name, rows[i].existing, rows[i].requested);
    }
    return 0;
}

int rj_conductor_fail_clash(const rj_client_command_t *command, rj_err_t *err)
{
    return rj_fail_aeron(err, -EINVAL, RJ_ERROR_INVALID_CHANNEL,
                         "existing publication has clashing sessionId=%" PRId32
                         " for streamId=%" PRId32 " channel=%s",
                         command->publication_params.session_id, command->stream_id,
                         command->channel.uri.text);
}

/* --- making a publication --- */

/* What belongs to the transport is read from the channel that made it (commands.md 7.1). */
static void describe_log(const rj_conductor_t *conductor, const rj_channel_t *transport,
                         rj_log_params_t *ret_log)
{
    const rj_client_command_t *command = &conductor->command;
    const rj_publication_params_t *params = &command->publication_params;
    bool is_udp = transport->uri.media == RJ_MEDIA_UDP;
    *ret_log = (rj_log_params_t){
        .correlation_id = command->correlation_id,
        .initial_term_id = command->initial_term_id,
        .start_term_id = params->has_position ? params->term_id : command->initial_term_id,
        .start_term_offset = params->has_position ? params->term_offset : 0,
        .term_length = params->term_length_bytes,
        .page_size = (int32_t)conductor->config->file_page_bytes,
        .mtu_length = params->mtu_bytes,
        .session_id = command->session_id,
        .stream_id = command->stream_id,
        .publication_window_length = params->window_bytes,
        .socket_sndbuf_length = is_udp ? transport->sndbuf_bytes : 0,
        .socket_rcvbuf_length = is_udp ? transport->rcvbuf_bytes : 0,
        .os_default_socket_sndbuf_length = conductor->sndbuf_default_bytes,
        .os_max_socket_sndbuf_length = conductor->sndbuf_max_bytes,
        .os_default_socket_rcvbuf_length = conductor->rcvbuf_default_bytes,
        .os_max_socket_rcvbuf_length = conductor->rcvbuf_max_bytes,
        .max_resend = rj_uri_has(&command->channel.uri, "max-resend") ? params->max_resend : 0,
        .entity_tag = params->has_entity_tag ? params->entity_tag : -1,
        .response_correlation_id = params->response_correlation_id,
        .is_response = is_udp && transport->control_mode == RJ_CONTROL_MODE_RESPONSE,
        .linger_timeout_ns = params->linger_ns,
        .untethered_window_limit_timeout_ns = params->untethered.window_limit_ns,
        .untethered_linger_timeout_ns = params->untethered.linger_ns,
        .untethered_resting_timeout_ns = params->untethered.resting_ns,
        .group = is_udp && rj_channel_is_group(transport),
        .sparse = params->is_sparse,
        .signal_eos = params->signals_eos,
        .spies_simulate_connection = params->spies_simulate_connection,
        .type = rj_conductor_is_exclusive(command) ? RJ_LOG_TYPE_EXCLUSIVE_PUBLICATION
                                                   : RJ_LOG_TYPE_CONCURRENT_PUBLICATION};
}

static int await_log(rj_conductor_t *conductor, const rj_channel_t *transport, bool is_ipc,
                     rj_err_t *err)
{
    rj_client_command_t *command = &conductor->command;
    rj_task_t *task = command->task != NULL ? command->task : calloc(1, sizeof(*task));
    rj_log_t *log = calloc(1, sizeof(*log));
    if (task == NULL || log == NULL) {
        free(log);
        command->task = task;
        return rj_fail(err, -ENOMEM, "out of memory for a log buffer");
    }
    command->task = task;
    task->type = RJ_TASK_MAP_LOG;
    task->log = log;
    task->is_sent = !is_ipc;
    describe_log(conductor, transport, &task->log_params);
    int result = rj_dir_publication_path(task->path, sizeof(task->path), conductor->config->dir,
                                         command->correlation_id);
    if (result < 0) {
        free(log);
        return rj_fail(err, result, "the path of a log buffer below %s is too long",
                       conductor->config->dir);
    }
    result = rj_conductor_await(conductor, RJ_STEP_MAP_LOG, err);
    if (result < 0)
        free(log);
    return result;
}

int rj_conductor_start_publication_log(rj_conductor_t *conductor, const rj_send_entry_t *send,
                                       bool is_ipc, rj_err_t *err)
{
    rj_client_command_t *command = &conductor->command;
    const rj_publication_params_t *params = &command->publication_params;
    command->session_id =
        params->has_session_id
            ? params->session_id
            : rj_conductor_next_session_id(conductor, command->stream_id, send, is_ipc);
    command->initial_term_id =
        params->has_position ? params->initial_term_id : (int32_t)rj_prng_next(&conductor->prng);
    return await_log(conductor, send != NULL ? &send->endpoint.channel : &command->channel, is_ipc,
                     err);
}

/* --- what all have in common --- */

static int make_counters(rj_conductor_t *conductor, int count, int32_t *ret_ids, rj_err_t *err)
{
    const rj_client_command_t *command = &conductor->command;
    const rj_stream_counter_row_t rows[RJ_STREAM_COUNTER_COUNT] = {
        [RJ_STREAM_PUB_POS] = {RJ_COUNTER_TYPE_PUBLISHER_POSITION,
                               rj_conductor_is_exclusive(command) ? "pub-pos (exclusive)"
                                                                  : "pub-pos (concurrent)",
                               true},
        [RJ_STREAM_PUB_LMT] = {RJ_COUNTER_TYPE_PUBLISHER_LIMIT, "pub-lmt", true},
        [RJ_STREAM_SND_POS] = {RJ_COUNTER_TYPE_SENDER_POSITION, "snd-pos", true},
        [RJ_STREAM_SND_LMT] = {RJ_COUNTER_TYPE_SENDER_LIMIT, "snd-lmt", true},
        [RJ_STREAM_SND_BPE] = {RJ_COUNTER_TYPE_SENDER_BPE, "snd-bpe", false},
        [RJ_STREAM_SND_NAKS] = {RJ_COUNTER_TYPE_SENDER_NAKS_RECEIVED, "snd-naks-received", false},
    };
    const rj_counted_stream_t stream = {
        .registration_id = command->correlation_id,
        .owner_id = command->client_id,
        .session_id = command->session_id,
        .stream_id = command->stream_id,
        .channel = command->channel.uri.text,
        .position = rj_publication_params_position(&command->publication_params)};
    return rj_conductor_stream_counters(conductor, &stream, rows, count, ret_ids, err);
}

static void free_counters(rj_conductor_t *conductor, const rj_published_t *published)
{
    for (int i = 0; i < published->counter_count; i++)
        rj_conductor_free_counter(conductor, published->counter_ids[i]);
}

int rj_conductor_publish(rj_conductor_t *conductor, int counter_count,
                         rj_published_t *ret_published, rj_err_t *err)
{
    const rj_client_command_t *command = &conductor->command;
    const rj_task_t *task = command->task;
    rj_published_t published = {.log = task->log,
                                .log_file = strdup(task->path),
                                .starting_term_id = task->log_params.start_term_id,
                                .starting_term_offset = task->log_params.start_term_offset,
                                .response_correlation_id =
                                    command->publication_params.response_correlation_id,
                                .has_entity_tag = command->publication_params.has_entity_tag,
                                .entity_tag = command->publication_params.entity_tag,
                                .untethered = command->publication_params.untethered,
                                .counter_count = counter_count};
    if (published.log_file == NULL)
        return rj_fail(err, -ENOMEM, "out of memory for a publication");
    int result = make_counters(conductor, counter_count, published.counter_ids, err);
    if (result == 0) {
        result = rj_conductor_make_why(conductor, &published.why, err);
        if (result < 0)
            free_counters(conductor, &published);
    }
    if (result < 0)
        free(published.log_file);
    else
        *ret_published = published;
    return result;
}

void rj_conductor_unpublish(rj_conductor_t *conductor, rj_published_t *published)
{
    rj_conductor_free_counter(conductor, published->why.counter_id);
    free_counters(conductor, published);
    rj_conductor_free_log(conductor, published->log, published->log_file);
    free(published->log_file);
}

/* --- readers of its own log --- */

static const char log_source[] = "aeron:ipc";

void rj_conductor_announce_log(rj_conductor_t *conductor, const rj_published_t *published,
                               const rj_subscriber_link_t *link)
{
    const rj_reply_image_t image = {.correlation_id = published->log->correlation_id,
                                    .session_id = published->log->session_id,
                                    .stream_id = published->log->stream_id,
                                    .subscription_id = link->position.subscription_id,
                                    .position_counter_id = link->position.counter_id,
                                    .log_file = published->log_file,
                                    .source = log_source};
    rj_reply_available_image(&conductor->to_clients, &image);
}

/* --- handles --- */

static rj_published_t *published_of(const rj_publication_link_t *link)
{
    return link->network != NULL ? &link->network->published : &link->ipc->published;
}

rj_publication_link_t *rj_conductor_make_publication_link(rj_conductor_t *conductor, rj_err_t *err)
{
    const rj_client_command_t *command = &conductor->command;
    /* The client first: its heartbeat counter is announced before what it asked for. */
    rj_client_entry_t *client = rj_conductor_client(conductor, command->client_id, err);
    if (client == NULL)
        return NULL;
    rj_publication_link_t *link = calloc(1, sizeof(*link));
    if (link == NULL) {
        rj_fail(err, -ENOMEM, "out of memory for a publication");
        return NULL;
    }
    link->client = client;
    link->registration_id = command->correlation_id;
    return link;
}

void rj_conductor_link_publication(rj_conductor_t *conductor, rj_publication_link_t *link,
                                   rj_network_entry_t *network, rj_ipc_entry_t *ipc)
{
    link->network = network;
    link->ipc = ipc;
    DL_APPEND(link->client->publications, link);
    rj_published_t *published = published_of(link);
    published->refcount++;
    rj_reply_publication_t ready = {.correlation_id = link->registration_id,
                                    .registration_id = published->log->correlation_id,
                                    .session_id = published->log->session_id,
                                    .stream_id = published->log->stream_id,
                                    .limit_counter_id = published->counter_ids[RJ_STREAM_PUB_LMT],
                                    .status_counter_id = network != NULL
                                                             ? network->send->status_counter_id
                                                             : RJ_CHANNEL_STATUS_ID_NONE,
                                    .is_exclusive = rj_conductor_is_exclusive(&conductor->command),
                                    .log_file = published->log_file};
    rj_reply_publication_ready(&conductor->to_clients, &ready);
}

int rj_conductor_join_publication(rj_conductor_t *conductor, rj_network_entry_t *network,
                                  rj_ipc_entry_t *ipc, rj_err_t *err)
{
    rj_publication_link_t *link = rj_conductor_make_publication_link(conductor, err);
    if (link == NULL)
        return err->code;
    rj_conductor_link_publication(conductor, link, network, ipc);
    rj_conductor_finish_command(conductor);
    return 0;
}

void rj_conductor_unlink_publication(rj_conductor_t *conductor, rj_publication_link_t *link)
{
    bool is_last = --published_of(link)->refcount == 0;
    if (is_last && link->ipc != NULL)
        rj_ipc_publication_on_unreferenced(&link->ipc->publication, conductor->now_ns);
    else if (is_last)
        rj_network_publication_on_unreferenced(&link->network->publication, conductor->now_ns);
    DL_DELETE(link->client->publications, link);
    free(link);
}

/* --- commands --- */

void rj_conductor_on_add_publication(rj_conductor_t *conductor, int32_t type,
                                     const rj_command_publication_t *add, const char *channel)
{
    rj_client_command_t *command = &conductor->command;
    command->type = type;
    command->client_id = add->header.client_id;
    command->correlation_id = add->header.correlation_id;
    command->stream_id = add->stream_id;
    rj_err_t err = {0};
    int result = rj_channel_parse(&command->channel, channel, (size_t)add->channel_length,
                                  RJ_CHANNEL_PUBLICATION, &err);
    if (result == 0)
        result = rj_conductor_choose_transport(conductor, &command->channel, &err);
    if (result == 0)
        result = command->channel.uri.media == RJ_MEDIA_IPC
                     ? rj_conductor_add_ipc_publication(conductor, &err)
                     : rj_conductor_add_network_publication(conductor, &err);
    if (result < 0)
        rj_conductor_fail_command(conductor, &err);
}

void rj_conductor_on_remove_publication(rj_conductor_t *conductor,
                                        const rj_command_remove_publication_t *command,
                                        uint64_t flags)
{
    rj_client_entry_t *client = rj_conductor_find_client(conductor, command->header.client_id);
    rj_publication_link_t *link = NULL;
    if (client != NULL)
        DL_SEARCH_SCALAR(client->publications, link, registration_id, command->registration_id);
    if (link == NULL) {
        rj_conductor_refuse_unknown(conductor, &command->header, RJ_ERROR_UNKNOWN_PUBLICATION,
                                    "publication", command->registration_id);
        return;
    }
    if ((flags & RJ_REMOVE_PUBLICATION_FLAG_REVOKE) != 0)
        rj_log_set_revoked(published_of(link)->log);
    rj_conductor_unlink_publication(conductor, link);
    rj_reply_success(&conductor->to_clients, command->header.correlation_id);
}
