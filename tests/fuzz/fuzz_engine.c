/* SPDX-License-Identifier: Apache-2.0 */
/* What strangers may do to an engine that has a publication and an image: datagrams in any order,
 * time passing between them. Input: steps of
 *
 *     | how (1) | length (2) | a datagram of that many bytes |
 *
 * where bit 0 of `how` chooses the endpoint, bit 1 puts the ids of a stream that is there into the
 * datagram, bit 2 moves the readers on, and the rest is how much time passes. Sanitizers watch the
 * reads; the assertions are that positions stay in order and that the datagrams sent make sense. */
#include "driver/engine.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "endpoint/receive_endpoint.h"
#include "endpoint/send_endpoint.h"
#include "proto/frame.h"
#include "shm/term_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SESSION = 5, STREAM = 6, TERM_ID = 0x7ffffffe, TERM = 64 * 1024, MTU = 1408, FRAMES = 40 };

typedef struct fuzz_port {
    rj_port_t base;
    uint64_t next_number;
    rj_packet_t packet;
    bool has_packet;
} fuzz_port_t;

static fuzz_port_t port;
static rj_engine_t *engine;
static int64_t counters[RJ_SYSTEM_COUNTER_COUNT];
static rj_system_counters_t system_counters;
static rj_send_endpoint_t send_endpoint;
static rj_receive_endpoint_t receive_endpoint;
static rj_log_t logs[2];
static int64_t words[10];
static rj_publication_t publication;
static rj_received_image_t received;
static rj_subscriber_position_t subscriber;
static int64_t now_ns;
static volatile uint64_t sink;

static int fuzz_send(rj_port_t *base, rj_run_t *runs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        rj_run_t *run = &runs[i];
        assert(run->segment_bytes > 0 && run->segment_bytes <= MTU && run->total_bytes > 0);
        for (uint32_t at = 0; at < run->total_bytes; at++)
            sink += run->start[at];
        for (uint32_t at = 0; at < run->total_bytes; at += run->segment_bytes) {
            const uint32_t left = run->total_bytes - at;
            assert(rj_frame_check(run->start + at,
                                  left < run->segment_bytes ? left : run->segment_bytes) >= 0);
        }
        run->number = ((fuzz_port_t *)base)->next_number++;
        run->result = (int32_t)run->total_bytes;
    }
    return (int)count;
}

static int fuzz_poll(rj_port_t *base, rj_packet_t *packets, size_t count, int64_t at_ns)
{
    (void)base;
    (void)at_ns;
    if (!port.has_packet || count == 0)
        return 0;
    packets[0] = port.packet;
    port.has_packet = false;
    return 1;
}

static uint64_t fuzz_reclaim(rj_port_t *base)
{
    return ((fuzz_port_t *)base)->next_number;
}

static int fuzz_attach(rj_port_t *base, rj_endpoint_t *endpoint)
{
    (void)base;
    endpoint->slot = 0;
    return 0;
}

static void fuzz_detach(rj_port_t *base, rj_endpoint_t *endpoint)
{
    (void)base;
    endpoint->slot = -1;
}

static int fuzz_take_error(rj_port_t *base, rj_endpoint_t **ret_endpoint)
{
    (void)base;
    (void)ret_endpoint;
    return 0;
}

static void fuzz_close(rj_port_t *base)
{
    (void)base;
}

static const rj_port_ops_t fuzz_ops = {.name = "fuzz",
                                       .send = fuzz_send,
                                       .poll = fuzz_poll,
                                       .reclaim = fuzz_reclaim,
                                       .attach = fuzz_attach,
                                       .detach = fuzz_detach,
                                       .take_error = fuzz_take_error,
                                       .close = fuzz_close};

static void open_log(rj_log_t *log, uint8_t type)
{
    char directory[] = "/dev/shm/rj-fuzz-XXXXXX";
    char path[64];
    const rj_log_params_t params = {.initial_term_id = TERM_ID,
                                    .start_term_id = TERM_ID,
                                    .term_length = TERM,
                                    .page_size = RJ_PAGE_SIZE_MIN,
                                    .mtu_length = MTU,
                                    .session_id = SESSION,
                                    .stream_id = STREAM,
                                    .sparse = true,
                                    .type = type};
    if (mkdtemp(directory) == NULL)
        abort();
    strcat(strcpy(path, directory), "/log");
    if (rj_log_create(log, path, &params, NULL) < 0)
        abort();
    unlink(path);
    rmdir(directory);
}

static void open_once(void)
{
    port.base.ops = &fuzz_ops;
    for (int id = 0; id < RJ_SYSTEM_COUNTER_COUNT; id++)
        system_counters.values[id] = &counters[id];
    const rj_engine_params_t params = {.ports = {&port.base},
                                       .port_count = 1,
                                       .system_counters = &system_counters,
                                       .receive_batch = 1,
                                       .halves = RJ_ENGINE_BOTH};
    if (rj_engine_open(&engine, &params, NULL) < 0 ||
        rj_send_endpoint_open(&send_endpoint, NULL) < 0)
        abort();
    open_log(&logs[0], RJ_LOG_TYPE_CONCURRENT_PUBLICATION);
    open_log(&logs[1], RJ_LOG_TYPE_IMAGE);
    send_endpoint.base.kind = RJ_ENDPOINT_SEND;
    receive_endpoint.destination_count = 1;
    receive_endpoint.destinations[0].endpoint = &receive_endpoint;
    receive_endpoint.destinations[0].base.kind = RJ_ENDPOINT_RECEIVE;
    const rj_address_t remote = rj_address_ipv4((const uint8_t[4]){10, 0, 0, 1}, 7);
    rj_path_init(&send_endpoint.data_path, &send_endpoint.base, &remote, true);
}

static void tell(rj_engine_command_type_t type)
{
    const rj_engine_command_t command = {.type = type,
                                         .stream_id = STREAM,
                                         .send_endpoint = &send_endpoint,
                                         .receive_endpoint = &receive_endpoint,
                                         .publication = &publication,
                                         .image = &received.image};
    if (!rj_ring_spsc_push(rj_engine_command_ring(engine), &command))
        abort();
}

static void turn(void)
{
    rj_engine_do_work(engine, now_ns);
    rj_ring_spsc_t *events = rj_engine_event_ring(engine);
    while (rj_ring_spsc_peek(events) != NULL)
        rj_ring_spsc_release(events);
}

/* The first term full of messages, as if a publisher had been busy. */
static void fill_publication(void)
{
    for (int32_t i = 0; i < FRAMES; i++) {
        const rj_frame_data_t frame = {.session_id = SESSION,
                                       .stream_id = STREAM,
                                       .term_id = TERM_ID,
                                       .term_offset = i * MTU,
                                       .flags = RJ_DATA_FLAG_UNFRAGMENTED};
        uint8_t *at = logs[0].terms[0] + i * MTU;
        rj_frame_write_heartbeat((rj_wire_data_t *)at, &frame);
        rj_frame_publish(at, 0, MTU - (i % 3) * 8);
    }
}

static void make_streams(void)
{
    const rj_publication_config_t publication_config = {
        .session_id = SESSION,
        .stream_id = STREAM,
        .term_window_bytes = TERM / 2,
        .datagrams_max = 16,
        .connection_timeout_ns = 5000000000,
        .flow_control = {.ops = &rj_flow_control_unicast, .resend_window_multiple = 16},
        .retransmit = {.slot_count = 16, .linger_ns = 10000000},
        .signal_eos = true};
    const rj_publication_counters_t publication_counters = {&words[0], &words[1], &words[2],
                                                            &words[3], &words[4], &words[5]};
    rj_publication_init(&publication, &publication_config, &publication_counters, &logs[0],
                        &send_endpoint.data_path, now_ns);
    const rj_image_config_t image_config = {
        .session_id = SESSION,
        .stream_id = STREAM,
        .window_bytes = TERM,
        .sm_timeout_ns = 200000000,
        .liveness_timeout_ns = 10000000000,
        .is_reliable = true,
        .loss = {.delay_ns = 1000, .retry_ns = 100000},
        .congestion = {.ops = &rj_congestion_static, .mtu = MTU}};
    const rj_image_counters_t image_counters = {&words[6], &words[7], &words[8]};
    memset(&received, 0, sizeof(received));
    rj_image_init(&received.image, &image_config, &image_counters, &logs[1], now_ns);
    subscriber = (rj_subscriber_position_t){.counter = &words[9]};
    rj_image_add_subscriber(&received.image, &subscriber);
}

static void begin(void)
{
    memset(words, 0, sizeof(words));
    now_ns = 1000000000;
    for (int i = 0; i < RJ_LOG_TERM_COUNT; i++) {
        memset(logs[0].terms[i], 0, TERM);
        memset(logs[1].terms[i], 0, TERM);
    }
    fill_publication();
    make_streams();
    receive_endpoint.pending_setup_count = 0;
    if (rj_dispatcher_open(&receive_endpoint.dispatcher, 4, 64, 8) < 0)
        abort();
    tell(RJ_ENGINE_ADD_SEND_ENDPOINT);
    tell(RJ_ENGINE_ADD_PUBLICATION);
    tell(RJ_ENGINE_ADD_RECEIVE_ENDPOINT);
    tell(RJ_ENGINE_ADD_INTEREST);
    tell(RJ_ENGINE_ADD_IMAGE);
    turn();
}

static void end(void)
{
    tell(RJ_ENGINE_REMOVE_IMAGE);
    tell(RJ_ENGINE_REMOVE_RECEIVE_ENDPOINT);
    tell(RJ_ENGINE_REMOVE_PUBLICATION);
    tell(RJ_ENGINE_REMOVE_SEND_ENDPOINT);
    turn();
    rj_dispatcher_close(receive_endpoint.dispatcher);
}

/* Where a frame of its type has session and stream. */
static void put_ids(uint8_t *bytes, size_t length)
{
    static const int32_t ids[2] = {SESSION, STREAM};
    const bool is_data = length >= 8 && (bytes[6] <= 1 || bytes[6] == RJ_FRAME_TYPE_SETUP);
    const size_t at = is_data ? 12 : 8;
    if (length >= at + sizeof(ids))
        memcpy(bytes + at, ids, sizeof(ids));
}

static void check(void)
{
    assert(publication.snd_pos >= 0 && publication.snd_pos <= (int64_t)FRAMES * MTU);
    assert(words[2] == publication.snd_pos);
    assert(words[7] >= 0 && words[7] <= words[6]);
    assert(received.image.rcv_pos == words[7]);
}

static size_t step(const uint8_t *data, size_t size)
{
    const uint8_t how = data[0];
    uint16_t wanted;
    memcpy(&wanted, data + 1, sizeof(wanted));
    const size_t length = wanted < size - 3 ? wanted : size - 3;
    uint8_t *bytes = malloc(length > 0 ? length : 1);
    if (bytes == NULL)
        abort();
    memcpy(bytes, data + 3, length);
    if ((how & 2) != 0)
        put_ids(bytes, length);
    if ((how & 4) != 0)
        words[9] = words[7];
    now_ns += (int64_t)(how >> 3) * 10000000;
    port.packet = (rj_packet_t){.data = bytes,
                                .length_bytes = (uint32_t)length,
                                .endpoint = (how & 1) != 0 ? &send_endpoint.base
                                                           : &receive_endpoint.destinations[0].base,
                                .source = send_endpoint.data_path.address};
    port.has_packet = true;
    turn();
    turn();
    free(bytes);
    check();
    return 3 + length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (engine == NULL)
        open_once();
    begin();
    while (size > 3) {
        const size_t used = step(data, size);
        data += used;
        size -= used;
    }
    end();
    return 0;
}
