/* SPDX-License-Identifier: Apache-2.0 */
/* What a client asks of the driver that makes no handle: destinations, rejections, session ids; and
 * where a channel is bound. */
#include "client/client_commands.h"

#include <errno.h>
#include <string.h>

/* From this version of the control protocol on, drivers know session ids (commands.md 3.12). */
enum { CONTROL_PROTOCOL_WITH_SESSION_IDS = 0x010000 };

/* --- destinations --- */

static rj_operation_t of_publication(const rj_publication_t *publication, int32_t type,
                                     const char *channel)
{
    return (rj_operation_t){.type = type,
                            .registration_id = publication->info.original_registration_id,
                            .text = channel};
}

static rj_operation_t of_subscription(const rj_subscription_t *subscription, int32_t type,
                                      const char *channel)
{
    return (rj_operation_t){
        .type = type, .registration_id = subscription->info.registration_id, .text = channel};
}

static int request(rj_client_t *client, const rj_operation_t *operation, rj_request_t **ret_request,
                   rj_err_t *err)
{
    rj_client_lock(client);
    int code = rj_request_operation(client, operation, ret_request, err);
    rj_client_unlock(client);
    return code;
}

int rj_publication_add_destination(rj_publication_t *publication, const char *channel,
                                   int64_t *ret_registration_id, rj_err_t *err)
{
    rj_operation_t operation = of_publication(publication, RJ_COMMAND_ADD_DESTINATION, channel);
    return rj_client_perform(publication->client, &operation, ret_registration_id, err);
}

int rj_publication_remove_destination(rj_publication_t *publication, const char *channel,
                                      rj_err_t *err)
{
    rj_operation_t operation = of_publication(publication, RJ_COMMAND_REMOVE_DESTINATION, channel);
    return rj_client_perform(publication->client, &operation, NULL, err);
}

int rj_publication_remove_destination_by_id(rj_publication_t *publication, int64_t registration_id,
                                            rj_err_t *err)
{
    rj_operation_t operation =
        of_publication(publication, RJ_COMMAND_REMOVE_DESTINATION_BY_ID, publication->channel);
    operation.destination_id = registration_id;
    return rj_client_perform(publication->client, &operation, NULL, err);
}

int rj_publication_request_add_destination(rj_publication_t *publication, const char *channel,
                                           rj_request_t **ret_request, rj_err_t *err)
{
    rj_operation_t operation = of_publication(publication, RJ_COMMAND_ADD_DESTINATION, channel);
    return request(publication->client, &operation, ret_request, err);
}

int rj_publication_request_remove_destination(rj_publication_t *publication, const char *channel,
                                              rj_request_t **ret_request, rj_err_t *err)
{
    rj_operation_t operation = of_publication(publication, RJ_COMMAND_REMOVE_DESTINATION, channel);
    return request(publication->client, &operation, ret_request, err);
}

int rj_subscription_add_destination(rj_subscription_t *subscription, const char *channel,
                                    rj_err_t *err)
{
    rj_operation_t operation =
        of_subscription(subscription, RJ_COMMAND_ADD_RCV_DESTINATION, channel);
    return rj_client_perform(subscription->client, &operation, NULL, err);
}

int rj_subscription_remove_destination(rj_subscription_t *subscription, const char *channel,
                                       rj_err_t *err)
{
    rj_operation_t operation =
        of_subscription(subscription, RJ_COMMAND_REMOVE_RCV_DESTINATION, channel);
    return rj_client_perform(subscription->client, &operation, NULL, err);
}

int rj_subscription_request_add_destination(rj_subscription_t *subscription, const char *channel,
                                            rj_request_t **ret_request, rj_err_t *err)
{
    rj_operation_t operation =
        of_subscription(subscription, RJ_COMMAND_ADD_RCV_DESTINATION, channel);
    return request(subscription->client, &operation, ret_request, err);
}

int rj_subscription_request_remove_destination(rj_subscription_t *subscription, const char *channel,
                                               rj_request_t **ret_request, rj_err_t *err)
{
    rj_operation_t operation =
        of_subscription(subscription, RJ_COMMAND_REMOVE_RCV_DESTINATION, channel);
    return request(subscription->client, &operation, ret_request, err);
}

/* --- images, sessions --- */

static rj_operation_t of_image(rj_image_t *image, const char *reason)
{
    return (rj_operation_t){.type = RJ_COMMAND_REJECT_IMAGE,
                            .registration_id = image->info.correlation_id,
                            .position = rj_image_position(image),
                            .text = reason};
}

int rj_image_reject(rj_image_t *image, const char *reason, rj_err_t *err)
{
    const rj_operation_t operation = of_image(image, reason);
    return rj_client_perform(image->subscription->client, &operation, NULL, err);
}

int rj_image_request_reject(rj_image_t *image, const char *reason, rj_request_t **ret_request,
                            rj_err_t *err)
{
    const rj_operation_t operation = of_image(image, reason);
    return request(image->subscription->client, &operation, ret_request, err);
}

/* A driver that does not say that it knows them would leave the question without an answer. */
static bool knows_session_ids(const rj_client_t *client)
{
    rj_counter_view_t version;
    return rj_counters_read(&client->counters, RJ_SYSTEM_CONTROL_PROTOCOL_VERSION, &version) == 0 &&
           version.state == RJ_COUNTER_ALLOCATED && version.type_id == RJ_COUNTER_TYPE_SYSTEM &&
           version.registration_id == RJ_SYSTEM_CONTROL_PROTOCOL_VERSION &&
           version.value >= CONTROL_PROTOCOL_WITH_SESSION_IDS;
}

int rj_client_next_session_id(rj_client_t *client, int32_t stream_id, int32_t *ret_session_id,
                              rj_err_t *err)
{
    if (!knows_session_ids(client))
        return rj_fail(err, -EOPNOTSUPP, "the driver in %s gives out no session ids: choose one",
                       client->context.directory);
    const rj_operation_t operation = {.type = RJ_COMMAND_GET_NEXT_AVAILABLE_SESSION_ID,
                                      .stream_id = stream_id,
                                      .text = "a session id"};
    int64_t value = 0;
    int code = rj_client_perform(client, &operation, &value, err);
    if (code == 0)
        *ret_session_id = (int32_t)value;
    return code;
}

/* --- where a channel is bound --- */

/* Of a channel's addresses the one whose counter has the lowest id (commands.md 14.6). */
static int local_address(const rj_client_t *client, int32_t channel_status_id, char *text,
                         size_t size)
{
    rj_counter_view_t counter;
    if (channel_status_id < 0 ||
        rj_counters_read(&client->counters, channel_status_id, &counter) < 0 ||
        counter.value != RJ_CHANNEL_STATUS_ACTIVE)
        return 0;
    int32_t cursor = 0;
    while (rj_counters_next(&client->counters, &cursor, &counter)) {
        rj_sockaddr_key_t key;
        memcpy(&key, counter.key, sizeof(key));
        if (counter.type_id != RJ_COUNTER_TYPE_LOCAL_SOCKADDR ||
            key.channel_status_id != channel_status_id || counter.value != RJ_CHANNEL_STATUS_ACTIVE)
            continue;
        if (key.address_length < 0 || key.address_length > (int32_t)sizeof(key.address))
            return 0;
        if ((size_t)key.address_length >= size)
            return -ENOBUFS;
        memcpy(text, key.address, (size_t)key.address_length);
        text[key.address_length] = '\0';
        return key.address_length;
    }
    return 0;
}

int rj_publication_local_address(const rj_publication_t *publication, char *text, size_t size)
{
    return local_address(publication->client, publication->info.channel_status_id, text, size);
}

int rj_subscription_local_address(const rj_subscription_t *subscription, char *text, size_t size)
{
    return local_address(subscription->client, subscription->info.channel_status_id, text, size);
}
