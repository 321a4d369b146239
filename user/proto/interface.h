/* SPDX-License-Identifier: Apache-2.0 */
/* interface.h - which local address a channel's `interface=` means (commands.md 13.3).
 *
 * The text is taken apart here and searched for in a plain array of records, one record for each
 * address of each interface in the order the system lists them. name/interfaces.h fills one from
 * the kernel; the simulation writes its own.
 *
 * Units      prefix lengths in bits.
 * Ownership  plain values; the array is the caller's.
 * Thread     any.
 * Errors     -EINVAL with Aeron's code 11 and a text; results are written only on success.
 */
#ifndef RJ_PROTO_INTERFACE_H
#define RJ_PROTO_INTERFACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/address.h"

enum {
    RJ_INTERFACE_NAME_MAX = 15,
};

typedef enum rj_interface_flags {
    RJ_INTERFACE_UP = 1,
    RJ_INTERFACE_LOOPBACK = 2,
    RJ_INTERFACE_MULTICAST = 4,
} rj_interface_flags_t;

typedef struct rj_interface {
    char name[RJ_INTERFACE_NAME_MAX + 1];
    uint32_t index;       /* of the kernel, > 0 */
    uint32_t flags;       /* of rj_interface_flags_t */
    rj_address_t address; /* port 0 */
    uint8_t prefix_bits;  /* of the interface's own netmask */
} rj_interface_t;

/* `interface=` taken apart: a name in braces, or a host with a prefix. */
typedef struct rj_interface_spec {
    bool is_named;   /* `host` is the name of an interface */
    bool is_literal; /* `address` holds the host; else it must be looked up first */
    uint16_t family; /* of a host: AF_INET6 in brackets, else AF_INET; 0 when named */
    uint16_t port;
    uint8_t prefix_bits; /* 32 or 128 when none was given */
    char host[RJ_ADDRESS_HOST_MAX + 1];
    rj_address_t address; /* port included */
} rj_interface_spec_t;

/* Takes apart `addr[:port][/prefix]`, `[v6][:port][/prefix]` or `{name}[:port]`. */
int rj_interface_spec_parse(rj_interface_spec_t *ret, const char *text, size_t length,
                            rj_err_t *err);

/* What a search found: the local address to bind, with the port of the text, and its interface. A
 * link-local IPv6 address comes with the index as its scope id. */
typedef struct rj_interface_match {
    rj_address_t address;
    uint32_t index; /* 0: no particular interface */
} rj_interface_match_t;

/* The first address of `family` on an interface of that name that is up. Else `unknown interface
 * <n>` or `no INET addresses found on interface <n>` (INET6 alike). */
int rj_interface_find_named(const rj_interface_t *interfaces, size_t count, const char *name,
                            uint16_t family, uint16_t port, rj_interface_match_t *ret,
                            rj_err_t *err);

/* Among the interfaces that are up and whose address agrees with `address` in `prefix_bits`: one
 * that can do multicast and has the longest netmask, the first of equals; a loopback only when no
 * such one matches, and nothing else ever. Else `could not find matching interface='<text>'`. */
int rj_interface_find(const rj_interface_t *interfaces, size_t count, const rj_address_t *address,
                      unsigned prefix_bits, const char *text, rj_interface_match_t *ret,
                      rj_err_t *err);

#endif
