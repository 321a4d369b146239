/* SPDX-License-Identifier: Apache-2.0 */
/* plan.h - the steps that make a lab, or take one down, as a list that can be shown before it runs.
 *
 * A step is one ip(8) command, one sysctl or one ethtool setting. All can be typed by hand just as
 * they are printed, which is what `--dry-run` is for. The loopback of a host goes up last, so a lab
 * whose loopbacks are all up is whole.
 *
 * Units      none.
 * Ownership  the caller's value, plain data.
 * Thread     any; nothing is run here.
 * Errors     none: a plan for the largest lab fits, asserted.
 */
#ifndef RJ_LAB_PLAN_H
#define RJ_LAB_PLAN_H

#include "lab/lab.h"

enum { RJ_LAB_STEPS_MAX = 512, RJ_LAB_STEP_TEXT_MAX = 384 };

typedef enum rj_lab_step_kind {
    RJ_LAB_STEP_IP,         /* text: arguments of ip(8), one blank between two */
    RJ_LAB_STEP_TRY_IP,     /* the same; what is not there need not be removed */
    RJ_LAB_STEP_SYSCTL,     /* text: path below /proc/sys, a blank, the value */
    RJ_LAB_STEP_TRY_SYSCTL, /* the same, where the kernel has it */
    RJ_LAB_STEP_GRO,        /* text: an interface, whose GRO goes on (lab/offload.h) */
} rj_lab_step_kind_t;

typedef struct rj_lab_step {
    rj_lab_step_kind_t kind;
    char namespace[RJ_LAB_NAMESPACE_MAX]; /* empty: where the caller is */
    char text[RJ_LAB_STEP_TEXT_MAX];
} rj_lab_step_t;

typedef struct rj_lab_plan {
    size_t count;
    rj_lab_step_t steps[RJ_LAB_STEPS_MAX];
} rj_lab_plan_t;

/* The host's addresses without prefix length, as printed and as used. */
void rj_lab_address_ipv4(int host, char ret_text[static 16]);
void rj_lab_address_ipv6(int host, char ret_text[static 40]);

/* All steps from nothing to a whole lab. The shape must be within its limits. */
void rj_lab_plan_up(rj_lab_plan_t *plan, const rj_lab_shape_t *shape);

/* All steps that remove the `hosts` that are there (bit 0 is the wire), whole or half made. */
void rj_lab_plan_down(rj_lab_plan_t *plan, const char *lab, uint32_t hosts);

/* The step as one would type it. */
void rj_lab_step_print(const rj_lab_step_t *step, char *ret_text, size_t size);

#endif
