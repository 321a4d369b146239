/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/log_reach.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bits.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* since 5.14 */
#endif

void rj_log_reach_init(rj_log_reach_t *reach, const rj_log_t *log, int64_t start_position)
{
    const int64_t page_bytes = sysconf(_SC_PAGESIZE);
    *reach = (rj_log_reach_t){
        .position = start_position & ~(page_bytes - 1),
        .end = start_position + RJ_LOG_TERM_COUNT * (int64_t)log->term_length,
        .page_bytes = page_bytes,
    };
    if (log->is_mapped)
        reach->position = reach->end;
}

/* Reading maps sixteen pages a fault where they exist and makes them where they do not; writing
 * would go page by page. Pages of tmpfs can be written then, too. */
void rj_log_reach_extend(rj_log_reach_t *reach, const rj_log_t *log, int64_t target_position)
{
    const int64_t term_end = (reach->position | log->term_mask) + 1;
    const int64_t target = rj_min_i64(rj_align_up(target_position, reach->page_bytes),
                                      rj_min_i64(term_end, reach->end));
    if (target <= reach->position)
        return;
    uint8_t *pages = rj_log_term(log, reach->position) +
                     rj_position_term_offset(reach->position, log->term_mask);
    const int result = madvise(pages, (size_t)(target - reach->position), MADV_POPULATE_READ);
    reach->position = result == 0 || errno == EINTR || errno == EAGAIN ? target : reach->end;
}
