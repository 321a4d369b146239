/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/calibrate.h"

static double score(const rj_calibration_t *row, double rate_max, double p50_min)
{
    return row->datagrams_per_s / rate_max / 2 + p50_min / row->p50_us / 2;
}

int rj_calibration_best(const rj_calibration_t *rows, int count)
{
    double rate_max = 0, p50_min = 0, best_score = 0;
    int best = -1;
    for (int i = 0; i < count; i++) {
        if (rows[i].datagrams_per_s <= 0 || rows[i].p50_us <= 0)
            continue;
        if (rows[i].datagrams_per_s > rate_max)
            rate_max = rows[i].datagrams_per_s;
        if (p50_min == 0 || rows[i].p50_us < p50_min)
            p50_min = rows[i].p50_us;
    }
    for (int i = 0; i < count; i++) {
        if (rows[i].datagrams_per_s <= 0 || rows[i].p50_us <= 0)
            continue;
        const double own = score(&rows[i], rate_max, p50_min);
        if (best >= 0 && own <= best_score * 1.05)
            continue;
        best = i;
        best_score = own;
    }
    return best;
}
