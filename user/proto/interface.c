/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/interface.h"

#include <errno.h>
#include <string.h>

#include <ramjet/command.h>

#include "proto/value.h"

static int fail_text(rj_err_t *err, const char *what, const char *text, size_t length)
{
    return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC, "interface invalid, %s: '%.*s'", what,
                         (int)length, text);
}

static int parse_named(rj_interface_spec_t *spec, const char *text, size_t length, rj_err_t *err)
{
    const char *brace = memrchr(text, '}', length);
    if (brace == NULL)
        return fail_text(err, "no closing brace", text, length);
    const size_t name_length = (size_t)(brace - text) - 1;
    if (name_length == 0 || name_length > RJ_INTERFACE_NAME_MAX)
        return fail_text(err, "a name has 1 to 15 bytes", text, length);
    memcpy(spec->host, text + 1, name_length);
    spec->host[name_length] = '\0';
    spec->is_named = true;

    const char *rest = brace + 1;
    const size_t rest_length = length - (size_t)(rest - text);
    if (rest_length == 0)
        return 0;
    if (rest[0] != ':')
        return fail_text(err, "only a port may follow the name", text, length);
    return rj_port_parse(&spec->port, rest + 1, rest_length - 1, err);
}

/* `[:port][/prefix]` behind an address. */
static int parse_port_and_prefix(rj_interface_spec_t *spec, const char *text, size_t length,
                                 rj_err_t *err)
{
    const char *slash = memchr(text, '/', length);
    const size_t port_length = slash == NULL ? length : (size_t)(slash - text);
    if (port_length > 0) {
        if (text[0] != ':')
            return fail_text(err, "only a port or a prefix may follow the address", text, length);
        int result = rj_port_parse(&spec->port, text + 1, port_length - 1, err);
        if (result < 0)
            return result;
    }
    if (slash == NULL)
        return 0;
    int64_t bits;
    if (!rj_value_decimal(slash + 1, length - port_length - 1, &bits) || bits < 0 ||
        bits > spec->prefix_bits)
        return fail_text(err, "prefix out of range", text, length);
    spec->prefix_bits = (uint8_t)bits;
    return 0;
}

int rj_interface_spec_parse(rj_interface_spec_t *ret, const char *text, size_t length,
                            rj_err_t *err)
{
    rj_interface_spec_t spec = {.is_named = length > 0 && text[0] == '{'};
    if (spec.is_named) {
        int result = parse_named(&spec, text, length, err);
        if (result == 0)
            *ret = spec;
        return result;
    }

    /* The host ends at the prefix too, where there is no port. */
    const char *slash = memchr(text, '/', length);
    rj_host_t host;
    int result = rj_host_split(&host, text, slash == NULL ? length : (size_t)(slash - text), err);
    if (result < 0)
        return result;
    spec.family = host.is_bracketed ? AF_INET6 : AF_INET;
    spec.prefix_bits = host.is_bracketed ? 128 : 32;
    memcpy(spec.host, host.name, sizeof(spec.host));
    result = parse_port_and_prefix(&spec, text + host.rest_index, length - host.rest_index, err);
    if (result < 0)
        return result;
    spec.is_literal =
        rj_address_parse_literal(&spec.address, spec.family, spec.host, strlen(spec.host));
    if (spec.is_literal)
        spec.address.port = spec.port;
    *ret = spec;
    return 0;
}

static void set_match(rj_interface_match_t *ret, const rj_interface_t *interface, uint16_t port)
{
    ret->address = interface->address;
    ret->address.port = port;
    ret->address.scope_id = rj_address_is_link_local(&interface->address) ? interface->index : 0;
    ret->index = interface->index;
}

int rj_interface_find_named(const rj_interface_t *interfaces, size_t count, const char *name,
                            uint16_t family, uint16_t port, rj_interface_match_t *ret,
                            rj_err_t *err)
{
    bool is_known = false;
    for (size_t i = 0; i < count; i++) {
        const rj_interface_t *interface = &interfaces[i];
        if ((interface->flags & RJ_INTERFACE_UP) == 0 || strcmp(interface->name, name) != 0)
            continue;
        is_known = true;
        if (interface->address.family == family) {
            set_match(ret, interface, port);
            return 0;
        }
    }
    if (!is_known)
        return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC, "unknown interface %s", name);
    return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC, "no %s addresses found on interface %s",
                         family == AF_INET6 ? "INET6" : "INET", name);
}

/* Whether `candidate` beats `best`, which was found before it. */
static bool is_better(const rj_interface_t *candidate, const rj_interface_t *best)
{
    if (candidate->flags & RJ_INTERFACE_LOOPBACK)
        return best == NULL;
    if ((candidate->flags & RJ_INTERFACE_MULTICAST) == 0)
        return false;
    return best == NULL || (best->flags & RJ_INTERFACE_LOOPBACK) ||
           candidate->prefix_bits > best->prefix_bits;
}

int rj_interface_find(const rj_interface_t *interfaces, size_t count, const rj_address_t *address,
                      unsigned prefix_bits, const char *text, rj_interface_match_t *ret,
                      rj_err_t *err)
{
    const rj_interface_t *best = NULL;
    for (size_t i = 0; i < count; i++) {
        const rj_interface_t *interface = &interfaces[i];
        if ((interface->flags & RJ_INTERFACE_UP) == 0 ||
            !rj_address_matches_prefix(&interface->address, address, prefix_bits))
            continue;
        if (is_better(interface, best))
            best = interface;
    }
    if (best == NULL)
        return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC,
                             "could not find matching interface='%s'", text);
    set_match(ret, best, address->port);
    return 0;
}
