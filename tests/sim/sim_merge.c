/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams that wait in a socket, merged as a kernel with UDP_GRO merges them: of one flow, of one
 * size but for the last, whatever streams they are of and whatever is missing between them. */
#include "sim_state.h"

#include <stdlib.h>
#include <string.h>

#include "ramjet/wire.h"

enum { SEGMENTS_MAX = 64, BYTES_MAX = 65507 };

static bool is_same_flow(const sim_datagram_t *a, const sim_datagram_t *b)
{
    return rj_address_equal(&a->source, &b->source) &&
           rj_address_equal(&a->destination, &b->destination);
}

/* How many from the first on become one packet. */
static int count_alike(const sim_datagram_t *first, uint32_t *ret_bytes)
{
    int count = 1;
    *ret_bytes = first->length;
    for (const sim_datagram_t *at = first->next; at != NULL && count < SEGMENTS_MAX;
         at = at->next) {
        if (!is_same_flow(first, at) || at->length > first->length ||
            *ret_bytes + at->length > BYTES_MAX)
            break;
        *ret_bytes += at->length;
        count++;
        if (at->length < first->length)
            break;
    }
    return count;
}

static bool goes_on(const uint8_t *bytes, const uint8_t *next, uint32_t length)
{
    rj_wire_data_t a;
    rj_wire_data_t b;
    memcpy(&a, bytes, sizeof(a));
    memcpy(&b, next, sizeof(b));
    return a.type == RJ_FRAME_TYPE_DATA && b.type == RJ_FRAME_TYPE_DATA &&
           a.session_id == b.session_id && a.stream_id == b.stream_id && a.term_id == b.term_id &&
           b.term_offset == a.term_offset + (int32_t)length;
}

static void note(sim_net_t *net, const sim_datagram_t *merged, uint32_t segment)
{
    bool is_mixed = false;
    for (uint32_t at = segment; at + RJ_DATA_HEADER_BYTES <= merged->length; at += segment)
        is_mixed |= !goes_on(merged->bytes + at - segment, merged->bytes + at, segment);
    net->stats.merged++;
    net->stats.mixed += is_mixed;
}

static sim_datagram_t *take_first(sim_socket_t *socket)
{
    sim_datagram_t *datagram = socket->first;
    if (datagram == NULL)
        return NULL;
    socket->first = datagram->next;
    if (socket->first == NULL)
        socket->last = NULL;
    socket->queued_bytes -= (int32_t)datagram->length;
    datagram->next = NULL;
    return datagram;
}

static bool may_merge(sim_net_t *net, const sim_datagram_t *first)
{
    return first != NULL && net->faults.merge_ppm > 0 && first->length >= RJ_FRAME_HEADER_BYTES &&
           rj_prng_below(&net->merge_prng, PPM) < net->faults.merge_ppm;
}

sim_datagram_t *sim_merge_next(sim_net_t *net, sim_socket_t *socket, uint32_t *ret_segment_bytes)
{
    uint32_t bytes;
    const bool merges = may_merge(net, socket->first);
    int count = merges ? count_alike(socket->first, &bytes) : 1;
    *ret_segment_bytes = 0;
    if (count == 1)
        return take_first(socket);
    sim_alloc_forbid(false);
    sim_datagram_t *merged = malloc(sizeof(*merged) + bytes);
    if (merged == NULL)
        abort();
    *ret_segment_bytes = socket->first->length;
    *merged = *socket->first;
    merged->length = 0;
    for (; count > 0; count--) {
        sim_datagram_t *datagram = take_first(socket);
        if (datagram == NULL)
            break;
        memcpy(merged->bytes + merged->length, datagram->bytes, datagram->length);
        merged->length += datagram->length;
        free(datagram);
    }
    sim_alloc_forbid(true);
    note(net, merged, *ret_segment_bytes);
    return merged;
}
