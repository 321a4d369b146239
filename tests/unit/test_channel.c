/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/channel.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <ramjet/command.h>
#include <stdio.h>
#include <string.h>

#include "name/channel_resolve.h"

/* Knows a few names, and remembers how it was asked. */
typedef struct table_resolver {
    rj_resolver_t base;
    int resolve_count;
    rj_resolve_reason_t reason;
    uint16_t family;
} table_resolver_t;

static int table_lookup(rj_resolver_t *resolver, const char *text, rj_resolve_reason_t reason,
                        char ret[static RJ_RESOLVER_TEXT_BYTES], rj_err_t *err)
{
    (void)resolver;
    (void)reason;
    (void)err;
    if (strcmp(text, "logical") != 0)
        return 0;
    snprintf(ret, RJ_RESOLVER_TEXT_BYTES, "%s", "10.0.0.9:999");
    return 1;
}

static int table_resolve(rj_resolver_t *resolver, const char *host, uint16_t family,
                         rj_resolve_reason_t reason, rj_address_t *ret, rj_err_t *err)
{
    static const struct {
        const char *name;
        uint16_t family;
        const char *address;
    } rows[] = {{"localhost", AF_INET, "127.0.0.1"},
                {"v6only", AF_INET6, "2001:db8::9"},
                {"eth0-host", AF_INET, "10.1.0.7"}};
    table_resolver_t *table = (table_resolver_t *)resolver;
    table->resolve_count++;
    table->reason = reason;
    table->family = family;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(host, rows[i].name) == 0 && (family == AF_UNSPEC || family == rows[i].family)) {
            cr_assert(rj_address_parse_literal(ret, rows[i].family, rows[i].address,
                                               strlen(rows[i].address)));
            return 0;
        }
    }
    return rj_fail_aeron(err, -EINVAL, RJ_ERROR_UNKNOWN_HOST, "Unable to resolve host=(%s)", host);
}

static const rj_resolver_ops_t table_ops = {
    .name = "table", .lookup = table_lookup, .resolve = table_resolve};

static table_resolver_t configured = {.base = {&table_ops}};
static table_resolver_t of_the_system = {.base = {&table_ops}};
static int64_t suffix;
static rj_channel_t channel;
static rj_err_t failure;

static rj_interface_t record(const char *name, uint32_t index, uint32_t flags, uint16_t family,
                             const char *address, uint8_t prefix)
{
    rj_interface_t interface = {
        .index = index, .flags = RJ_INTERFACE_UP | flags, .prefix_bits = prefix};
    snprintf(interface.name, sizeof(interface.name), "%s", name);
    cr_assert(rj_address_parse_literal(&interface.address, family, address, strlen(address)));
    return interface;
}

static int resolve_as(const char *text, rj_channel_role_t role)
{
    const rj_interface_t interfaces[] = {
        record("lo", 1, RJ_INTERFACE_LOOPBACK, AF_INET, "127.0.0.1", 8),
        record("eth0", 2, RJ_INTERFACE_MULTICAST, AF_INET, "10.1.0.7", 16),
        record("lo", 1, RJ_INTERFACE_LOOPBACK, AF_INET6, "::1", 128),
        record("eth0", 2, RJ_INTERFACE_MULTICAST, AF_INET6, "fe80::7", 64),
    };
    const rj_channel_world_t world = {
        .resolver = &configured.base,
        .system_resolver = &of_the_system.base,
        .interfaces = interfaces,
        .interface_count = sizeof(interfaces) / sizeof(interfaces[0]),
        .unique_suffix = &suffix,
    };
    memset(&failure, 0, sizeof(failure));
    int result = rj_channel_parse(&channel, text, strlen(text), role, &failure);
    return result < 0 ? result : rj_channel_resolve(&channel, &world, RJ_RESOLVE_FIRST, &failure);
}

static void assert_resolves(const char *text, rj_channel_role_t role)
{
    cr_assert_eq(resolve_as(text, role), 0, "%s: %s", text, failure.text);
}

static void assert_refused(const char *text, rj_channel_role_t role, int aeron_code,
                           const char *words)
{
    cr_assert_lt(resolve_as(text, role), 0, "%s", text);
    cr_assert_not_null(strstr(failure.text, words), "%s: %s", text, failure.text);
    cr_assert_eq(failure.aeron_code, aeron_code, "%s: %d", text, failure.aeron_code);
}

static const char *print(const rj_address_t *address)
{
    static char texts[4][RJ_ADDRESS_TEXT_BYTES];
    static int next;
    char *text = texts[next++ % 4];
    rj_address_print(address, text);
    return text;
}

Test(channel, writes_the_canonical_forms_of_the_specification)
{
    suffix = 3;
    static const struct {
        const char *text;
        const char *canonical;
    } rows[] = {
        {"aeron:udp?endpoint=localhost:40456", "UDP-0.0.0.0:0-localhost:40456"},
        {"aeron:udp?endpoint=[::1]:40456", "UDP-[::]:0-[::1]:40456"},
        {"aeron:udp?endpoint=224.10.9.9:40124|interface=127.0.0.1",
         "UDP-127.0.0.1:0-224.10.9.9:40124"},
        {"aeron:udp?control=localhost:7779|control-mode=dynamic", "UDP-localhost:7779-0.0.0.0:0"},
        {"aeron:udp?control-mode=manual|tags=5", "UDP-0.0.0.0:0-0.0.0.0:0#5"},
        {"aeron:udp?endpoint=127.0.0.1:0", "UDP-0.0.0.0:0-127.0.0.1:0-3"},
        {"aeron:udp?endpoint=127.0.0.1:0", "UDP-0.0.0.0:0-127.0.0.1:0-4"},
        {"aeron:udp?endpoint=127.0.0.1:0|tags=-7", "UDP-0.0.0.0:0-127.0.0.1:0#-7"},
        {"aeron:udp?endpoint=127.0.0.1:5|tags=7", "UDP-0.0.0.0:0-127.0.0.1:5"},
        {"aeron:udp?endpoint=[fe80::1%eth0]:1", "UDP-[::]:0-[fe80::1%eth0]:1"},
        {"aeron:udp?control=[::1]:7|control-mode=response", "UDP-[::1]:7-[::]:0"},
        {"aeron:udp?endpoint=localhost:5|interface=10.1.0.0/16", "UDP-10.1.0.7:0-localhost:5"},
        {"aeron:udp?endpoint=[ff05::1]:5|interface=[::1]", "UDP-[::1]:0-[ff05::1]:5"},
        {"aeron:udp?endpoint=logical", "UDP-0.0.0.0:0-logical"},
        {"aeron:udp?endpoint=224.10.9.9:0", "UDP-10.1.0.7:0-224.10.9.9:0"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_resolves(rows[i].text, RJ_CHANNEL_SUBSCRIPTION);
        cr_assert_str_eq(channel.canonical, rows[i].canonical);
        cr_assert(channel.is_resolved);
    }
    cr_assert_eq(suffix, 5);
}

Test(channel, gives_destinations_no_number)
{
    assert_resolves("aeron:udp?endpoint=127.0.0.1:0", RJ_CHANNEL_RECEIVE_DESTINATION);
    cr_assert_str_eq(channel.canonical, "UDP-0.0.0.0:0-127.0.0.1:0");
    cr_assert_eq(suffix, 0);
}

Test(channel, assigns_addresses_by_role)
{
    static const struct {
        const char *text;
        const char *remote_data, *remote_control, *local;
        uint32_t index;
    } rows[] = {
        {"aeron:udp?endpoint=localhost:1", "127.0.0.1:1", "127.0.0.1:1", "0.0.0.0:0", 0},
        {"aeron:udp?endpoint=v6only:1", "[2001:db8::9]:1", "[2001:db8::9]:1", "[::]:0", 0},
        {"aeron:udp?endpoint=127.0.0.1:1|interface=0.0.0.0:5", "127.0.0.1:1", "127.0.0.1:1",
         "0.0.0.0:5", 0},
        {"aeron:udp?endpoint=127.0.0.1:1|interface=localhost:6", "127.0.0.1:1", "127.0.0.1:1",
         "127.0.0.1:6", 1},
        {"aeron:udp?endpoint=10.1.0.8:1|interface={eth0}:7", "10.1.0.8:1", "10.1.0.8:1",
         "10.1.0.7:7", 2},
        {"aeron:udp?endpoint=127.0.0.1:1|control=127.0.0.1:2", "127.0.0.1:1", "127.0.0.1:1",
         "127.0.0.1:2", 0},
        {"aeron:udp?endpoint=[::1]:1|control=[::1]:2|interface={lo}", "[::1]:1", "[::1]:1",
         "[::1]:2", 1},
        {"aeron:udp?control=[::1]:2|control-mode=dynamic", "[::]:0", "[::]:0", "[::1]:2", 0},
        {"aeron:udp?control-mode=manual", "0.0.0.0:0", "0.0.0.0:0", "0.0.0.0:0", 0},
        {"aeron:udp?tags=4", "0.0.0.0:0", "0.0.0.0:0", "0.0.0.0:0", 0},
        {"aeron:udp?endpoint=224.20.30.39:40456", "224.20.30.39:40456", "224.20.30.40:40456",
         "10.1.0.7:0", 2},
        {"aeron:udp?endpoint=224.20.30.39:1|control=9.9.9.9:9", "224.20.30.39:1", "224.20.30.40:1",
         "10.1.0.7:0", 2},
        {"aeron:udp?endpoint=[ff02::1:1]:1", "[ff02::1:1]:1", "[ff02::1:2]:1", "[fe80::7]:0", 2},
        {"aeron:udp?endpoint=logical", "10.0.0.9:999", "10.0.0.9:999", "0.0.0.0:0", 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_resolves(rows[i].text, RJ_CHANNEL_SUBSCRIPTION);
        cr_assert_str_eq(print(&channel.remote_data), rows[i].remote_data, "%s", rows[i].text);
        cr_assert_str_eq(print(&channel.remote_control), rows[i].remote_control, "%s",
                         rows[i].text);
        cr_assert_str_eq(print(&channel.local_data), rows[i].local, "%s", rows[i].text);
        cr_assert_str_eq(print(&channel.local_control), rows[i].local, "%s", rows[i].text);
        cr_assert_eq(channel.interface_index, rows[i].index, "%s", rows[i].text);
        cr_assert_eq(channel.is_multicast, rj_address_is_multicast(&channel.remote_data));
    }
}

Test(channel, drops_the_scope_of_the_text_and_takes_that_of_the_interface)
{
    assert_resolves("aeron:udp?endpoint=[fe80::1%lo]:1", RJ_CHANNEL_SUBSCRIPTION);
    cr_assert_eq(channel.remote_data.scope_id, 0);
    assert_resolves("aeron:udp?endpoint=[fe80::1%lo]:1|interface=[fe80::]/64",
                    RJ_CHANNEL_SUBSCRIPTION);
    cr_assert_eq(channel.remote_data.scope_id, 2);
    cr_assert_eq(channel.local_data.scope_id, 2);
    assert_resolves("aeron:udp?endpoint=[ff02::1]:1|interface={eth0}", RJ_CHANNEL_SUBSCRIPTION);
    cr_assert_eq(channel.remote_control.scope_id, 2);
    assert_resolves("aeron:udp?endpoint=[2001:db8::1]:1|control=[fe80::3]:4|interface={eth0}",
                    RJ_CHANNEL_SUBSCRIPTION);
    cr_assert_eq(channel.remote_data.scope_id, 0);
    cr_assert_eq(channel.local_control.scope_id, 2);
}

Test(channel, refuses_what_makes_no_sense)
{
    const int invalid = RJ_ERROR_INVALID_CHANNEL;
    const int generic = RJ_ERROR_GENERIC;
    static const rj_channel_role_t p = RJ_CHANNEL_PUBLICATION, s = RJ_CHANNEL_SUBSCRIPTION;
    assert_refused("aeron:udp?", s, invalid, "needs one of endpoint, control, tags");
    assert_refused("aeron:udp?interface=127.0.0.1", s, invalid,
                   "needs one of endpoint, control, tags");
    assert_refused("aeron:udp?tags=,5", s, invalid, "needs one of endpoint, control, tags");
    assert_refused("aeron:udp?control-mode=other", s, invalid,
                   "needs one of endpoint, control, tags");
    assert_refused("aeron:udp?control-mode=dynamic", p, invalid, "needs a control address");
    assert_refused("aeron:udp?endpoint=127.0.0.1:1|control-mode=dynamic", p, invalid,
                   "needs a control address");
    assert_refused("aeron:udp?control=127.0.0.1:1", p, generic, "needs a control-mode");
    assert_refused("aeron:udp?endpoint=127.0.0.1:0", p, generic, "port other than 0");
    assert_refused("aeron:udp?endpoint=127.0.0.1:0|control=127.0.0.1:5|control-mode=response", p,
                   generic, "port other than 0");
    assert_refused("aeron:udp?endpoint=127.0.0.1:1|control=127.0.0.1:0", s, generic,
                   "port other than 0");
    assert_refused("aeron-spy:aeron:udp?endpoint=127.0.0.1:1", p, invalid, "spies are invalid");
    assert_refused("aeron-spy:aeron:ipc", s, invalid, "spies are invalid");
    assert_refused("aeron:udp?endpoint=127.0.0.1:1|tags=x", s, invalid, "channel tag");
    assert_refused("aeron:udp?endpoint=127.0.0.1", s, generic, "port invalid");
    assert_refused("aeron:udp?endpoint=127.0.0.1:99999", s, generic, "port out of range");
    assert_refused("aeron:udp?endpoint=224.10.9.8:1", s, generic,
                   "Multicast data address must be odd");
    assert_refused("aeron:udp?endpoint=224.10.9.9:1|interface=[::1]", s, generic,
                   "different families");
    assert_refused("aeron:udp?endpoint=127.0.0.1:1|ats=true", s, generic, "ATS is not enabled");
    assert_refused("aeron:udp?endpoint=127.0.0.1:1|ats=maybe", s, generic,
                   "could not parse ats=maybe");
    assert_refused("aeron:udp?endpoint=127.0.0.1:1|ttl=x", s, generic, "could not parse ttl=x");
    assert_refused("aeron:udp?endpoint=127.0.0.1:1|so-sndbuf=2g", s, generic, "so-sndbuf");
    assert_refused("aeron:udp?endpoint=127.0.0.1:1|so-rcvbuf=-1", s, generic,
                   "could not parse so-rcvbuf=-1");
    assert_refused("aeron:udp?endpoint=127.0.0.1:1|interface=10.7.0.0/16", s, generic,
                   "could not find matching interface='10.7.0.0/16'");
    assert_refused("aeron:udp?endpoint=127.0.0.1:1|interface={eth9}", s, generic,
                   "unknown interface eth9");
}

Test(channel, names_the_parameter_that_does_not_resolve)
{
    assert_refused("aeron:udp?endpoint=nobody:5", RJ_CHANNEL_SUBSCRIPTION, RJ_ERROR_UNKNOWN_HOST,
                   "Unresolved - endpoint=nobody:5");
    cr_assert_not_null(strstr(failure.text, "Unable to resolve host"));
    assert_refused("aeron:udp?endpoint=nobody:5|control=no_one:6", RJ_CHANNEL_SUBSCRIPTION,
                   RJ_ERROR_UNKNOWN_HOST, "Unresolved - control=no_one:6");
    assert_refused("aeron:udp?endpoint=localhost:5|interface=nobody", RJ_CHANNEL_SUBSCRIPTION,
                   RJ_ERROR_UNKNOWN_HOST, "Unresolved - interface=nobody");
    assert_refused("aeron:udp?endpoint=localhost", RJ_CHANNEL_SUBSCRIPTION, RJ_ERROR_GENERIC,
                   "endpoint=localhost");
}

Test(channel, allows_open_ports_where_somebody_fills_them_in)
{
    assert_resolves("aeron:udp?endpoint=127.0.0.1:0", RJ_CHANNEL_SUBSCRIPTION);
    assert_resolves("aeron:udp?control=127.0.0.1:0|control-mode=dynamic", RJ_CHANNEL_PUBLICATION);
    assert_resolves("aeron:udp?endpoint=127.0.0.1:0|control-mode=manual", RJ_CHANNEL_PUBLICATION);
    assert_resolves("aeron-spy:aeron:udp?control=127.0.0.1:0|control-mode=dynamic",
                    RJ_CHANNEL_SUBSCRIPTION);
}

Test(channel, holds_destinations_to_their_own_rules)
{
    const int invalid = RJ_ERROR_INVALID_CHANNEL;
    static const char *const keys[] = {"mtu", "rcv-wnd", "so-rcvbuf", "so-sndbuf",
                                       "response-correlation-id"};
    const rj_channel_role_t roles[] = {RJ_CHANNEL_SEND_DESTINATION, RJ_CHANNEL_RECEIVE_DESTINATION};
    for (size_t r = 0; r < 2; r++) {
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
            char text[100];
            snprintf(text, sizeof(text), "aeron:udp?endpoint=127.0.0.1:1|%s=64k", keys[i]);
            assert_refused(text, roles[r], invalid, keys[i]);
        }
        assert_refused("aeron:udp?endpoint=127.0.0.1:1|control-mode=response", roles[r], invalid,
                       "response");
        assert_resolves("aeron:udp?endpoint=127.0.0.1:1|control-mode=manual", roles[r]);
    }
    const rj_channel_role_t send = RJ_CHANNEL_SEND_DESTINATION;
    assert_refused("aeron-spy:aeron:udp?endpoint=127.0.0.1:1", send, invalid, "spies are invalid");
    assert_refused("aeron:ipc", send, RJ_ERROR_GENERIC, "must be udp");
    assert_refused("aeron:udp?control-mode=manual", send, RJ_ERROR_GENERIC,
                   "must have an endpoint");
    assert_refused("aeron:udp?endpoint=127.0.0.1:0", send, RJ_ERROR_GENERIC, "port other than 0");
    assert_resolves("aeron-spy:aeron:udp?endpoint=127.0.0.1:1|mtu=64",
                    RJ_CHANNEL_RECEIVE_DESTINATION);
    assert_resolves("aeron:ipc", RJ_CHANNEL_RECEIVE_DESTINATION);
}

Test(channel, reads_traits_of_the_transport)
{
    assert_resolves("aeron:udp?endpoint=127.0.0.1:1|ttl=300|so-sndbuf=2m|so-rcvbuf=64k|tags=9,8|"
                    "control-mode=manual",
                    RJ_CHANNEL_PUBLICATION);
    cr_assert_eq(channel.ttl, 255);
    cr_assert_eq(channel.sndbuf_bytes, 2 * 1024 * 1024);
    cr_assert_eq(channel.rcvbuf_bytes, 65536);
    cr_assert(channel.has_tag);
    cr_assert_eq(channel.tag, 9);
    cr_assert(rj_channel_is_mdc(&channel));
    cr_assert(rj_channel_is_group(&channel));
    cr_assert(!rj_channel_is_tag_only(&channel));

    assert_resolves("aeron:udp?tags=9", RJ_CHANNEL_PUBLICATION);
    cr_assert(rj_channel_is_tag_only(&channel));
    cr_assert(!rj_channel_is_group(&channel));
    assert_resolves("aeron:udp?control=127.0.0.1:5|control-mode=response", RJ_CHANNEL_PUBLICATION);
    cr_assert(!rj_channel_is_group(&channel));
    assert_resolves("aeron:udp?endpoint=224.0.1.1:5", RJ_CHANNEL_PUBLICATION);
    cr_assert(rj_channel_is_group(&channel));
}

Test(channel, places_timestamps_apart_and_inside_the_message)
{
    enum { NONE = RJ_TIMESTAMP_NONE, RESERVED = RJ_TIMESTAMP_RESERVED_VALUE };
    static const struct {
        const char *media;
        const char *software;
        bool is_valid;
        int32_t media_offset, software_offset;
    } rows[] = {
        {"0", "8", true, 0, 8},
        {"8", "0", true, 8, 0},
        {"0", "7", false, 0, 0},
        {"8", "8", false, 0, 0},
        {"reserved", "0", true, RESERVED, 0},
        {"reserved", "reserved", false, 0, 0},
        {"-8", "16", true, RESERVED, 16},
        {"-1", "16", false, 0, 0},
        {"-16", "16", false, 0, 0},
        {"x", "16", false, 0, 0},
        {"2147483647", "0", true, INT32_MAX, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[200];
        snprintf(text, sizeof(text),
                 "aeron:udp?endpoint=127.0.0.1:1|media-rcv-ts-offset=%s|channel-rcv-ts-offset=%s",
                 rows[i].media, rows[i].software);
        if (!rows[i].is_valid) {
            cr_assert_lt(resolve_as(text, RJ_CHANNEL_SUBSCRIPTION), 0, "%s", text);
            cr_assert_eq(failure.aeron_code, RJ_ERROR_GENERIC);
            continue;
        }
        assert_resolves(text, RJ_CHANNEL_SUBSCRIPTION);
        cr_assert_eq(channel.media_receive_timestamp_offset, rows[i].media_offset);
        cr_assert_eq(channel.channel_receive_timestamp_offset, rows[i].software_offset);
        cr_assert_eq(channel.channel_send_timestamp_offset, NONE);
    }
    assert_resolves("aeron:udp?endpoint=127.0.0.1:1|channel-snd-ts-offset=24",
                    RJ_CHANNEL_PUBLICATION);
    cr_assert_eq(channel.channel_send_timestamp_offset, 24);
}

Test(channel, asks_the_configured_resolver_for_addresses_and_the_system_for_interfaces)
{
    assert_resolves("aeron:udp?endpoint=localhost:5|interface=localhost", RJ_CHANNEL_SUBSCRIPTION);
    cr_assert_eq(configured.resolve_count, 1);
    cr_assert_eq(configured.family, AF_UNSPEC);
    cr_assert_eq(of_the_system.resolve_count, 1);
    cr_assert_eq(of_the_system.family, AF_INET);
    assert_resolves("aeron:udp?endpoint=127.0.0.1:5", RJ_CHANNEL_SUBSCRIPTION);
    cr_assert_eq(configured.resolve_count, 1, "a literal needs nobody");
}

Test(channel, leaves_ipc_as_it_is)
{
    assert_resolves("aeron:ipc?endpoint=nonsense|tags=3|control-mode=response|ats=true",
                    RJ_CHANNEL_SUBSCRIPTION);
    cr_assert_eq(channel.tag, 3);
    cr_assert_eq(channel.control_mode, RJ_CONTROL_MODE_RESPONSE);
    cr_assert(!channel.has_endpoint);
    cr_assert_str_eq(channel.canonical, "");
    cr_assert_eq(configured.resolve_count, 0);
}

Test(channel, bounds_the_text_of_an_address)
{
    char text[1000];
    snprintf(text, sizeof(text), "aeron:udp?endpoint=%0500d:1", 1);
    assert_refused(text, RJ_CHANNEL_SUBSCRIPTION, RJ_ERROR_GENERIC, "endpoint is longer than");
}
