/* SPDX-License-Identifier: Apache-2.0 */
#include "client/client.h"

#include "base/bits.h"
#include "shm/term_frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What was just written sits in another core's cache. Asking for the lines of frames to come while
 * this one is handled halves the CPU time of small messages. */
enum { PREFETCH_BYTES = 1024 };

/* The poller keeps its position to itself and only tells it by the counter: what others write there
 * must not move a read outside the log. */

int rj_image_create(rj_subscription_t *subscription, const rj_event_available_image_t *event,
                    const char *log_path, const char *source_identity, rj_image_t **ret_image,
                    rj_err_t *err)
{
    rj_client_t *client = subscription->client;
    int64_t *position = rj_client_counter_address(client, event->subscriber_position_id);
    int64_t join_position = position != NULL ? rj_counter_get(position) : -1;
    if (join_position < 0 || !rj_is_aligned(join_position, RJ_FRAME_ALIGNMENT))
        return rj_fail(err, -EPROTO, "image %lld: the driver named counter %d as its position",
                       (long long)event->correlation_id, event->subscriber_position_id);
    size_t source_bytes = strlen(source_identity) + 1;
    rj_image_t *image = calloc(1, sizeof(*image) + source_bytes);
    if (image == NULL)
        return rj_fail(err, -ENOMEM, "image: out of memory");
    int code = rj_mapped_log_acquire(&client->logs, log_path, &image->mapped, err);
    if (code < 0) {
        free(image);
        return code;
    }
    const rj_log_t *log = &image->mapped->log;
    image->log = log;
    image->position = position;
    image->position_own = join_position;
    image->subscription = subscription;
    memcpy(image->source_identity, source_identity, source_bytes);
    image->info = (rj_image_info_t){
        .source_identity = image->source_identity,
        .correlation_id = event->correlation_id,
        .join_position = join_position,
        .session_id = event->session_id,
        .stream_id = event->stream_id,
        .initial_term_id = log->initial_term_id,
        .term_length = log->term_length,
        .mtu_length = log->mtu_length,
        .subscriber_position_id = event->subscriber_position_id,
    };
    *ret_image = image;
    return 0;
}

void rj_image_release(rj_lingering_t *lingering)
{
    rj_image_t *image = (rj_image_t *)(void *)lingering;
    rj_mapped_log_release(image->mapped);
    free(image);
}

/* Acquire: pairs with the release in rj_image_shut. The counter may be another's soon after. */
static inline bool is_closed(const rj_image_t *image)
{
    return atomic_load_explicit(&image->is_closed, memory_order_acquire);
}

void rj_image_shut(rj_image_t *image)
{
    image->position_final = rj_counter_get(image->position);
    image->end_of_stream_final = rj_log_end_of_stream(image->log);
    image->is_revoked_final = rj_log_is_revoked(image->log);
    atomic_store_explicit(&image->is_closed, true, memory_order_release);
}

/* Tells the driver how far this poller is. Release: pairs with the acquire of the driver's
 * conductor, which may clean what lies below. */
static inline void move_to(rj_image_t *image, int64_t position)
{
    if (position == image->position_own)
        return;
    image->position_own = position;
    if (!is_closed(image))
        rj_store_release_i64(image->position, position);
}

/* The length of the frame at `offset`, or 0 when none is complete there. A frame has a header and
 * ends inside the term: one comparison, for what is too short or negative wraps to a large number.
 */
static inline int32_t complete_frame(rj_image_t *image, const uint8_t *term, int32_t offset)
{
    int32_t length = rj_frame_length(term, offset);
    __builtin_prefetch(term + offset + PREFETCH_BYTES);
    uint32_t left = (uint32_t)(image->log->term_length - offset);
    if (__builtin_expect((uint32_t)length - RJ_DATA_HEADER_BYTES > left - RJ_DATA_HEADER_BYTES,
                         0)) {
        if (length > 0)
            atomic_store_explicit(&image->is_damaged, true, memory_order_relaxed);
        return 0;
    }
    return length;
}

static inline int32_t next_offset(int32_t offset, int32_t frame_length)
{
    return (int32_t)(offset + rj_frame_aligned_length(frame_length));
}

/* The fragments from the position up to `offset_end` of its term. */
static int poll_term(rj_image_t *image, rj_fragment_handler_t handler, void *user,
                     int32_t offset_end, int fragment_limit)
{
    const int64_t position = image->position_own;
    const uint8_t *term = rj_log_term(image->log, position);
    const int32_t offset_begin = rj_position_term_offset(position, image->log->term_mask);
    int32_t offset = offset_begin;
    int fragments = 0;
    rj_header_t header = {.image = image};

    while (fragments < fragment_limit && offset < offset_end && !is_closed(image)) {
        int32_t length = complete_frame(image, term, offset);
        if (length == 0)
            break;
        const uint8_t *frame = term + offset;
        offset = next_offset(offset, length);
        if (__builtin_expect(rj_frame_type(frame, 0) == RJ_FRAME_TYPE_PAD, 0))
            continue;
        fragments++;
        header.frame = frame;
        handler(user, frame + RJ_DATA_HEADER_BYTES, (size_t)length - RJ_DATA_HEADER_BYTES, &header);
    }
    move_to(image, position + (offset - offset_begin));
    return fragments;
}

int rj_image_poll(rj_image_t *image, rj_fragment_handler_t handler, void *user, int fragment_limit)
{
    return poll_term(image, handler, user, image->log->term_length, fragment_limit);
}

int rj_image_bounded_poll(rj_image_t *image, rj_fragment_handler_t handler, void *user,
                          int64_t position_limit, int fragment_limit)
{
    int64_t position = image->position_own;
    if (position_limit <= position)
        return 0;
    int64_t offset_end =
        rj_position_term_offset(position, image->log->term_mask) + (position_limit - position);
    if (offset_end > image->log->term_length)
        offset_end = image->log->term_length;
    return poll_term(image, handler, user, (int32_t)offset_end, fragment_limit);
}

int rj_image_controlled_poll(rj_image_t *image, rj_controlled_handler_t handler, void *user,
                             int fragment_limit)
{
    int64_t position = image->position_own; /* of `offset` */
    const int32_t term_length = image->log->term_length;
    const uint8_t *term = rj_log_term(image->log, position);
    int32_t offset = rj_position_term_offset(position, image->log->term_mask);
    int fragments = 0;
    rj_action_t action = RJ_ACTION_CONTINUE;
    rj_header_t header = {.image = image};

    while (action != RJ_ACTION_BREAK && fragments < fragment_limit && offset < term_length &&
           !is_closed(image)) {
        int32_t length = complete_frame(image, term, offset);
        if (length == 0)
            break;
        const uint8_t *frame = term + offset;
        if (rj_frame_type(frame, 0) != RJ_FRAME_TYPE_PAD) {
            header.frame = frame;
            action = handler(user, frame + RJ_DATA_HEADER_BYTES,
                             (size_t)length - RJ_DATA_HEADER_BYTES, &header);
            if (action == RJ_ACTION_ABORT)
                break;
            fragments++;
        }
        int32_t next = next_offset(offset, length);
        position += next - offset;
        offset = next;
        if (action == RJ_ACTION_COMMIT)
            move_to(image, position);
    }
    move_to(image, position);
    return fragments;
}

int64_t rj_image_block_poll(rj_image_t *image, rj_block_handler_t handler, void *user,
                            int32_t length_limit)
{
    if (is_closed(image))
        return 0;
    const int64_t position = image->position_own;
    const uint8_t *term = rj_log_term(image->log, position);
    const int32_t offset_begin = rj_position_term_offset(position, image->log->term_mask);
    int32_t term_id =
        rj_position_term_id(position, image->log->position_shift, image->log->initial_term_id);
    int32_t offset = offset_begin;
    int32_t left = image->log->term_length - offset_begin;
    int32_t limit = length_limit < left ? length_limit : left;

    while (offset - offset_begin < limit) {
        int32_t length = complete_frame(image, term, offset);
        if (length == 0)
            break;
        int32_t next = next_offset(offset, length);
        if (rj_frame_type(term, offset) == RJ_FRAME_TYPE_PAD) {
            /* Padding has no block: it is skipped when it comes first and ends a run otherwise. */
            if (offset == offset_begin)
                move_to(image, position + (next - offset_begin));
            break;
        }
        if (next - offset_begin > limit)
            break;
        offset = next;
    }
    if (offset == offset_begin)
        return 0;
    handler(user, term + offset_begin, (size_t)(offset - offset_begin), image, term_id);
    move_to(image, position + (offset - offset_begin));
    return offset - offset_begin;
}

const rj_image_info_t *rj_image_info(const rj_image_t *image)
{
    return &image->info;
}

rj_subscription_t *rj_image_subscription(const rj_image_t *image)
{
    return image->subscription;
}

int64_t rj_image_position(const rj_image_t *image)
{
    return is_closed(image) ? image->position_final : rj_counter_get(image->position);
}

int rj_image_set_position(rj_image_t *image, int64_t position)
{
    int64_t term_end = (image->position_own | image->log->term_mask) + 1;
    if (position < image->position_own || position > term_end ||
        !rj_is_aligned(position, RJ_FRAME_ALIGNMENT))
        return -EINVAL;
    move_to(image, position);
    return 0;
}

int64_t rj_image_end_of_stream_position(const rj_image_t *image)
{
    return is_closed(image) ? image->end_of_stream_final : rj_log_end_of_stream(image->log);
}

bool rj_image_is_end_of_stream(const rj_image_t *image)
{
    return rj_image_position(image) >= rj_image_end_of_stream_position(image);
}

bool rj_image_is_revoked(const rj_image_t *image)
{
    return is_closed(image) ? image->is_revoked_final : rj_log_is_revoked(image->log);
}

bool rj_image_is_closed(const rj_image_t *image)
{
    return is_closed(image);
}

int32_t rj_image_active_transport_count(const rj_image_t *image)
{
    return is_closed(image) ? 0 : rj_log_active_transports(image->log);
}

static inline const rj_wire_data_t *wire(const rj_header_t *header)
{
    return (const rj_wire_data_t *)(const void *)header->frame;
}

uint8_t rj_header_flags(const rj_header_t *header)
{
    return wire(header)->flags;
}

int32_t rj_header_session_id(const rj_header_t *header)
{
    return wire(header)->session_id;
}

int32_t rj_header_stream_id(const rj_header_t *header)
{
    return wire(header)->stream_id;
}

int32_t rj_header_term_id(const rj_header_t *header)
{
    return wire(header)->term_id;
}

int32_t rj_header_term_offset(const rj_header_t *header)
{
    return wire(header)->term_offset;
}

int64_t rj_header_reserved_value(const rj_header_t *header)
{
    return wire(header)->reserved_value;
}

int64_t rj_header_position(const rj_header_t *header)
{
    const rj_wire_data_t *frame = wire(header);
    int64_t begin =
        rj_position_pack(frame->term_id, frame->term_offset, header->image->log->position_shift,
                         header->image->log->initial_term_id);
    return begin + rj_frame_aligned_length(frame->frame_length);
}
