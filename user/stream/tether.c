/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/tether.h"

static bool enter(rj_tether_t *tether, rj_tether_state_t state, int64_t now_ns)
{
    tether->state = state;
    tether->since_ns = now_ns;
    return true;
}

bool rj_tether_on_time(rj_tether_t *tether, int64_t position, int64_t limit_pos,
                       const rj_untethered_timeouts_t *timeouts, int64_t now_ns)
{
    const int64_t passed_ns = now_ns - tether->since_ns;
    switch (tether->state) {
    case RJ_TETHER_ACTIVE:
        if (tether->is_tethered || position > limit_pos)
            tether->since_ns = now_ns;
        else if (passed_ns > timeouts->window_limit_ns)
            return enter(tether, RJ_TETHER_LINGER, now_ns);
        break;
    case RJ_TETHER_LINGER:
        if (passed_ns > timeouts->linger_ns)
            return enter(tether, tether->is_rejoin ? RJ_TETHER_RESTING : RJ_TETHER_CLOSED, now_ns);
        break;
    case RJ_TETHER_RESTING:
        if (passed_ns > timeouts->resting_ns)
            return enter(tether, RJ_TETHER_ACTIVE, now_ns);
        break;
    case RJ_TETHER_CLOSED:
        break;
    }
    return false;
}
