/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/aside_policy.h"

/* Below the first a copy of everything costs hardly a two-hundredth of a processor; the second is
 * what a stream with pauses keeps up. */
static const double leave_bytes_per_s = 16e6;
static const double stay_bytes_per_s = 4e6;

enum { LEAVE_PERCENT = 90, STAY_PERCENT = 50 };

void rj_aside_policy_begin(rj_aside_policy_t *policy, bool is_aside, const rj_aside_bytes_t *bytes,
                           int64_t now_ns)
{
    *policy = (rj_aside_policy_t){.is_aside = is_aside,
                                  .before = *bytes,
                                  .looked_ns = now_ns,
                                  .since_ns = now_ns,
                                  .bulk_percent = policy->bulk_percent};
}

bool rj_aside_policy_is_due(const rj_aside_policy_t *policy, int64_t now_ns)
{
    return now_ns - policy->looked_ns >= RJ_ASIDE_LOOK_NS;
}

bool rj_aside_policy_look(rj_aside_policy_t *policy, const rj_aside_bytes_t *bytes, int64_t now_ns)
{
    const int64_t elapsed_ns = now_ns - policy->looked_ns;
    if (elapsed_ns <= 0)
        return false;
    const uint64_t bulk = bytes->bulk - policy->before.bulk;
    const uint64_t all = bulk + bytes->single - policy->before.single;
    const int percent_min = policy->is_aside ? STAY_PERCENT : LEAVE_PERCENT;
    const double rate_min = policy->is_aside ? stay_bytes_per_s : leave_bytes_per_s;
    const bool is_bulk = (double)bulk * 100 >= (double)all * percent_min &&
                         (double)bulk * 1e9 >= rate_min * (double)elapsed_ns;
    if (all > 0)
        policy->bulk_percent = (int)(bulk * 100 / all);
    policy->before = *bytes;
    policy->looked_ns = now_ns;
    if (is_bulk == policy->is_aside)
        policy->since_ns = now_ns;
    return now_ns - policy->since_ns >= (policy->is_aside ? RJ_ASIDE_BACK_NS : RJ_ASIDE_AFTER_NS);
}
