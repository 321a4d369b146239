/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/congestion.h"

#include <string.h>

void rj_congestion_init(rj_congestion_t *congestion, const rj_congestion_config_t *config,
                        int32_t window_bytes, int32_t term_length, int64_t now_ns)
{
    memset(congestion, 0, sizeof(*congestion));
    congestion->config = *config;
    congestion->ops = config->ops;
    congestion->window_bytes_max = window_bytes < term_length / 2 ? window_bytes : term_length / 2;
    congestion->ops->on_init(congestion, now_ns);
}
