/* SPDX-License-Identifier: Apache-2.0 */
/* What was sent already, for a destination that has not got it. */
#include "stream/network_publication.h"

#include "base/bits.h"
#include "shm/term_scan.h"

/* Half a term back the log is not cleaned, however far the conductor has come. */
static bool is_kept(const rj_network_publication_t *publication, int64_t position)
{
    return position >= 0 && position >= publication->snd_pos - publication->log->term_length / 2;
}

int rj_network_publication_collect_span(const rj_network_publication_t *publication,
                                        int64_t begin_pos, int64_t end_pos, int32_t datagrams_max,
                                        rj_run_t *runs, rj_run_position_t *positions, int run_max)
{
    const rj_log_t *log = publication->log;
    rj_run_builder_t builder = {
        .path = publication->path, .runs = runs, .positions = positions, .run_max = run_max};
    uint8_t *term = rj_log_term(log, begin_pos);
    int32_t offset = rj_position_term_offset(begin_pos, log->term_mask);
    int64_t position = begin_pos;
    if (!is_kept(publication, begin_pos))
        return 0;
    for (int32_t i = 0; i < datagrams_max && position < end_pos; i++) {
        const int32_t length_max = (int32_t)rj_min_i64(end_pos - position, log->mtu_length);
        const rj_term_scan_t scan = rj_term_scan(term, offset, log->term_length, length_max);
        if (scan.available <= 0 || !rj_log_frame_is_at(log, term + offset, position))
            break;
        rj_network_publication_stamp(publication, term + offset, scan.available);
        if (!rj_run_builder_add(&builder, term + offset, scan.available, scan.padding, position, 0))
            break;
        position += scan.available + scan.padding;
        offset += scan.available + scan.padding;
        if (offset == log->term_length)
            break;
    }
    return builder.count;
}
