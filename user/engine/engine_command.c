/* SPDX-License-Identifier: Apache-2.0 */
/* What the conductor asks of an engine, and the answers that must not be lost. */
#include "engine/sender_fan_out.h"

#include <assert.h>

static void owe_value(rj_engine_t *engine, rj_engine_event_type_t type,
                      const rj_engine_command_t *command, int64_t value)
{
    const rj_owed_event_t owed = {.type = type,
                                  .send_endpoint = command->send_endpoint,
                                  .receive_endpoint = command->receive_endpoint,
                                  .receive_destination = command->receive_destination,
                                  .publication = command->publication,
                                  .image = command->image,
                                  .position = command->position,
                                  .header = command->header,
                                  .destination = command->destination,
                                  .value = value,
                                  .until = engine->batch.sent_until};
    const bool has_room = rj_ring_spsc_push(&engine->owed, &owed);
    assert(has_room); /* run_commands looked */
    (void)has_room;
}

void rj_engine_owe(rj_engine_t *engine, rj_engine_event_type_t type,
                   const rj_engine_command_t *command)
{
    owe_value(engine, type, command, 0);
}

int rj_engine_settle_debts(rj_engine_t *engine)
{
    const rj_owed_event_t *owed = rj_ring_spsc_peek(&engine->owed);
    if (owed == NULL)
        return 0;
    const uint64_t reclaimed = engine->batch.port->ops->reclaim(engine->batch.port);
    int work = 0;
    while (owed != NULL && owed->until <= reclaimed) {
        rj_engine_event_t *event = rj_ring_spsc_claim(&engine->events);
        if (event == NULL)
            break;
        event->type = owed->type;
        event->send_endpoint = owed->send_endpoint;
        event->receive_endpoint = owed->receive_endpoint;
        event->receive_destination = owed->receive_destination;
        event->publication = owed->publication;
        event->image = owed->image;
        event->position = owed->position;
        event->header = owed->header;
        event->destination = owed->destination;
        event->stream_id = 0;
        event->value = owed->value;
        rj_ring_spsc_publish(&engine->events);
        rj_ring_spsc_release(&engine->owed);
        work++;
        owed = rj_ring_spsc_peek(&engine->owed);
    }
    return work;
}

/* --- endpoints --- */

static rj_attach_role_t role_of(const rj_engine_t *engine, const rj_endpoint_t *endpoint)
{
    return endpoint->home == engine->params.index ? RJ_ATTACH_HOME : RJ_ATTACH_GUEST;
}

/* One that cannot be attached still sends; that it hears nothing is told as a socket's error. */
static void attach(rj_engine_t *engine, rj_endpoint_t *endpoint, int64_t now_ns)
{
    rj_engine_learn_endpoint(engine, endpoint);
    for (int i = 0; i < engine->params.port_count; i++) {
        rj_port_t *port = engine->params.ports[i];
        const int result = port->ops->attach(port, endpoint, role_of(engine, endpoint));
        if (result < 0)
            rj_engine_note_io_error(engine, endpoint, result, now_ns);
    }
}

/* Its memory may soon be another's: what was told of it must not silence that one. */
static void detach(rj_engine_t *engine, rj_endpoint_t *endpoint)
{
    rj_engine_forget_endpoint(engine, endpoint);
    for (int i = 0; i < engine->params.port_count; i++) {
        rj_port_t *port = engine->params.ports[i];
        port->ops->detach(port, endpoint, role_of(engine, endpoint));
    }
    for (int i = 0; i < RJ_ENGINE_IO_ERRORS_MAX; i++) {
        if (engine->io_errors[i].endpoint == endpoint)
            engine->io_errors[i] = (rj_io_error_t){0};
    }
}

/* Setups are the home's to ask for and to give up. */
static void add_receive_endpoint(rj_engine_t *engine, rj_receive_endpoint_t *endpoint)
{
    if (endpoint->home != engine->params.index)
        return;
    if (engine->receive_endpoint_count == RJ_ENGINE_ENDPOINTS_MAX)
        engine->stats.streams_dropped++;
    else
        engine->receive_endpoints[engine->receive_endpoint_count++] = endpoint;
}

static void remove_receive_endpoint(rj_engine_t *engine, rj_receive_endpoint_t *endpoint)
{
    rj_receiver_detach_images(engine, endpoint);
    for (int32_t i = 0; i < engine->receive_endpoint_count; i++) {
        if (engine->receive_endpoints[i] != endpoint)
            continue;
        engine->receive_endpoints[i] = engine->receive_endpoints[--engine->receive_endpoint_count];
        return;
    }
}

/* --- interest --- */

/* A session that is wanted by name is asked for at once where the channel says whom to ask. */
static void add_interest(rj_engine_t *engine, const rj_engine_command_t *command, int64_t now_ns)
{
    rj_receive_endpoint_t *endpoint = command->receive_endpoint;
    rj_dispatcher_t *dispatcher = endpoint->dispatcher;
    const int result =
        command->has_session
            ? rj_dispatcher_add_session(dispatcher, command->stream_id, command->session_id)
            : rj_dispatcher_add_stream(dispatcher, command->stream_id);
    if (result < 0)
        engine->stats.streams_dropped++;
    if (command->has_session && endpoint->channel.has_control)
        rj_receiver_elicit_setup(engine, endpoint, command->stream_id, command->session_id, now_ns);
    rj_receiver_note_setups(engine, endpoint);
}

static void remove_interest(const rj_engine_command_t *command)
{
    rj_dispatcher_t *dispatcher = command->receive_endpoint->dispatcher;
    if (command->has_session)
        rj_dispatcher_remove_session(dispatcher, command->stream_id, command->session_id);
    else
        rj_dispatcher_remove_stream(dispatcher, command->stream_id);
}

static void clear_state(const rj_engine_command_t *command, rj_session_state_t state)
{
    rj_dispatcher_clear_state(command->receive_endpoint->dispatcher, command->stream_id,
                              command->session_id, state);
}

/* --- sessions whose image is another engine's --- */

static void add_session(rj_engine_t *engine, const rj_engine_command_t *command)
{
    if (!rj_dispatcher_add_elsewhere(command->receive_endpoint->dispatcher, command->image,
                                     command->stream_id, command->session_id, command->engine))
        engine->stats.sessions_dropped++;
}

static void remove_session(const rj_engine_command_t *command)
{
    rj_dispatcher_remove_elsewhere(command->receive_endpoint->dispatcher, command->image,
                                   command->stream_id, command->session_id,
                                   command->has_ended != 0);
}

/* --- subscribers --- */

/* The conductor allocates an rj_received_image_t and names it by its first member. */
static rj_received_image_t *received_of(const rj_engine_command_t *command)
{
    return (rj_received_image_t *)command->image;
}

static void add_subscriber(rj_engine_t *engine, const rj_engine_command_t *command)
{
    const bool is_linked = rj_network_image_add_subscriber(command->image, command->position);
    rj_receiver_touch_image(engine, received_of(command));
    rj_engine_owe(engine, is_linked ? RJ_ENGINE_SUBSCRIBER_ADDED : RJ_ENGINE_SUBSCRIBER_REFUSED,
                  command);
}

static void remove_subscriber(rj_engine_t *engine, const rj_engine_command_t *command)
{
    rj_network_image_remove_subscriber(command->image, command->position);
    rj_receiver_touch_image(engine, received_of(command));
    rj_engine_owe(engine, RJ_ENGINE_SUBSCRIBER_REMOVED, command);
}

/* --- headers --- */

/* Whoever sends on the path from here on takes the new one; the old one may be in runs that the
 * port has not let go of. */
static void owe_header(rj_engine_t *engine, rj_path_header_t *header)
{
    const rj_engine_command_t old = {.header = header};
    if (header != NULL)
        rj_engine_owe(engine, RJ_ENGINE_HEADER_RELEASED, &old);
}

static void set_header(rj_engine_t *engine, const rj_engine_command_t *command)
{
    rj_path_t *path = command->path;
    if (command->address.family != AF_UNSPEC &&
        !rj_address_equal(&command->address, &path->address)) {
        owe_header(engine, command->header);
        return;
    }
    rj_path_header_t *old = path->header;
    path->header = command->header;
    owe_header(engine, old);
    if (path->header != NULL)
        rj_sender_let_setups_go(engine, path);
}

/* --- addresses that change --- */

/* A header leads to the old one. */
static void set_address(rj_engine_t *engine, rj_path_t *path, const rj_address_t *address)
{
    const bool is_connected = path->sockaddr_bytes == 0;
    rj_path_header_t *header = path->header;
    rj_path_init(path, path->endpoint, address, is_connected);
    owe_header(engine, header);
}

static void move_destination(rj_engine_t *engine, const rj_engine_command_t *command)
{
    rj_path_header_t *header = command->destination->path.header;
    rj_sender_move_destination(engine, command->send_endpoint, command->destination,
                               &command->address);
    owe_header(engine, header);
}

/* Nobody else looks at the endpoint now: it is attached nowhere. What was bound to no address of
 * its own gets the one by which the new peer is reached. */
static void move_send_endpoint(rj_engine_t *engine, const rj_engine_command_t *command)
{
    rj_send_endpoint_t *endpoint = command->send_endpoint;
    rj_endpoint_t *base = &endpoint->base;
    int result = 0;
    if (base->peer.family != AF_UNSPEC) {
        rj_sockets_t *sockets = engine->params.sockets;
        const bool is_anywhere = rj_address_is_wildcard(&endpoint->channel.local_data);
        result = sockets->ops->reconnect(sockets, base->socket, is_anywhere, &command->address,
                                         &base->local);
        if (result == 0)
            base->peer = command->address;
    }
    if (result == 0)
        set_address(engine, &endpoint->data_path, &command->address);
    owe_value(engine, RJ_ENGINE_SEND_ENDPOINT_MOVED, command, result);
}

/* --- the switch --- */

/* tidy: long because it is the table of commands. */
static void execute(rj_engine_t *engine, const rj_engine_command_t *command, int64_t now_ns)
{
    switch (command->type) {
    case RJ_ENGINE_ADD_SEND_ENDPOINT:
        attach(engine, &command->send_endpoint->base, now_ns);
        break;
    case RJ_ENGINE_REMOVE_SEND_ENDPOINT:
        detach(engine, &command->send_endpoint->base);
        rj_engine_owe(engine, RJ_ENGINE_SEND_ENDPOINT_RELEASED, command);
        break;
    case RJ_ENGINE_ADD_PUBLICATION:
        rj_sender_add(engine, command->send_endpoint, command->publication, now_ns);
        break;
    case RJ_ENGINE_REMOVE_PUBLICATION:
        rj_sender_remove(engine, command->publication);
        rj_engine_owe(engine, RJ_ENGINE_PUBLICATION_RELEASED, command);
        break;
    case RJ_ENGINE_ADD_SEND_DESTINATION:
        rj_sender_add_destination(engine, command->send_endpoint, command->destination);
        break;
    case RJ_ENGINE_REMOVE_SEND_DESTINATION:
        rj_sender_remove_destination(engine, command->send_endpoint, command->destination);
        rj_engine_owe(engine, RJ_ENGINE_SEND_DESTINATION_RELEASED, command);
        break;
    case RJ_ENGINE_MOVE_SEND_DESTINATION:
        move_destination(engine, command);
        break;
    case RJ_ENGINE_FREE_SEND_DESTINATION:
        command->destination->is_lent = false;
        break;
    case RJ_ENGINE_ADD_RECEIVE_ENDPOINT:
        add_receive_endpoint(engine, command->receive_endpoint);
        break;
    case RJ_ENGINE_REMOVE_RECEIVE_ENDPOINT:
        remove_receive_endpoint(engine, command->receive_endpoint);
        rj_engine_owe(engine, RJ_ENGINE_RECEIVE_ENDPOINT_RELEASED, command);
        break;
    case RJ_ENGINE_ADD_RECEIVE_DESTINATION:
        attach(engine, &command->receive_destination->base, now_ns);
        rj_receiver_add_destination(engine, command->receive_destination, now_ns);
        break;
    case RJ_ENGINE_REMOVE_RECEIVE_DESTINATION:
        detach(engine, &command->receive_destination->base);
        rj_receiver_remove_destination(engine, command->receive_destination, now_ns);
        rj_engine_owe(engine, RJ_ENGINE_RECEIVE_DESTINATION_RELEASED, command);
        break;
    case RJ_ENGINE_SET_CONTROL:
        rj_receiver_set_control(engine, command->receive_destination, &command->address);
        break;
    case RJ_ENGINE_ADD_INTEREST:
        add_interest(engine, command, now_ns);
        break;
    case RJ_ENGINE_REMOVE_INTEREST:
        remove_interest(command);
        break;
    case RJ_ENGINE_ADD_IMAGE:
        rj_receiver_add_image(engine, command->receive_endpoint, received_of(command));
        break;
    case RJ_ENGINE_REMOVE_IMAGE:
        rj_receiver_remove_image(engine, received_of(command));
        rj_engine_owe(engine, RJ_ENGINE_IMAGE_RELEASED, command);
        break;
    case RJ_ENGINE_IMAGE_FAILED:
        clear_state(command, RJ_SESSION_INIT_IN_PROGRESS);
        break;
    case RJ_ENGINE_END_COOL_DOWN:
        clear_state(command, RJ_SESSION_COOL_DOWN);
        break;
    case RJ_ENGINE_ADD_SESSION:
        add_session(engine, command);
        break;
    case RJ_ENGINE_REMOVE_SESSION:
        remove_session(command);
        break;
    case RJ_ENGINE_STARVE_IMAGE:
        rj_receiver_starve_image(engine, received_of(command));
        break;
    case RJ_ENGINE_REJECT_IMAGE:
        rj_network_image_reject(command->image, now_ns);
        rj_receiver_touch_image(engine, received_of(command));
        break;
    case RJ_ENGINE_ELICIT_SETUP:
        rj_receiver_elicit_setup(engine, command->receive_endpoint, command->stream_id,
                                 command->session_id, now_ns);
        break;
    case RJ_ENGINE_ADD_SUBSCRIBER:
        add_subscriber(engine, command);
        break;
    case RJ_ENGINE_REMOVE_SUBSCRIBER:
        remove_subscriber(engine, command);
        break;
    case RJ_ENGINE_SET_HEADER:
        set_header(engine, command);
        break;
    case RJ_ENGINE_SET_ADDRESS:
        set_address(engine, command->path, &command->address);
        break;
    case RJ_ENGINE_DETACH_SEND_ENDPOINT:
        detach(engine, &command->send_endpoint->base);
        rj_engine_owe(engine, RJ_ENGINE_SEND_ENDPOINT_DETACHED, command);
        break;
    case RJ_ENGINE_MOVE_SEND_ENDPOINT:
        move_send_endpoint(engine, command);
        break;
    case RJ_ENGINE_ATTACH_SEND_ENDPOINT:
        attach(engine, &command->send_endpoint->base, now_ns);
        break;
    }
}

/* A command waits while there is no room to owe its answer; the conductor's own ring being full is
 * no reason, for then each side could wait for the other. */
int rj_engine_run_commands(rj_engine_t *engine, int64_t now_ns)
{
    int work = 0;
    while (work < RJ_ENGINE_COMMANDS_MAX && rj_ring_spsc_claim(&engine->owed) != NULL) {
        const rj_engine_command_t *command = rj_ring_spsc_peek(&engine->commands);
        if (command == NULL)
            break;
        execute(engine, command, now_ns);
        rj_ring_spsc_release(&engine->commands);
        work++;
    }
    return work;
}
