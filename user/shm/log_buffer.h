/* SPDX-License-Identifier: Apache-2.0 */
/* log_buffer.h - the file behind one publication or image: three terms and a page about them.
 *
 *   | term 0 | term 1 | term 2 | (gap if the page size is above 4096) | metadata 4096 |
 *
 * Clients map it for writing, so nothing in it is believed twice: the constants are copied into the
 * struct when it is opened, and the tails are judged before they are used (spec shm.md 17).
 *
 * Units      lengths and offsets in bytes, positions in stream bytes.
 * Ownership  the caller owns the struct, which owns the mapping. Closing does not remove the file.
 * Thread     create, map and close: one thread. Each accessor says who may call it.
 * Errors     negative errno, text in `err`.
 */
#ifndef RJ_SHM_LOG_BUFFER_H
#define RJ_SHM_LOG_BUFFER_H

#include "ramjet/shm.h"
#include "ramjet/wire.h"
#include "base/atomic.h"
#include "base/err.h"
#include "base/mapfile.h"
#include "shm/position.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef struct rj_log {
    rj_mapfile_t file;
    uint8_t *terms[RJ_LOG_TERM_COUNT];
    rj_log_metadata_t *metadata;
    bool is_mapped; /* every page of it was when it was created */
    /* Private copies of what must never change. */
    int32_t term_length;
    int32_t term_mask;
    int32_t position_shift;
    int32_t initial_term_id;
    int32_t mtu_length;
    int32_t payload_length_max; /* of one frame */
    int32_t message_length_max; /* of a fragmented message */
    int32_t session_id;
    int32_t stream_id;
    int64_t correlation_id;
    uint8_t default_header[RJ_DATA_HEADER_BYTES];
} rj_log_t;

/* Everything the metadata page says. Fields that do not apply are 0, except where the comment says.
 */
typedef struct rj_log_params {
    int64_t correlation_id; /* original registration id, or image correlation id */
    int32_t initial_term_id;
    int32_t start_term_id; /* publications: where they start; equals initial_term_id by default */
    int32_t start_term_offset; /* a multiple of 32 */
    int32_t term_length;
    int32_t page_size;
    int32_t mtu_length;
    int32_t session_id;
    int32_t stream_id;
    int32_t publication_window_length;
    int32_t receiver_window_length;
    int32_t socket_sndbuf_length;
    int32_t os_default_socket_sndbuf_length;
    int32_t os_max_socket_sndbuf_length;
    int32_t socket_rcvbuf_length;
    int32_t os_default_socket_rcvbuf_length;
    int32_t os_max_socket_rcvbuf_length;
    int32_t max_resend;
    int64_t entity_tag;              /* -1: a publication without tag */
    int64_t response_correlation_id; /* -1: none */
    int64_t linger_timeout_ns;
    int64_t untethered_window_limit_timeout_ns;
    int64_t untethered_linger_timeout_ns;
    int64_t untethered_resting_timeout_ns;
    bool group;
    bool is_response;
    bool rejoin;
    bool reliable;
    bool sparse; /* also decides how the file takes its space */
    bool signal_eos;
    bool spies_simulate_connection;
    bool tether;
    uint8_t type; /* RJ_LOG_TYPE_...; an image's tails stay 0 */
} rj_log_params_t;

/* The length of the file, or -EINVAL for a term length or page size that Aeron clients cannot map:
 * both powers of two in their bounds, and below 2^31 - 1 bytes unless the term length is 1 GiB. */
int64_t rj_log_file_length(int32_t term_length, int32_t page_size);

/* -ENOSPC (Aeron code STORAGE_SPACE) if the file system of `directory` has fewer than
 * `needed_bytes` usable bytes; `ret_usable_bytes` (NULL allowed) is for the warning about low
 * space. */
int rj_log_check_storage(const char *directory, int64_t needed_bytes, int64_t *ret_usable_bytes,
                         rj_err_t *err);

/* Driver: creates the file complete with metadata, tails and default header. The event that names
 * the file publishes it. -EEXIST if there is one, -EINVAL for lengths out of bounds. */
int rj_log_create(rj_log_t *log, const char *path, const rj_log_params_t *params, rj_err_t *err);

/* Driver: the same in a file that is there already, of the right length and all zeros, which the
 * log has from now on. -EINVAL leaves it the caller's. */
int rj_log_create_in(rj_log_t *log, const rj_mapfile_t *file, const rj_log_params_t *params,
                     rj_err_t *err);

/* Client: maps an announced file and checks its metadata; -EINVAL if it is no log buffer. */
int rj_log_map(rj_log_t *log, const char *path, rj_err_t *err);

/* Unmaps; safe on a closed struct. */
void rj_log_close(rj_log_t *log);

/* The partition that holds a position. */
static inline uint8_t *rj_log_term(const rj_log_t *log, int64_t position)
{
    return log->terms[rj_position_partition(position, log->position_shift)];
}

/* Whether the frame there says that it begins at `position`: for positions that others name,
 * where anything may lie. */
static inline bool rj_log_frame_is_at(const rj_log_t *log, const uint8_t *frame, int64_t position)
{
    rj_wire_data_t header;
    memcpy(&header, frame, sizeof(header));
    return header.term_offset == rj_position_term_offset(position, log->term_mask) &&
           header.term_id ==
               rj_position_term_id(position, log->position_shift, log->initial_term_id);
}

/* Any thread. Acquire: pairs with the release or the CAS of publishers. */
static inline int64_t rj_log_raw_tail(const rj_log_t *log, int32_t partition)
{
    return rj_load_acquire_i64(&log->metadata->term_tail_counters[partition]);
}

/* Any thread. Acquire: pairs with the CAS of the rotating publisher; a valid tail is there already.
 */
static inline int32_t rj_log_active_term_count(const rj_log_t *log)
{
    return rj_load_acquire_i32(&log->metadata->active_term_count);
}

/* Moves a log on to the next term: its tail first, then the count, so that who sees the new count
 * sees a valid tail. Any number of threads may try; returns true to the one that moved the count.
 */
bool rj_log_rotate(const rj_log_t *log, int32_t term_count, int32_t term_id);

/* What the driver last believed of a publication's tails. Set up by rj_log_producer_init. */
typedef struct rj_log_producer {
    int32_t term_count;
    int64_t position;
} rj_log_producer_t;

void rj_log_producer_init(rj_log_producer_t *producer, const rj_log_t *log, int64_t start_position);

/* Conductor: reads how far the publishers of a log have come. Returns 0 with producer->position
 * fresh, -EAGAIN if a rotation would not end (nothing changes; ask again next turn), -EBADMSG if
 * the tails cannot be: some client has spoilt them and the publication is broken. */
int rj_log_producer_poll(rj_log_producer_t *producer, const rj_log_t *log);

/* Whether publishers have come behind `position` by the last poll, if only into the next term. */
static inline bool rj_log_producer_is_ahead(const rj_log_producer_t *producer, const rj_log_t *log,
                                            int64_t position)
{
    return producer->position > position ||
           producer->term_count != rj_position_term_count(position, log->position_shift);
}

/* Zeroes bytes of a term so that a publisher may come there again. The first word goes last, with
 * release: whoever acquires zero there knows that the whole range is clean. `length` >= 32. */
static inline void rj_term_clean(uint8_t *term, int32_t offset, int32_t length)
{
    uint8_t *range = term + offset;
    memset(range + sizeof(int64_t), 0, (size_t)length - sizeof(int64_t));
    rj_store_release_i64((rj_shared_i64_t *)(void *)range, 0);
}

/* Cleans from *clean_position up to `target_position`, at most to the end of one term; the rest
 * follows with later calls. Both are multiples of 32. Only one thread cleans a log. */
void rj_log_clean_to(const rj_log_t *log, int64_t *clean_position, int64_t target_position);

/* The gap rule of network publications: may the publisher limit move to `new_limit` while
 * everything up to `clean_position` only has been cleaned? */
static inline bool rj_log_limit_is_clean(const rj_log_t *log, int64_t clean_position,
                                         int64_t new_limit)
{
    int64_t terms_ahead =
        (new_limit >> log->position_shift) - (clean_position >> log->position_shift);
    return terms_ahead < 2 || (terms_ahead == 2 && (clean_position & log->term_mask) != 0);
}

/* The words the driver tells clients by. Release in the setters pairs with acquire in the getters.
 */
static inline void rj_log_set_connected(const rj_log_t *log, bool is_connected)
{
    rj_store_release_i32(&log->metadata->is_connected, is_connected ? 1 : 0);
}

static inline bool rj_log_is_connected(const rj_log_t *log)
{
    return rj_load_acquire_i32(&log->metadata->is_connected) == 1;
}

static inline void rj_log_set_end_of_stream(const rj_log_t *log, int64_t position)
{
    rj_store_release_i64(&log->metadata->end_of_stream_position, position);
}

/* INT64_MAX until known. */
static inline int64_t rj_log_end_of_stream(const rj_log_t *log)
{
    return rj_load_acquire_i64(&log->metadata->end_of_stream_position);
}

static inline void rj_log_set_active_transports(const rj_log_t *log, int32_t count)
{
    rj_store_release_i32(&log->metadata->active_transport_count, count);
}

static inline int32_t rj_log_active_transports(const rj_log_t *log)
{
    return rj_load_acquire_i32(&log->metadata->active_transport_count);
}

/* To be stored before the end of stream. */
static inline void rj_log_set_revoked(const rj_log_t *log)
{
    __atomic_store_n(&log->metadata->is_publication_revoked, 1, __ATOMIC_RELEASE);
}

static inline bool rj_log_is_revoked(const rj_log_t *log)
{
    return __atomic_load_n(&log->metadata->is_publication_revoked, __ATOMIC_ACQUIRE) != 0;
}

#endif
