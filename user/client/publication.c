/* SPDX-License-Identifier: Apache-2.0 */
#include "client/client.h"
#include "client/client_commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)RJ_OFFER_NOT_CONNECTED == (int)RJ_APPEND_NOT_CONNECTED &&
                   (int)RJ_OFFER_BACK_PRESSURED == (int)RJ_APPEND_BACK_PRESSURED &&
                   (int)RJ_OFFER_ADMIN_ACTION == (int)RJ_APPEND_ADMIN_ACTION &&
                   (int)RJ_OFFER_CLOSED == (int)RJ_APPEND_CLOSED &&
                   (int)RJ_OFFER_MAX_POSITION_EXCEEDED == (int)RJ_APPEND_MAX_POSITION_EXCEEDED &&
                   (int)RJ_OFFER_ERROR == (int)RJ_APPEND_ERROR,
               "offers pass on what the log answers");

enum { PARTS_MAX = 1024 };

int rj_publication_create(rj_client_t *client, const rj_request_t *request,
                          const rj_event_publication_ready_t *event, const char *log_path,
                          rj_publication_t **ret_publication, rj_err_t *err)
{
    const int64_t *limit = rj_client_counter_address(client, event->publication_limit_counter_id);
    if (limit == NULL)
        return rj_fail(err, -EPROTO, "publication %lld: the driver named counter %d as its limit",
                       (long long)event->correlation_id, event->publication_limit_counter_id);
    size_t channel_bytes = strlen(request->channel) + 1;
    rj_publication_t *publication = calloc(1, sizeof(*publication) + channel_bytes);
    if (publication == NULL)
        return rj_fail(err, -ENOMEM, "publication: out of memory");
    int code = rj_mapped_log_acquire(&client->logs, log_path, &publication->mapped, err);
    if (code < 0) {
        free(publication);
        return code;
    }
    const rj_log_t *log = &publication->mapped->log;
    publication->client = client;
    publication->kind = request->publication_kind;
    publication->log = log;
    publication->limit = limit;
    if (publication->kind == RJ_PUBLICATION_EXCLUSIVE)
        rj_exclusive_init(&publication->exclusive, log);
    memcpy(publication->channel, request->channel, channel_bytes);
    publication->info = (rj_publication_info_t){
        .channel = publication->channel,
        .registration_id = event->correlation_id,
        .original_registration_id = event->registration_id,
        .stream_id = event->stream_id,
        .session_id = event->session_id,
        .initial_term_id = log->initial_term_id,
        .term_length = log->term_length,
        .mtu_length = log->mtu_length,
        .channel_status_id = event->channel_status_counter_id,
        .payload_length_max = (size_t)log->payload_length_max,
        .message_length_max = (size_t)log->message_length_max,
        .position_max = rj_position_limit(log->term_length),
        .kind = publication->kind,
    };
    publication->next = client->publications;
    client->publications = publication;
    *ret_publication = publication;
    return 0;
}

const rj_publication_info_t *rj_publication_info(const rj_publication_t *publication)
{
    return &publication->info;
}

/* Acquire: pairs with the release in rj_publication_force_close; what is offered after it is
 * refused. */
static inline bool is_closed(const rj_publication_t *publication)
{
    return atomic_load_explicit(&publication->is_closed, memory_order_acquire);
}

static inline int64_t append(rj_publication_t *publication, const struct iovec *parts,
                             size_t part_count, int64_t reserved_value)
{
    if (__builtin_expect(is_closed(publication), 0))
        return RJ_OFFER_CLOSED;
    int64_t limit = rj_counter_get(publication->limit);
    return publication->kind == RJ_PUBLICATION_EXCLUSIVE
               ? rj_exclusive_append(&publication->exclusive, limit, parts, (int)part_count,
                                     reserved_value)
               : rj_append_shared(publication->log, limit, parts, (int)part_count, reserved_value);
}

int64_t rj_publication_offer(rj_publication_t *publication, const void *message, size_t length)
{
    /* An iovec has no const; nobody writes through it. */
    struct iovec part = {.iov_base = (void *)(uintptr_t)message, .iov_len = length};
    return append(publication, &part, 1, 0);
}

int64_t rj_publication_offer_vector(rj_publication_t *publication, const struct iovec *parts,
                                    size_t part_count, int64_t reserved_value)
{
    if (part_count > PARTS_MAX)
        return RJ_OFFER_ERROR;
    return append(publication, parts, part_count, reserved_value);
}

int64_t rj_publication_try_claim(rj_publication_t *publication, size_t length,
                                 rj_offer_claim_t *claim)
{
    if (__builtin_expect(is_closed(publication), 0))
        return RJ_OFFER_CLOSED;
    if (length > (size_t)publication->log->payload_length_max)
        return RJ_OFFER_ERROR;
    int64_t limit = rj_counter_get(publication->limit);
    rj_claim_t claimed;
    int64_t position =
        publication->kind == RJ_PUBLICATION_EXCLUSIVE
            ? rj_exclusive_claim(&publication->exclusive, limit, (int32_t)length, &claimed)
            : rj_append_shared_claim(publication->log, limit, (int32_t)length, &claimed);
    if (position > 0) {
        claim->payload = claimed.payload;
        claim->length = length;
    }
    return position;
}

static rj_claim_t log_claim(const rj_offer_claim_t *claim)
{
    return (rj_claim_t){
        .frame = claim->payload - RJ_DATA_HEADER_BYTES,
        .payload = claim->payload,
        .payload_length = (int32_t)claim->length,
    };
}

void rj_offer_claim_set_reserved_value(rj_offer_claim_t *claim, int64_t reserved_value)
{
    rj_claim_t claimed = log_claim(claim);
    rj_claim_set_reserved_value(&claimed, reserved_value);
}

void rj_offer_claim_commit(rj_offer_claim_t *claim)
{
    rj_claim_t claimed = log_claim(claim);
    rj_claim_commit(&claimed);
}

void rj_offer_claim_abort(rj_offer_claim_t *claim)
{
    rj_claim_t claimed = log_claim(claim);
    rj_claim_abort(&claimed);
}

int64_t rj_publication_position(const rj_publication_t *publication)
{
    if (is_closed(publication))
        return RJ_OFFER_CLOSED;
    if (publication->kind == RJ_PUBLICATION_EXCLUSIVE)
        return rj_exclusive_position(&publication->exclusive);
    return rj_append_shared_position(publication->log);
}

int64_t rj_publication_position_limit(const rj_publication_t *publication)
{
    return is_closed(publication) ? RJ_OFFER_CLOSED : rj_counter_get(publication->limit);
}

bool rj_publication_is_connected(const rj_publication_t *publication)
{
    return !is_closed(publication) && rj_log_is_connected(publication->log);
}

bool rj_publication_is_closed(const rj_publication_t *publication)
{
    return is_closed(publication);
}

void rj_publication_force_close(rj_publication_t *publication)
{
    atomic_store_explicit(&publication->is_closed, true, memory_order_release);
}

void rj_publication_release(rj_lingering_t *lingering)
{
    rj_publication_t *publication = (rj_publication_t *)(void *)lingering;
    rj_mapped_log_release(publication->mapped);
    free(publication);
}

static void end(rj_publication_t *publication, bool is_revoked)
{
    if (publication == NULL)
        return;
    rj_client_t *client = publication->client;
    rj_client_lock(client);
    rj_publication_t **at = &client->publications;
    while (*at != publication)
        at = &(*at)->next;
    *at = publication->next;
    if (!is_closed(publication)) {
        rj_publication_force_close(publication);
        if (is_revoked)
            rj_client_send_revocation(client, publication->info.registration_id);
        else
            rj_client_send_removal(client, RJ_COMMAND_REMOVE_PUBLICATION,
                                   publication->info.registration_id);
    }
    rj_client_linger(client, &publication->lingering, rj_publication_release, NULL, 0);
    rj_client_unlock(client);
}

void rj_publication_close(rj_publication_t *publication)
{
    end(publication, false);
}

void rj_publication_revoke(rj_publication_t *publication)
{
    end(publication, true);
}
