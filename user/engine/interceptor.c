/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/interceptor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/map64.h"
#include "base/prng.h"
#include "ramjet/wire.h"

/* How far a stream has come in the one term from which filters lose by place: what is sent again
 * lies behind and passes. */
typedef struct stream {
    int64_t fixed_end;
    int64_t multi_gap_end;
} stream_t;

struct rj_interceptor {
    rj_filter_config_t config;
    rj_interceptor_counters_t counters;
    rj_prng_t prng;
    rj_map64_t streams; /* by (stream, session) */
    stream_t *pool;
    size_t pool_count;
};

/* --- by chance --- */

static bool loses_by_chance(rj_interceptor_t *self, const rj_wire_frame_t *frame)
{
    const rj_random_loss_args_t *config = &self->config.loss;
    const int type = frame->type;
    return type >= 0 && type < 64 && (config->type_mask >> type & 1) != 0 &&
           rj_prng_chance(&self->prng, config->rate);
}

/* --- by place --- */

static stream_t *stream_of(rj_interceptor_t *self, const rj_wire_data_t *data)
{
    const int64_t key = rj_map64_key(data->stream_id, data->session_id);
    stream_t *stream = rj_map64_find(&self->streams, key);
    if (stream != NULL || self->pool_count == RJ_INTERCEPTOR_STREAMS_MAX)
        return stream;
    stream = &self->pool[self->pool_count];
    if (rj_map64_add(&self->streams, key, stream) < 0)
        return NULL;
    self->pool_count++;
    return stream;
}

/* As the reference, whatever its name says: everything before the range is lost too
 * (tests/unit/test_interceptor.c). */
static bool is_before_fixed_end(const rj_fixed_loss_args_t *config, int64_t begin)
{
    return begin < config->offset + config->length;
}

/* Gap n is [n * radix, n * radix + length), n from 1 to count. */
static bool touches_gap(const rj_multi_gap_loss_args_t *config, int64_t begin, int64_t end)
{
    if (config->radix == 0 || config->length == 0)
        return false;
    const int64_t behind = begin - config->length;
    int64_t gap = behind < 0 ? 0 : behind / config->radix + 1;
    gap = gap < 1 ? 1 : gap;
    return gap <= config->count && gap * config->radix < end &&
           gap * config->radix + config->length > begin;
}

/* True for what lies ahead of all that was lost before; it counts as lost then. */
static bool advance(int64_t *lost_end, int64_t begin, int64_t end)
{
    if (begin < *lost_end)
        return false;
    *lost_end = end;
    return true;
}

/* Heartbeats are at the place of what comes next, which is not to pass for sent again. */
static bool loses_by_place(rj_interceptor_t *self, const rj_packet_t *packet, int32_t kind)
{
    const rj_wire_data_t *data = (const rj_wire_data_t *)packet->data;
    if (packet->length_bytes < RJ_DATA_HEADER_BYTES || data->type != RJ_FRAME_TYPE_DATA ||
        data->frame_length <= 0)
        return false;
    const int32_t term_id = kind == RJ_INTERCEPTOR_FIXED_LOSS ? self->config.fixed.term_id
                                                              : self->config.multi_gap.term_id;
    const int64_t begin = data->term_offset;
    const int64_t end = begin + packet->length_bytes;
    stream_t *stream = data->term_id == term_id ? stream_of(self, data) : NULL;
    if (stream == NULL)
        return false;
    if (kind == RJ_INTERCEPTOR_FIXED_LOSS)
        return is_before_fixed_end(&self->config.fixed, begin) &&
               advance(&stream->fixed_end, begin, end);
    return touches_gap(&self->config.multi_gap, begin, end) &&
           advance(&stream->multi_gap_end, begin, end);
}

/* --- the filter --- */

static bool loses(rj_interceptor_t *self, const rj_packet_t *packet, int32_t kind)
{
    if (kind == RJ_INTERCEPTOR_LOSS)
        return packet->length_bytes >= RJ_FRAME_HEADER_BYTES &&
               loses_by_chance(self, (const rj_wire_frame_t *)packet->data);
    return loses_by_place(self, packet, kind);
}

/* The first in the order of their names that wants it lost has it. */
bool rj_interceptor_passes(rj_interceptor_t *interceptor, const rj_packet_t *packet)
{
    for (int32_t i = 0; i < interceptor->config.list.count; i++) {
        const int32_t kind = interceptor->config.list.kinds[i];
        if (loses(interceptor, packet, kind)) {
            rj_fetch_add_i64(interceptor->counters.lost[kind], 1);
            return false;
        }
    }
    return true;
}

/* --- open, close --- */

int rj_interceptor_open(rj_interceptor_t **ret_interceptor, const rj_filter_config_t *config,
                        const rj_interceptor_counters_t *counters, uint64_t seed, int index,
                        rj_err_t *err)
{
    rj_interceptor_t *self = calloc(1, sizeof(*self));
    if (self == NULL)
        return rj_fail(err, -ENOMEM, "out of memory for a loss filter");
    self->config = *config;
    self->counters = *counters;
    rj_prng_init(&self->prng, (config->loss.has_seed ? config->loss.seed : seed) + (uint64_t)index);
    self->pool = calloc(RJ_INTERCEPTOR_STREAMS_MAX, sizeof(self->pool[0]));
    int result = self->pool == NULL ? rj_fail(err, -ENOMEM, "out of memory for a loss filter") : 0;
    if (result == 0)
        result = rj_map64_open(&self->streams, RJ_INTERCEPTOR_STREAMS_MAX, err);
    if (result < 0) {
        rj_interceptor_close(self);
        return result;
    }
    *ret_interceptor = self;
    return 0;
}

void rj_interceptor_close(rj_interceptor_t *interceptor)
{
    if (interceptor == NULL)
        return;
    rj_map64_close(&interceptor->streams);
    free(interceptor->pool);
    free(interceptor);
}
