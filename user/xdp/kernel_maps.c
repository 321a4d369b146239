/* SPDX-License-Identifier: Apache-2.0 */
#include "xdp/kernel_maps.h"

#include "xdp/ingress.h"
#include "xdp/sweep.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PROGRAM_MAPS_MAX = 32 };

/* What a map must be to be believed. */
typedef struct shape {
    const char *name;
    uint32_t type;
    uint32_t key_size;
    uint32_t value_size;
    uint32_t max_entries;
} shape_t;

static const shape_t shapes[RJ_MAP_COUNT] = {
    [RJ_MAP_CHANNELS] = {"rj_channels", BPF_MAP_TYPE_HASH, sizeof(struct rj_channel_key),
                         sizeof(struct rj_channel_value), RJ_XDP_CHANNELS_MAX},
    [RJ_MAP_STREAMS] = {"rj_streams", BPF_MAP_TYPE_HASH, sizeof(struct rj_stream_key),
                        sizeof(struct rj_stream_value), RJ_XDP_STREAMS_MAX},
    [RJ_MAP_XSKS] = {"rj_xsks", BPF_MAP_TYPE_XSKMAP, sizeof(uint32_t), sizeof(uint32_t),
                     RJ_XDP_QUEUES_MAX},
    [RJ_MAP_QUEUES] = {"rj_queues", BPF_MAP_TYPE_ARRAY, sizeof(uint32_t),
                       sizeof(struct rj_queue_value), RJ_XDP_QUEUES_MAX},
    [RJ_MAP_OWNERS] = {"rj_owners", BPF_MAP_TYPE_HASH, sizeof(uint32_t),
                       sizeof(struct rj_owner_value), RJ_XDP_OWNERS_MAX},
    [RJ_MAP_CLAIMS] = {"rj_claims", BPF_MAP_TYPE_HASH, sizeof(struct rj_claim_key),
                       sizeof(struct rj_claim_value), RJ_XDP_CLAIMS_MAX},
    [RJ_MAP_CONFIG] = {"rj_config", BPF_MAP_TYPE_ARRAY, sizeof(uint32_t),
                       sizeof(struct rj_xdp_config), 1},
    [RJ_MAP_STATS] = {"rj_stats", BPF_MAP_TYPE_PERCPU_ARRAY, sizeof(uint32_t),
                      sizeof(struct rj_count), RJ_XDP_REASON_COUNT},
    [RJ_MAP_STREAM_STATS] = {"rj_stream_stats", BPF_MAP_TYPE_PERCPU_ARRAY, sizeof(uint32_t),
                             sizeof(struct rj_stream_count), RJ_XDP_COUNTERS_MAX},
};

const char *rj_kernel_map_name(rj_kernel_map_t map)
{
    return shapes[map].name;
}

static const rj_kernel_maps_t *from_const(const rj_steer_maps_t *maps)
{
    return (const rj_kernel_maps_t *)maps;
}

static int put(const rj_steer_maps_t *maps, rj_kernel_map_t map, const void *key, const void *value,
               rj_steer_put_t how)
{
    uint64_t flags = how == RJ_STEER_PUT_NEW ? BPF_NOEXIST : BPF_ANY;
    return bpf_map_update_elem(from_const(maps)->fds[map], key, value, flags) == 0 ? 0 : -errno;
}

static int get(const rj_steer_maps_t *maps, rj_kernel_map_t map, const void *key, void *value)
{
    return bpf_map_lookup_elem(from_const(maps)->fds[map], key, value) == 0 ? 0 : -errno;
}

static int take_out(const rj_steer_maps_t *maps, rj_kernel_map_t map, const void *key)
{
    return bpf_map_delete_elem(from_const(maps)->fds[map], key) == 0 ? 0 : -errno;
}

static int put_channel(rj_steer_maps_t *maps, const struct rj_channel_key *key,
                       const struct rj_channel_value *value, rj_steer_put_t how)
{
    return put(maps, RJ_MAP_CHANNELS, key, value, how);
}

static int get_channel(rj_steer_maps_t *maps, const struct rj_channel_key *key,
                       struct rj_channel_value *ret_value)
{
    return get(maps, RJ_MAP_CHANNELS, key, ret_value);
}

static int remove_channel(rj_steer_maps_t *maps, const struct rj_channel_key *key)
{
    return take_out(maps, RJ_MAP_CHANNELS, key);
}

static int put_stream(rj_steer_maps_t *maps, const struct rj_stream_key *key,
                      const struct rj_stream_value *value, rj_steer_put_t how)
{
    return put(maps, RJ_MAP_STREAMS, key, value, how);
}

static int get_stream(rj_steer_maps_t *maps, const struct rj_stream_key *key,
                      struct rj_stream_value *ret_value)
{
    return get(maps, RJ_MAP_STREAMS, key, ret_value);
}

static int remove_stream(rj_steer_maps_t *maps, const struct rj_stream_key *key)
{
    return take_out(maps, RJ_MAP_STREAMS, key);
}

static int put_queue(rj_steer_maps_t *maps, uint32_t queue, const struct rj_queue_value *value)
{
    return put(maps, RJ_MAP_QUEUES, &queue, value, RJ_STEER_PUT_ANY);
}

static int get_queue(rj_steer_maps_t *maps, uint32_t queue, struct rj_queue_value *ret_value)
{
    return get(maps, RJ_MAP_QUEUES, &queue, ret_value);
}

static int put_owner(rj_steer_maps_t *maps, uint32_t owner, const struct rj_owner_value *value)
{
    return put(maps, RJ_MAP_OWNERS, &owner, value, RJ_STEER_PUT_ANY);
}

static int remove_owner(rj_steer_maps_t *maps, uint32_t owner)
{
    return take_out(maps, RJ_MAP_OWNERS, &owner);
}

static int claim(rj_steer_maps_t *maps, const struct rj_claim_key *key, uint32_t owner)
{
    struct rj_claim_value value = {.owner = owner};
    return put(maps, RJ_MAP_CLAIMS, key, &value, RJ_STEER_PUT_NEW);
}

static int get_claim(rj_steer_maps_t *maps, const struct rj_claim_key *key, uint32_t *ret_owner)
{
    struct rj_claim_value value;
    int code = get(maps, RJ_MAP_CLAIMS, key, &value);
    if (code == 0)
        *ret_owner = value.owner;
    return code;
}

static int release(rj_steer_maps_t *maps, const struct rj_claim_key *key)
{
    return take_out(maps, RJ_MAP_CLAIMS, key);
}

static int clear_counter(rj_steer_maps_t *maps, uint32_t counter_index)
{
    rj_kernel_maps_t *kernel = (rj_kernel_maps_t *)maps;
    struct rj_stream_count *zeros = calloc(kernel->cpu_count, sizeof(*zeros));
    if (zeros == NULL)
        return -ENOMEM;
    int code = put(maps, RJ_MAP_STREAM_STATS, &counter_index, zeros, RJ_STEER_PUT_ANY);
    free(zeros);
    return code;
}

static int set_mac(rj_steer_maps_t *maps, const uint8_t mac[6])
{
    const rj_kernel_maps_t *kernel = from_const(maps);
    struct rj_xdp_config config;
    int code = rj_kernel_maps_get_config(kernel, &config);
    if (code != 0 || memcmp(config.mac, mac, sizeof(config.mac)) == 0)
        return code;
    memcpy(config.mac, mac, sizeof(config.mac));
    return rj_kernel_maps_put_config(kernel, &config);
}

static bool is_attached(rj_steer_maps_t *maps)
{
    const rj_kernel_maps_t *kernel = from_const(maps);
    LIBBPF_OPTS(bpf_xdp_query_opts, opts);
    if (kernel->is_aside)
        return true;
    if (kernel->is_at_ingress)
        return rj_ingress_has(kernel->interface_index, kernel->attached_id);
    return kernel->interface_index != 0 &&
           bpf_xdp_query((int)kernel->interface_index, 0, &opts) == 0 &&
           (opts.drv_prog_id == kernel->attached_id || opts.skb_prog_id == kernel->attached_id);
}

static int sweep(rj_steer_maps_t *maps, uint32_t owner, int64_t now_ns)
{
    return rj_kernel_maps_sweep((rj_kernel_maps_t *)maps, owner, now_ns);
}

static const rj_steer_maps_ops_t ops = {
    .put_channel = put_channel,
    .get_channel = get_channel,
    .remove_channel = remove_channel,
    .put_stream = put_stream,
    .get_stream = get_stream,
    .remove_stream = remove_stream,
    .put_queue = put_queue,
    .get_queue = get_queue,
    .put_owner = put_owner,
    .remove_owner = remove_owner,
    .claim = claim,
    .get_claim = get_claim,
    .release = release,
    .clear_counter = clear_counter,
    .set_mac = set_mac,
    .is_attached = is_attached,
    .sweep = sweep,
};

void rj_kernel_maps_init(rj_kernel_maps_t *maps)
{
    *maps = (rj_kernel_maps_t){.maps.ops = &ops};
    for (size_t i = 0; i < RJ_MAP_COUNT; i++)
        maps->fds[i] = -1;
}

static int look(int fd, struct bpf_map_info *ret_info)
{
    uint32_t size = sizeof(*ret_info);
    memset(ret_info, 0, sizeof(*ret_info));
    return bpf_obj_get_info_by_fd(fd, ret_info, &size) == 0 ? 0 : -errno;
}

static bool is_shaped(const struct bpf_map_info *info, const shape_t *shape)
{
    return info->type == shape->type && info->key_size == shape->key_size &&
           info->value_size == shape->value_size && info->max_entries == shape->max_entries;
}

/* The maps are whole; now that they are of our version. */
static int check(rj_kernel_maps_t *maps, rj_err_t *err)
{
    struct rj_xdp_config config = {0};
    for (size_t i = 0; i < RJ_MAP_COUNT; i++) {
        struct bpf_map_info info;
        int code = maps->fds[i] < 0 ? -ENOENT : look(maps->fds[i], &info);
        if (code != 0)
            return rj_fail(err, code, "map %s: %s", shapes[i].name, strerror(-code));
        if (strcmp(info.name, shapes[i].name) != 0 || !is_shaped(&info, &shapes[i]))
            return rj_fail(err, -EPROTO, "map %s is of another version", shapes[i].name);
    }
    int code = rj_kernel_maps_get_config(maps, &config);
    if (code != 0)
        return rj_fail(err, code, "map rj_config: %s", strerror(-code));
    if (config.abi_version != RJ_XDP_ABI_VERSION)
        return rj_fail(err, -EPROTO, "the maps are of version %u, this ramjet needs version %d",
                       config.abi_version, RJ_XDP_ABI_VERSION);
    return 0;
}

int rj_kernel_maps_open(rj_kernel_maps_t *maps, const int fds[static RJ_MAP_COUNT], rj_err_t *err)
{
    rj_kernel_maps_init(maps);
    int cpus = libbpf_num_possible_cpus();
    maps->cpu_count = cpus > 0 ? (size_t)cpus : 0;
    memcpy(maps->fds, fds, sizeof(maps->fds));
    int code = cpus > 0 ? check(maps, err)
                        : rj_fail(err, cpus, "cannot tell how many CPUs are possible here");
    if (code != 0)
        rj_kernel_maps_close(maps);
    return code;
}

/* Keeps the map when its name is one of ours, whatever its shape: that is checked later. */
static int take_by_id(uint32_t id, int fds[static RJ_MAP_COUNT])
{
    struct bpf_map_info info;
    int fd = bpf_map_get_fd_by_id(id);
    if (fd < 0)
        return -errno;
    int code = look(fd, &info);
    for (size_t i = 0; code == 0 && i < RJ_MAP_COUNT; i++)
        if (fds[i] < 0 && strcmp(info.name, shapes[i].name) == 0) {
            fds[i] = fd;
            return 0;
        }
    close(fd);
    return code;
}

static int find_map_ids(uint32_t program_id, uint32_t ids[static PROGRAM_MAPS_MAX])
{
    struct bpf_prog_info info = {.nr_map_ids = PROGRAM_MAPS_MAX, .map_ids = (uintptr_t)ids};
    uint32_t size = sizeof(info);
    int fd = bpf_prog_get_fd_by_id(program_id);
    if (fd < 0)
        return -errno;
    int code = bpf_obj_get_info_by_fd(fd, &info, &size) == 0 ? 0 : -errno;
    close(fd);
    if (code != 0)
        return code;
    return info.nr_map_ids < PROGRAM_MAPS_MAX ? (int)info.nr_map_ids : PROGRAM_MAPS_MAX;
}

int rj_kernel_maps_open_program(rj_kernel_maps_t *maps, uint32_t program_id, rj_err_t *err)
{
    uint32_t ids[PROGRAM_MAPS_MAX] = {0};
    int fds[RJ_MAP_COUNT];
    rj_kernel_maps_init(maps);
    for (size_t i = 0; i < RJ_MAP_COUNT; i++)
        fds[i] = -1;
    int count = find_map_ids(program_id, ids);
    int code = count < 0 ? count : 0;
    for (int i = 0; code == 0 && i < count; i++)
        code = take_by_id(ids[i], fds);
    if (code != 0) {
        for (size_t i = 0; i < RJ_MAP_COUNT; i++)
            if (fds[i] >= 0)
                close(fds[i]);
        if (code == -EPERM)
            return rj_fail(err, code,
                           "the maps of program %u: finding them by number needs CAP_SYS_ADMIN",
                           program_id);
        return rj_fail(err, code, "the maps of program %u: %s", program_id, strerror(-code));
    }
    code = rj_kernel_maps_open(maps, fds, err);
    if (code == 0)
        maps->program_id = program_id;
    return code;
}

void rj_kernel_maps_close(rj_kernel_maps_t *maps)
{
    for (size_t i = 0; i < RJ_MAP_COUNT; i++)
        if (maps->fds[i] >= 0)
            close(maps->fds[i]);
    rj_kernel_maps_init(maps);
}

int rj_kernel_maps_get_config(const rj_kernel_maps_t *maps, struct rj_xdp_config *ret_config)
{
    uint32_t zero = 0;
    return get(&maps->maps, RJ_MAP_CONFIG, &zero, ret_config);
}

int rj_kernel_maps_put_config(const rj_kernel_maps_t *maps, const struct rj_xdp_config *config)
{
    uint32_t zero = 0;
    return put(&maps->maps, RJ_MAP_CONFIG, &zero, config, RJ_STEER_PUT_ANY);
}

int rj_kernel_maps_get_owner(const rj_kernel_maps_t *maps, uint32_t owner,
                             struct rj_owner_value *ret_value)
{
    return get(&maps->maps, RJ_MAP_OWNERS, &owner, ret_value);
}

int rj_kernel_maps_get_queue(const rj_kernel_maps_t *maps, uint32_t queue,
                             struct rj_queue_value *ret_value)
{
    return get(&maps->maps, RJ_MAP_QUEUES, &queue, ret_value);
}

static void add(struct rj_count *sum, const struct rj_count *count)
{
    sum->packets += count->packets;
    sum->bytes += count->bytes;
}

int rj_kernel_maps_get_reason(const rj_kernel_maps_t *maps, enum rj_xdp_reason reason,
                              struct rj_count *ret_count)
{
    uint32_t index = reason;
    struct rj_count sum = {0};
    struct rj_count *counts = calloc(maps->cpu_count, sizeof(*counts));
    if (counts == NULL)
        return -ENOMEM;
    int code = get(&maps->maps, RJ_MAP_STATS, &index, counts);
    for (size_t i = 0; i < maps->cpu_count; i++)
        add(&sum, &counts[i]);
    free(counts);
    if (code == 0)
        *ret_count = sum;
    return code;
}

int rj_kernel_maps_get_stream_count(const rj_kernel_maps_t *maps, uint32_t counter_index,
                                    struct rj_stream_count *ret_count)
{
    struct rj_stream_count sum = {0};
    struct rj_stream_count *counts = calloc(maps->cpu_count, sizeof(*counts));
    if (counts == NULL)
        return -ENOMEM;
    int code = get(&maps->maps, RJ_MAP_STREAM_STATS, &counter_index, counts);
    for (size_t i = 0; i < maps->cpu_count; i++) {
        add(&sum.redirected, &counts[i].redirected);
        add(&sum.passed, &counts[i].passed);
        add(&sum.dropped, &counts[i].dropped);
        add(&sum.echoed, &counts[i].echoed);
    }
    free(counts);
    if (code == 0)
        *ret_count = sum;
    return code;
}

/* An entry that goes between the two calls is skipped: the next one is asked for from there. */
static int next_entry(const rj_kernel_maps_t *maps, rj_kernel_map_t map, const void *key,
                      void *ret_key, void *ret_value)
{
    const void *from = key;
    for (uint32_t i = 0; i <= shapes[map].max_entries; i++) {
        if (bpf_map_get_next_key(maps->fds[map], from, ret_key) != 0)
            return errno == ENOENT ? 0 : -errno;
        int code = get(&maps->maps, map, ret_key, ret_value);
        if (code != -ENOENT)
            return code == 0 ? 1 : code;
        from = ret_key;
    }
    return 0;
}

int rj_kernel_maps_next_channel(const rj_kernel_maps_t *maps, const struct rj_channel_key *key,
                                struct rj_channel_key *ret_key, struct rj_channel_value *ret_value)
{
    return next_entry(maps, RJ_MAP_CHANNELS, key, ret_key, ret_value);
}

int rj_kernel_maps_next_stream(const rj_kernel_maps_t *maps, const struct rj_stream_key *key,
                               struct rj_stream_key *ret_key, struct rj_stream_value *ret_value)
{
    return next_entry(maps, RJ_MAP_STREAMS, key, ret_key, ret_value);
}

int rj_kernel_maps_next_owner(const rj_kernel_maps_t *maps, const uint32_t *key, uint32_t *ret_key,
                              struct rj_owner_value *ret_value)
{
    return next_entry(maps, RJ_MAP_OWNERS, key, ret_key, ret_value);
}

int rj_kernel_maps_next_claim(const rj_kernel_maps_t *maps, const struct rj_claim_key *key,
                              struct rj_claim_key *ret_key, struct rj_claim_value *ret_value)
{
    return next_entry(maps, RJ_MAP_CLAIMS, key, ret_key, ret_value);
}
