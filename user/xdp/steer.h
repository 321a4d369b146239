/* SPDX-License-Identifier: Apache-2.0 */
/* steer.h - the steering program on an interface: put there, found there, taken off.
 *
 *   `ramjet attach`  loads it, pins link and maps, ends: rj_steer_attach
 *   a driver         uses what is on the interface, or holds a link of its own: rj_steer_open
 *
 * Pins are in <bpffs>/ramjet/<instance>/<interface>/ (xdp/pins.h). Who pins nothing leaves nothing:
 * the kernel takes the program off when the last descriptor of its link is closed.
 *
 * Units      none.
 * Ownership  the caller owns the struct, which owns descriptors.
 * Thread     the thread that is in the interface's network namespace; one caller at a time.
 * Errors     negative errno and one line that names the next step. -ENODEV no such interface,
 *            -EPERM a capability is missing (named), -EBUSY somebody else's program is there,
 *            -ENOENT nothing is there and attaching was not asked for, -EOPNOTSUPP and -ERANGE
 *            the interface does not do this mode, or not with its MTU.
 */
#ifndef RJ_XDP_STEER_H
#define RJ_XDP_STEER_H

#include "base/err.h"
#include "xdp/kernel_maps.h"
#include "xdp/mode.h"

#include <net/if.h>

typedef enum rj_steer_attach_if {
    RJ_STEER_USE_ONLY,       /* -ENOENT where nothing of ours is attached */
    RJ_STEER_ATTACH_IF_NONE, /* attaches, holding the link and pinning nothing */
    RJ_STEER_LOOK,           /* as USE_ONLY; where XDP is free, a program at the ingress will do */
} rj_steer_attach_if_t;

typedef enum rj_steer_holder {
    RJ_STEER_PINNED, /* by `ramjet attach` */
    RJ_STEER_OURS,   /* this process holds the link */
    RJ_STEER_OTHERS, /* another process holds it */
} rj_steer_holder_t;

enum { RJ_STEER_WHY_MAX = 160 };

typedef struct rj_steer_options {
    const char *interface;
    const char *instance; /* NULL: the inode number of the network namespace */
    enum rj_xdp_mode mode;
    rj_steer_attach_if_t attach_if;
} rj_steer_options_t;

typedef struct rj_steer {
    rj_kernel_maps_t maps; /* give &maps.maps to who wants a rj_steer_maps_t */
    char interface[IF_NAMESIZE];
    enum rj_xdp_mode mode;        /* in force: NATIVE, GENERIC or PACKET */
    enum rj_xdp_mode wanted_mode; /* asked for by whoever attached it */
    rj_steer_holder_t holder;
    char why[RJ_STEER_WHY_MAX]; /* why that mode; empty when it is the one asked for */
    int link_fd;                /* -1 unless OURS, and while it is aside */
    int program_fd;             /* -1 unless OURS: what steps back */
    int swept_owners;           /* dead ones, when it was opened */
} rj_steer_t;

/* The closed value. */
void rj_steer_init(rj_steer_t *steer);

/* Finds the program of this interface, by pin or by what the interface carries, or attaches it.
 * Dead owners are swept. `mode` is for attaching; what is there already keeps its own. */
int rj_steer_open(rj_steer_t *steer, const rj_steer_options_t *options, int64_t now_ns,
                  rj_err_t *err);

/* The AF_XDP socket `fd` gets the frames of this queue; it leaves the map when it is closed. */
int rj_steer_put_xsk(rj_steer_t *steer, uint32_t queue, int fd);

/* Takes a program that is OURS off its interface for a while: sockets, maps and what they count
 * stay as they are. -EBUSY while somebody else needs it: another driver, or an operator's entry.
 * Both may wait for the kernel's lock on interfaces, and may come from another thread than the
 * other calls while none of those is made. */
int rj_steer_step_aside(rj_steer_t *steer, rj_err_t *err);

/* Puts it back, in the mode that it had. -EBUSY: somebody else's is there now. */
int rj_steer_step_back(rj_steer_t *steer, rj_err_t *err);

/* Takes the program off when it is OURS. Safe on closed and half open values. */
void rj_steer_close(rj_steer_t *steer);

#endif
