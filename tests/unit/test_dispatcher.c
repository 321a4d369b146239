/* SPDX-License-Identifier: Apache-2.0 */
#include "endpoint/dispatcher.h"

#include <criterion/criterion.h>
#include <errno.h>

enum { STREAM = 1001, SESSION = 7, STREAMS = 4, SESSIONS = 8, LIMIT = 3, EOS = 0xe0, DATA = 0xc0 };

static rj_dispatcher_t *dispatcher;
static rj_network_image_t *found;

static void open_dispatcher(void)
{
    cr_assert_eq(rj_dispatcher_open(&dispatcher, STREAMS, SESSIONS, LIMIT), 0);
}

static void close_dispatcher(void)
{
    rj_dispatcher_close(dispatcher);
}

TestSuite(dispatcher, .init = open_dispatcher, .fini = close_dispatcher);

static rj_dispatch_t on_data(int32_t stream_id, int32_t session_id)
{
    found = NULL;
    return rj_dispatcher_on_data(dispatcher, stream_id, session_id, DATA, &found);
}

static rj_dispatch_t on_setup(int32_t stream_id, int32_t session_id)
{
    found = NULL;
    return rj_dispatcher_on_setup(dispatcher, stream_id, session_id, &found);
}

static void init_image(rj_network_image_t *image, int32_t stream_id, int32_t session_id)
{
    *image = (rj_network_image_t){.config = {.stream_id = stream_id, .session_id = session_id}};
}

Test(dispatcher, ignores_frames_of_streams_that_nobody_wants)
{
    cr_assert_not(rj_dispatcher_has_interest(dispatcher));
    cr_assert_eq(on_data(STREAM, SESSION), RJ_DISPATCH_IGNORE);
    cr_assert_eq(on_setup(STREAM, SESSION), RJ_DISPATCH_IGNORE);
    cr_assert_null(rj_dispatcher_find_image(dispatcher, STREAM, SESSION));
}

Test(dispatcher, asks_once_for_a_setup_when_data_comes_first)
{
    cr_assert_eq(rj_dispatcher_add_stream(dispatcher, STREAM), 0);
    cr_assert(rj_dispatcher_has_interest(dispatcher));
    cr_assert_eq(on_data(STREAM, SESSION), RJ_DISPATCH_ELICIT_SETUP);
    cr_assert_eq(on_data(STREAM, SESSION), RJ_DISPATCH_IGNORE);
    cr_assert_eq(on_data(STREAM, SESSION + 1), RJ_DISPATCH_ELICIT_SETUP, "each session for itself");
    cr_assert_eq(on_data(STREAM + 1, SESSION), RJ_DISPATCH_IGNORE, "not that stream");
}

Test(dispatcher, asks_again_once_the_pending_setup_is_given_up)
{
    rj_dispatcher_add_stream(dispatcher, STREAM);
    on_data(STREAM, SESSION);
    rj_dispatcher_clear_state(dispatcher, STREAM, SESSION, RJ_SESSION_INIT_IN_PROGRESS);
    cr_assert_eq(on_data(STREAM, SESSION), RJ_DISPATCH_IGNORE, "another state was meant");
    rj_dispatcher_clear_state(dispatcher, STREAM, SESSION, RJ_SESSION_PENDING_SETUP);
    cr_assert_eq(on_data(STREAM, SESSION), RJ_DISPATCH_ELICIT_SETUP);
}

Test(dispatcher, does_not_ask_for_a_stream_that_has_ended)
{
    rj_dispatcher_add_stream(dispatcher, STREAM);
    cr_assert_eq(rj_dispatcher_on_data(dispatcher, STREAM, SESSION, EOS, &found),
                 RJ_DISPATCH_IGNORE);
    cr_assert_eq(on_data(STREAM, SESSION), RJ_DISPATCH_ELICIT_SETUP);
}

Test(dispatcher, creates_an_image_once_and_drops_what_comes_meanwhile)
{
    rj_dispatcher_add_stream(dispatcher, STREAM);
    on_data(STREAM, SESSION);
    cr_assert_eq(on_setup(STREAM, SESSION), RJ_DISPATCH_CREATE_IMAGE);
    cr_assert_eq(on_setup(STREAM, SESSION), RJ_DISPATCH_IGNORE);
    cr_assert_eq(on_data(STREAM, SESSION), RJ_DISPATCH_IGNORE);
    rj_dispatcher_clear_state(dispatcher, STREAM, SESSION, RJ_SESSION_PENDING_SETUP);
    cr_assert_eq(on_setup(STREAM, SESSION), RJ_DISPATCH_IGNORE, "the old time-out is over");
    rj_dispatcher_clear_state(dispatcher, STREAM, SESSION, RJ_SESSION_INIT_IN_PROGRESS);
    cr_assert_eq(on_setup(STREAM, SESSION), RJ_DISPATCH_CREATE_IMAGE, "the creation had failed");
}

Test(dispatcher, leads_data_and_setups_to_the_image)
{
    rj_network_image_t image;
    init_image(&image, STREAM, SESSION);
    rj_dispatcher_add_stream(dispatcher, STREAM);
    on_setup(STREAM, SESSION);
    cr_assert(rj_dispatcher_add_image(dispatcher, &image));
    cr_assert_eq(on_data(STREAM, SESSION), RJ_DISPATCH_IMAGE);
    cr_assert_eq(found, &image);
    cr_assert_eq(on_setup(STREAM, SESSION), RJ_DISPATCH_IMAGE);
    cr_assert_eq(found, &image);
    cr_assert_eq(rj_dispatcher_on_data(dispatcher, STREAM, SESSION, EOS, &found), RJ_DISPATCH_IMAGE,
                 "the end must reach it");
    cr_assert_eq(rj_dispatcher_find_image(dispatcher, STREAM, SESSION), &image);
    cr_assert_eq(on_data(STREAM, SESSION + 1), RJ_DISPATCH_ELICIT_SETUP);
}

Test(dispatcher, cools_down_after_an_image_that_had_not_ended)
{
    rj_network_image_t image;
    init_image(&image, STREAM, SESSION);
    rj_dispatcher_add_stream(dispatcher, STREAM);
    rj_dispatcher_add_image(dispatcher, &image);
    rj_dispatcher_remove_image(dispatcher, &image);
    cr_assert_eq(on_data(STREAM, SESSION), RJ_DISPATCH_IGNORE);
    cr_assert_eq(on_setup(STREAM, SESSION), RJ_DISPATCH_IGNORE);
    rj_dispatcher_clear_state(dispatcher, STREAM, SESSION, RJ_SESSION_COOL_DOWN);
    cr_assert_eq(on_data(STREAM, SESSION), RJ_DISPATCH_ELICIT_SETUP);
}

Test(dispatcher, lets_the_session_of_an_ended_image_come_back_at_once)
{
    rj_network_image_t image;
    init_image(&image, STREAM, SESSION);
    rj_dispatcher_add_stream(dispatcher, STREAM);
    rj_dispatcher_add_image(dispatcher, &image);
    image.is_end_of_stream = 1;
    rj_dispatcher_remove_image(dispatcher, &image);
    cr_assert_eq(on_setup(STREAM, SESSION), RJ_DISPATCH_CREATE_IMAGE);
}

Test(dispatcher, keeps_the_newer_image_when_the_older_goes)
{
    rj_network_image_t old;
    rj_network_image_t new;
    init_image(&old, STREAM, SESSION);
    init_image(&new, STREAM, SESSION);
    rj_dispatcher_add_stream(dispatcher, STREAM);
    rj_dispatcher_add_image(dispatcher, &old);
    rj_dispatcher_add_image(dispatcher, &new);
    rj_dispatcher_remove_image(dispatcher, &old);
    cr_assert_eq(rj_dispatcher_find_image(dispatcher, STREAM, SESSION), &new);
}

Test(dispatcher, does_not_install_an_image_that_nobody_wants_any_more)
{
    rj_network_image_t image;
    init_image(&image, STREAM, SESSION);
    rj_dispatcher_add_stream(dispatcher, STREAM);
    on_setup(STREAM, SESSION);
    rj_dispatcher_remove_stream(dispatcher, STREAM);
    cr_assert_not(rj_dispatcher_add_image(dispatcher, &image));
    cr_assert_null(rj_dispatcher_find_image(dispatcher, STREAM, SESSION));
    rj_dispatcher_remove_image(dispatcher, &image);
    rj_dispatcher_add_stream(dispatcher, STREAM);
    cr_assert_eq(on_setup(STREAM, SESSION), RJ_DISPATCH_CREATE_IMAGE, "no state is left");
}

Test(dispatcher, wants_single_sessions)
{
    cr_assert_eq(rj_dispatcher_add_session(dispatcher, STREAM, SESSION), 0);
    cr_assert_eq(rj_dispatcher_add_session(dispatcher, STREAM, SESSION), 0, "twice is once");
    cr_assert_eq(on_setup(STREAM, SESSION + 1), RJ_DISPATCH_IGNORE);
    cr_assert_eq(on_data(STREAM, SESSION + 1), RJ_DISPATCH_IGNORE);
    cr_assert_eq(on_setup(STREAM, SESSION), RJ_DISPATCH_CREATE_IMAGE);
    rj_dispatcher_add_session(dispatcher, STREAM, SESSION + 1);
    cr_assert_eq(on_data(STREAM, SESSION + 1), RJ_DISPATCH_ELICIT_SETUP);
    rj_dispatcher_remove_session(dispatcher, STREAM, SESSION);
    rj_dispatcher_remove_session(dispatcher, STREAM, SESSION + 1);
    cr_assert_not(rj_dispatcher_has_interest(dispatcher));
    cr_assert_eq(on_data(STREAM, SESSION), RJ_DISPATCH_IGNORE);
}

Test(dispatcher, hears_sessions_that_it_refused_before_once_they_are_wanted)
{
    rj_dispatcher_add_session(dispatcher, STREAM, SESSION);
    cr_assert_eq(on_setup(STREAM, SESSION + 1), RJ_DISPATCH_IGNORE);
    rj_dispatcher_add_stream(dispatcher, STREAM);
    cr_assert_eq(on_setup(STREAM, SESSION + 1), RJ_DISPATCH_CREATE_IMAGE);
}

Test(dispatcher, forgets_states_of_sessions_that_are_not_wanted_by_name)
{
    rj_network_image_t images[2];
    init_image(&images[0], STREAM, SESSION);
    init_image(&images[1], STREAM, SESSION + 1);
    rj_dispatcher_add_stream(dispatcher, STREAM);
    rj_dispatcher_add_session(dispatcher, STREAM, SESSION);
    rj_dispatcher_add_image(dispatcher, &images[0]);
    rj_dispatcher_add_image(dispatcher, &images[1]);
    on_data(STREAM, SESSION + 2);
    rj_dispatcher_remove_stream(dispatcher, STREAM);
    cr_assert(rj_dispatcher_has_interest(dispatcher));
    cr_assert_eq(rj_dispatcher_find_image(dispatcher, STREAM, SESSION), &images[0]);
    cr_assert_null(rj_dispatcher_find_image(dispatcher, STREAM, SESSION + 1));
    cr_assert_eq(on_data(STREAM, SESSION + 2), RJ_DISPATCH_IGNORE);
    rj_dispatcher_add_stream(dispatcher, STREAM);
    cr_assert_eq(on_data(STREAM, SESSION + 2), RJ_DISPATCH_ELICIT_SETUP, "no state was left");
}

Test(dispatcher, keeps_an_image_of_a_session_that_the_whole_stream_wants)
{
    rj_network_image_t image;
    init_image(&image, STREAM, SESSION);
    rj_dispatcher_add_stream(dispatcher, STREAM);
    rj_dispatcher_add_session(dispatcher, STREAM, SESSION);
    rj_dispatcher_add_image(dispatcher, &image);
    rj_dispatcher_remove_session(dispatcher, STREAM, SESSION);
    cr_assert_eq(rj_dispatcher_find_image(dispatcher, STREAM, SESSION), &image);
    rj_dispatcher_remove_stream(dispatcher, STREAM);
    cr_assert_not(rj_dispatcher_has_interest(dispatcher));
    cr_assert_null(rj_dispatcher_find_image(dispatcher, STREAM, SESSION));
}

Test(dispatcher, ends_the_cool_down_of_a_session_with_its_subscription)
{
    rj_network_image_t image;
    init_image(&image, STREAM, SESSION);
    rj_dispatcher_add_session(dispatcher, STREAM, SESSION);
    rj_dispatcher_add_image(dispatcher, &image);
    rj_dispatcher_remove_image(dispatcher, &image);
    cr_assert_eq(on_setup(STREAM, SESSION), RJ_DISPATCH_IGNORE);
    rj_dispatcher_remove_session(dispatcher, STREAM, SESSION);
    rj_dispatcher_add_session(dispatcher, STREAM, SESSION);
    cr_assert_eq(on_setup(STREAM, SESSION), RJ_DISPATCH_CREATE_IMAGE);
}

Test(dispatcher, holds_a_stream_to_its_limit_of_sessions)
{
    rj_network_image_t images[LIMIT];
    rj_dispatcher_add_stream(dispatcher, STREAM);
    rj_dispatcher_add_stream(dispatcher, STREAM + 1);
    for (int i = 0; i < LIMIT; i++) {
        cr_assert_eq(on_setup(STREAM, i), RJ_DISPATCH_CREATE_IMAGE);
        init_image(&images[i], STREAM, i);
    }
    cr_assert_eq(on_setup(STREAM, LIMIT), RJ_DISPATCH_SESSION_LIMIT);
    for (int i = 0; i < LIMIT; i++)
        rj_dispatcher_add_image(dispatcher, &images[i]);
    cr_assert_eq(on_setup(STREAM, LIMIT), RJ_DISPATCH_SESSION_LIMIT);
    cr_assert_eq(on_setup(STREAM, 0), RJ_DISPATCH_IMAGE, "known images are not judged again");
    cr_assert_eq(on_setup(STREAM + 1, LIMIT), RJ_DISPATCH_CREATE_IMAGE, "each stream for itself");
    images[0].is_end_of_stream = 1;
    rj_dispatcher_remove_image(dispatcher, &images[0]);
    rj_dispatcher_remove_image(dispatcher, &images[1]);
    cr_assert_eq(on_setup(STREAM, LIMIT), RJ_DISPATCH_CREATE_IMAGE);
}

Test(dispatcher, says_when_its_tables_are_full_and_recovers)
{
    for (int i = 0; i < STREAMS; i++)
        cr_assert_eq(rj_dispatcher_add_stream(dispatcher, STREAM + i), 0);
    cr_assert_eq(rj_dispatcher_add_stream(dispatcher, STREAM + STREAMS), -ENOSPC);
    cr_assert_eq(rj_dispatcher_add_session(dispatcher, STREAM + STREAMS, SESSION), -ENOSPC);
    for (int i = 0; i < SESSIONS; i++)
        cr_assert_eq(on_data(STREAM, i), RJ_DISPATCH_ELICIT_SETUP);
    cr_assert_eq(on_data(STREAM, SESSIONS), RJ_DISPATCH_FULL);
    cr_assert_eq(on_setup(STREAM + 1, SESSIONS), RJ_DISPATCH_FULL);
    cr_assert_eq(rj_dispatcher_add_session(dispatcher, STREAM, SESSIONS), -ENOSPC);
    rj_network_image_t image;
    init_image(&image, STREAM, SESSIONS);
    cr_assert_not(rj_dispatcher_add_image(dispatcher, &image));
    for (int i = 0; i < SESSIONS; i++)
        rj_dispatcher_clear_state(dispatcher, STREAM, i, RJ_SESSION_PENDING_SETUP);
    for (int i = 0; i < STREAMS; i++)
        rj_dispatcher_remove_stream(dispatcher, STREAM + i);
    for (int i = 0; i < STREAMS; i++) {
        cr_assert_eq(rj_dispatcher_add_session(dispatcher, i, 1), 0);
        cr_assert_eq(rj_dispatcher_add_session(dispatcher, i, 2), 0);
    }
    cr_assert_eq(on_setup(0, 1), RJ_DISPATCH_CREATE_IMAGE);
}

Test(dispatcher, tells_streams_with_the_same_session_apart)
{
    rj_network_image_t images[2];
    for (int i = 0; i < 2; i++) {
        init_image(&images[i], STREAM + i, SESSION);
        rj_dispatcher_add_stream(dispatcher, STREAM + i);
        rj_dispatcher_add_image(dispatcher, &images[i]);
    }
    for (int i = 0; i < 2; i++)
        cr_assert_eq(rj_dispatcher_find_image(dispatcher, STREAM + i, SESSION), &images[i]);
}

/* An image of another engine is only a name here. */
static const rj_network_image_t *const elsewhere = (const rj_network_image_t *)&dispatcher;

Test(dispatcher, says_which_engine_has_the_image)
{
    rj_dispatcher_add_stream(dispatcher, STREAM);
    on_setup(STREAM, SESSION);
    cr_assert_eq(rj_dispatcher_owner(dispatcher, STREAM, SESSION), -1);
    cr_assert(rj_dispatcher_add_elsewhere(dispatcher, elsewhere, STREAM, SESSION, 2));
    cr_assert_eq(on_data(STREAM, SESSION), RJ_DISPATCH_ELSEWHERE);
    cr_assert_eq(rj_dispatcher_on_data(dispatcher, STREAM, SESSION, EOS, &found),
                 RJ_DISPATCH_ELSEWHERE, "the image has to know of the end");
    cr_assert_eq(on_setup(STREAM, SESSION), RJ_DISPATCH_ELSEWHERE);
    cr_assert_eq(rj_dispatcher_owner(dispatcher, STREAM, SESSION), 2);
    cr_assert_null(rj_dispatcher_find_image(dispatcher, STREAM, SESSION));
}

Test(dispatcher, knows_what_follows_an_image_that_was_elsewhere)
{
    rj_dispatcher_add_stream(dispatcher, STREAM);
    rj_dispatcher_add_elsewhere(dispatcher, elsewhere, STREAM, SESSION, 1);
    rj_dispatcher_remove_elsewhere(dispatcher, NULL, STREAM, SESSION, false);
    cr_assert_eq(on_data(STREAM, SESSION), RJ_DISPATCH_ELSEWHERE, "another image was meant");
    rj_dispatcher_remove_elsewhere(dispatcher, elsewhere, STREAM, SESSION, false);
    cr_assert_eq(on_data(STREAM, SESSION), RJ_DISPATCH_IGNORE, "it cools down");
    rj_dispatcher_clear_state(dispatcher, STREAM, SESSION, RJ_SESSION_COOL_DOWN);
    rj_dispatcher_add_elsewhere(dispatcher, elsewhere, STREAM, SESSION, 1);
    rj_dispatcher_remove_elsewhere(dispatcher, elsewhere, STREAM, SESSION, true);
    cr_assert_eq(on_data(STREAM, SESSION), RJ_DISPATCH_ELICIT_SETUP, "it had ended by itself");
}

Test(dispatcher, counts_images_elsewhere_against_the_session_limit)
{
    rj_dispatcher_add_stream(dispatcher, STREAM);
    for (int i = 0; i < LIMIT; i++)
        rj_dispatcher_add_elsewhere(dispatcher, elsewhere, STREAM, SESSION + i, 1);
    cr_assert_eq(on_setup(STREAM, SESSION + LIMIT), RJ_DISPATCH_SESSION_LIMIT);
    rj_dispatcher_remove_elsewhere(dispatcher, elsewhere, STREAM, SESSION, false);
    cr_assert_eq(on_setup(STREAM, SESSION + LIMIT), RJ_DISPATCH_CREATE_IMAGE);
}

Test(dispatcher, notes_no_image_elsewhere_of_what_nobody_wants)
{
    cr_assert_not(rj_dispatcher_add_elsewhere(dispatcher, elsewhere, STREAM, SESSION, 1));
    rj_dispatcher_add_stream(dispatcher, STREAM);
    rj_dispatcher_add_elsewhere(dispatcher, elsewhere, STREAM, SESSION, 1);
    rj_dispatcher_remove_stream(dispatcher, STREAM);
    cr_assert_eq(on_data(STREAM, SESSION), RJ_DISPATCH_IGNORE);
    rj_dispatcher_add_stream(dispatcher, STREAM);
    cr_assert_eq(on_data(STREAM, SESSION), RJ_DISPATCH_ELICIT_SETUP, "it is as new");
}
