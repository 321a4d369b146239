/* SPDX-License-Identifier: Apache-2.0 */
/* attach.h - puts the steering program on an interface for good, and takes it off: the two acts of
 * `ramjet attach` and `ramjet detach`.
 *
 * Both may be repeated, and one that was killed half way is mended by the next: the link is pinned
 * last and removed first, and what has no link is swept.
 *
 * Units      none.
 * Ownership  the kernel and the pins hold everything; the report is a plain value.
 * Thread     the thread that is in the interface's network namespace. Of several processes one at a
 *            time works on pins: the others wait.
 * Errors     as in steer.h, and -EEXIST when it is attached in another way than asked for. The text
 *            begins with the interface's name.
 */
#ifndef RJ_XDP_ATTACH_H
#define RJ_XDP_ATTACH_H

#include "base/err.h"
#include "xdp/device.h"
#include "xdp/pins.h"
#include "xdp/steer.h"

enum { RJ_ATTACH_NOTES_MAX = 8, RJ_ATTACH_NOTE_MAX = 256 };

typedef enum rj_attach_run { RJ_ATTACH_FOR_REAL, RJ_ATTACH_DRY } rj_attach_run_t;
typedef enum rj_attach_way { RJ_ATTACH_BY_LINK, RJ_ATTACH_BY_DISPATCHER } rj_attach_way_t;

typedef struct rj_attach_options {
    const char *interface;
    const char *instance; /* NULL or "": the inode number of the network namespace */
    enum rj_xdp_mode mode;
    rj_attach_way_t way;
    rj_attach_run_t run;
} rj_attach_options_t;

typedef enum rj_attach_outcome {
    RJ_ATTACH_DONE,    /* now; in a dry run: would be done */
    RJ_ATTACH_ALREADY, /* it was so already */
} rj_attach_outcome_t;

typedef struct rj_attach_report {
    rj_attach_outcome_t outcome;
    rj_device_t device; /* its index is 0 when the interface has gone */
    rj_pins_t pins;
    uint32_t program_id;   /* 0 in a dry run, and after a detach */
    enum rj_xdp_mode mode; /* in force; in a dry run the first that would be tried */
    char why[RJ_STEER_WHY_MAX];
    size_t note_count; /* what else a person should know */
    char notes[RJ_ATTACH_NOTES_MAX][RJ_ATTACH_NOTE_MAX];
} rj_attach_report_t;

int rj_attach(const rj_attach_options_t *options, int64_t now_ns, rj_attach_report_t *ret_report,
              rj_err_t *err);

/* Mode and way are not looked at. A driver that holds the program, or uses it, goes on over its
 * sockets; another's program is left alone. */
int rj_detach(const rj_attach_options_t *options, rj_attach_report_t *ret_report, rj_err_t *err);

#endif
