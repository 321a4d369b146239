/* SPDX-License-Identifier: Apache-2.0 */
#include "conductor/reply.h"

#include <string.h>

#include "base/bits.h"

/* Room for any event: texts are cut so that it suffices, and so that it is below a broadcast
 * record. */
typedef struct event_buffer {
    uint8_t bytes[RJ_EVENT_ERROR_TEXT_BYTES_MAX + 64];
    int32_t length;
} event_buffer_t;

static void put(event_buffer_t *event, const void *bytes, size_t length)
{
    size_t room = sizeof(event->bytes) - (size_t)event->length;
    if (length > room)
        length = room;
    memcpy(event->bytes + event->length, bytes, length);
    event->length += (int32_t)length;
}

static void transmit(rj_broadcast_t *to_clients, rj_event_id_t id, const void *body, int32_t length)
{
    /* Ids and lengths are ours, so the broadcast cannot refuse. */
    (void)rj_broadcast_transmit(to_clients, (int32_t)id, body, length);
}

int32_t rj_reply_error_code(const rj_err_t *err)
{
    return err->aeron_code != 0 ? err->aeron_code : RJ_ERROR_GENERIC;
}

void rj_reply_error(rj_broadcast_t *to_clients, int64_t correlation_id, int32_t error_code,
                    const char *text)
{
    size_t length = strnlen(text, RJ_EVENT_ERROR_TEXT_BYTES_MAX);
    rj_event_error_t body = {.offending_correlation_id = correlation_id,
                             .error_code = error_code,
                             .message_length = (int32_t)length};
    event_buffer_t event = {.length = 0};
    put(&event, &body, sizeof(body));
    put(&event, text, length);
    transmit(to_clients, RJ_EVENT_ERROR, event.bytes, event.length);
}

void rj_reply_success(rj_broadcast_t *to_clients, int64_t correlation_id)
{
    rj_event_operation_success_t body = {.correlation_id = correlation_id};
    transmit(to_clients, RJ_EVENT_OPERATION_SUCCESS, &body, sizeof(body));
}

void rj_reply_publication_ready(rj_broadcast_t *to_clients, const rj_reply_publication_t *ready)
{
    size_t length = strlen(ready->log_file);
    rj_event_publication_ready_t body = {.correlation_id = ready->correlation_id,
                                         .registration_id = ready->registration_id,
                                         .session_id = ready->session_id,
                                         .stream_id = ready->stream_id,
                                         .publication_limit_counter_id = ready->limit_counter_id,
                                         .channel_status_counter_id = ready->status_counter_id,
                                         .log_file_length = (int32_t)length};
    event_buffer_t event = {.length = 0};
    put(&event, &body, sizeof(body));
    put(&event, ready->log_file, length);
    transmit(to_clients,
             ready->is_exclusive ? RJ_EVENT_EXCLUSIVE_PUBLICATION_READY
                                 : RJ_EVENT_PUBLICATION_READY,
             event.bytes, event.length);
}

void rj_reply_subscription_ready(rj_broadcast_t *to_clients, int64_t correlation_id,
                                 int32_t status_counter_id)
{
    rj_event_subscription_ready_t body = {.correlation_id = correlation_id,
                                          .channel_status_counter_id = status_counter_id};
    transmit(to_clients, RJ_EVENT_SUBSCRIPTION_READY, &body, sizeof(body));
}

void rj_reply_available_image(rj_broadcast_t *to_clients, const rj_reply_image_t *image)
{
    static const uint8_t zeros[4];
    size_t log_length = strlen(image->log_file);
    int32_t source_length = (int32_t)strlen(image->source);
    rj_event_available_image_t body = {.correlation_id = image->correlation_id,
                                       .session_id = image->session_id,
                                       .stream_id = image->stream_id,
                                       .subscription_registration_id = image->subscription_id,
                                       .subscriber_position_id = image->position_counter_id,
                                       .log_file_length = (int32_t)log_length};
    event_buffer_t event = {.length = 0};
    put(&event, &body, sizeof(body));
    put(&event, image->log_file, log_length);
    put(&event, zeros, (size_t)(rj_align_up((int64_t)log_length, 4) - (int64_t)log_length));
    put(&event, &source_length, sizeof(source_length));
    put(&event, image->source, (size_t)source_length);
    transmit(to_clients, RJ_EVENT_AVAILABLE_IMAGE, event.bytes, event.length);
}

void rj_reply_unavailable_image(rj_broadcast_t *to_clients, int64_t correlation_id,
                                int64_t subscription_id, int32_t stream_id, const char *channel)
{
    /* Nobody reads it, and older Java clients have no room for more. */
    size_t length =
        strnlen(channel, RJ_EVENT_BYTES_RECOMMENDED_MAX - sizeof(rj_event_unavailable_image_t));
    rj_event_unavailable_image_t body = {.correlation_id = correlation_id,
                                         .subscription_registration_id = subscription_id,
                                         .stream_id = stream_id,
                                         .channel_length = (int32_t)length};
    event_buffer_t event = {.length = 0};
    put(&event, &body, sizeof(body));
    put(&event, channel, length);
    transmit(to_clients, RJ_EVENT_UNAVAILABLE_IMAGE, event.bytes, event.length);
}

void rj_reply_counter(rj_broadcast_t *to_clients, rj_event_id_t event, int64_t correlation_id,
                      int32_t counter_id)
{
    rj_event_counter_t body = {.correlation_id = correlation_id, .counter_id = counter_id};
    transmit(to_clients, event, &body, sizeof(body));
}

void rj_reply_client_timeout(rj_broadcast_t *to_clients, int64_t client_id)
{
    rj_event_client_timeout_t body = {.client_id = client_id};
    transmit(to_clients, RJ_EVENT_CLIENT_TIMEOUT, &body, sizeof(body));
}

void rj_reply_next_session_id(rj_broadcast_t *to_clients, int64_t correlation_id,
                              int32_t session_id)
{
    rj_event_next_session_id_t body = {.correlation_id = correlation_id,
                                       .next_session_id = session_id};
    transmit(to_clients, RJ_EVENT_NEXT_AVAILABLE_SESSION_ID, &body, sizeof(body));
}

void rj_reply_publication_error(rj_broadcast_t *to_clients,
                                const rj_reply_publication_error_t *error)
{
    bool is_ipv6 = error->source.family == AF_INET6;
    rj_event_publication_error_t body = {
        .registration_id = error->registration_id,
        .destination_registration_id = error->destination_registration_id,
        .session_id = error->session_id,
        .stream_id = error->stream_id,
        .receiver_id = error->receiver_id,
        .group_tag = error->group_tag,
        .address_type = is_ipv6 ? RJ_ADDRESS_TYPE_IPV6 : RJ_ADDRESS_TYPE_IPV4,
        .source_port = error->source.port,
        .error_code = error->error_code,
        .message_length = error->text_bytes};
    memcpy(body.source_address, error->source.bytes, is_ipv6 ? 16 : 4);
    event_buffer_t event = {.length = 0};
    put(&event, &body, sizeof(body));
    put(&event, error->text, (size_t)error->text_bytes);
    /* The C client discards shorter ones. */
    if (event.length < RJ_EVENT_PUBLICATION_ERROR_BYTES_MIN) {
        memset(event.bytes + event.length, 0,
               (size_t)(RJ_EVENT_PUBLICATION_ERROR_BYTES_MIN - event.length));
        event.length = RJ_EVENT_PUBLICATION_ERROR_BYTES_MIN;
    }
    transmit(to_clients, RJ_EVENT_PUBLICATION_ERROR, event.bytes, event.length);
}
