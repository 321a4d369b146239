/* SPDX-License-Identifier: Apache-2.0 */
/* conductor_flow.h - what URI and configuration choose for a stream: flow control, congestion
 * control and their counters, and the pace of NAKs and resends (driver.md 15, wire.md 13, 15).
 *
 * Units      ns.
 * Ownership  the ids of counters made here belong to the entry of the stream, which frees them.
 * Thread     the conductor's.
 * Errors     -EINVAL with Aeron's code 11 for what a URI says wrong; -ENOSPC without counters.
 */
#ifndef RJ_CONDUCTOR_CONDUCTOR_FLOW_H
#define RJ_CONDUCTOR_CONDUCTOR_FLOW_H

#include "conductor/conductor_state.h"

/* For the publication that the command in flight makes on `send`, or on its own channel where there
 * is no endpoint yet. */
int rj_conductor_choose_flow_control(rj_conductor_t *conductor, const rj_send_entry_t *send,
                                     rj_err_t *err);

/* The counter of type 17, where the command's flow control waits for receivers; else
 * RJ_COUNTER_ID_NULL. */
int rj_conductor_make_flow_counter(rj_conductor_t *conductor, const rj_send_entry_t *send,
                                   int32_t *ret_id, rj_err_t *err);

/* For images of this endpoint; NULL when its URI names one that there is not. */
const rj_congestion_ops_t *rj_conductor_choose_congestion(const rj_conductor_t *conductor,
                                                          const rj_receive_entry_t *receive);

/* Fills in congestion control of a new image, the rest of whose `config` is known. The two ids are
 * those of the counters of type 10 where its window is cubic; else RJ_COUNTER_ID_NULL. */
int rj_conductor_make_congestion(rj_conductor_t *conductor, const rj_receive_entry_t *receive,
                                 rj_network_image_config_t *config, int32_t mtu_bytes,
                                 int32_t ret_ids[static RJ_CONGESTION_COUNTERS], rj_err_t *err);

/* --- the pace of repair: what somebody set holds, all else follows the round trip --- */

rj_loss_config_t rj_conductor_loss_config(rj_conductor_t *conductor,
                                          const rj_subscription_params_t *params, bool is_group);

/* For the publication that the command in flight makes. */
rj_retransmit_config_t rj_conductor_retransmit_config(const rj_conductor_t *conductor,
                                                      bool is_group);

#endif
