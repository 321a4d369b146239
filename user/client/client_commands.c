/* SPDX-License-Identifier: Apache-2.0 */
#include "client/client_commands.h"

#include "base/bits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHANNEL_BYTES_MAX = 4095, /* as drivers read it (commands.md 13.1) */
    REASON_BYTES_MAX = 1023,
    BODY_BYTES_MAX = sizeof(rj_command_subscription_t) + CHANNEL_BYTES_MAX,
};

static int send(rj_client_t *client, int32_t type, const uint8_t *body, size_t length,
                rj_err_t *err)
{
    int code = rj_ring_mpsc_write(&client->to_driver, type, body, (int32_t)length);
    if (code == -EAGAIN)
        return rj_fail_aeron(err, -EAGAIN, RJ_CLIENT_ERROR_BUFFER_FULL,
                             "the driver's command ring is full: try again");
    if (code < 0)
        return rj_fail(err, code, "the driver's command ring takes no command of %zu bytes",
                       length);
    return 0;
}

static rj_command_header_t header(const rj_client_t *client, int64_t correlation_id)
{
    return (rj_command_header_t){.client_id = client->id, .correlation_id = correlation_id};
}

static int check_channel(const char *channel, size_t *ret_length, rj_err_t *err)
{
    *ret_length = strnlen(channel, CHANNEL_BYTES_MAX + 1);
    if (*ret_length > CHANNEL_BYTES_MAX)
        return rj_fail(err, -EINVAL, "a channel may have at most %d bytes: %.40s...",
                       CHANNEL_BYTES_MAX, channel);
    return 0;
}

int rj_client_send_add_publication(rj_client_t *client, int64_t correlation_id, const char *channel,
                                   int32_t stream_id, rj_publication_kind_t kind, rj_err_t *err)
{
    size_t length;
    int code = check_channel(channel, &length, err);
    if (code < 0)
        return code;
    uint8_t body[BODY_BYTES_MAX];
    rj_command_publication_t command = {
        .header = header(client, correlation_id),
        .stream_id = stream_id,
        .channel_length = (int32_t)length,
    };
    memcpy(body, &command, sizeof(command));
    memcpy(body + sizeof(command), channel, length);
    int32_t type = kind == RJ_PUBLICATION_EXCLUSIVE ? RJ_COMMAND_ADD_EXCLUSIVE_PUBLICATION
                                                    : RJ_COMMAND_ADD_PUBLICATION;
    return send(client, type, body, sizeof(command) + length, err);
}

int rj_client_send_add_subscription(rj_client_t *client, int64_t correlation_id,
                                    const char *channel, int32_t stream_id, rj_err_t *err)
{
    size_t length;
    int code = check_channel(channel, &length, err);
    if (code < 0)
        return code;
    uint8_t body[BODY_BYTES_MAX];
    rj_command_subscription_t command = {
        .header = header(client, correlation_id),
        .registration_correlation_id = RJ_NULL_VALUE,
        .stream_id = stream_id,
        .channel_length = (int32_t)length,
    };
    memcpy(body, &command, sizeof(command));
    memcpy(body + sizeof(command), channel, length);
    return send(client, RJ_COMMAND_ADD_SUBSCRIPTION, body, sizeof(command) + length, err);
}

/* Key, padding to four, label length, label; returns the bytes written. */
static size_t put_key_and_label(uint8_t *at, const rj_counter_request_t *counter)
{
    size_t padded = (size_t)rj_align_up((int64_t)counter->key_length, sizeof(int32_t));
    size_t label_length = strlen(counter->label);
    int32_t label_word = (int32_t)label_length;
    memset(at, 0, padded);
    if (counter->key_length > 0)
        memcpy(at, counter->key, counter->key_length);
    memcpy(at + padded, &label_word, sizeof(label_word));
    memcpy(at + padded + sizeof(label_word), counter->label, label_length);
    return padded + sizeof(label_word) + label_length;
}

int rj_client_send_add_counter(rj_client_t *client, int64_t correlation_id,
                               const rj_counter_request_t *counter, rj_err_t *err)
{
    if (counter->key_length > RJ_COUNTER_KEY_BYTES_MAX)
        return rj_fail(err, -EINVAL, "a counter's key may have at most %d bytes",
                       RJ_COUNTER_KEY_BYTES_MAX);
    if (strnlen(counter->label, RJ_COUNTER_LABEL_BYTES_MAX + 1) > RJ_COUNTER_LABEL_BYTES_MAX)
        return rj_fail(err, -EINVAL, "a counter's label may have at most %d bytes",
                       RJ_COUNTER_LABEL_BYTES_MAX);
    uint8_t body[BODY_BYTES_MAX];
    size_t length;
    int32_t type;
    if (counter->is_static) {
        rj_command_static_counter_t command = {
            .header = header(client, correlation_id),
            .registration_id = counter->registration_id,
            .type_id = counter->type_id,
            .key_length = (int32_t)counter->key_length,
        };
        memcpy(body, &command, sizeof(command));
        length = sizeof(command);
        type = RJ_COMMAND_ADD_STATIC_COUNTER;
    } else {
        rj_command_counter_t command = {
            .header = header(client, correlation_id),
            .type_id = counter->type_id,
            .key_length = (int32_t)counter->key_length,
        };
        memcpy(body, &command, sizeof(command));
        length = sizeof(command);
        type = RJ_COMMAND_ADD_COUNTER;
    }
    length += put_key_and_label(body + length, counter);
    return send(client, type, body, length, err);
}

static int check_reason(const char *reason, size_t *ret_length, rj_err_t *err)
{
    *ret_length = strnlen(reason, REASON_BYTES_MAX + 1);
    if (*ret_length > REASON_BYTES_MAX)
        return rj_fail(err, -EINVAL, "a reason may have at most %d bytes: %.40s...",
                       REASON_BYTES_MAX, reason);
    return 0;
}

static int send_destination(rj_client_t *client, int64_t correlation_id,
                            const rj_operation_t *operation, rj_err_t *err)
{
    size_t length;
    int code = check_channel(operation->text, &length, err);
    if (code < 0)
        return code;
    uint8_t body[BODY_BYTES_MAX];
    rj_command_destination_t command = {
        .header = header(client, correlation_id),
        .registration_id = operation->registration_id,
        .channel_length = (int32_t)length,
    };
    memcpy(body, &command, sizeof(command));
    memcpy(body + sizeof(command), operation->text, length);
    return send(client, operation->type, body, sizeof(command) + length, err);
}

static int send_rejection(rj_client_t *client, int64_t correlation_id,
                          const rj_operation_t *operation, rj_err_t *err)
{
    size_t length;
    int code = check_reason(operation->text, &length, err);
    if (code < 0)
        return code;
    uint8_t body[BODY_BYTES_MAX];
    rj_command_reject_image_t command = {
        .header = header(client, correlation_id),
        .image_correlation_id = operation->registration_id,
        .position = operation->position,
        .reason_length = (int32_t)length,
    };
    memcpy(body, &command, sizeof(command));
    memcpy(body + sizeof(command), operation->text, length);
    return send(client, operation->type, body, sizeof(command) + length, err);
}

int rj_client_send_operation(rj_client_t *client, int64_t correlation_id,
                             const rj_operation_t *operation, rj_err_t *err)
{
    if (operation->type == RJ_COMMAND_REJECT_IMAGE)
        return send_rejection(client, correlation_id, operation, err);
    if (operation->type == RJ_COMMAND_GET_NEXT_AVAILABLE_SESSION_ID) {
        rj_command_next_session_id_t command = {
            .header = header(client, correlation_id),
            .stream_id = operation->stream_id,
        };
        return send(client, operation->type, (const uint8_t *)&command, sizeof(command), err);
    }
    if (operation->type == RJ_COMMAND_REMOVE_DESTINATION_BY_ID) {
        rj_command_destination_by_id_t command = {
            .header = header(client, correlation_id),
            .resource_registration_id = operation->registration_id,
            .destination_registration_id = operation->destination_id,
        };
        return send(client, operation->type, (const uint8_t *)&command, sizeof(command), err);
    }
    return send_destination(client, correlation_id, operation, err);
}

static int try_send_removal(rj_client_t *client, int32_t type, int64_t registration_id,
                            uint64_t flags)
{
    int64_t correlation_id = rj_ring_mpsc_next_correlation_id(&client->to_driver);
    if (type == RJ_COMMAND_REMOVE_PUBLICATION) {
        rj_command_remove_publication_t command = {
            .header = header(client, correlation_id),
            .registration_id = registration_id,
            .flags = flags,
        };
        return send(client, type, (const uint8_t *)&command, sizeof(command), NULL);
    }
    rj_command_remove_t command = {
        .header = header(client, correlation_id),
        .registration_id = registration_id,
    };
    return send(client, type, (const uint8_t *)&command, sizeof(command), NULL);
}

static void send_removal(rj_client_t *client, int32_t command_type, int64_t registration_id,
                         uint64_t flags)
{
    if (client->unsent == NULL &&
        try_send_removal(client, command_type, registration_id, flags) == 0)
        return;
    rj_unsent_t *unsent = malloc(sizeof(*unsent));
    if (unsent == NULL) {
        rj_err_t err;
        rj_fail(&err, -ENOMEM, "registration %lld: out of memory while removing it",
                (long long)registration_id);
        rj_client_report(client, &err);
        return;
    }
    *unsent =
        (rj_unsent_t){.type = command_type, .registration_id = registration_id, .flags = flags};
    rj_unsent_t **at = &client->unsent;
    while (*at != NULL)
        at = &(*at)->next;
    *at = unsent;
}

void rj_client_send_removal(rj_client_t *client, int32_t command_type, int64_t registration_id)
{
    send_removal(client, command_type, registration_id, 0);
}

void rj_client_send_revocation(rj_client_t *client, int64_t registration_id)
{
    send_removal(client, RJ_COMMAND_REMOVE_PUBLICATION, registration_id,
                 RJ_REMOVE_PUBLICATION_FLAG_REVOKE);
}

int rj_client_send_unsent(rj_client_t *client)
{
    int count = 0;
    for (rj_unsent_t *unsent; (unsent = client->unsent) != NULL; count++) {
        if (try_send_removal(client, unsent->type, unsent->registration_id, unsent->flags) < 0)
            break;
        client->unsent = unsent->next;
        free(unsent);
    }
    return count;
}
