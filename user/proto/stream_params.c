/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/stream_params.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <ramjet/command.h>
#include <ramjet/shm.h>
#include <ramjet/wire.h>

#include "base/bits.h"

rj_stream_defaults_t rj_stream_defaults_reference(void)
{
    return (rj_stream_defaults_t){
        .mtu_bytes = 1408,
        .ipc_mtu_bytes = 1408,
        .term_length_bytes = 16 * 1024 * 1024,
        .ipc_term_length_bytes = 64 * 1024 * 1024,
        .linger_ns = INT64_C(5000000000),
        .max_resend = 16,
        .receiver_window_bytes = 128 * 1024,
        .untethered_window_limit_timeout_ns = INT64_C(5000000000),
        .untethered_resting_timeout_ns = INT64_C(10000000000),
        .is_sparse = true,
        .is_reliable = true,
        .is_rejoin = true,
        .is_tether = true,
        .group_consideration = RJ_INFERABLE_INFER,
    };
}

static int fail_value(rj_err_t *err, const char *key, int64_t value, const char *rule)
{
    return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC, "%s=%" PRId64 " must be %s", key, value,
                         rule);
}

/* A size that must lie in [min, max]; `rule` says so in words. */
static int get_bounded(const rj_uri_t *uri, const char *key, int64_t min, int64_t max,
                       const char *rule, int32_t *ret, rj_err_t *err)
{
    int64_t value;
    int result = rj_uri_get_size(uri, key, &value, err);
    if (result <= 0)
        return result;
    if (value < min || value > max)
        return fail_value(err, key, value, rule);
    *ret = (int32_t)value;
    return 1;
}

static int parse_publication_session(rj_publication_params_t *params, const rj_uri_t *uri,
                                     rj_err_t *err)
{
    static const char tag_prefix[] = "tag:";
    const size_t prefix_length = sizeof(tag_prefix) - 1;
    rj_uri_value_t value = rj_uri_find(uri, "session-id");
    if (value.length < prefix_length || memcmp(value.text, tag_prefix, prefix_length) != 0) {
        int result = rj_uri_get_i32(uri, "session-id", &params->session_id, err);
        params->has_session_id = result > 0;
        return result;
    }
    params->has_session_tag = rj_value_decimal(value.text + prefix_length,
                                               value.length - prefix_length, &params->session_tag);
    if (!params->has_session_tag)
        return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC, "could not parse session-id=%.*s",
                             (int)value.length, value.text);
    return 1;
}

static int parse_term_length(rj_publication_params_t *params, const rj_uri_t *uri, rj_err_t *err)
{
    static const char rule[] = "a power of two from 65536 to 1073741824";
    int result = get_bounded(uri, "term-length", RJ_TERM_LENGTH_MIN, RJ_TERM_LENGTH_MAX, rule,
                             &params->term_length_bytes, err);
    if (result > 0 && !rj_is_pow2(params->term_length_bytes))
        return fail_value(err, "term-length", params->term_length_bytes, rule);
    params->has_term_length = result > 0;
    return result;
}

static int parse_mtu(rj_publication_params_t *params, const rj_uri_t *uri, rj_err_t *err)
{
    static const char rule[] = "a multiple of 32, above 32 and at most 65504";
    int result = get_bounded(uri, "mtu", RJ_DATA_HEADER_BYTES + 1, RJ_MTU_MAX, rule,
                             &params->mtu_bytes, err);
    if (result > 0 && params->mtu_bytes % RJ_FRAME_ALIGNMENT != 0)
        return fail_value(err, "mtu", params->mtu_bytes, rule);
    params->has_mtu = result > 0;
    return result;
}

static int parse_window(rj_publication_params_t *params, const rj_uri_t *uri,
                        const rj_stream_defaults_t *defaults, rj_err_t *err)
{
    const int32_t half_term = params->term_length_bytes / 2;
    const int32_t configured = uri->media == RJ_MEDIA_IPC ? defaults->ipc_publication_window_bytes
                                                          : defaults->publication_window_bytes;
    params->window_bytes = configured > 0 && configured < half_term ? configured : half_term;
    int result = get_bounded(uri, "pub-wnd", params->mtu_bytes, half_term,
                             "from the MTU to half a term", &params->window_bytes, err);
    params->has_window = result > 0;
    return result;
}

static int check_position(const rj_publication_params_t *params, rj_err_t *err)
{
    if (!params->has_position)
        return 0;
    if (params->term_offset < 0 || params->term_offset > params->term_length_bytes ||
        params->term_offset % RJ_FRAME_ALIGNMENT != 0)
        return fail_value(err, "term-offset", params->term_offset,
                          "a multiple of 32 within the term length");
    /* Term ids wrap, so that only their difference has an order. */
    if ((int32_t)((uint32_t)params->term_id - (uint32_t)params->initial_term_id) < 0)
        return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC, "term-id=%d is before init-term-id=%d",
                             params->term_id, params->initial_term_id);
    return 0;
}

static int parse_position(rj_publication_params_t *params, const rj_uri_t *uri, rj_err_t *err)
{
    const int initial = rj_uri_get_i32(uri, "init-term-id", &params->initial_term_id, err);
    if (initial < 0)
        return initial;
    const int term = rj_uri_get_i32(uri, "term-id", &params->term_id, err);
    if (term < 0)
        return term;
    const int offset = rj_uri_get_i32(uri, "term-offset", &params->term_offset, err);
    if (offset < 0)
        return offset;
    if (initial + term + offset == 0)
        return 0;
    if (initial + term + offset != 3)
        return rj_fail_aeron(
            err, -EINVAL, RJ_ERROR_GENERIC,
            "params: init-term-id, term-id and term-offset must be used as a complete set: %s",
            uri->text);
    params->has_position = true;
    return check_position(params, err);
}

static int parse_response(rj_publication_params_t *params, const rj_uri_t *uri, rj_err_t *err)
{
    if (rj_uri_value_is(uri, "response-correlation-id", "prototype")) {
        params->response_correlation_id = RJ_RESPONSE_PROTOTYPE;
        return 1;
    }
    rj_uri_value_t value = rj_uri_find(uri, "response-correlation-id");
    if (value.text == NULL)
        return 0;
    if (!rj_value_i64(value.text, value.length, &params->response_correlation_id) ||
        params->response_correlation_id < RJ_RESPONSE_NONE)
        return rj_fail_aeron(
            err, -EINVAL, RJ_ERROR_GENERIC,
            "invalid response-correlation-id, must be a number >= -1 or prototype: %.*s",
            (int)value.length, value.text);
    return 1;
}

static int parse_untethered(rj_untethered_timeouts_t *ret, const rj_uri_t *uri,
                            const rj_stream_defaults_t *defaults, rj_err_t *err)
{
    *ret = (rj_untethered_timeouts_t){
        .window_limit_ns = defaults->untethered_window_limit_timeout_ns,
        .linger_ns = defaults->untethered_linger_timeout_ns,
        .resting_ns = defaults->untethered_resting_timeout_ns,
    };
    int result =
        rj_uri_get_duration(uri, "untethered-window-limit-timeout", &ret->window_limit_ns, err);
    if (result < 0)
        return result;
    result = rj_uri_get_duration(uri, "untethered-linger-timeout", &ret->linger_ns, err);
    if (result < 0)
        return result;
    if (ret->linger_ns == 0)
        ret->linger_ns = ret->window_limit_ns;
    return rj_uri_get_duration(uri, "untethered-resting-timeout", &ret->resting_ns, err);
}

static int check_stream_id(const rj_uri_t *uri, int32_t stream_id, rj_err_t *err)
{
    int32_t stated = stream_id;
    int result = rj_uri_get_i32(uri, "stream-id", &stated, err);
    if (result < 0)
        return result;
    if (stated != stream_id)
        return rj_fail_aeron(err, -EINVAL, RJ_ERROR_INVALID_CHANNEL,
                             "stream-id=%d is not that of the command, %d: %s", stated, stream_id,
                             uri->text);
    return 0;
}

/* The log of a prototype is never written to, so it is as small as can be. */
static int shrink_to_prototype(rj_publication_params_t *params, rj_err_t *err)
{
    params->term_length_bytes = RJ_TERM_LENGTH_MIN;
    if (params->window_bytes > RJ_TERM_LENGTH_MIN / 2)
        params->window_bytes = RJ_TERM_LENGTH_MIN / 2;
    return check_position(params, err);
}

/* The first half, down to the position. */
static int parse_publication_log(rj_publication_params_t *params, const rj_uri_t *uri,
                                 const rj_stream_defaults_t *defaults, rj_err_t *err)
{
    int result = rj_uri_get_duration(uri, "linger", &params->linger_ns, err);
    if (result < 0)
        return result;
    result = parse_term_length(params, uri, err);
    if (result < 0)
        return result;
    result =
        get_bounded(uri, "max-resend", 1, RJ_RESEND_MAX, "from 1 to 256", &params->max_resend, err);
    if (result < 0)
        return result;
    result = parse_mtu(params, uri, err);
    if (result < 0)
        return result;
    result = parse_window(params, uri, defaults, err);
    return result < 0 ? result : parse_position(params, uri, err);
}

static int parse_publication_traits(rj_publication_params_t *params, const rj_uri_t *uri,
                                    const rj_stream_defaults_t *defaults, rj_err_t *err)
{
    int result = rj_uri_get_bool(uri, "sparse", &params->is_sparse, err);
    if (result < 0)
        return result;
    result = rj_uri_get_bool(uri, "eos", &params->signals_eos, err);
    if (result < 0)
        return result;
    result = rj_uri_get_bool(uri, "ssc", &params->spies_simulate_connection, err);
    if (result < 0)
        return result;
    result = parse_response(params, uri, err);
    if (result < 0)
        return result;
    return parse_untethered(&params->untethered, uri, defaults, err);
}

int rj_publication_params_parse(rj_publication_params_t *ret, const rj_uri_t *uri,
                                int32_t stream_id, const rj_stream_defaults_t *defaults,
                                rj_err_t *err)
{
    const bool is_ipc = uri->media == RJ_MEDIA_IPC;
    rj_publication_params_t params = {
        .mtu_bytes = is_ipc ? defaults->ipc_mtu_bytes : defaults->mtu_bytes,
        .term_length_bytes = is_ipc ? defaults->ipc_term_length_bytes : defaults->term_length_bytes,
        .linger_ns = defaults->linger_ns,
        .max_resend = defaults->max_resend,
        .is_sparse = defaults->is_sparse,
        .signals_eos = true,
        .spies_simulate_connection = defaults->spies_simulate_connection,
        .response_correlation_id = RJ_RESPONSE_NONE,
    };
    int result = parse_publication_session(&params, uri, err);
    if (result < 0)
        return result;
    result = rj_uri_get_entity_tag(uri, &params.entity_tag, err);
    if (result < 0)
        return result;
    params.has_entity_tag = result > 0;
    result = parse_publication_log(&params, uri, defaults, err);
    if (result < 0)
        return result;
    result = parse_publication_traits(&params, uri, defaults, err);
    if (result < 0)
        return result;
    /* As Aeron: it holds a transport for others, of which IPC has none. */
    if (params.response_correlation_id == RJ_RESPONSE_PROTOTYPE && uri->media == RJ_MEDIA_UDP) {
        result = shrink_to_prototype(&params, err);
        if (result < 0)
            return result;
    }
    result = check_stream_id(uri, stream_id, err);
    if (result < 0)
        return result;
    *ret = params;
    return 0;
}

int rj_publication_params_follow(rj_publication_params_t *params, int32_t session_id,
                                 int32_t mtu_bytes, int32_t term_length_bytes, const rj_uri_t *uri,
                                 const rj_stream_defaults_t *defaults, rj_err_t *err)
{
    if (params->has_mtu && params->mtu_bytes != mtu_bytes)
        return fail_value(err, "mtu", params->mtu_bytes,
                          "that of the publication which session-id=tag: names");
    if (params->has_term_length && params->term_length_bytes != term_length_bytes)
        return fail_value(err, "term-length", params->term_length_bytes,
                          "that of the publication which session-id=tag: names");
    rj_publication_params_t followed = *params;
    followed.has_session_id = true;
    followed.session_id = session_id;
    followed.mtu_bytes = mtu_bytes;
    followed.term_length_bytes = term_length_bytes;
    int result = parse_window(&followed, uri, defaults, err);
    if (result < 0)
        return result;
    result = check_position(&followed, err);
    if (result < 0)
        return result;
    *params = followed;
    return 0;
}

int64_t rj_publication_params_position(const rj_publication_params_t *params)
{
    if (!params->has_position)
        return 0;
    const int32_t term_count =
        (int32_t)((uint32_t)params->term_id - (uint32_t)params->initial_term_id);
    return (int64_t)term_count * params->term_length_bytes + params->term_offset;
}

static rj_congestion_choice_t parse_congestion(const rj_uri_t *uri)
{
    if (!rj_uri_has(uri, "cc"))
        return RJ_CONGESTION_DEFAULT;
    if (rj_uri_value_is(uri, "cc", "static"))
        return RJ_CONGESTION_STATIC;
    return rj_uri_value_is(uri, "cc", "cubic") ? RJ_CONGESTION_CUBIC : RJ_CONGESTION_UNKNOWN;
}

/* What only a subscription that receives from the network has. */
static int parse_network_subscription(rj_subscription_params_t *params, const rj_uri_t *uri,
                                      rj_err_t *err)
{
    int result = rj_uri_get_bool(uri, "reliable", &params->is_reliable, err);
    if (result < 0)
        return result;
    rj_uri_get_inferable(uri, "group", &params->group);
    result = rj_uri_get_i64(uri, "gtag", &params->group_tag, err);
    if (result < 0)
        return result;
    params->has_group_tag |= result > 0;
    params->congestion = parse_congestion(uri);
    result = get_bounded(uri, "rcv-wnd", 0, INT32_MAX, "less than 2 GiB",
                         &params->receiver_window_bytes, err);
    if (result < 0)
        return result;
    params->has_receiver_window = result > 0;
    if (rj_uri_get_duration(uri, "nak-delay", &params->nak_delay_ns, NULL) < 0)
        params->nak_delay_ns = RJ_NAK_DELAY_INVALID;
    return 0;
}

int rj_subscription_params_parse(rj_subscription_params_t *ret, const rj_uri_t *uri,
                                 const rj_stream_defaults_t *defaults, rj_err_t *err)
{
    rj_subscription_params_t params = {
        .is_response = rj_uri_value_is(uri, "control-mode", "response"),
        .is_reliable = defaults->is_reliable,
        .is_rejoin = defaults->is_rejoin,
        .is_tether = defaults->is_tether,
        .is_sparse = defaults->is_sparse,
        .group = defaults->group_consideration,
        .has_group_tag = defaults->has_group_tag,
        .group_tag = defaults->group_tag,
        .receiver_window_bytes = defaults->receiver_window_bytes,
        .nak_delay_ns = RJ_NAK_DELAY_DEFAULT,
    };
    int result = rj_uri_get_i32(uri, "session-id", &params.session_id, err);
    if (result < 0)
        return result;
    params.has_session_id = result > 0;
    result = rj_uri_get_bool(uri, "rejoin", &params.is_rejoin, err);
    if (result < 0)
        return result;
    result = rj_uri_get_bool(uri, "tether", &params.is_tether, err);
    if (result < 0)
        return result;
    result = rj_uri_get_bool(uri, "sparse", &params.is_sparse, err);
    if (result < 0)
        return result;
    if (uri->media == RJ_MEDIA_UDP) {
        result = parse_network_subscription(&params, uri, err);
        if (result < 0)
            return result;
    }
    result = parse_untethered(&params.untethered, uri, defaults, err);
    if (result < 0)
        return result;
    *ret = params;
    return 0;
}
