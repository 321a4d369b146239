/* SPDX-License-Identifier: Apache-2.0 */
/* Tags: channel tags name endpoints, entity tags name publications (commands.md 6.5, 7.1, 7.2). */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <utlist.h>

#include "conductor/conductor_endpoint.h"

/* --- channel tags --- */

bool rj_conductor_has_tag_of(const rj_channel_t *existing, rj_endpoint_state_t state,
                             const rj_channel_t *channel)
{
    return state != RJ_ENDPOINT_RELEASED && channel->has_tag && existing->has_tag &&
           channel->tag == existing->tag;
}

bool rj_conductor_has_text_of(const rj_channel_t *existing, rj_endpoint_state_t state,
                              const rj_channel_t *channel)
{
    bool is_other_tag = channel->has_tag && existing->has_tag && channel->tag != existing->tag;
    return state != RJ_ENDPOINT_RELEASED && !is_other_tag &&
           strcmp(existing->canonical, channel->canonical) == 0;
}

/* By what the texts mean now; and by the texts, while a name's new meaning has not arrived. */
static bool is_same_place(const rj_channel_t *existing, const rj_channel_t *channel)
{
    if (rj_channel_is_tag_only(channel))
        return true;
    if (strcmp(existing->endpoint_text, channel->endpoint_text) == 0 &&
        strcmp(existing->control_text, channel->control_text) == 0 &&
        strcmp(existing->interface_text, channel->interface_text) == 0)
        return true;
    return rj_address_equal(&existing->remote_data, &channel->remote_data) &&
           rj_address_equal(&existing->local_data, &channel->local_data);
}

int rj_conductor_check_tag(const rj_channel_t *existing, const rj_channel_t *channel, rj_err_t *err)
{
    const char *what = NULL;
    if (channel->control_mode != RJ_CONTROL_MODE_NONE &&
        channel->control_mode != existing->control_mode)
        what = "control-mode";
    else if (!is_same_place(existing, channel))
        what = "endpoint or control";
    if (what == NULL)
        return 0;
    return rj_fail_aeron(err, -EINVAL, RJ_ERROR_GENERIC,
                         "matching tag has mismatched %s: existingChannel=%s channel=%s", what,
                         existing->uri.text, channel->uri.text);
}

/* --- entity tags --- */

const rj_published_t *rj_conductor_find_entity(const rj_conductor_t *conductor, int64_t entity_tag)
{
    const rj_network_entry_t *network;
    DL_FOREACH(conductor->network_publications, network)
    {
        if (network->publication.state == RJ_NETWORK_PUBLICATION_ACTIVE &&
            network->published.has_entity_tag && network->published.entity_tag == entity_tag)
            return &network->published;
    }
    const rj_ipc_entry_t *ipc;
    DL_FOREACH(conductor->ipc_publications, ipc)
    {
        if (ipc->publication.state == RJ_IPC_PUBLICATION_ACTIVE && ipc->published.has_entity_tag &&
            ipc->published.entity_tag == entity_tag)
            return &ipc->published;
    }
    return NULL;
}

int rj_conductor_follow_entity(rj_conductor_t *conductor, rj_err_t *err)
{
    rj_client_command_t *command = &conductor->command;
    rj_publication_params_t *params = &command->publication_params;
    if (!params->has_session_tag)
        return 0;
    const rj_published_t *entity = rj_conductor_find_entity(conductor, params->session_tag);
    if (entity == NULL)
        return rj_fail_aeron(err, -ENOENT, RJ_ERROR_GENERIC,
                             "session-id=tag:%" PRId64 " must reference a network publication: %s",
                             params->session_tag, command->channel.uri.text);
    return rj_publication_params_follow(params, entity->log->session_id, entity->log->mtu_length,
                                        entity->log->term_length, &command->channel.uri,
                                        &conductor->defaults, err);
}

int rj_conductor_check_entity(const rj_conductor_t *conductor, rj_err_t *err)
{
    const rj_client_command_t *command = &conductor->command;
    const rj_publication_params_t *params = &command->publication_params;
    if (!params->has_entity_tag || rj_conductor_find_entity(conductor, params->entity_tag) == NULL)
        return 0;
    return rj_fail_aeron(err, -EEXIST, RJ_ERROR_GENERIC,
                         "entity tag %" PRId64 " is another publication's: %s", params->entity_tag,
                         command->channel.uri.text);
}
