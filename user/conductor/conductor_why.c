/* SPDX-License-Identifier: Apache-2.0 */
#include "conductor/conductor_why.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "stream/publication_why.h"

/* True when it is news. */
static bool tell(rj_conductor_t *conductor, rj_told_why_t *told, const rj_why_t *why)
{
    const int64_t value = rj_why_pack(why);
    if (value == told->value && why->who == told->who)
        return false;
    told->value = value;
    told->who = why->who;
    rj_counters_set_reference_id(conductor->counters, told->counter_id, why->who);
    rj_counter_set(rj_counters_value(conductor->counters, told->counter_id), value);
    return true;
}

static void label(rj_conductor_t *conductor, const rj_log_t *log, int64_t registration_id,
                  const rj_told_why_t *told, const char *channel)
{
    char source[RJ_ADDRESS_TEXT_BYTES] = "-";
    char text[RJ_COUNTER_LABEL_BYTES_MAX + 1];
    if (told->address.family != AF_UNSPEC)
        rj_address_print(&told->address, source);
    snprintf(text, sizeof(text), "why: %" PRId64 " %" PRId32 " %" PRId32 " %s %s", registration_id,
             log->session_id, log->stream_id, source, channel);
    (void)rj_counters_label_set(conductor->counters, told->counter_id, text, strlen(text));
}

int rj_conductor_make_why(rj_conductor_t *conductor, rj_told_why_t *ret, rj_err_t *err)
{
    static const rj_stream_counter_row_t row = {RJ_COUNTER_TYPE_RAMJET_WHY, "why", false};
    static const rj_why_t nobody_yet = {.reason = RJ_WHY_NO_SUBSCRIBER, .is_held = true};
    const rj_client_command_t *command = &conductor->command;
    const rj_counted_stream_t stream = {.registration_id = command->correlation_id,
                                        .owner_id = -1,
                                        .session_id = command->session_id,
                                        .stream_id = command->stream_id,
                                        .channel = command->channel.uri.text};
    *ret = (rj_told_why_t){.counter_id = RJ_COUNTER_ID_NULL, .value = -1};
    int result = rj_conductor_stream_counters(conductor, &stream, &row, 1, &ret->counter_id, err);
    if (result < 0)
        return result;
    label(conductor, command->task->log, stream.registration_id, ret, stream.channel);
    (void)tell(conductor, ret, &nobody_yet);
    return 0;
}

/* Labels are long: one is written only when the receiver whose window is closed is elsewhere than
 * the last one. */
static void tell_where(rj_conductor_t *conductor, rj_network_entry_t *network)
{
    rj_told_why_t *told = &network->published.why;
    int64_t receiver_id;
    rj_address_t address;
    if (!rj_governor_get(&network->publication.governor, &receiver_id, &address) ||
        receiver_id != told->who || rj_address_equal(&address, &told->address))
        return;
    told->address = address;
    label(conductor, network->published.log, network->publication.config.registration_id, told,
          network->send->endpoint.channel.uri.text);
}

static void tell_network(rj_conductor_t *conductor, rj_network_entry_t *network)
{
    const rj_why_t why = rj_network_publication_why(&network->publication);
    if (tell(conductor, &network->published.why, &why) && why.reason == RJ_WHY_WINDOW_CLOSED)
        tell_where(conductor, network);
}

void rj_conductor_tell_why(rj_conductor_t *conductor)
{
    rj_network_entry_t *network;
    rj_ipc_entry_t *ipc;
    if (conductor->now_ns < conductor->why_due_ns)
        return;
    conductor->why_due_ns = conductor->now_ns + RJ_CONDUCTOR_WHY_NS;
    DL_FOREACH(conductor->network_publications, network)
    {
        tell_network(conductor, network);
    }
    DL_FOREACH(conductor->ipc_publications, ipc)
    {
        const rj_why_t why = rj_ipc_publication_why(&ipc->publication);
        (void)tell(conductor, &ipc->published.why, &why);
    }
}
