/* SPDX-License-Identifier: Apache-2.0 */
#include "endpoint/receive_endpoint.h"

#include <string.h>

#include "base/bits.h"

void rj_receive_destination_set_control(rj_receive_destination_t *destination,
                                        const rj_address_t *control)
{
    destination->has_control = true;
    for (int i = 0; i < RJ_DESTINATION_ENGINES_MAX; i++)
        destination->controls[i] = *control;
    rj_path_init(&destination->control_path, &destination->base, control, false);
}

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

/* When a destination asks for setups again; INT64_MAX for never. */
static int64_t next_setup_ns(const rj_receive_destination_t *destination)
{
    return rj_receive_destination_registers(destination)
               ? destination->setup_sent_ns + RJ_PENDING_SETUP_NS + 1
               : INT64_MAX;
}

rj_receive_destination_t *rj_receive_endpoint_next_setup(rj_receive_endpoint_t *endpoint,
                                                         int64_t now_ns)
{
    if (!rj_dispatcher_has_interest(endpoint->dispatcher))
        return NULL;
    for (int32_t i = 0; i < endpoint->destination_count; i++) {
        rj_receive_destination_t *destination = endpoint->destinations[i];
        if (now_ns < next_setup_ns(destination))
            continue;
        destination->setup_sent_ns = now_ns;
        return destination;
    }
    return NULL;
}

int64_t rj_receive_endpoint_deadline_ns(const rj_receive_endpoint_t *endpoint)
{
    int64_t due_ns = INT64_MAX;
    if (endpoint->pending_setup_count > 0)
        due_ns = endpoint->pending_setups[0].since_ns + RJ_PENDING_SETUP_NS + 1;
    if (!rj_dispatcher_has_interest(endpoint->dispatcher))
        return due_ns;
    for (int32_t i = 0; i < endpoint->destination_count; i++)
        due_ns = rj_min_i64(due_ns, next_setup_ns(endpoint->destinations[i]));
    return due_ns;
}

/* A path of the image's own, with a header of its own: its engine may be another than the home. It
 * stays where it is as long as the destination does, for runs may name it. */
static void lead(rj_received_image_t *received, int connection,
                 rj_receive_destination_t *destination, const rj_address_t *to)
{
    rj_path_t *path = &received->control_paths[destination->slot];
    rj_path_init(path, &destination->base, to, false);
    received->image.connections[connection].control = path;
}

int rj_received_image_connect(rj_received_image_t *received, rj_receive_destination_t *destination,
                              const rj_address_t *control, const rj_address_t *source,
                              int64_t now_ns)
{
    const rj_address_t *to = control != NULL ? control : source;
    int at = rj_network_image_find_connection(&received->image, destination->id);
    if (at >= 0 && (to == NULL || received->image.connections[at].control != NULL))
        return at;
    if (at < 0)
        at = rj_network_image_add_connection(&received->image, destination->id, NULL, now_ns);
    if (at >= 0 && to != NULL)
        lead(received, at, destination, to);
    return at;
}

void rj_received_image_disconnect(rj_received_image_t *received,
                                  const rj_receive_destination_t *destination, int64_t now_ns)
{
    (void)rj_network_image_remove_connection(&received->image, destination->id, now_ns);
    received->told_paths &= ~(1u << destination->slot);
}

void rj_received_image_redirect(rj_received_image_t *received,
                                rj_receive_destination_t *destination, const rj_address_t *control)
{
    const int at = rj_network_image_find_connection(&received->image, destination->id);
    if (at < 0)
        return;
    lead(received, at, destination, control);
    received->told_paths &= ~(1u << destination->slot);
}
