/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/congestion.h"

static void on_init(rj_congestion_t *congestion, int64_t now_ns)
{
    (void)now_ns;
    congestion->window_bytes = congestion->window_bytes_max;
}

static int32_t on_rebuild(rj_congestion_t *congestion, const rj_congestion_sample_t *sample,
                          bool *ret_force_sm, int64_t now_ns)
{
    (void)sample;
    (void)now_ns;
    *ret_force_sm = false;
    return congestion->window_bytes_max;
}

static bool wants_rtt(const rj_congestion_t *congestion, int64_t now_ns)
{
    (void)congestion;
    (void)now_ns;
    return false;
}

static void on_rtt_request(rj_congestion_t *congestion, int64_t now_ns)
{
    (void)congestion;
    (void)now_ns;
}

static void on_rtt(rj_congestion_t *congestion, int64_t rtt_ns, int64_t now_ns)
{
    (void)congestion;
    (void)rtt_ns;
    (void)now_ns;
}

const rj_congestion_ops_t rj_congestion_static = {
    .name = "static",
    .on_init = on_init,
    .on_rebuild = on_rebuild,
    .wants_rtt = wants_rtt,
    .on_rtt_request = on_rtt_request,
    .on_rtt = on_rtt,
};
