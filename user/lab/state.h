/* SPDX-License-Identifier: Apache-2.0 */
/* state.h - what of a lab is there now, seen in its namespaces and nowhere else.
 *
 * Units      mtu in bytes.
 * Ownership  plain data, the caller's.
 * Thread     the main thread; it enters each namespace and comes back.
 * Errors     negative errno and one line.
 */
#ifndef RJ_LAB_STATE_H
#define RJ_LAB_STATE_H

#include "lab/lab.h"

#include <netinet/in.h>
#include <sys/types.h>

enum { RJ_LAB_ADDRESSES_MAX = 4 };

typedef struct rj_lab_host {
    bool is_ready; /* its loopback is up, the last step of `lab up` */
    int mtu_bytes; /* of eth0, or of the bridge on the wire; 0 when there is none yet */
    int queue_count;
    char ipv4[INET_ADDRSTRLEN]; /* empty when there is none */
    char ipv6[INET6_ADDRSTRLEN];
} rj_lab_host_t;

/* Which namespaces of the lab there are: bit 0 is the wire, bit i host i. Needs no privilege. */
int rj_lab_find(const char *lab, uint32_t *ret_hosts, rj_err_t *err);

/* Looks into one of them. */
int rj_lab_host_look(const char *lab, int host, rj_lab_host_t *ret_host, rj_err_t *err);

/* The shape of a lab that is whole; -ENOENT when there is none, -EINVAL when it is half made. */
int rj_lab_shape_look(const char *lab, rj_lab_shape_t *ret_shape, rj_err_t *err);

/* A process that is inside the namespace, or 0. */
pid_t rj_lab_process_find(const char *namespace);

#endif
