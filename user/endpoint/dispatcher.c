/* SPDX-License-Identifier: Apache-2.0 */
#include "endpoint/dispatcher.h"

#include <errno.h>
#include <stdlib.h>

#include "base/map64.h"

typedef struct session session_t;

typedef struct stream {
    int32_t stream_id;
    bool wants_all;
    int32_t wanted_count; /* sessions wanted by name */
    int32_t image_count;  /* images and images in the making */
    session_t *sessions;
    struct stream *next_free;
} stream_t;

/* Known for a reason: it is wanted by name, or it has a state. */
struct session {
    stream_t *stream;
    rj_network_image_t *image;           /* ACTIVE only */
    const rj_network_image_t *elsewhere; /* ELSEWHERE only: which one, and whose */
    int owner;
    session_t *next; /* of the stream, or of the free list */
    session_t *prev;
    int32_t session_id;
    bool is_wanted; /* by name */
    rj_session_state_t state;
};

struct rj_dispatcher {
    rj_map64_t streams;  /* by stream id */
    rj_map64_t sessions; /* by (stream, session): one look-up finds the image of a packet */
    stream_t *stream_pool;
    session_t *session_pool;
    stream_t *free_streams;
    session_t *free_sessions;
    int32_t streams_used; /* of the pools; what lies behind was never touched */
    int32_t sessions_used;
    int32_t stream_capacity;
    int32_t session_capacity;
    int32_t session_limit;
};

/* --- records --- */

static stream_t *find_stream(const rj_dispatcher_t *dispatcher, int32_t stream_id)
{
    return rj_map64_find(&dispatcher->streams, stream_id);
}

static session_t *find_session(const rj_dispatcher_t *dispatcher, int32_t stream_id,
                               int32_t session_id)
{
    return rj_map64_find(&dispatcher->sessions, rj_map64_key(stream_id, session_id));
}

static stream_t *take_stream(rj_dispatcher_t *dispatcher)
{
    stream_t *stream = dispatcher->free_streams;
    if (stream != NULL)
        dispatcher->free_streams = stream->next_free;
    else if (dispatcher->streams_used < dispatcher->stream_capacity)
        stream = &dispatcher->stream_pool[dispatcher->streams_used++];
    return stream;
}

static session_t *take_session(rj_dispatcher_t *dispatcher)
{
    session_t *session = dispatcher->free_sessions;
    if (session != NULL)
        dispatcher->free_sessions = session->next;
    else if (dispatcher->sessions_used < dispatcher->session_capacity)
        session = &dispatcher->session_pool[dispatcher->sessions_used++];
    return session;
}

static stream_t *make_stream(rj_dispatcher_t *dispatcher, int32_t stream_id)
{
    stream_t *stream = find_stream(dispatcher, stream_id);
    if (stream != NULL)
        return stream;
    stream = take_stream(dispatcher);
    if (stream == NULL)
        return NULL;
    *stream = (stream_t){.stream_id = stream_id};
    rj_map64_add(&dispatcher->streams, stream_id, stream);
    return stream;
}

static session_t *make_session(rj_dispatcher_t *dispatcher, stream_t *stream, int32_t session_id)
{
    session_t *session = find_session(dispatcher, stream->stream_id, session_id);
    if (session != NULL)
        return session;
    session = take_session(dispatcher);
    if (session == NULL)
        return NULL;
    *session = (session_t){.stream = stream, .next = stream->sessions, .session_id = session_id};
    if (stream->sessions != NULL)
        stream->sessions->prev = session;
    stream->sessions = session;
    rj_map64_add(&dispatcher->sessions, rj_map64_key(stream->stream_id, session_id), session);
    return session;
}

/* Forgets the stream once nobody wants anything of it. Its sessions went before. */
static void drop_stream_if_idle(rj_dispatcher_t *dispatcher, stream_t *stream)
{
    if (stream->wants_all || stream->wanted_count > 0)
        return;
    rj_map64_remove(&dispatcher->streams, stream->stream_id);
    stream->next_free = dispatcher->free_streams;
    dispatcher->free_streams = stream;
}

static bool counts_as_image(rj_session_state_t state)
{
    return state == RJ_SESSION_ACTIVE || state == RJ_SESSION_INIT_IN_PROGRESS ||
           state == RJ_SESSION_ELSEWHERE;
}

static void set_state(session_t *session, rj_session_state_t state, rj_network_image_t *image)
{
    session->stream->image_count += counts_as_image(state) - counts_as_image(session->state);
    session->state = state;
    session->image = image;
    session->elsewhere = NULL;
}

static void drop_session(rj_dispatcher_t *dispatcher, session_t *session)
{
    stream_t *stream = session->stream;
    set_state(session, RJ_SESSION_UNKNOWN, NULL);
    if (session->prev != NULL)
        session->prev->next = session->next;
    else
        stream->sessions = session->next;
    if (session->next != NULL)
        session->next->prev = session->prev;
    rj_map64_remove(&dispatcher->sessions, rj_map64_key(stream->stream_id, session->session_id));
    session->next = dispatcher->free_sessions;
    dispatcher->free_sessions = session;
}

/* Gives up a session's state, and the session unless it is wanted by name. */
static void forget_state(rj_dispatcher_t *dispatcher, session_t *session)
{
    set_state(session, RJ_SESSION_UNKNOWN, NULL);
    if (!session->is_wanted)
        drop_session(dispatcher, session);
}

static bool is_wanted(const stream_t *stream, const session_t *session)
{
    return stream->wants_all || (session != NULL && session->is_wanted);
}

/* --- open, close --- */

int rj_dispatcher_open(rj_dispatcher_t **ret_dispatcher, int32_t stream_capacity,
                       int32_t session_capacity, int32_t session_limit)
{
    rj_dispatcher_t *dispatcher = calloc(1, sizeof(*dispatcher));
    if (dispatcher == NULL)
        return -ENOMEM;
    dispatcher->stream_capacity = stream_capacity;
    dispatcher->session_capacity = session_capacity;
    dispatcher->session_limit = session_limit;
    dispatcher->stream_pool = calloc((size_t)stream_capacity, sizeof(stream_t));
    dispatcher->session_pool = calloc((size_t)session_capacity, sizeof(session_t));
    if (dispatcher->stream_pool == NULL || dispatcher->session_pool == NULL ||
        rj_map64_open(&dispatcher->streams, (size_t)stream_capacity, NULL) < 0 ||
        rj_map64_open(&dispatcher->sessions, (size_t)session_capacity, NULL) < 0) {
        rj_dispatcher_close(dispatcher);
        return -ENOMEM;
    }
    *ret_dispatcher = dispatcher;
    return 0;
}

void rj_dispatcher_close(rj_dispatcher_t *dispatcher)
{
    if (dispatcher == NULL)
        return;
    rj_map64_close(&dispatcher->streams);
    rj_map64_close(&dispatcher->sessions);
    free(dispatcher->stream_pool);
    free(dispatcher->session_pool);
    free(dispatcher);
}

/* --- interest --- */

int rj_dispatcher_add_stream(rj_dispatcher_t *dispatcher, int32_t stream_id)
{
    stream_t *stream = make_stream(dispatcher, stream_id);
    if (stream == NULL)
        return -ENOSPC;
    stream->wants_all = true;
    return 0;
}

int rj_dispatcher_add_session(rj_dispatcher_t *dispatcher, int32_t stream_id, int32_t session_id)
{
    stream_t *stream = make_stream(dispatcher, stream_id);
    if (stream == NULL)
        return -ENOSPC;
    session_t *session = make_session(dispatcher, stream, session_id);
    if (session == NULL) {
        drop_stream_if_idle(dispatcher, stream);
        return -ENOSPC;
    }
    stream->wanted_count += !session->is_wanted;
    session->is_wanted = true;
    return 0;
}

void rj_dispatcher_remove_stream(rj_dispatcher_t *dispatcher, int32_t stream_id)
{
    stream_t *stream = find_stream(dispatcher, stream_id);
    if (stream == NULL || !stream->wants_all)
        return;
    stream->wants_all = false;
    for (session_t *session = stream->sessions, *next; session != NULL; session = next) {
        next = session->next;
        if (!session->is_wanted)
            drop_session(dispatcher, session);
    }
    drop_stream_if_idle(dispatcher, stream);
}

void rj_dispatcher_remove_session(rj_dispatcher_t *dispatcher, int32_t stream_id,
                                  int32_t session_id)
{
    session_t *session = find_session(dispatcher, stream_id, session_id);
    if (session == NULL || !session->is_wanted)
        return;
    stream_t *stream = session->stream;
    session->is_wanted = false;
    stream->wanted_count--;
    if (!stream->wants_all || session->state == RJ_SESSION_UNKNOWN)
        drop_session(dispatcher, session);
    drop_stream_if_idle(dispatcher, stream);
}

bool rj_dispatcher_has_interest(const rj_dispatcher_t *dispatcher)
{
    return dispatcher->streams.count > 0;
}

/* --- frames --- */

rj_dispatch_t rj_dispatcher_on_data(rj_dispatcher_t *dispatcher, int32_t stream_id,
                                    int32_t session_id, uint8_t flags,
                                    rj_network_image_t **ret_image)
{
    session_t *session = find_session(dispatcher, stream_id, session_id);
    if (session != NULL && session->image != NULL) {
        *ret_image = session->image;
        return RJ_DISPATCH_IMAGE;
    }
    if (session != NULL && session->state == RJ_SESSION_ELSEWHERE)
        return RJ_DISPATCH_ELSEWHERE;
    if ((flags & RJ_DATA_FLAG_EOS) != 0 ||
        (session != NULL && session->state != RJ_SESSION_UNKNOWN))
        return RJ_DISPATCH_IGNORE;
    stream_t *stream = session != NULL ? session->stream : find_stream(dispatcher, stream_id);
    if (stream == NULL || !is_wanted(stream, session))
        return RJ_DISPATCH_IGNORE;
    session = make_session(dispatcher, stream, session_id);
    if (session == NULL)
        return RJ_DISPATCH_FULL;
    set_state(session, RJ_SESSION_PENDING_SETUP, NULL);
    return RJ_DISPATCH_ELICIT_SETUP;
}

rj_dispatch_t rj_dispatcher_on_setup(rj_dispatcher_t *dispatcher, int32_t stream_id,
                                     int32_t session_id, rj_network_image_t **ret_image)
{
    session_t *session = find_session(dispatcher, stream_id, session_id);
    if (session != NULL && session->image != NULL) {
        *ret_image = session->image;
        return RJ_DISPATCH_IMAGE;
    }
    if (session != NULL && session->state == RJ_SESSION_ELSEWHERE)
        return RJ_DISPATCH_ELSEWHERE;
    if (session != NULL && session->state != RJ_SESSION_UNKNOWN &&
        session->state != RJ_SESSION_PENDING_SETUP)
        return RJ_DISPATCH_IGNORE;
    stream_t *stream = session != NULL ? session->stream : find_stream(dispatcher, stream_id);
    if (stream == NULL || !is_wanted(stream, session))
        return RJ_DISPATCH_IGNORE;
    if (stream->image_count >= dispatcher->session_limit)
        return RJ_DISPATCH_SESSION_LIMIT;
    session = make_session(dispatcher, stream, session_id);
    if (session == NULL)
        return RJ_DISPATCH_FULL;
    set_state(session, RJ_SESSION_INIT_IN_PROGRESS, NULL);
    return RJ_DISPATCH_CREATE_IMAGE;
}

bool rj_dispatcher_awaits_setup(const rj_dispatcher_t *dispatcher, int32_t stream_id,
                                int32_t session_id)
{
    const session_t *session = find_session(dispatcher, stream_id, session_id);
    return session != NULL && session->state == RJ_SESSION_PENDING_SETUP;
}

rj_network_image_t *rj_dispatcher_find_image(const rj_dispatcher_t *dispatcher, int32_t stream_id,
                                             int32_t session_id)
{
    const session_t *session = find_session(dispatcher, stream_id, session_id);
    return session != NULL ? session->image : NULL;
}

/* --- images --- */

/* The record of a session that is wanted; NULL when it is not, or when there is no room. */
static session_t *make_wanted_session(rj_dispatcher_t *dispatcher, int32_t stream_id,
                                      int32_t session_id)
{
    stream_t *stream = find_stream(dispatcher, stream_id);
    if (stream == NULL || !is_wanted(stream, find_session(dispatcher, stream_id, session_id)))
        return NULL;
    return make_session(dispatcher, stream, session_id);
}

bool rj_dispatcher_add_image(rj_dispatcher_t *dispatcher, rj_network_image_t *image)
{
    session_t *session =
        make_wanted_session(dispatcher, image->config.stream_id, image->config.session_id);
    if (session == NULL)
        return false;
    set_state(session, RJ_SESSION_ACTIVE, image);
    return true;
}

/* --- images of other engines --- */

bool rj_dispatcher_add_elsewhere(rj_dispatcher_t *dispatcher, const rj_network_image_t *image,
                                 int32_t stream_id, int32_t session_id, int owner)
{
    session_t *session = make_wanted_session(dispatcher, stream_id, session_id);
    if (session == NULL)
        return false;
    set_state(session, RJ_SESSION_ELSEWHERE, NULL);
    session->elsewhere = image;
    session->owner = owner;
    return true;
}

int rj_dispatcher_owner(const rj_dispatcher_t *dispatcher, int32_t stream_id, int32_t session_id)
{
    const session_t *session = find_session(dispatcher, stream_id, session_id);
    return session != NULL && session->state == RJ_SESSION_ELSEWHERE ? session->owner : -1;
}

/* What follows the image of a session: nothing, or a time in which its late frames make no new
 * one. */
static void end_image(rj_dispatcher_t *dispatcher, session_t *session, bool has_ended)
{
    if (has_ended)
        forget_state(dispatcher, session);
    else
        set_state(session, RJ_SESSION_COOL_DOWN, NULL);
}

void rj_dispatcher_remove_elsewhere(rj_dispatcher_t *dispatcher, const rj_network_image_t *image,
                                    int32_t stream_id, int32_t session_id, bool has_ended)
{
    session_t *session = find_session(dispatcher, stream_id, session_id);
    if (session != NULL && session->elsewhere == image)
        end_image(dispatcher, session, has_ended);
}

void rj_dispatcher_remove_image(rj_dispatcher_t *dispatcher, rj_network_image_t *image)
{
    session_t *session =
        find_session(dispatcher, image->config.stream_id, image->config.session_id);
    if (session == NULL || session->image != image)
        return;
    end_image(dispatcher, session, image->is_end_of_stream != 0);
}

void rj_dispatcher_clear_state(rj_dispatcher_t *dispatcher, int32_t stream_id, int32_t session_id,
                               rj_session_state_t state)
{
    session_t *session = find_session(dispatcher, stream_id, session_id);
    if (session != NULL && session->state == state && session->image == NULL)
        forget_state(dispatcher, session);
}
