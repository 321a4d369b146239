/* SPDX-License-Identifier: Apache-2.0 */
#include "sim_steer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/steer_decide.h"
#include "sim_state.h"
#include "transport/path_header.h"

enum {
    FIRST_BUFFER_BYTES = 128, /* of the payload: all that a decision reads */
    NEIGHBOUR_PORT = 30000,
    NEIGHBOUR_CHANNELS = 3,
};

struct sim_steer {
    steer_tables_t tables;
    sim_host_t *host;
    sim_feed_t *feed;
    sim_steer_params_t params;
    rj_prng_t prng;
    rj_steering_params_t wishes;
    sim_steer_stats_t stats;
    rj_steering_t *neighbour;
};

/* --- the look-ups of the decision --- */

static const steer_tables_t *current;

static const struct rj_channel_value *rj_channel_find(const struct rj_channel_key *key)
{
    return steer_tables_channel(current, key);
}

static const struct rj_stream_value *rj_stream_find(const struct rj_stream_key *key)
{
    return steer_tables_stream(current, key);
}

static const struct rj_queue_value *rj_queue_find(__u32 queue)
{
    return queue < RJ_XDP_QUEUES_MAX ? &current->queues[queue] : NULL;
}

/* --- from a datagram to its frame --- */

typedef struct frame {
    uint8_t bytes[RJ_PATH_HEADER_BYTES_MAX + FIRST_BUFFER_BYTES];
    uint32_t first_bytes; /* of it, in `bytes` */
    uint32_t length_bytes;
} frame_t;

static void put_be16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void destination_mac(const sim_host_t *host, const rj_address_t *destination, uint8_t mac[6])
{
    sim_host_mac(host->index, mac);
    if (!rj_address_is_multicast(destination))
        return;
    mac[0] = destination->family == AF_INET ? 0x01 : 0x33;
    mac[1] = destination->family == AF_INET ? 0x00 : 0x33;
}

static uint32_t put_network(uint8_t *ip, const sim_arrival_t *arrival)
{
    const uint32_t udp_bytes = arrival->length + 8;
    if (arrival->destination->family == AF_INET) {
        ip[0] = 0x45;
        put_be16(ip + 2, udp_bytes + 20);
        ip[8] = 64;
        ip[9] = 17;
        memcpy(ip + 12, arrival->source->bytes, 4);
        memcpy(ip + 16, arrival->destination->bytes, 4);
        return 20;
    }
    ip[0] = 0x60;
    put_be16(ip + 4, udp_bytes);
    ip[6] = 17;
    ip[7] = 64;
    memcpy(ip + 8, arrival->source->bytes, 16);
    memcpy(ip + 24, arrival->destination->bytes, 16);
    return 40;
}

static void make_frame(const sim_host_t *host, const sim_arrival_t *arrival, frame_t *frame)
{
    const bool is_ipv4 = arrival->destination->family == AF_INET;
    memset(frame, 0, sizeof(*frame));
    destination_mac(host, arrival->destination, frame->bytes);
    put_be16(frame->bytes + 12, is_ipv4 ? 0x0800 : 0x86dd);
    uint8_t *udp = frame->bytes + 14 + put_network(frame->bytes + 14, arrival);
    put_be16(udp, arrival->source->port);
    put_be16(udp + 2, arrival->destination->port);
    put_be16(udp + 4, arrival->length + 8);
    const uint32_t taken =
        arrival->length < FIRST_BUFFER_BYTES ? arrival->length : FIRST_BUFFER_BYTES;
    memcpy(udp + 8, arrival->bytes, taken);
    frame->first_bytes = (uint32_t)(udp + 8 - frame->bytes) + taken;
    frame->length_bytes = (uint32_t)(udp + 8 - frame->bytes) + arrival->length;
}

/* --- the door --- */

static void count(sim_steer_t *steer, const struct rj_steer_decision *decision, uint32_t bytes)
{
    steer->stats.frames++;
    steer->stats.reasons[decision->reason]++;
    steer->stats.redirected += decision->verdict == RJ_XDP_TO_USER;
    if (decision->counter_index == RJ_XDP_COUNTER_NONE)
        return;
    struct rj_count *counter =
        rj_steer_count_of(&steer->tables.counters[decision->counter_index], decision->verdict);
    counter->packets++;
    counter->bytes += bytes;
}

sim_door_t sim_steer_door(void *state, int engine, const sim_arrival_t *arrival)
{
    sim_steer_t *steer = state;
    if (!steer->tables.is_attached) {
        steer->stats.detached++;
        return SIM_DOOR_SOCKET;
    }
    const bool is_foreign =
        steer->neighbour != NULL && rj_prng_below(&steer->prng, PPM) < steer->params.foreign_ppm;
    frame_t bytes;
    make_frame(steer->host, arrival, &bytes);
    const struct rj_steer_frame frame = {
        .data = bytes.bytes,
        .data_end = bytes.bytes + bytes.first_bytes,
        .length_bytes = bytes.length_bytes,
        .queue = (__u32)(is_foreign ? steer->params.engine_count : engine)};
    struct rj_steer_datagram datagram = {0};
    current = &steer->tables;
    const struct rj_steer_decision decision =
        rj_steer_decide(&frame, &steer->tables.config, &datagram);
    count(steer, &decision, bytes.length_bytes);
    if (decision.verdict == RJ_XDP_TO_USER)
        return SIM_DOOR_RING;
    if (decision.verdict != RJ_XDP_TO_KERNEL)
        sim_fail("a frame was neither redirected nor passed: verdict %u", decision.verdict);
    return SIM_DOOR_SOCKET;
}

/* --- the other driver --- */

static void wish_of_neighbour(sim_steer_t *steer, int which)
{
    /* One channel of its own, one wildcard, and again: none of them is the first driver's. */
    rj_address_t local =
        which % 2 == 0 ? steer->host->address : rj_address_wildcard(steer->host->address.family);
    local.port = (uint16_t)(NEIGHBOUR_PORT + which);
    rj_steer_wish_t *wish = rj_steering_add(steer->neighbour, &local, 0, 0);
    const rj_steer_stream_t stream = {.stream_id = 1000 + which};
    rj_steering_add_stream(steer->neighbour, wish, &stream);
}

void sim_steer_add_neighbour(sim_steer_t *steer)
{
    rj_steering_params_t params = steer->wishes;
    rj_net_feed_t *feed = sim_feed_base(steer->feed);
    const rj_net_snapshot_t *snapshot = feed->ops->latest(feed);
    rj_err_t err;
    params.interfaces[0].queue_first = (uint32_t)steer->params.engine_count;
    params.interfaces[0].queue_count = 1;
    params.on_event = NULL;
    if (rj_steering_open(&steer->neighbour, &params, &steer->prng, snapshot,
                         sim_net_now_ns(steer->host->net), &err) < 0)
        sim_fail("the other driver's steering: %s", err.text);
    for (int i = 0; i < NEIGHBOUR_CHANNELS; i++)
        wish_of_neighbour(steer, i);
}

void sim_steer_remove_neighbour(sim_steer_t *steer)
{
    rj_steering_close(steer->neighbour);
    steer->neighbour = NULL;
}

int sim_steer_work(sim_steer_t *steer)
{
    rj_net_feed_t *feed = sim_feed_base(steer->feed);
    if (steer->neighbour == NULL)
        return 0;
    return rj_steering_do_work(steer->neighbour, feed->ops->latest(feed),
                               sim_net_now_ns(steer->host->net));
}

/* --- open and close --- */

static void on_event(void *state, const char *text)
{
    sim_steer_t *steer = state;
    steer->stats.events++;
    for (const char *at = text; *at != '\0'; at++)
        sim_net_trace_add(steer->host->net, (uint64_t)*at);
}

sim_steer_t *sim_steer_open(sim_host_t *host, sim_feed_t *feed, const sim_steer_params_t *params)
{
    sim_steer_t *steer = calloc(1, sizeof(*steer));
    if (steer == NULL)
        abort();
    steer_tables_init(&steer->tables);
    steer->host = host;
    steer->feed = feed;
    steer->params = *params;
    rj_prng_init(&steer->prng, params->seed);
    steer->wishes =
        (rj_steering_params_t){.interfaces = {{.maps = &steer->tables.maps,
                                               .name = "sim0",
                                               .index = SIM_LINK_INDEX,
                                               .queue_count = (uint32_t)params->engine_count,
                                               .room_bytes = params->room_bytes}},
                               .interface_count = 1,
                               .control = params->control,
                               .pid = (uint32_t)host->index + 1,
                               .on_event = on_event,
                               .on_event_state = steer};
    return steer;
}

void sim_steer_close(sim_steer_t *steer)
{
    if (steer == NULL)
        return;
    rj_steering_close(steer->neighbour);
    free(steer);
}

const rj_steering_params_t *sim_steer_wishes(const sim_steer_t *steer)
{
    return &steer->wishes;
}

steer_tables_t *sim_steer_tables(sim_steer_t *steer)
{
    return &steer->tables;
}

const sim_steer_stats_t *sim_steer_stats(const sim_steer_t *steer)
{
    return &steer->stats;
}

/* --- oracles --- */

void sim_steer_check_accounts(const sim_steer_t *steer)
{
    const sim_steer_stats_t *stats = &steer->stats;
    int64_t reasons = 0;
    for (int i = 0; i < RJ_XDP_REASON_COUNT; i++)
        reasons += stats->reasons[i];
    const int64_t redirected = stats->reasons[RJ_XDP_REDIRECTED_DATA] +
                               stats->reasons[RJ_XDP_REDIRECTED_CONTROL] +
                               stats->reasons[RJ_XDP_REDIRECTED_DEFAULT];
    if (reasons != stats->frames || redirected != stats->redirected)
        sim_fail("host %d: %" PRId64 " frames have %" PRId64 " reasons, %" PRId64
                 " redirected have %" PRId64,
                 steer->host->index, stats->frames, reasons, stats->redirected, redirected);
    const int64_t offered = steer->host->ring_offered;
    if (offered != stats->redirected)
        sim_fail("host %d: %" PRId64 " frames redirected, the rings know of %" PRId64,
                 steer->host->index, stats->redirected, offered);
}

/* Queues of the driver, its owner's entry and the claim of its number. */
void sim_steer_check_idle(const sim_steer_t *steer)
{
    const uint32_t owner = steer->tables.queues[0].owner;
    const int count = steer_tables_count_of(&steer->tables, owner);
    const int expected = steer->params.engine_count + 2;
    if (count != expected)
        sim_fail("host %d: %d entries in the steering maps without a stream, %d expected",
                 steer->host->index, count, expected);
}

void sim_steer_check_swept(const sim_steer_t *steer)
{
    const steer_tables_t *tables = &steer->tables;
    const uint32_t other =
        steer->neighbour != NULL ? rj_steering_owner(steer->neighbour) : RJ_XDP_OWNER_NONE;
    const int others = other == RJ_XDP_OWNER_NONE ? 0 : steer_tables_count_of(tables, other);
    int queues = 0;
    for (int i = 0; i < RJ_XDP_QUEUES_MAX; i++)
        queues += tables->queues[i].owner != RJ_XDP_OWNER_NONE;
    const int count = tables->channel_count + tables->stream_count + tables->claim_count +
                      tables->owner_count + queues;
    if (count != others)
        sim_fail("host %d: %d entries were left behind in the steering maps", steer->host->index,
                 count - others);
}

static bool is_mac_of(const sim_net_t *net, const rj_address_t *destination, const uint8_t *mac)
{
    uint8_t wanted[6];
    if (rj_address_is_multicast(destination))
        return mac[0] == (destination->family == AF_INET ? 0x01 : 0x33);
    for (int i = 0; i < SIM_HOSTS_MAX; i++) {
        sim_host_mac(i, wanted);
        if (rj_address_same_host(&net->hosts[i].address, destination))
            return memcmp(mac, wanted, sizeof(wanted)) == 0;
    }
    return false;
}

void sim_steer_check_header(const sim_host_t *host, const rj_path_t *path)
{
    const rj_path_header_t *header = path->header;
    const bool is_ipv4 = path->address.family == AF_INET;
    const uint8_t *ip = header->bytes + 14;
    const uint8_t *udp = ip + (is_ipv4 ? 20 : 40);
    const size_t address_bytes = is_ipv4 ? 4 : 16;
    const uint8_t *source = ip + (is_ipv4 ? 12 : 8);
    uint8_t mac[6];
    sim_host_mac(host->index, mac);
    if (header->interface_index != SIM_LINK_INDEX ||
        header->length_bytes != (is_ipv4 ? RJ_PATH_HEADER_IPV4_BYTES : RJ_PATH_HEADER_IPV6_BYTES) ||
        !is_mac_of(host->net, &path->address, header->bytes) ||
        memcmp(header->bytes + 6, mac, sizeof(mac)) != 0 ||
        memcmp(source, host->address.bytes, address_bytes) != 0 ||
        memcmp(source + address_bytes, path->address.bytes, address_bytes) != 0 ||
        rj_steer_be16(udp) != path->endpoint->local.port ||
        rj_steer_be16(udp + 2) != path->address.port)
        sim_fail("host %d: a header that is not its path's", host->index);
}
