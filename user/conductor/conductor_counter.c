/* SPDX-License-Identifier: Apache-2.0 */
/* Counters: those that clients ask for, and those of the streams and endpoints (commands.md 14). */
#include "conductor/conductor_state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/bits.h"

void rj_conductor_free_counter(rj_conductor_t *conductor, int32_t counter_id)
{
    (void)rj_counters_free(conductor->counters, counter_id, conductor->epoch_ms);
}

/* --- counters of streams and endpoints --- */

static int allocate_of_stream(rj_conductor_t *conductor, const rj_counted_stream_t *stream,
                              const rj_stream_counter_row_t *row, int32_t *ret_id, rj_err_t *err)
{
    size_t channel_length = strnlen(stream->channel, RJ_STREAM_KEY_CHANNEL_BYTES_MAX);
    rj_counter_stream_key_t key = {.registration_id = stream->registration_id,
                                   .session_id = stream->session_id,
                                   .stream_id = stream->stream_id,
                                   .channel_length = (int32_t)channel_length};
    memcpy(key.channel, stream->channel, channel_length);
    char label[RJ_COUNTER_LABEL_BYTES_MAX + 1];
    snprintf(label, sizeof(label), "%s: %" PRId64 " %" PRId32 " %" PRId32 " %s", row->name,
             stream->registration_id, stream->session_id, stream->stream_id, stream->channel);
    rj_counter_spec_t spec = {.type_id = row->type_id,
                              .key = &key,
                              .key_length = sizeof(key),
                              .label = label,
                              .label_length = strlen(label),
                              .registration_id = stream->registration_id,
                              .owner_id = stream->owner_id,
                              .reference_id = stream->reference_id,
                              .initial_value = row->is_position ? stream->position : 0};
    return rj_counters_allocate(conductor->counters, &spec, conductor->epoch_ms, ret_id, err);
}

int rj_conductor_stream_counters(rj_conductor_t *conductor, const rj_counted_stream_t *stream,
                                 const rj_stream_counter_row_t *rows, int count, int32_t *ret_ids,
                                 rj_err_t *err)
{
    for (int i = 0; i < count; i++) {
        int result = allocate_of_stream(conductor, stream, &rows[i], &ret_ids[i], err);
        if (result == 0)
            continue;
        while (--i >= 0)
            rj_conductor_free_counter(conductor, ret_ids[i]);
        return result;
    }
    return 0;
}

static const char *print_address(const rj_address_t *address, char text[RJ_ADDRESS_TEXT_BYTES])
{
    text[0] = '\0';
    if (address != NULL)
        rj_address_print(address, text);
    return text;
}

int rj_conductor_status_counter(rj_conductor_t *conductor, bool is_send, int64_t registration_id,
                                const char *channel, const rj_address_t *local, int32_t *ret_id,
                                rj_err_t *err)
{
    char text[RJ_ADDRESS_TEXT_BYTES];
    size_t channel_length = strnlen(channel, RJ_CHANNEL_KEY_CHANNEL_BYTES_MAX);
    rj_counter_channel_key_t key = {.channel_length = (int32_t)channel_length};
    memcpy(key.channel, channel, channel_length);
    char label[RJ_COUNTER_LABEL_BYTES_MAX + 1];
    snprintf(label, sizeof(label), "%s-channel: %s %s", is_send ? "snd" : "rcv", channel,
             print_address(local, text));
    rj_counter_spec_t spec = {.type_id = is_send ? RJ_COUNTER_TYPE_SEND_CHANNEL_STATUS
                                                 : RJ_COUNTER_TYPE_RECEIVE_CHANNEL_STATUS,
                              .key = &key,
                              .key_length = sizeof(key),
                              .label = label,
                              .label_length = strlen(label),
                              .registration_id = registration_id,
                              .initial_value = RJ_CHANNEL_STATUS_ACTIVE};
    return rj_counters_allocate(conductor->counters, &spec, conductor->epoch_ms, ret_id, err);
}

int rj_conductor_address_counter(rj_conductor_t *conductor, bool is_send, int64_t registration_id,
                                 int32_t status_id, const rj_address_t *local, int32_t *ret_id,
                                 rj_err_t *err)
{
    char text[RJ_ADDRESS_TEXT_BYTES];
    print_address(local, text);
    size_t length = strlen(text); /* a printed address: shorter than the key's room */
    rj_sockaddr_key_t key = {.channel_status_id = status_id, .address_length = (int32_t)length};
    memcpy(key.address, text, length);
    char label[RJ_COUNTER_LABEL_BYTES_MAX + 1];
    snprintf(label, sizeof(label), "%s-local-sockaddr: %" PRId32 " %s", is_send ? "snd" : "rcv",
             status_id, text);
    rj_counter_spec_t spec = {.type_id = RJ_COUNTER_TYPE_LOCAL_SOCKADDR,
                              .key = &key,
                              .key_length = sizeof(key),
                              .label = label,
                              .label_length = strlen(label),
                              .registration_id = registration_id,
                              .initial_value = RJ_CHANNEL_STATUS_ACTIVE};
    return rj_counters_allocate(conductor->counters, &spec, conductor->epoch_ms, ret_id, err);
}

int rj_conductor_destination_counter(rj_conductor_t *conductor, int64_t registration_id,
                                     const char *channel, int32_t *ret_id, rj_err_t *err)
{
    size_t channel_length = strnlen(channel, RJ_CHANNEL_KEY_CHANNEL_BYTES_MAX);
    rj_counter_channel_key_t key = {.channel_length = (int32_t)channel_length};
    memcpy(key.channel, channel, channel_length);
    char label[RJ_COUNTER_LABEL_BYTES_MAX + 1];
    snprintf(label, sizeof(label), "mdc-num-dest: %s", channel);
    rj_counter_spec_t spec = {.type_id = RJ_COUNTER_TYPE_MDC_NUM_DESTINATIONS,
                              .key = &key,
                              .key_length = sizeof(key),
                              .label = label,
                              .label_length = strlen(label),
                              .registration_id = registration_id};
    return rj_counters_allocate(conductor->counters, &spec, conductor->epoch_ms, ret_id, err);
}

int rj_conductor_channel_counters(rj_conductor_t *conductor, bool is_send, int64_t registration_id,
                                  const char *channel, const rj_address_t *local,
                                  int32_t *ret_status_id, int32_t *ret_address_id, rj_err_t *err)
{
    int32_t status_id;
    int32_t address_id;
    int result = rj_conductor_status_counter(conductor, is_send, registration_id, channel, local,
                                             &status_id, err);
    if (result < 0)
        return result;
    result = rj_conductor_address_counter(conductor, is_send, registration_id, status_id, local,
                                          &address_id, err);
    if (result < 0) {
        rj_conductor_free_counter(conductor, status_id);
        return result;
    }
    *ret_status_id = status_id;
    *ret_address_id = address_id;
    return 0;
}

/* --- counters that clients ask for --- */

typedef struct counter_request {
    rj_command_header_t header;
    int64_t registration_id;
    int32_t type_id;
    const uint8_t *key;
    int32_t key_length;
    const char *label;
    int32_t label_length;
} counter_request_t;

/* Key and label behind the fixed part: `at` is where the key begins. */
static bool read_key_and_label(counter_request_t *request, const uint8_t *body, int32_t length,
                               int64_t at)
{
    if (request->key_length < 0)
        return false;
    int64_t label_at = at + rj_align_up((int64_t)request->key_length, 4);
    if (label_at + (int64_t)sizeof(int32_t) > length)
        return false;
    memcpy(&request->label_length, body + label_at, sizeof(int32_t));
    label_at += (int64_t)sizeof(int32_t);
    if (request->label_length < 0 || label_at + request->label_length > length)
        return false;
    request->key = body + at;
    request->label = (const char *)body + label_at;
    return true;
}

static bool read_request(counter_request_t *request, const uint8_t *body, int32_t length,
                         bool is_static)
{
    if (is_static) {
        rj_command_static_counter_t command;
        if (length < (int32_t)sizeof(command))
            return false;
        memcpy(&command, body, sizeof(command));
        *request = (counter_request_t){.header = command.header,
                                       .registration_id = command.registration_id,
                                       .type_id = command.type_id,
                                       .key_length = command.key_length};
        return read_key_and_label(request, body, length, sizeof(command));
    }
    rj_command_counter_t command;
    if (length < (int32_t)sizeof(command))
        return false;
    memcpy(&command, body, sizeof(command));
    *request = (counter_request_t){.header = command.header,
                                   .registration_id = command.header.correlation_id,
                                   .type_id = command.type_id,
                                   .key_length = command.key_length};
    return read_key_and_label(request, body, length, sizeof(command));
}

static int allocate_requested(rj_conductor_t *conductor, const counter_request_t *request,
                              int64_t owner_id, int32_t *ret_id, rj_err_t *err)
{
    rj_counter_spec_t spec = {.type_id = request->type_id,
                              .key = request->key,
                              .key_length = (size_t)request->key_length,
                              .label = request->label,
                              .label_length = (size_t)request->label_length,
                              .registration_id = request->registration_id,
                              .owner_id = owner_id};
    return rj_counters_allocate(conductor->counters, &spec, conductor->epoch_ms, ret_id, err);
}

static int add_client_counter(rj_conductor_t *conductor, const counter_request_t *request,
                              rj_err_t *err)
{
    rj_client_entry_t *client = rj_conductor_client(conductor, request->header.client_id, err);
    if (client == NULL)
        return err->code;
    rj_counter_link_t *link = calloc(1, sizeof(*link));
    if (link == NULL)
        return rj_fail(err, -ENOMEM, "out of memory for a counter");
    int result = allocate_requested(conductor, request, client->client_id, &link->counter_id, err);
    if (result < 0) {
        free(link);
        return result;
    }
    link->registration_id = request->registration_id;
    DL_APPEND(client->counters, link);
    rj_reply_counter(&conductor->to_clients, RJ_EVENT_COUNTER_READY, link->registration_id,
                     link->counter_id);
    return 0;
}

static int add_static_counter(rj_conductor_t *conductor, const counter_request_t *request,
                              rj_err_t *err)
{
    if (rj_conductor_client(conductor, request->header.client_id, err) == NULL)
        return err->code;
    int64_t owner_id;
    int32_t id = rj_counters_find_own(conductor->counters, request->type_id,
                                      request->registration_id, &owner_id);
    if (id == RJ_COUNTER_ID_NULL) {
        int result = allocate_requested(conductor, request, -1, &id, err);
        if (result < 0)
            return result;
    } else if (owner_id != -1) {
        return rj_fail(err, -EINVAL,
                       "cannot add static counter, because a non-static counter exists "
                       "(counterId=%" PRId32 ") for typeId=%" PRId32 " and registrationId=%" PRId64,
                       id, request->type_id, request->registration_id);
    }
    rj_reply_counter(&conductor->to_clients, RJ_EVENT_STATIC_COUNTER,
                     request->header.correlation_id, id);
    return 0;
}

bool rj_conductor_on_add_counter(rj_conductor_t *conductor, const uint8_t *body, int32_t length,
                                 bool is_static)
{
    counter_request_t request;
    if (!read_request(&request, body, length, is_static))
        return false;
    rj_err_t err = {0};
    int result = is_static ? add_static_counter(conductor, &request, &err)
                           : add_client_counter(conductor, &request, &err);
    if (result < 0)
        rj_conductor_refuse(conductor, request.header.correlation_id, &err);
    return true;
}

void rj_conductor_on_remove_counter(rj_conductor_t *conductor, const rj_command_remove_t *command)
{
    rj_client_entry_t *client = rj_conductor_find_client(conductor, command->header.client_id);
    rj_counter_link_t *link = NULL;
    if (client != NULL)
        DL_SEARCH_SCALAR(client->counters, link, registration_id, command->registration_id);
    if (link == NULL) {
        rj_conductor_refuse_unknown(conductor, &command->header, RJ_ERROR_UNKNOWN_COUNTER,
                                    "counter", command->registration_id);
        return;
    }
    rj_reply_success(&conductor->to_clients, command->header.correlation_id);
    rj_reply_counter(&conductor->to_clients, RJ_EVENT_UNAVAILABLE_COUNTER, link->registration_id,
                     link->counter_id);
    rj_conductor_free_counter(conductor, link->counter_id);
    DL_DELETE(client->counters, link);
    free(link);
}
