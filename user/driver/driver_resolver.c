/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/driver_resolver.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "name/interfaces.h"

/* For texts of any length: a counter cuts what is longer than its label. */
enum { LABEL_ROOM = 2 * RJ_CONFIG_LIST_MAX };

/* --- counters --- */

static int allocate(rj_counters_t *counters, int32_t type_id, const void *key, size_t key_length,
                    const char *label, int64_t epoch_ms, int32_t *ret_id, rj_err_t *err)
{
    const rj_counter_spec_t spec = {.type_id = type_id,
                                    .key = key,
                                    .key_length = key_length,
                                    .label = label,
                                    .label_length = strlen(label)};
    return rj_counters_allocate(counters, &spec, epoch_ms, ret_id, err);
}

/* --- csv_table --- */

/* The word by which a client says what the row's name means. */
static int count_row(rj_counters_t *counters, rj_csv_row_t *row, int64_t epoch_ms, rj_err_t *err)
{
    uint8_t key[RJ_COUNTER_KEY_BYTES_MAX];
    char label[LABEL_ROOM];
    const size_t room = sizeof(key) - sizeof(int32_t);
    const int32_t length = (int32_t)strnlen(row->name, room);
    int32_t id;
    memcpy(key, &length, sizeof(length));
    memcpy(key + sizeof(length), row->name, (size_t)length);
    snprintf(label, sizeof(label),
             "NameEntry{name='%s', initialResolutionHost='%s', reResolutionHost='%s'}", row->name,
             row->first, row->other);
    const int result = allocate(counters, RJ_COUNTER_TYPE_NAME_ENTRY, key,
                                sizeof(length) + (size_t)length, label, epoch_ms, &id, err);
    if (result == 0)
        row->choice = rj_counters_value(counters, id);
    return result;
}

static int open_csv(rj_driver_resolver_t *self, const rj_driver_config_t *config,
                    const rj_driver_world_t *world, int64_t epoch_ms, rj_err_t *err)
{
    int result = rj_resolver_csv_open(&self->csv, config->resolver_args, world->resolver, err);
    for (int i = 0; result == 0 && i < self->csv.row_count; i++)
        result = count_row(self->counters, &self->csv.rows[i], epoch_ms, err);
    self->resolver = &self->csv.base;
    return result;
}

/* --- driver --- */

static void on_invalid(void *state)
{
    const rj_driver_resolver_t *self = state;
    rj_system_counter_add(self->system, RJ_SYSTEM_INVALID_PACKETS, 1);
}

static void print_bootstrap(char *label, size_t size, const char *list, int index,
                            const rj_address_t *address)
{
    char name[RJ_RESOLVER_TEXT_BYTES];
    char resolved[RJ_ADDRESS_TEXT_BYTES] = "";
    rj_gossip_bootstrap_text(list, index, name);
    if (address != NULL)
        rj_address_print(address, resolved);
    snprintf(label, size, "Bootstrap neighbor: name=%s resolved=%s", name, resolved);
}

/* Only the helper writes this label; nobody else changes the counter's record while it lives. */
static void on_bootstrap(void *state, int index, const rj_address_t *address)
{
    rj_driver_resolver_t *self = state;
    char label[LABEL_ROOM];
    print_bootstrap(label, sizeof(label), self->bootstraps, index, address);
    (void)rj_counters_label_set(self->counters, self->bootstrap_ids[index], label, strlen(label));
}

static void report(void *state, rj_resolver_trouble_t trouble, const rj_err_t *err)
{
    const rj_driver_resolver_t *self = state;
    rj_helper_report(self->helper, trouble, err);
}

static int count_bootstraps(rj_driver_resolver_t *self, rj_gossip_watch_t *watch, int64_t epoch_ms,
                            rj_err_t *err)
{
    const int count = rj_gossip_check_bootstraps(self->bootstraps, err);
    int result = count < 0 ? count : 0;
    for (int32_t i = 0; result == 0 && i < count; i++) {
        char label[LABEL_ROOM];
        print_bootstrap(label, sizeof(label), self->bootstraps, i, NULL);
        result = allocate(self->counters, RJ_COUNTER_TYPE_BOOTSTRAP_NEIGHBOR, &i, sizeof(i), label,
                          epoch_ms, &self->bootstrap_ids[i], err);
        if (result == 0)
            watch->bootstraps[i] = rj_counters_value(self->counters, self->bootstrap_ids[i]);
    }
    return result;
}

/* In the order of the reference. */
static int count_gossip(rj_driver_resolver_t *self, const rj_driver_config_t *config,
                        const rj_address_t *local, rj_gossip_watch_t *watch, int64_t epoch_ms,
                        rj_err_t *err)
{
    char bound[RJ_ADDRESS_TEXT_BYTES];
    char label[LABEL_ROOM];
    int32_t id;
    int result = count_bootstraps(self, watch, epoch_ms, err);
    if (result < 0)
        return result;
    rj_address_print(local, bound);
    snprintf(label, sizeof(label), "Resolver neighbors: bound %s", bound);
    result = allocate(self->counters, RJ_COUNTER_TYPE_RESOLVER_NEIGHBORS, NULL, 0, label, epoch_ms,
                      &id, err);
    if (result < 0)
        return result;
    watch->neighbor_count = rj_counters_value(self->counters, id);
    snprintf(label, sizeof(label), "Resolver cache entries: name=%s", config->resolver_name);
    result = allocate(self->counters, RJ_COUNTER_TYPE_RESOLVER_CACHE_ENTRIES, NULL, 0, label,
                      epoch_ms, &id, err);
    if (result == 0)
        watch->name_count = rj_counters_value(self->counters, id);
    return result;
}

/* Where the gossip's socket is bound. */
static int find_interface(const rj_driver_config_t *config, const rj_driver_world_t *world,
                          rj_address_t *ret, rj_err_t *err)
{
    rj_interface_t interfaces[RJ_INTERFACES_MAX];
    const int count = world->read_interfaces(interfaces, RJ_INTERFACES_MAX, err);
    if (count < 0)
        return count;
    const rj_channel_world_t channel_world = {.resolver = world->resolver,
                                              .system_resolver = world->resolver,
                                              .interfaces = interfaces,
                                              .interface_count = (size_t)count};
    return rj_interface_resolve(config->resolver_interface, &channel_world, ret, err);
}

static int open_gossip(rj_driver_resolver_t *self, const rj_driver_config_t *config,
                       const rj_driver_world_t *world, int64_t epoch_ms, rj_err_t *err)
{
    rj_address_t bind;
    rj_gossip_params_t params = {.name = config->resolver_name,
                                 .bootstraps = config->resolver_neighbors,
                                 .system = world->resolver,
                                 .frame_bytes_max = (size_t)config->mtu_bytes,
                                 .neighbor_timeout_ns = config->resolver_neighbor_timeout_ns,
                                 .self_interval_ns = config->resolver_self_interval_ns,
                                 .neighbor_interval_ns = config->resolver_neighbor_interval_ns,
                                 .bootstrap_interval_ns = config->resolver_bootstrap_interval_ns,
                                 .watch = {.state = self,
                                           .on_invalid = on_invalid,
                                           .on_bootstrap = on_bootstrap,
                                           .report = report}};
    self->bootstraps = config->resolver_neighbors;
    int result = find_interface(config, world, &bind, err);
    if (result == 0)
        result = world->open_gossip_wire(world->open_gossip_state, &bind, &params.wire, err);
    if (result < 0)
        return result;
    result = count_gossip(self, config, &params.wire->local, &params.watch, epoch_ms, err);
    if (result == 0)
        result = rj_resolver_gossip_open(&self->gossip, &params, err);
    if (result < 0)
        params.wire->ops->close(params.wire);
    self->resolver = self->gossip;
    return result;
}

/* --- which one --- */

int rj_driver_resolver_open(rj_driver_resolver_t *self, const rj_driver_config_t *config,
                            const rj_driver_world_t *world, rj_counters_t *counters,
                            rj_system_counters_t *system, rj_helper_t *helper, int64_t epoch_ms,
                            rj_err_t *err)
{
    *self = (rj_driver_resolver_t){
        .resolver = world->resolver, .counters = counters, .system = system, .helper = helper};
    int result = 0;
    if (config->resolver_supplier == RJ_RESOLVER_SUPPLIER_CSV_TABLE)
        result = open_csv(self, config, world, epoch_ms, err);
    else if (config->resolver_supplier == RJ_RESOLVER_SUPPLIER_DRIVER)
        result = open_gossip(self, config, world, epoch_ms, err);
    if (result < 0)
        rj_driver_resolver_close(self);
    return result;
}

void rj_driver_resolver_close(rj_driver_resolver_t *self)
{
    rj_resolver_gossip_close(self->gossip);
    rj_resolver_csv_close(&self->csv);
    self->gossip = NULL;
}
