/* SPDX-License-Identifier: Apache-2.0 */
/* lab.h - hosts made of network namespaces, joined by a wire that is one too (docs/operating.md).
 *
 *     NAME-h1 [eth0] ---- [h1]          [h2] ---- [eth0] NAME-h2
 *                           \ NAME-wire /
 *                            [bridge wire]
 *
 * Host i has 10.0.0.i/24 and fd00::i/64 on eth0 and the MAC address 02:72:6a:00:00:ii. The wire has
 * no address and says nothing by itself. `--direct` leaves the wire out: two hosts, one veth pair.
 * The namespaces are where `ip netns` looks for them; nothing else of a lab is stored anywhere.
 *
 * Units      hosts are numbered from 1.
 * Ownership  a lab belongs to nobody: any root process may take it down.
 * Thread     the main thread; entering a namespace changes the whole thread.
 * Errors     negative errno and one line, without the command's name in front.
 */
#ifndef RJ_LAB_LAB_H
#define RJ_LAB_LAB_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RJ_LAB_NAME_MAX = 31, /* bytes, the prefix "rj-" included */
    RJ_LAB_HOSTS_MAX = 16,
    RJ_LAB_QUEUES_MAX = 64,
    RJ_LAB_MTU_MIN = 1280, /* below, IPv6 goes away */
    RJ_LAB_MTU_MAX = 65535,
    RJ_LAB_NAMESPACE_MAX = RJ_LAB_NAME_MAX + 8,
    RJ_LAB_WIRE = 0, /* in place of a host's number */
};

typedef enum rj_lab_topology { RJ_LAB_BRIDGED, RJ_LAB_DIRECT } rj_lab_topology_t;

typedef struct rj_lab_shape {
    char name[RJ_LAB_NAME_MAX + 1];
    rj_lab_topology_t topology;
    int host_count;
    int mtu_bytes;
    int queue_count;
} rj_lab_shape_t;

/* Takes a name as typed. "rj-" is put in front where it is missing, so that a lab never touches a
 * namespace that is not one of ours. */
int rj_lab_name_parse(const char *text, char ret_name[static RJ_LAB_NAME_MAX + 1], rj_err_t *err);

/* "h1" to "h16" or "wire"; RJ_LAB_WIRE for the wire. */
int rj_lab_host_parse(const char *text, int *ret_host, rj_err_t *err);

/* The namespace of a host or of the wire. */
void rj_lab_namespace(const char *lab, int host, char ret_namespace[static RJ_LAB_NAMESPACE_MAX]);

#endif
