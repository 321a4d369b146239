/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/cnc.h"

#include "base/atomic.h"
#include "base/bits.h"
#include "shm/dir.h"

#include <assert.h>
#include <errno.h>

enum { CAPACITY_MIN = 1024, SECTION_ALIGNMENT = 128 };

static rj_ring_trailer_t *trailer_of(const rj_cnc_t *cnc)
{
    return (rj_ring_trailer_t *)(void *)(cnc->to_driver.bytes + cnc->to_driver.length_bytes -
                                         RJ_RING_TRAILER_BYTES);
}

static bool is_buffer_length(int64_t length, int64_t trailer_length)
{
    return rj_is_pow2(length - trailer_length) && length - trailer_length >= CAPACITY_MIN;
}

int64_t rj_cnc_file_length(const rj_cnc_params_t *params, rj_err_t *err)
{
    if (!is_buffer_length(params->to_driver_length, RJ_RING_TRAILER_BYTES))
        return rj_fail(err, -EINVAL,
                       "cnc: conductor buffer length %d is not a power of two plus %d",
                       params->to_driver_length, RJ_RING_TRAILER_BYTES);
    if (!is_buffer_length(params->to_clients_length, RJ_BROADCAST_TRAILER_BYTES))
        return rj_fail(err, -EINVAL, "cnc: clients buffer length %d is not a power of two plus %d",
                       params->to_clients_length, RJ_BROADCAST_TRAILER_BYTES);
    if (params->counters_values_length < SECTION_ALIGNMENT ||
        !rj_is_aligned(params->counters_values_length, SECTION_ALIGNMENT))
        return rj_fail(err, -EINVAL, "cnc: counters buffer length %d is not a multiple of %d",
                       params->counters_values_length, SECTION_ALIGNMENT);
    if (params->error_log_length < RJ_ERROR_ENTRY_HEADER_BYTES)
        return rj_fail(err, -EINVAL, "cnc: error buffer length %d", params->error_log_length);
    if (!rj_is_pow2(params->file_page_size) || params->file_page_size < RJ_PAGE_SIZE_MIN ||
        params->file_page_size > RJ_PAGE_SIZE_MAX)
        return rj_fail(err, -EINVAL, "cnc: file page size %d", params->file_page_size);

    int64_t values_length = params->counters_values_length;
    int64_t metadata_length = values_length / RJ_COUNTER_VALUE_BYTES * RJ_COUNTER_METADATA_BYTES;
    int64_t length = (int64_t)RJ_CNC_HEADER_BYTES + params->to_driver_length +
                     params->to_clients_length + metadata_length + values_length +
                     params->error_log_length;
    length = rj_align_up(length, params->file_page_size);
    if (length > INT32_MAX)
        return rj_fail(err, -EINVAL, "cnc: file of %lld bytes is too long", (long long)length);
    return length;
}

static void write_header(rj_cnc_header_t *header, const rj_cnc_params_t *params)
{
    header->to_driver_buffer_length = params->to_driver_length;
    header->to_clients_buffer_length = params->to_clients_length;
    header->counters_metadata_buffer_length =
        params->counters_values_length / RJ_COUNTER_VALUE_BYTES * RJ_COUNTER_METADATA_BYTES;
    header->counters_values_buffer_length = params->counters_values_length;
    header->error_log_buffer_length = params->error_log_length;
    header->client_liveness_timeout_ns = params->client_liveness_timeout_ns;
    header->start_epoch_ms = params->start_epoch_ms;
    header->pid = params->pid;
    header->file_page_size = params->file_page_size;
}

/* Points the struct's sections into the mapping; -ENODATA if they reach beyond it, -EINVAL for
 * lengths that a ring, a broadcast buffer or the counters cannot have. */
static int locate_sections(rj_cnc_t *cnc)
{
    rj_cnc_section_t *sections[] = {&cnc->to_driver, &cnc->to_clients, &cnc->counters_metadata,
                                    &cnc->counters_values, &cnc->error_log};
    const int32_t *lengths = &cnc->header->to_driver_buffer_length;
    int64_t offset = RJ_CNC_HEADER_BYTES;
    for (int i = 0; i < 5; i++) {
        int32_t length = rj_load_relaxed_i32(&lengths[i]);
        if (length < 0)
            return -EINVAL;
        *sections[i] = (rj_cnc_section_t){cnc->file.bytes + offset, length};
        offset += length;
    }
    if (offset > cnc->file.length_bytes)
        return -ENODATA;
    int64_t values_length = cnc->counters_values.length_bytes;
    if (!is_buffer_length(cnc->to_driver.length_bytes, RJ_RING_TRAILER_BYTES) ||
        !is_buffer_length(cnc->to_clients.length_bytes, RJ_BROADCAST_TRAILER_BYTES) ||
        values_length == 0 || !rj_is_aligned(values_length, SECTION_ALIGNMENT) ||
        cnc->counters_metadata.length_bytes != 4 * values_length)
        return -EINVAL;
    return 0;
}

int rj_cnc_create(rj_cnc_t *cnc, const char *directory, const rj_cnc_params_t *params,
                  rj_err_t *err)
{
    char path[RJ_DIR_PATH_BYTES_MAX];
    *cnc = (rj_cnc_t){0};
    int64_t length = rj_cnc_file_length(params, err);
    if (length < 0)
        return (int)length;
    int code = rj_dir_join(path, sizeof(path), directory, RJ_CNC_FILE);
    if (code != 0)
        return rj_fail(err, code, "cnc: directory %s: name too long", directory);
    code = rj_mapfile_create(&cnc->file, path, length, RJ_MAPFILE_ALLOCATED, err);
    if (code != 0)
        return code;
    cnc->header = (rj_cnc_header_t *)(void *)cnc->file.bytes;
    write_header(cnc->header, params);
    code = locate_sections(cnc);
    assert(code == 0); /* the parameters have been checked */
    /* 0 means "no registration" in counters, so neither driver nor client may get it as an id. */
    rj_fetch_add_i64(&trailer_of(cnc)->correlation_counter, 1);
    return code;
}

void rj_cnc_publish(rj_cnc_t *cnc, int64_t epoch_ms)
{
    /* Before the version: clients take a heartbeat of 0 or an old one for a dead driver. */
    rj_store_release_i64(&trailer_of(cnc)->consumer_heartbeat_ms, epoch_ms);
    /* Release: pairs with the acquire of the version in rj_cnc_inspect. */
    rj_store_release_i32(&cnc->header->version, RJ_CNC_VERSION);
    rj_mapfile_sync(&cnc->file);
}

void rj_cnc_retire(rj_cnc_t *cnc)
{
    rj_store_release_i64(&trailer_of(cnc)->consumer_heartbeat_ms, RJ_NULL_VALUE);
    rj_mapfile_sync(&cnc->file);
}

static int check_mapping(rj_cnc_t *cnc, const char *path, rj_err_t *err)
{
    cnc->header = (rj_cnc_header_t *)(void *)cnc->file.bytes;
    /* Acquire: pairs with the release in rj_cnc_publish; the header is complete behind it. */
    int32_t version = rj_load_acquire_i32(&cnc->header->version);
    if (version == 0)
        return rj_fail(err, -EAGAIN, "%s: not published yet", path);
    if (version >> RJ_CNC_VERSION_MAJOR_SHIFT != RJ_CNC_VERSION >> RJ_CNC_VERSION_MAJOR_SHIFT)
        return rj_fail(err, -EPROTO, "%s: version %d.%d.%d is not ours", path, version >> 16,
                       version >> 8 & 0xFF, version & 0xFF);
    int code = locate_sections(cnc);
    if (code == -ENODATA)
        return rj_fail(err, code, "%s: shorter than its sections", path);
    if (code != 0)
        return rj_fail(err, -EPROTO, "%s: impossible section lengths", path);
    return 0;
}

int rj_cnc_inspect(rj_cnc_t *cnc, const char *directory, rj_mapfile_access_t access, rj_err_t *err)
{
    char path[RJ_DIR_PATH_BYTES_MAX];
    *cnc = (rj_cnc_t){0};
    int code = rj_dir_join(path, sizeof(path), directory, RJ_CNC_FILE);
    if (code != 0)
        return rj_fail(err, code, "cnc: directory %s: name too long", directory);
    code = rj_mapfile_open(&cnc->file, path, RJ_CNC_HEADER_BYTES + 1, access, err);
    if (code == -ENODATA)
        return rj_fail(err, -EAGAIN, "%s: not initialised yet", path);
    if (code != 0)
        return code;
    code = check_mapping(cnc, path, err);
    if (code != 0)
        rj_cnc_close(cnc);
    return code;
}

int rj_cnc_try_map(rj_cnc_t *cnc, const char *directory, rj_mapfile_access_t access, rj_err_t *err)
{
    int code = rj_cnc_inspect(cnc, directory, access, err);
    return code == -ENOENT || code == -ENODATA ? -EAGAIN : code;
}

void rj_cnc_close(rj_cnc_t *cnc)
{
    rj_mapfile_close(&cnc->file);
    *cnc = (rj_cnc_t){0};
}

int64_t rj_cnc_heartbeat_ms(const rj_cnc_t *cnc)
{
    /* Acquire: pairs with the release in rj_ring_mpsc_set_heartbeat_ms. */
    return rj_load_acquire_i64(&trailer_of(cnc)->consumer_heartbeat_ms);
}

bool rj_cnc_driver_is_alive(const rj_cnc_t *cnc, int64_t epoch_ms, int64_t timeout_ms)
{
    int64_t heartbeat_ms = rj_cnc_heartbeat_ms(cnc);
    return heartbeat_ms > 0 && epoch_ms - heartbeat_ms <= timeout_ms;
}
