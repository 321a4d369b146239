/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#include <ramjet/command.h>

#include "proto/value.h"

/* How many of the bytes count. */
static size_t address_length(uint16_t family)
{
    return family == AF_INET ? 4 : family == AF_INET6 ? 16 : 0;
}

bool rj_address_same_host(const rj_address_t *a, const rj_address_t *b)
{
    return a->family == b->family && a->scope_id == b->scope_id &&
           memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* Multiply and fold, so that neighbouring addresses and ports spread over all bits. */
static uint64_t mix(uint64_t value)
{
    value ^= value >> 32;
    value *= UINT64_C(0xd6e8feb86659fd93);
    value ^= value >> 32;
    value *= UINT64_C(0xd6e8feb86659fd93);
    return value ^ (value >> 32);
}

uint64_t rj_address_hash(const rj_address_t *address)
{
    uint64_t words[3];
    _Static_assert(sizeof(words) == sizeof(*address), "all of the address is hashed");
    memcpy(words, address, sizeof(words));
    return mix(words[0] ^ mix(words[1] ^ mix(words[2])));
}

rj_address_t rj_address_ipv4(const uint8_t bytes[static 4], uint16_t port)
{
    rj_address_t address = {.port = port, .family = AF_INET};
    memcpy(address.bytes, bytes, 4);
    return address;
}

rj_address_t rj_address_ipv6(const uint8_t bytes[static 16], uint16_t port, uint32_t scope_id)
{
    rj_address_t address = {.port = port, .family = AF_INET6, .scope_id = scope_id};
    memcpy(address.bytes, bytes, 16);
    return address;
}

rj_address_t rj_address_wildcard(uint16_t family)
{
    return (rj_address_t){.family = family};
}

bool rj_address_from_sockaddr(rj_address_t *ret, const struct sockaddr *sockaddr, socklen_t length)
{
    if (length >= sizeof(struct sockaddr_in) && sockaddr->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, sockaddr, sizeof(in));
        uint8_t bytes[4];
        memcpy(bytes, &in.sin_addr, sizeof(bytes));
        *ret = rj_address_ipv4(bytes, ntohs(in.sin_port));
        return true;
    }
    if (length >= sizeof(struct sockaddr_in6) && sockaddr->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, sockaddr, sizeof(in6));
        *ret = rj_address_ipv6(in6.sin6_addr.s6_addr, ntohs(in6.sin6_port), in6.sin6_scope_id);
        return true;
    }
    return false;
}

socklen_t rj_address_to_sockaddr(const rj_address_t *address, struct sockaddr_storage *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (address->family == AF_INET) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(address->port)};
        memcpy(&in.sin_addr, address->bytes, sizeof(in.sin_addr));
        memcpy(ret, &in, sizeof(in));
        return sizeof(in);
    }
    if (address->family == AF_INET6) {
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
                                   .sin6_port = htons(address->port),
                                   .sin6_scope_id = address->scope_id};
        memcpy(&in6.sin6_addr, address->bytes, sizeof(in6.sin6_addr));
        memcpy(ret, &in6, sizeof(in6));
        return sizeof(in6);
    }
    return 0;
}

bool rj_address_is_wildcard(const rj_address_t *address)
{
    static const uint8_t zeros[16];
    return address->family != AF_UNSPEC && memcmp(address->bytes, zeros, sizeof(zeros)) == 0;
}

bool rj_address_is_multicast(const rj_address_t *address)
{
    if (address->family == AF_INET)
        return (address->bytes[0] & 0xf0) == 0xe0;
    return address->family == AF_INET6 && address->bytes[0] == 0xff;
}

bool rj_address_is_link_local(const rj_address_t *address)
{
    if (address->family != AF_INET6)
        return false;
    const bool is_unicast = address->bytes[0] == 0xfe && (address->bytes[1] & 0xc0) == 0x80;
    return is_unicast || (address->bytes[0] == 0xff && (address->bytes[1] & 0x0f) == 0x02);
}

int rj_address_multicast_control(const rj_address_t *data, rj_address_t *ret, rj_err_t *err)
{
    const size_t last = address_length(data->family) - 1;
    if ((data->bytes[last] & 1) == 0) {
        char text[RJ_ADDRESS_TEXT_BYTES];
        rj_address_print(data, text);
        return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC,
                             "Multicast data address must be odd: %s", text);
    }
    rj_address_t control = *data;
    control.bytes[last] = (uint8_t)(control.bytes[last] + 1);
    *ret = control;
    return 0;
}

bool rj_address_matches_prefix(const rj_address_t *a, const rj_address_t *b, unsigned prefix_bits)
{
    if (a->family != b->family || prefix_bits > address_length(a->family) * 8)
        return false;
    const unsigned whole = prefix_bits / 8;
    const unsigned rest = prefix_bits % 8;
    if (memcmp(a->bytes, b->bytes, whole) != 0)
        return false;
    return rest == 0 || ((a->bytes[whole] ^ b->bytes[whole]) >> (8 - rest)) == 0;
}

bool rj_address_parse_literal(rj_address_t *ret, uint16_t family, const char *text, size_t length)
{
    char literal[INET6_ADDRSTRLEN];
    const char *scope = family == AF_INET6 ? memchr(text, '%', length) : NULL;
    if (scope != NULL)
        length = (size_t)(scope - text);
    if (length >= sizeof(literal))
        return false;
    memcpy(literal, text, length);
    literal[length] = '\0';
    if (strlen(literal) != length)
        return false;

    uint8_t bytes[16] = {0};
    if (inet_pton(family, literal, bytes) != 1)
        return false;
    *ret = (rj_address_t){.family = family};
    memcpy(ret->bytes, bytes, sizeof(bytes));
    return true;
}

size_t rj_address_print_host(const rj_address_t *address, char ret[static RJ_ADDRESS_TEXT_BYTES])
{
    if (address_length(address->family) == 0 ||
        inet_ntop(address->family, address->bytes, ret, RJ_ADDRESS_TEXT_BYTES) == NULL)
        snprintf(ret, RJ_ADDRESS_TEXT_BYTES, "unspecified");
    return strlen(ret);
}

size_t rj_address_print(const rj_address_t *address, char ret[static RJ_ADDRESS_TEXT_BYTES])
{
    char host[RJ_ADDRESS_TEXT_BYTES];
    rj_address_print_host(address, host);
    int length;
    if (address->family == AF_INET6)
        length = snprintf(ret, RJ_ADDRESS_TEXT_BYTES, "[%.45s]:%u", host, address->port);
    else if (address->family == AF_INET)
        length = snprintf(ret, RJ_ADDRESS_TEXT_BYTES, "%.45s:%u", host, address->port);
    else
        length = snprintf(ret, RJ_ADDRESS_TEXT_BYTES, "unspecified");
    return (size_t)length;
}

int rj_port_parse(uint16_t *ret, const char *text, size_t length, rj_err_t *err)
{
    int64_t port;
    if (length == 0 || text[0] == '+' || !rj_value_decimal(text, length, &port))
        return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC, "port invalid: %.*s", (int)length,
                             text);
    if (port < 0 || port > UINT16_MAX)
        return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC, "port out of range: %.*s", (int)length,
                             text);
    *ret = (uint16_t)port;
    return 0;
}

int rj_host_split(rj_host_t *ret, const char *text, size_t length, rj_err_t *err)
{
    rj_host_t split = {.is_bracketed = length > 0 && text[0] == '['};
    const char *host = text + (split.is_bracketed ? 1 : 0);
    const char *end = memchr(text, split.is_bracketed ? ']' : ':', length);

    if (end == NULL && split.is_bracketed)
        return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC,
                             "address invalid, no closing bracket: %.*s", (int)length, text);
    if (end == NULL)
        end = text + length;
    split.rest_index = (size_t)(end - text) + (split.is_bracketed ? 1 : 0);

    size_t host_length = (size_t)(end - host);
    const char *scope = split.is_bracketed ? memchr(host, '%', host_length) : NULL;
    if (scope != NULL)
        host_length = (size_t)(scope - host);
    if (host_length == 0 || host_length > RJ_ADDRESS_HOST_MAX ||
        memchr(host, '\0', host_length) != NULL)
        return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC,
                             "address invalid, a host has 1 to %d bytes: %.*s", RJ_ADDRESS_HOST_MAX,
                             (int)length, text);
    memcpy(split.name, host, host_length);
    split.name[host_length] = '\0';
    *ret = split;
    return 0;
}

int rj_host_port_parse(rj_host_port_t *ret, const char *text, size_t length, rj_err_t *err)
{
    rj_host_port_t parsed = {.is_literal = false};
    int result = rj_host_split(&parsed.host, text, length, err);
    if (result < 0)
        return result;

    const char *rest = text + parsed.host.rest_index;
    const size_t rest_length = length - parsed.host.rest_index;
    if (rest_length < 2 || rest[0] != ':')
        return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC, "port invalid: %.*s", (int)length,
                             text);
    if (memchr(rest + 1, ':', rest_length - 1) != NULL)
        return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC,
                             "port invalid, an IPv6 address needs brackets: %.*s", (int)length,
                             text);
    result = rj_port_parse(&parsed.port, rest + 1, rest_length - 1, err);
    if (result < 0)
        return result;

    const uint16_t family = parsed.host.is_bracketed ? AF_INET6 : AF_INET;
    parsed.is_literal = rj_address_parse_literal(&parsed.address, family, parsed.host.name,
                                                 strlen(parsed.host.name));
    if (parsed.is_literal)
        parsed.address.port = parsed.port;
    *ret = parsed;
    return 0;
}
