/* SPDX-License-Identifier: Apache-2.0 */
/* address.h - an IPv4 or IPv6 address with a port: compared, hashed, parsed, printed.
 *
 * Units      `port` and `scope_id` are in host order, `bytes` in network order.
 * Ownership  a plain value; copy it freely.
 * Thread     any.
 * Errors     parsers take text from outside, never read beyond `length`, and answer -EINVAL with
 *            Aeron's code 11 and a text; what they return is written only on success.
 */
#ifndef RJ_PROTO_ADDRESS_H
#define RJ_PROTO_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"

enum {
    RJ_ADDRESS_HOST_MAX = 383,  /* bytes of a host in `host:port` */
    RJ_ADDRESS_TEXT_BYTES = 56, /* a printed address with its terminator */
};

/* `family` is AF_INET (the first 4 bytes count, the others are 0), AF_INET6, or AF_UNSPEC: no
 * address, as an unresolved destination has. All bytes are significant, so that equal values are
 * equal bytes. */
typedef struct rj_address {
    uint8_t bytes[16];
    uint32_t scope_id; /* IPv6: the interface of a link-local address; else 0 */
    uint16_t port;
    uint16_t family;
} rj_address_t;

_Static_assert(sizeof(rj_address_t) == 24, "an address has no padding");

/* The same family, bytes, scope and port. Two unspecified addresses are equal. */
static inline bool rj_address_equal(const rj_address_t *a, const rj_address_t *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

/* Equal but for the port: the same host by number. */
bool rj_address_same_host(const rj_address_t *a, const rj_address_t *b);

/* A well mixed hash of everything that rj_address_equal compares; the same on every machine. */
uint64_t rj_address_hash(const rj_address_t *address);

/* From four bytes in network order. */
rj_address_t rj_address_ipv4(const uint8_t bytes[static 4], uint16_t port);

/* From sixteen bytes in network order. An IPv4-mapped address stays IPv6. */
rj_address_t rj_address_ipv6(const uint8_t bytes[static 16], uint16_t port, uint32_t scope_id);

/* The wildcard address of a family (AF_INET or AF_INET6), port 0. */
rj_address_t rj_address_wildcard(uint16_t family);

/* False, and nothing written, when the socket address is of another family or shorter than its
 * family needs. */
bool rj_address_from_sockaddr(rj_address_t *ret, const struct sockaddr *sockaddr, socklen_t length);

/* Fills `ret` for bind, connect or send; returns how many bytes of it count, 0 for AF_UNSPEC. */
socklen_t rj_address_to_sockaddr(const rj_address_t *address, struct sockaddr_storage *ret);

/* All address bytes are 0, whatever the port; false for AF_UNSPEC. */
bool rj_address_is_wildcard(const rj_address_t *address);

/* IPv4 224.0.0.0/4 or IPv6 ff00::/8. */
bool rj_address_is_multicast(const rj_address_t *address);

/* IPv6 fe80::/10 or ffx2::/16: an address that means nothing without a scope id. */
bool rj_address_is_link_local(const rj_address_t *address);

/* The control group that belongs to a data group (wire.md 7.1): last byte plus one without carry,
 * the same port. -EINVAL, `Multicast data address must be odd`, when the last byte is even. */
int rj_address_multicast_control(const rj_address_t *data, rj_address_t *ret, rj_err_t *err);

/* True when the first `prefix_bits` bits of two addresses of one family are equal. */
bool rj_address_matches_prefix(const rj_address_t *a, const rj_address_t *b, unsigned prefix_bits);

/* Reads `a.b.c.d` (AF_INET) or an IPv6 literal without brackets (AF_INET6); a `%scope` is dropped.
 * False when it is neither of that family. The port of the result is 0. */
bool rj_address_parse_literal(rj_address_t *ret, uint16_t family, const char *text, size_t length);

/* Prints `a.b.c.d:port` or `[v6]:port` as inet_ntop does, without scope; `unspecified` for
 * AF_UNSPEC. Returns the length without terminator. */
size_t rj_address_print(const rj_address_t *address, char ret[static RJ_ADDRESS_TEXT_BYTES]);

/* The same without port and brackets. */
size_t rj_address_print_host(const rj_address_t *address, char ret[static RJ_ADDRESS_TEXT_BYTES]);

/* Decimal digits, 0..65535: else `port invalid` or `port out of range`. */
int rj_port_parse(uint16_t *ret, const char *text, size_t length, rj_err_t *err);

/* The host at the front of a text and where it ends. */
typedef struct rj_host {
    char name[RJ_ADDRESS_HOST_MAX + 1]; /* without brackets and scope, terminated, never empty */
    bool is_bracketed;
    size_t rest_index; /* what follows the host, or its bracket, in the text */
} rj_host_t;

/* Cuts the host off: up to the closing bracket, else up to the first `:` or the end. */
int rj_host_split(rj_host_t *ret, const char *text, size_t length, rj_err_t *err);

/* `host:port` taken apart but not resolved. */
typedef struct rj_host_port {
    rj_host_t host;
    uint16_t port;
    bool is_literal;      /* `address` holds it, port included; there is nothing to resolve */
    rj_address_t address; /* valid only when is_literal */
} rj_host_port_t;

/* Takes apart `host:port`, `[v6]:port` or `[v6%scope]:port`; the scope is dropped. The port is
 * mandatory; a bare IPv6 literal is refused, for it needs brackets. */
int rj_host_port_parse(rj_host_port_t *ret, const char *text, size_t length, rj_err_t *err);

#endif
