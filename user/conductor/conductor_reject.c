/* SPDX-License-Identifier: Apache-2.0 */
/* Readers that want no more of a stream, and what publishers hear of it (commands.md 5.10, 4.11;
 * driver.md 17; wire.md 19). */
#include "conductor/conductor_state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "proto/frame.h"

/* --- telling publishers --- */

/* Whoever reads the error log finds the reason there, once for each rejection. */
static void tell_publishers(rj_conductor_t *conductor, const rj_reply_publication_error_t *error)
{
    char source[RJ_ADDRESS_TEXT_BYTES];
    rj_address_print(&error->source, source);
    rj_conductor_report(conductor, error->error_code,
                        "publication rejected: registration_id=%" PRId64 " session_id=%" PRId32
                        " stream_id=%" PRId32 " receiver_id=%" PRId64 " source=%s: %.*s",
                        error->registration_id, error->session_id, error->stream_id,
                        error->receiver_id, source, error->text_bytes, error->text);
    rj_reply_publication_error(&conductor->to_clients, error);
}

void rj_conductor_on_publication_error(rj_conductor_t *conductor, const rj_engine_event_t *event)
{
    const rj_network_publication_config_t *config = &event->publication->config;
    const rj_engine_publication_error_t *error = &event->error;
    const rj_reply_publication_error_t reply = {.registration_id = config->registration_id,
                                                .destination_registration_id =
                                                    error->destination_registration_id,
                                                .session_id = config->session_id,
                                                .stream_id = config->stream_id,
                                                .receiver_id = error->receiver_id,
                                                .group_tag = error->group_tag,
                                                .source = error->source,
                                                .error_code = error->error_code,
                                                .text = error->text,
                                                .text_bytes = error->text_bytes};
    tell_publishers(conductor, &reply);
}

/* --- network images --- */

/* The frame that goes to the sender, as often as it has to; NULL without memory. */
static uint8_t *make_frame(const rj_network_image_config_t *config, const char *reason,
                           int32_t reason_bytes, uint32_t *ret_bytes)
{
    uint8_t *bytes = malloc(RJ_ERR_HEADER_BYTES + RJ_ERR_TEXT_BYTES_MAX);
    if (bytes == NULL)
        return NULL;
    const rj_frame_err_t frame = {.session_id = config->session_id,
                                  .stream_id = config->stream_id,
                                  .receiver_id = config->receiver_id,
                                  .has_group_tag = config->has_group_tag,
                                  .group_tag = config->has_group_tag ? config->group_tag : -1,
                                  .error_code = RJ_ERROR_IMAGE_REJECTED,
                                  .text = reason,
                                  .text_length = (size_t)reason_bytes};
    *ret_bytes = rj_frame_write_err(bytes, &frame);
    return bytes;
}

/* One that lingers has left its engine; one that was rejected stays so, for its first reason. */
static int reject_network(rj_conductor_t *conductor, rj_image_entry_t *entry, const char *reason,
                          int32_t reason_bytes, rj_err_t *err)
{
    rj_received_image_t *received = &entry->received;
    if (entry->state >= RJ_IMAGE_LINGER || entry->err_frame != NULL)
        return 0;
    entry->err_frame =
        make_frame(&received->image.config, reason, reason_bytes, &received->err_frame_bytes);
    if (entry->err_frame == NULL)
        return rj_fail(err, -ENOMEM, "out of memory for the reason of a rejection");
    received->err_frame = entry->err_frame;
    const rj_engine_command_t reject = {.type = RJ_ENGINE_REJECT_IMAGE, .image = &received->image};
    rj_conductor_tell(conductor, entry->engine, &reject);
    return 0;
}

/* --- IPC --- */

static void reject_ipc(rj_conductor_t *conductor, rj_ipc_entry_t *ipc, const char *reason,
                       int32_t reason_bytes)
{
    static const uint8_t loopback[] = {127, 0, 0, 1};
    const rj_ipc_publication_config_t *config = &ipc->publication.config;
    const rj_reply_publication_error_t error = {.registration_id = config->registration_id,
                                                .destination_registration_id = -1,
                                                .session_id = config->session_id,
                                                .stream_id = config->stream_id,
                                                .receiver_id = -1,
                                                .group_tag = -1,
                                                .source = rj_address_ipv4(loopback, 0),
                                                .error_code = RJ_ERROR_IMAGE_REJECTED,
                                                .text = reason,
                                                .text_bytes = reason_bytes};
    tell_publishers(conductor, &error);
    rj_conductor_cool_down_ipc(conductor, ipc);
}

/* --- either --- */

int rj_conductor_reject_image(rj_conductor_t *conductor, int64_t correlation_id, const char *reason,
                              int32_t reason_bytes, rj_err_t *err)
{
    rj_image_entry_t *image = rj_conductor_find_image(conductor, correlation_id);
    rj_ipc_entry_t *ipc = NULL;
    int result = 0;
    /* As Aeron: a text ends at its first zero, which the C client sends along. */
    reason_bytes = (int32_t)strnlen(reason, (size_t)reason_bytes);
    if (image != NULL)
        result = reject_network(conductor, image, reason, reason_bytes, err);
    else if ((ipc = rj_conductor_find_ipc(conductor, correlation_id)) != NULL)
        reject_ipc(conductor, ipc, reason, reason_bytes);
    else
        result =
            rj_fail_aeron(err, -ENOENT, RJ_ERROR_GENERIC,
                          "Unable to resolve image for correlationId=%" PRId64, correlation_id);
    if (result == 0)
        rj_system_counter_add(conductor->system, RJ_SYSTEM_IMAGES_REJECTED, 1);
    return result;
}
