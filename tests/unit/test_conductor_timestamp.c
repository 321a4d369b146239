/* SPDX-License-Identifier: Apache-2.0 */
/* Times in messages (wire.md 10.7; commands.md 13.4; driver.md 23.5 (11)). */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "tests/fixtures/rig_stream.h"

#define CHANNEL "aeron:udp?endpoint=127.0.0.1:24451"

enum { CLIENT = 7000, STREAM = 1001, FILL = 0x5A };

static driver_rig_t rig;

static struct {
    rig_writer_t writer;
    rig_reader_t reader;
    int64_t begin_ns;
} stream;

static void open_rig(void)
{
    driver_rig_open(&rig, NULL);
    (void)driver_rig_add_subscription(&rig, CLIENT, "aeron:ipc", 99);
    (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
}

static void close_rig(void)
{
    driver_rig_close(&rig);
}

TestSuite(conductor_timestamp, .init = open_rig, .fini = close_rig);

static void settle(void)
{
    for (int quiet = 0; quiet < 3;)
        quiet = driver_rig_turn(&rig) > 0 ? 0 : quiet + 1;
}

static void open_stream(const char *publication_params, const char *subscription_params)
{
    char channel[256];
    snprintf(channel, sizeof(channel), CHANNEL "%s", subscription_params);
    driver_rig_add_subscription(&rig, CLIENT, channel, STREAM);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    snprintf(channel, sizeof(channel), CHANNEL "%s", publication_params);
    driver_rig_add_publication(&rig, CLIENT, false, channel, STREAM);
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_PUBLICATION_READY);
    rig_writer_open(&stream.writer, &rig, &event);
    event = driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE);
    rig_reader_open(&stream.reader, &rig, &event);
    settle();
    stream.begin_ns = rj_clock_epoch_ns();
}

static const uint8_t *next_frame(void)
{
    const rj_wire_data_t *frame = rig_reader_frame(&stream.reader);
    cr_assert_not_null(frame);
    rig_reader_read(&stream.reader);
    return (const uint8_t *)frame;
}

static int64_t word(const uint8_t *bytes)
{
    int64_t value;
    memcpy(&value, bytes, sizeof(value));
    return value;
}

static int64_t expect_time(const uint8_t *bytes)
{
    int64_t value = word(bytes);
    cr_assert_geq(value, stream.begin_ns);
    cr_assert_leq(value, rj_clock_epoch_ns());
    return value;
}

static void expect_fill(const uint8_t *bytes, int count)
{
    for (int i = 0; i < count; i++)
        cr_assert_eq(bytes[i], FILL, "byte %d", i);
}

static const uint8_t *payload(const uint8_t *frame)
{
    return frame + RJ_DATA_HEADER_BYTES;
}

Test(conductor_timestamp, all_three_stand_where_they_were_asked_for_in_their_order)
{
    open_stream("|channel-snd-ts-offset=0",
                "|media-rcv-ts-offset=8|channel-rcv-ts-offset=reserved");
    cr_assert_gt(rig_writer_offer(&stream.writer, 64, FILL), 0);
    settle();
    const uint8_t *frame = next_frame();
    int64_t sent_ns = expect_time(payload(frame));
    int64_t media_ns = expect_time(payload(frame) + 8);
    int64_t received_ns = expect_time(frame + 24);
    cr_expect_leq(sent_ns, media_ns);
    cr_expect_leq(media_ns, received_ns);
    expect_fill(payload(frame) + 16, 48);
}

Test(conductor_timestamp, packed_messages_share_their_times)
{
    enum { MESSAGES = 5 };
    open_stream("|channel-snd-ts-offset=reserved", "|channel-rcv-ts-offset=16");
    for (int i = 0; i < MESSAGES; i++)
        cr_assert_gt(rig_writer_offer(&stream.writer, 64, FILL), 0);
    settle();
    const uint8_t *first = next_frame();
    int64_t sent_ns = expect_time(first + 24);
    int64_t received_ns = expect_time(payload(first) + 16);
    for (int i = 1; i < MESSAGES; i++) {
        const uint8_t *frame = next_frame();
        cr_expect_eq(word(frame + 24), sent_ns);
        expect_fill(payload(frame), 16);
        cr_expect_eq(word(payload(frame) + 16), received_ns);
        expect_fill(payload(frame) + 24, 40);
    }
}

Test(conductor_timestamp, a_fragmented_message_has_them_in_its_first_fragment)
{
    open_stream("|channel-snd-ts-offset=reserved", "|media-rcv-ts-offset=0");
    cr_assert_gt(rig_writer_offer(&stream.writer, 3 * (1408 - RJ_DATA_HEADER_BYTES), FILL), 0);
    settle();
    for (int i = 0; i < 3; i++) {
        const uint8_t *frame = next_frame();
        if (i == 0) {
            (void)expect_time(frame + 24);
            (void)expect_time(payload(frame));
        } else {
            cr_expect_eq(word(frame + 24), 0);
            expect_fill(payload(frame), 8);
        }
        expect_fill(payload(frame) + 8, 1408 - RJ_DATA_HEADER_BYTES - 8);
    }
}

Test(conductor_timestamp, messages_that_are_too_short_stay_as_they_are)
{
    open_stream("|channel-snd-ts-offset=24", "|media-rcv-ts-offset=32|channel-rcv-ts-offset=40");
    cr_assert_gt(rig_writer_offer(&stream.writer, 31, FILL), 0);
    cr_assert_gt(rig_writer_offer(&stream.writer, 40, FILL), 0);
    settle();
    expect_fill(payload(next_frame()), 31);
    const uint8_t *frame = next_frame();
    expect_fill(payload(frame), 24);
    (void)expect_time(payload(frame) + 24);
    (void)expect_time(payload(frame) + 32);
}

Test(conductor_timestamp, spies_see_the_time_of_sending)
{
    open_stream("|channel-snd-ts-offset=0", "");
    driver_rig_add_subscription(&rig, CLIENT, "aeron-spy:" CHANNEL, STREAM);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE);
    rig_reader_t spy;
    rig_reader_open(&spy, &rig, &event);
    cr_assert_gt(rig_writer_offer(&stream.writer, 64, FILL), 0);
    settle();
    int64_t sent_ns = expect_time(payload(next_frame()));
    cr_expect_eq(word(payload((const uint8_t *)rig_reader_frame(&spy))), sent_ns);
}

Test(conductor_timestamp, places_that_overlap_or_differ_are_refused)
{
    static const struct {
        const char *params;
        const char *words;
    } subscriptions[] = {
        {"|media-rcv-ts-offset=0|channel-rcv-ts-offset=7", "overlap"},
        {"|media-rcv-ts-offset=reserved|channel-rcv-ts-offset=-8", "overlap"},
        {"|media-rcv-ts-offset=-5", "media-rcv-ts-offset=-5"},
        {"|channel-rcv-ts-offset=abc", "channel-rcv-ts-offset=abc"},
        {"|media-rcv-ts-offset=0", "option conflicts with existing subscription"},
        {"|channel-rcv-ts-offset=8", "option conflicts with existing subscription"},
        {"", "option conflicts with existing subscription"},
    };
    driver_rig_add_subscription(
        &rig, CLIENT, CHANNEL "|media-rcv-ts-offset=reserved|channel-rcv-ts-offset=0", STREAM);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    for (size_t i = 0; i < sizeof(subscriptions) / sizeof(subscriptions[0]); i++) {
        char channel[256];
        snprintf(channel, sizeof(channel), CHANNEL "%s", subscriptions[i].params);
        driver_rig_add_subscription(&rig, CLIENT, channel, STREAM);
        rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_ERROR);
        cr_expect_eq(event.error.error_code, 11);
        cr_expect_not_null(strstr(driver_rig_text(&event), subscriptions[i].words), "%s: %s",
                           subscriptions[i].params, driver_rig_text(&event));
    }
    driver_rig_add_publication(&rig, CLIENT, true, CHANNEL "|channel-snd-ts-offset=8", STREAM + 1);
    (void)driver_rig_expect(&rig, RJ_EVENT_EXCLUSIVE_PUBLICATION_READY);
    static const char *const publications[] = {"", "|channel-snd-ts-offset=0",
                                               "|channel-snd-ts-offset=reserved",
                                               "|channel-snd-ts-offset=-1x"};
    for (size_t i = 0; i < sizeof(publications) / sizeof(publications[0]); i++) {
        char channel[256];
        snprintf(channel, sizeof(channel), CHANNEL "%s", publications[i]);
        driver_rig_add_publication(&rig, CLIENT, true, channel, STREAM);
        cr_expect_eq(driver_rig_expect(&rig, RJ_EVENT_ERROR).error.error_code, 11);
    }
}

Test(conductor_timestamp, mean_nothing_on_ipc_and_to_spies)
{
    driver_rig_add_subscription(&rig, CLIENT, "aeron:ipc?media-rcv-ts-offset=0", STREAM);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    driver_rig_add_subscription(&rig, CLIENT, "aeron-spy:" CHANNEL "|channel-rcv-ts-offset=0",
                                STREAM);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    driver_rig_add_publication(&rig, CLIENT, false, "aeron:ipc?channel-snd-ts-offset=0", STREAM);
    (void)driver_rig_expect(&rig, RJ_EVENT_PUBLICATION_READY);
    /* What says something of receiving is none of a publication's business. */
    driver_rig_add_publication(&rig, CLIENT, false,
                               CHANNEL "|media-rcv-ts-offset=0|channel-rcv-ts-offset=0", STREAM);
    (void)driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE); /* of the first one */
    (void)driver_rig_expect(&rig, RJ_EVENT_PUBLICATION_READY);
}
