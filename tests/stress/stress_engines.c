/* SPDX-License-Identifier: Apache-2.0 */
/* Engines in threads of their own whose ports bring each other's frames, while a conductor gives
 * the session now to one engine and now to another: the stream goes on, and all is given back.
 * Bounded runs that sleep when they cannot go on; meant for the thread sanitizer. */
#include "engine/engine.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "endpoint/receive_endpoint.h"
#include "tests/fixtures/stream_log.h"

enum {
    ENGINES = 3,
    HOME = 0,
    ROUNDS = 4,
    TERM = 64 * 1024,
    PAYLOAD = 992, /* with the header 1024: frames fill a term exactly */
    FRAME = 1024,
    FRAMES_AHEAD = 16,
    BATCH = 64,
    GOAL = 4 * TERM,
    PAUSE_NS = 20000,
};

/* The ports bring frames from here on, while it is not negative. */
static int64_t script_position = -1;
static rj_log_t numbers; /* of the stream: what frames say of themselves comes from here */

typedef struct script_port {
    rj_port_t base; /* first member */
    int index;
    rj_endpoint_t *endpoint; /* NULL: it is not attached */
    uint64_t run_number;
    uint8_t frames[FRAMES_AHEAD][FRAME] __attribute__((aligned(16)));
} script_port_t;

typedef struct runner {
    pthread_t thread;
    rj_engine_t *engine;
    int32_t is_running;
} runner_t;

static script_port_t ports[ENGINES];
static runner_t runners[ENGINES];
static rj_receive_endpoint_t *endpoint;
static rj_receive_destination_t *destination;
static int64_t counters[RJ_SYSTEM_COUNTER_COUNT];
static rj_system_counters_t system_counters;

static void expect(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "stress_engines: %s\n", what);
    abort();
}

/* --- a port: its share of the frames until they are there; what it sends goes nowhere --- */

static int port_send(rj_port_t *base, rj_run_t *runs, size_t count)
{
    script_port_t *port = (script_port_t *)base;
    for (size_t i = 0; i < count; i++) {
        runs[i].number = port->run_number++;
        runs[i].result = (int32_t)runs[i].total_bytes;
    }
    return (int)count;
}

static int port_poll(rj_port_t *base, rj_packet_t *packets, size_t count, int64_t now_ns)
{
    script_port_t *port = (script_port_t *)base;
    const int64_t first = rj_load_acquire_i64(&script_position);
    int given = 0;
    (void)count;
    for (int i = 0; first >= 0 && port->endpoint != NULL && i < FRAMES_AHEAD; i++) {
        const int64_t position = first / FRAME * FRAME + i * FRAME;
        if (position / FRAME % ENGINES != port->index)
            continue;
        (void)stream_log_frame(&numbers, port->frames[i], position, RJ_FRAME_TYPE_DATA, PAYLOAD);
        packets[given++] = (rj_packet_t){.data = port->frames[i],
                                         .length_bytes = FRAME,
                                         .endpoint = port->endpoint,
                                         .receive_time_ns = now_ns,
                                         .source = {.port = 4000}};
    }
    return given;
}

static uint64_t port_reclaim(rj_port_t *base)
{
    return ((script_port_t *)base)->run_number;
}

static int port_attach(rj_port_t *base, rj_endpoint_t *attached, rj_attach_role_t role)
{
    (void)role;
    ((script_port_t *)base)->endpoint = attached;
    return 0;
}

static void port_detach(rj_port_t *base, rj_endpoint_t *attached, rj_attach_role_t role)
{
    (void)role;
    (void)attached;
    ((script_port_t *)base)->endpoint = NULL;
}

static int port_take_error(rj_port_t *base, rj_endpoint_t **ret_endpoint)
{
    (void)base;
    (void)ret_endpoint;
    return 0;
}

static void port_close(rj_port_t *base)
{
    (void)base;
}

static const rj_port_ops_t port_ops = {.name = "script",
                                       .send = port_send,
                                       .poll = port_poll,
                                       .reclaim = port_reclaim,
                                       .attach = port_attach,
                                       .detach = port_detach,
                                       .take_error = port_take_error,
                                       .close = port_close};

/* --- the conductor's side --- */

static void tell(int engine, const rj_engine_command_t *command)
{
    expect(rj_ring_spsc_push(rj_engine_command_ring(runners[engine].engine), command),
           "a ring of commands is full");
}

static void tell_all(rj_engine_command_type_t type)
{
    const rj_engine_command_t command = {.type = type,
                                         .receive_endpoint = endpoint,
                                         .receive_destination = destination,
                                         .stream_id = STREAM_LOG_STREAM};
    for (int i = 0; i < ENGINES; i++)
        tell(i, &command);
}

/* Other news, of setups and losses, is nothing to this conductor. */
static void await(int engine, rj_engine_event_type_t type)
{
    rj_engine_event_t event;
    for (;;) {
        if (!rj_ring_spsc_pop(rj_engine_event_ring(runners[engine].engine), &event))
            rj_clock_sleep_ns(PAUSE_NS);
        else if (event.type == type)
            return;
    }
}

typedef struct granted_image {
    rj_received_image_t received; /* first: engines know it by this address */
    rj_log_t log;
    int64_t hwm, rcv_pos, naks, sub_pos;
    rj_subscriber_position_t subscriber;
} granted_image_t;

static granted_image_t *make_image(void)
{
    granted_image_t *image = calloc(1, sizeof(*image));
    expect(image != NULL, "no memory");
    stream_log_open(&image->log, RJ_LOG_TYPE_IMAGE, TERM, STREAM_LOG_MTU, 0);
    const rj_network_image_config_t config = {
        .session_id = STREAM_LOG_SESSION,
        .stream_id = STREAM_LOG_STREAM,
        .window_bytes = TERM / 2,
        .sm_timeout_ns = 1000000,
        .liveness_timeout_ns = INT64_C(10000000000),
        .is_reliable = true,
        .loss = {.delay_ns = 1000, .retry_ns = 100000, .is_explicit = true},
        .congestion = {.ops = &rj_congestion_static, .mtu = STREAM_LOG_MTU}};
    const rj_network_image_counters_t values = {&image->hwm, &image->rcv_pos, &image->naks};
    const int64_t now_ns = rj_clock_mono_ns();
    const rj_address_t source = {.port = 4000};
    rj_network_image_init(&image->received.image, &config, &values, &image->log, now_ns);
    image->subscriber.counter = &image->sub_pos;
    expect(rj_network_image_add_subscriber(&image->received.image, &image->subscriber),
           "a new image takes no subscriber");
    (void)rj_received_image_connect(&image->received, destination, NULL, &source, now_ns);
    image->received.told_paths = 1;
    return image;
}

/* Reads what came until it is enough, and has the ports send what follows. */
static void read_stream(granted_image_t *image)
{
    for (int64_t position = 0; position < GOAL;) {
        rj_store_release_i64(&script_position, position);
        rj_clock_sleep_ns(PAUSE_NS);
        /* Acquire: pairs with the release of the engine that put the bytes there. */
        position = rj_load_acquire_i64(&image->rcv_pos);
        rj_store_release_i64(&image->sub_pos, position);
    }
    rj_store_release_i64(&script_position, -1);
}

static void give_session(int owner)
{
    granted_image_t *image = make_image();
    rj_engine_command_t command = {.type = RJ_ENGINE_ADD_IMAGE,
                                   .receive_endpoint = endpoint,
                                   .stream_id = STREAM_LOG_STREAM,
                                   .session_id = STREAM_LOG_SESSION,
                                   .image = &image->received.image,
                                   .engine = owner};
    tell(owner, &command);
    command.type = RJ_ENGINE_ADD_SESSION;
    if (owner != HOME)
        tell(HOME, &command);
    read_stream(image);
    command.type = RJ_ENGINE_REMOVE_IMAGE;
    tell(owner, &command);
    await(owner, RJ_ENGINE_IMAGE_RELEASED);
    command.type = RJ_ENGINE_REMOVE_SESSION;
    if (owner != HOME)
        tell(HOME, &command);
    command.type = RJ_ENGINE_END_COOL_DOWN;
    tell(HOME, &command);
    rj_log_close(&image->log);
    free(image);
}

static void *run_engine(void *argument)
{
    runner_t *runner = argument;
    while (rj_load_acquire_i32(&runner->is_running) != 0) {
        if (rj_engine_do_work(runner->engine, rj_clock_mono_ns()) == 0)
            rj_clock_sleep_ns(PAUSE_NS);
    }
    return NULL;
}

/* --- all of it --- */

static void start(void)
{
    rj_engine_t *engines[ENGINES];
    for (int id = 0; id < RJ_SYSTEM_COUNTER_COUNT; id++)
        system_counters.values[id] = &counters[id];
    for (int i = 0; i < ENGINES; i++) {
        ports[i].base.ops = &port_ops;
        ports[i].index = i;
        const rj_engine_params_t params = {.ports = {&ports[i].base},
                                           .port_count = 1,
                                           .system_counters = &system_counters,
                                           .receive_batch = BATCH,
                                           .halves = RJ_ENGINE_BOTH,
                                           .index = i};
        expect(rj_engine_open(&engines[i], &params, NULL) == 0, "an engine does not open");
    }
    expect(rj_engine_join(engines, ENGINES, NULL) == 0, "engines do not join");
    for (int i = 0; i < ENGINES; i++) {
        runners[i].engine = engines[i];
        runners[i].is_running = 1;
        pthread_create(&runners[i].thread, NULL, run_engine, &runners[i]);
    }
}

static void open_endpoint(int64_t id)
{
    endpoint = calloc(1, sizeof(*endpoint));
    expect(endpoint != NULL, "no memory");
    endpoint->home = HOME;
    destination = calloc(1, sizeof(*destination));
    expect(destination != NULL, "no memory");
    destination->endpoint = endpoint;
    destination->base =
        (rj_endpoint_t){.kind = RJ_ENDPOINT_RECEIVE, .id = id, .home = HOME, .slot = -1};
    expect(rj_dispatcher_open(&endpoint->dispatcher, 16, 16, 16) == 0, "no memory");
    tell_all(RJ_ENGINE_ADD_RECEIVE_ENDPOINT);
    tell_all(RJ_ENGINE_ADD_RECEIVE_DESTINATION);
    const rj_engine_command_t interest = {.type = RJ_ENGINE_ADD_INTEREST,
                                          .receive_endpoint = endpoint,
                                          .stream_id = STREAM_LOG_STREAM};
    tell(HOME, &interest);
}

/* Once all have released it nobody may touch it, whatever is still on its way. */
static void close_endpoint(void)
{
    tell_all(RJ_ENGINE_REMOVE_RECEIVE_DESTINATION);
    tell_all(RJ_ENGINE_REMOVE_RECEIVE_ENDPOINT);
    for (int i = 0; i < ENGINES; i++) {
        await(i, RJ_ENGINE_RECEIVE_DESTINATION_RELEASED);
        await(i, RJ_ENGINE_RECEIVE_ENDPOINT_RELEASED);
    }
    rj_dispatcher_close(endpoint->dispatcher);
    free(destination);
    free(endpoint);
}

static void stop(void)
{
    int64_t forwarded = 0;
    for (int i = 0; i < ENGINES; i++)
        rj_store_release_i32(&runners[i].is_running, 0);
    for (int i = 0; i < ENGINES; i++) {
        pthread_join(runners[i].thread, NULL);
        forwarded += rj_engine_stats(runners[i].engine)->frames_forwarded;
    }
    expect(forwarded > 0, "no frame came to the wrong engine");
    for (int i = 0; i < ENGINES; i++)
        rj_engine_close(runners[i].engine);
}

int main(void)
{
    stream_log_open(&numbers, RJ_LOG_TYPE_IMAGE, TERM, STREAM_LOG_MTU, 0);
    start();
    for (int round = 0; round < ROUNDS; round++) {
        open_endpoint(round + 1);
        for (int owner = 0; owner < ENGINES; owner++)
            give_session(owner);
        close_endpoint();
    }
    stop();
    rj_log_close(&numbers);
    return 0;
}
