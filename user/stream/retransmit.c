/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/retransmit.h"

#include <string.h>

#include "base/bits.h"

enum { TRIMS_MAX = 8 /* slots that one NAK is compared with at each of its ends */ };

void rj_retransmit_init(rj_retransmit_t *retransmit, const rj_retransmit_config_t *config,
                        int64_t now_ns)
{
    memset(retransmit, 0, sizeof(*retransmit));
    retransmit->config = *config;
    retransmit->due_ns = INT64_MAX;
    retransmit->linger_ns = config->linger_ns;
    retransmit->snd_pos = INT64_MAX;
    retransmit->budget_bytes_max = config->term_length / 2 + RJ_RETRANSMIT_BURST_BYTES;
    retransmit->earned_until_ns = now_ns;
    for (int i = 0; i < RJ_RETRANSMIT_DESTINATIONS_MAX; i++)
        retransmit->accounts[i].budget_bytes = retransmit->budget_bytes_max;
}

/* --- budgets --- */

static int64_t budget_of(const rj_retransmit_t *retransmit, const rj_retransmit_account_t *account)
{
    int64_t unsettled_bytes = retransmit->earned_bytes - account->settled_bytes;
    return rj_min_i64(account->budget_bytes + unsettled_bytes, retransmit->budget_bytes_max);
}

static void settle(rj_retransmit_t *retransmit, rj_retransmit_account_t *account)
{
    account->budget_bytes = budget_of(retransmit, account);
    account->settled_bytes = retransmit->earned_bytes;
}

/* Takes the lowest destination out of the mask. */
static int take_asker(uint64_t *askers)
{
    int at = __builtin_ctzll(*askers);
    *askers &= *askers - 1;
    return at;
}

/* What is too little for a byte is kept for the next time. */
static void earn_by_time(rj_retransmit_t *retransmit, int64_t now_ns)
{
    int64_t bytes = (now_ns - retransmit->earned_until_ns) >> RJ_RETRANSMIT_EARN_SHIFT;
    if (bytes <= 0)
        return;
    retransmit->earned_until_ns += bytes * (1 << RJ_RETRANSMIT_EARN_SHIFT);
    retransmit->earned_bytes += bytes;
}

static uint64_t ready_askers(const rj_retransmit_t *retransmit)
{
    uint64_t askers = 0;
    for (int i = 0; i < retransmit->config.slot_count; i++) {
        if (retransmit->slots[i].state == RJ_RETRANSMIT_READY)
            askers |= retransmit->slots[i].askers;
    }
    return askers;
}

static void open_accounts(rj_retransmit_t *retransmit, int64_t now_ns)
{
    uint64_t askers = ready_askers(retransmit);
    earn_by_time(retransmit, now_ns);
    while (askers != 0) {
        rj_retransmit_account_t *account = &retransmit->accounts[take_asker(&askers)];
        settle(retransmit, account);
        account->offered_bytes = 0;
    }
}

int64_t rj_retransmit_allowance(rj_retransmit_t *retransmit, int slot)
{
    uint64_t askers = retransmit->slots[slot].askers;
    uint64_t left_out = 0;
    int64_t allowed_bytes = INT64_MAX;
    while (askers != 0) {
        int at = take_asker(&askers);
        const rj_retransmit_account_t *account = &retransmit->accounts[at];
        int64_t left_bytes = account->budget_bytes - account->offered_bytes;
        if (left_bytes > 0)
            allowed_bytes = rj_min_i64(allowed_bytes, left_bytes);
        else
            left_out |= rj_retransmit_asker(at);
    }
    if (left_out == retransmit->slots[slot].askers)
        return 0;
    retransmit->slots[slot].askers &= ~left_out;
    return allowed_bytes;
}

void rj_retransmit_on_offered(rj_retransmit_t *retransmit, int slot, int64_t bytes)
{
    uint64_t askers = retransmit->slots[slot].askers;
    while (askers != 0)
        retransmit->accounts[take_asker(&askers)].offered_bytes += bytes;
}

/* --- slots --- */

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
    slot->resent_at = retransmit->snd_pos;
    arm(retransmit, slot, RJ_RETRANSMIT_LINGERING, now_ns + retransmit->linger_ns);
}

/* From where on `asker` has been sent what the slot is for, or is about to be. */
static int64_t covered_from(const rj_retransmit_slot_t *slot, uint64_t asker)
{
    if (slot->state == RJ_RETRANSMIT_FREE)
        return slot->end_pos;
    return (slot->askers & asker) == asker ? slot->begin_pos : slot->next_pos;
}

static rj_retransmit_slot_t *find_cover(rj_retransmit_t *retransmit, int64_t position,
                                        uint64_t asker)
{
    for (int i = 0; i < retransmit->config.slot_count; i++) {
        rj_retransmit_slot_t *slot = &retransmit->slots[i];
        if (position < slot->end_pos && position >= covered_from(slot, asker))
            return slot;
    }
    return NULL;
}

/* What lingers is not sent any more, to nobody. */
static void join(rj_retransmit_slot_t *slot, uint64_t asker)
{
    if (slot->state != RJ_RETRANSMIT_LINGERING)
        slot->askers |= asker;
}

/* Cuts off at both ends what other slots send. What they send of its middle goes out twice. */
static void trim(rj_retransmit_t *retransmit, int64_t *begin_pos, int64_t *end_pos, uint64_t asker)
{
    rj_retransmit_slot_t *slot;
    for (int i = 0; i < TRIMS_MAX && *begin_pos < *end_pos; i++) {
        slot = find_cover(retransmit, *begin_pos, asker);
        if (slot == NULL)
            break;
        join(slot, asker);
        *begin_pos = slot->end_pos;
    }
    for (int i = 0; i < TRIMS_MAX && *begin_pos < *end_pos; i++) {
        slot = find_cover(retransmit, *end_pos - 1, asker);
        if (slot == NULL)
            break;
        *end_pos = covered_from(slot, asker);
        join(slot, asker);
    }
}

/* What lingers is asked for, and proved to be lost: that is no echo. */
static void free_lost(rj_retransmit_t *retransmit, int64_t begin_pos, int64_t end_pos)
{
    retransmit->heard_pos = rj_max_i64(retransmit->heard_pos, end_pos);
    for (int i = 0; i < retransmit->config.slot_count && retransmit->active_count > 0; i++) {
        rj_retransmit_slot_t *slot = &retransmit->slots[i];
        if (slot->state != RJ_RETRANSMIT_LINGERING || slot->resent_at >= retransmit->heard_pos ||
            begin_pos >= slot->end_pos || end_pos <= slot->begin_pos)
            continue;
        slot->state = RJ_RETRANSMIT_FREE;
        retransmit->active_count--;
    }
}

/* A slot for one more span, or NULL. */
static rj_retransmit_slot_t *take_slot(rj_retransmit_t *retransmit)
{
    rj_retransmit_slot_t *oldest = NULL;
    for (int i = 0; i < retransmit->config.slot_count; i++) {
        rj_retransmit_slot_t *slot = &retransmit->slots[i];
        if (slot->state == RJ_RETRANSMIT_FREE) {
            retransmit->active_count++;
            return slot;
        }
        if (slot->state == RJ_RETRANSMIT_LINGERING &&
            (oldest == NULL || slot->deadline_ns < oldest->deadline_ns))
            oldest = slot;
    }
    return retransmit->config.is_group ? NULL : oldest;
}

rj_retransmit_answer_t rj_retransmit_on_nak(rj_retransmit_t *retransmit, int64_t begin_pos,
                                            int64_t end_pos, int32_t destination, int64_t now_ns)
{
    uint64_t asker = rj_retransmit_asker(destination);
    if (!retransmit->config.is_group && !retransmit->config.linger_is_explicit)
        free_lost(retransmit, begin_pos, end_pos);
    if (retransmit->active_count > 0)
        trim(retransmit, &begin_pos, &end_pos, asker);
    if (begin_pos >= end_pos)
        return RJ_RETRANSMIT_DUPLICATE;
    rj_retransmit_slot_t *slot = take_slot(retransmit);
    if (slot == NULL)
        return RJ_RETRANSMIT_OVERFLOW;

    slot->begin_pos = begin_pos;
    slot->end_pos = end_pos;
    slot->next_pos = begin_pos;
    slot->askers = asker;
    if (retransmit->config.delay_ns == 0)
        make_ready(retransmit, slot);
    else
        arm(retransmit, slot, RJ_RETRANSMIT_DELAYED, now_ns + retransmit->config.delay_ns);
    return RJ_RETRANSMIT_ACCEPTED;
}

void rj_retransmit_on_sent(rj_retransmit_t *retransmit, int64_t bytes, int64_t snd_pos)
{
    retransmit->snd_pos = snd_pos;
    retransmit->earned_bytes += bytes;
}

/* What lingers already ends as much sooner; it was the old linger that was too long. */
static void shorten_lingers(rj_retransmit_t *retransmit, int64_t by_ns)
{
    for (int i = 0; i < retransmit->config.slot_count; i++) {
        if (retransmit->slots[i].state == RJ_RETRANSMIT_LINGERING)
            retransmit->slots[i].deadline_ns -= by_ns;
    }
    retransmit->due_ns = INT64_MIN;
}

void rj_retransmit_on_rtt(rj_retransmit_t *retransmit, int64_t rtt_ns)
{
    const rj_retransmit_config_t *config = &retransmit->config;
    if (config->linger_is_explicit)
        return;
    int64_t linger_ns_max =
        config->is_group ? RJ_RETRANSMIT_GROUP_LINGER_NS_MAX : RJ_RETRANSMIT_LINGER_NS_MAX;
    int64_t linger_ns =
        rj_min_i64(rj_max_i64(rtt_ns + rtt_ns / 2, RJ_RETRANSMIT_LINGER_NS_MIN), linger_ns_max);
    int64_t saved_ns = retransmit->linger_ns - linger_ns;
    retransmit->linger_ns = linger_ns;
    if (saved_ns > 0 && retransmit->active_count > 0)
        shorten_lingers(retransmit, saved_ns);
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
        open_accounts(retransmit, now_ns);
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
    uint64_t askers = retransmit->slots[slot].askers;
    while (askers != 0)
        retransmit->accounts[take_asker(&askers)].budget_bytes -= bytes;
    if (retransmit->slots[slot].state != RJ_RETRANSMIT_READY)
        return;
    retransmit->slots[slot].next_pos = position;
    if (position >= retransmit->slots[slot].end_pos)
        linger(retransmit, &retransmit->slots[slot], now_ns);
}

void rj_retransmit_give_up(rj_retransmit_t *retransmit, int slot, int64_t now_ns)
{
    rj_retransmit_slot_t *at = &retransmit->slots[slot];
    at->end_pos = rj_max_i64(at->next_pos, at->begin_pos + 1);
    linger(retransmit, at, now_ns);
}

/* When the first of those who wait for something can be sent it. */
static int64_t affordable_ns(const rj_retransmit_t *retransmit)
{
    uint64_t askers = ready_askers(retransmit);
    int64_t missing_bytes = INT64_MAX >> RJ_RETRANSMIT_EARN_SHIFT;
    while (askers != 0 && missing_bytes > 0) {
        const rj_retransmit_account_t *account = &retransmit->accounts[take_asker(&askers)];
        missing_bytes = rj_min_i64(missing_bytes, 1 - budget_of(retransmit, account));
    }
    return retransmit->earned_until_ns +
           rj_max_i64(missing_bytes, 0) * (1 << RJ_RETRANSMIT_EARN_SHIFT);
}

int64_t rj_retransmit_deadline_ns(const rj_retransmit_t *retransmit)
{
    int64_t due_ns = INT64_MAX;
    if (retransmit->active_count > 0 && retransmit->due_ns != INT64_MAX)
        due_ns = retransmit->due_ns + 1;
    if (retransmit->ready_count > 0)
        due_ns = rj_min_i64(due_ns, affordable_ns(retransmit));
    return due_ns;
}
