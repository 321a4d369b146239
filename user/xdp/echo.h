/* SPDX-License-Identifier: Apache-2.0 */
/* echo.h - puts the echo program (bpf/echo.bpf.c) on an interface, reads its counts, takes it off.
 *
 * It is held by a bpf_link of this process and pinned nowhere: it goes with the process, however
 * that ends.
 *
 * Units      packets; bytes of whole frames.
 * Ownership  the caller owns the struct, which owns the program.
 * Thread     one, which is in the interface's network namespace.
 * Errors     negative errno and one line that names the next step: -ENODEV no such interface,
 *            -EBUSY another program is there, -EPERM a capability is missing, -EOPNOTSUPP and
 *            -ERANGE the interface does not do this mode, or not with its MTU.
 */
#ifndef RJ_XDP_ECHO_H
#define RJ_XDP_ECHO_H

#include "base/err.h"

#include <net/if.h>
#include <ramjet/echo_abi.h>
#include <ramjet/xdp_abi.h>
#include <stdbool.h>
#include <stdint.h>

enum { RJ_ECHO_WHY_MAX = 160 };

typedef enum rj_echo_role {
    RJ_ECHO_ANSWERS,
    RJ_ECHO_PASSES, /* does nothing: the other end of a veth pair needs a program to receive */
} rj_echo_role_t;

typedef struct rj_echo_options {
    const char *interface;
    rj_echo_role_t role;
    enum rj_xdp_mode mode; /* AUTO: generic on veth; else native, and generic where that fails */
    uint16_t port;
} rj_echo_options_t;

struct echo;

typedef struct rj_echo {
    struct echo *skeleton;
    int link_fd;
    uint32_t interface_index;
    char interface[IF_NAMESIZE];
    uint16_t port;
    rj_echo_role_t role;
    enum rj_xdp_mode mode;     /* in force */
    char why[RJ_ECHO_WHY_MAX]; /* why that one; empty when it was asked for */
    uint32_t address_count;    /* of this host, that are answered for */
} rj_echo_t;

typedef struct rj_echo_counts {
    uint64_t packets[RJ_ECHO_REASON_COUNT];
    uint64_t bytes[RJ_ECHO_REASON_COUNT];
} rj_echo_counts_t;

int rj_echo_open(rj_echo_t *echo, const rj_echo_options_t *options, rj_err_t *err);

/* Tells the program today's addresses of the host and MAC address of the interface, which may
 * change: to be called once a second. -ENODEV when the interface is gone, and the program with it.
 */
int rj_echo_refresh(rj_echo_t *echo, rj_err_t *err);

int rj_echo_read(const rj_echo_t *echo, rj_echo_counts_t *ret_counts, rj_err_t *err);

/* Takes the program off. Safe on closed and half open values. */
void rj_echo_close(rj_echo_t *echo);

#endif
