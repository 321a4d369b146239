/* SPDX-License-Identifier: Apache-2.0 */
/* Network publications and the endpoints that they send from (commands.md 5.1, 6, 7.1). */
#include "driver/conductor_state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { DATAGRAMS_PER_SEND_DEFAULT = RJ_PUBLICATION_DATAGRAMS_MAX };

static const struct {
    int32_t type_id;
    const char *label; /* NULL: by the kind of publication */
} stream_counters[RJ_STREAM_COUNTER_COUNT] = {
    [RJ_STREAM_PUB_POS] = {RJ_COUNTER_TYPE_PUBLISHER_POSITION, NULL},
    [RJ_STREAM_PUB_LMT] = {RJ_COUNTER_TYPE_PUBLISHER_LIMIT, "pub-lmt"},
    [RJ_STREAM_SND_POS] = {RJ_COUNTER_TYPE_SENDER_POSITION, "snd-pos"},
    [RJ_STREAM_SND_LMT] = {RJ_COUNTER_TYPE_SENDER_LIMIT, "snd-lmt"},
    [RJ_STREAM_SND_BPE] = {RJ_COUNTER_TYPE_SENDER_BPE, "snd-bpe"},
    [RJ_STREAM_SND_NAKS] = {RJ_COUNTER_TYPE_SENDER_NAKS_RECEIVED, "snd-naks-received"},
};

static bool is_exclusive(const rj_client_command_t *command)
{
    return command->type == RJ_COMMAND_ADD_EXCLUSIVE_PUBLICATION;
}

/* --- session ids --- */

bool rj_conductor_network_session_is_used(const rj_conductor_t *conductor,
                                          const rj_send_entry_t *send, int32_t stream_id,
                                          int32_t session_id)
{
    const rj_network_entry_t *network;
    DL_FOREACH(conductor->network_publications, network)
    {
        const rj_publication_config_t *config = &network->publication.config;
        if (config->stream_id == stream_id && config->session_id == session_id &&
            (send == NULL ||
             (network->send == send && network->publication.state != RJ_PUBLICATION_DONE)))
            return true;
    }
    return false;
}

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

/* --- what a URI may ask for --- */

/* What this driver does not do yet is refused by name. */
static int check_supported(const rj_channel_t *channel, rj_err_t *err)
{
    const char *what = NULL;
    if (channel->control_mode == RJ_CONTROL_MODE_MANUAL)
        what = "control-mode=manual";
    else if (channel->control_mode == RJ_CONTROL_MODE_DYNAMIC)
        what = "control-mode=dynamic";
    else if (channel->control_mode == RJ_CONTROL_MODE_RESPONSE)
        what = "control-mode=response";
    else if (rj_uri_has(&channel->uri, "response-correlation-id"))
        what = "response-correlation-id";
    else if (!channel->has_endpoint)
        what = "a publication channel without endpoint";
    else if (channel->channel_send_timestamp_offset != RJ_TIMESTAMP_NONE)
        what = "channel-snd-ts-offset";
    if (what == NULL)
        return 0;
    return rj_fail_aeron(err, -ENOTSUP, RJ_ERROR_GENERIC,
                         "%s is not supported by this driver yet: %s", what, channel->uri.text);
}

int rj_conductor_match_publication(const rj_publication_params_t *params, const rj_log_t *log,
                                   int32_t starting_term_id, int32_t starting_term_offset,
                                   rj_err_t *err)
{
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
        {"term-id", params->has_position, starting_term_id, params->term_id},
        {"term-offset", params->has_position, starting_term_offset, params->term_offset},
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

static int fail_clash(const rj_client_command_t *command, rj_err_t *err)
{
    return rj_fail_aeron(err, -EINVAL, RJ_ERROR_INVALID_CHANNEL,
                         "existing publication has clashing sessionId=%" PRId32
                         " for streamId=%" PRId32 " channel=%s",
                         command->publication_params.session_id, command->stream_id,
                         command->channel.uri.text);
}

/* --- send endpoints --- */

static rj_send_entry_t *find_send(rj_conductor_t *conductor, const rj_channel_t *channel)
{
    rj_send_entry_t *send;
    DL_FOREACH(conductor->send_endpoints, send)
    {
        const rj_channel_t *other = &send->endpoint.channel;
        bool is_other_tag = channel->has_tag && other->has_tag && channel->tag != other->tag;
        if (send->state != RJ_ENDPOINT_RELEASED && !is_other_tag &&
            strcmp(other->canonical, channel->canonical) == 0)
            return send;
    }
    return NULL;
}

static int32_t first_set(int32_t a, int32_t b)
{
    return a != 0 ? a : b;
}

/* Whether a publication can use an endpoint that is there, or, for NULL, one to be made. */
static int check_send(rj_conductor_t *conductor, const rj_send_entry_t *send,
                      const rj_client_command_t *command, rj_err_t *err)
{
    const rj_channel_t *channel = &command->channel;
    if (send != NULL && send->state == RJ_ENDPOINT_CLOSING)
        return rj_fail_aeron(err, -EAGAIN, RJ_ERROR_RESOURCE_TEMPORARILY_UNAVAILABLE,
                             "send channel found in CLOSING state, please retry: %s",
                             channel->uri.text);
    if (send != NULL && channel->sndbuf_bytes != 0 && channel->sndbuf_bytes != send->sndbuf_bytes)
        return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC,
                             "so-sndbuf=%d does not match existing value of %d: existingChannel=%s "
                             "channel=%s",
                             channel->sndbuf_bytes, send->sndbuf_bytes,
                             send->endpoint.channel.uri.text, channel->uri.text);
    if (send != NULL && channel->rcvbuf_bytes != 0 && channel->rcvbuf_bytes != send->rcvbuf_bytes)
        return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC,
                             "so-rcvbuf=%d does not match existing value of %d: existingChannel=%s "
                             "channel=%s",
                             channel->rcvbuf_bytes, send->rcvbuf_bytes,
                             send->endpoint.channel.uri.text, channel->uri.text);
    int32_t sndbuf = send != NULL ? send->sndbuf_bytes : 0;
    sndbuf = first_set(sndbuf, channel->sndbuf_bytes);
    sndbuf = first_set(sndbuf, (int32_t)conductor->config->socket_sndbuf_bytes);
    sndbuf = first_set(sndbuf, conductor->sndbuf_default_bytes);
    if (command->publication_params.mtu_bytes > sndbuf)
        return rj_fail_aeron(
            err, -EINVAL, RJ_ERROR_GENERIC,
            "MTU greater than SO_SNDBUF for channel: mtu=%d so-sndbuf=%d channel=%s",
            command->publication_params.mtu_bytes, sndbuf, channel->uri.text);
    return 0;
}

static void free_send(rj_conductor_t *conductor, rj_send_entry_t *send)
{
    if (send->endpoint.base.socket >= 0)
        conductor->params.sockets->ops->close(conductor->params.sockets,
                                              send->endpoint.base.socket);
    rj_send_endpoint_close(&send->endpoint);
    free(send);
}

static int open_send_socket(rj_conductor_t *conductor, rj_send_entry_t *send, rj_err_t *err)
{
    const rj_channel_t *channel = &send->endpoint.channel;
    bool connects = channel->has_endpoint && conductor->config->connect_sockets;
    rj_socket_params_t params = {.bind = channel->local_data,
                                 .sndbuf_bytes = send->sndbuf_bytes,
                                 .rcvbuf_bytes = send->rcvbuf_bytes};
    if (connects)
        params.connect = channel->remote_data;
    rj_socket_info_t info;
    int result =
        conductor->params.sockets->ops->open(conductor->params.sockets, &params, &info, err);
    if (result < 0) {
        rj_err_context(err, "channel=%s: ", channel->uri.text);
        return result;
    }
    send->endpoint.base.socket = info.socket;
    send->endpoint.base.local = info.local;
    rj_path_init(&send->endpoint.data_path, &send->endpoint.base, &channel->remote_data, connects);
    return 0;
}

/* A new endpoint with its socket and counters, known to its engine. NULL with `err`. */
static rj_send_entry_t *make_send(rj_conductor_t *conductor, rj_err_t *err)
{
    const rj_client_command_t *command = &conductor->command;
    rj_send_entry_t *send = calloc(1, sizeof(*send));
    if (send == NULL) {
        rj_fail(err, -ENOMEM, "out of memory for a channel");
        return NULL;
    }
    send->endpoint.base = (rj_endpoint_t){.kind = RJ_ENDPOINT_SEND, .socket = -1, .slot = -1};
    send->endpoint.channel = command->channel;
    send->sndbuf_bytes =
        first_set(command->channel.sndbuf_bytes, (int32_t)conductor->config->socket_sndbuf_bytes);
    send->rcvbuf_bytes =
        first_set(command->channel.rcvbuf_bytes, (int32_t)conductor->config->socket_rcvbuf_bytes);
    if (rj_send_endpoint_open(&send->endpoint, err) < 0 ||
        open_send_socket(conductor, send, err) < 0 ||
        rj_conductor_channel_counters(conductor, true, command->correlation_id,
                                      command->channel.uri.text, &send->endpoint.base.local,
                                      &send->status_counter_id, &send->address_counter_id,
                                      err) < 0) {
        free_send(conductor, send);
        return NULL;
    }
    DL_APPEND(conductor->send_endpoints, send);
    rj_engine_command_t add = {.type = RJ_ENGINE_ADD_SEND_ENDPOINT,
                               .send_endpoint = &send->endpoint};
    rj_conductor_tell(conductor, conductor->params.send_engine, &add);
    return send;
}

static void close_send_if_unused(rj_conductor_t *conductor, rj_send_entry_t *send)
{
    if (send->refcount > 0 || send->state != RJ_ENDPOINT_ACTIVE)
        return;
    send->state = RJ_ENDPOINT_CLOSING;
    rj_engine_command_t remove = {.type = RJ_ENGINE_REMOVE_SEND_ENDPOINT,
                                  .send_endpoint = &send->endpoint};
    rj_conductor_tell(conductor, conductor->params.send_engine, &remove);
}

void rj_conductor_time_send_endpoints(rj_conductor_t *conductor)
{
    rj_send_entry_t *send, *next;
    DL_FOREACH_SAFE(conductor->send_endpoints, send, next)
    {
        if (send->state != RJ_ENDPOINT_RELEASED)
            continue;
        rj_conductor_free_counter(conductor, send->status_counter_id);
        rj_conductor_free_counter(conductor, send->address_counter_id);
        DL_DELETE(conductor->send_endpoints, send);
        free_send(conductor, send);
    }
}

/* --- making a publication --- */

static void describe_log(const rj_conductor_t *conductor, rj_log_params_t *ret_log)
{
    const rj_client_command_t *command = &conductor->command;
    const rj_publication_params_t *params = &command->publication_params;
    bool is_udp = command->channel.uri.media == RJ_MEDIA_UDP;
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
        .socket_sndbuf_length = is_udp ? command->channel.sndbuf_bytes : 0,
        .socket_rcvbuf_length = is_udp ? command->channel.rcvbuf_bytes : 0,
        .os_default_socket_sndbuf_length = conductor->sndbuf_default_bytes,
        .os_max_socket_sndbuf_length = conductor->sndbuf_max_bytes,
        .os_default_socket_rcvbuf_length = conductor->rcvbuf_default_bytes,
        .os_max_socket_rcvbuf_length = conductor->rcvbuf_max_bytes,
        .max_resend = rj_uri_has(&command->channel.uri, "max-resend") ? params->max_resend : 0,
        .entity_tag = params->has_entity_tag ? params->entity_tag : -1,
        .response_correlation_id = params->response_correlation_id,
        .linger_timeout_ns = params->linger_ns,
        .untethered_window_limit_timeout_ns = params->untethered.window_limit_ns,
        .untethered_linger_timeout_ns = params->untethered.linger_ns,
        .untethered_resting_timeout_ns = params->untethered.resting_ns,
        .group = is_udp && rj_channel_is_group(&command->channel),
        .sparse = params->is_sparse,
        .signal_eos = params->signals_eos,
        .spies_simulate_connection = params->spies_simulate_connection,
        .type = is_exclusive(command) ? RJ_LOG_TYPE_EXCLUSIVE_PUBLICATION
                                      : RJ_LOG_TYPE_CONCURRENT_PUBLICATION};
}

static int await_log(rj_conductor_t *conductor, rj_err_t *err)
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
    describe_log(conductor, &task->log_params);
    int result = rj_dir_publication_path(task->path, sizeof(task->path), conductor->config->dir,
                                         command->correlation_id);
    if (result < 0) {
        free(log);
        return rj_fail(err, result, "the path of a log buffer below %s is too long",
                       conductor->config->dir);
    }
    rj_conductor_await(conductor, RJ_STEP_MAP_LOG);
    return 0;
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
    return await_log(conductor, err);
}

/* An active publication that a shared add joins. */
static rj_network_entry_t *find_shared(rj_conductor_t *conductor, const rj_send_entry_t *send)
{
    const rj_client_command_t *command = &conductor->command;
    rj_network_entry_t *network;
    DL_FOREACH(conductor->network_publications, network)
    {
        const rj_publication_t *publication = &network->publication;
        if (network->send == send && publication->config.stream_id == command->stream_id &&
            publication->state == RJ_PUBLICATION_ACTIVE && !publication->config.is_exclusive &&
            network->response_correlation_id == command->publication_params.response_correlation_id)
            return network;
    }
    return NULL;
}

static int check_shared(const rj_client_command_t *command, const rj_network_entry_t *network,
                        rj_err_t *err)
{
    const rj_publication_params_t *params = &command->publication_params;
    int result = rj_conductor_match_publication(params, network->log, network->starting_term_id,
                                                network->starting_term_offset, err);
    bool existing = network->publication.config.spies_simulate_connection;
    if (result == 0 && existing != params->spies_simulate_connection)
        result = rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC,
                               "existing publication has different 'spies simulate connection': "
                               "existing=%s requested=%s",
                               existing ? "true" : "false",
                               params->spies_simulate_connection ? "true" : "false");
    return result;
}

int rj_conductor_link_publication(rj_conductor_t *conductor, rj_network_entry_t *network,
                                  rj_ipc_entry_t *ipc, rj_err_t *err)
{
    const rj_client_command_t *command = &conductor->command;
    rj_client_entry_t *client = rj_conductor_client(conductor, command->client_id, err);
    if (client == NULL)
        return err->code;
    rj_publication_link_t *link = calloc(1, sizeof(*link));
    if (link == NULL)
        return rj_fail(err, -ENOMEM, "out of memory for a publication");
    link->registration_id = command->correlation_id;
    link->network = network;
    link->ipc = ipc;
    DL_APPEND(client->publications, link);
    const rj_log_t *log = network != NULL ? network->log : ipc->log;
    const int32_t *ids = network != NULL ? network->counter_ids : ipc->counter_ids;
    rj_reply_publication_t ready = {
        .correlation_id = command->correlation_id,
        .registration_id = log->correlation_id,
        .session_id = log->session_id,
        .stream_id = log->stream_id,
        .limit_counter_id = ids[RJ_STREAM_PUB_LMT],
        .status_counter_id =
            network != NULL ? network->send->status_counter_id : RJ_CHANNEL_STATUS_ID_NONE,
        .is_exclusive = is_exclusive(command),
        .log_file = network != NULL ? network->log_file : ipc->log_file};
    if (network != NULL)
        network->refcount++;
    else
        ipc->refcount++;
    rj_reply_publication_ready(&conductor->to_clients, &ready);
    return 0;
}

static int allocate_counters(rj_conductor_t *conductor, rj_network_entry_t *network, rj_err_t *err)
{
    const rj_client_command_t *command = &conductor->command;
    int64_t start = rj_publication_params_position(&command->publication_params);
    for (int i = 0; i < RJ_STREAM_COUNTER_COUNT; i++) {
        const char *label = stream_counters[i].label;
        if (label == NULL)
            label = is_exclusive(command) ? "pub-pos (exclusive)" : "pub-pos (concurrent)";
        bool is_position = i != RJ_STREAM_SND_BPE && i != RJ_STREAM_SND_NAKS;
        int result = rj_conductor_stream_counter(
            conductor, stream_counters[i].type_id, label, command->correlation_id,
            command->session_id, command->stream_id, command->channel.uri.text, command->client_id,
            is_position ? start : 0, &network->counter_ids[i], err);
        if (result < 0) {
            while (--i >= 0)
                rj_conductor_free_counter(conductor, network->counter_ids[i]);
            return result;
        }
    }
    return 0;
}

static void configure(rj_conductor_t *conductor, const rj_network_entry_t *network,
                      rj_publication_config_t *config)
{
    const rj_client_command_t *command = &conductor->command;
    const rj_publication_params_t *params = &command->publication_params;
    const rj_driver_config_t *driver = conductor->config;
    const rj_channel_t *channel = &network->send->endpoint.channel;
    bool is_group = rj_channel_is_group(channel);
    *config = (rj_publication_config_t){
        .registration_id = command->correlation_id,
        .session_id = command->session_id,
        .stream_id = command->stream_id,
        .start_position = rj_publication_params_position(params),
        .term_window_bytes = params->window_bytes,
        .ttl = channel->is_multicast ? channel->ttl : 0,
        .datagrams_max = driver->messages_per_send != 0 ? (int32_t)driver->messages_per_send
                                                        : DATAGRAMS_PER_SEND_DEFAULT,
        .linger_ns = params->linger_ns,
        .connection_timeout_ns = driver->publication_connection_timeout_ns,
        .unblock_timeout_ns = driver->publication_unblock_timeout_ns,
        .flow_control = {.ops = &rj_flow_control_unicast,
                         .resend_window_multiple = RJ_FLOW_CONTROL_RESEND_WINDOWS_UNICAST},
        .retransmit = {.slot_count = is_group ? params->max_resend : RJ_RETRANSMIT_SLOTS_UNICAST,
                       .delay_ns = driver->retransmit_delay_ns,
                       .linger_ns = driver->retransmit_linger_ns,
                       .linger_is_explicit = driver->has_retransmit_linger},
        .is_exclusive = is_exclusive(command),
        .is_group = is_group,
        .signal_eos = params->signals_eos,
        .spies_simulate_connection = params->spies_simulate_connection};
}

static int64_t *counter(rj_conductor_t *conductor, const rj_network_entry_t *network,
                        rj_stream_counter_t which)
{
    return rj_counters_value(conductor->counters, network->counter_ids[which]);
}

/* The log is there: everything else of a new publication. On failure nothing of it stays. */
static int create(rj_conductor_t *conductor, rj_send_entry_t *send, rj_err_t *err)
{
    rj_client_command_t *command = &conductor->command;
    rj_task_t *task = command->task;
    /* The client first: its heartbeat counter is announced before what it asked for. */
    if (rj_conductor_client(conductor, command->client_id, err) == NULL)
        return err->code;
    rj_network_entry_t *network = calloc(1, sizeof(*network));
    char *log_file = strdup(task->path);
    if (network == NULL || log_file == NULL || allocate_counters(conductor, network, err) < 0) {
        if (network == NULL || log_file == NULL)
            rj_fail(err, -ENOMEM, "out of memory for a publication");
        free(network);
        free(log_file);
        return err->code;
    }
    network->send = send;
    network->log = task->log;
    network->log_file = log_file;
    network->starting_term_id = task->log_params.start_term_id;
    network->starting_term_offset = task->log_params.start_term_offset;
    network->response_correlation_id = command->publication_params.response_correlation_id;
    rj_publication_config_t config;
    configure(conductor, network, &config);
    rj_publication_counters_t counters = {.pub_pos = counter(conductor, network, RJ_STREAM_PUB_POS),
                                          .pub_lmt = counter(conductor, network, RJ_STREAM_PUB_LMT),
                                          .snd_pos = counter(conductor, network, RJ_STREAM_SND_POS),
                                          .snd_lmt = counter(conductor, network, RJ_STREAM_SND_LMT),
                                          .snd_bpe = counter(conductor, network, RJ_STREAM_SND_BPE),
                                          .naks_received =
                                              counter(conductor, network, RJ_STREAM_SND_NAKS)};
    rj_publication_init(&network->publication, &config, &counters, network->log,
                        &send->endpoint.data_path, conductor->now_ns);
    DL_APPEND(conductor->network_publications, network);
    send->refcount++;
    rj_engine_command_t add = {.type = RJ_ENGINE_ADD_PUBLICATION,
                               .send_endpoint = &send->endpoint,
                               .publication = &network->publication};
    rj_conductor_tell(conductor, conductor->params.send_engine, &add);
    return rj_conductor_link_publication(conductor, network, NULL, err);
}

/* --- the steps of an add --- */

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
    if (result == 0 && command->channel.uri.media == RJ_MEDIA_IPC) {
        rj_conductor_add_ipc_publication(conductor);
        return;
    }
    if (result == 0)
        result = check_supported(&command->channel, &err);
    if (result == 0) {
        command->task = calloc(1, sizeof(*command->task));
        if (command->task == NULL)
            result = rj_fail(&err, -ENOMEM, "out of memory for a command");
    }
    if (result < 0) {
        rj_conductor_fail_command(conductor, &err);
        return;
    }
    command->task->type = RJ_TASK_RESOLVE;
    command->task->channel = &command->channel;
    rj_conductor_await(conductor, RJ_STEP_RESOLVE);
}

static int after_resolve(rj_conductor_t *conductor, rj_err_t *err)
{
    rj_client_command_t *command = &conductor->command;
    rj_publication_params_t *params = &command->publication_params;
    if (command->channel.is_multicast)
        return rj_fail_aeron(err, -ENOTSUP, RJ_ERROR_GENERIC,
                             "a multicast endpoint is not supported by this driver yet: %s",
                             command->channel.uri.text);
    int result = rj_publication_params_parse(params, &command->channel.uri, command->stream_id,
                                             &conductor->defaults, err);
    if (result == 0 && params->has_session_tag)
        result = rj_fail_aeron(err, -ENOTSUP, RJ_ERROR_GENERIC,
                               "session-id=tag: is not supported by this driver yet: %s",
                               command->channel.uri.text);
    rj_send_entry_t *send = result == 0 ? find_send(conductor, &command->channel) : NULL;
    if (result == 0)
        result = check_send(conductor, send, command, err);
    if (result < 0)
        return result;
    rj_network_entry_t *shared =
        is_exclusive(command) || send == NULL ? NULL : find_shared(conductor, send);
    if (shared != NULL) {
        result = check_shared(command, shared, err);
        if (result == 0)
            result = rj_conductor_link_publication(conductor, shared, NULL, err);
        if (result == 0)
            rj_conductor_finish_command(conductor);
        return result;
    }
    if (params->has_session_id && send != NULL &&
        rj_conductor_network_session_is_used(conductor, send, command->stream_id,
                                             params->session_id))
        return fail_clash(command, err);
    return rj_conductor_start_publication_log(conductor, send, false, err);
}

static int after_map(rj_conductor_t *conductor, rj_err_t *err)
{
    rj_client_command_t *command = &conductor->command;
    rj_conductor_note_storage(conductor, command->task);
    /* While the log was made the endpoint may have come to its end. */
    rj_send_entry_t *send = find_send(conductor, &command->channel);
    int result = check_send(conductor, send, command, err);
    if (result == 0 && send == NULL) {
        send = make_send(conductor, err);
        result = send == NULL ? err->code : 0;
    }
    if (result == 0) {
        result = create(conductor, send, err);
        if (result < 0)
            close_send_if_unused(conductor, send);
    }
    if (result < 0) {
        rj_conductor_free_log(conductor, command->task->log, command->task->path);
        return result;
    }
    rj_conductor_finish_command(conductor);
    return 0;
}

void rj_conductor_step_publication(rj_conductor_t *conductor)
{
    rj_client_command_t *command = &conductor->command;
    rj_err_t err = {0};
    int result;
    if (rj_task_state(command->task) == RJ_TASK_FAILED) {
        err = command->task->err;
        result = err.code;
        if (command->step == RJ_STEP_MAP_LOG)
            free(command->task->log);
    } else {
        result = command->step == RJ_STEP_RESOLVE ? after_resolve(conductor, &err)
                                                  : after_map(conductor, &err);
    }
    if (result < 0)
        rj_conductor_fail_command(conductor, &err);
}

/* --- removal and the states of life --- */

void rj_conductor_unlink_publication(rj_conductor_t *conductor, rj_client_entry_t *client,
                                     rj_publication_link_t *link)
{
    if (link->ipc != NULL) {
        if (--link->ipc->refcount == 0)
            rj_ipc_publication_on_unreferenced(&link->ipc->publication, conductor->now_ns);
    } else if (--link->network->refcount == 0) {
        rj_publication_on_unreferenced(&link->network->publication, conductor->now_ns);
    }
    DL_DELETE(client->publications, link);
    free(link);
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
        rj_err_t err;
        rj_fail_aeron(&err, -EINVAL, RJ_ERROR_UNKNOWN_PUBLICATION,
                      "unknown publication client_id=%" PRId64 " registration_id=%" PRId64,
                      command->header.client_id, command->registration_id);
        rj_conductor_refuse(conductor, command->header.correlation_id, &err);
        return;
    }
    if ((flags & RJ_REMOVE_PUBLICATION_FLAG_REVOKE) != 0)
        rj_log_set_revoked(link->network != NULL ? link->network->log : link->ipc->log);
    rj_conductor_unlink_publication(conductor, client, link);
    rj_reply_success(&conductor->to_clients, command->header.correlation_id);
}

static void delete_publication(rj_conductor_t *conductor, rj_network_entry_t *network)
{
    for (int i = 0; i < RJ_STREAM_COUNTER_COUNT; i++)
        rj_conductor_free_counter(conductor, network->counter_ids[i]);
    rj_conductor_free_log(conductor, network->log, network->log_file);
    free(network->log_file);
    network->send->refcount--;
    close_send_if_unused(conductor, network->send);
    DL_DELETE(conductor->network_publications, network);
    free(network);
}

static void time_publication(rj_conductor_t *conductor, rj_network_entry_t *network)
{
    rj_publication_state_t before = network->publication.state;
    if (before == RJ_PUBLICATION_DONE) {
        if (network->is_released)
            delete_publication(conductor, network);
        return;
    }
    int64_t unblocked_count = 0;
    rj_publication_state_t after = rj_publication_on_time(
        &network->publication, network->refcount, INT64_MAX, &unblocked_count, conductor->now_ns);
    rj_system_counter_add(conductor->system, RJ_SYSTEM_UNBLOCKED_PUBLICATIONS, unblocked_count);
    if (before == RJ_PUBLICATION_ACTIVE && after == RJ_PUBLICATION_LINGER)
        rj_system_counter_add(conductor->system, RJ_SYSTEM_PUBLICATIONS_REVOKED, 1);
    if (after == RJ_PUBLICATION_DONE) {
        rj_engine_command_t remove = {.type = RJ_ENGINE_REMOVE_PUBLICATION,
                                      .send_endpoint = &network->send->endpoint,
                                      .publication = &network->publication};
        rj_conductor_tell(conductor, conductor->params.send_engine, &remove);
    }
}

void rj_conductor_time_network_publications(rj_conductor_t *conductor)
{
    rj_network_entry_t *network, *next;
    DL_FOREACH_SAFE(conductor->network_publications, network, next)
    {
        time_publication(conductor, network);
    }
}

int rj_conductor_update_publisher_limits(rj_conductor_t *conductor)
{
    int work = 0;
    rj_network_entry_t *network;
    DL_FOREACH(conductor->network_publications, network)
    {
        work += rj_publication_update_limit(&network->publication, INT64_MAX);
    }
    rj_ipc_entry_t *ipc;
    DL_FOREACH(conductor->ipc_publications, ipc)
    {
        work += rj_ipc_publication_update_limit(&ipc->publication);
    }
    return work;
}

void rj_conductor_free_publications(rj_conductor_t *conductor)
{
    rj_network_entry_t *network, *next;
    DL_FOREACH_SAFE(conductor->network_publications, network, next)
    {
        for (int i = 0; i < RJ_STREAM_COUNTER_COUNT; i++)
            rj_conductor_free_counter(conductor, network->counter_ids[i]);
        rj_conductor_free_log(conductor, network->log, network->log_file);
        free(network);
    }
    conductor->network_publications = NULL;
    rj_send_entry_t *send, *next_send;
    DL_FOREACH_SAFE(conductor->send_endpoints, send, next_send)
    {
        rj_conductor_free_counter(conductor, send->status_counter_id);
        rj_conductor_free_counter(conductor, send->address_counter_id);
        free_send(conductor, send);
    }
    conductor->send_endpoints = NULL;
}
