/* SPDX-License-Identifier: Apache-2.0 */
/* Spies: subscriptions that read the log of a network publication (commands.md 8; driver.md 8).
 *
 * Whatever engine sends the stream, its spies are the conductor's: it alone reads their positions,
 * and tells the engine by two words of the publication how far the fastest of them is.
 */
#include "conductor/conductor_state.h"

#include <string.h>
#include <utlist.h>

static bool wants(const rj_subscription_entry_t *subscription, const rj_network_entry_t *network)
{
    const rj_network_publication_config_t *config = &network->publication.config;
    const rj_channel_t *channel = &network->send->endpoint.channel;
    if (subscription->kind != RJ_SUBSCRIPTION_SPY || subscription->stream_id != config->stream_id ||
        network->publication.state > RJ_NETWORK_PUBLICATION_DRAINING)
        return false;
    if (subscription->has_tag && channel->has_tag && subscription->tag == channel->tag)
        return true;
    return rj_conductor_subscription_wants(subscription, config->stream_id, config->session_id) &&
           strcmp(subscription->canonical, channel->canonical) == 0;
}

static void link_pair(rj_conductor_t *conductor, rj_network_entry_t *network,
                      rj_subscription_entry_t *subscription)
{
    const rj_network_publication_config_t *config = &network->publication.config;
    rj_subscriber_link_t *link =
        rj_conductor_make_link(conductor, subscription, config->registration_id, config->session_id,
                               config->start_position);
    if (link == NULL)
        return;
    if (!rj_network_publication_add_spy(&network->publication, &link->position)) {
        rj_conductor_free_link(conductor, link);
        return;
    }
    rj_conductor_label_link(conductor, link);
    link->state = RJ_LINK_ACTIVE;
    DL_APPEND2(network->spies, link, prev, next_link);
    rj_conductor_announce_log(conductor, &network->published, link);
}

void rj_conductor_link_spy(rj_conductor_t *conductor, rj_subscription_entry_t *subscription)
{
    rj_network_entry_t *network;
    DL_FOREACH(conductor->network_publications, network)
    {
        if (wants(subscription, network))
            link_pair(conductor, network, subscription);
    }
}

void rj_conductor_link_spies(rj_conductor_t *conductor, rj_network_entry_t *network)
{
    rj_subscription_entry_t *subscription;
    DL_FOREACH(conductor->subscriptions, subscription)
    {
        if (wants(subscription, network))
            link_pair(conductor, network, subscription);
    }
}

static void drop_link(rj_conductor_t *conductor, rj_network_entry_t *network,
                      rj_subscriber_link_t *link)
{
    (void)rj_network_publication_remove_spy(&network->publication, &link->position);
    DL_DELETE2(network->spies, link, prev, next_link);
    rj_conductor_free_link(conductor, link);
}

void rj_conductor_unlink_spy(rj_conductor_t *conductor, rj_subscription_entry_t *subscription)
{
    rj_network_entry_t *network;
    DL_FOREACH(conductor->network_publications, network)
    {
        rj_subscriber_link_t *link, *next;
        DL_FOREACH_SAFE2(network->spies, link, next, next_link)
        {
            if (link->subscription == subscription)
                drop_link(conductor, network, link);
        }
    }
}

void rj_conductor_time_spies(rj_conductor_t *conductor, rj_network_entry_t *network)
{
    rj_network_publication_t *publication = &network->publication;
    /* Acquire: pairs with the release of the engine. */
    const int64_t limit_pos = rj_tether_limit(rj_load_acquire_i64(&publication->snd_pos),
                                              publication->config.term_window_bytes);
    const rj_published_t *published = &network->published;
    rj_subscriber_link_t *link, *next;
    DL_FOREACH_SAFE2(network->spies, link, next, next_link)
    {
        if (!rj_conductor_time_tether(conductor, link, published->log, &published->untethered,
                                      link->position.last, limit_pos))
            continue;
        if (link->position.tether.state == RJ_TETHER_RESTING)
            (void)rj_network_publication_remove_spy(publication, &link->position);
        else if (link->position.tether.state == RJ_TETHER_CLOSED)
            drop_link(conductor, network, link);
        else if (link->position.tether.state == RJ_TETHER_ACTIVE &&
                 rj_network_publication_add_spy(publication, &link->position))
            rj_conductor_announce_log(conductor, published, link);
    }
}

void rj_conductor_end_spies(rj_conductor_t *conductor, rj_network_entry_t *network)
{
    rj_subscriber_link_t *link, *next;
    DL_FOREACH_SAFE2(network->spies, link, next, next_link)
    {
        if (link->position.tether.state == RJ_TETHER_ACTIVE)
            rj_reply_unavailable_image(
                &conductor->to_clients, network->publication.config.registration_id,
                link->position.subscription_id, network->publication.config.stream_id,
                link->subscription->channel);
        drop_link(conductor, network, link);
    }
}

void rj_conductor_free_spies(rj_conductor_t *conductor, rj_network_entry_t *network)
{
    rj_subscriber_link_t *link, *next;
    DL_FOREACH_SAFE2(network->spies, link, next, next_link)
    {
        drop_link(conductor, network, link);
    }
}
