/* SPDX-License-Identifier: Apache-2.0 */
/* program.h - loads the steering program and puts it on an interface, in the best mode there is.
 *
 *   auto        veth: generic. Others: native, and generic where the driver refuses
 *   native, zero-copy, generic: that one or none. Whether frames are copied is decided later,
 *               where a socket binds to a queue.
 *
 * Units      none.
 * Ownership  after attach `steer` holds the link and the maps.
 * Thread     the thread that is in the interface's network namespace.
 * Errors     as in steer.h.
 */
#ifndef RJ_XDP_PROGRAM_H
#define RJ_XDP_PROGRAM_H

#include "xdp/device.h"
#include "xdp/steer.h"

struct bpf_object;

/* Fills in `maps` from a loaded object, with a configuration of this version, and ties them to the
 * program by which others find them. */
int rj_program_own_maps(rj_kernel_maps_t *maps, const struct bpf_object *object, int program_fd,
                        rj_err_t *err);

/* 0 when it cannot be asked. */
uint32_t rj_program_id(int program_fd);

/* Tells in one line why a program was not loaded, and what to do. */
int rj_program_refused_load(rj_err_t *err, int code);

/* The modes that are tried, in order; returns how many, 1 or 2. */
int rj_program_modes(const rj_device_t *device, enum rj_xdp_mode wanted,
                     enum rj_xdp_mode ret_modes[static 2]);

/* Whether, after this error of one mode, the next may do better. */
bool rj_program_may_try_next(int code);

/* Tells in one line why the interface does not take a program in that mode, and what to do. */
int rj_program_refused(const rj_device_t *device, enum rj_xdp_mode mode, int code, rj_err_t *err);

/* Fills in everything but the holder. Leaves nothing when it fails. */
int rj_program_attach(rj_steer_t *steer, const rj_device_t *device, enum rj_xdp_mode wanted,
                      rj_err_t *err);

/* The same through libxdp's dispatcher; link_fd is the program's then, which holds nothing on the
 * interface. */
int rj_program_attach_to_dispatcher(rj_steer_t *steer, const rj_device_t *device,
                                    enum rj_xdp_mode wanted, rj_err_t *err);

/* Why that mode, in words; empty where nothing is to be said. `native_errno`: how native mode was
 * refused, or 0. */
void rj_program_why(const rj_device_t *device, enum rj_xdp_mode wanted, enum rj_xdp_mode mode,
                    int native_errno, char ret_why[static RJ_STEER_WHY_MAX]);

/* Sets wanted_mode and `why` from what rj_config says and `mode`. */
void rj_program_explain(rj_steer_t *steer, const rj_device_t *device);

#endif
