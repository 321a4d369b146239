/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/subscriber_position.h"

#include "ramjet/wire.h"
#include "base/atomic.h"
#include "base/bits.h"

void rj_subscriber_position_link(rj_subscriber_position_t **list,
                                 rj_subscriber_position_t *position, int64_t join_position)
{
    position->last = join_position;
    position->join_position = join_position;
    /* Release: pairs with the acquire of the client that learns of the image by an event. */
    rj_store_release_i64(position->counter, join_position);
    position->next = *list;
    *list = position;
}

bool rj_subscriber_position_unlink(rj_subscriber_position_t **list,
                                   rj_subscriber_position_t *position)
{
    for (rj_subscriber_position_t **at = list; *at != NULL; at = &(*at)->next) {
        if (*at == position) {
            *at = position->next;
            position->next = NULL;
            return true;
        }
    }
    return false;
}

int64_t rj_subscriber_position_check(rj_subscriber_position_t *position, int64_t value,
                                     int64_t limit_pos, uint64_t *bad_count)
{
    if (value == position->last)
        return value;
    if (value < position->last || value > limit_pos || !rj_is_aligned(value, RJ_FRAME_ALIGNMENT)) {
        (*bad_count)++;
        return position->last;
    }
    position->last = value;
    return value;
}

int64_t rj_subscriber_position_poll(rj_subscriber_position_t *position, int64_t limit_pos,
                                    uint64_t *bad_count)
{
    /* Acquire: pairs with the release of the client, whose reads below the position are done. */
    int64_t value = rj_load_acquire_i64(position->counter);
    return rj_subscriber_position_check(position, value, limit_pos, bad_count);
}
