/* SPDX-License-Identifier: Apache-2.0 */
/* What clients write into the command ring: checked for length, then executed (commands.md 3). */
#include "conductor/conductor_destination.h"
#include "conductor/conductor_receive.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <utlist.h>

/* Copies a command's fixed part; false when the record is too short for it. */
static bool take(void *ret_command, size_t fixed, const uint8_t *body, int32_t length)
{
    if (length < (int32_t)fixed)
        return false;
    memcpy(ret_command, body, fixed);
    return true;
}

/* A text that must follow a command's fixed part; NULL when the record is too short for it. */
static const char *text_after(const uint8_t *body, int32_t length, size_t fixed,
                              int32_t text_length)
{
    if (text_length < 0 || (int64_t)fixed + text_length > length)
        return NULL;
    return (const char *)body + fixed;
}

static bool on_publication(rj_conductor_t *conductor, int32_t type, const uint8_t *body,
                           int32_t length)
{
    rj_command_publication_t command;
    if (!take(&command, sizeof(command), body, length))
        return false;
    const char *channel = text_after(body, length, sizeof(command), command.channel_length);
    if (channel != NULL)
        rj_conductor_on_add_publication(conductor, type, &command, channel);
    return channel != NULL;
}

static bool on_subscription(rj_conductor_t *conductor, const uint8_t *body, int32_t length)
{
    rj_command_subscription_t command;
    if (!take(&command, sizeof(command), body, length))
        return false;
    const char *channel = text_after(body, length, sizeof(command), command.channel_length);
    if (channel != NULL)
        rj_conductor_on_add_subscription(conductor, &command, channel);
    return channel != NULL;
}

static bool on_remove_publication(rj_conductor_t *conductor, const uint8_t *body, int32_t length)
{
    rj_command_remove_publication_t command = {.flags = 0};
    bool is_legacy = length == RJ_REMOVE_PUBLICATION_LEGACY_BYTES;
    if (!take(&command, is_legacy ? (size_t)length : sizeof(command), body, length))
        return false;
    rj_conductor_on_remove_publication(conductor, &command, command.flags);
    return true;
}

static bool on_remove(rj_conductor_t *conductor, int32_t type, const uint8_t *body, int32_t length)
{
    rj_command_remove_t command;
    if (!take(&command, sizeof(command), body, length))
        return false;
    if (type == RJ_COMMAND_REMOVE_SUBSCRIPTION)
        rj_conductor_on_remove_subscription(conductor, &command);
    else
        rj_conductor_on_remove_counter(conductor, &command);
    return true;
}

static bool on_terminate(rj_conductor_t *conductor, const uint8_t *body, int32_t length)
{
    rj_command_terminate_t command;
    if (!take(&command, sizeof(command), body, length) ||
        text_after(body, length, sizeof(command), command.token_length) == NULL)
        return false;
    if (conductor->config->termination_validator == RJ_TERMINATION_ALLOW)
        conductor->params.on_terminate(conductor->params.on_terminate_state);
    return true;
}

static bool on_next_session_id(rj_conductor_t *conductor, const uint8_t *body, int32_t length)
{
    rj_command_next_session_id_t command;
    if (!take(&command, sizeof(command), body, length))
        return false;
    rj_conductor_on_next_session_id(conductor, command.header.correlation_id, command.stream_id);
    return true;
}

/* --- destinations --- */

static bool on_destination(rj_conductor_t *conductor, int32_t type, const uint8_t *body,
                           int32_t length)
{
    rj_command_destination_t command;
    if (!take(&command, sizeof(command), body, length))
        return false;
    const char *channel = text_after(body, length, sizeof(command), command.channel_length);
    if (channel == NULL)
        return false;
    if (type == RJ_COMMAND_ADD_DESTINATION || type == RJ_COMMAND_REMOVE_DESTINATION)
        rj_conductor_on_send_destination(conductor, type, &command, channel);
    else
        rj_conductor_on_receive_destination(conductor, type, &command, channel);
    return true;
}

static bool on_destination_by_id(rj_conductor_t *conductor, const uint8_t *body, int32_t length)
{
    rj_command_destination_by_id_t command;
    if (!take(&command, sizeof(command), body, length))
        return false;
    rj_conductor_on_remove_destination_by_id(conductor, &command);
    return true;
}

/* --- images --- */

/* The header's client id means nothing here: the C client leaves it unset. */
static bool on_reject_image(rj_conductor_t *conductor, const uint8_t *body, int32_t length)
{
    rj_command_reject_image_t command;
    if (!take(&command, sizeof(command), body, length) ||
        text_after(body, length, sizeof(command), command.reason_length) == NULL)
        return false;
    rj_err_t err;
    int result;
    if (command.reason_length > RJ_REJECT_IMAGE_REASON_BYTES_MAX)
        result = rj_fail(&err, -EINVAL, "a reason of %" PRId32 " bytes: %d are the most",
                         command.reason_length, RJ_REJECT_IMAGE_REASON_BYTES_MAX);
    else
        result = rj_conductor_reject_image(conductor, command.image_correlation_id,
                                           (const char *)body + sizeof(command),
                                           command.reason_length, &err);
    if (result < 0)
        rj_conductor_refuse(conductor, command.header.correlation_id, &err);
    else
        rj_reply_success(&conductor->to_clients, command.header.correlation_id);
    return true;
}

/* --- which is which --- */

bool rj_conductor_execute(rj_conductor_t *conductor, int32_t type, const uint8_t *body,
                          int32_t length)
{
    rj_command_header_t header;
    if (!take(&header, sizeof(header), body, length))
        return false;
    switch (type) {
    case RJ_COMMAND_ADD_PUBLICATION:
    case RJ_COMMAND_ADD_EXCLUSIVE_PUBLICATION:
        return on_publication(conductor, type, body, length);
    case RJ_COMMAND_REMOVE_PUBLICATION:
        return on_remove_publication(conductor, body, length);
    case RJ_COMMAND_ADD_SUBSCRIPTION:
        return on_subscription(conductor, body, length);
    case RJ_COMMAND_REMOVE_SUBSCRIPTION:
    case RJ_COMMAND_REMOVE_COUNTER:
        return on_remove(conductor, type, body, length);
    case RJ_COMMAND_CLIENT_KEEPALIVE:
        rj_conductor_on_keepalive(conductor, header.client_id);
        return true;
    case RJ_COMMAND_CLIENT_CLOSE:
        rj_conductor_on_client_close(conductor, header.client_id);
        return true;
    case RJ_COMMAND_ADD_COUNTER:
    case RJ_COMMAND_ADD_STATIC_COUNTER:
        return rj_conductor_on_add_counter(conductor, body, length,
                                           type == RJ_COMMAND_ADD_STATIC_COUNTER);
    case RJ_COMMAND_TERMINATE_DRIVER:
        return on_terminate(conductor, body, length);
    case RJ_COMMAND_GET_NEXT_AVAILABLE_SESSION_ID:
        return on_next_session_id(conductor, body, length);
    case RJ_COMMAND_ADD_DESTINATION:
    case RJ_COMMAND_REMOVE_DESTINATION:
    case RJ_COMMAND_ADD_RCV_DESTINATION:
    case RJ_COMMAND_REMOVE_RCV_DESTINATION:
        return on_destination(conductor, type, body, length);
    case RJ_COMMAND_REMOVE_DESTINATION_BY_ID:
        return on_destination_by_id(conductor, body, length);
    case RJ_COMMAND_REJECT_IMAGE:
        return on_reject_image(conductor, body, length);
    default:
        rj_conductor_report(conductor, RJ_ERROR_UNKNOWN_COMMAND_TYPE_ID,
                            "command=%" PRId32 " unknown", type);
        return true;
    }
}
