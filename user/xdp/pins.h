/* SPDX-License-Identifier: Apache-2.0 */
/* pins.h - where `ramjet attach` leaves its link and maps, so that they outlive it.
 *
 *   <bpffs>/ramjet/<instance>/<interface>/link          the commit: pinned last, removed first
 *                                        /program       in its place under libxdp's dispatcher
 *                                        /rj_channels   and so on, each map by its name
 *
 * A folder without link and program is what a killed attach or detach has left.
 *
 * Units      none.
 * Ownership  the caller's value, which holds a path; the lock holds a descriptor.
 * Thread     any.
 * Errors     negative errno and one line. -ENOTTY no bpffs where one should be.
 */
#ifndef RJ_XDP_PINS_H
#define RJ_XDP_PINS_H

#include "base/err.h"
#include "xdp/attached.h"
#include "xdp/kernel_maps.h"

#include <net/if.h>

#define RJ_PINS_LINK    "link"
#define RJ_PINS_PROGRAM "program"

enum { RJ_PINS_INSTANCE_MAX = 64, RJ_PINS_PATH_MAX = 256 };

typedef struct rj_pins {
    char root[RJ_PINS_PATH_MAX];     /* <bpffs>/ramjet */
    char instance[RJ_PINS_PATH_MAX]; /* its folder */
    char folder[RJ_PINS_PATH_MAX];   /* the interface's */
} rj_pins_t;

/* What the link says, or the program in its place. */
typedef struct rj_pinned {
    uint32_t program_id;
    uint32_t interface_index; /* 0: the link is defunct, or there is none */
    bool is_dispatched;       /* no link: libxdp's dispatcher calls the program */
} rj_pinned_t;

/* `instance` NULL or "" means the inode number of the thread's network namespace. Only makes the
 * paths. */
int rj_pins_init(rj_pins_t *pins, const char *instance, const char *interface, rj_err_t *err);

/* -ENOTTY and what to do when no bpffs is mounted there. */
int rj_pins_check(const rj_pins_t *pins, rj_err_t *err);

/* True when the bpffs belongs to this mount namespace alone, as one mounted under `ip netns exec`
 * does: pins there go with the namespace's last process. */
bool rj_pins_is_private(const rj_pins_t *pins);

/* Whether root or we alone made the folders, as far as they are there: what another user made may
 * lead anywhere. */
int rj_pins_trust(const rj_pins_t *pins, rj_err_t *err);

/* Makes the root and keeps others from writing there until it is unlocked, or the process has
 * ended. -EAGAIN when another has not let go for ten seconds. What is locked is trusted. */
int rj_pins_lock(const rj_pins_t *pins, int *ret_fd, rj_err_t *err);

/* Removes the folders above the interface's that are empty, and lets others in. */
void rj_pins_unlock(const rj_pins_t *pins, int fd);

/* Whether anything is there at all. */
bool rj_pins_exist(const rj_pins_t *pins);

/* A descriptor of the pinned object, or -ENOENT. */
int rj_pins_get(const rj_pins_t *pins, const char *name);

/* -ENOENT when neither link nor program is there, whatever else is. */
int rj_pins_look(const rj_pins_t *pins, rj_pinned_t *ret_pinned);

/* Under which name of the same instance a program is pinned: that of an interface before it got
 * another. False when it is not pinned there. */
bool rj_pins_find(const rj_pins_t *pins, uint32_t program_id, char ret_name[static IF_NAMESIZE]);

/* Whether what is pinned is what the interface carries. */
bool rj_pinned_is_on(const rj_pinned_t *pinned, uint32_t interface_index,
                     const rj_attached_t *attached);

/* Opens the pinned maps; they are checked as rj_kernel_maps_open says. */
int rj_pins_open_maps(const rj_pins_t *pins, rj_kernel_maps_t *maps, rj_err_t *err);

/* Pins the maps, then `fd` as `name`. Leaves nothing when it fails. */
int rj_pins_put(const rj_pins_t *pins, const rj_kernel_maps_t *maps, const char *name, int fd,
                rj_err_t *err);

/* Removes the interface's folder and all that is in it, link first. */
int rj_pins_remove(const rj_pins_t *pins, rj_err_t *err);

/* Removes the instance's folders without link or program, and those whose link is defunct because
 * the interface has gone. The lock is held. Writes the interfaces' names, "" for none, into `text`
 * and returns how many there were. */
int rj_pins_sweep(const rj_pins_t *pins, char *text, size_t size);

#endif
