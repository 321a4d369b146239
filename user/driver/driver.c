/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/driver.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/mapfile.h"
#include "conductor/conductor.h"
#include "conductor/helper.h"
#include "driver/driver_loss.h"
#include "driver/driver_resolver.h"
#include "driver/event_log.h"
#include "driver/port_counters.h"
#include "driver/ring_aside.h"
#include "driver/ring_counters.h"
#include "engine/engine.h"
#include "engine/system_counters.h"
#include "shm/cnc.h"

struct rj_driver {
    rj_driver_config_t config;
    rj_driver_world_t world;
    rj_cnc_t cnc;
    rj_mapfile_t loss_report;
    rj_counters_t counters;
    rj_system_counters_t system;
    rj_driver_resolver_t names;
    rj_driver_loss_t loss;
    rj_helper_t helper;
    rj_engine_t *engines[RJ_ENGINES_MAX];
    int engine_count;
    rj_conductor_t *conductor;
    rj_event_log_t *event_log; /* NULL: no event is recorded */
    rj_ring_counters_t ring_counters;
    rj_ring_aside_t ring_aside;
    rj_port_counters_t port_counters;
    int32_t is_terminated;
    bool is_published;
};

int rj_driver_prepare_dir(const rj_driver_config_t *config, int64_t epoch_ms,
                          rj_dir_patience_t patience, rj_err_t *err)
{
    rj_dir_options_t options = {.path = config->dir,
                                .driver_timeout_ms = config->driver_timeout_ms,
                                .warn_if_exists = config->dir_warn_if_exists,
                                .delete_on_start = config->dir_delete_on_start};
    return rj_dir_prepare(&options, epoch_ms, patience, err);
}

/* --- what the system grants --- */

static void warn_buffer(FILE *warnings, const char *name, int64_t asked, int32_t granted)
{
    if (warnings != NULL && asked > granted)
        fprintf(warnings,
                "WARNING: could not set %s: asked for %" PRId64 " bytes, got %" PRId32
                ": raise net.core.%s\n",
                name, asked, granted, name[3] == 'R' ? "rmem_max" : "wmem_max");
}

static rj_cnc_params_t cnc_params(const rj_driver_config_t *config)
{
    return (rj_cnc_params_t){.to_driver_length = (int32_t)config->to_driver_bytes,
                             .to_clients_length = (int32_t)config->to_clients_bytes,
                             .counters_values_length = (int32_t)config->counters_values_bytes,
                             .error_log_length = (int32_t)config->error_log_bytes,
                             .file_page_size = (int32_t)config->file_page_bytes,
                             .client_liveness_timeout_ns = config->client_liveness_timeout_ns};
}

/* Opens a socket like those to come (driver.md 18). */
int rj_driver_check(const rj_driver_config_t *config, rj_sockets_t *sockets, FILE *warnings,
                    rj_err_t *err)
{
    static const uint8_t any[4];
    rj_cnc_params_t cnc = cnc_params(config);
    int64_t length = rj_cnc_file_length(&cnc, err);
    if (length < 0)
        return (int)length;
    rj_socket_params_t params = {.bind = rj_address_ipv4(any, 0),
                                 .sndbuf_bytes = (int32_t)config->socket_sndbuf_bytes,
                                 .rcvbuf_bytes = (int32_t)config->socket_rcvbuf_bytes};
    rj_socket_info_t info;
    int result = sockets->ops->open(sockets, &params, &info, err);
    if (result < 0)
        return result;
    sockets->ops->close(sockets, info.socket);
    warn_buffer(warnings, "SO_SNDBUF", config->socket_sndbuf_bytes, info.sndbuf_bytes);
    warn_buffer(warnings, "SO_RCVBUF", config->socket_rcvbuf_bytes, info.rcvbuf_bytes);
    if (config->mtu_bytes > info.sndbuf_bytes)
        return rj_fail(err, -EINVAL,
                       "AERON_MTU_LENGTH=%" PRId64 " is greater than SO_SNDBUF=%" PRId32
                       ": lower it or raise AERON_SOCKET_SO_SNDBUF",
                       config->mtu_bytes, info.sndbuf_bytes);
    if (config->initial_window_bytes > info.rcvbuf_bytes)
        return rj_fail(err, -EINVAL,
                       "AERON_RCV_INITIAL_WINDOW_LENGTH=%" PRId64
                       " is greater than SO_RCVBUF=%" PRId32
                       ": lower it or raise AERON_SOCKET_SO_RCVBUF",
                       config->initial_window_bytes, info.rcvbuf_bytes);
    return 0;
}

/* --- files --- */

static int open_files(rj_driver_t *driver, int64_t epoch_ms, rj_err_t *err)
{
    const rj_driver_config_t *config = &driver->config;
    rj_cnc_params_t params = cnc_params(config);
    params.start_epoch_ms = epoch_ms;
    params.pid = driver->world.pid;
    int result = rj_cnc_create(&driver->cnc, config->dir, &params, err);
    if (result < 0)
        return result;
    char path[RJ_DIR_PATH_BYTES_MAX];
    result = rj_dir_join(path, sizeof(path), config->dir, RJ_LOSS_REPORT_FILE);
    if (result < 0)
        return rj_fail(err, result, "the path %s is too long", config->dir);
    int64_t length = rj_align_up(config->loss_report_bytes, config->file_page_bytes);
    return rj_mapfile_create(&driver->loss_report, path, length, RJ_MAPFILE_ALLOCATED, err);
}

static int open_counters(rj_driver_t *driver, int64_t epoch_ms, rj_err_t *err)
{
    const rj_driver_config_t *config = &driver->config;
    int64_t reuse_ms = config->counter_free_to_reuse_ns / 1000000;
    if (reuse_ms == 0 && config->counter_free_to_reuse_ns > 0)
        reuse_ms = 1;
    int result = rj_counters_open(&driver->counters, driver->cnc.counters_metadata.bytes,
                                  driver->cnc.counters_metadata.length_bytes,
                                  driver->cnc.counters_values.bytes,
                                  driver->cnc.counters_values.length_bytes, reuse_ms, err);
    if (result < 0)
        return result;
    rj_system_counter_labels_t labels = {
        .threading_mode = rj_threading_mode_name((rj_threading_mode_t)config->threading_mode),
        .resolver_name = config->resolver_name,
        .conductor_threshold_ns = config->conductor_threshold_ns,
        .sender_threshold_ns = config->sender_threshold_ns,
        .receiver_threshold_ns = config->receiver_threshold_ns,
        .resolver_threshold_ns = config->resolver_threshold_ns};
    result =
        rj_system_counters_allocate(&driver->system, &driver->counters, &labels, epoch_ms, err);
    if (result == 0)
        rj_system_counter_add(&driver->system, RJ_SYSTEM_BYTES_CURRENTLY_MAPPED,
                              driver->cnc.file.length_bytes + driver->loss_report.length_bytes);
    return result;
}

/* --- agents --- */

rj_port_params_t rj_driver_port_params(const rj_driver_config_t *config, rj_engine_halves_t halves)
{
    const int64_t batch =
        halves == RJ_ENGINE_SENDER ? config->control_batch : config->receive_batch;
    return (rj_port_params_t){.receive_batch = (uint32_t)batch,
                              .endpoint_max = RJ_PORT_ENDPOINTS_MAX,
                              .zero_copy = (rj_zero_copy_t)config->uring_zero_copy};
}

static int open_engine(rj_driver_t *driver, int index, rj_engine_halves_t halves, rj_err_t *err)
{
    const rj_driver_config_t *config = &driver->config;
    const rj_port_params_t port_params = rj_driver_port_params(config, halves);
    rj_port_t *port;
    int result =
        driver->world.open_port(driver->world.open_port_state, index, &port_params, &port, err);
    if (result < 0)
        return result;
    rj_engine_params_t params = {.ports = {port},
                                 .port_count = 1,
                                 .system_counters = &driver->system,
                                 .sockets = driver->world.sockets,
                                 .receive_batch = (int32_t)port_params.receive_batch,
                                 .halves = halves,
                                 .index = index,
                                 .sender_threshold_ns = config->sender_threshold_ns,
                                 .receiver_threshold_ns = config->receiver_threshold_ns,
                                 .status_poll_ratio = (int32_t)config->send_to_status_poll_ratio,
                                 .status_poll_interval_ns = config->sm_timeout_ns / 2,
                                 .mono_ns = driver->world.mono_ns,
                                 .epoch_ns = driver->world.epoch_ns};
    result =
        rj_driver_loss_filter(&driver->loss, driver->world.seed, index, &params.interceptor, err);
    if (result == 0)
        result = rj_engine_open(&driver->engines[index], &params, err);
    if (result == 0) {
        driver->engine_count = index + 1;
        return 0;
    }
    rj_interceptor_close(params.interceptor);
    port->ops->close(port);
    return result;
}

static int open_helper(rj_driver_t *driver, rj_err_t *err)
{
    rj_helper_params_t params = {.resolver = driver->names.resolver,
                                 .system = &driver->system,
                                 .dir = driver->config.dir,
                                 .log_pool = rj_ring_world_log_pool(driver->world.rings),
                                 .perform_storage_checks = driver->config.perform_storage_checks,
                                 .resolver_threshold_ns = driver->config.resolver_threshold_ns,
                                 .free_limit = (int32_t)driver->config.resource_free_limit,
                                 .read_interfaces = driver->world.read_interfaces,
                                 .mono_ns = driver->world.mono_ns,
                                 .wake = driver->world.wake_helper,
                                 .wake_state = driver->world.wake_helper_state};
    return rj_helper_open(&driver->helper, &params, err);
}

static void on_terminate(void *state)
{
    rj_driver_t *driver = state;
    /* Release: pairs with the acquire in rj_driver_is_terminated. */
    rj_store_release_i32(&driver->is_terminated, 1);
}

static int open_conductor(rj_driver_t *driver, rj_err_t *err)
{
    rj_conductor_params_t params = {.config = &driver->config,
                                    .cnc = &driver->cnc,
                                    .loss_report_bytes = driver->loss_report.bytes,
                                    .loss_report_length = driver->loss_report.length_bytes,
                                    .counters = &driver->counters,
                                    .system = &driver->system,
                                    .sockets = driver->world.sockets,
                                    .helper = &driver->helper,
                                    .engine_count = driver->engine_count,
                                    .has_rings = driver->world.ring_engine_count > 0,
                                    .steering = driver->world.steering,
                                    .socket_transport = driver->world.socket_transport,
                                    .ring_transport = driver->world.ring_transport,
                                    .feed = driver->world.feed,
                                    .seed = driver->world.seed,
                                    .on_terminate = on_terminate,
                                    .on_terminate_state = driver};
    memcpy(params.engines, driver->engines, sizeof(params.engines));
    if (driver->event_log != NULL) {
        params.on_message = rj_event_log_note;
        params.on_message_state = driver->event_log;
    }
    return rj_conductor_open(&driver->conductor, &params, err);
}

static int open_engines(rj_driver_t *driver, rj_err_t *err)
{
    const int ring_count = driver->world.ring_engine_count;
    if (ring_count < 0 || ring_count > RJ_ENGINES_MAX)
        return rj_fail(err, -EINVAL, "a driver of %d queues: at most %d are possible", ring_count,
                       RJ_ENGINES_MAX);
    int result = 0;
    if (ring_count == 0 && driver->config.threading_mode == RJ_THREADING_DEDICATED) {
        result = open_engine(driver, 0, RJ_ENGINE_SENDER, err);
        return result < 0 ? result : open_engine(driver, 1, RJ_ENGINE_RECEIVER, err);
    }
    const int count = ring_count == 0 ? 1 : ring_count;
    for (int i = 0; result == 0 && i < count; i++)
        result = open_engine(driver, i, RJ_ENGINE_BOTH, err);
    return result;
}

static int open_agents(rj_driver_t *driver, rj_err_t *err)
{
    int result = open_helper(driver, err);
    if (result == 0)
        result = open_engines(driver, err);
    if (result == 0 && driver->world.ring_engine_count > 0)
        result = rj_engine_join(driver->engines, driver->engine_count, err);
    return result == 0 ? open_conductor(driver, err) : result;
}

/* The label is what is told, to every tool that lists counters; the value, how many engines have
 * rings. */
static int tell_choice(rj_driver_t *driver, const char *choice, int64_t epoch_ms, rj_err_t *err)
{
    char label[RJ_COUNTER_LABEL_BYTES_MAX + 1];
    const int32_t key = 0;
    snprintf(label, sizeof(label), "ramjet transport: %s", choice);
    const rj_counter_spec_t spec = {.type_id = RJ_COUNTER_TYPE_RAMJET_TRANSPORT,
                                    .key = &key,
                                    .key_length = sizeof(key),
                                    .label = label,
                                    .label_length = strlen(label),
                                    .initial_value = driver->world.ring_engine_count};
    int32_t id;
    return rj_counters_allocate(&driver->counters, &spec, epoch_ms, &id, err);
}

int rj_driver_open(rj_driver_t **ret_driver, const rj_driver_config_t *config,
                   const rj_driver_world_t *world, int64_t epoch_ms, rj_err_t *err)
{
    rj_driver_t *driver = calloc(1, sizeof(*driver));
    if (driver == NULL) {
        if (world->close != NULL)
            world->close(world->close_state);
        return rj_fail(err, -ENOMEM, "driver: out of memory");
    }
    driver->config = *config;
    driver->world = *world;
    int result = rj_event_log_open(&driver->event_log, config, world->mono_ns(), epoch_ms, err);
    if (result == 0)
        result = open_files(driver, epoch_ms, err);
    if (result == 0)
        result = open_counters(driver, epoch_ms, err);
    if (result == 0)
        result = rj_driver_resolver_open(&driver->names, &driver->config, &driver->world,
                                         &driver->counters, &driver->system, &driver->helper,
                                         epoch_ms, err);
    if (result == 0)
        result =
            rj_driver_loss_open(&driver->loss, &driver->config, &driver->counters, epoch_ms, err);
    if (result == 0)
        result = open_agents(driver, err);
    if (result == 0 && world->rings != NULL)
        result = rj_ring_counters_open(&driver->ring_counters, &driver->counters, world->rings,
                                       epoch_ms, err);
    if (result == 0 && world->rings != NULL)
        result = rj_ring_aside_open(&driver->ring_aside, world->rings, &driver->helper,
                                    &driver->counters, world->mono_ns(), epoch_ms, err);
    if (result == 0)
        result = rj_port_counters_open(&driver->port_counters, &driver->counters,
                                       driver->config.transport, driver->engines,
                                       driver->engine_count, epoch_ms, err);
    if (result == 0 && world->choice != NULL)
        result = tell_choice(driver, world->choice, epoch_ms, err);
    if (result < 0) {
        rj_driver_close(driver);
        return result;
    }
    driver->world.choice = NULL; /* the caller's, and told */
    rj_cnc_publish(&driver->cnc, epoch_ms);
    driver->is_published = true;
    *ret_driver = driver;
    return 0;
}

void rj_driver_warn(rj_driver_t *driver, const char *text)
{
    rj_conductor_report(driver->conductor, RJ_ERROR_GENERIC, "WARNING: %s", text);
}

bool rj_driver_is_terminated(const rj_driver_t *driver)
{
    return rj_load_acquire_i32(&driver->is_terminated) != 0;
}

const rj_steering_stats_t *rj_driver_steering_stats(const rj_driver_t *driver)
{
    return rj_conductor_steering_stats(driver->conductor);
}

rj_path_counts_t rj_driver_count_paths(const rj_driver_t *driver)
{
    return rj_conductor_count_paths(driver->conductor);
}

void rj_driver_counters(const rj_driver_t *driver, rj_counters_reader_t *ret_reader)
{
    const rj_cnc_t *cnc = &driver->cnc;
    /* The sections were laid out by this driver, so they fit each other. */
    rj_counters_reader_init(ret_reader, cnc->counters_metadata.bytes,
                            cnc->counters_metadata.length_bytes, cnc->counters_values.bytes,
                            cnc->counters_values.length_bytes);
}

int rj_driver_engine_count(const rj_driver_t *driver)
{
    return driver->engine_count;
}

bool rj_driver_has_rings(const rj_driver_t *driver)
{
    return driver->world.ring_engine_count > 0;
}

const rj_engine_stats_t *rj_driver_engine_stats(const rj_driver_t *driver, int index)
{
    return rj_engine_stats(driver->engines[index]);
}

int rj_driver_conductor_work(rj_driver_t *driver, int64_t now_ns, int64_t epoch_ms)
{
    rj_event_log_set_time(driver->event_log, now_ns, epoch_ms);
    int work = rj_conductor_do_work(driver->conductor, now_ns, epoch_ms);
    work += rj_ring_aside_do_work(&driver->ring_aside, now_ns);
    if (driver->world.rings != NULL)
        rj_ring_counters_update(&driver->ring_counters, driver->world.rings, driver->engines,
                                driver->conductor, now_ns);
    rj_port_counters_update(&driver->port_counters, driver->engines, now_ns);
    return work;
}

int rj_driver_engine_work(rj_driver_t *driver, int index, int64_t now_ns)
{
    return rj_engine_do_work(driver->engines[index], now_ns);
}

void rj_driver_engine_end(rj_driver_t *driver, int index)
{
    rj_engine_retire(driver->engines[index]);
}

int rj_driver_helper_work(rj_driver_t *driver, int64_t now_ns)
{
    return rj_helper_do_work(&driver->helper, now_ns) + rj_event_log_do_work(driver->event_log);
}

int64_t rj_driver_deadline_ns(const rj_driver_t *driver)
{
    int64_t deadline_ns = rj_min_i64(rj_conductor_deadline_ns(driver->conductor),
                                     rj_helper_deadline_ns(&driver->helper));
    for (int i = 0; i < driver->engine_count; i++) {
        int64_t engine_ns = rj_engine_deadline_ns(driver->engines[i]);
        if (engine_ns < deadline_ns)
            deadline_ns = engine_ns;
    }
    return deadline_ns;
}

/* Files that nobody was shown would make the next start wait for whoever is about to show them.
 * Only ours: another driver may have been faster. */
static void unlink_files(const rj_driver_t *driver)
{
    static const char *const names[] = {RJ_CNC_FILE, RJ_LOSS_REPORT_FILE};
    const rj_mapfile_t *files[] = {&driver->cnc.file, &driver->loss_report};
    char path[RJ_DIR_PATH_BYTES_MAX];
    for (int i = 0; i < 2; i++) {
        if (files[i]->bytes != NULL &&
            rj_dir_join(path, sizeof(path), driver->config.dir, names[i]) == 0)
            unlink(path);
    }
}

void rj_driver_close(rj_driver_t *driver)
{
    if (driver == NULL)
        return;
    const rj_driver_world_t world = driver->world;
    rj_helper_end_tasks(&driver->helper);
    for (int i = 0; i < driver->engine_count; i++)
        rj_engine_close(driver->engines[i]);
    rj_conductor_close(driver->conductor);
    rj_helper_close(&driver->helper);
    rj_event_log_close(driver->event_log);
    rj_driver_resolver_close(&driver->names);
    if (driver->is_published)
        rj_cnc_retire(&driver->cnc);
    else
        unlink_files(driver);
    rj_counters_close(&driver->counters);
    rj_mapfile_close(&driver->loss_report);
    rj_cnc_close(&driver->cnc);
    rj_err_t err;
    if (driver->is_published && driver->config.dir_delete_on_shutdown &&
        rj_dir_remove_tree(driver->config.dir, &err) < 0)
        fprintf(stderr, "ramjet driver: %s\n", err.text);
    free(driver);
    if (world.close != NULL)
        world.close(world.close_state);
}
