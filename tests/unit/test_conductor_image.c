/* SPDX-License-Identifier: Apache-2.0 */
#include "conductor/conductor.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/fixtures/driver_rig.h"

#define CHANNEL    "aeron:udp?endpoint=127.0.0.1:24400"
#define SECONDS(n) ((n)*INT64_C(1000000000))

enum { CLIENT = 7000, STREAM = 1001 };

static driver_rig_t rig;

static void open_rig(void)
{
    driver_rig_open(&rig, NULL);
    driver_rig_make_client(&rig, CLIENT);
}

static void close_rig(void)
{
    driver_rig_close(&rig);
}

TestSuite(conductor_image, .init = open_rig, .fini = close_rig);

static int64_t subscribe(const char *channel)
{
    int64_t id = driver_rig_add_subscription(&rig, CLIENT, channel, STREAM);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    return id;
}

static int64_t publish(const char *channel)
{
    int64_t id = driver_rig_add_publication(&rig, CLIENT, true, channel, STREAM);
    (void)driver_rig_expect(&rig, RJ_EVENT_EXCLUSIVE_PUBLICATION_READY);
    return id;
}

static void drop(int32_t type, int64_t id)
{
    driver_rig_remove(&rig, type, CLIENT, id);
    (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
}

static rig_event_t expect_image(int64_t subscription_id)
{
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE);
    cr_expect_eq(event.image.subscription_registration_id, subscription_id);
    return event;
}

static void expect_unavailable(int64_t image_id, int64_t subscription_id, const char *channel)
{
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_UNAVAILABLE_IMAGE);
    cr_expect_eq(event.unavailable.correlation_id, image_id);
    cr_expect_eq(event.unavailable.subscription_registration_id, subscription_id);
    cr_expect_eq(event.unavailable.stream_id, STREAM);
    cr_expect_eq(event.unavailable.channel_length, (int32_t)strlen(channel));
    cr_expect_eq(memcmp(event.bytes + sizeof(event.unavailable), channel, strlen(channel)), 0);
}

/* Only the client's heartbeat counter is left. */
static void expect_nothing_left(void)
{
    cr_expect_eq(driver_rig_counter_count(&rig), 1);
    cr_expect_eq(driver_rig_log_count(&rig), 0);
}

Test(conductor_image, comes_to_each_subscription_that_wants_it_once_and_goes_once)
{
    int64_t all = subscribe(CHANNEL);
    int64_t one = subscribe(CHANNEL "|session-id=5");
    subscribe(CHANNEL "|session-id=6");
    int64_t publication = publish(CHANNEL "|session-id=5|linger=0s");
    rig_event_t event = expect_image(all);
    int64_t image_id = event.image.correlation_id;
    cr_expect_eq(event.image.session_id, 5);
    cr_expect_eq(expect_image(one).image.correlation_id, image_id);
    driver_rig_expect_nothing(&rig);
    int64_t late = subscribe(CHANNEL "|alias=late");
    cr_expect_eq(expect_image(late).image.correlation_id, image_id);
    drop(RJ_COMMAND_REMOVE_PUBLICATION, publication);
    driver_rig_live(&rig, CLIENT, SECONDS(4));
    expect_unavailable(image_id, all, CHANNEL);
    expect_unavailable(image_id, one, CHANNEL "|session-id=5");
    expect_unavailable(image_id, late, CHANNEL "|alias=late");
    driver_rig_live(&rig, CLIENT, SECONDS(15));
    driver_rig_expect_nothing(&rig);
}

Test(conductor_image, says_who_sends_and_where_the_log_is)
{
    int64_t id = subscribe("aeron:udp?endpoint=[::1]:24400");
    publish("aeron:udp?endpoint=[::1]:24400");
    rig_event_t event = expect_image(id);
    const char *path = (const char *)event.bytes + sizeof(event.image);
    cr_expect_eq(path[0], '/');
    cr_expect_eq(driver_rig_log_count(&rig), 2);
    const uint8_t *source = event.bytes + sizeof(event.image) +
                            (event.image.log_file_length + 3) / 4 * 4 + sizeof(int32_t);
    cr_expect_eq(memcmp(source, "[::1]:", 6), 0);
}

Test(conductor_image, ends_without_a_word_to_the_subscription_that_left)
{
    int64_t id = subscribe(CHANNEL);
    int64_t publication = publish(CHANNEL "|linger=0s");
    expect_image(id);
    drop(RJ_COMMAND_REMOVE_SUBSCRIPTION, id);
    driver_rig_live(&rig, CLIENT, SECONDS(6));
    driver_rig_expect_nothing(&rig);
    drop(RJ_COMMAND_REMOVE_PUBLICATION, publication);
    driver_rig_live(&rig, CLIENT, SECONDS(6));
    expect_nothing_left();
}

Test(conductor_image, comes_again_and_again_to_who_subscribes_again_and_again)
{
    publish(CHANNEL);
    int64_t last_image = 0;
    for (int i = 0; i < 5; i++) {
        int64_t id = subscribe(CHANNEL);
        driver_rig_live(&rig, CLIENT, SECONDS(4));
        rig_event_t event = expect_image(id);
        cr_expect_neq(event.image.correlation_id, last_image);
        last_image = event.image.correlation_id;
        drop(RJ_COMMAND_REMOVE_SUBSCRIPTION, id);
    }
    driver_rig_live(&rig, CLIENT, SECONDS(4));
    driver_rig_expect_nothing(&rig);
}

/* The removal meets the image in every stage of its making: told of the setup, log asked for, log
 * there, image with its engine. */
Test(conductor_image, leaves_nothing_when_the_subscription_goes_while_it_is_made)
{
    for (int turns = 0; turns < 12; turns++) {
        int64_t publication = publish(CHANNEL "|linger=0s");
        int64_t id = subscribe(CHANNEL);
        rig.now_ns += 150000000; /* the next setup is due */
        for (int i = 0; i < turns; i++)
            driver_rig_turn(&rig);
        int64_t command = driver_rig_remove(&rig, RJ_COMMAND_REMOVE_SUBSCRIPTION, CLIENT, id);
        rig_event_t event = driver_rig_next(&rig);
        if (event.type == RJ_EVENT_AVAILABLE_IMAGE)
            event = driver_rig_next(&rig);
        cr_assert_eq(event.type, RJ_EVENT_OPERATION_SUCCESS, "after %d turns", turns);
        cr_expect_eq(event.success.correlation_id, command);
        driver_rig_expect_nothing(&rig);
        drop(RJ_COMMAND_REMOVE_PUBLICATION, publication);
        driver_rig_live(&rig, CLIENT, SECONDS(8));
        driver_rig_expect_nothing(&rig);
        expect_nothing_left();
    }
    cr_expect_eq(driver_rig_system_counter(&rig, RJ_SYSTEM_ERRORS), 0);
}

Test(conductor_image, is_kept_for_its_reader_for_a_while_after_its_end)
{
    int64_t id = subscribe(CHANNEL);
    int64_t publication = publish(CHANNEL "|linger=0s");
    int64_t image_id = expect_image(id).image.correlation_id;
    drop(RJ_COMMAND_REMOVE_PUBLICATION, publication);
    driver_rig_live(&rig, CLIENT, SECONDS(5));
    expect_unavailable(image_id, id, CHANNEL);
    cr_expect_eq(driver_rig_log_count(&rig), 1);
    (void)driver_rig_counter(&rig, RJ_COUNTER_TYPE_RECEIVER_POSITION, image_id);
    driver_rig_live(&rig, CLIENT, SECONDS(12));
    cr_expect_eq(driver_rig_log_count(&rig), 0);
    /* The subscription stays, with the two counters of its endpoint. */
    cr_expect_eq(driver_rig_counter_count(&rig), 3);
    driver_rig_expect_nothing(&rig);
}

Test(conductor_image, goes_at_once_when_its_last_reader_leaves_after_its_end)
{
    int64_t id = subscribe(CHANNEL);
    int64_t publication = publish(CHANNEL "|linger=0s");
    int64_t image_id = expect_image(id).image.correlation_id;
    drop(RJ_COMMAND_REMOVE_PUBLICATION, publication);
    driver_rig_live(&rig, CLIENT, SECONDS(5));
    expect_unavailable(image_id, id, CHANNEL);
    drop(RJ_COMMAND_REMOVE_SUBSCRIPTION, id);
    driver_rig_live(&rig, CLIENT, SECONDS(3));
    expect_nothing_left();
}

/* A publisher that vanishes without an end of stream. Returns the image that it was, and that it is
 * told of both times; 0 when there was none. */
static int64_t publish_and_vanish(int64_t subscription_id, const char *channel)
{
    int64_t publication = publish(CHANNEL "|session-id=5|linger=0s|eos=false");
    rig_event_t event = driver_rig_next(&rig);
    int64_t image_id = event.type == RJ_EVENT_AVAILABLE_IMAGE ? event.image.correlation_id : 0;
    drop(RJ_COMMAND_REMOVE_PUBLICATION, publication);
    driver_rig_live(&rig, CLIENT, SECONDS(16));
    if (image_id != 0)
        expect_unavailable(image_id, subscription_id, channel);
    driver_rig_expect_nothing(&rig);
    return image_id;
}

Test(conductor_image, comes_back_after_silence_unless_that_is_not_wanted)
{
    static const char once[] = CHANNEL "|rejoin=false";
    int64_t id = subscribe(CHANNEL);
    cr_expect_neq(publish_and_vanish(id, CHANNEL), 0);
    cr_expect_neq(publish_and_vanish(id, CHANNEL), 0);
    drop(RJ_COMMAND_REMOVE_SUBSCRIPTION, id);
    driver_rig_live(&rig, CLIENT, SECONDS(3));

    id = subscribe(once);
    cr_expect_neq(publish_and_vanish(id, once), 0);
    cr_expect_eq(publish_and_vanish(id, once), 0);
    drop(RJ_COMMAND_REMOVE_SUBSCRIPTION, id);
    driver_rig_live(&rig, CLIENT, SECONDS(3));
    cr_expect_neq(publish_and_vanish(subscribe(once), once), 0);
}

Test(conductor_image, is_not_made_from_what_does_not_fit_or_cannot_be_read)
{
    static const struct {
        const char *subscription;
        const char *publication;
        const char *words;
    } rows[] = {
        {"|rcv-wnd=1k", "", "mtuLength=1408 > initialWindowLength=1024"},
        {"|nak-delay=soon", "", "could not parse nak-delay"},
        {"|cc=fastest", "", "unknown congestion control"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char channel[128];
        snprintf(channel, sizeof(channel), CHANNEL "%s", rows[i].subscription);
        int64_t id = subscribe(channel);
        snprintf(channel, sizeof(channel), CHANNEL "|linger=0s%s", rows[i].publication);
        int64_t publication = publish(channel);
        driver_rig_live(&rig, CLIENT, SECONDS(2));
        cr_expect(driver_rig_has_error(&rig, rows[i].words), "%s", rows[i].words);
        drop(RJ_COMMAND_REMOVE_PUBLICATION, publication);
        drop(RJ_COMMAND_REMOVE_SUBSCRIPTION, id);
        driver_rig_live(&rig, CLIENT, SECONDS(8));
        driver_rig_expect_nothing(&rig);
        expect_nothing_left();
    }
}

Test(conductor_image, is_refused_beyond_the_session_limit_and_each_refusal_is_told)
{
    driver_rig_close(&rig);
    const char *const settings[] = {"AERON_DRIVER_STREAM_SESSION_LIMIT", "1", NULL};
    driver_rig_open(&rig, settings);
    driver_rig_make_client(&rig, CLIENT);
    int64_t id = subscribe(CHANNEL);
    int64_t publication = publish(CHANNEL "|linger=0s");
    expect_image(id);
    publish(CHANNEL);
    driver_rig_live(&rig, CLIENT, SECONDS(2));
    cr_expect(driver_rig_has_error(&rig, "exceeded session limit, stream-id=1001"));
    int64_t errors = driver_rig_system_counter(&rig, RJ_SYSTEM_ERRORS);
    driver_rig_live(&rig, CLIENT, SECONDS(2));
    cr_expect_gt(driver_rig_system_counter(&rig, RJ_SYSTEM_ERRORS), errors);
    driver_rig_expect_nothing(&rig);
    drop(RJ_COMMAND_REMOVE_PUBLICATION, publication);
    driver_rig_live(&rig, CLIENT, SECONDS(8));
    (void)driver_rig_expect(&rig, RJ_EVENT_UNAVAILABLE_IMAGE);
    expect_image(id);
}
