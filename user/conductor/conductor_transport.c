/* SPDX-License-Identifier: Apache-2.0 */
/* Which door a channel uses: its URI says so, or a rule of the driver's configuration for clients
 * that cannot (docs/operating.md). */
#include "conductor/conductor_state.h"

#include <errno.h>

#include "config/channel_rules.h"

/* A client hears at once what it asked for and cannot have. */
static int refuse(const rj_channel_t *channel, const char *what, rj_transport_t there,
                  rj_err_t *err)
{
    const char *name = rj_transport_name(channel->transport);
    return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC,
                         "ramjet-transport=%s: this driver's %s are %s: start it with "
                         "--transport %s, or leave the parameter out: %s",
                         name, what, rj_transport_name(there), name, channel->uri.text);
}

/* Without rings sockets serve it, as they serve the whole driver; that is told once for each
 * channel, in the error log. */
static void warn_of_sockets(rj_conductor_t *conductor, const rj_channel_t *channel)
{
    rj_conductor_report(
        conductor, RJ_ERROR_GENERIC,
        "WARNING: ramjet-transport=%s: this driver has no rings, and sockets serve %s",
        rj_transport_name(channel->transport), channel->uri.text);
}

static int check(rj_conductor_t *conductor, const rj_channel_t *channel, rj_err_t *err)
{
    const rj_transport_t asked = channel->transport;
    const rj_transport_t sockets = conductor->params.socket_transport;
    const rj_transport_t rings = conductor->params.ring_transport;
    const bool is_of_sockets = asked == RJ_TRANSPORT_GSO || asked == RJ_TRANSPORT_URING;
    if (is_of_sockets && asked != sockets)
        return refuse(channel, "sockets", sockets, err);
    if (!rj_transport_is_ring(asked) || asked == rings)
        return 0;
    if (rings != RJ_TRANSPORT_AUTO)
        return refuse(channel, "rings", rings, err);
    warn_of_sockets(conductor, channel);
    return 0;
}

/* What is asked for by rule and not to be had is what the driver does anyway. */
static rj_transport_t by_rule(const rj_conductor_t *conductor, const rj_channel_t *channel)
{
    const char *address = channel->has_endpoint ? channel->endpoint_text : channel->control_text;
    const rj_transport_t asked =
        rj_channel_rules_find(conductor->config->channel_transports, address);
    const bool is_there = asked == RJ_TRANSPORT_SOCKET ||
                          asked == conductor->params.socket_transport ||
                          asked == conductor->params.ring_transport;
    return is_there ? asked : RJ_TRANSPORT_AUTO;
}

int rj_conductor_choose_transport(rj_conductor_t *conductor, rj_channel_t *channel, rj_err_t *err)
{
    if (channel->uri.media == RJ_MEDIA_IPC || channel->uri.is_spy)
        return 0;
    if (channel->transport != RJ_TRANSPORT_AUTO)
        return check(conductor, channel, err);
    if (channel->has_endpoint || channel->has_control)
        channel->transport = by_rule(conductor, channel);
    return 0;
}

int rj_conductor_check_transport(const rj_channel_t *existing, const rj_channel_t *channel,
                                 rj_err_t *err)
{
    if (channel->transport == RJ_TRANSPORT_AUTO || channel->transport == existing->transport)
        return 0;
    return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC,
                         "option conflicts with existing channel: ramjet-transport=%s "
                         "existing=%s existingChannel=%s channel=%s",
                         rj_transport_name(channel->transport),
                         rj_transport_name(existing->transport), existing->uri.text,
                         channel->uri.text);
}
