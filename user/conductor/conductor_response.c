/* SPDX-License-Identifier: Apache-2.0 */
/* Response channels: a publication that answers one image, a subscription that reads one answer
 * (commands.md 9; driver.md 16; wire.md 20).
 *
 *   client                                        server
 *   subscription R, bound to nobody
 *   publication P of R    -- SETUP, wants one -->  image I
 *                        <-- RSP_SETUP: Q ------   publication Q of I, receiver unknown
 *   R reads session Q     -- SM, wants a SETUP ->  Q sends to where that came from
 *   image of Q           <-- SETUP, data -------
 */
#include "conductor/conductor_state.h"

#include <errno.h>
#include <inttypes.h>
#include <utlist.h>

static rj_subscription_entry_t *
find_subscription(rj_conductor_t *conductor, int64_t registration_id, rj_subscription_kind_t kind)
{
    rj_subscription_entry_t *subscription;
    DL_FOREACH(conductor->subscriptions, subscription)
    {
        if (subscription->registration_id == registration_id && subscription->kind == kind)
            return subscription;
    }
    return NULL;
}

/* As Aeron: any subscription may be named for answers, and only one that is for them gets any. */
static bool reads_responses(const rj_subscription_entry_t *subscription)
{
    return subscription != NULL && subscription->params.is_response;
}

/* --- the server's side: a publication --- */

static int check_image(rj_conductor_t *conductor, int64_t correlation_id, rj_err_t *err)
{
    const rj_image_entry_t *image = rj_conductor_find_image(conductor, correlation_id);
    if (image == NULL || image->state >= RJ_IMAGE_LINGER)
        return rj_fail_aeron(err, -ENOENT, RJ_ERROR_GENERIC,
                             "image.correlationId=%" PRId64 " not found", correlation_id);
    if (!image->wants_response)
        return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC,
                             "image.correlationId=%" PRId64 " did not request a response channel",
                             correlation_id);
    return 0;
}

int rj_conductor_check_response(rj_conductor_t *conductor, rj_err_t *err)
{
    const rj_client_command_t *command = &conductor->command;
    int64_t id = command->publication_params.response_correlation_id;
    bool is_response = command->channel.control_mode == RJ_CONTROL_MODE_RESPONSE;
    if (is_response && id == RJ_RESPONSE_NONE)
        return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC,
                             "control-mode=response was specified, but no "
                             "response-correlation-id set: %s",
                             command->channel.uri.text);
    if (id == RJ_RESPONSE_NONE || (is_response && id == RJ_RESPONSE_PROTOTYPE))
        return 0;
    if (is_response)
        return check_image(conductor, id, err);
    if (find_subscription(conductor, id, RJ_SUBSCRIPTION_NETWORK) != NULL)
        return 0;
    return rj_fail_aeron(err, -ENOENT, RJ_ERROR_GENERIC,
                         "unable to find response subscription for response-correlation-id=%" PRId64
                         ": %s",
                         id, command->channel.uri.text);
}

static bool is_response(const rj_network_entry_t *network)
{
    return network->publication.config.response_path != NULL;
}

void rj_conductor_link_response(rj_conductor_t *conductor, const rj_network_entry_t *network)
{
    if (!is_response(network))
        return;
    rj_image_entry_t *image =
        rj_conductor_find_image(conductor, network->published.response_correlation_id);
    if (image != NULL)
        rj_network_image_set_response(&image->received.image,
                                      network->publication.config.session_id);
}

/* The client's driver knows the session, so it need not be told any more. */
void rj_conductor_on_response_connected(rj_conductor_t *conductor, const rj_engine_event_t *event)
{
    const rj_network_entry_t *network = (const rj_network_entry_t *)event->publication;
    rj_image_entry_t *image =
        rj_conductor_find_image(conductor, network->published.response_correlation_id);
    if (image != NULL)
        rj_network_image_clear_response(&image->received.image);
}

/* A publication that is on its way back must not be named again. The header that it had, or that is
 * on its way to it, comes back by itself. */
void rj_conductor_on_response_moved(rj_conductor_t *conductor, const rj_engine_event_t *event)
{
    rj_network_entry_t *network = (rj_network_entry_t *)event->publication;
    network->response_headed.owned = NULL;
    if (network->publication.state != RJ_NETWORK_PUBLICATION_DONE)
        rj_conductor_steer_response(conductor, network, &event->address);
}

/* --- the client's side: a subscription --- */

static void elicit_setup(rj_conductor_t *conductor, const rj_subscription_entry_t *subscription)
{
    const rj_engine_command_t elicit = {.type = RJ_ENGINE_ELICIT_SETUP,
                                        .receive_endpoint = &subscription->receive->endpoint,
                                        .stream_id = subscription->stream_id,
                                        .session_id = subscription->params.session_id};
    rj_conductor_tell(conductor, subscription->receive->endpoint.home, &elicit);
}

/* From now on it reads that session and no other, whatever is said later; whoever has a new
 * interest in one session asks for its setup. */
static void bind_subscription(rj_conductor_t *conductor, rj_subscription_entry_t *subscription,
                              int32_t session_id)
{
    rj_subscription_params_t bound = subscription->params;
    bound.has_session_id = true;
    bound.session_id = session_id;
    rj_err_t err;
    if (rj_conductor_add_interest(conductor, subscription->receive, subscription->stream_id, &bound,
                                  subscription->channel, &err) < 0) {
        rj_conductor_report(conductor, RJ_ERROR_GENERIC, "response not heard: %s", err.text);
        return;
    }
    rj_conductor_remove_interest(conductor, subscription->receive, subscription);
    subscription->params = bound;
    rj_conductor_link_images(conductor, subscription);
}

void rj_conductor_on_rsp_setup(rj_conductor_t *conductor, const rj_engine_event_t *event)
{
    const rj_network_entry_t *network = (const rj_network_entry_t *)event->publication;
    rj_subscription_entry_t *subscription = find_subscription(
        conductor, network->published.response_correlation_id, RJ_SUBSCRIPTION_NETWORK);
    if (!reads_responses(subscription) || subscription->receive->state != RJ_ENDPOINT_ACTIVE)
        return;
    if (rj_conductor_subscription_is_bound(subscription))
        elicit_setup(conductor, subscription);
    else
        bind_subscription(conductor, subscription, (int32_t)event->value);
}

/* --- IPC: both sides at once --- */

void rj_conductor_link_ipc_response(rj_conductor_t *conductor, const rj_ipc_entry_t *ipc)
{
    const rj_ipc_entry_t *request =
        rj_conductor_find_ipc(conductor, ipc->published.response_correlation_id);
    if (request == NULL)
        return;
    rj_subscription_entry_t *subscription = find_subscription(
        conductor, request->published.response_correlation_id, RJ_SUBSCRIPTION_IPC);
    if (!reads_responses(subscription) || rj_conductor_subscription_is_bound(subscription))
        return;
    subscription->params.has_session_id = true;
    subscription->params.session_id = ipc->publication.config.session_id;
}
