/* SPDX-License-Identifier: Apache-2.0 */
/* channel.h - a channel URI made sense of: whom it reaches, from where, and what it is known by.
 *
 * Two stages. rj_channel_parse needs the text only and runs on the conductor, so that a malformed
 * channel is refused at once. rj_channel_resolve (name/channel_resolve.h) asks for names and
 * interfaces, may block, and so runs on the helper; it fills in the second half of the struct. An
 * IPC channel is complete after the first stage.
 *
 *     remote_data      where a publication sends data, what a subscription binds
 *     remote_control   the multicast control group, else the same
 *     local_data       what a publication binds: `control`, the interface, or any
 *     local_control    the same
 *
 * Units      bytes.
 * Ownership  a plain value of some 6 KiB without pointers: no heap, nothing to close, may be
 * copied. Thread     one at a time; handed on by message. Errors     -EINVAL with Aeron's code (1
 * where the channel makes no sense, 11 where a value does not) and a text. After a failure the
 * struct must not be used.
 */
#ifndef RJ_PROTO_CHANNEL_H
#define RJ_PROTO_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/transport.h"
#include "proto/address.h"
#include "proto/timestamp.h"
#include "proto/uri.h"

enum {
    RJ_CHANNEL_TEXT_BYTES = 400,      /* the text of endpoint, control or interface, terminated */
    RJ_CHANNEL_CANONICAL_BYTES = 832, /* of the canonical form, terminated */
};

/* Who names the channel; the rules differ (commands.md 5.5, 5.6, 13.4, 13.6). A spy is a
 * subscription. */
typedef enum rj_channel_role {
    RJ_CHANNEL_PUBLICATION,
    RJ_CHANNEL_SUBSCRIPTION,
    RJ_CHANNEL_SEND_DESTINATION,    /* of a publication: `endpoint` alone counts */
    RJ_CHANNEL_RECEIVE_DESTINATION, /* of a subscription */
} rj_channel_role_t;

typedef enum rj_control_mode {
    RJ_CONTROL_MODE_NONE,
    RJ_CONTROL_MODE_MANUAL,
    RJ_CONTROL_MODE_DYNAMIC,
    RJ_CONTROL_MODE_RESPONSE,
} rj_control_mode_t;

typedef struct rj_channel {
    /* Known from the text. */
    rj_uri_t uri;
    rj_channel_role_t role;
    rj_control_mode_t control_mode;
    bool has_endpoint; /* the texts below are empty when absent */
    bool has_control;
    bool has_interface;
    bool has_tag;
    int64_t tag;
    uint8_t ttl;              /* 0: not given, the driver's */
    rj_transport_t transport; /* ramjet-transport, ours; auto when not given */
    int32_t sndbuf_bytes;     /* so-sndbuf; 0 when not given: driver's or OS default */
    int32_t rcvbuf_bytes;     /* so-rcvbuf; the same */
    int32_t media_receive_timestamp_offset; /* or RJ_TIMESTAMP_* */
    int32_t channel_receive_timestamp_offset;
    int32_t channel_send_timestamp_offset;
    char endpoint_text[RJ_CHANNEL_TEXT_BYTES];
    char control_text[RJ_CHANNEL_TEXT_BYTES];
    char interface_text[RJ_CHANNEL_TEXT_BYTES];

    /* Known when resolved. */
    bool is_resolved;
    bool is_multicast;        /* by the endpoint's address */
    uint32_t interface_index; /* for multicast joins and sends; 0: any */
    rj_address_t remote_data;
    rj_address_t remote_control;
    rj_address_t local_data;
    rj_address_t local_control;
    char canonical[RJ_CHANNEL_CANONICAL_BYTES]; /* commands.md 13.7; empty for IPC */
} rj_channel_t;

/* Reads a channel as `role` names it. It refuses: a spy on IPC, and one to publish or to send to
 * (`spies are invalid`); on UDP: dynamic without control; nothing to reach (no endpoint, control or
 * tags, and not manual or response); a publication with control but neither endpoint nor
 * control-mode; keys that a destination must not carry, naming the key; `ats=true`; timestamp
 * ranges that overlap. */
int rj_channel_parse(rj_channel_t *ret, const char *text, size_t length, rj_channel_role_t role,
                     rj_err_t *err);

/* Multi-destination cast: the control mode is manual or dynamic. */
static inline bool rj_channel_is_mdc(const rj_channel_t *channel)
{
    return channel->control_mode == RJ_CONTROL_MODE_MANUAL ||
           channel->control_mode == RJ_CONTROL_MODE_DYNAMIC;
}

/* Several receivers may listen, so flow control and loss are those of a group. Needs is_resolved.
 */
static inline bool rj_channel_is_group(const rj_channel_t *channel)
{
    return channel->is_multicast || rj_channel_is_mdc(channel);
}

/* Names an existing transport by its tag alone (commands.md 7.1). */
static inline bool rj_channel_is_tag_only(const rj_channel_t *channel)
{
    return channel->has_tag && !channel->has_endpoint && !channel->has_control;
}

/* Gives each role its address from what was resolved and writes the canonical form; the second
 * stage ends with it. `endpoint` and `control` are read only where the URI has them, `local` is the
 * interface to use. Refuses an even data group and ports of 0 where a role does not allow them.
 * `*unique_suffix` is used, and counted on, when the canonical form needs a number of its own. */
int rj_channel_assign(rj_channel_t *channel, const rj_address_t *endpoint,
                      const rj_address_t *control, const rj_address_t *local,
                      uint32_t interface_index, int64_t *unique_suffix, rj_err_t *err);

#endif
