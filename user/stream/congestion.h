/* SPDX-License-Identifier: Apache-2.0 */
/* congestion.h - how far ahead of its readers a receiver lets the sender go.
 *
 * A table of functions for each way to choose the window; what they need lies inside the struct, so
 * choosing one allocates nothing.
 *
 *   static   always grants the configured window
 *   cubic    begins with ten segments, gives way at each loss, and comes back (RFC 8312)
 *
 * Units      windows: bytes. Positions: stream bytes since the initial term began. Times: monotonic
 *            ns.
 * Ownership  a plain value inside its image; nothing to close.
 * Thread     the image's engine.
 * Errors     none; the conductor has refused names that it does not know.
 */
#ifndef RJ_STREAM_CONGESTION_H
#define RJ_STREAM_CONGESTION_H

#include <stdbool.h>
#include <stdint.h>

typedef struct rj_congestion rj_congestion_t;

/* What the image saw in one rebuild. */
typedef struct rj_congestion_sample {
    int64_t sm_position;  /* last scheduled status message */
    int64_t min_position; /* slowest reader */
    bool loss_is_found;   /* a gap was seen for the first time */
} rj_congestion_sample_t;

enum { RJ_CONGESTION_RTT_NS_MAX = 2000 * 1000 * 1000 /* a longer one is not believed */ };

typedef struct rj_congestion_ops {
    const char *name; /* as in the URI: cc=NAME */

    /* The rest of the struct is filled in: chooses the first window. */
    void (*on_init)(rj_congestion_t *congestion, int64_t now_ns);

    /* Once a turn of an image with readers. Returns the window to grant from now on; sets
     * `*ret_force_sm` when the sender must hear of it at once. */
    int32_t (*on_rebuild)(rj_congestion_t *congestion, const rj_congestion_sample_t *sample,
                          bool *ret_force_sm, int64_t now_ns);

    /* Whether a round-trip measurement is due; `on_rtt_request` notes that it was sent. */
    bool (*wants_rtt)(const rj_congestion_t *congestion, int64_t now_ns);
    void (*on_rtt_request)(rj_congestion_t *congestion, int64_t now_ns);

    /* A measured round trip. It may be forged: zero and negative values are possible. */
    void (*on_rtt)(rj_congestion_t *congestion, int64_t rtt_ns, int64_t now_ns);
} rj_congestion_ops_t;

typedef struct rj_congestion_config {
    const rj_congestion_ops_t *ops;
    int32_t mtu; /* above 0 */

    /* cubic */
    int64_t initial_rtt_ns;
    bool measures_rtt;
    bool is_tcp_friendly;
    int64_t *rtt_counter;    /* value words of its counters, or NULL */
    int64_t *window_counter; /* likewise */
} rj_congestion_config_t;

typedef struct rj_cubic {
    int32_t cwnd; /* segments, all three; from 1 to cwnd_max */
    int32_t cwnd_max;
    int32_t w_max; /* when the last loss was */
    double k;      /* seconds from a loss until w_max is reached again */
    int64_t rtt_ns;
    int64_t rtt_timeout_ns;
    int64_t last_rtt_ns; /* asked for or measured */
    int64_t last_loss_ns;
    int64_t last_update_ns;
    bool has_asked;
} rj_cubic_t;

struct rj_congestion {
    rj_congestion_config_t config;
    const rj_congestion_ops_t *ops;
    int32_t window_bytes;     /* granted first, and by the last call of on_rebuild */
    int32_t window_bytes_max; /* never more than this: configured, at most half a term */
    rj_cubic_t cubic;
};

/* `window_bytes` is the configured receiver window: at most half of `term_length` of it is used.
 * wire.md 14.3, 17 */
void rj_congestion_init(rj_congestion_t *congestion, const rj_congestion_config_t *config,
                        int32_t window_bytes, int32_t term_length, int64_t now_ns);

extern const rj_congestion_ops_t rj_congestion_static;
extern const rj_congestion_ops_t rj_congestion_cubic;

#endif
