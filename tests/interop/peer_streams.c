/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs `send` and `recv` of our peer. In `send`, job j publishes the stream seed + j through
 * publication j modulo their number; threads share the jobs out, and each takes turns between its
 * own. */
#include "base/clock.h"
#include "tests/fixtures/message_stream.h"
#include "tests/interop/peer_ours.h"

#include <endian.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRAGMENT_LIMIT = 64 };
#define NS_PER_S 1e9

uint64_t peer_digest(const uint8_t *message, size_t length)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t i = 0; i < length; i += 8) {
        uint64_t word = 0;
        memcpy(&word, message + i, length - i < 8 ? length - i : 8);
        hash = (hash ^ le64toh(word)) * 0x100000001b3;
    }
    hash = (hash ^ length) * 0x100000001b3;
    hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9;
    hash = (hash ^ (hash >> 27)) * 0x94d049bb133111eb;
    return hash ^ (hash >> 31);
}

/* ---- send ---- */

typedef struct share {
    const peer_publications_t *publications;
    const peer_request_t *request;
    size_t first_job;
    size_t job_count; /* of all threads */
    size_t step;
    peer_sum_t sum;
    bool is_good;
    peer_failure_t failure;
    pthread_t thread;
} share_t;

/* The ways take turns; a claim only where it fits. */
static int64_t offer(rj_publication_t *publication, int64_t sequence, uint8_t *message,
                     size_t length)
{
    if (sequence % 4 == 1 && length <= rj_publication_info(publication)->payload_length_max) {
        rj_offer_claim_t claim;
        int64_t result = rj_publication_try_claim(publication, length, &claim);
        if (result > 0) {
            memcpy(claim.payload, message, length);
            rj_offer_claim_commit(&claim);
        }
        return result;
    }
    if (sequence % 4 == 2) {
        struct iovec parts[] = {{message, length / 3}, {message + length / 3, length - length / 3}};
        return rj_publication_offer_vector(publication, parts, 2, 0);
    }
    return rj_publication_offer(publication, message, length);
}

static bool publish(share_t *share, const peer_request_t *request, rj_publication_t *publication,
                    int64_t sequence, uint8_t *message, size_t length)
{
    for (;;) {
        int64_t result = offer(publication, sequence, message, length);
        if (result > 0)
            return true;
        if (result == RJ_OFFER_BACK_PRESSURED) {
            share->sum.waits++;
            if (!peer_wait(request, "room for a message"))
                return false;
        } else if (result != RJ_OFFER_ADMIN_ACTION || peer_is_late(request)) {
            return peer_fail(&share->failure, 0, "message %" PRId64 ": %" PRId64, sequence, result);
        }
    }
}

static bool send_one(share_t *share, const peer_request_t *request, rj_message_stream_t *stream,
                     size_t job, int64_t sequence)
{
    rj_publication_t *publication = share->publications->all[job % share->publications->count];
    stream->seed = (uint64_t)peer_number(request, "seed", 1) + job;
    size_t length = rj_message_stream_make(stream, (uint64_t)sequence);
    if (!publish(share, request, publication, sequence, stream->message, length))
        return false;
    share->sum.messages++;
    share->sum.bytes += length;
    share->sum.digest += peer_digest(stream->message, length);
    return true;
}

static bool set_lengths(rj_message_stream_t *stream, const char *size, peer_failure_t *failure)
{
    if (size == NULL || strcmp(size, "mix") == 0)
        return true;
    char *end;
    stream->length_min = strtoul(size, &end, 10);
    stream->length_max = *end == '-' ? strtoul(end + 1, &end, 10) : stream->length_min;
    if (*end == '\0' && stream->length_min >= PEER_HEADER_LENGTH &&
        stream->length_min <= stream->length_max && stream->length_max <= RJ_MESSAGE_LENGTH_MAX)
        return true;
    return peer_fail(failure, 0, "size= is mix, N or N-M");
}

static void *run_share(void *argument)
{
    share_t *share = argument;
    peer_request_t request = *share->request;
    request.failure = &share->failure;
    rj_message_stream_t *stream = calloc(1, sizeof(*stream));
    int64_t count = peer_number(&request, "count", 0);
    int64_t from = peer_number(&request, "from", 0);
    double rate = (double)peer_number(&request, "rate", 0);
    int64_t start_ns = rj_clock_mono_ns();
    bool good = stream != NULL && set_lengths(stream, peer_text(&request, "size"), &share->failure);
    for (int64_t i = 0; good && i < count; i++) {
        for (size_t job = share->first_job; good && job < share->job_count; job += share->step) {
            while (rate > 0 && (double)(rj_clock_mono_ns() - start_ns) <
                                   (double)share->sum.messages * NS_PER_S / rate)
                rj_clock_sleep_ns(50000);
            good = send_one(share, &request, stream, job, from + i);
        }
    }
    free(stream);
    share->is_good = good;
    return NULL;
}

bool peer_send(const peer_publications_t *publications, const peer_request_t *request,
               peer_sum_t *ret_sum)
{
    enum { THREADS_MAX = 16 };
    share_t shares[THREADS_MAX] = {0};
    int64_t wanted = peer_number(request, "threads", 1);
    size_t thread_count = wanted < 1 ? 1 : wanted > THREADS_MAX ? THREADS_MAX : (size_t)wanted;
    size_t started = 0;
    bool good = true;
    for (; started < thread_count; started++) {
        share_t *share = &shares[started];
        *share = (share_t){
            .publications = publications,
            .request = request,
            .first_job = started,
            .job_count = publications->count > thread_count ? publications->count : thread_count,
            .step = thread_count,
        };
        if (pthread_create(&share->thread, NULL, run_share, share) != 0)
            break;
    }
    for (size_t i = 0; i < started; i++) {
        share_t *share = &shares[i];
        pthread_join(share->thread, NULL);
        ret_sum->messages += share->sum.messages;
        ret_sum->bytes += share->sum.bytes;
        ret_sum->digest += share->sum.digest;
        ret_sum->waits += share->sum.waits;
        if (!share->is_good && good) {
            *request->failure = share->failure;
            good = false;
        }
    }
    if (started < thread_count)
        return peer_fail(request->failure, 0, "no thread");
    return good;
}

/* ---- recv ---- */

typedef struct peer_receipt {
    peer_sum_t sum;
    uint64_t count;
    bool allows_gaps;
    bool is_wrong;
    peer_failure_t *failure;
} peer_receipt_t;

static void complain(peer_receipt_t *receipt, const char *what, uint64_t sequence, uint64_t other)
{
    if (!receipt->is_wrong)
        peer_fail(receipt->failure, 0, "message %" PRIu64 " %s %" PRIu64, sequence, what, other);
    receipt->is_wrong = true;
}

/* NULL when there is no memory. A stream not heard of before may begin anywhere. */
static peer_order_t *order_of(peer_subscriptions_t *subscriptions, int32_t session_id,
                              uint64_t seed, uint64_t sequence)
{
    /* Messages of one stream come in runs, and new streams are appended. */
    for (size_t i = subscriptions->order_count; i-- > 0;) {
        peer_order_t *order = &subscriptions->orders[i];
        if (order->session_id == session_id && order->seed == seed)
            return order;
    }
    size_t size = (subscriptions->order_count + 1) * sizeof(*subscriptions->orders);
    peer_order_t *orders = realloc(subscriptions->orders, size);
    if (orders == NULL)
        return NULL;
    subscriptions->orders = orders;
    peer_order_t *order = &orders[subscriptions->order_count++];
    *order = (peer_order_t){.session_id = session_id, .seed = seed, .next = sequence};
    return order;
}

static uint64_t field(const uint8_t *message, size_t offset)
{
    uint64_t value;
    memcpy(&value, message + offset, sizeof(value));
    return le64toh(value);
}

void peer_on_message(void *user, const uint8_t *payload, size_t length, const rj_header_t *header)
{
    peer_subscriptions_t *subscriptions = user;
    peer_receipt_t *receipt = subscriptions->receipt;
    if (length < PEER_HEADER_LENGTH) {
        complain(receipt, "has bytes", 0, length);
        return;
    }
    uint64_t sequence = field(payload, 0);
    if (field(payload, 8) != length)
        complain(receipt, "has bytes", sequence, length);
    peer_order_t *order =
        order_of(subscriptions, rj_header_session_id(header), field(payload, 16), sequence);
    if (order == NULL) {
        complain(receipt, "finds no memory after streams", sequence, subscriptions->order_count);
        return;
    }
    if (sequence < order->next)
        complain(receipt, "came when this was next:", sequence, order->next);
    else if (sequence > order->next && !receipt->allows_gaps)
        complain(receipt, "came instead of", sequence, order->next);
    receipt->sum.gaps += sequence - order->next;
    order->next = sequence + 1;
    receipt->sum.messages++;
    receipt->sum.bytes += length;
    receipt->sum.digest += peer_digest(payload, length);
    if (receipt->sum.messages > receipt->count)
        complain(receipt, "is one too many after", sequence, receipt->count);
}

static bool all_ended(const peer_subscriptions_t *subscriptions)
{
    for (size_t i = 0; i < subscriptions->count; i++) {
        rj_image_t *image;
        for (size_t k = 0; (image = rj_subscription_image_at(subscriptions->all[i], k)) != NULL;
             k++) {
            if (!rj_image_is_end_of_stream(image))
                return false;
        }
    }
    return true;
}

/* Polls no further than asked: what comes behind belongs to the next request. */
static int poll_all(const peer_subscriptions_t *subscriptions, int limit_max, bool awaits_end)
{
    int fragments = 0;
    for (size_t i = 0; i < subscriptions->count; i++) {
        const peer_receipt_t *receipt = subscriptions->receipt;
        uint64_t left =
            receipt->count > receipt->sum.messages ? receipt->count - receipt->sum.messages : 0;
        int limit = !awaits_end && left < (uint64_t)limit_max ? (int)left : limit_max;
        if (limit == 0)
            break;
        int result = rj_subscription_poll(subscriptions->all[i], rj_assembler_on_fragment,
                                          subscriptions->assembler, limit);
        if (result > 0)
            fragments += result;
    }
    return fragments;
}

bool peer_receive(peer_subscriptions_t *subscriptions, const peer_request_t *request,
                  peer_sum_t *ret_sum)
{
    peer_receipt_t receipt = {
        .count = (uint64_t)peer_number(request, "count", 0),
        .allows_gaps = peer_number(request, "gaps", 0) != 0,
        .failure = request->failure,
    };
    bool awaits_end = peer_number(request, "eos", 0) != 0;
    int64_t rate = peer_number(request, "rate", 0);
    bool had_images = receipt.count == 0;
    subscriptions->receipt = &receipt;
    for (;;) {
        int fragments = poll_all(subscriptions, rate > 0 ? 1 : FRAGMENT_LIMIT, awaits_end);
        if (receipt.is_wrong)
            return false;
        had_images |= fragments > 0;
        if (receipt.sum.messages >= receipt.count &&
            (!awaits_end || (had_images && fragments == 0 && all_ended(subscriptions))))
            break;
        if (rate > 0)
            rj_clock_sleep_ns(INT64_C(1000000000) / rate);
        if ((fragments == 0 || peer_is_late(request)) &&
            !peer_wait(request, "messages or the end of the stream"))
            return peer_fail(request->failure, 0,
                             "timeout: %" PRIu64 " messages of %" PRIu64 " have come",
                             receipt.sum.messages, receipt.count);
    }
    *ret_sum = receipt.sum;
    return true;
}
