/* SPDX-License-Identifier: Apache-2.0 */
#include "client/client.h"
#include "client/client_commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How images change under a poller that takes no lock: the array of images is never written, the
 * conductor swaps in another one. The poller notes the version it uses at the start of each poll,
 * so the old array, and an image that is in no younger one, can be freed when a younger version was
 * noted (and the linger time, for those who hold an image by themselves, is over). */

static rj_image_array_t *make_array(size_t count, uint64_t version)
{
    rj_image_array_t *array = calloc(1, sizeof(*array) + count * sizeof(array->images[0]));
    if (array != NULL) {
        array->count = count;
        array->version = version;
    }
    return array;
}

static void release_array(rj_lingering_t *lingering)
{
    free(lingering);
}

int rj_subscription_create(rj_client_t *client, const rj_request_t *request,
                           int32_t channel_status_id, rj_subscription_t **ret_subscription,
                           rj_err_t *err)
{
    size_t channel_bytes = strlen(request->channel) + 1;
    rj_subscription_t *subscription = calloc(1, sizeof(*subscription) + channel_bytes);
    rj_image_array_t *images = make_array(0, 0);
    if (subscription == NULL || images == NULL) {
        free(subscription);
        free(images);
        return rj_fail(err, -ENOMEM, "subscription: out of memory");
    }
    subscription->client = client;
    subscription->handlers = request->handlers;
    atomic_init(&subscription->images, images);
    memcpy(subscription->channel, request->channel, channel_bytes);
    subscription->info = (rj_subscription_info_t){
        .channel = subscription->channel,
        .registration_id = request->correlation_id,
        .stream_id = request->stream_id,
        .channel_status_id = channel_status_id,
    };
    subscription->next = client->subscriptions;
    client->subscriptions = subscription;
    *ret_subscription = subscription;
    return 0;
}

/* The conductor's own look at the array; it is the only one who changes it. */
static rj_image_array_t *current(const rj_subscription_t *subscription)
{
    return atomic_load_explicit(&subscription->images, memory_order_relaxed);
}

static void swap_array(rj_subscription_t *subscription, rj_image_array_t *array)
{
    rj_image_array_t *old = current(subscription);
    /* Release: pairs with the acquire in see_images; images and their logs are complete. */
    atomic_store_explicit(&subscription->images, array, memory_order_release);
    rj_client_linger(subscription->client, &old->lingering, release_array, subscription,
                     array->version);
}

static size_t find_image(const rj_image_array_t *array, int64_t correlation_id)
{
    size_t i = 0;
    while (i < array->count && array->images[i]->info.correlation_id != correlation_id)
        i++;
    return i;
}

/* Handlers may call back; the flag tells those calls that wait for the driver that they must not.
 */
static void tell(rj_subscription_t *subscription, rj_image_available_t handler, rj_image_t *image)
{
    if (handler == NULL)
        return;
    rj_client_t *client = subscription->client;
    bool was_in_handler = client->is_in_handler;
    client->is_in_handler = true;
    handler(subscription->handlers.user, subscription, image);
    client->is_in_handler = was_in_handler;
}

int rj_subscription_add_image(rj_subscription_t *subscription,
                              const rj_event_available_image_t *event, const char *log_path,
                              const char *source_identity, rj_err_t *err)
{
    rj_image_array_t *old = current(subscription);
    if (find_image(old, event->correlation_id) < old->count)
        return -EEXIST;
    rj_image_t *image;
    int code = rj_image_create(subscription, event, log_path, source_identity, &image, err);
    if (code < 0)
        return code;
    rj_image_array_t *array = make_array(old->count + 1, old->version + 1);
    if (array == NULL) {
        rj_image_release(&image->lingering);
        return rj_fail(err, -ENOMEM, "image: out of memory");
    }
    tell(subscription, subscription->handlers.on_available, image);
    if (rj_subscription_is_closed(subscription)) { /* by the handler */
        free(array);
        rj_image_release(&image->lingering);
        return 0;
    }
    memcpy(array->images, old->images, old->count * sizeof(old->images[0]));
    array->images[old->count] = image;
    swap_array(subscription, array);
    return 0;
}

/* Shuts an image that is in no array any more. */
static void retire_image(rj_subscription_t *subscription, rj_image_t *image)
{
    rj_image_shut(image);
    tell(subscription, subscription->handlers.on_unavailable, image);
    rj_client_linger(subscription->client, &image->lingering, rj_image_release, subscription,
                     current(subscription)->version);
}

int rj_subscription_remove_image(rj_subscription_t *subscription, int64_t correlation_id)
{
    rj_image_array_t *old = current(subscription);
    size_t index = find_image(old, correlation_id);
    if (index == old->count)
        return -ENOENT;
    rj_image_array_t *array = make_array(old->count - 1, old->version + 1);
    if (array == NULL) {
        /* It stays in the array, shut: polls find nothing in it. */
        rj_image_shut(old->images[index]);
        return -ENOMEM;
    }
    rj_image_t *image = old->images[index];
    memcpy(array->images, old->images, index * sizeof(old->images[0]));
    memcpy(array->images + index, old->images + index + 1,
           (array->count - index) * sizeof(old->images[0]));
    swap_array(subscription, array);
    retire_image(subscription, image);
    return 0;
}

void rj_subscription_force_close(rj_subscription_t *subscription)
{
    atomic_store_explicit(&subscription->is_closed, true, memory_order_release);
    while (current(subscription)->count > 0)
        if (rj_subscription_remove_image(subscription,
                                         current(subscription)->images[0]->info.correlation_id) < 0)
            return;
}

void rj_subscription_release(rj_lingering_t *lingering)
{
    rj_subscription_t *subscription = (rj_subscription_t *)(void *)lingering;
    rj_image_array_t *array = current(subscription);
    for (size_t i = 0; i < array->count; i++)
        rj_image_release(&array->images[i]->lingering);
    free(array);
    free(subscription);
}

void rj_subscription_close(rj_subscription_t *subscription)
{
    if (subscription == NULL)
        return;
    rj_client_t *client = subscription->client;
    rj_client_lock(client);
    rj_subscription_t **at = &client->subscriptions;
    while (*at != subscription)
        at = &(*at)->next;
    *at = subscription->next;
    if (!rj_subscription_is_closed(subscription)) {
        rj_subscription_force_close(subscription);
        rj_client_send_removal(client, RJ_COMMAND_REMOVE_SUBSCRIPTION,
                               subscription->info.registration_id);
    }
    rj_client_linger(client, &subscription->lingering, rj_subscription_release, NULL, 0);
    rj_client_unlock(client);
}

const rj_subscription_info_t *rj_subscription_info(const rj_subscription_t *subscription)
{
    return &subscription->info;
}

/* Acquire: pairs with the release in rj_subscription_force_close. */
bool rj_subscription_is_closed(const rj_subscription_t *subscription)
{
    return atomic_load_explicit(&subscription->is_closed, memory_order_acquire);
}

/* The array for the poller to use until its next call. */
static inline const rj_image_array_t *see_images(rj_subscription_t *subscription)
{
    const rj_image_array_t *array =
        atomic_load_explicit(&subscription->images, memory_order_acquire);
    /* Release: pairs with the acquire in rj_client_free_lingering; older arrays are out of use. */
    if (atomic_load_explicit(&subscription->version_seen, memory_order_relaxed) != array->version)
        atomic_store_explicit(&subscription->version_seen, array->version, memory_order_release);
    return array;
}

/* Every poll starts with another image, so that none starves behind a busy one. */
static inline size_t next_first(rj_subscription_t *subscription, size_t count)
{
    size_t first = subscription->next_index < count ? subscription->next_index : 0;
    subscription->next_index = first + 1;
    return first;
}

int rj_subscription_poll(rj_subscription_t *subscription, rj_fragment_handler_t handler, void *user,
                         int fragment_limit)
{
    if (__builtin_expect(rj_subscription_is_closed(subscription), 0))
        return -ESHUTDOWN;
    const rj_image_array_t *array = see_images(subscription);
    size_t first = next_first(subscription, array->count);
    int fragments = 0;
    for (size_t i = first; i < array->count && fragments < fragment_limit; i++)
        fragments += rj_image_poll(array->images[i], handler, user, fragment_limit - fragments);
    for (size_t i = 0; i < first && fragments < fragment_limit; i++)
        fragments += rj_image_poll(array->images[i], handler, user, fragment_limit - fragments);
    return fragments;
}

int rj_subscription_controlled_poll(rj_subscription_t *subscription,
                                    rj_controlled_handler_t handler, void *user, int fragment_limit)
{
    if (__builtin_expect(rj_subscription_is_closed(subscription), 0))
        return -ESHUTDOWN;
    const rj_image_array_t *array = see_images(subscription);
    size_t first = next_first(subscription, array->count);
    int fragments = 0;
    for (size_t n = 0; n < array->count && fragments < fragment_limit; n++) {
        size_t i = first + n < array->count ? first + n : first + n - array->count;
        fragments +=
            rj_image_controlled_poll(array->images[i], handler, user, fragment_limit - fragments);
    }
    return fragments;
}

int64_t rj_subscription_block_poll(rj_subscription_t *subscription, rj_block_handler_t handler,
                                   void *user, int32_t length_limit)
{
    if (__builtin_expect(rj_subscription_is_closed(subscription), 0))
        return -ESHUTDOWN;
    const rj_image_array_t *array = see_images(subscription);
    int64_t bytes = 0;
    for (size_t i = 0; i < array->count; i++)
        bytes += rj_image_block_poll(array->images[i], handler, user, length_limit);
    return bytes;
}

/* Whoever is not the poller looks at the images under the lock: nothing says when it is done. */
bool rj_subscription_is_connected(const rj_subscription_t *subscription)
{
    bool is_connected = false;
    rj_client_lock(subscription->client);
    const rj_image_array_t *array = current(subscription);
    for (size_t i = 0; i < array->count && !is_connected; i++)
        is_connected =
            !rj_image_is_closed(array->images[i]) && !rj_image_is_end_of_stream(array->images[i]);
    rj_client_unlock(subscription->client);
    return is_connected;
}

size_t rj_subscription_image_count(const rj_subscription_t *subscription)
{
    rj_client_lock(subscription->client);
    size_t count = current(subscription)->count;
    rj_client_unlock(subscription->client);
    return count;
}

rj_image_t *rj_subscription_image_at(rj_subscription_t *subscription, size_t index)
{
    const rj_image_array_t *array = see_images(subscription);
    return index < array->count ? array->images[index] : NULL;
}

rj_image_t *rj_subscription_image_by_session(rj_subscription_t *subscription, int32_t session_id)
{
    const rj_image_array_t *array = see_images(subscription);
    for (size_t i = 0; i < array->count; i++)
        if (array->images[i]->info.session_id == session_id)
            return array->images[i];
    return NULL;
}
