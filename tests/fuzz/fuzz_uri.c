/* SPDX-License-Identifier: Apache-2.0 */
/* What a client may do to us with the text of a channel: parse it in every role, resolve it against
 * a made-up host, read every parameter, and hold what comes out to its promises. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include <ramjet/command.h>
#include <ramjet/wire.h>

#include "base/bits.h"
#include "name/channel_resolve.h"
#include "proto/flow_option.h"
#include "proto/stream_params.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int resolve_any(rj_resolver_t *resolver, const char *host, uint16_t family,
                       rj_resolve_reason_t reason, rj_address_t *ret, rj_err_t *err)
{
    (void)resolver;
    (void)reason;
    if (host[0] == 'x')
        return rj_fail_aeron(err, -EINVAL, RJ_ERROR_UNKNOWN_HOST, "Unable to resolve host=(%s)",
                             host);
    *ret = rj_address_wildcard(family == AF_UNSPEC ? AF_INET : family);
    ret->bytes[0] = (uint8_t)host[0];
    ret->bytes[1] = 1;
    return 0;
}

static const rj_resolver_ops_t any_ops = {.name = "any", .resolve = resolve_any};

static void check_printed(const rj_address_t *address)
{
    char text[RJ_ADDRESS_TEXT_BYTES];
    const size_t length = rj_address_print(address, text);
    assert(length == strlen(text) && length < sizeof(text));
    rj_host_port_t again;
    assert(rj_host_port_parse(&again, text, length, NULL) == 0 && again.is_literal);
    assert(rj_address_same_host(&again.address, &(rj_address_t){.family = address->family}) ==
           rj_address_is_wildcard(address));
    again.address.scope_id = address->scope_id;
    assert(rj_address_equal(&again.address, address));
}

static void check_channel(rj_channel_t *channel)
{
    rj_resolver_t resolver = {&any_ops};
    const uint8_t link_local[16] = {0xfe, 0x80, [15] = 7};
    const rj_interface_t interfaces[] = {
        {"lo", 1, RJ_INTERFACE_UP | RJ_INTERFACE_LOOPBACK,
         rj_address_ipv4((const uint8_t[]){127, 0, 0, 1}, 0), 8},
        {"eth0", 2, RJ_INTERFACE_UP | RJ_INTERFACE_MULTICAST,
         rj_address_ipv4((const uint8_t[]){10, 0, 0, 7}, 0), 24},
        {"eth0", 2, RJ_INTERFACE_UP | RJ_INTERFACE_MULTICAST, rj_address_ipv6(link_local, 0, 2),
         64},
    };
    int64_t suffix = INT64_MAX - 1;
    const rj_channel_world_t world = {&resolver, &resolver, interfaces, 3, &suffix};
    rj_err_t err = {0};
    if (rj_channel_resolve(channel, &world, RJ_RESOLVE_FIRST, &err) < 0) {
        assert(err.aeron_code == RJ_ERROR_INVALID_CHANNEL || err.aeron_code == RJ_ERROR_GENERIC ||
               err.aeron_code == RJ_ERROR_UNKNOWN_HOST);
        return;
    }
    if (channel->uri.media == RJ_MEDIA_IPC)
        return;
    assert(channel->is_resolved && strncmp(channel->canonical, "UDP-", 4) == 0);
    assert(!channel->is_multicast ||
           !rj_address_equal(&channel->remote_data, &channel->remote_control));
    check_printed(&channel->remote_data);
    check_printed(&channel->remote_control);
    check_printed(&channel->local_data);
}

static void check_params(const rj_uri_t *uri)
{
    const rj_stream_defaults_t defaults = rj_stream_defaults_reference();
    rj_publication_params_t publication;
    if (rj_publication_params_parse(&publication, uri, 1001, &defaults, NULL) == 0) {
        assert(rj_is_pow2(publication.term_length_bytes));
        assert(publication.mtu_bytes > 32 && publication.mtu_bytes <= RJ_MTU_MAX &&
               publication.mtu_bytes % 32 == 0);
        assert(publication.window_bytes <= publication.term_length_bytes / 2);
        assert(publication.max_resend >= 1 && publication.max_resend <= RJ_RESEND_MAX);
        assert(rj_publication_params_position(&publication) >= 0);
    }
    rj_subscription_params_t subscription;
    if (rj_subscription_params_parse(&subscription, uri, &defaults, NULL) == 0)
        assert(subscription.receiver_window_bytes >= 0);
    rj_uri_value_t fc = rj_uri_find(uri, "fc");
    rj_flow_option_t option = {.resend_window_multiple = 4};
    if (fc.text != NULL && rj_flow_option_parse(&option, fc.text, fc.length, NULL) == 0)
        assert(option.group_size_min >= 0 && option.resend_window_multiple > 0 &&
               option.timeout_ns >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static rj_channel_t channel;
    static const rj_channel_role_t roles[] = {RJ_CHANNEL_PUBLICATION, RJ_CHANNEL_SUBSCRIPTION,
                                              RJ_CHANNEL_SEND_DESTINATION,
                                              RJ_CHANNEL_RECEIVE_DESTINATION};
    rj_err_t err = {0};
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        if (rj_channel_parse(&channel, (const char *)data, size, roles[i], &err) == 0)
            check_channel(&channel);
        else
            assert(err.aeron_code == RJ_ERROR_INVALID_CHANNEL ||
                   err.aeron_code == RJ_ERROR_GENERIC);
    }
    if (rj_uri_parse(&channel.uri, (const char *)data, size, NULL) == 0) {
        assert(strlen(channel.uri.text) == size);
        check_params(&channel.uri);
    }
    /* A bare text too, so that the parsers behind `endpoint=` and `interface=` see every byte. */
    rj_interface_spec_t spec;
    rj_host_port_t host_port;
    rj_interface_spec_parse(&spec, (const char *)data, size, NULL);
    if (rj_host_port_parse(&host_port, (const char *)data, size, NULL) == 0 && host_port.is_literal)
        check_printed(&host_port.address);
    return 0;
}
