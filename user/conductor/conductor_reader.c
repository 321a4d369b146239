/* SPDX-License-Identifier: Apache-2.0 */
/* Who reads an image (commands.md 5.3, 5.4, 5.8; driver.md 9).
 *
 * The image's engine moves the stream by its readers' positions, so each is handed to it, and asked
 * back, by message. Those of a new image are linked before the engine has it.
 */
#include "conductor/conductor_state.h"

#include <utlist.h>

static void announce(rj_conductor_t *conductor, const rj_image_entry_t *entry,
                     const rj_subscriber_link_t *link)
{
    const rj_network_image_config_t *config = &entry->received.image.config;
    rj_reply_image_t image = {.correlation_id = config->correlation_id,
                              .session_id = config->session_id,
                              .stream_id = config->stream_id,
                              .subscription_id = link->position.subscription_id,
                              .position_counter_id = link->position.counter_id,
                              .log_file = entry->log_file,
                              .source = entry->source};
    rj_reply_available_image(&conductor->to_clients, &image);
}

static bool wants(const rj_subscription_entry_t *subscription, const rj_image_entry_t *entry)
{
    const rj_network_image_config_t *config = &entry->received.image.config;
    return subscription->receive != NULL && subscription->receive == entry->receive &&
           rj_conductor_subscription_wants(subscription, config->stream_id, config->session_id);
}

void rj_conductor_link_first(rj_conductor_t *conductor, rj_image_entry_t *entry)
{
    const rj_network_image_config_t *config = &entry->received.image.config;
    rj_subscription_entry_t *subscription;
    DL_FOREACH(conductor->subscriptions, subscription)
    {
        if (!wants(subscription, entry))
            continue;
        rj_subscriber_link_t *link =
            rj_conductor_make_link(conductor, subscription, config->correlation_id,
                                   config->session_id, config->join_position);
        if (link == NULL)
            continue;
        (void)rj_network_image_add_subscriber(&entry->received.image, &link->position);
        rj_conductor_label_link(conductor, link);
        link->state = RJ_LINK_ACTIVE;
        DL_APPEND2(entry->links, link, prev, next_link);
        announce(conductor, entry, link);
    }
}

static void tell_subscriber(rj_conductor_t *conductor, rj_image_entry_t *entry,
                            rj_subscriber_link_t *link, rj_engine_command_type_t type)
{
    rj_engine_command_t command = {
        .type = type, .image = &entry->received.image, .position = &link->position};
    entry->in_flight++;
    rj_conductor_tell(conductor, entry->engine, &command);
}

static void drop_link(rj_conductor_t *conductor, rj_image_entry_t *entry,
                      rj_subscriber_link_t *link)
{
    DL_DELETE2(entry->links, link, prev, next_link);
    rj_conductor_free_link(conductor, link);
}

/* The engine lets a position go before its counter is freed; after the engine we do it ourselves.
 * */
static void remove_link(rj_conductor_t *conductor, rj_image_entry_t *entry,
                        rj_subscriber_link_t *link)
{
    link->subscription = NULL;
    if (link->state == RJ_LINK_RESTING || (entry->is_released && entry->in_flight == 0)) {
        (void)rj_network_image_remove_subscriber(&entry->received.image, &link->position);
        drop_link(conductor, entry, link);
        return;
    }
    if (link->state == RJ_LINK_PARTING)
        return; /* the answer is on its way */
    link->state = RJ_LINK_LEAVING;
    tell_subscriber(conductor, entry, link, RJ_ENGINE_REMOVE_SUBSCRIBER);
}

void rj_conductor_link_images(rj_conductor_t *conductor, rj_subscription_entry_t *subscription)
{
    rj_image_entry_t *entry;
    DL_FOREACH(conductor->images, entry)
    {
        if (entry->state > RJ_IMAGE_DRAINING || !wants(subscription, entry))
            continue;
        const rj_network_image_config_t *config = &entry->received.image.config;
        rj_subscriber_link_t *link =
            rj_conductor_make_link(conductor, subscription, config->correlation_id,
                                   config->session_id, config->join_position);
        if (link == NULL)
            continue;
        link->state = RJ_LINK_JOINING;
        DL_APPEND2(entry->links, link, prev, next_link);
        tell_subscriber(conductor, entry, link, RJ_ENGINE_ADD_SUBSCRIBER);
    }
}

void rj_conductor_unlink_images(rj_conductor_t *conductor, rj_subscription_entry_t *subscription)
{
    rj_image_entry_t *entry;
    DL_FOREACH(conductor->images, entry)
    {
        rj_subscriber_link_t *link, *next;
        DL_FOREACH_SAFE2(entry->links, link, next, next_link)
        {
            if (link->subscription == subscription)
                remove_link(conductor, entry, link);
        }
    }
}

void rj_conductor_on_subscriber_event(rj_conductor_t *conductor, const rj_engine_event_t *event)
{
    rj_image_entry_t *entry = (rj_image_entry_t *)event->image;
    rj_subscriber_link_t *link = (rj_subscriber_link_t *)event->position;
    entry->in_flight--;
    if (event->type == RJ_ENGINE_SUBSCRIBER_REMOVED) {
        if (link->subscription != NULL && link->position.tether.state == RJ_TETHER_RESTING)
            link->state = RJ_LINK_RESTING;
        else
            drop_link(conductor, entry, link);
        return;
    }
    /* A subscription that left meanwhile has its own answer on the way. */
    if (link->state == RJ_LINK_LEAVING)
        return;
    if (event->type == RJ_ENGINE_SUBSCRIBER_REFUSED) {
        drop_link(conductor, entry, link);
        return;
    }
    link->state = RJ_LINK_ACTIVE;
    if (entry->state > RJ_IMAGE_DRAINING) {
        remove_link(conductor, entry, link);
        return;
    }
    rj_conductor_label_link(conductor, link);
    announce(conductor, entry, link);
}

static void follow_tether(rj_conductor_t *conductor, rj_image_entry_t *entry,
                          rj_subscriber_link_t *link)
{
    switch (link->position.tether.state) {
    case RJ_TETHER_ACTIVE:
        link->state = RJ_LINK_JOINING;
        tell_subscriber(conductor, entry, link, RJ_ENGINE_ADD_SUBSCRIBER);
        break;
    case RJ_TETHER_LINGER:
        break;
    case RJ_TETHER_RESTING:
    case RJ_TETHER_CLOSED:
        link->state = RJ_LINK_PARTING;
        tell_subscriber(conductor, entry, link, RJ_ENGINE_REMOVE_SUBSCRIBER);
        break;
    }
}

/* The engine's position of a reader may be older than the counter: who lies there only seems faster
 * than the engine takes him for. */
void rj_conductor_time_readers(rj_conductor_t *conductor, rj_image_entry_t *entry)
{
    const rj_network_image_t *image = &entry->received.image;
    /* Acquire in both: pairs with the engine's releases. */
    const int64_t limit_pos = rj_tether_limit(rj_load_acquire_i64(&image->max_read_pos),
                                              rj_load_acquire_i32(&image->last_sm_window_bytes));
    rj_subscriber_link_t *link;
    DL_FOREACH2(entry->links, link, next_link)
    {
        if ((link->state == RJ_LINK_ACTIVE || link->state == RJ_LINK_RESTING) &&
            rj_conductor_time_tether(conductor, link, entry->log,
                                     &entry->receive->params.untethered,
                                     rj_counter_get(link->position.counter), limit_pos))
            follow_tether(conductor, entry, link);
    }
}

void rj_conductor_end_readers(rj_conductor_t *conductor, const rj_image_entry_t *entry)
{
    const rj_network_image_config_t *config = &entry->received.image.config;
    const rj_subscriber_link_t *link;
    DL_FOREACH2(entry->links, link, next_link)
    {
        if (link->state == RJ_LINK_ACTIVE && link->position.tether.state == RJ_TETHER_ACTIVE)
            rj_reply_unavailable_image(&conductor->to_clients, config->correlation_id,
                                       link->position.subscription_id, config->stream_id,
                                       link->subscription->channel);
    }
}

void rj_conductor_free_readers(rj_conductor_t *conductor, rj_image_entry_t *entry)
{
    rj_subscriber_link_t *link, *next;
    DL_FOREACH_SAFE2(entry->links, link, next, next_link)
    {
        drop_link(conductor, entry, link);
    }
}
