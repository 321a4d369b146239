/* SPDX-License-Identifier: Apache-2.0 */
/* conductor_receive.h - the sockets of receive endpoints, and whose images are heard through them.
 *
 *   subscription --> receive endpoint --> destination, one of an ordinary channel (socket, counter)
 *                        ^                    |
 *                      image --connection-----+
 *
 * Units      as named.
 * Ownership  destinations are on the heap, in their endpoint's list; what engines hold of them is
 *            not freed before all have released it.
 * Thread     the conductor's.
 * Errors     as said per function; those of a client's making carry Aeron's code.
 */
#ifndef RJ_CONDUCTOR_CONDUCTOR_RECEIVE_H
#define RJ_CONDUCTOR_CONDUCTOR_RECEIVE_H

#include "conductor/conductor_state.h"

/* One socket of a receive endpoint: the only one of an ordinary channel, one for each destination
 * that a client added to a multi-destination one. */
typedef struct rj_receive_destination_entry {
    rj_receive_destination_t destination; /* first: engines know it by this address */
    struct rj_receive_destination_entry *prev, *next;
    rj_channel_t channel;
    rj_endpoint_state_t state;
    int knowing_count;  /* engines that have not let go of it */
    int64_t removal_id; /* of the command that is answered when its socket is closed; -1: none */
    rj_steer_wish_t *wish;
    rj_followed_name_t name; /* of explicit `control=` */
    int32_t address_counter_id;
} rj_receive_destination_entry_t;

/* --- conductor_receive_endpoint.c --- */

/* A destination of a multi-destination endpoint, with its socket and counter, known to its engines.
 * `registration_id` is the subscription's. NULL with `err`; nothing of it stays. */
rj_receive_destination_entry_t *rj_conductor_add_receive_destination(rj_conductor_t *conductor,
                                                                     rj_receive_entry_t *receive,
                                                                     const rj_channel_t *channel,
                                                                     int64_t registration_id,
                                                                     rj_err_t *err);

/* Asks its engines to let go of it. Command `removal_id` (-1: none) is answered when its port is
 * free. */
void rj_conductor_remove_receive_destination(rj_conductor_t *conductor,
                                             rj_receive_destination_entry_t *destination,
                                             int64_t removal_id);

/* An engine has let go of it; it is over, socket and counter with it, when all have. */
void rj_conductor_on_receive_destination_released(rj_conductor_t *conductor,
                                                  rj_receive_destination_entry_t *destination);

/* NULL when it has gone, or is going. */
rj_receive_destination_entry_t *
rj_conductor_find_receive_destination(const rj_receive_entry_t *receive, int32_t destination_id);

/* Another address behind the name of a destination's `control=`; images that are there follow. */
void rj_conductor_redirect_receive_destination(rj_conductor_t *conductor,
                                               rj_receive_destination_entry_t *destination,
                                               const rj_address_t *control);

/* Whether what stands in the way of a socket bound to `address` is a socket of this driver that is
 * about to be closed, or, from now on, will be: one that no subscription needs any more. The bind
 * is worth trying again in a later turn. */
bool rj_conductor_port_comes_free(rj_conductor_t *conductor, const rj_address_t *address);

/* --- conductor_receive_destination.c --- */

/* ADD_RCV_DESTINATION, REMOVE_RCV_DESTINATION. */
void rj_conductor_on_receive_destination(rj_conductor_t *conductor, int32_t type,
                                         const rj_command_destination_t *command,
                                         const char *channel);
int rj_conductor_step_receive_destination(rj_conductor_t *conductor, rj_err_t *err);

/* --- conductor_subscription.c --- */

/* The command in flight names IPC, or a spy, as a destination of a multi-destination subscription:
 * another subscription under the same id, which is removed by its text or with the first. Ends the
 * command. */
int rj_conductor_add_local_destination(rj_conductor_t *conductor,
                                       const rj_subscription_entry_t *manual, rj_err_t *err);

/* --- conductor_image.c --- */

/* An image is heard through a destination that the conductor did not connect it to. */
void rj_conductor_on_connected(rj_conductor_t *conductor, const rj_engine_event_t *event);

/* --- conductor_steering.c --- */

/* Each once, right after the engines were told of it (steer) or asked to let it go (unsteer).
 * Nothing happens where no interface is steered. */
void rj_conductor_steer_destination(rj_conductor_t *conductor,
                                    rj_receive_destination_entry_t *destination);
/* Also of the images that are heard through it: the paths to its control address. */
void rj_conductor_unsteer_destination(rj_conductor_t *conductor,
                                      rj_receive_destination_entry_t *destination);
/* The connection of an image through a destination, made by the conductor or told of by CONNECTED:
 * its path is read here and now. */
void rj_conductor_steer_connection(rj_conductor_t *conductor, rj_image_entry_t *entry,
                                   const rj_receive_destination_entry_t *destination);

/* The engine is to send by the socket where a destination's images are answered; each such path is
 * not followed until the engine tells of it again. */
void rj_conductor_forget_connections(rj_conductor_t *conductor,
                                     const rj_receive_destination_entry_t *destination);

#endif
