/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map64.h"
#include "ramjet/command.h"
#include "ramjet/shm.h"
#include "shm/cnc.h"
#include "shm/counters.h"
#include "shm/dir.h"

enum {
    ROUNDS_MAX = 200000, /* at one instant: more is a livelock */
    STEP_MIN_NS = 10000, /* a deadline that is over already must not stop time */
    STEP_MAX_NS = 20000000,
    COUNTER_CHECK_NS = 50000000,
    TERM_MIN_BYTES = 65536,
    GOSSIP_PORT = 8050,
};

static const int64_t epoch_base_ms = INT64_C(1700000000000);

jmp_buf sim_failure;
char sim_failure_text[1024];
static world_t *current; /* the helper's clock has no argument */

typedef struct host {
    sim_host_t *net;
    rj_driver_t *driver;
    sim_feed_t *feed;
    sim_steer_t *steer;
    rj_resolver_t resolver;
    char directory[256];
    char name[16]; /* of its driver, where they tell each other */
    char gossip_address[64];
    bool is_crashed;
    int64_t paused_until_ns;
} host_t;

typedef struct world_client {
    rj_client_t *client;
    int host;
    bool is_dead;
} world_client_t;

typedef struct task {
    world_task_t run;
    void *state;
} task_t;

/* What a counter's value was when last looked at, to see that it never goes back. */
typedef struct position_memory {
    int64_t registration_id;
    int64_t value;
} position_memory_t;

struct world {
    world_params_t params;
    sim_net_t *net;
    rj_prng_t prng;
    host_t hosts[SIM_HOSTS_MAX];
    const host_t *stepped; /* whose driver is at work */
    world_client_t clients[WORLD_CLIENTS_MAX];
    int client_count;
    task_t tasks[WORLD_TASKS_MAX];
    int task_count;
    int64_t next_check_ns;
    position_memory_t memory[SIM_HOSTS_MAX][4096];
};

void sim_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(sim_failure_text, sizeof(sim_failure_text), format, args);
    va_end(args);
    sim_alloc_forbid(false);
    longjmp(sim_failure, 1);
}

/* --- what a driver gets instead of the outside --- */

static int64_t virtual_mono_ns(void)
{
    return sim_net_now_ns(current->net);
}

static int64_t virtual_epoch_ns(void)
{
    return epoch_base_ms * 1000000 + sim_net_now_ns(current->net);
}

/* Asked for by the helper of the driver that is being stepped. */
static int read_interfaces(rj_interface_t *interfaces, size_t count_max, rj_err_t *err)
{
    (void)err;
    (void)count_max;
    interfaces[0] = sim_host_interface(current->stepped->net);
    return 1;
}

static int resolve_nothing(rj_resolver_t *resolver, const char *host, uint16_t family,
                           rj_resolve_reason_t reason, rj_address_t *ret, rj_err_t *err)
{
    (void)resolver;
    (void)family;
    (void)reason;
    (void)ret;
    return rj_fail_aeron(err, -ENOENT, RJ_ERROR_UNKNOWN_HOST, "Unable to resolve host=(%s)", host);
}

static const rj_resolver_ops_t resolver_ops = {.name = "sim", .resolve = resolve_nothing};

static int64_t epoch_ms(const world_t *world)
{
    return epoch_base_ms + sim_net_now_ns(world->net) / 1000000;
}

/* Settings of a simulated driver: small buffers, for hundreds of them are made. */
static const char *setting(const char *name, const void *state)
{
    static const char *const rows[][2] = {{"AERON_COUNTERS_BUFFER_LENGTH", "1m"},
                                          {"AERON_TERM_BUFFER_LENGTH", "64k"},
                                          {"AERON_IPC_TERM_BUFFER_LENGTH", "64k"},
                                          {"AERON_PERFORM_STORAGE_CHECKS", "false"},
                                          {"AERON_DIR_DELETE_ON_SHUTDOWN", "true"}};
    const host_t *host = state;
    const world_params_t *params = &current->params;
    if (params->has_names && strcmp(name, "AERON_NAME_RESOLVER_SUPPLIER") == 0)
        return "driver";
    if (params->has_names && strcmp(name, "AERON_DRIVER_RESOLVER_NAME") == 0)
        return host->name;
    if (params->has_names && strcmp(name, "AERON_DRIVER_RESOLVER_INTERFACE") == 0)
        return host->gossip_address;
    if (params->has_names && strcmp(name, "AERON_DRIVER_RESOLVER_BOOTSTRAP_NEIGHBOR") == 0)
        return current->hosts[0].gossip_address;
    if (params->nak_delay_is_explicit && strcmp(name, "AERON_NAK_UNICAST_DELAY") == 0)
        return "1us";
    if (params->sends_all && strcmp(name, "RAMJET_MDC_STREAM_AWARE") == 0)
        return "false";
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i][0], name) == 0)
            return rows[i][1];
    }
    return NULL;
}

/* A steering program on the host's interface, and what the driver is to know of the network. */
static void open_steering(world_t *world, host_t *host, rj_driver_world_t *outside)
{
    sim_steer_params_t params = world->params.steer;
    params.seed = rj_prng_next(&world->prng);
    params.engine_count = world->params.rings.engine_count;
    host->feed = sim_feed_open(host->net);
    host->steer = sim_steer_open(host->net, host->feed, &params);
    sim_rings_t *rings = sim_host_rings(host->net);
    rings->door = sim_steer_door;
    rings->door_state = host->steer;
    outside->steering = sim_steer_wishes(host->steer);
    outside->feed = sim_feed_base(host->feed);
}

static void open_host(world_t *world, int index)
{
    host_t *host = &world->hosts[index];
    host->net = sim_net_host(world->net, index);
    host->resolver.ops = &resolver_ops;
    snprintf(host->directory, sizeof(host->directory), "%s/h%d", world->params.directory, index);
    *sim_host_rings(host->net) = world->params.rings;
    sim_host_print_address(host->net, GOSSIP_PORT, host->gossip_address,
                           sizeof(host->gossip_address));
    world->stepped = host;
    rj_driver_config_t config;
    rj_config_read(&config, setting, host, NULL);
    config.threading_mode = world->params.threading;
    snprintf(config.dir, sizeof(config.dir), "%s", host->directory);
    rj_driver_world_t outside = {.sockets = sim_host_sockets(host->net),
                                 .resolver = &host->resolver,
                                 .open_gossip_wire = sim_host_open_gossip,
                                 .open_gossip_state = host->net,
                                 .read_interfaces = read_interfaces,
                                 .mono_ns = virtual_mono_ns,
                                 .epoch_ns = virtual_epoch_ns,
                                 .open_port = sim_host_open_port,
                                 .open_port_state = host->net,
                                 .ring_engine_count = world->params.rings.engine_count,
                                 .pid = index + 1,
                                 .seed = rj_prng_next(&world->prng)};
    rj_err_t err = {0};
    if (world->params.is_steered)
        open_steering(world, host, &outside);
    if (rj_driver_prepare_dir(&config, epoch_ms(world), RJ_DIR_HAS_WAITED, &err) < 0 ||
        rj_driver_open(&host->driver, &config, &outside, epoch_ms(world), &err) < 0)
        sim_fail("driver %d does not start: %s", index, err.text);
}

world_t *world_open(const world_params_t *params)
{
    world_t *world = calloc(1, sizeof(*world));
    if (world == NULL)
        abort();
    world->params = *params;
    current = world;
    rj_prng_init(&world->prng, params->seed);
    world->net = sim_net_open(rj_prng_next(&world->prng), params->is_ipv6);
    for (int i = 0; i < params->host_count; i++) {
        snprintf(world->hosts[i].name, sizeof(world->hosts[i].name), "h%d", i);
        open_host(world, i);
    }
    return world;
}

static void close_host(host_t *host)
{
    rj_driver_close(host->driver);
    sim_steer_close(host->steer);
    sim_feed_close(host->feed);
}

void world_close(world_t *world)
{
    for (int i = 0; i < world->client_count; i++)
        rj_client_close(world->clients[i].client);
    for (int i = 0; i < world->params.host_count; i++)
        close_host(&world->hosts[i]);
    sim_net_close(world->net);
    free(world);
}

void world_rename_host(world_t *world, int host, const char *name)
{
    close_host(&world->hosts[host]);
    world->hosts[host].driver = NULL;
    memset(world->memory[host], 0, sizeof(world->memory[host]));
    snprintf(world->hosts[host].name, sizeof(world->hosts[host].name), "%s", name);
    open_host(world, host);
}

sim_net_t *world_net(world_t *world)
{
    return world->net;
}

rj_prng_t *world_prng(world_t *world)
{
    return &world->prng;
}

sim_steer_t *world_steer(world_t *world, int host)
{
    return world->hosts[host].steer;
}

sim_feed_t *world_feed(world_t *world, int host)
{
    return world->hosts[host].feed;
}

rj_path_counts_t world_path_counts(const world_t *world, int host)
{
    return rj_driver_count_paths(world->hosts[host].driver);
}

int64_t world_now_ns(const world_t *world)
{
    return sim_net_now_ns(world->net);
}

/* --- clients --- */

static void on_client_error(void *user, const rj_err_t *err)
{
    const world_t *world = user;
    sim_net_trace_add(world->net, (uint64_t)err->aeron_code);
}

rj_client_t *world_connect(world_t *world, int host)
{
    rj_context_t context;
    rj_context_init(&context);
    context.directory = world->hosts[host].directory;
    context.conductor_mode = RJ_CONDUCTOR_INVOKED;
    context.on_error = on_client_error;
    context.error_user = world;
    rj_err_t err = {0};
    world_client_t *slot = &world->clients[world->client_count];
    if (world->client_count == WORLD_CLIENTS_MAX ||
        rj_client_try_connect(&context, world_now_ns(world), epoch_ms(world), &slot->client, &err) <
            0)
        sim_fail("client of host %d does not connect: %s", host, err.text);
    slot->host = host;
    slot->is_dead = false;
    world->client_count++;
    return slot->client;
}

static world_client_t *slot_of(world_t *world, const rj_client_t *client)
{
    for (int i = 0; i < world->client_count; i++) {
        if (world->clients[i].client == client)
            return &world->clients[i];
    }
    sim_fail("a client that is not there");
}

void world_disconnect(world_t *world, rj_client_t *client)
{
    world_client_t *slot = slot_of(world, client);
    rj_client_close(client);
    *slot = world->clients[--world->client_count];
}

void world_kill_client(world_t *world, rj_client_t *client)
{
    slot_of(world, client)->is_dead = true;
}

void world_crash_host(world_t *world, int host)
{
    world->hosts[host].is_crashed = true;
    sim_host_crash(world->hosts[host].net);
}

void world_pause_host(world_t *world, int host, int64_t until_ns)
{
    world->hosts[host].paused_until_ns = until_ns;
}

void world_add_task(world_t *world, world_task_t run, void *state)
{
    if (world->task_count == WORLD_TASKS_MAX)
        sim_fail("more tasks than the world has room for");
    world->tasks[world->task_count++] = (task_t){run, state};
}

void world_address(const world_t *world, int host, int port, char *text, size_t size)
{
    sim_host_print_address(world->hosts[host].net, port, text, size);
}

void world_channel(world_t *world, int host, int port, const char *params, char *text, size_t size)
{
    char address[64];
    world_address(world, host, port, address, sizeof(address));
    snprintf(text, size, "aeron:udp?endpoint=%s%s%s", address, params[0] != '\0' ? "|" : "",
             params);
}

const char *world_wildcard(const world_t *world)
{
    return world->params.is_ipv6 ? "[::]" : "0.0.0.0";
}

void world_group_channel(const world_t *world, int port, const char *params, char *text,
                         size_t size)
{
    snprintf(text, size, "aeron:udp?endpoint=%s:%d%s%s",
             world->params.is_ipv6 ? "[ff15::31]" : "239.20.30.39", port,
             params[0] != '\0' ? "|" : "", params);
}

/* --- stepping --- */

/* Conductor, helper, and room for two engines even where there is one: the seeds' orders count on
 * it. */
static int agents_per_host(const world_t *world)
{
    const int engine_count = world->params.rings.engine_count;
    return 2 + (engine_count > 2 ? engine_count : 2);
}

/* Agents of the world, as numbers: those of each host, then clients, then tasks. */
static int agent_count(const world_t *world)
{
    return world->params.host_count * agents_per_host(world) + world->client_count +
           world->task_count;
}

static int step_driver(world_t *world, host_t *host, int which, int64_t now_ns)
{
    if (host->is_crashed || host->paused_until_ns > now_ns)
        return 0;
    world->stepped = host;
    if (which == 0)
        return rj_driver_conductor_work(host->driver, now_ns, epoch_ms(world));
    if (which == 1)
        return rj_driver_helper_work(host->driver, now_ns);
    if (which - 2 >= rj_driver_engine_count(host->driver))
        return 0;
    sim_alloc_forbid(true);
    int work = rj_driver_engine_work(host->driver, which - 2, now_ns);
    sim_alloc_forbid(false);
    return work;
}

static int step_agent(world_t *world, int agent)
{
    int64_t now_ns = world_now_ns(world);
    int per_host = agents_per_host(world);
    int drivers = world->params.host_count * per_host;
    if (agent < drivers)
        return step_driver(world, &world->hosts[agent / per_host], agent % per_host, now_ns);
    agent -= drivers;
    if (agent < world->client_count) {
        world_client_t *slot = &world->clients[agent];
        if (slot->is_dead || world->hosts[slot->host].is_crashed)
            return 0;
        return rj_client_conductor_do_work(slot->client, now_ns, epoch_ms(world));
    }
    const task_t *task = &world->tasks[agent - world->client_count];
    return task->run(task->state, now_ns);
}

/* One round: everybody once, in an order that the seed draws. */
static int round_of_agents(world_t *world)
{
    int order[WORLD_AGENTS_MAX];
    int count = agent_count(world);
    for (int i = 0; i < count; i++)
        order[i] = i;
    for (int i = count - 1; i > 0; i--) {
        int j = (int)rj_prng_below(&world->prng, (uint64_t)i + 1);
        int swapped = order[i];
        order[i] = order[j];
        order[j] = swapped;
    }
    int work = 0;
    for (int i = 0; i < count; i++)
        work += order[i] < agent_count(world) ? step_agent(world, order[i]) : 0;
    return work;
}

static int64_t next_deadline_ns(const world_t *world)
{
    int64_t next_ns = sim_net_deadline_ns(world->net);
    for (int i = 0; i < world->params.host_count; i++) {
        const host_t *host = &world->hosts[i];
        if (host->is_crashed)
            continue;
        int64_t deadline_ns = rj_driver_deadline_ns(host->driver);
        if (deadline_ns < host->paused_until_ns)
            deadline_ns = host->paused_until_ns;
        next_ns = deadline_ns < next_ns ? deadline_ns : next_ns;
    }
    for (int i = 0; i < world->client_count; i++) {
        const world_client_t *slot = &world->clients[i];
        if (slot->is_dead || world->hosts[slot->host].is_crashed)
            continue;
        int64_t deadline_ns = rj_client_conductor_deadline_ns(slot->client);
        next_ns = deadline_ns < next_ns ? deadline_ns : next_ns;
    }
    return next_ns;
}

static void step(world_t *world)
{
    int rounds = 0;
    while (round_of_agents(world) > 0) {
        if (++rounds == ROUNDS_MAX)
            sim_fail("livelock: after %d rounds at one instant somebody still works", rounds);
    }
    int64_t now_ns = world_now_ns(world);
    if (now_ns >= world->next_check_ns) {
        world->next_check_ns = now_ns + COUNTER_CHECK_NS;
        world_check_counters(world);
    }
    int64_t next_ns = next_deadline_ns(world);
    if (next_ns < now_ns + STEP_MIN_NS)
        next_ns = now_ns + STEP_MIN_NS;
    if (next_ns > now_ns + STEP_MAX_NS)
        next_ns = now_ns + STEP_MAX_NS;
    sim_net_advance(world->net, next_ns);
}

void world_run_until(world_t *world, bool (*is_done)(void *state), void *state, int64_t limit_ns,
                     const char *what)
{
    int64_t end_ns = world_now_ns(world) + limit_ns;
    while (!is_done(state)) {
        if (world_now_ns(world) > end_ns)
            sim_fail("%s: not within %" PRId64 " s of virtual time", what, limit_ns / 1000000000);
        step(world);
    }
}

void world_run_for(world_t *world, int64_t duration_ns)
{
    int64_t end_ns = world_now_ns(world) + duration_ns;
    while (world_now_ns(world) < end_ns)
        step(world);
}

/* --- oracles over counters --- */

static bool open_reader(const host_t *host, rj_cnc_t *cnc, rj_counters_reader_t *reader)
{
    rj_err_t err;
    if (rj_cnc_try_map(cnc, host->directory, RJ_MAPFILE_READ_ONLY, &err) < 0)
        return false;
    if (rj_counters_reader_init(reader, cnc->counters_metadata.bytes,
                                cnc->counters_metadata.length_bytes, cnc->counters_values.bytes,
                                cnc->counters_values.length_bytes) < 0)
        sim_fail("%s: the counters cannot be read", host->directory);
    return true;
}

static bool is_position(int32_t type_id)
{
    return type_id == RJ_COUNTER_TYPE_SENDER_POSITION || type_id == RJ_COUNTER_TYPE_RECEIVER_HWM ||
           type_id == RJ_COUNTER_TYPE_RECEIVER_POSITION ||
           type_id == RJ_COUNTER_TYPE_SUBSCRIBER_POSITION ||
           type_id == RJ_COUNTER_TYPE_PUBLISHER_POSITION;
}

static int64_t value_of(const rj_counters_reader_t *reader, int32_t type_id,
                        int64_t registration_id, int64_t otherwise)
{
    int32_t id = rj_counters_find(reader, type_id, registration_id);
    rj_counter_view_t view;
    if (id == RJ_COUNTER_ID_NULL || rj_counters_read(reader, id, &view) < 0)
        return otherwise;
    return view.value;
}

static void check_order(const host_t *host, const rj_counters_reader_t *reader,
                        const rj_counter_view_t *view)
{
    int64_t id = view->registration_id;
    if (view->type_id == RJ_COUNTER_TYPE_RECEIVER_POSITION &&
        view->value > value_of(reader, RJ_COUNTER_TYPE_RECEIVER_HWM, id, INT64_MAX))
        sim_fail("%s: rcv-pos beyond rcv-hwm: %s", host->directory, view->label);
    int64_t limit = value_of(reader, RJ_COUNTER_TYPE_SENDER_LIMIT, id, INT64_MAX);
    /* Only padding may reach beyond, for it is skipped, not sent; and it ends a term. Where the
     * slowest governs, the limit itself may go back (wire.md 16.4). */
    if (view->type_id == RJ_COUNTER_TYPE_SENDER_POSITION && view->value > limit &&
        view->value % TERM_MIN_BYTES != 0 && strstr(view->label, "fc=min") == NULL)
        sim_fail("%s: sent to %" PRId64 ", beyond the receiver's window at %" PRId64 ": %s",
                 host->directory, view->value, limit, view->label);
}

static void check_host(world_t *world, int index)
{
    const host_t *host = &world->hosts[index];
    rj_cnc_t cnc;
    rj_counters_reader_t reader;
    if (host->is_crashed || !open_reader(host, &cnc, &reader))
        return;
    int32_t cursor = 0;
    rj_counter_view_t view;
    while (rj_counters_next(&reader, &cursor, &view)) {
        if (!is_position(view.type_id) || view.id >= 4096)
            continue;
        position_memory_t *memory = &world->memory[index][view.id];
        if (memory->registration_id == view.registration_id && view.value < memory->value)
            sim_fail("%s: a position went back from %" PRId64 " to %" PRId64 ": %s",
                     host->directory, memory->value, view.value, view.label);
        *memory = (position_memory_t){view.registration_id, view.value};
        check_order(host, &reader, &view);
    }
    rj_cnc_close(&cnc);
}

void world_check_counters(world_t *world)
{
    for (int i = 0; i < world->params.host_count; i++)
        check_host(world, i);
}

int64_t world_forwarded(world_t *world, int host)
{
    const rj_driver_t *driver = world->hosts[host].driver;
    int64_t forwarded = 0;
    int64_t taken = 0;
    for (int i = 0; i < rj_driver_engine_count(driver); i++) {
        forwarded += rj_driver_engine_stats(driver, i)->frames_forwarded;
        taken += rj_driver_engine_stats(driver, i)->frames_taken;
    }
    if (forwarded != taken)
        sim_fail("host %d: %" PRId64 " frames forwarded, %" PRId64 " taken", host, forwarded,
                 taken);
    return forwarded;
}

int64_t world_system_counter(world_t *world, int host, int id)
{
    rj_cnc_t cnc;
    rj_counters_reader_t reader;
    rj_counter_view_t view = {.value = 0};
    if (!open_reader(&world->hosts[host], &cnc, &reader))
        return 0;
    (void)rj_counters_read(&reader, id, &view);
    rj_cnc_close(&cnc);
    return view.value;
}

int64_t world_counter(world_t *world, int host, int32_t type_id)
{
    rj_cnc_t cnc;
    rj_counters_reader_t reader;
    int64_t value = -1;
    int32_t cursor = 0;
    rj_counter_view_t view;
    if (!open_reader(&world->hosts[host], &cnc, &reader))
        return value;
    while (value < 0 && rj_counters_next(&reader, &cursor, &view)) {
        if (view.type_id == type_id)
            value = view.value;
    }
    rj_cnc_close(&cnc);
    return value;
}

/* Of streams nothing may be left; a resolver's counters live as long as its driver. */
static bool lives_on(int32_t type_id)
{
    return type_id == RJ_COUNTER_TYPE_SYSTEM || type_id == RJ_COUNTER_TYPE_RESOLVER_NEIGHBORS ||
           type_id == RJ_COUNTER_TYPE_RESOLVER_CACHE_ENTRIES ||
           type_id == RJ_COUNTER_TYPE_BOOTSTRAP_NEIGHBOR;
}

static void check_no_logs(const host_t *host, const char *folder)
{
    char path[RJ_DIR_PATH_BYTES_MAX];
    rj_dir_join(path, sizeof(path), host->directory, folder);
    DIR *directory = opendir(path);
    if (directory == NULL)
        sim_fail("%s: the folder is gone", path);
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] != '.') {
            char name[64];
            snprintf(name, sizeof(name), "%.60s", entry->d_name);
            closedir(directory);
            sim_fail("%s: %s was left behind", path, name);
        }
    }
    closedir(directory);
}

static void check_steering(const host_t *host)
{
    if (sim_steer_tables(host->steer)->is_attached)
        sim_steer_check_idle(host->steer);
    if (sim_feed_want_count(host->feed) != 0)
        sim_fail("%s: %d destinations are wanted still", host->directory,
                 sim_feed_want_count(host->feed));
}

void world_check_empty(world_t *world, int index)
{
    const host_t *host = &world->hosts[index];
    rj_cnc_t cnc;
    rj_counters_reader_t reader;
    if (!open_reader(host, &cnc, &reader))
        sim_fail("%s: cnc.dat is gone", host->directory);
    int32_t cursor = 0;
    rj_counter_view_t view;
    while (rj_counters_next(&reader, &cursor, &view)) {
        if (!lives_on(view.type_id))
            sim_fail("%s: a counter was left behind: %s", host->directory, view.label);
    }
    rj_cnc_close(&cnc);
    check_no_logs(host, RJ_PUBLICATIONS_DIR);
    check_no_logs(host, RJ_IMAGES_DIR);
    if (host->steer != NULL)
        check_steering(host);
    int sockets = sim_host_socket_count(host->net) - world->params.has_names;
    if (sockets != 0)
        sim_fail("%s: %d sockets were left behind", host->directory, sockets);
}
