/* SPDX-License-Identifier: Apache-2.0 */
/* What clients may do to a driver with the records of the command ring: any bytes, any order, any
 * time between them. The driver is whole, but for its wire, which is a loop in memory.
 *
 * An input is a list of operations:
 *     0x00 n                   time passes: n + 1 times 50 ms
 *     0x01 type:i32 length:u8  a raw record of so many bytes that follow
 *     0x02..0x13 client length:u8
 *                              a command of type op - 1: what follows the header of its body; ids
 *                              and lengths are replaced by ones that make sense, and so is, in a
 *                              channel, `#` with the byte behind it, by the digits of an id
 *     above                    op % 8 turns of every agent
 *
 * It must not crash; each command in order is answered exactly once; what is said to come and go
 * comes before it goes, once each; and when the clients are gone nothing is left of them. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ramjet/command.h>

#include "base/bits.h"
#include "driver/driver.h"
#include "shm/broadcast.h"
#include "shm/cnc.h"
#include "shm/counters.h"
#include "shm/ring_mpsc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    SOCKETS_MAX = 48,
    DATAGRAMS_MAX = 64,
    DATAGRAM_BYTES_MAX = 2048,
    INPUTS_PER_DRIVER = 64,
    BODY_BYTES_MAX = 256,
    CLIENTS = 3,
    TURNS_MAX = 100000,
    STEPS_MAX = 1000,
    STEP_NS = 50000000,
    TICK_NS = 1000000001, /* just above the timer's interval */
};

/* Above all correlation ids: a heartbeat's events carry the client id in their place. */
static const int64_t client_base = INT64_C(1) << 40;

/* --- a wire that is a loop --- */

typedef struct fake_socket {
    bool is_open;
    rj_address_t local;
} fake_socket_t;

typedef struct datagram {
    rj_address_t source;
    rj_address_t destination;
    uint32_t length_bytes;
    uint8_t bytes[DATAGRAM_BYTES_MAX];
} datagram_t;

typedef struct fake_port {
    rj_port_t base;
    rj_endpoint_t *endpoints[SOCKETS_MAX];
    int endpoint_count;
    uint64_t next_number;
    datagram_t given; /* lent to the engine until the next poll */
} fake_port_t;

static struct {
    fake_socket_t sockets[SOCKETS_MAX];
    uint16_t next_port;
    datagram_t queue[DATAGRAMS_MAX];
    int queued;
} net;

static bool is_taken(uint16_t port)
{
    for (int i = 0; i < SOCKETS_MAX; i++) {
        if (net.sockets[i].is_open && net.sockets[i].local.port == port)
            return true;
    }
    return false;
}

static int open_socket(rj_sockets_t *sockets, const rj_socket_params_t *params,
                       rj_socket_info_t *ret_info, rj_err_t *err)
{
    (void)sockets;
    rj_address_t local = params->bind;
    if (local.port != 0 && is_taken(local.port))
        return rj_fail(err, -EADDRINUSE, "failed to bind to address: Address already in use");
    while (local.port == 0 || is_taken(local.port))
        local.port = net.next_port++;
    for (int i = 0; i < SOCKETS_MAX; i++) {
        if (net.sockets[i].is_open)
            continue;
        net.sockets[i] = (fake_socket_t){true, local};
        *ret_info = (rj_socket_info_t){i, local, 212992, 212992, params->wants_media_time};
        return 0;
    }
    return rj_fail(err, -EMFILE, "socket: Too many open files");
}

static void close_socket(rj_sockets_t *sockets, int socket)
{
    (void)sockets;
    assert(net.sockets[socket].is_open);
    net.sockets[socket].is_open = false;
}

static int socket_defaults(rj_sockets_t *sockets, int32_t *ret_sndbuf, int32_t *ret_rcvbuf,
                           int32_t *ret_sndbuf_max, int32_t *ret_rcvbuf_max, rj_err_t *err)
{
    (void)sockets;
    (void)err;
    *ret_sndbuf = *ret_rcvbuf = *ret_sndbuf_max = *ret_rcvbuf_max = 212992;
    return 0;
}

static int fake_send(rj_port_t *port, rj_run_t *runs, size_t count)
{
    fake_port_t *self = (fake_port_t *)port;
    for (size_t i = 0; i < count; i++) {
        rj_run_t *run = &runs[i];
        run->number = self->next_number++;
        run->result = (int32_t)run->total_bytes;
        assert(net.sockets[run->path->endpoint->socket].is_open);
        for (uint32_t at = 0; at < run->total_bytes; at += run->segment_bytes) {
            uint32_t length = (uint32_t)rj_min_i64(run->segment_bytes, run->total_bytes - at);
            if (net.queued == DATAGRAMS_MAX || length > DATAGRAM_BYTES_MAX)
                continue;
            datagram_t *datagram = &net.queue[net.queued++];
            datagram->source = net.sockets[run->path->endpoint->socket].local;
            datagram->destination = run->path->address;
            datagram->length_bytes = length;
            memcpy(datagram->bytes, run->start + at, length);
        }
    }
    return (int)count;
}

static rj_endpoint_t *find_endpoint(const fake_port_t *port, const rj_address_t *destination)
{
    for (int i = 0; i < port->endpoint_count; i++) {
        if (net.sockets[port->endpoints[i]->socket].local.port == destination->port)
            return port->endpoints[i];
    }
    return NULL;
}

static int fake_poll(rj_port_t *port, rj_packet_t *packets, size_t count, int64_t now_ns)
{
    fake_port_t *self = (fake_port_t *)port;
    (void)count;
    for (int i = 0; i < net.queued; i++) {
        rj_endpoint_t *endpoint = find_endpoint(self, &net.queue[i].destination);
        if (endpoint == NULL)
            continue;
        self->given = net.queue[i];
        net.queued--;
        memmove(&net.queue[i], &net.queue[i + 1], (size_t)(net.queued - i) * sizeof(net.queue[0]));
        packets[0] = (rj_packet_t){.data = self->given.bytes,
                                   .length_bytes = self->given.length_bytes,
                                   .endpoint = endpoint,
                                   .receive_time_ns = now_ns,
                                   .source = self->given.source};
        return 1;
    }
    return 0;
}

static uint64_t fake_reclaim(rj_port_t *port)
{
    return ((fake_port_t *)port)->next_number;
}

static int fake_attach(rj_port_t *port, rj_endpoint_t *endpoint, rj_attach_role_t role)
{
    fake_port_t *self = (fake_port_t *)port;
    if (role == RJ_ATTACH_GUEST)
        return 0;
    assert(self->endpoint_count < SOCKETS_MAX);
    endpoint->slot = self->endpoint_count;
    self->endpoints[self->endpoint_count++] = endpoint;
    return 0;
}

static void fake_detach(rj_port_t *port, rj_endpoint_t *endpoint, rj_attach_role_t role)
{
    fake_port_t *self = (fake_port_t *)port;
    if (role == RJ_ATTACH_GUEST)
        return;
    assert(self->endpoints[endpoint->slot] == endpoint);
    self->endpoints[endpoint->slot] = self->endpoints[--self->endpoint_count];
    self->endpoints[endpoint->slot]->slot = endpoint->slot;
    endpoint->slot = -1;
}

static int fake_take_error(rj_port_t *port, rj_endpoint_t **ret_endpoint)
{
    (void)port;
    (void)ret_endpoint;
    return 0;
}

static void fake_close(rj_port_t *port)
{
    (void)port;
}

static uint32_t path_mtu(rj_sockets_t *sockets, int socket)
{
    (void)sockets;
    (void)socket;
    return 0;
}

static int reconnect(rj_sockets_t *sockets, int socket, bool is_anywhere,
                     const rj_address_t *address, rj_address_t *ret_local)
{
    (void)sockets;
    (void)socket;
    (void)is_anywhere;
    (void)address;
    (void)ret_local;
    return -ENETUNREACH;
}

static const rj_sockets_ops_t socket_ops = {open_socket, close_socket, socket_defaults, path_mtu,
                                            reconnect};
static const rj_port_ops_t port_ops = {
    .name = "loop",
    .send = fake_send,
    .poll = fake_poll,
    .reclaim = fake_reclaim,
    .attach = fake_attach,
    .detach = fake_detach,
    .take_error = fake_take_error,
    .close = fake_close,
};

static int open_port(void *state, int index, const rj_port_params_t *params, rj_port_t **ret_port,
                     rj_err_t *err)
{
    static fake_port_t ports[2];
    (void)state;
    (void)params;
    (void)err;
    ports[index] = (fake_port_t){.base = {.ops = &port_ops}};
    *ret_port = &ports[index].base;
    return 0;
}

static int resolve_any(rj_resolver_t *resolver, const char *host, uint16_t family,
                       rj_resolve_reason_t reason, rj_address_t *ret, rj_err_t *err)
{
    static const uint8_t local_host[] = {127, 0, 0, 1};
    (void)resolver;
    (void)reason;
    if (host[0] == 'x' || family == AF_INET6)
        return rj_fail_aeron(err, -EINVAL, RJ_ERROR_UNKNOWN_HOST, "Unable to resolve host=(%s)",
                             host);
    *ret = rj_address_ipv4(local_host, 0);
    return 0;
}

static int read_interfaces(rj_interface_t *interfaces, size_t count_max, rj_err_t *err)
{
    static const uint8_t local_host[] = {127, 0, 0, 1};
    (void)count_max;
    (void)err;
    interfaces[0] = (rj_interface_t){"lo", 1, RJ_INTERFACE_UP | RJ_INTERFACE_LOOPBACK,
                                     rj_address_ipv4(local_host, 0), 8};
    return 1;
}

/* --- the driver, and what it has said --- */

/* What was said about one id, or one pair of ids. */
typedef struct said {
    int64_t a, b;
    int come;
    int gone;
} said_t;

typedef struct told {
    said_t rows[2048];
    int count;
} told_t;

static struct {
    rj_driver_t *driver;
    rj_cnc_t cnc;
    rj_ring_mpsc_t ring;
    rj_broadcast_receiver_t events;
    rj_counters_reader_t counters;
    int engine_count;
    int age; /* inputs served */
    int64_t mapped_bytes;
    int64_t now_ns;
    int64_t epoch_ms;
    told_t answers;  /* by correlation id: asked for, answered */
    told_t images;   /* by image and subscription */
    told_t counted;  /* by registration id and counter id */
    int64_t ids[64]; /* that commands may name */
    int id_count;
    int way_count; /* receive destinations asked for: what is there twice is read twice */
} rig;

static said_t *said_of(told_t *told, int64_t a, int64_t b)
{
    for (int i = 0; i < told->count; i++) {
        if (told->rows[i].a == a && told->rows[i].b == b)
            return &told->rows[i];
    }
    if (told->count == (int)(sizeof(told->rows) / sizeof(told->rows[0])))
        return NULL;
    told->rows[told->count] = (said_t){.a = a, .b = b};
    return &told->rows[told->count++];
}

static void come(told_t *told, int64_t a, int64_t b)
{
    said_t *said = said_of(told, a, b);
    if (said != NULL)
        said->come++;
}

static void go(told_t *told, int64_t a, int64_t b)
{
    said_t *said = said_of(told, a, b);
    if (said == NULL)
        return;
    said->gone++;
    assert(said->gone <= said->come);
}

/* An answer to nothing we asked in order: a raw record asked. */
static void answer(int64_t correlation_id)
{
    for (int i = 0; i < rig.answers.count; i++) {
        if (rig.answers.rows[i].a == correlation_id)
            go(&rig.answers, correlation_id, 0);
    }
}

static void remember(int64_t id)
{
    if (rig.id_count < (int)(sizeof(rig.ids) / sizeof(rig.ids[0])))
        rig.ids[rig.id_count++] = id;
}

static void on_event(int32_t type, const uint8_t *body, int32_t length)
{
    rj_event_available_image_t image;
    rj_event_unavailable_image_t gone;
    rj_event_counter_t counter;
    rj_event_publication_error_t error;
    int64_t id;
    assert(length >= (int32_t)sizeof(id));
    memcpy(&id, body, sizeof(id));
    switch (type) {
    case RJ_EVENT_AVAILABLE_IMAGE:
        memcpy(&image, body, sizeof(image));
        come(&rig.images, id, image.subscription_registration_id);
        remember(id);
        break;
    case RJ_EVENT_UNAVAILABLE_IMAGE:
        memcpy(&gone, body, sizeof(gone));
        assert(gone.channel_length == length - (int32_t)sizeof(gone));
        go(&rig.images, id, gone.subscription_registration_id);
        break;
    case RJ_EVENT_COUNTER_READY:
    case RJ_EVENT_UNAVAILABLE_COUNTER:
        memcpy(&counter, body, sizeof(counter));
        if (type == RJ_EVENT_COUNTER_READY) {
            come(&rig.counted, id, counter.counter_id);
            answer(id);
        } else {
            go(&rig.counted, id, counter.counter_id);
        }
        break;
    case RJ_EVENT_PUBLICATION_ERROR:
        assert(length >= RJ_EVENT_PUBLICATION_ERROR_BYTES_MIN);
        memcpy(&error, body, sizeof(error));
        assert(error.message_length >= 0 &&
               error.message_length <= length - (int32_t)sizeof(error));
        break;
    case RJ_EVENT_CLIENT_TIMEOUT:
        break;
    default:
        assert(type >= RJ_EVENT_ERROR && type <= RJ_EVENT_NEXT_AVAILABLE_SESSION_ID);
        answer(id);
        break;
    }
}

static void read_events(void)
{
    static uint8_t body[131072];
    int32_t type;
    int32_t length;
    while ((length = rj_broadcast_receive(&rig.events, &type, body, sizeof(body))) != -EAGAIN) {
        assert(length >= 0); /* nobody laps us: events are paced */
        on_event(type, body, length);
    }
}

static int turn(void)
{
    int work = 0;
    for (int i = 0; i < rig.engine_count; i++)
        work += rj_driver_engine_work(rig.driver, i, rig.now_ns);
    work += rj_driver_helper_work(rig.driver, rig.now_ns);
    work += rj_driver_conductor_work(rig.driver, rig.now_ns, rig.epoch_ms);
    read_events();
    return work;
}

static void run_until_quiet(void)
{
    int turns = 0;
    for (int quiet = 0; quiet < 3; turns++) {
        assert(turns < TURNS_MAX);
        quiet = turn() > 0 ? 0 : quiet + 1;
    }
}

static void pass(int64_t ns)
{
    rig.now_ns += ns;
    rig.epoch_ms += ns / 1000000;
    run_until_quiet();
}

static int64_t mono_ns(void)
{
    return rig.now_ns;
}

static void configure(rj_driver_config_t *config, rj_threading_mode_t mode)
{
    rj_config_read(config, rj_config_environment, NULL, NULL);
    snprintf(config->dir, sizeof(config->dir), "/dev/shm/rj-fuzz-command-%d", (int)getpid());
    config->dir_delete_on_start = true;
    config->dir_delete_on_shutdown = true;
    config->counters_values_bytes = 64 * 1024;
    config->term_bytes = 64 * 1024;
    config->ipc_term_bytes = 64 * 1024;
    config->counter_free_to_reuse_ns = 0;
    config->threading_mode = mode;
}

static int64_t mapped_bytes(void)
{
    rj_counter_view_t view;
    rj_counters_read(&rig.counters, RJ_SYSTEM_BYTES_CURRENTLY_MAPPED, &view);
    return view.value;
}

static void open_driver(rj_threading_mode_t mode)
{
    static const rj_resolver_ops_t resolver_ops = {.name = "any", .resolve = resolve_any};
    static rj_resolver_t resolver = {&resolver_ops};
    static rj_sockets_t sockets = {&socket_ops};
    memset(&rig, 0, sizeof(rig));
    rig.now_ns = 1000000000;
    rig.epoch_ms = 1700000000000;
    net.next_port = 40000;
    net.queued = 0;
    rj_driver_config_t config;
    configure(&config, mode);
    rj_driver_world_t world = {.sockets = &sockets,
                               .resolver = &resolver,
                               .read_interfaces = read_interfaces,
                               .mono_ns = mono_ns,
                               .open_port = open_port,
                               .pid = 1,
                               .seed = 42};
    rj_err_t err;
    int result = rj_driver_prepare_dir(&config, rig.epoch_ms, RJ_DIR_HAS_WAITED, &err);
    if (result == 0)
        result = rj_driver_open(&rig.driver, &config, &world, rig.epoch_ms, &err);
    if (result == 0)
        result = rj_cnc_try_map(&rig.cnc, config.dir, RJ_MAPFILE_READ_WRITE, &err);
    if (result < 0) {
        fprintf(stderr, "no driver: %s\n", err.text);
        abort();
    }
    rig.engine_count = rj_driver_engine_count(rig.driver);
    rj_ring_mpsc_attach(&rig.ring, rig.cnc.to_driver.bytes, rig.cnc.to_driver.length_bytes);
    rj_broadcast_receiver_attach(&rig.events, rig.cnc.to_clients.bytes,
                                 rig.cnc.to_clients.length_bytes);
    rj_counters_reader_init(&rig.counters, rig.cnc.counters_metadata.bytes,
                            rig.cnc.counters_metadata.length_bytes, rig.cnc.counters_values.bytes,
                            rig.cnc.counters_values.length_bytes);
    rig.mapped_bytes = mapped_bytes();
}

static void close_driver(void)
{
    if (rig.driver == NULL)
        return;
    rj_cnc_close(&rig.cnc);
    rj_driver_close(rig.driver);
    rig.driver = NULL;
}

/* A driver serves many inputs, for each leaves it as it found it; not more, for its error log fills
 * and time runs out. */
static void renew_driver(void)
{
    static rj_threading_mode_t mode = RJ_THREADING_SHARED;
    static bool has_run = false;
    if (rig.driver != NULL && rig.age < INPUTS_PER_DRIVER && rig.now_ns < INT64_MAX / 4)
        return;
    if (!has_run)
        atexit(close_driver);
    has_run = true;
    close_driver();
    open_driver(mode);
    mode = mode == RJ_THREADING_SHARED ? RJ_THREADING_DEDICATED : RJ_THREADING_SHARED;
}

/* --- the operations --- */

typedef struct input {
    const uint8_t *bytes;
    size_t left;
    int steps_left; /* of time: an input may be long, but not take long */
} input_t;

static uint8_t take_byte(input_t *input)
{
    if (input->left == 0)
        return 0;
    input->left--;
    return *input->bytes++;
}

static size_t take_bytes(input_t *input, uint8_t *to, size_t count)
{
    count = count < input->left ? count : input->left;
    memcpy(to, input->bytes, count);
    input->bytes += count;
    input->left -= count;
    return count;
}

static void write_record(int32_t type, const uint8_t *body, size_t length)
{
    while (rj_ring_mpsc_write(&rig.ring, type, body, (int32_t)length) == -EAGAIN)
        pass(STEP_NS);
}

static void on_raw(input_t *input)
{
    uint8_t body[BODY_BYTES_MAX] = {0};
    int32_t type = 0;
    take_bytes(input, (uint8_t *)&type, sizeof(type));
    size_t length = take_bytes(input, body, take_byte(input));
    /* Nobody's ids but its own, so that what it gets is not taken for another's answer. */
    if (length >= sizeof(rj_command_header_t)) {
        body[7] |= 0x20;
        body[15] |= 0x40;
    }
    if (type >= 1)
        write_record(type, body, length);
}

static int64_t any_id(const uint8_t *byte)
{
    return rig.id_count == 0 ? *byte : rig.ids[*byte % rig.id_count];
}

static void put_i32(uint8_t *at, size_t value)
{
    const int32_t word = (int32_t)value;
    memcpy(at, &word, sizeof(word));
}

static void put_id(uint8_t *at)
{
    const int64_t id = any_id(at);
    memcpy(at, &id, sizeof(id));
}

/* A key of up to seven bytes at `at`, what is left is the label. */
static void put_key_and_label(uint8_t *body, size_t at, size_t *length)
{
    const size_t key_length = body[at] % 8;
    const size_t label_at = at + sizeof(int32_t) + (key_length + 3) / 4 * 4;
    put_i32(body + at, key_length);
    if (*length < label_at + sizeof(int32_t))
        *length = label_at + sizeof(int32_t);
    put_i32(body + label_at, *length - label_at - sizeof(int32_t));
}

/* Puts ids into a text that begins at `at`; returns the body's new length. */
static size_t put_ids(uint8_t *body, size_t at, size_t length, size_t length_max)
{
    for (size_t i = at; i + 1 < length; i++) {
        if (body[i] != '#')
            continue;
        char digits[24];
        const size_t count =
            (size_t)snprintf(digits, sizeof(digits), "%lld", (long long)any_id(&body[i + 1]));
        if (length - 2 + count > length_max)
            break;
        memmove(body + i + count, body + i + 2, length - i - 2);
        memcpy(body + i, digits, count);
        length += count - 2;
    }
    return length;
}

/* Puts a body in order for its type; returns its length. The buffer is larger than any fixed part.
 */
static size_t put_in_order(int32_t type, uint8_t *body, size_t length)
{
    size_t fixed = sizeof(rj_command_header_t);
    switch (type) {
    case RJ_COMMAND_ADD_PUBLICATION:
    case RJ_COMMAND_ADD_EXCLUSIVE_PUBLICATION:
        fixed = sizeof(rj_command_publication_t);
        put_i32(body + 16, body[16] % 3);
        break;
    case RJ_COMMAND_ADD_SUBSCRIPTION:
        fixed = sizeof(rj_command_subscription_t);
        put_i32(body + 24, body[24] % 3);
        break;
    case RJ_COMMAND_REMOVE_PUBLICATION:
    case RJ_COMMAND_REMOVE_DESTINATION_BY_ID:
        put_id(body + 16);
        return sizeof(rj_command_remove_publication_t);
    case RJ_COMMAND_REMOVE_SUBSCRIPTION:
    case RJ_COMMAND_REMOVE_COUNTER:
        put_id(body + 16);
        return sizeof(rj_command_remove_t);
    case RJ_COMMAND_ADD_DESTINATION:
    case RJ_COMMAND_REMOVE_DESTINATION:
    case RJ_COMMAND_ADD_RCV_DESTINATION:
    case RJ_COMMAND_REMOVE_RCV_DESTINATION:
        rig.way_count += type == RJ_COMMAND_ADD_RCV_DESTINATION;
        put_id(body + 16);
        fixed = sizeof(rj_command_destination_t);
        break;
    case RJ_COMMAND_REJECT_IMAGE:
        put_id(body + 16);
        fixed = sizeof(rj_command_reject_image_t);
        break;
    case RJ_COMMAND_TERMINATE_DRIVER:
    case RJ_COMMAND_GET_NEXT_AVAILABLE_SESSION_ID:
        fixed = sizeof(rj_command_terminate_t);
        break;
    case RJ_COMMAND_ADD_COUNTER:
        put_key_and_label(body, 20, &length);
        return length;
    case RJ_COMMAND_ADD_STATIC_COUNTER:
        put_key_and_label(body, 28, &length);
        return length;
    default:
        return fixed;
    }
    length = length < fixed ? fixed : length;
    if (type != RJ_COMMAND_REJECT_IMAGE)
        length = put_ids(body, fixed, length, 2 * BODY_BYTES_MAX);
    if (type != RJ_COMMAND_GET_NEXT_AVAILABLE_SESSION_ID)
        put_i32(body + fixed - sizeof(int32_t), length - fixed);
    return length;
}

static bool is_answered(int32_t type)
{
    return type != RJ_COMMAND_CLIENT_KEEPALIVE && type != RJ_COMMAND_CLIENT_CLOSE &&
           type != RJ_COMMAND_TERMINATE_DRIVER;
}

static void on_command(input_t *input, int32_t type)
{
    uint8_t body[2 * BODY_BYTES_MAX] = {0};
    const rj_command_header_t header = {client_base + take_byte(input) % CLIENTS,
                                        rj_ring_mpsc_next_correlation_id(&rig.ring)};
    /* The ids are no part of the input, so that it is all text. */
    size_t length = sizeof(header);
    length += take_bytes(input, body + length, take_byte(input));
    memcpy(body, &header, sizeof(header));
    length = put_in_order(type, body, length);
    if (is_answered(type))
        come(&rig.answers, header.correlation_id, 0);
    remember(header.correlation_id);
    write_record(type, body, length);
}

static void operate(input_t *input)
{
    const uint8_t op = take_byte(input);
    if (op == 0) {
        for (int steps = take_byte(input) + 1; steps > 0 && input->steps_left > 0; steps--) {
            pass(STEP_NS);
            input->steps_left--;
        }
    } else if (op == 1) {
        on_raw(input);
    } else if (op <= 1 + RJ_COMMAND_GET_NEXT_AVAILABLE_SESSION_ID) {
        on_command(input, op - 1);
    } else {
        for (int turns = op % 8; turns > 0; turns--)
            turn();
    }
}

/* --- what must hold --- */

static void check_answers(void)
{
    const int64_t *head = &rig.ring.trailer->head_position;
    while (rj_load_acquire_i64(head) != rj_ring_mpsc_producer_position(&rig.ring))
        pass(STEP_NS);
    pass(STEP_NS);
    for (int i = 0; i < rig.answers.count; i++)
        assert(rig.answers.rows[i].gone == 1);
}

/* Clients that are silent are gone, and what they had; where a linger is long, time jumps. */
static void outlive_all(void)
{
    for (int i = 0; i < 32 && (i < 12 || mapped_bytes() != rig.mapped_bytes); i++)
        pass(TICK_NS);
    if (mapped_bytes() != rig.mapped_bytes)
        pass(RJ_CONFIG_DURATION_NS_MAX);
    for (int i = 0; i < 8; i++)
        pass(TICK_NS);
}

static void check_nothing_left(void)
{
    int32_t cursor = RJ_SYSTEM_COUNTER_COUNT;
    rj_counter_view_t view;
    while (rj_counters_next(&rig.counters, &cursor, &view))
        assert(view.owner_id == -1);
    assert(mapped_bytes() == rig.mapped_bytes);
    for (int i = 0; i < SOCKETS_MAX; i++)
        assert(!net.sockets[i].is_open);
    /* A reader who leaves is not told; who was rejected, or rested, may have been there before. */
    for (int i = 0; i < rig.images.count; i++)
        assert(rig.images.rows[i].come - rig.images.rows[i].gone <= 1 + rig.way_count);
    for (int i = 0; i < rig.counted.count; i++)
        assert(rig.counted.rows[i].come == rig.counted.rows[i].gone);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    renew_driver();
    rig.age++;
    rig.answers.count = rig.images.count = rig.counted.count = rig.id_count = 0;
    rig.way_count = 0;
    input_t input = {data, size, STEPS_MAX};
    while (input.left > 0)
        operate(&input);
    check_answers();
    outlive_all();
    check_nothing_left();
    return 0;
}
