/* SPDX-License-Identifier: Apache-2.0 */
/* Images come and go, and polls in every form, over logs that a fake driver fills. */
#include "client/client.h"
#include "shm/term_frame.h"
#include "tests/fixtures/fake_driver.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MS INT64_C(1000000)

enum { IMAGE_ID = 213, WHOLE = 0xc0 };

static rj_fake_driver_t driver;
static rj_client_t *client;
static rj_subscription_t *subscription;
static int64_t now_ns;
static rj_log_t log_213;
static int32_t position_id;
static char told[256]; /* what handlers were told, in order */
static int reported_count;
static rj_subscription_t *to_close; /* by a handler */

static void tell(char sign, const rj_image_t *image)
{
    size_t used = strlen(told);
    snprintf(told + used, sizeof(told) - used, "%c%lld ", sign,
             (long long)rj_image_info(image)->correlation_id);
}

static void on_error(void *user, const rj_err_t *err)
{
    (void)user;
    (void)err;
    reported_count++;
}

static void on_available(void *user, rj_subscription_t *owner, rj_image_t *image)
{
    (void)user;
    tell('+', image);
    if (to_close == owner)
        rj_subscription_close(owner);
}

static void on_unavailable(void *user, rj_subscription_t *owner, rj_image_t *image)
{
    (void)user;
    (void)owner;
    tell('-', image);
}

static void on_fragment(void *user, const uint8_t *payload, size_t length,
                        const rj_header_t *header)
{
    char *text = user;
    snprintf(text + strlen(text), 64, "%.*s@%lld ", (int)length, (const char *)payload,
             (long long)rj_header_position(header));
}

static int turn(void)
{
    int64_t epoch_ms = RJ_FAKE_EPOCH_MS + now_ns / MS;
    rj_ring_mpsc_set_heartbeat_ms(&driver.commands, epoch_ms);
    return rj_client_conductor_do_work(client, now_ns, epoch_ms);
}

static rj_subscription_t *add_subscription(void)
{
    static const rj_image_handlers_t handlers = {.on_available = on_available,
                                                 .on_unavailable = on_unavailable};
    rj_request_t *request = NULL;
    rj_subscription_t *added = NULL;
    rj_fake_command_t command;
    int64_t id;
    cr_assert_eq(
        rj_client_request_subscription(client, "aeron:ipc", 1001, &handlers, &request, NULL), 0);
    cr_assert(rj_fake_driver_take(&driver, &command));
    memcpy(&id, command.body + 8, sizeof(id));
    rj_fake_driver_say_subscription(&driver, id);
    turn();
    cr_assert_eq(rj_request_poll_subscription(request, &added, NULL), 1);
    return added;
}

static int64_t registration_id(void)
{
    return rj_subscription_info(subscription)->registration_id;
}

static int64_t position_told(void)
{
    return rj_counter_get(rj_counters_value(&driver.counters, position_id));
}

/* A client with one subscription; image 213 is made, and not yet announced. */
static void open_all(void)
{
    rj_fake_driver_open(&driver, true);
    rj_context_t context;
    rj_context_init(&context);
    context.directory = driver.directory;
    context.conductor_mode = RJ_CONDUCTOR_INVOKED;
    context.on_error = on_error;
    cr_assert_eq(rj_client_try_connect(&context, 0, RJ_FAKE_EPOCH_MS, &client, NULL), 0);
    subscription = add_subscription();
    rj_fake_driver_make_log(&driver, "images", IMAGE_ID, &log_213);
    position_id = rj_fake_driver_counter(&driver, RJ_COUNTER_TYPE_SUBSCRIBER_POSITION, IMAGE_ID, 0);
}

static void close_all(void)
{
    rj_client_close(client);
    rj_log_close(&log_213);
    rj_fake_driver_close(&driver);
}

TestSuite(subscription, .init = open_all, .fini = close_all);

static rj_image_t *announce(void)
{
    rj_fake_driver_say_image(&driver, IMAGE_ID, registration_id(), position_id);
    turn();
    return rj_subscription_image_at(subscription, 0);
}

Test(subscription, gets_and_loses_an_image)
{
    cr_assert_null(rj_subscription_image_at(subscription, 0));
    rj_image_t *image = announce();
    cr_assert_not_null(image);
    cr_assert_str_eq(told, "+213 ");
    cr_assert(rj_subscription_is_connected(subscription));
    cr_assert_str_eq(rj_image_info(image)->source_identity, "127.0.0.1:40500");
    cr_assert_eq(rj_image_info(image)->session_id, RJ_FAKE_SESSION_ID);
    cr_assert_eq(rj_subscription_image_by_session(subscription, RJ_FAKE_SESSION_ID), image);
    cr_assert_null(rj_subscription_image_by_session(subscription, 1));
    announce();
    cr_assert_eq(rj_subscription_image_count(subscription), 1, "an event that comes twice");

    rj_fake_frame(&log_213, 0, WHOLE, "one");
    char text[128] = "";
    cr_assert_eq(rj_subscription_poll(subscription, on_fragment, text, 10), 1);
    cr_assert_str_eq(text, "one@64 ");
    rj_fake_driver_say_no_image(&driver, IMAGE_ID, registration_id());
    turn();
    cr_assert_str_eq(told, "+213 -213 ");
    cr_assert_eq(rj_subscription_image_count(subscription), 0);
    cr_assert(rj_image_is_closed(image));
    rj_counter_set(rj_counters_value(&driver.counters, position_id), 4096);
    cr_assert_eq(rj_image_position(image), 64, "the counter may be another's by now");
    rj_fake_frame(&log_213, 64, WHOLE, "two");
    cr_assert_eq(rj_image_poll(image, on_fragment, text, 10), 0);
    cr_assert_eq(position_told(), 4096);
}

Test(subscription, frees_an_image_when_it_lingered_and_its_poller_has_moved_on)
{
    announce();
    cr_assert_eq(rj_subscription_poll(subscription, on_fragment, told, 1), 0);
    rj_fake_driver_say_no_image(&driver, IMAGE_ID, registration_id());
    turn();
    for (int i = 0; i < 60; i++) {
        now_ns += 100 * MS;
        turn();
    }
    cr_assert_not_null(client->logs, "a poll that began before may still be under way");
    cr_assert_eq(rj_subscription_poll(subscription, on_fragment, told, 1), 0);
    turn();
    cr_assert_null(client->logs);
}

Test(subscription, lets_an_image_linger_for_those_who_hold_it)
{
    announce();
    rj_fake_driver_say_no_image(&driver, IMAGE_ID, registration_id());
    turn();
    cr_assert_eq(rj_subscription_poll(subscription, on_fragment, told, 1), 0);
    now_ns += 2999 * MS;
    turn();
    cr_assert_not_null(client->logs);
    now_ns += 1 * MS;
    turn();
    cr_assert_null(client->logs);
}

Test(subscription, is_told_of_its_images_when_it_is_closed)
{
    announce();
    rj_subscription_close(subscription);
    cr_assert_str_eq(told, "+213 -213 ");
    rj_fake_command_t command;
    cr_assert(rj_fake_driver_take(&driver, &command));
    cr_assert_eq(command.type, RJ_COMMAND_REMOVE_SUBSCRIPTION);
    now_ns += 3000 * MS;
    turn();
    cr_assert_null(client->logs);
    cr_assert_null(client->lingering_first);
}

Test(subscription, may_be_closed_by_its_own_handler)
{
    to_close = subscription;
    rj_fake_driver_say_image(&driver, IMAGE_ID, registration_id(), position_id);
    turn();
    cr_assert_str_eq(told, "+213 ");
    cr_assert_null(client->logs);
    cr_assert_null(client->subscriptions);
}

Test(subscription, ignores_images_of_others_and_reports_one_it_cannot_have)
{
    rj_fake_driver_say_image(&driver, IMAGE_ID, registration_id() + 1, position_id);
    turn();
    cr_assert_eq(reported_count, 0);
    rj_fake_driver_say_image(&driver, IMAGE_ID + 1, registration_id(), position_id);
    turn();
    cr_assert_eq(reported_count, 1, "no such file");
    rj_fake_driver_say_image(&driver, IMAGE_ID, registration_id(), RJ_FAKE_COUNTER_COUNT);
    turn();
    cr_assert_eq(reported_count, 2, "no such counter");
    rj_counter_set(rj_counters_value(&driver.counters, position_id), 17);
    rj_fake_driver_say_image(&driver, IMAGE_ID, registration_id(), position_id);
    turn();
    cr_assert_eq(reported_count, 3, "no such position");
    cr_assert_eq(rj_subscription_image_count(subscription), 0);
}

Test(subscription, starts_every_poll_with_another_image)
{
    rj_log_t other;
    announce();
    rj_fake_driver_make_log(&driver, "images", 300, &other);
    int32_t other_position =
        rj_fake_driver_counter(&driver, RJ_COUNTER_TYPE_SUBSCRIBER_POSITION, 300, 0);
    rj_fake_driver_say_image(&driver, 300, registration_id(), other_position);
    turn();
    int32_t at = rj_fake_frame(&log_213, 0, WHOLE, "a");
    rj_fake_frame(&log_213, at, WHOLE, "b");
    rj_fake_frame(&other, 0, WHOLE, "x");
    rj_fake_frame(&other, at, WHOLE, "y");
    char text[256] = "";
    for (int i = 0; i < 4; i++)
        cr_assert_eq(rj_subscription_poll(subscription, on_fragment, text, 1), 1);
    cr_assert_str_eq(text, "a@64 x@64 b@128 y@128 ");
    rj_log_close(&other);
}

Test(image, polls_up_to_the_limit_and_skips_padding, .init = open_all, .fini = close_all)
{
    rj_image_t *image = announce();
    int32_t at = rj_fake_frame(&log_213, 0, WHOLE, "one");
    rj_wire_data_t pad = {.type = RJ_FRAME_TYPE_PAD, .term_offset = at};
    memcpy(log_213.terms[0] + at, &pad, sizeof(pad));
    rj_frame_publish(log_213.terms[0], at, 100);
    at += 128;
    at = rj_fake_frame(&log_213, at, WHOLE, "two");
    rj_fake_frame(&log_213, at, WHOLE, "");
    char text[256] = "";
    cr_assert_eq(rj_image_poll(image, on_fragment, text, 2), 2);
    cr_assert_str_eq(text, "one@64 two@256 ");
    cr_assert_eq(position_told(), 256);
    cr_assert_eq(rj_image_poll(image, on_fragment, text, 2), 1);
    cr_assert_eq(position_told(), 288);
    cr_assert_eq(rj_image_poll(image, on_fragment, text, 2), 0);
}

Test(image, goes_from_term_to_term, .init = open_all, .fini = close_all)
{
    rj_image_t *image = announce();
    cr_assert_eq(rj_image_set_position(image, log_213.term_length - 64), 0);
    rj_wire_data_t pad = {.type = RJ_FRAME_TYPE_PAD, .term_offset = log_213.term_length - 64};
    memcpy(log_213.terms[0] + log_213.term_length - 64, &pad, sizeof(pad));
    rj_frame_publish(log_213.terms[0], log_213.term_length - 64, 64);
    char text[256] = "";
    cr_assert_eq(rj_image_poll(image, on_fragment, text, 10), 0);
    cr_assert_eq(position_told(), log_213.term_length);
    rj_wire_data_t header = {.flags = WHOLE, .type = RJ_FRAME_TYPE_DATA, .term_id = 1};
    memcpy(log_213.terms[1], &header, sizeof(header));
    memcpy(log_213.terms[1] + sizeof(header), "next", 4);
    rj_frame_publish(log_213.terms[1], 0, 36);
    cr_assert_eq(rj_image_poll(image, on_fragment, text, 10), 1);
    cr_assert_str_eq(text, "next@65600 ");
}

Test(image, is_bounded_by_where_a_fragment_starts, .init = open_all, .fini = close_all)
{
    rj_image_t *image = announce();
    int32_t at = rj_fake_frame(&log_213, 0, WHOLE, "one");
    rj_fake_frame(&log_213, at, WHOLE, "two");
    char text[256] = "";
    cr_assert_eq(rj_image_bounded_poll(image, on_fragment, text, 0, 10), 0);
    cr_assert_eq(rj_image_bounded_poll(image, on_fragment, text, 64, 10), 1);
    cr_assert_eq(rj_image_bounded_poll(image, on_fragment, text, 65, 10), 1);
    cr_assert_str_eq(text, "one@64 two@128 ");
}

typedef struct script {
    const rj_action_t *actions;
    int64_t told_after[8]; /* the position the driver knew at each call */
    int count;
} script_t;

static rj_action_t on_scripted(void *user, const uint8_t *payload, size_t length,
                               const rj_header_t *header)
{
    (void)payload;
    (void)length;
    (void)header;
    script_t *script = user;
    script->told_after[script->count] = position_told();
    return script->actions[script->count++];
}

Test(image, obeys_the_actions_of_a_controlled_poll, .init = open_all, .fini = close_all)
{
    static const rj_action_t actions[] = {RJ_ACTION_CONTINUE, RJ_ACTION_COMMIT, RJ_ACTION_CONTINUE,
                                          RJ_ACTION_ABORT,    RJ_ACTION_BREAK,  RJ_ACTION_CONTINUE};
    rj_image_t *image = announce();
    int32_t at = 0;
    for (int i = 0; i < 5; i++)
        at = rj_fake_frame(&log_213, at, WHOLE, "x");
    script_t script = {.actions = actions};
    cr_assert_eq(rj_image_controlled_poll(image, on_scripted, &script, 10), 3);
    cr_assert_eq(script.told_after[1], 0);
    cr_assert_eq(script.told_after[2], 128, "committed in between");
    cr_assert_eq(position_told(), 192, "the aborted one comes again");
    cr_assert_eq(rj_image_controlled_poll(image, on_scripted, &script, 10), 1);
    cr_assert_eq(position_told(), 256);
    cr_assert_eq(rj_image_controlled_poll(image, on_scripted, &script, 10), 1);
    cr_assert_eq(position_told(), 320);
}

static void on_block(void *user, const uint8_t *block, size_t length, const rj_image_t *image,
                     int32_t term_id)
{
    (void)block;
    (void)image;
    char *text = user;
    snprintf(text + strlen(text), 64, "%zu in %d ", length, term_id);
}

Test(image, hands_out_blocks_of_whole_frames, .init = open_all, .fini = close_all)
{
    rj_image_t *image = announce();
    int32_t at = 0;
    for (int i = 0; i < 3; i++)
        at = rj_fake_frame(&log_213, at, WHOLE, "x");
    char text[256] = "";
    cr_assert_eq(rj_image_block_poll(image, on_block, text, 63), 0);
    cr_assert_eq(rj_image_block_poll(image, on_block, text, 150), 128);
    cr_assert_eq(position_told(), 128);
    cr_assert_eq(rj_subscription_block_poll(subscription, on_block, text, 4096), 64);
    cr_assert_str_eq(text, "128 in 0 64 in 0 ");
    rj_wire_data_t pad = {.type = RJ_FRAME_TYPE_PAD, .term_offset = at};
    memcpy(log_213.terms[0] + at, &pad, sizeof(pad));
    rj_frame_publish(log_213.terms[0], at, 64);
    cr_assert_eq(rj_image_block_poll(image, on_block, text, 4096), 0);
    cr_assert_eq(position_told(), 256, "padding is passed over");
}

Test(image, stops_at_a_frame_that_cannot_be_and_says_so_once, .init = open_all, .fini = close_all)
{
    rj_image_t *image = announce();
    char text[256] = "";
    static const int32_t lengths[] = {31, 1, RJ_TERM_LENGTH_MIN + 1, INT32_MAX};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        rj_frame_publish(log_213.terms[0], 0, lengths[i]);
        cr_assert_eq(rj_image_poll(image, on_fragment, text, 10), 0);
    }
    rj_frame_publish(log_213.terms[0], 0, INT32_MIN);
    cr_assert_eq(rj_image_poll(image, on_fragment, text, 10), 0);
    cr_assert_eq(position_told(), 0);
    for (int i = 0; i < 3; i++) {
        now_ns += 500 * MS;
        turn();
    }
    cr_assert_eq(reported_count, 1);
}

Test(image, does_not_follow_a_position_that_others_wrote, .init = open_all, .fini = close_all)
{
    rj_image_t *image = announce();
    rj_fake_frame(&log_213, 0, WHOLE, "one");
    rj_counter_set(rj_counters_value(&driver.counters, position_id), 65535);
    char text[256] = "";
    cr_assert_eq(rj_image_poll(image, on_fragment, text, 10), 1);
    cr_assert_eq(position_told(), 64);
}

Test(image, knows_the_end_of_the_stream, .init = open_all, .fini = close_all)
{
    rj_image_t *image = announce();
    rj_fake_frame(&log_213, 0, WHOLE, "one");
    char text[256] = "";
    cr_assert_eq(rj_image_end_of_stream_position(image), INT64_MAX);
    cr_assert_not(rj_image_is_end_of_stream(image));
    rj_log_set_end_of_stream(&log_213, 64);
    cr_assert_not(rj_image_is_end_of_stream(image));
    rj_image_poll(image, on_fragment, text, 1);
    cr_assert(rj_image_is_end_of_stream(image));
    cr_assert_not(rj_subscription_is_connected(subscription));
    cr_assert_not(rj_image_is_revoked(image));
    rj_log_set_revoked(&log_213);
    cr_assert(rj_image_is_revoked(image));
}

Test(image, moves_forward_in_its_term_only, .init = open_all, .fini = close_all)
{
    rj_image_t *image = announce();
    cr_assert_eq(rj_image_set_position(image, 64), 0);
    cr_assert_eq(rj_image_set_position(image, 32), -EINVAL);
    cr_assert_eq(rj_image_set_position(image, 65), -EINVAL);
    cr_assert_eq(rj_image_set_position(image, log_213.term_length + 32), -EINVAL);
    cr_assert_eq(rj_image_position(image), 64);
}
