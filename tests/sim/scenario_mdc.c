/* SPDX-License-Identifier: Apache-2.0 */
/* Multi-destination publications: manual ones, whose destinations come and go by command, and
 * dynamic ones, whose destinations make themselves known. */
#include "stage.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/frame.h"
#include "scenario.h"

enum {
    HOSTS = 4,
    READERS = HOSTS - 1, /* hosts 1 to 3 */
    CONTROL_PORT = 21000,
    AWARE_STREAMS = 24,
};

/* The destinations of a manual channel: asked for by the publisher of one of its streams. */
static struct {
    lane_t *lane; /* whose publication names the channel */
    rj_request_t *request;
    bool is_manual;
    rj_client_t *clients[HOSTS];
    int64_t
        due_ns[HOSTS]; /* when that host becomes a destination; INT64_MAX: it is one, or never */
    bool is_leaving[HOSTS]; /* at that time it is one no more */
} channel;

static void print_control(char *text, size_t size)
{
    sim_host_print_address(sim_net_host(world_net(stage.world), 0), CONTROL_PORT, text, size);
}

static int64_t ask(int host, int64_t now_ns)
{
    char text[256];
    rj_err_t err = {0};
    world_channel(stage.world, host, PORT_FIRST, "", text, sizeof(text));
    const int result = channel.is_leaving[host]
                           ? rj_publication_request_remove_destination(channel.lane->publication,
                                                                       text, &channel.request, &err)
                           : rj_publication_request_add_destination(channel.lane->publication, text,
                                                                    &channel.request, &err);
    if (result < 0)
        sim_fail("a destination at %s: %s", text, err.text);
    channel.due_ns[host] = INT64_MAX;
    return now_ns;
}

static int work_channel(void *state, int64_t now_ns)
{
    (void)state;
    rj_err_t err = {0};
    if (!channel.is_manual || channel.lane->publication == NULL)
        return 0;
    if (channel.request != NULL) {
        const int result = rj_request_poll_operation(channel.request, NULL, &err);
        if (result < 0)
            sim_fail("a destination: %s", err.text);
        if (result > 0)
            channel.request = NULL;
        return result;
    }
    for (int host = 1; host < HOSTS; host++) {
        if (now_ns >= channel.due_ns[host]) {
            ask(host, now_ns);
            return 1;
        }
    }
    return 0;
}

static void open_channel(uint64_t seed, const char *directory)
{
    stage_open_world(seed, directory, HOSTS);
    memset(&channel, 0, sizeof(channel));
    channel.is_manual = stage_between(0, 1) == 0;
    for (int host = 0; host < HOSTS; host++)
        channel.due_ns[host] = host == 0 ? INT64_MAX : 0;
    for (int host = 0; host < HOSTS; host++)
        channel.clients[host] = world_connect(stage.world, host);
    world_add_task(stage.world, work_channel, NULL);
}

/* A stream of the channel, without readers yet. */
static lane_t *add_stream(lane_config_t *config)
{
    char control[64];
    lane_t *lane = &stage.lanes[stage.lane_count];
    print_control(control, sizeof(control));
    config->seed = rj_prng_next(stage_prng());
    config->stream_id = 1000 + stage.lane_count;
    config->kind = RJ_PUBLICATION_EXCLUSIVE;
    config->awaits_all = true;
    snprintf(config->publication_channel, sizeof(config->publication_channel),
             "aeron:udp?control=%s|control-mode=%s|term-length=2m", control,
             channel.is_manual ? "manual" : "dynamic");
    lane_open(lane, stage.world, config, channel.clients[0]);
    if (stage.lane_count++ == 0)
        channel.lane = lane;
    return lane;
}

/* Every reader's host has one endpoint, whatever streams it reads. */
static lane_subscriber_t *read_stream(lane_t *lane, int host, int64_t starts_at_ns)
{
    char control[64];
    char params[128] = "";
    print_control(control, sizeof(control));
    if (!channel.is_manual)
        snprintf(params, sizeof(params), "control=%s|control-mode=dynamic", control);
    lane_subscriber_t *subscriber = lane_subscribe(lane, channel.clients[host], starts_at_ns);
    world_channel(stage.world, host, PORT_FIRST, params, subscriber->channel,
                  sizeof(subscriber->channel));
    return subscriber;
}

/* --- all that may happen to one --- */

typedef enum event { CALM, READER_RETURNS, HOST_DIES, DESTINATION_LEAVES, EVENTS } event_t;

static void strike(event_t event, lane_subscriber_t *victim)
{
    switch (event) {
    case READER_RETURNS:
        lane_leave(victim);
        world_run_for(stage.world, MILLIS(stage_between(1, 3000)));
        lane_return(victim, 0);
        break;
    case HOST_DIES:
        world_crash_host(stage.world, HOSTS - 1);
        for (int i = 0; i < stage.lane_count; i++) {
            for (int k = 0; k < stage.lanes[i].subscriber_count; k++) {
                lane_subscriber_t *subscriber = &stage.lanes[i].subscribers[k];
                subscriber->is_dead |= subscriber->client == channel.clients[HOSTS - 1];
            }
        }
        break;
    case DESTINATION_LEAVES:
        channel.is_leaving[HOSTS - 1] = true;
        channel.due_ns[HOSTS - 1] = 0;
        world_run_for(stage.world, MILLIS(stage_between(1, 12000)));
        channel.is_leaving[HOSTS - 1] = false;
        channel.due_ns[HOSTS - 1] = 0;
        break;
    case CALM:
    case EVENTS:
        break;
    }
}

/* Streams of one channel to readers on three hosts, over a path that does what it likes. One host
 * may come late, a reader may go and come back, a machine vanish, a destination be taken away. */
void run_mdc(uint64_t seed, const char *directory)
{
    rj_prng_t draw;
    rj_prng_init(&draw, seed * 31 + 7);
    if (rj_prng_chance(&draw, 0.25))
        stage_sends_all = true;
    if (rj_prng_chance(&draw, 0.3))
        stage_draw_rings(seed);
    open_channel(seed, directory);
    stage_draw_faults();
    const event_t event = (event_t)stage_between(CALM, EVENTS - 1);
    const int64_t late_ns = stage_between(0, 1) == 0 ? 0 : MILLIS(stage_between(1, 800));
    const int streams = (int)stage_between(1, 3);
    channel.due_ns[HOSTS - 1] = late_ns;
    for (int i = 0; i < streams; i++) {
        lane_config_t config = {.may_lose_images = event != CALM};
        stage_draw_lengths(&config);
        lane_t *lane = add_stream(&config);
        for (int host = 1; host < HOSTS; host++) {
            if (host == 1 || stage_between(0, 2) > 0)
                read_stream(lane, host, host == HOSTS - 1 ? late_ns : 0);
        }
    }
    lane_t *lane = &stage.lanes[0];
    world_run_until(stage.world, stage_half_offered, lane, SECONDS(300), "the first half");
    strike(event, &lane->subscribers[lane->subscriber_count - 1]);
    world_run_until(stage.world, stage_all_complete, NULL, SECONDS(300), "the streams");
    if (channel.request != NULL)
        rj_request_cancel(channel.request);
    channel.is_manual = false;
    stage_end_world(event == HOST_DIES ? HOSTS - 1 : HOSTS);
}

/* --- who gets which stream --- */

/* Where a stream has got to, at each host that anything of it was sent to. */
static int64_t sent_to[HOSTS][AWARE_STREAMS];

static int host_of(const rj_address_t *address)
{
    char host_text[64];
    char text[RJ_ADDRESS_TEXT_BYTES];
    rj_address_print(address, text);
    for (int host = 1; host < HOSTS; host++) {
        sim_host_print_address(sim_net_host(world_net(stage.world), host), address->port, host_text,
                               sizeof(host_text));
        if (strcmp(host_text, text) == 0)
            return host;
    }
    return 0;
}

/* Every byte once, in order. */
static void on_datagram(void *state, const rj_address_t *address, const uint8_t *bytes,
                        uint32_t length)
{
    (void)state;
    const int host = host_of(address);
    rj_wire_data_t header;
    if (host == 0 || length < sizeof(header) || rj_frame_check(bytes, length) < 0)
        return;
    memcpy(&header, bytes, sizeof(header));
    if ((header.type != RJ_FRAME_TYPE_DATA && header.type != RJ_FRAME_TYPE_PAD) ||
        header.frame_length == 0)
        return;
    int64_t *position = &sent_to[host][header.stream_id - 1000];
    if (header.term_offset != *position)
        sim_fail("stream %" PRId32 ": %" PRId32 " was sent to host %d where %" PRId64 " was due",
                 header.stream_id, header.term_offset, host, *position);
    *position += rj_frame_walk_data(bytes, length, 1 << 30);
}

static bool reads(int host, int stream)
{
    return stream == 0 || host == 1 + stream % READERS;
}

/* Many streams of one channel, each read on one host, the first on all, over a path that loses
 * nothing: what a host does not read it is not sent, and of the rest nothing twice. */
void run_aware(uint64_t seed, const char *directory)
{
    open_channel(seed, directory);
    stage_draw_path();
    sim_net_faults(world_net(stage.world))->jitter_ns = 0;
    memset(sent_to, 0, sizeof(sent_to));
    for (int i = 0; i < AWARE_STREAMS; i++) {
        lane_config_t config = {.message_count = 8, .length_min = 8, .length_max = 1300};
        lane_t *lane = add_stream(&config);
        for (int host = 1; host < HOSTS; host++) {
            if (reads(host, i))
                read_stream(lane, host, 0);
        }
    }
    sim_net_tap(world_net(stage.world), on_datagram, NULL);
    world_run_until(stage.world, stage_all_complete, NULL, SECONDS(300), "all streams");
    for (int i = 0; i < AWARE_STREAMS; i++) {
        for (int host = 1; host < HOSTS; host++) {
            const int64_t whole = sent_to[1 + i % READERS][i];
            if (sent_to[host][i] != (reads(host, i) ? whole : 0) || whole == 0)
                sim_fail("stream %d: %" PRId64 " bytes of %" PRId64 " were sent to host %d",
                         1000 + i, sent_to[host][i], whole, host);
        }
    }
    sim_net_tap(world_net(stage.world), NULL, NULL);
    if (channel.request != NULL)
        rj_request_cancel(channel.request);
    channel.is_manual = false;
    stage_end_world(HOSTS);
}
