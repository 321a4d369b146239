/* SPDX-License-Identifier: Apache-2.0 */
#include <ramjet/ramjet.h>
#include <ramjet/wire.h>

#include "base/bits.h"
#include "base/err.h"
#include "base/map64.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    MESSAGE_BYTES_MAX = 16 * 1024 * 1024, /* the protocol's limit (shm.md 11) */
    SESSIONS_FIRST = 16,
    CAPACITY_FIRST = 4096,
};

/* One publisher's message so far. A message lies in one term without a hole, so the place of its
 * next fragment is known; anything else there means that a part was lost. */
typedef struct session {
    bool is_open; /* a beginning was seen */
    int32_t term_id;
    int32_t next_term_offset;
    size_t length;
    size_t capacity;
    uint8_t *bytes;
} session_t;

struct rj_assembler {
    rj_fragment_handler_t handler;
    rj_controlled_handler_t controlled;
    void *user;
    size_t message_length_max;
    rj_map64_t sessions; /* session id -> session_t */
    uint64_t dropped_count;
};

int rj_assembler_open(rj_assembler_t **ret_assembler, rj_fragment_handler_t handler,
                      rj_controlled_handler_t controlled, void *user, size_t message_length_max,
                      rj_err_t *err)
{
    if (handler == NULL && controlled == NULL)
        return rj_fail(err, -EINVAL, "assembler: no handler given");
    rj_assembler_t *assembler = calloc(1, sizeof(*assembler));
    if (assembler == NULL)
        return rj_fail(err, -ENOMEM, "assembler: out of memory");
    int code = rj_map64_open(&assembler->sessions, SESSIONS_FIRST, err);
    if (code < 0) {
        free(assembler);
        return code;
    }
    assembler->handler = handler;
    assembler->controlled = controlled;
    assembler->user = user;
    assembler->message_length_max =
        message_length_max != 0 ? message_length_max : MESSAGE_BYTES_MAX;
    *ret_assembler = assembler;
    return 0;
}

static void free_session(session_t *session)
{
    if (session != NULL)
        free(session->bytes);
    free(session);
}

void rj_assembler_close(rj_assembler_t *assembler)
{
    if (assembler == NULL)
        return;
    size_t cursor = 0;
    int64_t key;
    session_t *session;
    while ((session = rj_map64_next(&assembler->sessions, &cursor, &key)) != NULL)
        free_session(session);
    rj_map64_close(&assembler->sessions);
    free(assembler);
}

void rj_assembler_forget(rj_assembler_t *assembler, int32_t session_id)
{
    free_session(rj_map64_remove(&assembler->sessions, session_id));
}

uint64_t rj_assembler_dropped_count(const rj_assembler_t *assembler)
{
    return assembler->dropped_count;
}

/* Moves all sessions to a map of twice the room. On failure nothing changed. */
static int double_sessions(rj_assembler_t *assembler)
{
    rj_map64_t bigger;
    int code = rj_map64_open(&bigger, assembler->sessions.count_max * 2, NULL);
    if (code < 0)
        return code;
    size_t cursor = 0;
    int64_t key;
    void *session;
    while ((session = rj_map64_next(&assembler->sessions, &cursor, &key)) != NULL)
        rj_map64_add(&bigger, key, session);
    rj_map64_close(&assembler->sessions);
    assembler->sessions = bigger;
    return 0;
}

static session_t *find_or_add_session(rj_assembler_t *assembler, int32_t session_id)
{
    session_t *session = rj_map64_find(&assembler->sessions, session_id);
    if (session != NULL)
        return session;
    if (assembler->sessions.count == assembler->sessions.count_max &&
        double_sessions(assembler) < 0)
        return NULL;
    session = calloc(1, sizeof(*session));
    if (session != NULL)
        rj_map64_add(&assembler->sessions, session_id, session);
    return session;
}

static bool reserve(const rj_assembler_t *assembler, session_t *session, size_t length)
{
    if (length > assembler->message_length_max)
        return false;
    if (length <= session->capacity)
        return true;
    size_t capacity = session->capacity != 0 ? session->capacity : CAPACITY_FIRST;
    while (capacity < length)
        capacity *= 2;
    uint8_t *bytes = realloc(session->bytes, capacity);
    if (bytes == NULL)
        return false;
    session->bytes = bytes;
    session->capacity = capacity;
    return true;
}

/* Adds one fragment. Returns its session when that completed a message, else NULL. */
static session_t *append(rj_assembler_t *assembler, const uint8_t *payload, size_t length,
                         const rj_header_t *header)
{
    uint8_t flags = rj_header_flags(header);
    int32_t term_offset = rj_header_term_offset(header);
    session_t *session = find_or_add_session(assembler, rj_header_session_id(header));
    if (session == NULL) {
        assembler->dropped_count++;
        return NULL;
    }
    if ((flags & RJ_FRAGMENT_BEGIN) != 0) {
        session->is_open = true;
        session->length = 0;
        session->term_id = rj_header_term_id(header);
        session->next_term_offset = term_offset;
    }
    if (!session->is_open || session->term_id != rj_header_term_id(header) ||
        session->next_term_offset != term_offset ||
        !reserve(assembler, session, session->length + length)) {
        session->is_open = false;
        assembler->dropped_count++;
        return NULL;
    }
    if (length > 0)
        memcpy(session->bytes + session->length, payload, length);
    session->length += length;
    session->next_term_offset = (int32_t)rj_align_up(
        term_offset + RJ_DATA_HEADER_BYTES + (int64_t)length, RJ_FRAME_ALIGNMENT);
    return (flags & RJ_FRAGMENT_END) != 0 ? session : NULL;
}

void rj_assembler_on_fragment(void *user, const uint8_t *payload, size_t length,
                              const rj_header_t *header)
{
    rj_assembler_t *assembler = user;
    if ((rj_header_flags(header) & RJ_FRAGMENT_WHOLE) == RJ_FRAGMENT_WHOLE) {
        assembler->handler(assembler->user, payload, length, header);
        return;
    }
    session_t *session = append(assembler, payload, length, header);
    if (session == NULL)
        return;
    session->is_open = false;
    assembler->handler(assembler->user, session->bytes, session->length, header);
}

rj_action_t rj_assembler_on_controlled_fragment(void *user, const uint8_t *payload, size_t length,
                                                const rj_header_t *header)
{
    rj_assembler_t *assembler = user;
    if ((rj_header_flags(header) & RJ_FRAGMENT_WHOLE) == RJ_FRAGMENT_WHOLE)
        return assembler->controlled(assembler->user, payload, length, header);
    session_t *session = append(assembler, payload, length, header);
    if (session == NULL)
        return RJ_ACTION_CONTINUE;
    rj_action_t action =
        assembler->controlled(assembler->user, session->bytes, session->length, header);
    if (action == RJ_ACTION_ABORT) {
        /* The last fragment comes again: be as before it. */
        session->length -= length;
        session->next_term_offset = rj_header_term_offset(header);
    } else {
        session->is_open = false;
    }
    return action;
}
