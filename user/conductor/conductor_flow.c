/* SPDX-License-Identifier: Apache-2.0 */
#include "conductor/conductor_flow.h"

#include "base/bits.h"
#include "proto/flow_option.h"

/* --- flow control --- */

static rj_flow_strategy_t strategy_of(int64_t supplier)
{
    switch (supplier) {
    case RJ_FLOW_SUPPLIER_MIN:
        return RJ_FLOW_MIN;
    case RJ_FLOW_SUPPLIER_TAGGED:
        return RJ_FLOW_TAGGED;
    default:
        return RJ_FLOW_MAX;
    }
}

static const rj_flow_control_ops_t *ops_of(rj_flow_strategy_t strategy, bool is_group)
{
    switch (strategy) {
    case RJ_FLOW_MIN:
        return &rj_flow_control_min;
    case RJ_FLOW_TAGGED:
        return &rj_flow_control_tagged;
    case RJ_FLOW_MAX:
        break;
    }
    return is_group ? &rj_flow_control_max : &rj_flow_control_unicast;
}

/* What the configuration says; a URI may say otherwise. */
static rj_flow_option_t defaults(const rj_driver_config_t *config, bool is_group)
{
    return (rj_flow_option_t){
        .strategy =
            strategy_of(is_group ? config->multicast_flow_supplier : config->unicast_flow_supplier),
        .timeout_ns = config->flow_receiver_timeout_ns,
        .group_tag = config->flow_group_tag,
        .group_size_min = (int32_t)config->flow_group_min_size,
        .resend_window_multiple = is_group ? RJ_FLOW_CONTROL_RESEND_WINDOWS_GROUP
                                           : RJ_FLOW_CONTROL_RESEND_WINDOWS_UNICAST};
}

/* Whether there are several receivers is for the endpoint to say; how to serve them for the
 * publication, and for the endpoint where that is silent (driver.md 15.1). A single one needs no
 * choice: what its URI says of flow control means nothing. */
int rj_conductor_choose_flow_control(rj_conductor_t *conductor, const rj_send_entry_t *send,
                                     rj_err_t *err)
{
    rj_client_command_t *command = &conductor->command;
    const rj_channel_t *channel = send != NULL ? &send->endpoint.channel : &command->channel;
    const bool is_group = rj_channel_is_group(channel);
    rj_flow_option_t option = defaults(conductor->config, is_group);
    rj_uri_value_t fc = rj_uri_find(&command->channel.uri, "fc");
    if (fc.text == NULL)
        fc = rj_uri_find(&channel->uri, "fc");
    if (is_group && fc.text != NULL) {
        int result = rj_flow_option_parse(&option, fc.text, fc.length, err);
        if (result < 0)
            return result;
    }
    command->flow_control = (rj_flow_control_config_t){
        .ops = ops_of(option.strategy, is_group),
        .resend_window_multiple = option.resend_window_multiple,
        .group_size_min = option.group_size_min,
        .group_tag = option.group_tag,
        .receiver_timeout_ns = rj_min_i64(option.timeout_ns, RJ_CONFIG_DURATION_NS_MAX)};
    return 0;
}

static bool waits_for_receivers(const rj_flow_control_config_t *flow_control)
{
    return flow_control->ops == &rj_flow_control_min ||
           flow_control->ops == &rj_flow_control_tagged;
}

int rj_conductor_make_flow_counter(rj_conductor_t *conductor, const rj_send_entry_t *send,
                                   int32_t *ret_id, rj_err_t *err)
{
    static const rj_stream_counter_row_t row = {RJ_COUNTER_TYPE_FLOW_CONTROL_RECEIVERS,
                                                "fc-receivers", false};
    const rj_client_command_t *command = &conductor->command;
    *ret_id = RJ_COUNTER_ID_NULL;
    if (!waits_for_receivers(&command->flow_control))
        return 0;
    const rj_counted_stream_t stream = {.registration_id = command->correlation_id,
                                        .owner_id = -1,
                                        .session_id = command->session_id,
                                        .stream_id = command->stream_id,
                                        .channel = send->endpoint.channel.uri.text};
    return rj_conductor_stream_counters(conductor, &stream, &row, 1, ret_id, err);
}

/* --- congestion control --- */

const rj_congestion_ops_t *rj_conductor_choose_congestion(const rj_conductor_t *conductor,
                                                          const rj_receive_entry_t *receive)
{
    if (conductor->config->congestion_supplier == RJ_CONGESTION_SUPPLIER_STATIC)
        return &rj_congestion_static;
    if (conductor->config->congestion_supplier == RJ_CONGESTION_SUPPLIER_CUBIC)
        return &rj_congestion_cubic;
    switch (receive->params.congestion) {
    case RJ_CONGESTION_DEFAULT:
    case RJ_CONGESTION_STATIC:
        return &rj_congestion_static;
    case RJ_CONGESTION_CUBIC:
        return &rj_congestion_cubic;
    case RJ_CONGESTION_UNKNOWN:
        break;
    }
    return NULL;
}

static int make_cubic_counters(rj_conductor_t *conductor, const rj_receive_entry_t *receive,
                               rj_network_image_config_t *config, int32_t *ret_ids, rj_err_t *err)
{
    static const rj_stream_counter_row_t rows[RJ_CONGESTION_COUNTERS] = {
        {RJ_COUNTER_TYPE_PER_IMAGE, "rcv-cc-cubic-rtt", false},
        {RJ_COUNTER_TYPE_PER_IMAGE, "rcv-cc-cubic-wnd", false}};
    const rj_counted_stream_t stream = {.registration_id = config->correlation_id,
                                        .owner_id = -1,
                                        .session_id = config->session_id,
                                        .stream_id = config->stream_id,
                                        .channel = receive->endpoint.channel.uri.text};
    int result = rj_conductor_stream_counters(conductor, &stream, rows, RJ_CONGESTION_COUNTERS,
                                              ret_ids, err);
    if (result < 0) {
        ret_ids[0] = ret_ids[1] = RJ_COUNTER_ID_NULL;
        return result;
    }
    config->congestion.rtt_counter = rj_counters_value(conductor->counters, ret_ids[0]);
    config->congestion.window_counter = rj_counters_value(conductor->counters, ret_ids[1]);
    return 0;
}

int rj_conductor_make_congestion(rj_conductor_t *conductor, const rj_receive_entry_t *receive,
                                 rj_network_image_config_t *config, int32_t mtu_bytes,
                                 int32_t ret_ids[static RJ_CONGESTION_COUNTERS], rj_err_t *err)
{
    const rj_driver_config_t *driver = conductor->config;
    const rj_congestion_ops_t *ops = rj_conductor_choose_congestion(conductor, receive);
    config->congestion = (rj_congestion_config_t){
        .ops = ops != NULL ? ops : &rj_congestion_static,
        .mtu = mtu_bytes,
        .initial_rtt_ns =
            rj_max_i64(rj_min_i64(driver->cubic_initial_rtt_ns, RJ_CONGESTION_RTT_NS_MAX), 1),
        .measures_rtt = driver->cubic_measures_rtt,
        .is_tcp_friendly = driver->cubic_tcp_mode};
    ret_ids[0] = ret_ids[1] = RJ_COUNTER_ID_NULL;
    if (ops != &rj_congestion_cubic)
        return 0;
    return make_cubic_counters(conductor, receive, config, ret_ids, err);
}

/* --- the pace of repair --- */

/* Each image draws its own delays. What a URI or an option says of delays is for unicast (wire.md
 * 13). */
static rj_loss_config_t group_loss_config(rj_conductor_t *conductor)
{
    const rj_driver_config_t *config = conductor->config;
    const bool is_explicit = config->has_nak_multicast || config->reference_timing;
    return (rj_loss_config_t){
        .retry_ns = is_explicit ? 0 : RJ_LOSS_GROUP_RETRY_NS,
        .is_explicit = is_explicit,
        .counts_at_once = is_explicit,
        .back_off = {
            .max_ns = rj_min_i64(config->nak_multicast_max_backoff_ns, RJ_CONFIG_DURATION_NS_MAX),
            .group_size = config->nak_multicast_group_size,
            .seed = rj_prng_next(&conductor->prng)}};
}

rj_loss_config_t rj_conductor_loss_config(rj_conductor_t *conductor,
                                          const rj_subscription_params_t *params, bool is_group)
{
    const rj_driver_config_t *config = conductor->config;
    if (!params->is_reliable)
        return (rj_loss_config_t){.is_explicit = true, .counts_at_once = config->reference_timing};
    if (is_group)
        return group_loss_config(conductor);
    bool is_explicit = config->has_nak_unicast_delay || config->reference_timing;
    int64_t delay_ns = config->nak_unicast_delay_ns;
    if (params->nak_delay_ns >= 0) {
        is_explicit = true;
        delay_ns = params->nak_delay_ns;
    }
    int64_t retry_ns;
    if (__builtin_mul_overflow(delay_ns, config->nak_unicast_retry_ratio, &retry_ns))
        retry_ns = INT64_MAX;
    delay_ns = rj_min_i64(delay_ns, RJ_CONFIG_DURATION_NS_MAX);
    retry_ns = rj_min_i64(retry_ns, RJ_CONFIG_DURATION_NS_MAX);
    return (rj_loss_config_t){.delay_ns = delay_ns,
                              .retry_ns = retry_ns,
                              .is_explicit = is_explicit,
                              .counts_at_once = is_explicit};
}

static int32_t slot_count(const rj_conductor_t *conductor, bool is_group)
{
    const rj_client_command_t *command = &conductor->command;
    const rj_driver_config_t *config = conductor->config;
    if (!is_group)
        return RJ_RETRANSMIT_SLOTS_UNICAST;
    if (config->has_max_resend || config->reference_timing ||
        rj_uri_has(&command->channel.uri, "max-resend"))
        return command->publication_params.max_resend;
    return RJ_RETRANSMIT_SLOTS_MAX;
}

rj_retransmit_config_t rj_conductor_retransmit_config(const rj_conductor_t *conductor,
                                                      bool is_group)
{
    const rj_driver_config_t *config = conductor->config;
    return (rj_retransmit_config_t){.slot_count = slot_count(conductor, is_group),
                                    .delay_ns = config->retransmit_delay_ns,
                                    .linger_ns = config->retransmit_linger_ns,
                                    .linger_is_explicit =
                                        config->has_retransmit_linger || config->reference_timing};
}
