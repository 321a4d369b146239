/* SPDX-License-Identifier: Apache-2.0 */
/* Network publications (commands.md 5.1; driver.md 6). */
#include "conductor/conductor_state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/bits.h"
#include "conductor/conductor_destination.h"
#include "conductor/conductor_flow.h"
#include "endpoint/fan_out.h"

_Static_assert((int)RJ_CONFIG_BATCH == (int)RJ_NETWORK_PUBLICATION_DATAGRAMS_MAX, "a turn");

bool rj_conductor_network_session_is_used(const rj_conductor_t *conductor,
                                          const rj_send_entry_t *send, int32_t stream_id,
                                          int32_t session_id)
{
    const rj_network_entry_t *network;
    DL_FOREACH(conductor->network_publications, network)
    {
        const rj_network_publication_config_t *config = &network->publication.config;
        if (config->stream_id == stream_id && config->session_id == session_id &&
            (send == NULL ||
             (network->send == send && network->publication.state != RJ_NETWORK_PUBLICATION_DONE)))
            return true;
    }
    return false;
}

/* --- what a URI may ask for --- */

/* An active publication that a shared add joins. */
static rj_network_entry_t *find_shared(rj_conductor_t *conductor, const rj_send_entry_t *send)
{
    const rj_client_command_t *command = &conductor->command;
    rj_network_entry_t *network;
    DL_FOREACH(conductor->network_publications, network)
    {
        const rj_network_publication_t *publication = &network->publication;
        if (network->send == send && publication->config.stream_id == command->stream_id &&
            publication->state == RJ_NETWORK_PUBLICATION_ACTIVE &&
            !publication->config.is_exclusive &&
            network->published.response_correlation_id ==
                command->publication_params.response_correlation_id)
            return network;
    }
    return NULL;
}

static int check_shared(const rj_client_command_t *command, const rj_network_entry_t *network,
                        rj_err_t *err)
{
    const rj_publication_params_t *params = &command->publication_params;
    int result = rj_conductor_match_publication(params, &network->published, err);
    bool existing = network->publication.config.spies_simulate_connection;
    if (result == 0 && existing != params->spies_simulate_connection)
        result = rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC,
                               "existing publication has different 'spies simulate connection': "
                               "existing=%s requested=%s",
                               existing ? "true" : "false",
                               params->spies_simulate_connection ? "true" : "false");
    return result;
}

/* --- making a network publication --- */

static void configure(rj_conductor_t *conductor, rj_network_entry_t *network,
                      rj_network_publication_config_t *config)
{
    const rj_client_command_t *command = &conductor->command;
    const rj_publication_params_t *params = &command->publication_params;
    const rj_driver_config_t *driver = conductor->config;
    const rj_channel_t *channel = &network->send->endpoint.channel;
    bool is_group = rj_channel_is_group(channel);
    *config = (rj_network_publication_config_t){
        .registration_id = command->correlation_id,
        .session_id = command->session_id,
        .stream_id = command->stream_id,
        .start_position = rj_publication_params_position(params),
        .term_window_bytes = params->window_bytes,
        .ttl = channel->is_multicast ? channel->ttl : 0,
        .datagrams_max = (int32_t)driver->messages_per_send,
        .linger_ns = rj_min_i64(params->linger_ns, RJ_CONFIG_DURATION_NS_MAX),
        .connection_timeout_ns = driver->publication_connection_timeout_ns,
        .unblock_timeout_ns = driver->publication_unblock_timeout_ns,
        .flow_control = command->flow_control,
        .retransmit = rj_conductor_retransmit_config(conductor, is_group),
        .has_reference_timing = driver->reference_timing,
        .send_timestamp = rj_timestamp_place(channel->channel_send_timestamp_offset),
        .is_exclusive = rj_conductor_is_exclusive(command),
        .is_group = is_group,
        .wants_response = params->response_correlation_id != RJ_RESPONSE_NONE &&
                          channel->control_mode != RJ_CONTROL_MODE_RESPONSE,
        .response_path =
            channel->control_mode == RJ_CONTROL_MODE_RESPONSE ? &network->response_path : NULL,
        .signal_eos = params->signals_eos,
        .spies_simulate_connection = params->spies_simulate_connection};
}

static int64_t *counter(rj_conductor_t *conductor, const rj_network_entry_t *network,
                        rj_stream_counter_t which)
{
    return rj_counters_value(conductor->counters, network->published.counter_ids[which]);
}

/* What a stream of a multi-destination channel needs besides. */
static int make_fan_out(rj_network_entry_t *network, rj_err_t *err)
{
    if (network->send->endpoint.destinations == NULL)
        return 0;
    network->fan_out = calloc(1, sizeof(*network->fan_out));
    return network->fan_out != NULL ? 0 : rj_fail(err, -ENOMEM, "out of memory for a publication");
}

/* The entry with its counters; NULL with `err`. The log becomes its own with `add_entry`. */
static rj_network_entry_t *make_entry(rj_conductor_t *conductor, rj_send_entry_t *send,
                                      rj_err_t *err)
{
    rj_network_entry_t *network = calloc(1, sizeof(*network));
    if (network == NULL) {
        rj_fail(err, -ENOMEM, "out of memory for a publication");
        return NULL;
    }
    network->send = send;
    if (make_fan_out(network, err) == 0 &&
        rj_conductor_make_flow_counter(conductor, send, &network->flow_counter_id, err) == 0) {
        if (rj_conductor_publish(conductor, RJ_STREAM_COUNTER_COUNT, &network->published, err) == 0)
            return network;
        rj_conductor_free_counter(conductor, network->flow_counter_id);
    }
    free(network->fan_out);
    free(network);
    return NULL;
}

/* From here on it lives by its states. */
static void add_entry(rj_conductor_t *conductor, rj_network_entry_t *network)
{
    rj_send_entry_t *send = network->send;
    rj_network_publication_config_t config;
    configure(conductor, network, &config);
    rj_network_publication_counters_t counters = {
        .pub_pos = counter(conductor, network, RJ_STREAM_PUB_POS),
        .pub_lmt = counter(conductor, network, RJ_STREAM_PUB_LMT),
        .snd_pos = counter(conductor, network, RJ_STREAM_SND_POS),
        .snd_lmt = counter(conductor, network, RJ_STREAM_SND_LMT),
        .snd_bpe = counter(conductor, network, RJ_STREAM_SND_BPE),
        .naks_received = counter(conductor, network, RJ_STREAM_SND_NAKS),
        .fc_receivers = rj_counters_value(conductor->counters, network->flow_counter_id)};
    rj_network_publication_init(&network->publication, &config, &counters, network->published.log,
                                config.response_path != NULL ? NULL : &send->endpoint.data_path,
                                conductor->now_ns);
    /* A receiver with an engine for each queue has an image where the setup came in. What a socket
     * sends may come in elsewhere than what a ring sends, so the setup takes the door that the data
     * will take. */
    if (rj_conductor_awaits_ring(conductor, &send->headed))
        rj_network_publication_hold_setup(&network->publication);
    network->publication.fan_out = network->fan_out;
    network->response_path.endpoint = &send->endpoint.base;
    DL_APPEND(conductor->network_publications, network);
    conductor->network_publication_count++;
    send->refcount++;
    rj_engine_command_t add = {.type = RJ_ENGINE_ADD_PUBLICATION,
                               .send_endpoint = &send->endpoint,
                               .publication = &network->publication};
    rj_conductor_tell(conductor, send->endpoint.base.home, &add);
}

/* The log is there: everything else of a new publication. On failure nothing of it stays. */
static int create(rj_conductor_t *conductor, rj_send_entry_t *send, rj_err_t *err)
{
    rj_publication_link_t *link = rj_conductor_make_publication_link(conductor, err);
    if (link == NULL)
        return err->code;
    rj_network_entry_t *network = make_entry(conductor, send, err);
    if (network == NULL) {
        free(link);
        return err->code;
    }
    add_entry(conductor, network);
    rj_conductor_link_publication(conductor, link, network, NULL);
    rj_conductor_link_response(conductor, network);
    rj_conductor_link_spies(conductor, network);
    return 0;
}

/* --- the steps of an add --- */

int rj_conductor_add_network_publication(rj_conductor_t *conductor, rj_err_t *err)
{
    return rj_conductor_await_resolve(conductor, err);
}

/* What the engine has room for. */
static int check_count(const rj_conductor_t *conductor, const rj_send_entry_t *send, rj_err_t *err)
{
    const char *channel = conductor->command.channel.uri.text;
    if (conductor->network_publication_count >= RJ_ENGINE_PUBLICATIONS_MAX)
        return rj_fail(err, -ENOSPC, "more than %d publications: %s", RJ_ENGINE_PUBLICATIONS_MAX,
                       channel);
    if (send != NULL && send->refcount >= RJ_SEND_ENDPOINT_PUBLICATIONS_MAX)
        return rj_fail(err, -ENOSPC, "more than %d publications on one channel: %s",
                       RJ_SEND_ENDPOINT_PUBLICATIONS_MAX, channel);
    return 0;
}

static int after_resolve(rj_conductor_t *conductor, rj_err_t *err)
{
    rj_client_command_t *command = &conductor->command;
    rj_publication_params_t *params = &command->publication_params;
    int result = rj_publication_params_parse(params, &command->channel.uri, command->stream_id,
                                             &conductor->defaults, err);
    rj_send_entry_t *send = NULL;
    if (result == 0)
        result = rj_conductor_follow_entity(conductor, err);
    if (result == 0)
        result = rj_conductor_check_response(conductor, err);
    if (result == 0)
        result = rj_conductor_find_send(conductor, &command->channel, &send, err);
    if (result == 0)
        result = rj_conductor_check_send(conductor, send, err);
    if (result < 0)
        return result;
    rj_network_entry_t *shared =
        rj_conductor_is_exclusive(command) || send == NULL ? NULL : find_shared(conductor, send);
    if (shared != NULL) {
        result = check_shared(command, shared, err);
        return result < 0 ? result : rj_conductor_join_publication(conductor, shared, NULL, err);
    }
    if (params->has_session_id && send != NULL &&
        rj_conductor_network_session_is_used(conductor, send, command->stream_id,
                                             params->session_id))
        return rj_conductor_fail_clash(command, err);
    result = rj_conductor_check_entity(conductor, err);
    if (result == 0)
        result = check_count(conductor, send, err);
    if (result == 0)
        result = rj_conductor_choose_flow_control(conductor, send, err);
    return result < 0 ? result : rj_conductor_start_publication_log(conductor, send, false, err);
}

static int after_map(rj_conductor_t *conductor, rj_err_t *err)
{
    rj_client_command_t *command = &conductor->command;
    rj_conductor_note_storage(conductor, command->task);
    /* While the log was made the endpoint may have come to its end. */
    rj_send_entry_t *send = NULL;
    int result = rj_conductor_find_send(conductor, &command->channel, &send, err);
    if (result == 0)
        result = rj_conductor_check_send(conductor, send, err);
    if (result == 0)
        result = rj_conductor_check_response(conductor, err);
    if (result == 0 && send == NULL) {
        send = rj_conductor_make_send(conductor, err);
        result = send == NULL ? err->code : 0;
    }
    if (result == 0) {
        result = create(conductor, send, err);
        if (result < 0)
            rj_conductor_try_close_send(conductor, send);
    }
    if (result < 0) {
        rj_conductor_free_log(conductor, command->task->log, command->task->path);
        return result;
    }
    rj_conductor_finish_command(conductor);
    return 0;
}

int rj_conductor_step_network_publication(rj_conductor_t *conductor, rj_err_t *err)
{
    return conductor->command.step == RJ_STEP_RESOLVE ? after_resolve(conductor, err)
                                                      : after_map(conductor, err);
}

/* --- the states of life --- */

static void free_entry(rj_conductor_t *conductor, rj_network_entry_t *network)
{
    rj_conductor_free_spies(conductor, network);
    rj_conductor_drop_header(conductor, &network->response_headed);
    rj_conductor_unpublish(conductor, &network->published);
    rj_conductor_free_counter(conductor, network->flow_counter_id);
    DL_DELETE(conductor->network_publications, network);
    conductor->network_publication_count--;
    free(network->fan_out);
    free(network);
}

static void delete_publication(rj_conductor_t *conductor, rj_network_entry_t *network)
{
    rj_send_entry_t *send = network->send;
    free_entry(conductor, network);
    send->refcount--;
    rj_conductor_try_close_send(conductor, send);
}

static void time_publication(rj_conductor_t *conductor, rj_network_entry_t *network)
{
    rj_network_publication_state_t before = network->publication.state;
    if (before == RJ_NETWORK_PUBLICATION_DONE) {
        if (network->is_released)
            delete_publication(conductor, network);
        return;
    }
    int64_t unblocked_count = 0;
    rj_network_publication_state_t after = rj_network_publication_on_time(
        &network->publication, network->published.refcount, &unblocked_count, conductor->now_ns);
    rj_system_counter_add(conductor->system, RJ_SYSTEM_UNBLOCKED_PUBLICATIONS, unblocked_count);
    if (before == RJ_NETWORK_PUBLICATION_ACTIVE && after == RJ_NETWORK_PUBLICATION_LINGER)
        rj_system_counter_add(conductor->system, RJ_SYSTEM_PUBLICATIONS_REVOKED, 1);
    if (after == RJ_NETWORK_PUBLICATION_ACTIVE)
        rj_conductor_time_spies(conductor, network);
    if (before != after && after == RJ_NETWORK_PUBLICATION_LINGER)
        rj_conductor_end_spies(conductor, network);
    if (after == RJ_NETWORK_PUBLICATION_DONE) {
        rj_engine_command_t remove = {.type = RJ_ENGINE_REMOVE_PUBLICATION,
                                      .send_endpoint = &network->send->endpoint,
                                      .publication = &network->publication};
        rj_conductor_tell(conductor, network->send->endpoint.base.home, &remove);
        rj_conductor_unsteer_response(conductor, network);
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

int rj_conductor_update_network_limits(rj_conductor_t *conductor)
{
    int work = 0;
    rj_network_entry_t *network;
    DL_FOREACH(conductor->network_publications, network)
    {
        work += rj_network_publication_update_limit(&network->publication);
    }
    return work;
}

void rj_conductor_free_network_publications(rj_conductor_t *conductor)
{
    rj_network_entry_t *network, *next;
    DL_FOREACH_SAFE(conductor->network_publications, network, next)
    {
        free_entry(conductor, network);
    }
}
