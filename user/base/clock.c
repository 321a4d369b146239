/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <errno.h>
#include <time.h>

enum { NS_PER_MS = 1000 * 1000, NS_PER_S = 1000 * 1000 * 1000 };

static int64_t read_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t rj_clock_mono_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

int64_t rj_clock_epoch_ms(void)
{
    return read_ns(CLOCK_REALTIME_COARSE) / NS_PER_MS;
}

int64_t rj_clock_epoch_ns(void)
{
    return read_ns(CLOCK_REALTIME);
}

void rj_clock_sleep_ns(int64_t duration_ns)
{
    if (duration_ns < 1)
        return;
    struct timespec left = {duration_ns / NS_PER_S, duration_ns % NS_PER_S};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
        continue;
}
