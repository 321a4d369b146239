/* SPDX-License-Identifier: Apache-2.0 */
#include "name/channel_resolve.h"

#include <string.h>

/* A host name in `interface=` becomes an address; literals already are one. */
static int resolve_interface_host(rj_interface_spec_t *spec, const char *text,
                                  const rj_channel_world_t *world, rj_resolve_reason_t reason,
                                  rj_err_t *err)
{
    if (spec->is_literal)
        return 0;
    rj_resolver_t *resolver = world->system_resolver;
    int result =
        resolver->ops->resolve(resolver, spec->host, spec->family, reason, &spec->address, err);
    if (result < 0) {
        rj_err_context(err, "Unresolved - interface=%s: ", text);
        return result;
    }
    spec->address.port = spec->port;
    return 0;
}

/* The address that a text in `interface=` means. Unicast may bind the wildcard, multicast must
 * know. */
static int find_interface(const char *text, uint16_t family, bool is_multicast,
                          const rj_channel_world_t *world, rj_resolve_reason_t reason,
                          rj_interface_match_t *ret, rj_err_t *err)
{
    rj_interface_spec_t spec;
    int result = rj_interface_spec_parse(&spec, text, strlen(text), err);
    if (result < 0)
        return result;
    if (spec.is_named)
        return rj_interface_find_named(world->interfaces, world->interface_count, spec.host, family,
                                       spec.port, ret, err);
    result = resolve_interface_host(&spec, text, world, reason, err);
    if (result < 0)
        return result;
    if (!is_multicast && rj_address_is_wildcard(&spec.address)) {
        *ret = (rj_interface_match_t){.address = spec.address};
        return 0;
    }
    return rj_interface_find(world->interfaces, world->interface_count, &spec.address,
                             spec.prefix_bits, text, ret, err);
}

static int choose_interface(const rj_channel_t *channel, const rj_address_t *endpoint,
                            const rj_address_t *control, const rj_channel_world_t *world,
                            rj_resolve_reason_t reason, rj_interface_match_t *ret, rj_err_t *err)
{
    uint16_t family = AF_INET;
    if (channel->has_endpoint)
        family = endpoint->family;
    const bool is_multicast = channel->has_endpoint && rj_address_is_multicast(endpoint);
    if (channel->has_control && !is_multicast)
        family = control->family;

    if (channel->has_interface)
        return find_interface(channel->interface_text, family, is_multicast, world, reason, ret,
                              err);
    if (is_multicast)
        return find_interface(family == AF_INET6 ? "[0::]/0" : "0.0.0.0/0", family, true, world,
                              reason, ret, err);
    *ret = (rj_interface_match_t){.address = rj_address_wildcard(family)};
    return 0;
}

/* As Aeron: what could not be resolved ends with the channel, which tests look for. */
static int fail_with_channel(const rj_channel_t *channel, int result, rj_err_t *err)
{
    if (err == NULL)
        return result;
    const size_t length = strlen(channel->uri.text);
    const size_t room = sizeof(err->text) - length - sizeof(": ");
    char cause[RJ_ERR_TEXT_MAX];
    memcpy(cause, err->text, sizeof(cause));
    return rj_fail_aeron(err, result, err->aeron_code, "%.*s: %s", (int)room, cause,
                         channel->uri.text);
}

int rj_channel_resolve(rj_channel_t *channel, const rj_channel_world_t *world,
                       rj_resolve_reason_t reason, rj_err_t *err)
{
    if (channel->uri.media == RJ_MEDIA_IPC)
        return 0;

    rj_address_t endpoint = {.family = AF_UNSPEC};
    rj_address_t control = {.family = AF_UNSPEC};
    int result = 0;
    if (channel->has_control)
        result = rj_resolver_resolve_text(world->resolver, "control", channel->control_text, reason,
                                          &control, err);
    if (result == 0 && channel->has_endpoint)
        result = rj_resolver_resolve_text(world->resolver, "endpoint", channel->endpoint_text,
                                          reason, &endpoint, err);
    if (result < 0)
        return fail_with_channel(channel, result, err);

    rj_interface_match_t local;
    result = choose_interface(channel, &endpoint, &control, world, reason, &local, err);
    if (result < 0)
        return result;
    return rj_channel_assign(channel, &endpoint, &control, &local.address, local.index,
                             world->unique_suffix, err);
}

int rj_interface_resolve(const char *text, const rj_channel_world_t *world, rj_address_t *ret,
                         rj_err_t *err)
{
    rj_interface_match_t match;
    const int result = find_interface(text, AF_INET, false, world, RJ_RESOLVE_FIRST, &match, err);
    if (result == 0)
        *ret = match.address;
    return result;
}
