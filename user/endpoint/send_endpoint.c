/* SPDX-License-Identifier: Apache-2.0 */
#include "endpoint/send_endpoint.h"

static int64_t key_of(const rj_network_publication_t *publication)
{
    return rj_map64_key(publication->config.stream_id, publication->config.session_id);
}

int rj_send_endpoint_open(rj_send_endpoint_t *endpoint, rj_err_t *err)
{
    const int result =
        rj_map64_open(&endpoint->publications, RJ_SEND_ENDPOINT_PUBLICATIONS_MAX, err);
    if (result < 0 || !rj_channel_is_mdc(&endpoint->channel))
        return result;
    const bool is_dynamic = endpoint->channel.control_mode == RJ_CONTROL_MODE_DYNAMIC;
    return rj_send_destinations_open(&endpoint->destinations, is_dynamic, err);
}

void rj_send_endpoint_close(rj_send_endpoint_t *endpoint)
{
    rj_map64_close(&endpoint->publications);
    rj_send_destinations_close(endpoint->destinations);
    endpoint->destinations = NULL;
}

int rj_send_endpoint_add(rj_send_endpoint_t *endpoint, rj_network_publication_t *publication)
{
    return rj_map64_add(&endpoint->publications, key_of(publication), publication);
}

void rj_send_endpoint_remove(rj_send_endpoint_t *endpoint, rj_network_publication_t *publication)
{
    const int64_t key = key_of(publication);
    if (rj_map64_find(&endpoint->publications, key) == publication)
        rj_map64_remove(&endpoint->publications, key);
}

rj_network_publication_t *rj_send_endpoint_find(const rj_send_endpoint_t *endpoint,
                                                int32_t stream_id, int32_t session_id)
{
    return rj_map64_find(&endpoint->publications, rj_map64_key(stream_id, session_id));
}
