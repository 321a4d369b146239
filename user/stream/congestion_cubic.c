/* SPDX-License-Identifier: Apache-2.0 */
/* CUBIC (RFC 8312) at the receiver: the window, in segments of the MTU, is cut by a fifth at each
 * loss and then follows a cubic curve of time, flat where the last loss was and steep far from it
 * (wire.md 17).
 *
 *                   |                      .'     W(t) = w_max + C * (t - K)^3
 *        w_max      |----------.-----------       K    = cbrt(w_max * B / C)
 *                   |      .'
 *        (1-B)w_max |-----'
 *                   +----------K-----------> t since the loss
 */
#include "stream/congestion.h"

#include <math.h>
#include <stddef.h>

#include "base/atomic.h"
#include "base/bits.h"

enum {
    SEGMENTS_FIRST = 10,
    RTT_TIMEOUT_MULTIPLE = 4, /* round trips between measurements */
};

static const double B = 0.2;
static const double C = 0.4;
static const double ns_per_s = 1e9;

static double plateau(int32_t w_max)
{
    return cbrt(w_max * B / C);
}

/* The counters are of the image alone: its engine writes them, tools read. */
static void publish(int64_t *counter, int64_t value)
{
    if (counter != NULL && rj_load_relaxed_i64(counter) != value)
        rj_store_release_i64(counter, value);
}

static void on_init(rj_congestion_t *congestion, int64_t now_ns)
{
    rj_cubic_t *cubic = &congestion->cubic;
    const int32_t mtu = congestion->config.mtu;
    cubic->cwnd_max = rj_max_i32(congestion->window_bytes_max / mtu, 1);
    cubic->cwnd = rj_min_i32(SEGMENTS_FIRST, cubic->cwnd_max);
    cubic->w_max = cubic->cwnd_max;
    cubic->k = plateau(cubic->w_max);
    cubic->rtt_ns = congestion->config.initial_rtt_ns;
    cubic->rtt_timeout_ns = RTT_TIMEOUT_MULTIPLE * congestion->config.initial_rtt_ns;
    cubic->last_loss_ns = now_ns;
    cubic->last_update_ns = now_ns;
    congestion->window_bytes = rj_min_i32(cubic->cwnd * mtu, congestion->window_bytes_max);
    publish(congestion->config.window_counter, congestion->window_bytes);
}

/* A number that came out of the formula, as segments. */
static int32_t segments(const rj_cubic_t *cubic, double value)
{
    return value < cubic->cwnd_max ? rj_max_i32((int32_t)value, 1) : cubic->cwnd_max;
}

static void on_loss(rj_cubic_t *cubic, int64_t now_ns)
{
    cubic->w_max = cubic->cwnd;
    cubic->k = plateau(cubic->w_max);
    cubic->cwnd = segments(cubic, cubic->cwnd * (1 - B));
    cubic->last_loss_ns = now_ns;
}

static void grow(rj_congestion_t *congestion, int64_t now_ns)
{
    rj_cubic_t *cubic = &congestion->cubic;
    const double since_s = (double)(now_ns - cubic->last_loss_ns) / ns_per_s;
    const double from_k = since_s - cubic->k;
    cubic->cwnd = segments(cubic, cubic->w_max + trunc(C * from_k * from_k * from_k));
    if (congestion->config.is_tcp_friendly && cubic->cwnd < cubic->w_max) {
        const double rtt_s = (double)cubic->rtt_ns / ns_per_s;
        const double tcp = cubic->w_max * (1 - B) + 3 * B / (2 - B) * (since_s / rtt_s);
        cubic->cwnd = rj_max_i32(cubic->cwnd, segments(cubic, tcp));
    }
    cubic->last_update_ns = now_ns;
}

static int32_t on_rebuild(rj_congestion_t *congestion, const rj_congestion_sample_t *sample,
                          bool *ret_force_sm, int64_t now_ns)
{
    rj_cubic_t *cubic = &congestion->cubic;
    *ret_force_sm = false;
    if (sample->loss_is_found) {
        on_loss(cubic, now_ns);
        *ret_force_sm = true;
    } else if (cubic->cwnd < cubic->cwnd_max &&
               now_ns - cubic->last_update_ns > congestion->config.initial_rtt_ns) {
        grow(congestion, now_ns);
    } else if (cubic->cwnd == 1 && sample->min_position > sample->sm_position) {
        *ret_force_sm = true;
    }
    congestion->window_bytes =
        rj_min_i32(cubic->cwnd * congestion->config.mtu, congestion->window_bytes_max);
    publish(congestion->config.window_counter, congestion->window_bytes);
    return congestion->window_bytes;
}

static bool wants_rtt(const rj_congestion_t *congestion, int64_t now_ns)
{
    const rj_cubic_t *cubic = &congestion->cubic;
    return congestion->config.measures_rtt &&
           (!cubic->has_asked || now_ns - cubic->last_rtt_ns > cubic->rtt_timeout_ns);
}

static void on_rtt_request(rj_congestion_t *congestion, int64_t now_ns)
{
    congestion->cubic.last_rtt_ns = now_ns;
    congestion->cubic.has_asked = true;
}

/* One that cannot be is forged, or of clocks that cannot be compared: the old one stays. */
static void on_rtt(rj_congestion_t *congestion, int64_t rtt_ns, int64_t now_ns)
{
    rj_cubic_t *cubic = &congestion->cubic;
    if (!congestion->config.measures_rtt || rtt_ns <= 0 || rtt_ns > RJ_CONGESTION_RTT_NS_MAX)
        return;
    cubic->rtt_ns = rtt_ns;
    cubic->last_rtt_ns = now_ns;
    cubic->rtt_timeout_ns =
        RTT_TIMEOUT_MULTIPLE * rj_max_i64(rtt_ns, congestion->config.initial_rtt_ns);
    publish(congestion->config.rtt_counter, rtt_ns);
}

const rj_congestion_ops_t rj_congestion_cubic = {
    .name = "cubic",
    .on_init = on_init,
    .on_rebuild = on_rebuild,
    .wants_rtt = wants_rtt,
    .on_rtt_request = on_rtt_request,
    .on_rtt = on_rtt,
};
