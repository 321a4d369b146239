/* SPDX-License-Identifier: Apache-2.0 */
/* Readers that are not tethered, of IPC, of images and as spies (commands.md 5.8; driver.md 9). */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "shm/term_append.h"
#include "tests/fixtures/rig_stream.h"

#define UDP "aeron:udp?endpoint=127.0.0.1:24431"
#define TIMES                                                                                      \
    "|untethered-window-limit-timeout=2s|untethered-linger-timeout=3s|"                            \
    "untethered-resting-timeout=4s"
#define SECONDS(n) ((n)*INT64_C(1000000000))

enum { CLIENT = 7000, STREAM = 1001, WINDOW = 32 * 1024 };

/* One kind of reader; both of its subscriptions, the second one slow. */
typedef struct kind {
    const char *name;
    const char *publication;
    const char *fast;
    const char *slow;
} kind_t;

static const kind_t kinds[] = {
    {"ipc", "aeron:ipc?alias=p" TIMES, "aeron:ipc", "aeron:ipc?tether=false"},
    {"spy", UDP "|ssc=true" TIMES, "aeron-spy:" UDP, "aeron-spy:" UDP "|tether=false"},
    {"image", UDP "|pub-wnd=32k", UDP "|rcv-wnd=32k" TIMES, UDP "|rcv-wnd=32k|tether=false"},
};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static driver_rig_t rig;

typedef struct stream {
    const kind_t *kind;
    int64_t publication;
    rig_writer_t writer;
    rig_reader_t fast, slow;
} stream_t;

static stream_t stream;

static int64_t subscribe(const char *channel)
{
    int64_t id = driver_rig_add_subscription(&rig, CLIENT, channel, STREAM);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    return id;
}

static void expect_image(rig_reader_t *reader, int64_t subscription_id)
{
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE);
    rig_reader_open(reader, &rig, &event);
    cr_assert_eq(reader->subscription_id, subscription_id);
}

static void settle(void)
{
    for (int quiet = 0; quiet < 3;)
        quiet = driver_rig_turn(&rig) > 0 ? 0 : quiet + 1;
}

static void open_stream(const kind_t *kind, const char *slow_params)
{
    char channel[256];
    driver_rig_open(&rig, NULL);
    stream.kind = kind;
    int64_t keeper = driver_rig_add_subscription(&rig, CLIENT, "aeron:ipc", 99);
    (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    cr_assert_gt(keeper, 0);
    int64_t fast = subscribe(kind->fast);
    snprintf(channel, sizeof(channel), "%s%s", kind->slow, slow_params);
    int64_t slow = subscribe(channel);
    stream.publication = driver_rig_add_publication(&rig, CLIENT, false, kind->publication, STREAM);
    rig_event_t ready = driver_rig_expect(&rig, RJ_EVENT_PUBLICATION_READY);
    rig_writer_open(&stream.writer, &rig, &ready);
    expect_image(&stream.fast, fast);
    expect_image(&stream.slow, slow);
    settle();
}

/* Writes as much as may be written, and has the fast reader read what comes of it; returns how far
 * that is. */
static int64_t write_and_read(void)
{
    (void)rig_writer_fill(&stream.writer);
    settle();
    (void)rig_reader_drain(&stream.fast);
    settle();
    return *stream.fast.position;
}

static void live(int seconds)
{
    driver_rig_live(&rig, CLIENT, SECONDS(seconds));
}

static void expect_slow_unavailable(void)
{
    static const char channel[] = "aeron:ipc";
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_UNAVAILABLE_IMAGE);
    cr_assert_eq(event.unavailable.correlation_id, stream.slow.image_id, "%s", stream.kind->name);
    cr_assert_eq(event.unavailable.subscription_registration_id, stream.slow.subscription_id);
    cr_assert_eq(event.unavailable.channel_length, (int32_t)strlen(channel));
    cr_assert_eq(memcmp(event.bytes + sizeof(event.unavailable), channel, strlen(channel)), 0);
}

TestSuite(conductor_tether);

Test(conductor_tether, a_slow_reader_loses_the_stream_and_joins_it_again)
{
    for (int i = 0; i < KINDS; i++) {
        open_stream(&kinds[i], "");
        cr_expect_eq(write_and_read(), WINDOW);
        cr_expect_eq(write_and_read(), WINDOW, "%s: the slow one holds it", kinds[i].name);
        live(1);
        driver_rig_expect_nothing(&rig);
        live(1);
        expect_slow_unavailable();
        cr_expect_eq(write_and_read(), WINDOW, "%s: what it reads stays", kinds[i].name);
        live(3);
        driver_rig_expect_nothing(&rig);
        for (int turn = 0; turn < 5; turn++)
            write_and_read();
        int64_t end = *stream.fast.position;
        cr_expect_geq(end, 6 * WINDOW, "%s: the others go on at full speed", kinds[i].name);
        live(3);
        driver_rig_expect_nothing(&rig);
        live(1);
        int64_t image_id = stream.slow.image_id;
        int32_t position_id = stream.slow.position_id;
        expect_image(&stream.slow, stream.slow.subscription_id);
        cr_expect_eq(stream.slow.image_id, image_id);
        cr_expect_eq(stream.slow.position_id, position_id);
        cr_expect_eq(*stream.slow.position, end, "%s", kinds[i].name);
        driver_rig_expect_nothing(&rig);
        end = write_and_read();
        cr_expect_eq(rig_reader_drain(&stream.slow), end);
        live(10); /* fast enough from now on */
        driver_rig_expect_nothing(&rig);
        driver_rig_close(&rig);
    }
}

Test(conductor_tether, who_does_not_rejoin_is_gone_for_good)
{
    for (int i = 0; i < KINDS - 1; i++) {
        open_stream(&kinds[i], "|rejoin=false");
        write_and_read();
        live(3);
        expect_slow_unavailable();
        int counters = driver_rig_counter_count(&rig);
        live(4);
        cr_expect_eq(driver_rig_counter_count(&rig), counters - 1);
        live(20);
        write_and_read();
        driver_rig_expect_nothing(&rig);
        /* Its counter may be another's by now: removing the subscription must not free it. */
        int64_t other = subscribe(kinds[i].fast);
        rig_reader_t reader;
        expect_image(&reader, other);
        counters = driver_rig_counter_count(&rig);
        driver_rig_remove(&rig, RJ_COMMAND_REMOVE_SUBSCRIPTION, CLIENT,
                          stream.slow.subscription_id);
        (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
        cr_expect_eq(driver_rig_counter_count(&rig), counters);
        driver_rig_close(&rig);
    }
}

/* Who reads one channel agrees on rejoin. */
Test(conductor_tether, an_image_loses_who_does_not_rejoin)
{
    static const kind_t kind = {"image", UDP "|pub-wnd=32k", UDP "|rejoin=false|rcv-wnd=32k" TIMES,
                                UDP "|rejoin=false|rcv-wnd=32k|tether=false"};
    open_stream(&kind, "");
    write_and_read();
    live(3);
    expect_slow_unavailable();
    int counters = driver_rig_counter_count(&rig);
    live(4);
    cr_expect_eq(driver_rig_counter_count(&rig), counters - 1);
    live(20);
    write_and_read();
    driver_rig_expect_nothing(&rig);
    driver_rig_close(&rig);
}

Test(conductor_tether, a_tethered_reader_holds_the_stream_for_ever)
{
    static const kind_t tethered = {"ipc", "aeron:ipc?alias=p" TIMES, "aeron:ipc",
                                    "aeron:ipc?tether=true"};
    open_stream(&tethered, "");
    write_and_read();
    live(60);
    driver_rig_expect_nothing(&rig);
    cr_expect_eq(rig_writer_offer(&stream.writer, 992, 7), RJ_APPEND_BACK_PRESSURED);
    driver_rig_close(&rig);
}

Test(conductor_tether, a_reader_may_leave_in_every_state)
{
    static const int moments[] = {0, 3, 7, 12};
    for (int i = 0; i < KINDS; i++) {
        for (size_t moment = 0; moment < sizeof(moments) / sizeof(moments[0]); moment++) {
            open_stream(&kinds[i], "");
            write_and_read();
            live(moments[moment]);
            while (driver_rig_next(&rig).type != 0)
                ;
            int counters = driver_rig_counter_count(&rig);
            driver_rig_remove(&rig, RJ_COMMAND_REMOVE_SUBSCRIPTION, CLIENT,
                              stream.slow.subscription_id);
            (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
            settle();
            cr_expect_eq(driver_rig_counter_count(&rig), counters - 1, "%s after %d s",
                         kinds[i].name, moments[moment]);
            live(20);
            write_and_read();
            driver_rig_expect_nothing(&rig);
            driver_rig_close(&rig);
        }
    }
}

Test(conductor_tether, who_rests_is_no_connection)
{
    for (int i = 0; i < 2; i++) { /* an image's publisher has its receiver all the same */
        open_stream(&kinds[i], "");
        write_and_read();
        live(7);
        expect_slow_unavailable();
        cr_expect(rj_log_is_connected(&stream.writer.log));
        driver_rig_remove(&rig, RJ_COMMAND_REMOVE_SUBSCRIPTION, CLIENT,
                          stream.fast.subscription_id);
        (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
        cr_expect_not(rj_log_is_connected(&stream.writer.log), "%s", kinds[i].name);
        live(6);
        expect_image(&stream.slow, stream.slow.subscription_id);
        cr_expect(rj_log_is_connected(&stream.writer.log), "%s", kinds[i].name);
        driver_rig_close(&rig);
    }
}

Test(conductor_tether, the_end_of_a_stream_is_told_once)
{
    for (int i = 0; i < KINDS; i++) {
        open_stream(&kinds[i], "");
        write_and_read();
        live(3);
        expect_slow_unavailable();
        driver_rig_remove(&rig, RJ_COMMAND_REMOVE_PUBLICATION, CLIENT, stream.publication);
        (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
        rig_reader_drain(&stream.slow); /* it may go on with what it had */
        live(20);
        rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_UNAVAILABLE_IMAGE);
        cr_expect_eq(event.unavailable.subscription_registration_id, stream.fast.subscription_id,
                     "%s", kinds[i].name);
        driver_rig_expect_nothing(&rig);
        driver_rig_close(&rig);
    }
}

Test(conductor_tether, timeouts_are_readable_in_the_log)
{
    for (int i = 0; i < KINDS; i++) {
        open_stream(&kinds[i], "");
        const rj_log_metadata_t *metadata = stream.slow.log.metadata;
        cr_expect_eq(metadata->untethered_window_limit_timeout_ns, SECONDS(2));
        cr_expect_eq(metadata->untethered_linger_timeout_ns, SECONDS(3));
        cr_expect_eq(metadata->untethered_resting_timeout_ns, SECONDS(4));
        driver_rig_close(&rig);
    }
}
