/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/why.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    REASON_BITS = 8,
    HELD_SHIFT = 8,
    HAS_SHIFT = 16,
    NEEDS_SHIFT = 40,
    NUMBER_MAX = (1 << 24) - 1,
};

static uint64_t number(int32_t value)
{
    if (value < 0)
        return 0;
    return value < NUMBER_MAX ? (uint64_t)value : NUMBER_MAX;
}

int64_t rj_why_pack(const rj_why_t *why)
{
    return (int64_t)((uint64_t)why->reason | (uint64_t)why->is_held << HELD_SHIFT |
                     number(why->has) << HAS_SHIFT | number(why->needs) << NEEDS_SHIFT);
}

rj_why_t rj_why_unpack(int64_t value, int64_t reference_id)
{
    const uint64_t word = (uint64_t)value;
    const uint64_t reason = word & ((1U << REASON_BITS) - 1);
    return (rj_why_t){.reason = reason < RJ_WHY_COUNT ? (rj_why_reason_t)reason : RJ_WHY_COUNT,
                      .is_held = (word >> HELD_SHIFT & 1) != 0,
                      .has = (int32_t)(word >> HAS_SHIFT & NUMBER_MAX),
                      .needs = (int32_t)(word >> NEEDS_SHIFT & NUMBER_MAX),
                      .who = reference_id};
}

const char *rj_why_word(rj_why_reason_t reason)
{
    static const char *const words[] = {
        [RJ_WHY_FLOWS] = "flows",
        [RJ_WHY_NO_SUBSCRIBER] = "no-subscriber",
        [RJ_WHY_SUBSCRIBERS_GONE] = "subscribers-gone",
        [RJ_WHY_GROUP_INCOMPLETE] = "group-incomplete",
        [RJ_WHY_WINDOW_CLOSED] = "window-closed",
        [RJ_WHY_RECEIVER_JOINS] = "receiver-joins",
        [RJ_WHY_SUBSCRIBER_SLOW] = "subscriber-slow",
        [RJ_WHY_SENDER_BEHIND] = "sender-behind",
        [RJ_WHY_RESENDS_THROTTLED] = "resends-throttled",
        [RJ_WHY_DRAINING] = "draining",
        [RJ_WHY_LINGERING] = "lingering",
        [RJ_WHY_REVOKED] = "revoked",
        [RJ_WHY_BROKEN] = "broken",
        [RJ_WHY_COUNT] = "unknown",
    };
    return words[reason];
}

static int say_window(char *text, size_t size, const rj_why_t *why, const char *address)
{
    return snprintf(text, size,
                    "the window of receiver %" PRId64 "%s%s is closed: a subscriber there reads too"
                    " slowly, or its status messages do not arrive",
                    why->who, address != NULL ? " at " : "", address != NULL ? address : "");
}

int rj_why_sentence(char *text, size_t size, const rj_why_t *why, const char *address)
{
    static const char *const sentences[] = {
        [RJ_WHY_FLOWS] = "it flows",
        [RJ_WHY_NO_SUBSCRIBER] = "no subscriber has answered yet",
        [RJ_WHY_SUBSCRIBERS_GONE] = "all subscribers have left or fallen silent",
        [RJ_WHY_RECEIVER_JOINS] =
            "a receiver is joining: the others wait for its first status message",
        [RJ_WHY_SENDER_BEHIND] = "the publisher is a whole term window ahead of the sender",
        [RJ_WHY_RESENDS_THROTTLED] =
            "it flows, but receivers ask for more resends than their budget allows",
        [RJ_WHY_DRAINING] = "it is closed, and what is left is on its way",
        [RJ_WHY_LINGERING] = "it is closed, and kept for a while for those who lack something",
        [RJ_WHY_REVOKED] = "it was revoked",
        [RJ_WHY_BROKEN] = "its log was overwritten and cannot be believed any more",
        [RJ_WHY_COUNT] = "for a reason that this program does not know",
    };
    if (why->reason == RJ_WHY_GROUP_INCOMPLETE)
        return snprintf(text, size,
                        "it waits for a group of %" PRId32 " receivers and has %" PRId32,
                        why->needs, why->has);
    if (why->reason == RJ_WHY_WINDOW_CLOSED)
        return say_window(text, size, why, address);
    if (why->reason == RJ_WHY_SUBSCRIBER_SLOW)
        return snprintf(text, size, "subscription %" PRId64 " on this host reads too slowly",
                        why->who);
    return snprintf(text, size, "%s", sentences[why->reason]);
}
