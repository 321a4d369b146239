/* SPDX-License-Identifier: Apache-2.0 */
#include "name/resolve_gossip.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "name/gossip_cache.h"

enum {
    FRAMES_PER_STEP = 32,
    FRAME_BYTES_MAX = 65536,
};

typedef struct bootstrap {
    char text[RJ_RESOLVER_TEXT_BYTES];
    rj_address_t address; /* family 0: not resolved */
    bool was_resolved;    /* once; then it is asked for again */
} bootstrap_t;

typedef struct resolver_gossip {
    rj_resolver_t base; /* first member */
    rj_gossip_params_t params;
    char name[RJ_GOSSIP_NAME_MAX + 1];
    rj_gossip_cache_t cache;
    bootstrap_t bootstraps[RJ_GOSSIP_BOOTSTRAPS_MAX];
    int bootstrap_count;
    int64_t step_due_ns;
    int64_t self_due_ns;
    int64_t neighbor_due_ns;
    int64_t bootstrap_due_ns;
    bool is_started;
    bool is_full; /* as last told */
    uint8_t *frame;
} resolver_gossip_t;

/* --- telling --- */

static void report(const resolver_gossip_t *self, rj_resolver_trouble_t trouble,
                   const rj_err_t *err)
{
    self->params.watch.report(self->params.watch.state, trouble, err);
}

/* Release: pairs with the acquire of whoever reads counters. */
static void publish_counts(const resolver_gossip_t *self)
{
    rj_store_release_i64(self->params.watch.neighbor_count, self->cache.neighbor_count);
    rj_store_release_i64(self->params.watch.name_count, self->cache.name_count);
}

/* --- hosts to begin with --- */

static void resolve_bootstrap(resolver_gossip_t *self, int index)
{
    bootstrap_t *bootstrap = &self->bootstraps[index];
    rj_err_t err = {0};
    const int result = rj_resolver_resolve_text(
        self->params.system, "bootstrap_neighbor", bootstrap->text,
        bootstrap->was_resolved ? RJ_RESOLVE_AGAIN : RJ_RESOLVE_FIRST, &bootstrap->address, &err);
    bootstrap->was_resolved = true;
    if (result < 0) {
        bootstrap->address = (rj_address_t){.family = AF_UNSPEC};
        report(self, RJ_RESOLVER_NOTED, &err);
    }
    self->params.watch.on_bootstrap(self->params.watch.state, index,
                                    result < 0 ? NULL : &bootstrap->address);
}

/* Those that are heard of are where they were. */
static int resolve_bootstraps(resolver_gossip_t *self, int64_t now_ns)
{
    if (now_ns < self->bootstrap_due_ns)
        return 0;
    self->bootstrap_due_ns = now_ns + self->params.bootstrap_interval_ns;
    for (int i = 0; i < self->bootstrap_count; i++) {
        if (!rj_gossip_cache_has_neighbor(&self->cache, &self->bootstraps[i].address))
            resolve_bootstrap(self, i);
    }
    return 1;
}

static bool is_bootstrap(const resolver_gossip_t *self, const rj_address_t *address)
{
    for (int i = 0; i < self->bootstrap_count; i++) {
        if (rj_address_equal(&self->bootstraps[i].address, address))
            return true;
    }
    return false;
}

/* --- sending --- */

static void send_frame(const resolver_gossip_t *self, const rj_address_t *to, size_t length)
{
    rj_gossip_wire_t *wire = self->params.wire;
    if (to->family != wire->local.family)
        return; /* told by somebody who speaks both */
    const int result = wire->ops->send(wire, to, self->frame, length);
    if (result == 0)
        return;
    char text[RJ_ADDRESS_TEXT_BYTES];
    rj_address_print(to, text);
    rj_err_t err;
    rj_fail(&err, result, "a resolver frame to %s: %s", text, strerror(-result));
    report(self, RJ_RESOLVER_FAILED, &err);
}

static void send_to_neighbors(const resolver_gossip_t *self, size_t length)
{
    for (int i = 0; i < self->cache.neighbor_count; i++)
        send_frame(self, &self->cache.neighbors[i].address, length);
}

static void send_to_bootstraps(const resolver_gossip_t *self, size_t length)
{
    for (int i = 0; i < self->bootstrap_count; i++) {
        const rj_address_t *address = &self->bootstraps[i].address;
        if (address->family != AF_UNSPEC)
            send_frame(self, address, length);
        rj_store_release_i64(self->params.watch.bootstraps[i],
                             rj_gossip_cache_has_neighbor(&self->cache, address));
    }
}

static int send_self(resolver_gossip_t *self, int64_t now_ns)
{
    if (now_ns < self->self_due_ns)
        return 0;
    self->self_due_ns = now_ns + self->params.self_interval_ns;
    if (self->bootstrap_count == 0 && self->cache.neighbor_count == 0)
        return 0;
    const rj_gossip_entry_t entry = {.address = self->params.wire->local,
                                     .is_self = true,
                                     .name_length = (uint16_t)strlen(self->name),
                                     .name = self->name};
    const size_t length = rj_gossip_write_entry(self->frame, rj_gossip_write_header(self->frame),
                                                FRAME_BYTES_MAX, &entry);
    send_to_bootstraps(self, length);
    for (int i = 0; i < self->cache.neighbor_count; i++) {
        const rj_address_t *address = &self->cache.neighbors[i].address;
        if (!is_bootstrap(self, address))
            send_frame(self, address, length);
    }
    return 1;
}

static int32_t age_ms(const rj_gossip_name_t *known, int64_t now_ns)
{
    const int64_t age = (now_ns - known->heard_ns) / 1000000;
    return age < 0 ? 0 : age > INT32_MAX ? INT32_MAX : (int32_t)age;
}

/* Everything that is known, in as many frames as it takes. One that fits into no frame is left
 * out. */
static int send_names(resolver_gossip_t *self, int64_t now_ns)
{
    if (now_ns < self->neighbor_due_ns)
        return 0;
    self->neighbor_due_ns = now_ns + self->params.neighbor_interval_ns;
    const size_t capacity = self->params.frame_bytes_max;
    const size_t empty = rj_gossip_write_header(self->frame);
    size_t length = empty;
    for (int i = 0; i < self->cache.name_count; i++) {
        const rj_gossip_name_t *known = &self->cache.names[i];
        const rj_gossip_entry_t entry = {.address = known->address,
                                         .age_ms = age_ms(known, now_ns),
                                         .name_length = known->length,
                                         .name = known->name};
        size_t longer = rj_gossip_write_entry(self->frame, length, capacity, &entry);
        if (longer == 0 && length > empty) {
            send_to_neighbors(self, length);
            length = rj_gossip_write_header(self->frame);
            longer = rj_gossip_write_entry(self->frame, length, capacity, &entry);
        }
        length = longer == 0 ? length : longer;
    }
    if (length > empty)
        send_to_neighbors(self, length);
    return 1;
}

/* --- receiving --- */

/* A driver bound to every address does not know by which one it is reached: we do. */
static void locate(rj_gossip_entry_t *entry, const rj_address_t *source)
{
    if (entry->is_self && rj_address_is_wildcard(&entry->address))
        entry->address = *source;
}

static bool is_own(const resolver_gossip_t *self, const rj_gossip_entry_t *entry)
{
    return entry->address.port == self->params.wire->local.port &&
           entry->name_length == strlen(self->name) &&
           memcmp(entry->name, self->name, entry->name_length) == 0;
}

/* Said once, until there was room again. */
static void note_room(resolver_gossip_t *self, bool has_room)
{
    rj_err_t err;
    if (!has_room && !self->is_full) {
        rj_fail(&err, -ENOSPC, "more than %d names or %d drivers told: some are not known here",
                RJ_GOSSIP_NAMES_MAX, RJ_GOSSIP_NEIGHBORS_MAX);
        report(self, RJ_RESOLVER_FAILED, &err);
    }
    self->is_full = !has_room;
}

static void learn(resolver_gossip_t *self, rj_gossip_entry_t *entry, const rj_address_t *source,
                  int64_t now_ns)
{
    locate(entry, source);
    if (is_own(self, entry))
        return;
    const int64_t age_ns = (int64_t)(entry->age_ms < 0 ? 0 : entry->age_ms) * 1000000;
    note_room(self, rj_gossip_cache_learn(&self->cache, entry, now_ns - age_ns));
}

static void report_type(const resolver_gossip_t *self, const rj_address_t *source)
{
    char text[RJ_ADDRESS_TEXT_BYTES];
    rj_address_print(source, text);
    rj_err_t err;
    rj_fail(&err, -EINVAL, "a resolver frame of %s has an address of unknown type", text);
    report(self, RJ_RESOLVER_FAILED, &err);
}

static void on_frame(resolver_gossip_t *self, size_t length, const rj_address_t *source,
                     int64_t now_ns)
{
    rj_gossip_reader_t reader;
    rj_gossip_entry_t entry;
    rj_gossip_read_t result = RJ_GOSSIP_INVALID;
    if (rj_gossip_reader_init(&reader, self->frame, length)) {
        while ((result = rj_gossip_read(&reader, &entry)) == RJ_GOSSIP_ENTRY)
            learn(self, &entry, source, now_ns);
    }
    if (result == RJ_GOSSIP_INVALID)
        self->params.watch.on_invalid(self->params.watch.state);
    else if (result == RJ_GOSSIP_UNKNOWN_TYPE)
        report_type(self, source);
}

static int receive(resolver_gossip_t *self, int64_t now_ns)
{
    rj_gossip_wire_t *wire = self->params.wire;
    for (int i = 0; i < FRAMES_PER_STEP; i++) {
        rj_address_t source;
        const int length = wire->ops->receive(wire, self->frame, FRAME_BYTES_MAX, &source);
        if (length == 0)
            return i;
        if (length < 0) {
            rj_err_t err;
            rj_fail(&err, length, "receiving resolver frames: %s", strerror(-length));
            report(self, RJ_RESOLVER_FAILED, &err);
            return i;
        }
        on_frame(self, (size_t)length, &source, now_ns);
    }
    return FRAMES_PER_STEP;
}

/* --- the table --- */

static void start(resolver_gossip_t *self, int64_t now_ns)
{
    self->is_started = true;
    self->self_due_ns = now_ns;
    self->neighbor_due_ns = now_ns + self->params.neighbor_interval_ns;
    self->bootstrap_due_ns = now_ns;
    (void)resolve_bootstraps(self, now_ns);
}

static int do_work(rj_resolver_t *resolver, int64_t now_ns)
{
    resolver_gossip_t *self = (resolver_gossip_t *)resolver;
    if (now_ns < self->step_due_ns)
        return 0;
    self->step_due_ns = now_ns + RJ_GOSSIP_STEP_NS;
    if (!self->is_started)
        start(self, now_ns);
    int work = receive(self, now_ns);
    work += rj_gossip_cache_expire(&self->cache, now_ns);
    work += send_self(self, now_ns);
    work += send_names(self, now_ns);
    work += resolve_bootstraps(self, now_ns);
    publish_counts(self);
    return work;
}

static int64_t deadline_ns(const rj_resolver_t *resolver)
{
    return ((const resolver_gossip_t *)resolver)->step_due_ns;
}

static int resolve(rj_resolver_t *resolver, const char *host, uint16_t family,
                   rj_resolve_reason_t reason, rj_address_t *ret, rj_err_t *err)
{
    static const uint16_t families[] = {AF_INET, AF_INET6};
    const resolver_gossip_t *self = (const resolver_gossip_t *)resolver;
    const rj_address_t *found = NULL;
    for (int i = 0; found == NULL && i < 2; i++) {
        if (family == AF_UNSPEC || family == families[i])
            found = rj_gossip_cache_find(&self->cache, host, strlen(host), families[i]);
    }
    if (found == NULL && strcmp(host, self->name) == 0)
        found = &self->params.wire->local;
    if (found == NULL)
        return self->params.system->ops->resolve(self->params.system, host, family, reason, ret,
                                                 err);
    *ret = *found;
    ret->port = 0;
    return 0;
}

static const rj_resolver_ops_t gossip_ops = {
    .name = "driver",
    .resolve = resolve,
    .do_work = do_work,
    .deadline_ns = deadline_ns,
};

/* --- open, close --- */

static const char *next_item(const char *list, size_t *ret_length)
{
    *ret_length = strcspn(list, ",");
    return list + *ret_length + (list[*ret_length] == ',');
}

int rj_gossip_check_bootstraps(const char *list, rj_err_t *err)
{
    int count = 0;
    while (list[0] != '\0') {
        size_t length;
        const char *next = next_item(list, &length);
        rj_host_port_t host_port;
        if (count == RJ_GOSSIP_BOOTSTRAPS_MAX)
            return rj_fail(err, -EINVAL, "more than %d bootstrap neighbours",
                           RJ_GOSSIP_BOOTSTRAPS_MAX);
        if (length >= RJ_RESOLVER_TEXT_BYTES ||
            rj_host_port_parse(&host_port, list, length, NULL) < 0)
            return rj_fail(err, -EINVAL, "bootstrap neighbour %.*s: write it as host:port",
                           (int)length, list);
        count++;
        list = next;
    }
    return count;
}

void rj_gossip_bootstrap_text(const char *list, int index, char ret[static RJ_RESOLVER_TEXT_BYTES])
{
    size_t length;
    const char *next = next_item(list, &length);
    for (; index > 0; index--) {
        list = next;
        next = next_item(list, &length);
    }
    snprintf(ret, RJ_RESOLVER_TEXT_BYTES, "%.*s", (int)length, list);
}

static int fill(resolver_gossip_t *self, const rj_gossip_params_t *params, rj_err_t *err)
{
    const int count = rj_gossip_check_bootstraps(params->bootstraps, err);
    if (count < 0)
        return count;
    if (params->name[0] == '\0' || strlen(params->name) > RJ_GOSSIP_NAME_MAX)
        return rj_fail(err, -EINVAL, "a resolver name has 1 to %d bytes", RJ_GOSSIP_NAME_MAX);
    snprintf(self->name, sizeof(self->name), "%s", params->name);
    self->bootstrap_count = count;
    for (int i = 0; i < count; i++)
        rj_gossip_bootstrap_text(params->bootstraps, i, self->bootstraps[i].text);
    self->frame = malloc(FRAME_BYTES_MAX);
    if (self->frame == NULL)
        return rj_fail(err, -ENOMEM, "out of memory for resolver frames");
    return rj_gossip_cache_open(&self->cache, params->neighbor_timeout_ns, err);
}

static void give_back(resolver_gossip_t *self)
{
    rj_gossip_cache_close(&self->cache);
    free(self->frame);
    free(self);
}

int rj_resolver_gossip_open(rj_resolver_t **ret_resolver, const rj_gossip_params_t *params,
                            rj_err_t *err)
{
    resolver_gossip_t *self = calloc(1, sizeof(*self));
    if (self == NULL)
        return rj_fail(err, -ENOMEM, "out of memory for a resolver");
    self->base.ops = &gossip_ops;
    self->params = *params;
    self->step_due_ns = INT64_MIN;
    const int result = fill(self, params, err);
    if (result < 0) {
        give_back(self);
        return result;
    }
    *ret_resolver = &self->base;
    return 0;
}

void rj_resolver_gossip_close(rj_resolver_t *resolver)
{
    resolver_gossip_t *self = (resolver_gossip_t *)resolver;
    if (self == NULL)
        return;
    self->params.wire->ops->close(self->params.wire);
    give_back(self);
}
