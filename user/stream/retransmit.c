/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/retransmit.h"

#include <string.h>

#include "base/bits.h"

void rj_retransmit_init(rj_retransmit_t *retransmit, const rj_retransmit_config_t *config,
                        int64_t now_ns)
{
    memset(retransmit, 0, sizeof(*retransmit));
    retransmit->config = *config;
    retransmit->due_ns = INT64_MAX;
    retransmit->linger_ns = config->linger_ns;
    retransmit->budget_bytes_max = config->term_length / 2 + RJ_RETRANSMIT_BURST_BYTES;
    retransmit->budget_bytes = retransmit->budget_bytes_max;
    retransmit->earned_until_ns = now_ns;
}

static void earn(rj_retransmit_t *retransmit, int64_t bytes)
{
    retransmit->budget_bytes =
        rj_min_i64(retransmit->budget_bytes + bytes, retransmit->budget_bytes_max);
}

/* What is too little for a byte is kept for the next time. */
static void earn_by_time(rj_retransmit_t *retransmit, int64_t now_ns)
{
    int64_t bytes = (now_ns - retransmit->earned_until_ns) >> RJ_RETRANSMIT_EARN_SHIFT;
    if (bytes <= 0)
        return;
    retransmit->earned_until_ns += bytes * (1 << RJ_RETRANSMIT_EARN_SHIFT);
    earn(retransmit, bytes);
}

static void arm(rj_retransmit_t *retransmit, rj_retransmit_slot_t *slot,
                rj_retransmit_state_t state, int64_t deadline_ns)
{
    slot->state = state;
    slot->deadline_ns = deadline_ns;
    retransmit->due_ns = rj_min_i64(retransmit->due_ns, deadline_ns);
}

static void make_ready(rj_retransmit_t *retransmit, rj_retransmit_slot_t *slot)
{
    slot->state = RJ_RETRANSMIT_READY;
    retransmit->ready_count++;
}

static void linger(rj_retransmit_t *retransmit, rj_retransmit_slot_t *slot, int64_t now_ns)
{
    retransmit->ready_count--;
    arm(retransmit, slot, RJ_RETRANSMIT_LINGERING, now_ns + retransmit->linger_ns);
}

/* The slot for a span that begins at `begin_pos`. NULL when there is none, or when some slot under
 * way covers the beginning already. */
static rj_retransmit_slot_t *choose(rj_retransmit_t *retransmit, int64_t begin_pos,
                                    bool *ret_is_duplicate)
{
    rj_retransmit_slot_t *empty = NULL;
    rj_retransmit_slot_t *oldest = NULL;
    for (int i = 0; i < retransmit->config.slot_count; i++) {
        rj_retransmit_slot_t *slot = &retransmit->slots[i];
        if (slot->state == RJ_RETRANSMIT_FREE) {
            empty = empty != NULL ? empty : slot;
            continue;
        }
        if (slot->begin_pos <= begin_pos && begin_pos < slot->end_pos) {
            *ret_is_duplicate = true;
            return NULL;
        }
        if (slot->state == RJ_RETRANSMIT_LINGERING &&
            (oldest == NULL || slot->deadline_ns < oldest->deadline_ns))
            oldest = slot;
    }
    if (empty != NULL) {
        retransmit->active_count++;
        return empty;
    }
    return retransmit->config.is_group ? NULL : oldest;
}

rj_retransmit_answer_t rj_retransmit_on_nak(rj_retransmit_t *retransmit, int64_t begin_pos,
                                            int64_t end_pos, int64_t now_ns)
{
    bool is_duplicate = false;
    rj_retransmit_slot_t *slot = &retransmit->slots[0];
    if (retransmit->active_count == 0)
        retransmit->active_count = 1;
    else
        slot = choose(retransmit, begin_pos, &is_duplicate);
    if (slot == NULL)
        return is_duplicate ? RJ_RETRANSMIT_DUPLICATE : RJ_RETRANSMIT_OVERFLOW;

    slot->begin_pos = begin_pos;
    slot->end_pos = end_pos;
    slot->next_pos = begin_pos;
    if (retransmit->config.delay_ns == 0)
        make_ready(retransmit, slot);
    else
        arm(retransmit, slot, RJ_RETRANSMIT_DELAYED, now_ns + retransmit->config.delay_ns);
    return RJ_RETRANSMIT_ACCEPTED;
}

void rj_retransmit_on_sent(rj_retransmit_t *retransmit, int64_t bytes)
{
    earn(retransmit, bytes);
}

void rj_retransmit_on_rtt(rj_retransmit_t *retransmit, int64_t rtt_ns)
{
    if (retransmit->config.linger_is_explicit)
        return;
    int64_t linger_ns = rtt_ns + rtt_ns / 2;
    retransmit->linger_ns =
        rj_min_i64(rj_max_i64(linger_ns, RJ_RETRANSMIT_LINGER_NS_MIN), RJ_RETRANSMIT_LINGER_NS_MAX);
}

static void on_deadlines(rj_retransmit_t *retransmit, int64_t now_ns)
{
    retransmit->due_ns = INT64_MAX;
    for (int i = 0; i < retransmit->config.slot_count; i++) {
        rj_retransmit_slot_t *slot = &retransmit->slots[i];
        if (slot->state != RJ_RETRANSMIT_DELAYED && slot->state != RJ_RETRANSMIT_LINGERING)
            continue;
        if (now_ns <= slot->deadline_ns) {
            retransmit->due_ns = rj_min_i64(retransmit->due_ns, slot->deadline_ns);
        } else if (slot->state == RJ_RETRANSMIT_DELAYED) {
            make_ready(retransmit, slot);
        } else {
            slot->state = RJ_RETRANSMIT_FREE;
            retransmit->active_count--;
        }
    }
}

int rj_retransmit_poll(rj_retransmit_t *retransmit, int64_t now_ns)
{
    if (retransmit->active_count == 0)
        return 0;
    if (now_ns > retransmit->due_ns)
        on_deadlines(retransmit, now_ns);
    if (retransmit->ready_count > 0)
        earn_by_time(retransmit, now_ns);
    return retransmit->ready_count;
}

int rj_retransmit_next_ready(const rj_retransmit_t *retransmit, int from)
{
    for (int i = from; i < retransmit->config.slot_count; i++) {
        if (retransmit->slots[i].state == RJ_RETRANSMIT_READY)
            return i;
    }
    return -1;
}

void rj_retransmit_on_resent(rj_retransmit_t *retransmit, int slot, int64_t position, int64_t bytes,
                             int64_t now_ns)
{
    retransmit->budget_bytes -= bytes;
    retransmit->slots[slot].next_pos = position;
    if (position >= retransmit->slots[slot].end_pos)
        linger(retransmit, &retransmit->slots[slot], now_ns);
}

void rj_retransmit_give_up(rj_retransmit_t *retransmit, int slot, int64_t now_ns)
{
    linger(retransmit, &retransmit->slots[slot], now_ns);
}

int64_t rj_retransmit_deadline_ns(const rj_retransmit_t *retransmit)
{
    int64_t due_ns = INT64_MAX;
    if (retransmit->active_count > 0 && retransmit->due_ns != INT64_MAX)
        due_ns = retransmit->due_ns + 1;
    if (retransmit->ready_count > 0) {
        int64_t missing_bytes = rj_max_i64(1 - retransmit->budget_bytes, 0);
        int64_t affordable_ns = missing_bytes * (1 << RJ_RETRANSMIT_EARN_SHIFT);
        due_ns = rj_min_i64(due_ns, retransmit->earned_until_ns + affordable_ns);
    }
    return due_ns;
}
