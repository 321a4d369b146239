/* SPDX-License-Identifier: Apache-2.0 */
#include "endpoint/receive_endpoint.h"

#include <string.h>

bool rj_receive_endpoint_add_pending(rj_receive_endpoint_t *endpoint, int32_t stream_id,
                                     int32_t session_id, int64_t now_ns)
{
    if (endpoint->pending_setup_count == RJ_PENDING_SETUPS_MAX)
        return false;
    endpoint->pending_setups[endpoint->pending_setup_count++] =
        (rj_pending_setup_t){.stream_id = stream_id, .session_id = session_id, .since_ns = now_ns};
    return true;
}

int rj_receive_endpoint_expire_pending(rj_receive_endpoint_t *endpoint, int64_t now_ns)
{
    int32_t expired = 0;
    while (expired < endpoint->pending_setup_count) {
        const rj_pending_setup_t *pending = &endpoint->pending_setups[expired];
        if (now_ns <= pending->since_ns + RJ_PENDING_SETUP_NS)
            break;
        rj_dispatcher_clear_state(endpoint->dispatcher, pending->stream_id, pending->session_id,
                                  RJ_SESSION_PENDING_SETUP);
        expired++;
    }
    if (expired > 0) {
        endpoint->pending_setup_count -= expired;
        memmove(endpoint->pending_setups, endpoint->pending_setups + expired,
                (size_t)endpoint->pending_setup_count * sizeof(endpoint->pending_setups[0]));
    }
    return expired;
}

int64_t rj_receive_endpoint_deadline_ns(const rj_receive_endpoint_t *endpoint)
{
    if (endpoint->pending_setup_count == 0)
        return INT64_MAX;
    return endpoint->pending_setups[0].since_ns + RJ_PENDING_SETUP_NS + 1;
}

int rj_received_image_connect(rj_received_image_t *received, rj_receive_destination_t *destination,
                              const rj_address_t *source, int64_t now_ns)
{
    const int known = rj_network_image_find_connection(&received->image, destination->id);
    if (known >= 0)
        return known;
    const int index = received->image.connection_count;
    if (index >= RJ_NETWORK_IMAGE_CONNECTIONS_MAX)
        return -1;
    rj_path_t *path = &received->control_paths[index];
    /* A path of its own, with a header of its own: it may be another engine than the home's. */
    rj_path_init(path, &destination->base,
                 destination->has_control ? &destination->control_path.address : source, false);
    return rj_network_image_add_connection(&received->image, destination->id, path, now_ns);
}
