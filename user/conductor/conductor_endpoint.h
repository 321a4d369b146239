/* SPDX-License-Identifier: Apache-2.0 */
/* conductor_endpoint.h - what send and receive endpoints have in common while they are made.
 *
 * Units      bytes.
 * Ownership  none of its own: sockets belong to the endpoint that they are opened into.
 * Thread     the conductor's.
 * Errors     as said per function; those of a client's making carry Aeron's code.
 */
#ifndef RJ_CONDUCTOR_CONDUCTOR_ENDPOINT_H
#define RJ_CONDUCTOR_CONDUCTOR_ENDPOINT_H

#include "conductor/conductor_state.h"

static inline int32_t rj_first_set(int32_t a, int32_t b)
{
    return a != 0 ? a : b;
}

/* The socket buffer that a channel asks for: by its URI, else by the configuration; 0: the
 * system's. */
int32_t rj_conductor_sndbuf(const rj_conductor_t *conductor, const rj_channel_t *channel);
int32_t rj_conductor_rcvbuf(const rj_conductor_t *conductor, const rj_channel_t *channel);

/* Whether an endpoint serves a channel: by its tag, which has to be looked at first, for all
 * endpoints, and then must agree with what else is said (check_tag); or by its canonical form.
 * Those that are released are only waiting to be deleted. conductor_tag.c */
bool rj_conductor_has_tag_of(const rj_channel_t *existing, rj_endpoint_state_t state,
                             const rj_channel_t *channel);
int rj_conductor_check_tag(const rj_channel_t *existing, const rj_channel_t *channel,
                           rj_err_t *err);
bool rj_conductor_has_text_of(const rj_channel_t *existing, rj_endpoint_state_t state,
                              const rj_channel_t *channel);

/* "try again": code 10. `side` is "send" or "receive". */
int rj_conductor_fail_closing(const char *side, const rj_channel_t *channel, rj_err_t *err);

/* Where a timestamp goes is for all streams of an endpoint the same. */
int rj_conductor_fail_timestamp(const char *option, int32_t offset,
                                const rj_channel_t *existing_channel, const rj_channel_t *channel,
                                rj_err_t *err);

/* A stated buffer size must be that of the socket which is there. */
int rj_conductor_check_buffer(const char *option, int32_t stated, int32_t existing,
                              const rj_channel_t *existing_channel, const rj_channel_t *channel,
                              rj_err_t *err);

/* Whether there is room for another socket; in some threading modes one port serves all of them. */
int rj_conductor_check_count(const rj_conductor_t *conductor, const rj_channel_t *channel,
                             rj_err_t *err);

/* What a socket needs that hears `group`. Who hears a group binds its port on any address; what it
 * answers, or sends, goes to groups too (wire.md 7.2, 8). */
void rj_conductor_bind_group(const rj_conductor_t *conductor, const rj_channel_t *channel,
                             const rj_address_t *group, rj_socket_params_t *params);

/* Opens the socket of `base`. `*ret_bound` is what the counters tell: as Aeron, of a group the
 * address bound, not the group. */
int rj_conductor_open_socket(rj_conductor_t *conductor, const rj_channel_t *channel,
                             const rj_socket_params_t *params, rj_endpoint_t *base,
                             rj_address_t *ret_bound, rj_err_t *err);

/* Safe on one that is closed. */
void rj_conductor_close_socket(rj_conductor_t *conductor, rj_endpoint_t *base);

/* Where the next endpoint of a kind lives: spread evenly, each kind by itself first. */
int rj_conductor_choose_home(const rj_conductor_t *conductor, rj_endpoint_kind_t kind);

void rj_conductor_init_base(rj_conductor_t *conductor, rj_endpoint_t *base, rj_endpoint_kind_t kind,
                            int home);

/* Tells all engines that know an endpoint, its home first; returns how many. */
int rj_conductor_tell_all(rj_conductor_t *conductor, int home, const rj_engine_command_t *command);

#endif
