/* SPDX-License-Identifier: Apache-2.0 */
/* peer_ours.h - what the parts of our peer share; README.md has the protocol.
 *
 * Units      lengths in bytes, times as the names say.
 * Ownership  a request borrows its line; answers are written to stdout at once.
 * Thread     one, but for the threads of a sender.
 * Errors     false, with the answer's text in `failure`.
 */
#ifndef RJ_TESTS_INTEROP_PEER_OURS_H
#define RJ_TESTS_INTEROP_PEER_OURS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ramjet/ramjet.h>

enum { PEER_HEADER_LENGTH = 24, PEER_REASON_BYTES = 512 };

typedef struct peer_failure {
    char text[PEER_REASON_BYTES];
    int code;
} peer_failure_t;

/* Returns false, so that a function can end by it. */
bool peer_fail(peer_failure_t *failure, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

enum { PEER_WORDS_MAX = 16 };

typedef struct peer_request {
    const char *verb;
    const char *words[PEER_WORDS_MAX]; /* name=value */
    int word_count;
    int64_t deadline_ns;
    peer_failure_t *failure;
} peer_request_t;

/* NULL when it is not there. */
const char *peer_text(const peer_request_t *request, const char *name);
int64_t peer_number(const peer_request_t *request, const char *name, int64_t otherwise);
bool peer_is_late(const peer_request_t *request);

/* Sleeps for a moment; false, and the request failed, when its time is over. */
bool peer_wait(const peer_request_t *request, const char *what);

/* A group of one channel, a stream each. */
typedef struct peer_publications {
    rj_publication_t **all;
    size_t count;
} peer_publications_t;

/* What came since a subscription was added, by session and seed. */
typedef struct peer_order {
    int32_t session_id;
    uint64_t seed;
    uint64_t next;
} peer_order_t;

typedef struct peer_subscriptions {
    rj_subscription_t **all;
    size_t count;
    rj_assembler_t *assembler;
    peer_order_t *orders;
    size_t order_count;
    int64_t available_count;
    int64_t unavailable_count;
    struct peer_receipt *receipt; /* of the request at hand */
} peer_subscriptions_t;

typedef struct peer_sum {
    uint64_t messages;
    uint64_t bytes;
    uint64_t digest;
    uint64_t waits;
    uint64_t gaps;
} peer_sum_t;

bool peer_send(const peer_publications_t *publications, const peer_request_t *request,
               peer_sum_t *ret_sum);
bool peer_receive(peer_subscriptions_t *subscriptions, const peer_request_t *request,
                  peer_sum_t *ret_sum);

/* The handler of the assembler of subscriptions, which are its user. */
void peer_on_message(void *subscriptions, const uint8_t *payload, size_t length,
                     const rj_header_t *header);

/* FNV-1a over words. Digests of messages are added up, so their order does not matter. */
uint64_t peer_digest(const uint8_t *message, size_t length);

#endif
