/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/log_buffer.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

#include "ramjet/command.h"
#include "base/bits.h"

/* A rotation is over in no time, unless its publisher was stopped in the middle of it. */
enum { PRODUCER_POLLS_MAX = 8 };

static bool is_pow2_between(int64_t value, int64_t min, int64_t max)
{
    return rj_is_pow2(value) && value >= min && value <= max;
}

int64_t rj_log_file_length(int32_t term_length, int32_t page_size)
{
    if (!is_pow2_between(term_length, RJ_TERM_LENGTH_MIN, RJ_TERM_LENGTH_MAX) ||
        !is_pow2_between(page_size, RJ_PAGE_SIZE_MIN, RJ_PAGE_SIZE_MAX))
        return -EINVAL;
    int64_t length =
        rj_align_up(RJ_LOG_TERM_COUNT * (int64_t)term_length + RJ_LOG_METADATA_BYTES, page_size);
    /* Java maps a file of that size in pieces and takes the terms for 1 GiB each. */
    if (length >= INT32_MAX && term_length != RJ_TERM_LENGTH_MAX)
        return -EINVAL;
    return length;
}

int rj_log_check_storage(const char *directory, int64_t needed_bytes, int64_t *ret_usable_bytes,
                         rj_err_t *err)
{
    struct statvfs status;
    if (statvfs(directory, &status) != 0)
        return rj_fail(err, -errno, "statvfs %s: %s", directory, strerror(errno));
    int64_t usable_bytes = (int64_t)(status.f_frsize * status.f_bavail);
    if (usable_bytes < needed_bytes)
        return rj_fail_aeron(err, -ENOSPC, RJ_ERROR_STORAGE_SPACE,
                             "insufficient usable storage for new log of length=%lld usable=%lld "
                             "in %s",
                             (long long)needed_bytes, (long long)usable_bytes, directory);
    if (ret_usable_bytes != NULL)
        *ret_usable_bytes = usable_bytes;
    return 0;
}

static bool is_mtu(int32_t mtu_length)
{
    return mtu_length >= RJ_MTU_MIN && mtu_length <= RJ_MTU_MAX &&
           rj_is_aligned(mtu_length, RJ_FRAME_ALIGNMENT);
}

static int check_params(const rj_log_params_t *params, rj_err_t *err)
{
    if (rj_log_file_length(params->term_length, params->page_size) < 0)
        return rj_fail(err, -EINVAL, "log: term length %d with page size %d", params->term_length,
                       params->page_size);
    if (!is_mtu(params->mtu_length))
        return rj_fail(err, -EINVAL, "log: mtu %d", params->mtu_length);
    if (params->type == RJ_LOG_TYPE_IMAGE)
        return 0;
    if (rj_term_count(params->start_term_id, params->initial_term_id) < 0)
        return rj_fail(err, -EINVAL, "log: term id %d lies before the initial term id %d",
                       params->start_term_id, params->initial_term_id);
    if (params->start_term_offset < 0 || params->start_term_offset > params->term_length ||
        !rj_is_aligned(params->start_term_offset, RJ_FRAME_ALIGNMENT))
        return rj_fail(err, -EINVAL, "log: term offset %d", params->start_term_offset);
    return 0;
}

/* Points the struct into the mapping and takes its private copies of the constants. */
static void adopt(rj_log_t *log, const rj_log_metadata_t *constants)
{
    rj_wire_data_t header;
    memcpy(log->default_header, constants->default_header, sizeof(log->default_header));
    memcpy(&header, log->default_header, sizeof(header));

    log->term_length = constants->term_length;
    log->term_mask = constants->term_length - 1;
    log->position_shift = rj_log2(constants->term_length);
    log->initial_term_id = constants->initial_term_id;
    log->mtu_length = constants->mtu_length;
    log->payload_length_max = constants->mtu_length - RJ_DATA_HEADER_BYTES;
    log->message_length_max = constants->term_length / 8 < RJ_MESSAGE_BYTES_MAX
                                  ? constants->term_length / 8
                                  : RJ_MESSAGE_BYTES_MAX;
    log->session_id = header.session_id;
    log->stream_id = header.stream_id;
    log->correlation_id = constants->correlation_id;
    for (int i = 0; i < RJ_LOG_TERM_COUNT; i++)
        log->terms[i] = log->file.bytes + (int64_t)i * log->term_length;
}

static rj_log_metadata_t *metadata_of(const rj_mapfile_t *file)
{
    return (rj_log_metadata_t *)(void *)(file->bytes + file->length_bytes - RJ_LOG_METADATA_BYTES);
}

static void write_default_header(rj_log_metadata_t *metadata, const rj_log_params_t *params)
{
    rj_wire_data_t header = {
        .version = RJ_FRAME_VERSION,
        .flags = RJ_DATA_FLAG_UNFRAGMENTED,
        .type = RJ_FRAME_TYPE_DATA,
        .session_id = params->session_id,
        .stream_id = params->stream_id,
        .term_id = params->initial_term_id,
    };
    memcpy(metadata->default_header, &header, sizeof(header));
}

/* The partition of the start term begins at its offset; the two that follow carry the ids they
 * would have had one round ago, which is what rotation expects to find. */
static void write_tails(rj_log_metadata_t *metadata, const rj_log_params_t *params)
{
    int32_t term_count = rj_term_count(params->start_term_id, params->initial_term_id);
    for (int32_t i = 0; i < RJ_LOG_TERM_COUNT; i++) {
        int32_t partition = (rj_term_count_partition(term_count) + i) % RJ_LOG_TERM_COUNT;
        metadata->term_tail_counters[partition] =
            i == 0 ? rj_tail_pack(params->start_term_id, (uint32_t)params->start_term_offset)
                   : rj_tail_pack(rj_term_id_add(params->start_term_id, i - RJ_LOG_TERM_COUNT), 0);
    }
    metadata->active_term_count = term_count;
}

static void write_lengths(rj_log_metadata_t *metadata, const rj_log_params_t *params)
{
    metadata->default_frame_header_length = RJ_DATA_HEADER_BYTES;
    metadata->mtu_length = params->mtu_length;
    metadata->term_length = params->term_length;
    metadata->page_size = params->page_size;
    metadata->publication_window_length = params->publication_window_length;
    metadata->receiver_window_length = params->receiver_window_length;
    metadata->socket_sndbuf_length = params->socket_sndbuf_length;
    metadata->os_default_socket_sndbuf_length = params->os_default_socket_sndbuf_length;
    metadata->os_max_socket_sndbuf_length = params->os_max_socket_sndbuf_length;
    metadata->socket_rcvbuf_length = params->socket_rcvbuf_length;
    metadata->os_default_socket_rcvbuf_length = params->os_default_socket_rcvbuf_length;
    metadata->os_max_socket_rcvbuf_length = params->os_max_socket_rcvbuf_length;
}

static void write_metadata(rj_log_metadata_t *metadata, const rj_log_params_t *params)
{
    if (params->type != RJ_LOG_TYPE_IMAGE)
        write_tails(metadata, params);
    write_lengths(metadata, params);
    write_default_header(metadata, params);
    metadata->correlation_id = params->correlation_id;
    metadata->initial_term_id = params->initial_term_id;
    metadata->max_resend = params->max_resend;
    metadata->entity_tag = params->entity_tag;
    metadata->response_correlation_id = params->response_correlation_id;
    metadata->linger_timeout_ns = params->linger_timeout_ns;
    metadata->untethered_window_limit_timeout_ns = params->untethered_window_limit_timeout_ns;
    metadata->untethered_linger_timeout_ns = params->untethered_linger_timeout_ns;
    metadata->untethered_resting_timeout_ns = params->untethered_resting_timeout_ns;
    metadata->group = params->group;
    metadata->is_response = params->is_response;
    metadata->rejoin = params->rejoin;
    metadata->reliable = params->reliable;
    metadata->sparse = params->sparse;
    metadata->signal_eos = params->signal_eos;
    metadata->spies_simulate_connection = params->spies_simulate_connection;
    metadata->tether = params->tether;
    metadata->type = params->type;
    /* Last, as Aeron does. Pairs with rj_log_end_of_stream; the event orders the file as a whole.
     */
    rj_store_release_i64(&metadata->end_of_stream_position, INT64_MAX);
}

static void fill(rj_log_t *log, const rj_log_params_t *params)
{
    log->metadata = metadata_of(&log->file);
    write_metadata(log->metadata, params);
    adopt(log, log->metadata);
}

int rj_log_create(rj_log_t *log, const char *path, const rj_log_params_t *params, rj_err_t *err)
{
    *log = (rj_log_t){0};
    int code = check_params(params, err);
    if (code != 0)
        return code;
    code = rj_mapfile_create(&log->file, path,
                             rj_log_file_length(params->term_length, params->page_size),
                             params->sparse ? RJ_MAPFILE_SPARSE : RJ_MAPFILE_ALLOCATED, err);
    if (code != 0) {
        if (code == -ENOSPC && err != NULL)
            err->aeron_code = RJ_ERROR_STORAGE_SPACE;
        return code;
    }
    fill(log, params);
    log->is_mapped = !params->sparse;
    return 0;
}

int rj_log_create_in(rj_log_t *log, const rj_mapfile_t *file, const rj_log_params_t *params,
                     rj_err_t *err)
{
    *log = (rj_log_t){0};
    const int code = check_params(params, err);
    if (code != 0)
        return code;
    assert(file->length_bytes == rj_log_file_length(params->term_length, params->page_size));
    log->file = *file;
    fill(log, params);
    return 0;
}

/* Judges a copy: what was checked is what is used. */
static int check_metadata(const rj_log_metadata_t *metadata, int64_t file_length, rj_err_t *err)
{
    int64_t expected_length = rj_log_file_length(metadata->term_length, metadata->page_size);
    if (expected_length != file_length)
        return rj_fail(err, -EINVAL, "term length %d and page size %d in a file of %lld bytes",
                       metadata->term_length, metadata->page_size, (long long)file_length);
    if (!is_mtu(metadata->mtu_length))
        return rj_fail(err, -EINVAL, "mtu %d", metadata->mtu_length);
    if (metadata->default_frame_header_length != RJ_DATA_HEADER_BYTES)
        return rj_fail(err, -EINVAL, "default frame header of %d bytes",
                       metadata->default_frame_header_length);
    return 0;
}

int rj_log_map(rj_log_t *log, const char *path, rj_err_t *err)
{
    *log = (rj_log_t){0};
    int code = rj_mapfile_open(&log->file, path,
                               RJ_LOG_TERM_COUNT * RJ_TERM_LENGTH_MIN + RJ_LOG_METADATA_BYTES,
                               RJ_MAPFILE_READ_WRITE, err);
    if (code != 0)
        return code;
    rj_log_metadata_t constants;
    memcpy(&constants, metadata_of(&log->file), sizeof(constants));
    code = check_metadata(&constants, log->file.length_bytes, err);
    if (code != 0) {
        rj_err_context(err, "log %s: ", path);
        rj_log_close(log);
        return code;
    }
    log->metadata = metadata_of(&log->file);
    adopt(log, &constants);
    return 0;
}

void rj_log_close(rj_log_t *log)
{
    rj_mapfile_close(&log->file);
    *log = (rj_log_t){0};
}

bool rj_log_rotate(const rj_log_t *log, int32_t term_count, int32_t term_id)
{
    int32_t next_id = rj_term_id_add(term_id, 1);
    int32_t expected_id = rj_term_id_add(next_id, -RJ_LOG_TERM_COUNT);
    int64_t *next_tail =
        &log->metadata->term_tail_counters[rj_term_count_partition(rj_term_id_add(term_count, 1))];
    int64_t raw_tail;
    do {
        raw_tail = rj_load_acquire_i64(next_tail);
        if (rj_tail_term_id(raw_tail) != expected_id)
            break; /* somebody else has done it */
    } while (!rj_cas_i64(next_tail, raw_tail, rj_tail_pack(next_id, 0)));
    /* The CAS pairs with the acquire in rj_log_active_term_count. */
    return rj_cas_i32(&log->metadata->active_term_count, term_count, rj_term_id_add(term_count, 1));
}

void rj_log_producer_init(rj_log_producer_t *producer, const rj_log_t *log, int64_t start_position)
{
    /* One that starts at the end of a term is not in the next one yet. */
    producer->term_count = rj_log_active_term_count(log);
    producer->position = start_position;
}

/* Partition i may only hold terms that it can have had since two rotations ago. */
static bool is_tail_sane(const rj_log_t *log, int64_t raw_tail, int32_t partition,
                         int64_t active_count)
{
    int64_t count = rj_term_count(rj_tail_term_id(raw_tail), log->initial_term_id);
    if (count < active_count - 2 || count > active_count + 1)
        return false;
    return (count + RJ_LOG_TERM_COUNT) % RJ_LOG_TERM_COUNT == partition &&
           rj_is_aligned(raw_tail, RJ_FRAME_ALIGNMENT);
}

static int poll_producer(rj_log_producer_t *producer, const rj_log_t *log)
{
    int64_t tails[RJ_LOG_TERM_COUNT];
    int32_t active_count = rj_log_active_term_count(log);
    for (int32_t i = 0; i < RJ_LOG_TERM_COUNT; i++)
        tails[i] = rj_log_raw_tail(log, i);
    if (rj_log_active_term_count(log) != active_count)
        return -EAGAIN;

    if (active_count < producer->term_count)
        return -EBADMSG;
    for (int32_t i = 0; i < RJ_LOG_TERM_COUNT; i++) {
        if (!is_tail_sane(log, tails[i], i, active_count))
            return -EBADMSG;
    }
    int64_t tail = tails[rj_term_count_partition(active_count)];
    int64_t position =
        rj_position_pack(rj_tail_term_id(tail), rj_tail_term_offset(tail, log->term_length),
                         log->position_shift, log->initial_term_id);
    if (position < producer->position)
        return -EBADMSG;
    producer->term_count = active_count;
    producer->position = position;
    return 0;
}

int rj_log_producer_poll(rj_log_producer_t *producer, const rj_log_t *log)
{
    int code = -EAGAIN;
    for (int i = 0; i < PRODUCER_POLLS_MAX && code == -EAGAIN; i++)
        code = poll_producer(producer, log);
    return code;
}

void rj_log_clean_to(const rj_log_t *log, int64_t *clean_position, int64_t target_position)
{
    if (target_position <= *clean_position)
        return;
    int32_t offset = rj_position_term_offset(*clean_position, log->term_mask);
    int64_t length = target_position - *clean_position;
    if (length > log->term_length - offset)
        length = log->term_length - offset;
    assert(rj_is_aligned(offset | length, RJ_FRAME_ALIGNMENT));
    rj_term_clean(rj_log_term(log, *clean_position), offset, (int32_t)length);
    *clean_position += length;
}
