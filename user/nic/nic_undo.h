/* SPDX-License-Identifier: Apache-2.0 */
/* nic_undo.h - what a driver has changed of a card, noted where it outlives the driver.
 *
 *      /run/ramjet/nic/<network namespace>-<interface>-<any>     locked while its driver lives
 *
 * Every line is one change, in the words of whoever made it. A driver that ends undoes its own; one
 * that was killed leaves its file, without the lock, to the next driver of that interface. What
 * cannot be noted is not changed.
 *
 * Units      bytes.
 * Ownership  the caller owns the struct; close removes the file.
 * Thread     one caller at a time.
 * Errors     negative errno with a text that says what stays undone.
 */
#ifndef RJ_NIC_NIC_UNDO_H
#define RJ_NIC_NIC_UNDO_H

#include "base/err.h"

#define RJ_NIC_UNDO_FOLDER "/run/ramjet/nic"

enum { RJ_NIC_UNDO_PATH_MAX = 192, RJ_NIC_UNDO_LINE_MAX = 8192 };

typedef struct rj_nic_undo {
    char path[RJ_NIC_UNDO_PATH_MAX];
    int fd; /* -1 when closed */
} rj_nic_undo_t;

/* Who undoes one line of a dead driver's; `state` is the caller's. */
typedef void (*rj_nic_undo_line_t)(void *state, const char *line);

/* Hands every line of dead drivers' files to `on_line`, the latest first, and removes the files. */
void rj_nic_undo_sweep(const char *folder, const char *interface, rj_nic_undo_line_t on_line,
                       void *state);

/* Makes our own file; `folder` is made where it is missing. */
int rj_nic_undo_open(rj_nic_undo_t *undo, const char *folder, const char *interface, rj_err_t *err);

/* Notes a change before it is made. */
int rj_nic_undo_note(rj_nic_undo_t *undo, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Everything is undone. Safe on a closed one. */
void rj_nic_undo_close(rj_nic_undo_t *undo);

#endif
