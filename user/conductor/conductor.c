/* SPDX-License-Identifier: Apache-2.0 */
#include "conductor/conductor_destination.h"
#include "conductor/conductor_receive.h"
#include "conductor/conductor_why.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/bits.h"

enum {
    EVENTS_PER_TURN = 256, /* of each engine */
    HELPER_RESERVE = 64,   /* free tasks that a client command may need */
    BROADCAST_WINDOW_NS = 100000000,
    /* Of the buffer, in one window: so any 100 ms see less than half of it (shm.md 6.2). */
    BROADCAST_WINDOW_SHARE = 4
};

/* --- errors --- */

static void log_error(rj_conductor_t *conductor, int error_code, const char *text)
{
    if (rj_error_log_record(&conductor->error_log, error_code, text, conductor->epoch_ms) < 0)
        fprintf(stderr, "ramjet driver: unrecordable error: %s: the error log is full\n", text);
}

static void record(rj_conductor_t *conductor, int error_code, const char *text)
{
    rj_system_counter_add(conductor->system, RJ_SYSTEM_ERRORS, 1);
    log_error(conductor, error_code, text);
}

void rj_conductor_report(rj_conductor_t *conductor, int error_code, const char *format, ...)
{
    char text[RJ_ERR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    record(conductor, error_code, text);
}

void rj_conductor_refuse(rj_conductor_t *conductor, int64_t correlation_id, const rj_err_t *err)
{
    int32_t code = rj_reply_error_code(err);
    /* Clients repeat on "temporarily unavailable"; it is no error of anybody (driver.md 12.2). */
    if (code != RJ_ERROR_RESOURCE_TEMPORARILY_UNAVAILABLE)
        record(conductor, code, err->text);
    rj_reply_error(&conductor->to_clients, correlation_id, code, err->text);
}

void rj_conductor_refuse_unknown(rj_conductor_t *conductor, const rj_command_header_t *header,
                                 int32_t error_code, const char *kind, int64_t registration_id)
{
    rj_err_t err;
    rj_fail_aeron(&err, -EINVAL, error_code,
                  "unknown %s client_id=%" PRId64 " registration_id=%" PRId64, kind,
                  header->client_id, registration_id);
    rj_conductor_refuse(conductor, header->correlation_id, &err);
}

void rj_conductor_finish_command(rj_conductor_t *conductor)
{
    free(conductor->command.task);
    conductor->command.task = NULL;
    conductor->command.step = RJ_STEP_NONE;
}

void rj_conductor_fail_command(rj_conductor_t *conductor, const rj_err_t *err)
{
    rj_conductor_refuse(conductor, conductor->command.correlation_id, err);
    rj_conductor_finish_command(conductor);
}

/* --- engines and helper --- */

static void keep_back(rj_conductor_t *conductor, int engine, const rj_engine_command_t *command)
{
    rj_kept_command_t *kept = malloc(sizeof(*kept));
    if (kept == NULL) {
        /* Ownership travels in these messages, so going on without this one would be worse. */
        fprintf(stderr, "ramjet driver: out of memory for a message to engine %d\n", engine);
        abort();
    }
    kept->command = *command;
    DL_APPEND(conductor->kept[engine], kept);
}

void rj_conductor_tell(rj_conductor_t *conductor, int engine, const rj_engine_command_t *command)
{
    rj_ring_spsc_t *ring = rj_engine_command_ring(conductor->params.engines[engine]);
    if (conductor->kept[engine] == NULL && rj_ring_spsc_push(ring, command))
        return;
    if (conductor->kept[engine] == NULL)
        rj_system_counter_add(
            conductor->system,
            engine == 0 ? RJ_SYSTEM_SENDER_PROXY_FAILS : RJ_SYSTEM_RECEIVER_PROXY_FAILS, 1);
    keep_back(conductor, engine, command);
}

int rj_conductor_tell_kept(rj_conductor_t *conductor)
{
    int work = 0;
    for (int i = 0; i < conductor->params.engine_count; i++) {
        rj_ring_spsc_t *ring = rj_engine_command_ring(conductor->params.engines[i]);
        rj_kept_command_t *kept, *next;
        DL_FOREACH_SAFE(conductor->kept[i], kept, next)
        {
            if (!rj_ring_spsc_push(ring, &kept->command))
                break;
            DL_DELETE(conductor->kept[i], kept);
            free(kept);
            work++;
        }
    }
    return work;
}

static void drop_kept(rj_conductor_t *conductor)
{
    for (int i = 0; i < RJ_ENGINES_MAX; i++) {
        rj_kept_command_t *kept, *next;
        DL_FOREACH_SAFE(conductor->kept[i], kept, next)
        {
            DL_DELETE(conductor->kept[i], kept);
            free(kept);
        }
    }
}

int rj_conductor_await(rj_conductor_t *conductor, rj_command_step_t step, rj_err_t *err)
{
    if (!rj_helper_give(conductor->params.helper, conductor->command.task)) {
        rj_system_counter_add(conductor->system, RJ_SYSTEM_RESOURCE_AGENT_PROXY_FAILS, 1);
        return rj_fail(err, -EAGAIN, "the driver's helper has too much to do: try again");
    }
    conductor->command.step = step;
    return 0;
}

int rj_conductor_await_resolve(rj_conductor_t *conductor, rj_err_t *err)
{
    rj_client_command_t *command = &conductor->command;
    command->task = calloc(1, sizeof(*command->task));
    if (command->task == NULL)
        return rj_fail(err, -ENOMEM, "out of memory for a command");
    command->task->type = RJ_TASK_RESOLVE;
    command->task->channel = &command->channel;
    return rj_conductor_await(conductor, RJ_STEP_RESOLVE, err);
}

void rj_conductor_free_log(rj_conductor_t *conductor, rj_log_t *log, const char *log_file)
{
    rj_task_t *task = calloc(1, sizeof(*task));
    if (task != NULL) {
        task->type = RJ_TASK_FREE_LOG;
        task->log = log;
        snprintf(task->path, sizeof(task->path), "%s", log_file);
        if (!rj_helper_give(conductor->params.helper, task)) {
            free(task);
            task = NULL;
        }
    }
    if (task == NULL) {
        /* No memory, or a helper that is stuck: the file stays, said and counted; the mapping too.
         * */
        rj_system_counter_add(conductor->system, RJ_SYSTEM_RESOURCE_AGENT_PROXY_FAILS, 1);
        rj_conductor_report(conductor, RJ_ERROR_GENERIC,
                            "log buffer not freed, the helper is behind: delete it by hand: %s",
                            log_file);
    }
}

void rj_conductor_note_storage(rj_conductor_t *conductor, const rj_task_t *task)
{
    const rj_driver_config_t *config = conductor->config;
    if (task->usable_bytes >= 0 && task->usable_bytes <= config->low_storage_warning_bytes)
        rj_conductor_report(conductor, -RJ_ERROR_STORAGE_SPACE,
                            "WARNING: space is running low: threshold=%" PRId64 " usable=%" PRId64
                            " in %s",
                            config->low_storage_warning_bytes, task->usable_bytes, config->dir);
}

/* Room for everything that one client command can cause. */
static bool has_room_for_command(rj_conductor_t *conductor)
{
    for (int i = 0; i < conductor->params.engine_count; i++) {
        if (rj_ring_spsc_free_count(rj_engine_command_ring(conductor->params.engines[i])) <
            RJ_ENGINE_COMMANDS_RESERVE)
            return false;
    }
    return rj_ring_spsc_free_count(&conductor->params.helper->tasks) >= HELPER_RESERVE;
}

/* Java clients that are lapped terminate, so a burst of events is spread over time. */
static bool has_room_for_events(rj_conductor_t *conductor)
{
    int64_t position = rj_broadcast_position(&conductor->to_clients);
    if (conductor->now_ns - conductor->broadcast_window_ns >= BROADCAST_WINDOW_NS) {
        conductor->broadcast_window_ns = conductor->now_ns;
        conductor->broadcast_window_position = position;
    }
    return position - conductor->broadcast_window_position <
           conductor->to_clients.capacity_bytes / BROADCAST_WINDOW_SHARE;
}

/* --- client commands --- */

static rj_ring_action_t on_command(void *context, int32_t type, const uint8_t *body, int32_t length)
{
    rj_conductor_t *conductor = context;
    if (conductor->params.on_message != NULL)
        conductor->params.on_message(conductor->params.on_message_state, type, body, length);
    if (!rj_conductor_execute(conductor, type, body, length))
        rj_conductor_report(conductor, RJ_ERROR_MALFORMED_COMMAND,
                            "command=%" PRId32 " too short: length=%" PRId32, type, length);
    return RJ_RING_BREAK;
}

static bool is_send_destination(const rj_client_command_t *command)
{
    return command->type == RJ_COMMAND_ADD_DESTINATION ||
           command->type == RJ_COMMAND_REMOVE_DESTINATION;
}

/* What comes after a task that has succeeded: the next one, or the end of the command. */
static int continue_command(rj_conductor_t *conductor, rj_err_t *err)
{
    const rj_client_command_t *command = &conductor->command;
    if (is_send_destination(command))
        return rj_conductor_step_send_destination(conductor, err);
    if (command->type == RJ_COMMAND_ADD_SUBSCRIPTION)
        return rj_conductor_step_subscription(conductor, err);
    if (command->type == RJ_COMMAND_ADD_RCV_DESTINATION ||
        command->type == RJ_COMMAND_REMOVE_RCV_DESTINATION)
        return rj_conductor_step_receive_destination(conductor, err);
    return command->channel.uri.media == RJ_MEDIA_IPC
               ? rj_conductor_step_ipc_publication(conductor, err)
               : rj_conductor_step_network_publication(conductor, err);
}

static int step_command(rj_conductor_t *conductor)
{
    rj_client_command_t *command = &conductor->command;
    rj_task_state_t state = rj_task_state(command->task);
    if (state == RJ_TASK_PENDING)
        return 0;
    rj_err_t err = {0};
    if (state == RJ_TASK_FAILED && !is_send_destination(command)) {
        err = command->task->err;
        if (command->step == RJ_STEP_MAP_LOG)
            free(command->task->log);
        rj_conductor_fail_command(conductor, &err);
    } else if (continue_command(conductor, &err) < 0) {
        rj_conductor_fail_command(conductor, &err);
    }
    return 1;
}

static int work_commands(rj_conductor_t *conductor)
{
    if (conductor->command.step != RJ_STEP_NONE)
        return step_command(conductor);
    if (!has_room_for_command(conductor) || !has_room_for_events(conductor))
        return 0;
    uint64_t corrupt_count = conductor->to_driver.corrupt_count;
    int work = rj_ring_mpsc_read(&conductor->to_driver, on_command, conductor, 1);
    if (conductor->to_driver.corrupt_count != corrupt_count)
        rj_conductor_report(
            conductor, RJ_ERROR_MALFORMED_COMMAND,
            "the command ring held a record that cannot be: a client has spoilt it, "
            "what stood behind it in the ring is lost");
    return work;
}

/* --- what engines report --- */

static void on_io_error(rj_conductor_t *conductor, const rj_engine_event_t *event)
{
    char local[RJ_ADDRESS_TEXT_BYTES] = "a closed socket";
    if (event->send_endpoint != NULL)
        rj_address_print(&event->send_endpoint->base.local, local);
    else if (event->receive_destination != NULL)
        rj_address_print(&event->receive_destination->base.local, local);
    char remote[RJ_ADDRESS_TEXT_BYTES] = "";
    if (event->address.family != AF_UNSPEC)
        rj_address_print(&event->address, remote);
    rj_conductor_report(conductor, RJ_ERROR_GENERIC, "socket %s%s%s: %s", local,
                        remote[0] != '\0' ? " to " : "", remote, strerror((int)-event->value));
}

/* What an engine gave back is marked; the next timer event deletes it (driver.md 3). */
static void on_engine_event(rj_conductor_t *conductor, const rj_engine_event_t *event)
{
    switch (event->type) {
    case RJ_ENGINE_SEND_ENDPOINT_RELEASED:
        rj_conductor_on_send_released(conductor, (rj_send_entry_t *)event->send_endpoint);
        break;
    case RJ_ENGINE_PUBLICATION_RELEASED:
        ((rj_network_entry_t *)event->publication)->is_released = true;
        break;
    case RJ_ENGINE_RECEIVE_ENDPOINT_RELEASED:
        rj_conductor_on_receive_released(conductor, (rj_receive_entry_t *)event->receive_endpoint);
        break;
    case RJ_ENGINE_RECEIVE_DESTINATION_RELEASED:
        rj_conductor_on_receive_destination_released(
            conductor, (rj_receive_destination_entry_t *)event->receive_destination);
        break;
    case RJ_ENGINE_CONNECTED:
        rj_conductor_on_connected(conductor, event);
        break;
    case RJ_ENGINE_IMAGE_RELEASED:
        rj_conductor_on_image_released(conductor, (rj_image_entry_t *)event->image);
        break;
    case RJ_ENGINE_SUBSCRIBER_ADDED:
    case RJ_ENGINE_SUBSCRIBER_REFUSED:
    case RJ_ENGINE_SUBSCRIBER_REMOVED:
        rj_conductor_on_subscriber_event(conductor, event);
        break;
    case RJ_ENGINE_SETUP:
        rj_conductor_on_setup(conductor, event);
        break;
    case RJ_ENGINE_LOSS:
        rj_conductor_on_loss(conductor, event);
        break;
    case RJ_ENGINE_PUBLICATION_ERROR:
        rj_conductor_on_publication_error(conductor, event);
        break;
    case RJ_ENGINE_RSP_SETUP:
        rj_conductor_on_rsp_setup(conductor, event);
        break;
    case RJ_ENGINE_RESPONSE_MOVED:
        rj_conductor_on_response_moved(conductor, event);
        break;
    case RJ_ENGINE_RESPONSE_CONNECTED:
        rj_conductor_on_response_connected(conductor, event);
        break;
    case RJ_ENGINE_SESSION_LIMIT:
        rj_conductor_report(conductor, RJ_ERROR_GENERIC,
                            "exceeded session limit, stream-id=%" PRId32, event->stream_id);
        break;
    case RJ_ENGINE_IO_ERROR:
        on_io_error(conductor, event);
        break;
    case RJ_ENGINE_HEADER_RELEASED:
        rj_conductor_on_header_released(conductor, event->header);
        break;
    case RJ_ENGINE_SEND_ENDPOINT_DETACHED:
        rj_conductor_on_send_detached(conductor, (rj_send_entry_t *)event->send_endpoint);
        break;
    case RJ_ENGINE_SEND_ENDPOINT_MOVED:
        rj_conductor_on_send_moved(conductor, (rj_send_entry_t *)event->send_endpoint,
                                   (int)event->value);
        break;
    case RJ_ENGINE_SEND_DESTINATION_RELEASED:
        rj_conductor_on_destination_released(conductor, event);
        break;
    case RJ_ENGINE_SEND_DESTINATION_JOINED:
        rj_conductor_on_destination_joined(conductor, event);
        break;
    case RJ_ENGINE_SEND_DESTINATION_LEFT:
        rj_conductor_on_destination_left(conductor, event);
        break;
    }
}

/* Read whatever room there is for commands, or each side could wait for the other. */
static int work_engines(rj_conductor_t *conductor)
{
    int work = 0;
    for (int i = 0; i < conductor->params.engine_count; i++) {
        rj_ring_spsc_t *ring = rj_engine_event_ring(conductor->params.engines[i]);
        for (int n = 0; n < EVENTS_PER_TURN; n++) {
            const rj_engine_event_t *event = rj_ring_spsc_peek(ring);
            if (event == NULL)
                break;
            on_engine_event(conductor, event);
            rj_ring_spsc_release(ring);
            work++;
        }
    }
    return work;
}

/* The helper has counted those that count. */
static int work_reports(rj_conductor_t *conductor)
{
    rj_ring_spsc_t *ring = &conductor->params.helper->reports;
    const rj_helper_report_t *report;
    int work = 0;
    while ((report = rj_ring_spsc_peek(ring)) != NULL && work < RJ_HELPER_REPORTS_MAX) {
        log_error(conductor, report->error_code, report->text);
        rj_ring_spsc_release(ring);
        work++;
    }
    return work;
}

/* --- the turn --- */

/* A client that died between claim and commit blocks the ring for all (shm.md 5.6). */
static void check_blocked_ring(rj_conductor_t *conductor)
{
    int64_t position = rj_ring_mpsc_consumer_position(&conductor->to_driver);
    bool is_behind = rj_ring_mpsc_producer_position(&conductor->to_driver) > position;
    if (!is_behind || position != conductor->ring_position) {
        conductor->ring_position = position;
        conductor->ring_moved_ns = conductor->now_ns;
        return;
    }
    if (conductor->now_ns >
            conductor->ring_moved_ns + conductor->config->client_liveness_timeout_ns &&
        rj_ring_mpsc_unblock(&conductor->to_driver))
        rj_system_counter_add(conductor->system, RJ_SYSTEM_UNBLOCKED_COMMANDS, 1);
}

static int work_timer(rj_conductor_t *conductor)
{
    if (conductor->now_ns <= conductor->timer_deadline_ns)
        return 0;
    rj_ring_mpsc_set_heartbeat_ms(&conductor->to_driver, conductor->epoch_ms);
    conductor->timer_deadline_ns = conductor->now_ns + conductor->config->timer_interval_ns;
    /* The heartbeat comes first, whatever else waits: clients die without it. */
    if (has_room_for_command(conductor)) {
        rj_conductor_time_clients(conductor);
        rj_conductor_time_ipc_publications(conductor);
        rj_conductor_time_network_publications(conductor);
        rj_conductor_time_send_endpoints(conductor);
        rj_conductor_time_receive_endpoints(conductor);
        rj_conductor_time_images(conductor);
    }
    check_blocked_ring(conductor);
    return 1;
}

static void track_cycle(rj_conductor_t *conductor)
{
    int64_t took_ns = conductor->now_ns - conductor->last_turn_ns;
    if (conductor->last_turn_ns != 0) {
        rj_system_counter_propose_max(conductor->system, RJ_SYSTEM_CONDUCTOR_MAX_CYCLE_TIME,
                                      took_ns);
        if (took_ns > conductor->config->conductor_threshold_ns)
            rj_system_counter_add(conductor->system, RJ_SYSTEM_CONDUCTOR_CYCLE_TIME_EXCEEDED, 1);
    }
    conductor->last_turn_ns = conductor->now_ns;
}

int rj_conductor_do_work(rj_conductor_t *conductor, int64_t now_ns, int64_t epoch_ms)
{
    conductor->now_ns = now_ns;
    conductor->epoch_ms = epoch_ms;
    track_cycle(conductor);
    int work = rj_conductor_tell_kept(conductor);
    work += rj_conductor_work_steering(conductor);
    work += work_timer(conductor);
    work += work_commands(conductor);
    work += work_engines(conductor);
    work += work_reports(conductor);
    work += rj_conductor_work_names(conductor);
    work += rj_conductor_step_creations(conductor);
    work += rj_conductor_update_network_limits(conductor);
    work += rj_conductor_update_ipc_limits(conductor);
    rj_conductor_tell_why(conductor);
    return work;
}

int64_t rj_conductor_deadline_ns(const rj_conductor_t *conductor)
{
    return rj_min_i64(
        rj_min_i64(conductor->timer_deadline_ns + 1, rj_conductor_steering_deadline_ns(conductor)),
        rj_conductor_names_deadline_ns(conductor));
}

/* --- open and close --- */

static void set_defaults(rj_conductor_t *conductor)
{
    const rj_driver_config_t *config = conductor->config;
    conductor->defaults = (rj_stream_defaults_t){
        .mtu_bytes = (int32_t)config->mtu_bytes,
        .ipc_mtu_bytes = (int32_t)config->ipc_mtu_bytes,
        .term_length_bytes = (int32_t)config->term_bytes,
        .ipc_term_length_bytes = (int32_t)config->ipc_term_bytes,
        .publication_window_bytes = (int32_t)config->publication_window_bytes,
        .ipc_publication_window_bytes = (int32_t)config->ipc_publication_window_bytes,
        .linger_ns = config->publication_linger_timeout_ns,
        .max_resend = (int32_t)config->max_resend,
        .receiver_window_bytes = (int32_t)config->initial_window_bytes,
        .untethered_window_limit_timeout_ns = config->untethered_window_limit_timeout_ns,
        .untethered_linger_timeout_ns =
            config->untethered_linger_timeout_ns < 0 ? 0 : config->untethered_linger_timeout_ns,
        .untethered_resting_timeout_ns = config->untethered_resting_timeout_ns,
        .is_sparse = config->term_buffer_sparse,
        .spies_simulate_connection = config->spies_simulate_connection,
        .is_reliable = config->reliable_stream,
        .is_rejoin = config->rejoin_stream,
        .is_tether = config->tether_subscriptions,
        .group_consideration = config->group_consideration == RJ_GROUP_INFER  ? RJ_INFERABLE_INFER
                               : config->group_consideration == RJ_GROUP_TRUE ? RJ_INFERABLE_TRUE
                                                                              : RJ_INFERABLE_FALSE,
        .has_group_tag = config->has_receiver_group_tag,
        .group_tag = config->receiver_group_tag};
}

static int attach_sections(rj_conductor_t *conductor, rj_err_t *err)
{
    const rj_cnc_t *cnc = conductor->params.cnc;
    int result = rj_ring_mpsc_attach(&conductor->to_driver, cnc->to_driver.bytes,
                                     cnc->to_driver.length_bytes);
    if (result == 0)
        result = rj_broadcast_attach(&conductor->to_clients, cnc->to_clients.bytes,
                                     cnc->to_clients.length_bytes);
    if (result == 0)
        result = rj_loss_report_attach(&conductor->loss_report, conductor->params.loss_report_bytes,
                                       conductor->params.loss_report_length);
    if (result < 0)
        return rj_fail(err, result, "conductor: a section of cnc.dat has an unusable length");
    conductor->to_clients.on_transmit = conductor->params.on_message;
    conductor->to_clients.on_transmit_state = conductor->params.on_message_state;
    return rj_error_log_open(&conductor->error_log, cnc->error_log.bytes,
                             cnc->error_log.length_bytes, err);
}

int rj_conductor_open(rj_conductor_t **ret_conductor, const rj_conductor_params_t *params,
                      rj_err_t *err)
{
    rj_conductor_t *conductor = calloc(1, sizeof(*conductor));
    if (conductor == NULL)
        return rj_fail(err, -ENOMEM, "conductor: out of memory");
    conductor->params = *params;
    conductor->config = params->config;
    conductor->counters = params->counters;
    conductor->system = params->system;
    set_defaults(conductor);
    rj_prng_init(&conductor->prng, params->seed);
    conductor->next_session_id = (int32_t)rj_prng_next(&conductor->prng);
    /* Never 0: that is nobody's id (wire.md 9). */
    conductor->next_receiver_id = (int64_t)(rj_prng_next(&conductor->prng) | 1);

    int result = attach_sections(conductor, err);
    if (result == 0)
        result =
            rj_port_manager_open(&conductor->sender_ports, &params->config->sender_port_range, err);
    if (result == 0)
        result = rj_port_manager_open(&conductor->receiver_ports,
                                      &params->config->receiver_port_range, err);
    if (result == 0)
        result = params->sockets->ops->defaults(
            params->sockets, &conductor->sndbuf_default_bytes, &conductor->rcvbuf_default_bytes,
            &conductor->sndbuf_max_bytes, &conductor->rcvbuf_max_bytes, err);
    if (result < 0) {
        rj_conductor_close(conductor);
        return result;
    }
    *ret_conductor = conductor;
    return 0;
}

/* A command in flight holds memory of its own; the helper is stopped, so nobody else does. */
static void drop_command(rj_conductor_t *conductor)
{
    rj_client_command_t *command = &conductor->command;
    if (command->step == RJ_STEP_MAP_LOG) {
        if (rj_task_state(command->task) == RJ_TASK_DONE)
            rj_conductor_free_log(conductor, command->task->log, command->task->path);
        else
            free(command->task->log);
    }
    free(command->task);
}

void rj_conductor_close(rj_conductor_t *conductor)
{
    if (conductor == NULL)
        return;
    rj_conductor_close_steering(conductor);
    drop_command(conductor);
    drop_kept(conductor);
    rj_conductor_free_question(conductor);
    rj_conductor_free_creations(conductor);
    rj_conductor_free_images(conductor);
    rj_conductor_free_subscriptions(conductor);
    rj_conductor_free_network_publications(conductor);
    rj_conductor_free_ipc_publications(conductor);
    rj_conductor_free_send_endpoints(conductor);
    rj_conductor_free_receive_endpoints(conductor);
    rj_conductor_free_headers(conductor);
    rj_conductor_free_clients(conductor);
    rj_port_manager_close(&conductor->sender_ports);
    rj_port_manager_close(&conductor->receiver_ports);
    rj_error_log_close(&conductor->error_log);
    free(conductor);
}
