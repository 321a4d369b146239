/* SPDX-License-Identifier: Apache-2.0 */
/* filter.h - an operator's rules in the steering maps of an interface (`ramjet filter`).
 *
 * A rule without a stream says what becomes of all data of a channel that no stream entry names,
 * and puts itself in the place of a driver's entry: that driver leaves the channel alone then. A
 * rule with a stream stands beside the entries of the channel's driver; the number of its channel
 * is claimed by the operator, so that no other channel ever gets it, and where there is no driver
 * the channel is entered as nobody's, with its frames passing.
 *
 * The verdict `user` means the ring of whichever driver has the queue, where one has.
 *
 * Units      ramjet/xdp_abi.h.
 * Ownership  nothing is kept; the rules stay until they are removed, or the maps go.
 * Thread     any; drivers write the same maps meanwhile.
 * Errors     negative errno and one line. -ENOENT no such rule, -EBUSY a driver's entry, -E2BIG no
 *            room or no number is left, else what bpf(2) says.
 */
#ifndef RJ_XDP_FILTER_H
#define RJ_XDP_FILTER_H

#include "base/err.h"
#include "xdp/kernel_maps.h"

typedef enum rj_filter_scope {
    RJ_FILTER_CHANNEL, /* no stream is named */
    RJ_FILTER_STREAM,  /* whatever the session */
    RJ_FILTER_SESSION,
} rj_filter_scope_t;

typedef struct rj_filter_rule {
    struct rj_channel_key channel;
    rj_filter_scope_t scope;
    int32_t stream_id;
    int32_t session_id;
    enum rj_xdp_verdict verdict;
} rj_filter_rule_t;

typedef enum rj_filter_whose {
    RJ_FILTER_OPERATORS,   /* a driver's entry is refused */
    RJ_FILTER_DRIVERS_TOO, /* it goes, until its driver looks and puts it back */
} rj_filter_whose_t;

/* What stands where a rule would. */
typedef enum rj_filter_there {
    RJ_FILTER_ABSENT,
    RJ_FILTER_SAME, /* an operator's, verdict and all */
    RJ_FILTER_OTHER_VERDICT,
    RJ_FILTER_A_DRIVERS,
} rj_filter_there_t;

int rj_filter_look(rj_kernel_maps_t *maps, const rj_filter_rule_t *rule,
                   rj_filter_there_t *ret_there, rj_err_t *err);

/* Adds the rule, or changes its verdict. */
int rj_filter_add(rj_kernel_maps_t *maps, const rj_filter_rule_t *rule, rj_err_t *err);

/* The rule's verdict is not looked at. */
int rj_filter_remove(rj_kernel_maps_t *maps, const rj_filter_rule_t *rule, rj_filter_whose_t whose,
                     rj_err_t *err);

/* What `remove` begins with: -ENOENT and -EBUSY are its. */
int rj_filter_check_remove(rj_kernel_maps_t *maps, const rj_filter_rule_t *rule,
                           rj_filter_whose_t whose, rj_err_t *err);

/* "user", "kernel", "drop", "echo", "broker"; "?" for what is none. */
const char *rj_filter_verdict_name(unsigned verdict);
int rj_filter_verdict_parse(const char *text, enum rj_xdp_verdict *ret_verdict);

#endif
