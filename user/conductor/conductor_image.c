/* SPDX-License-Identifier: Apache-2.0 */
/* Images: how they are made, and the states of their life (commands.md 5.7; driver.md 10). */
#include "conductor/conductor_receive.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/bits.h"
#include "conductor/conductor_flow.h"

enum {
    EOS_SM_COUNT = 5,      /* status messages that tell the sender of the end, before it is one */
    LOSS_ENTRY_NONE = -1,  /* nothing reported yet */
    LOSS_REPORT_FULL = -2, /* this image reports nothing any more */
    COUNTER_HWM = 0,
    COUNTER_POS = 1,
    COUNTER_NAKS = 2,
};

/* --- making one --- */

static void free_counters(rj_conductor_t *conductor, const rj_image_entry_t *entry)
{
    for (size_t i = 0; i < sizeof(entry->counter_ids) / sizeof(entry->counter_ids[0]); i++)
        rj_conductor_free_counter(conductor, entry->counter_ids[i]);
    for (int i = 0; i < RJ_CONGESTION_COUNTERS; i++)
        rj_conductor_free_counter(conductor, entry->congestion_counter_ids[i]);
}

/* With them comes congestion control, some of which has its own. */
static int allocate_counters(rj_conductor_t *conductor, rj_image_entry_t *entry,
                             const rj_image_creation_t *creation,
                             const rj_subscription_entry_t *subscription, rj_err_t *err)
{
    static const rj_stream_counter_row_t rows[] = {
        [COUNTER_HWM] = {RJ_COUNTER_TYPE_RECEIVER_HWM, "rcv-hwm", true},
        [COUNTER_POS] = {RJ_COUNTER_TYPE_RECEIVER_POSITION, "rcv-pos", true},
        [COUNTER_NAKS] = {RJ_COUNTER_TYPE_RECEIVER_NAKS_SENT, "rcv-naks-sent", false}};
    const rj_wire_setup_t *setup = &creation->setup.frame;
    const rj_counted_stream_t stream = {.registration_id = creation->correlation_id,
                                        .owner_id = subscription->client_id,
                                        .session_id = setup->session_id,
                                        .stream_id = setup->stream_id,
                                        .channel = subscription->channel,
                                        .position = entry->received.image.config.join_position};
    int result = rj_conductor_stream_counters(
        conductor, &stream, rows, sizeof(rows) / sizeof(rows[0]), entry->counter_ids, err);
    if (result < 0)
        return result;
    result =
        rj_conductor_make_congestion(conductor, creation->receive, &entry->received.image.config,
                                     setup->mtu, entry->congestion_counter_ids, err);
    if (result < 0)
        free_counters(conductor, entry);
    return result;
}

static void configure(rj_conductor_t *conductor, const rj_image_creation_t *creation,
                      const rj_subscription_entry_t *subscription,
                      rj_network_image_config_t *config)
{
    const rj_wire_setup_t *setup = &creation->setup.frame;
    const rj_receive_endpoint_t *endpoint = &creation->receive->endpoint;
    int32_t shift = rj_log2(setup->term_length);
    *config = (rj_network_image_config_t){
        .correlation_id = creation->correlation_id,
        .session_id = setup->session_id,
        .stream_id = setup->stream_id,
        .join_position = rj_position_pack(setup->active_term_id, setup->term_offset, shift,
                                          setup->initial_term_id),
        .window_bytes = creation->receive->params.receiver_window_bytes,
        .sm_timeout_ns = conductor->config->sm_timeout_ns,
        .liveness_timeout_ns = conductor->config->image_liveness_timeout_ns,
        .receiver_id = endpoint->receiver_id,
        .group_tag = endpoint->group_tag,
        .has_group_tag = endpoint->has_group_tag,
        .is_reliable = subscription->params.is_reliable,
        .is_group = creation->task->log_params.group,
        .has_reference_timing = conductor->config->reference_timing,
        .loss = rj_conductor_loss_config(conductor, &subscription->params,
                                         creation->task->log_params.group)};
}

rj_image_entry_t *rj_conductor_find_image(rj_conductor_t *conductor, int64_t correlation_id)
{
    rj_image_entry_t *entry;
    DL_FOREACH(conductor->images, entry)
    {
        if (entry->received.image.config.correlation_id == correlation_id)
            return entry;
    }
    return NULL;
}

/* It is heard where its setup came from; the other destinations' first frames add to it. */
static const rj_receive_destination_entry_t *
open_connection(rj_conductor_t *conductor, rj_image_entry_t *entry, const rj_engine_setup_t *setup)
{
    rj_receive_destination_entry_t *destination =
        rj_conductor_find_receive_destination(entry->receive, setup->destination_id);
    assert(destination != NULL); /* whoever makes the image looked */
    const rj_channel_t *channel = &destination->channel;
    const rj_address_t *control = destination->destination.is_multicast  ? &channel->remote_control
                                  : destination->destination.has_control ? &channel->local_control
                                                                         : NULL;
    (void)rj_received_image_connect(&entry->received, &destination->destination, control,
                                    &setup->source, conductor->now_ns);
    entry->received.told_paths = 1u << destination->destination.slot;
    return destination;
}

/* The engine that the session's setup came to, unless an older image of the session still lives in
 * another: two engines must not speak for one receiver. */
static int choose_engine(const rj_conductor_t *conductor, const rj_image_creation_t *creation)
{
    int engine = creation->setup.engine;
    const rj_image_entry_t *entry;
    DL_FOREACH(conductor->images, entry)
    {
        const rj_network_image_config_t *config = &entry->received.image.config;
        if (!entry->is_released && entry->receive == creation->receive &&
            config->stream_id == creation->setup.frame.stream_id &&
            config->session_id == creation->setup.frame.session_id)
            engine = entry->engine;
    }
    return engine;
}

static rj_image_entry_t *make_entry(rj_conductor_t *conductor, const rj_image_creation_t *creation,
                                    const rj_subscription_entry_t *subscription, rj_err_t *err)
{
    rj_image_entry_t *entry = calloc(1, sizeof(*entry));
    char *log_file = strdup(creation->task->path);
    rj_network_image_config_t config;
    configure(conductor, creation, subscription, &config);
    if (entry != NULL)
        entry->received.image.config = config;
    if (entry == NULL || log_file == NULL ||
        allocate_counters(conductor, entry, creation, subscription, err) < 0) {
        if (entry == NULL || log_file == NULL)
            rj_fail(err, -ENOMEM, "out of memory for an image");
        free(entry);
        free(log_file);
        return NULL;
    }
    config = entry->received.image.config;
    entry->receive = creation->receive;
    entry->wants_response = (creation->setup.frame.flags & RJ_SETUP_FLAG_SEND_RESPONSE) != 0;
    entry->engine = choose_engine(conductor, creation);
    entry->log = creation->task->log;
    entry->log_file = log_file;
    entry->loss_offset = LOSS_ENTRY_NONE;
    entry->received.endpoint = &creation->receive->endpoint;
    entry->received.source = creation->setup.source;
    rj_address_print(&creation->setup.source, entry->source);
    rj_network_image_counters_t counters = {
        .rcv_hwm = rj_counters_value(conductor->counters, entry->counter_ids[COUNTER_HWM]),
        .rcv_pos = rj_counters_value(conductor->counters, entry->counter_ids[COUNTER_POS]),
        .naks_sent = rj_counters_value(conductor->counters, entry->counter_ids[COUNTER_NAKS])};
    rj_network_image_init(&entry->received.image, &config, &counters, entry->log,
                          conductor->now_ns);
    return entry;
}

static bool is_at_home(const rj_image_entry_t *entry)
{
    return entry->receive != NULL && entry->engine == entry->receive->endpoint.home;
}

/* Tells the home of the endpoint about an image of another engine. */
static void tell_session(rj_conductor_t *conductor, rj_image_entry_t *entry,
                         rj_engine_command_type_t type)
{
    rj_network_image_t *image = &entry->received.image;
    const rj_engine_command_t command = {.type = type,
                                         .receive_endpoint = &entry->receive->endpoint,
                                         .stream_id = image->config.stream_id,
                                         .session_id = image->config.session_id,
                                         .image = image,
                                         .engine = entry->engine,
                                         .has_ended =
                                             rj_load_acquire_i32(&image->is_end_of_stream)};
    rj_conductor_tell(conductor, entry->receive->endpoint.home, &command);
}

int rj_conductor_make_image(rj_conductor_t *conductor, const rj_image_creation_t *creation,
                            const rj_subscription_entry_t *first, rj_err_t *err)
{
    rj_image_entry_t *entry = make_entry(conductor, creation, first, err);
    if (entry == NULL)
        return err->code;
    DL_APPEND(conductor->images, entry);
    conductor->image_count++;
    creation->receive->image_count++;
    const rj_receive_destination_entry_t *heard_by =
        open_connection(conductor, entry, &creation->setup);
    rj_conductor_link_first(conductor, entry);
    rj_engine_command_t add = {.type = RJ_ENGINE_ADD_IMAGE,
                               .receive_endpoint = &creation->receive->endpoint,
                               .image = &entry->received.image};
    rj_conductor_tell(conductor, entry->engine, &add);
    if (!is_at_home(entry))
        tell_session(conductor, entry, RJ_ENGINE_ADD_SESSION);
    rj_conductor_steer_connection(conductor, entry, heard_by);
    return 0;
}

/* --- loss --- */

void rj_conductor_on_loss(rj_conductor_t *conductor, const rj_engine_event_t *event)
{
    rj_image_entry_t *entry = (rj_image_entry_t *)event->image;
    const rj_network_image_config_t *config = &entry->received.image.config;
    if (entry->loss_offset >= 0) {
        rj_loss_report_add(&conductor->loss_report, entry->loss_offset, event->value,
                           conductor->epoch_ms);
    } else if (entry->loss_offset == LOSS_ENTRY_NONE && entry->receive != NULL) {
        int64_t offset = rj_loss_report_create(
            &conductor->loss_report, event->value, conductor->epoch_ms, config->session_id,
            config->stream_id, entry->receive->endpoint.channel.uri.text, entry->source);
        entry->loss_offset = offset < 0 ? LOSS_REPORT_FULL : offset;
    }
}

/* --- connections --- */

/* A destination that is on its way out, or an image that is, must not be named to the engine
 * again. */
void rj_conductor_on_connected(rj_conductor_t *conductor, const rj_engine_event_t *event)
{
    rj_image_entry_t *entry = (rj_image_entry_t *)event->image;
    const rj_receive_destination_entry_t *destination =
        (const rj_receive_destination_entry_t *)event->receive_destination;
    rj_headed_path_t *headed = &entry->headed[destination->destination.slot];
    if (entry->state >= RJ_IMAGE_LINGER || destination->state != RJ_ENDPOINT_ACTIVE ||
        headed->path != NULL)
        return;
    rj_conductor_steer_connection(conductor, entry, destination);
}

/* --- the states of life --- */

static void enter(rj_conductor_t *conductor, rj_image_entry_t *entry, rj_image_state_t state)
{
    entry->state = state;
    entry->state_changed_ns = conductor->now_ns;
}

static bool is_over(const rj_conductor_t *conductor, const rj_image_entry_t *entry)
{
    const rj_network_image_t *image = &entry->received.image;
    /* Acquire loads: pair with the engine's releases of the shared words. */
    return rj_load_acquire_i32(&image->working_count) == 0 ||
           conductor->now_ns > rj_load_acquire_i64(&image->last_packet_ns) +
                                   conductor->config->image_liveness_timeout_ns ||
           (rj_load_acquire_i32(&image->is_end_of_stream) != 0 &&
            rj_counter_get(image->counters.rcv_pos) >= rj_counter_get(image->counters.rcv_hwm));
}

static void time_active(rj_conductor_t *conductor, rj_image_entry_t *entry)
{
    rj_network_image_t *image = &entry->received.image;
    rj_conductor_time_readers(conductor, entry);
    if (rj_load_acquire_i32(&image->is_revoked) != 0) {
        entry->state = RJ_IMAGE_DRAINING;
    } else if (is_over(conductor, entry)) {
        /* Release: pairs with the engine's acquire; from now on status messages say goodbye. */
        rj_store_release_i32(&image->sends_eos_sm, 1);
        enter(conductor, entry, RJ_IMAGE_DRAINING);
    }
}

/* Whether the session may come back: when somebody who read it wants that, or nobody is left. */
static bool may_rejoin(const rj_image_entry_t *entry)
{
    bool is_read = false;
    const rj_subscriber_link_t *link;
    DL_FOREACH2(entry->links, link, next_link)
    {
        if (link->subscription != NULL && link->subscription->params.is_rejoin)
            return true;
        is_read |= link->subscription != NULL;
    }
    return !is_read;
}

static void enter_linger(rj_conductor_t *conductor, rj_image_entry_t *entry)
{
    const rj_network_image_config_t *config = &entry->received.image.config;
    enter(conductor, entry, RJ_IMAGE_LINGER);
    rj_engine_command_t command = {.type = RJ_ENGINE_REMOVE_IMAGE,
                                   .receive_endpoint = &entry->receive->endpoint,
                                   .image = &entry->received.image,
                                   .stream_id = config->stream_id,
                                   .session_id = config->session_id};
    rj_conductor_tell(conductor, entry->engine, &command);
    rj_conductor_unsteer_image(conductor, entry);
    rj_conductor_end_readers(conductor, entry);
    entry->may_rejoin = may_rejoin(entry);
    if (is_at_home(entry) && entry->may_rejoin)
        tell_session(conductor, entry, RJ_ENGINE_END_COOL_DOWN);
    entry->receive->image_count--;
    rj_conductor_try_close_receive(conductor, entry->receive);
}

/* Only now may the home forget an image that lived elsewhere, and let its session come back. One
 * that lived there it has forgotten. */
void rj_conductor_on_image_released(rj_conductor_t *conductor, rj_image_entry_t *entry)
{
    entry->is_released = true;
    if (entry->receive == NULL || entry->receive->state != RJ_ENDPOINT_ACTIVE || is_at_home(entry))
        return;
    tell_session(conductor, entry, RJ_ENGINE_REMOVE_SESSION);
    if (entry->may_rejoin)
        tell_session(conductor, entry, RJ_ENGINE_END_COOL_DOWN);
}

/* Whoever wants the session may be another than those who read the image. */
static bool is_wanted(const rj_receive_entry_t *receive, const rj_network_image_config_t *config)
{
    const rj_interest_t *interest;
    DL_FOREACH(receive->interests, interest)
    {
        if (interest->stream_id == config->stream_id &&
            (!interest->has_session || interest->session_id == config->session_id))
            return true;
    }
    return false;
}

void rj_conductor_starve_images(rj_conductor_t *conductor, const rj_receive_entry_t *receive)
{
    rj_image_entry_t *entry;
    DL_FOREACH(conductor->images, entry)
    {
        /* A lingering one is on its way back and must not be named again. */
        if (entry->receive != receive || entry->state >= RJ_IMAGE_LINGER || is_at_home(entry) ||
            is_wanted(receive, &entry->received.image.config))
            continue;
        const rj_engine_command_t starve = {.type = RJ_ENGINE_STARVE_IMAGE,
                                            .image = &entry->received.image};
        rj_conductor_tell(conductor, entry->engine, &starve);
    }
}

static void time_draining(rj_conductor_t *conductor, rj_image_entry_t *entry)
{
    rj_network_image_t *image = &entry->received.image;
    if (rj_load_acquire_i32(&image->is_revoked) != 0) {
        rj_store_release_i32(&image->sends_eos_sm, 1);
        rj_store_release_i32(&image->sm_is_requested, 1);
        enter_linger(conductor, entry);
    } else if (rj_load_acquire_i32(&image->is_drained) != 0 &&
               conductor->now_ns >
                   entry->state_changed_ns + EOS_SM_COUNT * conductor->config->sm_timeout_ns) {
        enter_linger(conductor, entry);
    }
}

static void free_entry(rj_conductor_t *conductor, rj_image_entry_t *entry)
{
    rj_conductor_free_readers(conductor, entry);
    free_counters(conductor, entry);
    for (int slot = 0; slot < RJ_RECEIVE_DESTINATIONS_MAX; slot++)
        rj_conductor_drop_header(conductor, &entry->headed[slot]);
    rj_conductor_free_log(conductor, entry->log, entry->log_file);
    DL_DELETE(conductor->images, entry);
    conductor->image_count--;
    free(entry->log_file);
    free(entry->err_frame);
    free(entry);
}

static void time_image(rj_conductor_t *conductor, rj_image_entry_t *entry)
{
    switch (entry->state) {
    case RJ_IMAGE_ACTIVE:
        time_active(conductor, entry);
        break;
    case RJ_IMAGE_DRAINING:
        time_draining(conductor, entry);
        break;
    case RJ_IMAGE_LINGER:
        if (entry->links == NULL ||
            conductor->now_ns >
                entry->state_changed_ns + conductor->config->image_liveness_timeout_ns)
            entry->state = RJ_IMAGE_DONE;
        break;
    case RJ_IMAGE_DONE:
        if (entry->is_released && entry->in_flight == 0)
            free_entry(conductor, entry);
        break;
    }
}

void rj_conductor_time_images(rj_conductor_t *conductor)
{
    rj_image_entry_t *entry, *next;
    DL_FOREACH_SAFE(conductor->images, entry, next)
    {
        time_image(conductor, entry);
    }
}

void rj_conductor_forget_receive(rj_conductor_t *conductor, rj_receive_entry_t *receive)
{
    rj_image_entry_t *entry;
    DL_FOREACH(conductor->images, entry)
    {
        if (entry->receive == receive) {
            entry->receive = NULL;
            entry->received.endpoint = NULL;
        }
    }
}

void rj_conductor_free_images(rj_conductor_t *conductor)
{
    rj_image_entry_t *entry, *next;
    DL_FOREACH_SAFE(conductor->images, entry, next)
    {
        free_entry(conductor, entry);
    }
}
