/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/nak_back_off.h"

#include <math.h>
#include <string.h>

void rj_nak_back_off_init(rj_nak_back_off_t *back_off, const rj_nak_back_off_config_t *config)
{
    memset(back_off, 0, sizeof(*back_off));
    if (config->max_ns <= 0)
        return;
    back_off->lambda = log((double)config->group_size) + 1;
    back_off->max_ns = (double)config->max_ns;
    rj_prng_init(&back_off->prng, config->seed);
}

/* Step by step as Aeron reckons, for rounding makes a nanosecond of difference otherwise. */
int64_t rj_nak_back_off_at(const rj_nak_back_off_t *back_off, double unit)
{
    const double lambda = back_off->lambda;
    const double max_ns = back_off->max_ns;
    const double spread = exp(lambda) - 1;
    const double x = unit * (lambda / max_ns) + lambda / (max_ns * spread);
    const double delay_ns = (max_ns / lambda) * log(x * spread * (max_ns / lambda));
    return delay_ns > 0 ? (int64_t)delay_ns : 0;
}

void rj_nak_back_off_set_max(rj_nak_back_off_t *back_off, int64_t max_ns)
{
    back_off->max_ns = (double)max_ns;
}

int64_t rj_nak_back_off_draw(rj_nak_back_off_t *back_off)
{
    return back_off->max_ns > 0 ? rj_nak_back_off_at(back_off, rj_prng_unit(&back_off->prng)) : 0;
}
