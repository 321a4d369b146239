/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/flow_control.h"

#include <string.h>

#include "base/bits.h"

void rj_flow_control_init(rj_flow_control_t *flow_control, const rj_flow_control_config_t *config,
                          int32_t term_length)
{
    int64_t window = rj_min_i64(term_length / 2, RJ_FLOW_CONTROL_RESEND_WINDOW_BYTES);
    memset(flow_control, 0, sizeof(*flow_control));
    flow_control->config = *config;
    flow_control->ops = config->ops;
    flow_control->resend_bytes_max = window * config->resend_window_multiple;
    flow_control->due_ns = INT64_MAX;
    flow_control->setup_limit = -1;
}
