/* SPDX-License-Identifier: Apache-2.0 */
/* Spies (commands.md 8; driver.md 8, 23.9). */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shm/term_append.h"
#include "tests/fixtures/rig_stream.h"

#define ENDPOINT   "endpoint=127.0.0.1:24421"
#define CHANNEL    "aeron:udp?" ENDPOINT
#define SPY        "aeron-spy:" CHANNEL
#define DYNAMIC    "aeron:udp?control=127.0.0.1:24423|control-mode=dynamic"
#define MANUAL     "aeron:udp?control-mode=manual"
#define SECONDS(n) ((n)*INT64_C(1000000000))

enum { CLIENT = 7000, STREAM = 1001, TERM = 64 * 1024 };

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

TestSuite(conductor_spy, .init = open_rig, .fini = close_rig);

static rig_event_t publish(const char *channel)
{
    driver_rig_add_publication(&rig, CLIENT, false, channel, STREAM);
    return driver_rig_expect(&rig, RJ_EVENT_PUBLICATION_READY);
}

static int64_t spy_upon(const char *channel)
{
    int64_t id = driver_rig_add_subscription(&rig, CLIENT, channel, STREAM);
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    cr_expect_eq(event.subscription.channel_status_counter_id, -1);
    return id;
}

static rig_reader_t expect_image(int64_t subscription_id)
{
    rig_reader_t reader;
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE);
    rig_reader_open(&reader, &rig, &event);
    cr_expect_eq(reader.subscription_id, subscription_id);
    return reader;
}

static void expect_unavailable(const rig_reader_t *reader, const char *channel)
{
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_UNAVAILABLE_IMAGE);
    cr_expect_eq(event.unavailable.correlation_id, reader->image_id);
    cr_expect_eq(event.unavailable.subscription_registration_id, reader->subscription_id);
    cr_expect_eq(event.unavailable.channel_length, (int32_t)strlen(channel));
    cr_expect_eq(memcmp(event.bytes + sizeof(event.unavailable), channel, strlen(channel)), 0);
}

static void drop(int32_t type, int64_t id)
{
    driver_rig_remove(&rig, type, CLIENT, id);
    (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
}

static void settle(void)
{
    for (int quiet = 0; quiet < 3;)
        quiet = driver_rig_turn(&rig) > 0 ? 0 : quiet + 1;
}

static int64_t snd_pos(const rig_event_t *ready)
{
    return driver_rig_counter(&rig, RJ_COUNTER_TYPE_SENDER_POSITION,
                              ready->publication.registration_id)
        .value;
}

/* --- who is linked to what --- */

Test(conductor_spy, reads_publications_that_are_there_and_that_come)
{
    rig_event_t first = publish(CHANNEL);
    int64_t id = spy_upon(SPY);
    rig_reader_t reader = expect_image(id);
    cr_expect_eq(reader.image_id, first.publication.registration_id);
    cr_expect_str_eq(reader.source, "aeron:ipc");
    rj_counter_view_t view = driver_rig_counter(&rig, RJ_COUNTER_TYPE_SUBSCRIBER_POSITION, id);
    cr_expect_eq(view.id, reader.position_id);
    cr_expect_eq(view.reference_id, reader.image_id);
    cr_expect_eq(view.owner_id, CLIENT);
    cr_expect_eq(strncmp(view.label, "sub-pos: ", 9), 0);
    cr_expect_not_null(strstr(view.label, SPY " @0"), "%s", view.label);
    publish(CHANNEL); /* the same once more: the spy has it already */
    driver_rig_expect_nothing(&rig);
    driver_rig_add_publication(&rig, CLIENT, true, CHANNEL, STREAM);
    rig_event_t second = driver_rig_expect(&rig, RJ_EVENT_EXCLUSIVE_PUBLICATION_READY);
    cr_expect_eq(expect_image(id).image_id, second.publication.registration_id);
    driver_rig_expect_nothing(&rig);
}

Test(conductor_spy, is_matched_by_tag_or_by_canonical_form)
{
    static const struct {
        const char *publication;
        const char *spy;
        bool is_linked;
    } rows[] = {
        {CHANNEL, SPY, true},
        {CHANNEL "|session-id=5", SPY "|session-id=5", true},
        {CHANNEL "|session-id=5", SPY "|session-id=6", false},
        {CHANNEL "|mtu=1344", SPY "|alias=other|tether=true", true},
        {CHANNEL, "aeron-spy:aeron:udp?endpoint=localhost:24421", false},
        {CHANNEL, "aeron-spy:aeron:udp?endpoint=127.0.0.1:24422", false},
        {CHANNEL "|tags=5", "aeron-spy:aeron:udp?tags=5", true},
        {CHANNEL "|tags=5,6", "aeron-spy:aeron:udp?tags=5", true},
        {CHANNEL "|tags=5,6", "aeron-spy:aeron:udp?tags=6", false},
        {CHANNEL, "aeron-spy:aeron:udp?tags=5", false},
        /* A tag says it all: the cluster names a session that is right anyway. */
        {CHANNEL "|tags=5|session-id=7", "aeron-spy:aeron:udp?tags=5|session-id=8", true},
        /* Whom the tag does not find the address may. */
        {CHANNEL "|tags=5", SPY "|tags=6", true},
        {CHANNEL, SPY "|tags=6", true},
        {"aeron:udp?endpoint=239.255.48.39:24421|interface=127.0.0.1",
         "aeron-spy:aeron:udp?endpoint=239.255.48.39:24421|interface=localhost", true},
        {DYNAMIC, "aeron-spy:" DYNAMIC, true},
        {MANUAL "|tags=5", "aeron-spy:aeron:udp?tags=5", true},
        {MANUAL "|tags=5", "aeron-spy:" MANUAL "|tags=5", true},
        {MANUAL, "aeron-spy:" MANUAL, false},
        {"aeron:udp?control=127.0.0.1:0|control-mode=dynamic|tags=5", "aeron-spy:aeron:udp?tags=5",
         true},
        {"aeron:udp?control=127.0.0.1:0|control-mode=dynamic",
         "aeron-spy:aeron:udp?control=127.0.0.1:0|control-mode=dynamic", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool is_spy_first = i % 2 == 0;
        int64_t spy = is_spy_first ? spy_upon(rows[i].spy) : 0;
        rig_event_t ready = publish(rows[i].publication);
        if (!is_spy_first)
            spy = spy_upon(rows[i].spy);
        if (rows[i].is_linked) {
            rig_reader_t reader = expect_image(spy);
            cr_expect_eq(reader.image_id, ready.publication.registration_id, "row %zu", i);
            rig_reader_close(&reader);
        }
        rig_event_t event = driver_rig_next(&rig);
        cr_assert_eq(event.type, 0, "row %zu: 0x%x", i, (unsigned)event.type);
        drop(RJ_COMMAND_REMOVE_SUBSCRIPTION, spy);
        drop(RJ_COMMAND_REMOVE_PUBLICATION, ready.publication.correlation_id);
        driver_rig_live(&rig, CLIENT, SECONDS(9));
        cr_assert_eq(driver_rig_counter_count(&rig), 1, "row %zu", i);
    }
}

Test(conductor_spy, is_of_its_stream)
{
    driver_rig_add_publication(&rig, CLIENT, false, CHANNEL, STREAM + 1);
    (void)driver_rig_expect(&rig, RJ_EVENT_PUBLICATION_READY);
    spy_upon(SPY);
    driver_rig_expect_nothing(&rig);
}

Test(conductor_spy, does_not_bind_what_it_spies_upon)
{
    spy_upon(SPY);
    cr_expect_eq(driver_rig_counter_count(&rig), 1);
    int64_t id = driver_rig_add_subscription(&rig, CLIENT, CHANNEL, STREAM);
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    cr_expect_eq(event.subscription.correlation_id, id);
}

Test(conductor_spy, is_refused_where_there_is_nothing_to_spy_upon)
{
    static const struct {
        const char *channel;
        int32_t code;
    } rows[] = {{"aeron-spy:aeron:ipc", 1},
                {"aeron-spy:aeron:udp?session-id=5", 1},
                {"aeron-spy:udp?" ENDPOINT, 1},
                {SPY "|session-id=tag:5", 11},
                {SPY "|rejoin=perhaps", 11},
                {"aeron-spy:aeron:udp?endpoint=no-such-host.invalid:24421", 9}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        driver_rig_add_subscription(&rig, CLIENT, rows[i].channel, STREAM);
        rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_ERROR);
        cr_expect_eq(event.error.error_code, rows[i].code, "%s: %s", rows[i].channel,
                     driver_rig_text(&event));
    }
}

/* --- what they read --- */

Test(conductor_spy, holds_the_publisher_back_and_not_the_receiver)
{
    int64_t id = driver_rig_add_subscription(&rig, CLIENT, CHANNEL, STREAM);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    rig_event_t ready = publish(CHANNEL);
    rig_reader_t receiver = expect_image(id);
    rig_reader_t spy = expect_image(spy_upon(SPY));
    rig_writer_t writer;
    rig_writer_open(&writer, &rig, &ready);
    settle();
    int64_t end = rig_writer_fill(&writer);
    cr_expect_eq(end, TERM / 2);
    settle();
    cr_expect_eq(rig_reader_drain(&receiver), end, "what was sent");
    settle();
    cr_expect_eq(rig_writer_offer(&writer, 992, 7), RJ_APPEND_BACK_PRESSURED);
    cr_expect_eq(rig_reader_drain(&spy), end);
    settle();
    cr_expect_gt(rig_writer_offer(&writer, 992, 7), end);
}

Test(conductor_spy, is_no_connection_unless_told)
{
    rig_event_t ready = publish(CHANNEL);
    rig_reader_t spy = expect_image(spy_upon(SPY));
    rig_writer_t writer;
    rig_writer_open(&writer, &rig, &ready);
    settle();
    cr_expect_not(rj_log_is_connected(&writer.log));
    cr_expect_eq(*writer.limit, 0);
    rig_reader_close(&spy);
}

Test(conductor_spy, simulates_a_connection_at_once_and_takes_the_sender_along)
{
    rig_event_t ready = publish(CHANNEL "|ssc=true");
    rig_writer_t writer;
    rig_writer_open(&writer, &rig, &ready);
    settle();
    cr_expect_not(rj_log_is_connected(&writer.log));
    rig_reader_t spy = expect_image(spy_upon(SPY));
    cr_expect(rj_log_is_connected(&writer.log), "by the time that it is told");
    settle();
    int64_t end = 0;
    for (int i = 0; i < 5; i++) { /* more than a window, and than a term */
        end = rig_writer_fill(&writer);
        cr_expect_eq(rig_reader_drain(&spy), end);
        settle();
        cr_expect_eq(snd_pos(&ready), end);
    }
    cr_expect_eq(end, 5 * TERM / 2);
    cr_expect_eq(driver_rig_system_counter(&rig, RJ_SYSTEM_BYTES_SENT), 0);
    cr_expect_eq(driver_rig_system_counter(&rig, RJ_SYSTEM_SHORT_SENDS), 0);
    drop(RJ_COMMAND_REMOVE_SUBSCRIPTION, spy.subscription_id);
    cr_expect_not(rj_log_is_connected(&writer.log), "as soon as the last one is gone");
    settle();
    cr_expect_eq(*writer.limit, end);
}

Test(conductor_spy, is_enough_for_a_publication_without_destinations)
{
    static const char *const channels[] = {DYNAMIC "|ssc=true|tags=5", MANUAL "|ssc=true|tags=6"};
    static const char *const spies[] = {"aeron-spy:aeron:udp?tags=5", "aeron-spy:aeron:udp?tags=6"};
    for (int i = 0; i < 2; i++) {
        rig_event_t ready = publish(channels[i]);
        rig_reader_t spy = expect_image(spy_upon(spies[i]));
        rig_writer_t writer;
        rig_writer_open(&writer, &rig, &ready);
        settle();
        int64_t end = 0;
        for (int window = 0; window < 5; window++) {
            end = rig_writer_fill(&writer);
            cr_expect_eq(rig_reader_drain(&spy), end);
            settle();
        }
        cr_expect_eq(snd_pos(&ready), end);
        cr_expect_eq(end, 5 * TERM / 2);
        cr_expect_eq(driver_rig_system_counter(&rig, RJ_SYSTEM_SHORT_SENDS), 0, "%s", channels[i]);
    }
}

Test(conductor_spy, goes_on_when_receivers_come_and_go)
{
    rig_event_t ready = publish(CHANNEL "|ssc=true");
    rig_reader_t spy = expect_image(spy_upon(SPY));
    rig_writer_t writer;
    rig_writer_open(&writer, &rig, &ready);
    settle();
    int64_t end = rig_writer_fill(&writer);
    rig_reader_drain(&spy);
    settle();
    int64_t id = driver_rig_add_subscription(&rig, CLIENT, CHANNEL, STREAM);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    driver_rig_live(&rig, CLIENT, SECONDS(1));
    rig_reader_t receiver = expect_image(id);
    cr_expect_eq(*receiver.position, end, "where the spy has taken the sender");
    settle();
    end = rig_writer_fill(&writer);
    settle();
    cr_expect_eq(rig_reader_drain(&receiver), end);
    cr_expect_eq(rig_reader_drain(&spy), end);
    drop(RJ_COMMAND_REMOVE_SUBSCRIPTION, id);
    for (int i = 0; i < 8; i++) {
        driver_rig_live(&rig, CLIENT, SECONDS(1));
        cr_expect(rj_log_is_connected(&writer.log));
        end = rig_writer_fill(&writer);
        cr_expect_eq(rig_reader_drain(&spy), end);
    }
    driver_rig_expect_nothing(&rig);
}

/* --- how they end --- */

Test(conductor_spy, drains_what_is_left_and_then_loses_the_image)
{
    rig_event_t ready = publish(CHANNEL "|ssc=true|linger=0s");
    rig_reader_t fast = expect_image(spy_upon(SPY));
    rig_reader_t slow = expect_image(spy_upon(SPY "|alias=slow"));
    rig_writer_t writer;
    rig_writer_open(&writer, &rig, &ready);
    settle();
    int64_t end = rig_writer_fill(&writer);
    rig_reader_drain(&fast);
    drop(RJ_COMMAND_REMOVE_PUBLICATION, ready.publication.correlation_id);
    driver_rig_live(&rig, CLIENT, SECONDS(3));
    driver_rig_expect_nothing(&rig);
    cr_expect_eq(rig_reader_drain(&slow), end);
    driver_rig_live(&rig, CLIENT, SECONDS(1));
    expect_unavailable(&fast, SPY);
    expect_unavailable(&slow, SPY "|alias=slow");
    driver_rig_live(&rig, CLIENT, SECONDS(6));
    driver_rig_expect_nothing(&rig);
    cr_expect_eq(driver_rig_counter_count(&rig), 1);
    cr_expect_eq(driver_rig_log_count(&rig), 0);
}

Test(conductor_spy, loses_a_revoked_publication_at_once)
{
    rig_event_t ready = publish(CHANNEL "|ssc=true");
    rig_reader_t spy = expect_image(spy_upon(SPY));
    rig_writer_t writer;
    rig_writer_open(&writer, &rig, &ready);
    settle();
    rig_writer_fill(&writer);
    const rj_command_remove_publication_t revoke = {.header = {CLIENT, driver_rig_id(&rig)},
                                                    .registration_id =
                                                        ready.publication.correlation_id,
                                                    .flags = RJ_REMOVE_PUBLICATION_FLAG_REVOKE};
    driver_rig_write(&rig, RJ_COMMAND_REMOVE_PUBLICATION, &revoke, sizeof(revoke));
    (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
    driver_rig_live(&rig, CLIENT, SECONDS(1));
    expect_unavailable(&spy, SPY);
    cr_expect_eq(driver_rig_system_counter(&rig, RJ_SYSTEM_PUBLICATIONS_REVOKED), 1);
    cr_expect(rj_log_is_revoked(&spy.log));
}

Test(conductor_spy, leaves_without_a_word_about_its_images)
{
    publish(CHANNEL);
    int64_t id = spy_upon(SPY);
    (void)expect_image(id);
    int counters = driver_rig_counter_count(&rig);
    drop(RJ_COMMAND_REMOVE_SUBSCRIPTION, id);
    driver_rig_expect_nothing(&rig);
    cr_expect_eq(driver_rig_counter_count(&rig), counters - 1);
}

Test(conductor_spy, goes_with_its_client)
{
    publish(CHANNEL "|ssc=true");
    driver_rig_add_subscription(&rig, CLIENT + 1, SPY, STREAM);
    (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    (void)driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE);
    int counters = driver_rig_counter_count(&rig);
    driver_rig_live(&rig, CLIENT, SECONDS(13));
    (void)driver_rig_expect(&rig, RJ_EVENT_CLIENT_TIMEOUT);
    (void)driver_rig_expect(&rig, RJ_EVENT_UNAVAILABLE_COUNTER);
    cr_expect_eq(driver_rig_counter_count(&rig), counters - 2, "its position and its heartbeat");
}

Test(conductor_spy, comes_in_hundreds_and_by_the_same_tags_again)
{
    enum { SPIES = 200 };
    for (int round = 0; round < 2; round++) {
        int64_t ids[SPIES];
        for (int i = 0; i < SPIES / 2; i++)
            ids[i] = spy_upon("aeron-spy:aeron:udp?tags=5");
        rig_event_t ready = publish(CHANNEL "|tags=5,6|linger=0s");
        for (int i = 0; i < SPIES / 2; i++)
            rig_reader_close(&(rig_reader_t){.log = expect_image(ids[i]).log});
        for (int i = SPIES / 2; i < SPIES; i++) {
            ids[i] = spy_upon("aeron-spy:aeron:udp?tags=5");
            rig_reader_close(&(rig_reader_t){.log = expect_image(ids[i]).log});
        }
        drop(RJ_COMMAND_REMOVE_PUBLICATION, ready.publication.correlation_id);
        driver_rig_live(&rig, CLIENT, SECONDS(1));
        for (int i = 0; i < SPIES; i++)
            (void)driver_rig_expect(&rig, RJ_EVENT_UNAVAILABLE_IMAGE);
        for (int i = 0; i < SPIES; i++)
            drop(RJ_COMMAND_REMOVE_SUBSCRIPTION, ids[i]);
        driver_rig_live(&rig, CLIENT, SECONDS(6));
        cr_expect_eq(driver_rig_counter_count(&rig), 1);
    }
}
