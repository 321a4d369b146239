/* SPDX-License-Identifier: Apache-2.0 */
/* conductor_destination.h - the conductor's view of the destinations of a publication channel.
 *
 * A manual one is made, resolved and given back here; of a dynamic one, which its engine finds by
 * its status messages, only the path's header is looked after.
 *
 * Units      none.
 * Ownership  an entry is on the heap and in the list of its send endpoint; the engine holds the
 *            manual destination in it between ADD and RELEASED, or for as long as the endpoint.
 * Thread     the conductor's.
 * Errors     a client's, with Aeron's code.
 */
#ifndef RJ_CONDUCTOR_CONDUCTOR_DESTINATION_H
#define RJ_CONDUCTOR_CONDUCTOR_DESTINATION_H

#include "conductor/conductor_endpoint.h"
#include "conductor/conductor_name.h"

struct rj_destination_entry {
    rj_send_destination_t destination; /* first: the engine knows a manual one by this address */
    struct rj_destination_entry *prev, *next;
    rj_send_entry_t *send;
    rj_send_destination_t *dynamic; /* the engine's own; NULL: manual */
    rj_headed_path_t headed;
    rj_followed_name_t name;
    rj_transport_t transport; /* auto: as its publication's channel */
    bool is_leaving;          /* the engine is asked to let go of it */
    char text[RJ_CHANNEL_TEXT_BYTES];
};

/* ADD_DESTINATION or REMOVE_DESTINATION, and the step after its name was looked for, found or not.
 * Negative with `err`: the command has failed. */
void rj_conductor_on_send_destination(rj_conductor_t *conductor, int32_t type,
                                      const rj_command_destination_t *command, const char *channel);
int rj_conductor_step_send_destination(rj_conductor_t *conductor, rj_err_t *err);

void rj_conductor_on_remove_destination_by_id(rj_conductor_t *conductor,
                                              const rj_command_destination_by_id_t *command);

/* What the endpoint's engine says (engine/commands.h). */
void rj_conductor_on_destination_released(rj_conductor_t *conductor,
                                          const rj_engine_event_t *event);
void rj_conductor_on_destination_joined(rj_conductor_t *conductor, const rj_engine_event_t *event);
void rj_conductor_on_destination_left(rj_conductor_t *conductor, const rj_engine_event_t *event);

/* Their endpoint is asked to close; it is gone. */
void rj_conductor_unsteer_destinations(rj_conductor_t *conductor, rj_send_entry_t *send);
void rj_conductor_free_destinations(rj_conductor_t *conductor, rj_send_entry_t *send);

/* --- conductor_steering.c --- */

/* Whether paths get headers, so that engines tell of destinations that join. */
bool rj_conductor_keeps_headers(const rj_conductor_t *conductor);

/* Only the next hop's MAC is missing, which the kernel is being asked for: a ring is about to take
 * the path over. */
bool rj_conductor_awaits_ring(const rj_conductor_t *conductor, const rj_headed_path_t *headed);

/* The engine has the path, whose address is or becomes `address`; nothing happens while that is
 * none. */
void rj_conductor_steer_send_destination(rj_conductor_t *conductor, rj_destination_entry_t *entry,
                                         rj_path_t *path, const rj_address_t *address);
void rj_conductor_unsteer_send_destination(rj_conductor_t *conductor,
                                           rj_destination_entry_t *entry);

#endif
