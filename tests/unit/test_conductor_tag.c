/* SPDX-License-Identifier: Apache-2.0 */
/* Channel tags and entity tags (commands.md 6.5, 7.1, 7.2). */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/fixtures/rig_stream.h"

#define ENDPOINT   "endpoint=127.0.0.1:24441"
#define CHANNEL    "aeron:udp?" ENDPOINT
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

TestSuite(conductor_tag, .init = open_rig, .fini = close_rig);

static rig_event_t publish_on(const char *channel, int32_t stream_id)
{
    driver_rig_add_publication(&rig, CLIENT, true, channel, stream_id);
    return driver_rig_expect(&rig, RJ_EVENT_EXCLUSIVE_PUBLICATION_READY);
}

static rig_event_t publish(const char *channel)
{
    return publish_on(channel, STREAM);
}

static int32_t send_status(const char *channel)
{
    return publish(channel).publication.channel_status_counter_id;
}

static rig_event_t subscribe(const char *channel)
{
    driver_rig_add_subscription(&rig, CLIENT, channel, STREAM);
    return driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
}

static int32_t receive_status(const char *channel)
{
    return subscribe(channel).subscription.channel_status_counter_id;
}

static void drop(int32_t type, int64_t id)
{
    driver_rig_remove(&rig, type, CLIENT, id);
    (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
}

static void expect_error(int64_t id, int32_t code, const char *words)
{
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_ERROR);
    cr_expect_eq(event.error.offending_correlation_id, id);
    cr_expect_eq(event.error.error_code, code, "%s", driver_rig_text(&event));
    cr_expect_not_null(strstr(driver_rig_text(&event), words), "%s", driver_rig_text(&event));
}

static void refuse_publication(const char *channel, const char *words)
{
    expect_error(driver_rig_add_publication(&rig, CLIENT, true, channel, STREAM), 11, words);
}

static void refuse_subscription(const char *channel, const char *words)
{
    expect_error(driver_rig_add_subscription(&rig, CLIENT, channel, STREAM), 11, words);
}

static int64_t metadata_term_length(rig_event_t *ready)
{
    rig_writer_t writer;
    rig_writer_open(&writer, &rig, ready);
    int64_t length = writer.log.term_length;
    rig_writer_close(&writer);
    return length;
}

/* --- send endpoints --- */

Test(conductor_tag, names_a_transport_that_is_there)
{
    int32_t id = send_status(CHANNEL "|tags=5,6");
    cr_expect_eq(send_status("aeron:udp?tags=5"), id);
    cr_expect_eq(send_status("aeron:udp?tags=5,7|mtu=1344"), id);
    cr_expect_eq(send_status(CHANNEL "|tags=5"), id);
    cr_expect_eq(send_status(CHANNEL), id, "by what it says, as the tag does not contradict");
    cr_expect_eq(send_status("aeron:udp?endpoint=localhost:24441|tags=5"), id, "the same address");
    cr_expect_neq(send_status(CHANNEL "|tags=8"), id, "two tags are two transports");
    cr_expect_neq(send_status("aeron:udp?endpoint=localhost:24441"), id);
}

Test(conductor_tag, must_not_contradict_the_transport_that_it_names)
{
    publish(CHANNEL "|tags=5");
    refuse_publication("aeron:udp?endpoint=127.0.0.1:24442|tags=5",
                       "mismatched endpoint or control");
    refuse_publication("aeron:udp?" ENDPOINT "|control=127.0.0.1:24443|tags=5",
                       "mismatched endpoint or control");
    refuse_publication("aeron:udp?tags=5|control-mode=manual", "mismatched control-mode");
    refuse_publication("aeron:udp?tags=6", "URI must have explicit control, endpoint, or be manual "
                                           "control-mode when original");
    refuse_publication("aeron:udp?tags=5|channel-snd-ts-offset=0", "option conflicts");
    refuse_publication("aeron:udp?tags=5|so-sndbuf=128k", "so-sndbuf=131072 does not match");
    static const char *const unreadable[] = {
        "aeron:udp?tags=-1",
        "aeron:udp?tags=x",
        "aeron:udp?tags=",
    };
    for (size_t i = 0; i < sizeof(unreadable) / sizeof(unreadable[0]); i++) {
        driver_rig_add_publication(&rig, CLIENT, true, unreadable[i], STREAM);
        rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_ERROR);
        cr_expect_eq(event.error.error_code, 1, "%s", driver_rig_text(&event));
    }
}

Test(conductor_tag, keeps_a_transport_that_is_used_by_it_alone)
{
    rig_event_t first = publish(CHANNEL "|tags=5|linger=0s");
    rig_event_t second = publish("aeron:udp?tags=5|linger=0s");
    drop(RJ_COMMAND_REMOVE_PUBLICATION, first.publication.correlation_id);
    driver_rig_live(&rig, CLIENT, SECONDS(5));
    cr_expect_eq(send_status("aeron:udp?tags=5"), second.publication.channel_status_counter_id);
    cr_expect_eq(driver_rig_counter(&rig, RJ_COUNTER_TYPE_SEND_CHANNEL_STATUS,
                                    first.publication.correlation_id)
                     .value,
                 1);
}

Test(conductor_tag, of_a_transport_on_its_way_out_is_tried_again)
{
    rig_event_t first = publish(CHANNEL "|tags=5|linger=0s");
    drop(RJ_COMMAND_REMOVE_PUBLICATION, first.publication.correlation_id);
    bool was_closing = false;
    for (int i = 0; i < 20 && !was_closing; i++) {
        driver_rig_live(&rig, CLIENT, SECONDS(1));
        driver_rig_add_publication(&rig, CLIENT, true, "aeron:udp?tags=5", STREAM);
        rig_event_t event = driver_rig_next(&rig);
        if (event.type == RJ_EVENT_EXCLUSIVE_PUBLICATION_READY) {
            drop(RJ_COMMAND_REMOVE_PUBLICATION, event.publication.correlation_id);
            continue;
        }
        cr_assert_eq(event.type, RJ_EVENT_ERROR);
        was_closing = true;
    }
    driver_rig_live(&rig, CLIENT, SECONDS(9));
    publish("aeron:udp?endpoint=127.0.0.1:24442|tags=5"); /* the tag is free again */
}

Test(conductor_tag, takes_a_transports_traits_from_who_made_it)
{
    publish("aeron:udp?endpoint=239.255.48.39:24441|interface=127.0.0.1|tags=5");
    rig_event_t ready = publish("aeron:udp?tags=5");
    rig_writer_t writer;
    rig_writer_open(&writer, &rig, &ready);
    cr_expect_eq(writer.log.metadata->group, 1);
    rig_writer_close(&writer);
}

Test(conductor_tag, shares_publications_too)
{
    driver_rig_add_publication(&rig, CLIENT, false, CHANNEL "|tags=5,6", STREAM);
    rig_event_t first = driver_rig_expect(&rig, RJ_EVENT_PUBLICATION_READY);
    driver_rig_add_publication(&rig, CLIENT, false, "aeron:udp?tags=5", STREAM);
    rig_event_t second = driver_rig_expect(&rig, RJ_EVENT_PUBLICATION_READY);
    cr_expect_eq(second.publication.registration_id, first.publication.registration_id);
    driver_rig_add_publication(&rig, CLIENT, false, CHANNEL "|tags=5,6", STREAM);
    second = driver_rig_expect(&rig, RJ_EVENT_PUBLICATION_READY);
    cr_expect_eq(second.publication.registration_id, first.publication.registration_id,
                 "its own entity tag is in nobody's way");
}

Test(conductor_tag, of_many_destinations_is_an_original_of_its_own)
{
    int32_t id = send_status("aeron:udp?control-mode=manual|tags=5");
    cr_expect_eq(send_status("aeron:udp?tags=5"), id);
    cr_expect_eq(send_status("aeron:udp?control-mode=manual|tags=5"), id);
    cr_expect_neq(send_status("aeron:udp?control-mode=manual"), id);
    refuse_publication("aeron:udp?control=127.0.0.1:24443|control-mode=dynamic|tags=5",
                       "mismatched control-mode");
}

/* --- receive endpoints --- */

Test(conductor_tag, names_a_receiving_transport_that_is_there)
{
    int32_t id = receive_status(CHANNEL "|tags=5");
    cr_expect_eq(receive_status("aeron:udp?tags=5"), id);
    cr_expect_eq(receive_status("aeron:udp?endpoint=localhost:24441|tags=5"), id);
    cr_expect_eq(receive_status(CHANNEL), id);
    rig_event_t ready = publish(CHANNEL);
    for (int i = 0; i < 4; i++)
        (void)driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE);
    cr_expect_eq(driver_rig_log_count(&rig), 2, "one image for all");
    drop(RJ_COMMAND_REMOVE_PUBLICATION, ready.publication.correlation_id);
}

Test(conductor_tag, must_not_contradict_the_receiving_transport)
{
    subscribe(CHANNEL "|tags=5");
    refuse_subscription("aeron:udp?endpoint=127.0.0.1:24442|tags=5",
                        "mismatched endpoint or control");
    refuse_subscription("aeron:udp?tags=5|reliable=false", "reliable=false");
    refuse_subscription("aeron:udp?tags=5|so-rcvbuf=256k", "so-rcvbuf=262144");
    refuse_subscription("aeron:udp?tags=5|media-rcv-ts-offset=0", "media-rcv-ts-offset=0");
    refuse_subscription("aeron:udp?tags=5|channel-rcv-ts-offset=0", "channel-rcv-ts-offset=0");
}

Test(conductor_tag, that_matches_no_receiving_transport_makes_one)
{
    int32_t id = receive_status("aeron:udp?tags=9");
    cr_expect_eq(receive_status("aeron:udp?tags=9"), id);
    cr_expect_neq(receive_status("aeron:udp?tags=10"), id);
}

Test(conductor_tag, finds_a_transport_with_whatever_destinations_it_has)
{
    int32_t id = receive_status("aeron:udp?control-mode=manual|tags=5|session-id=7|rejoin=false");
    cr_expect_eq(receive_status("aeron:udp?control-mode=manual|tags=5|session-id=7|rejoin=false"),
                 id);
    cr_expect_eq(receive_status("aeron:udp?tags=5|session-id=7|rejoin=false"), id);
    cr_expect_neq(receive_status("aeron:udp?control-mode=manual"), id);
    subscribe(CHANNEL "|tags=6");
    refuse_subscription("aeron:udp?control-mode=manual|tags=6", "mismatched control-mode");
}

Test(conductor_tag, shares_a_wildcard_port)
{
    int32_t id = receive_status("aeron:udp?endpoint=127.0.0.1:0|tags=5");
    cr_expect_eq(receive_status("aeron:udp?endpoint=127.0.0.1:0|tags=5"), id);
    cr_expect_eq(receive_status("aeron:udp?tags=5"), id);
    cr_expect_neq(receive_status("aeron:udp?endpoint=127.0.0.1:0"), id);
}

Test(conductor_tag, keeps_a_receiving_transport_that_is_used_by_it_alone)
{
    rig_event_t first = subscribe(CHANNEL "|tags=5");
    subscribe("aeron:udp?tags=5");
    drop(RJ_COMMAND_REMOVE_SUBSCRIPTION, first.subscription.correlation_id);
    driver_rig_live(&rig, CLIENT, SECONDS(3));
    publish(CHANNEL);
    (void)driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE);
}

/* --- entities --- */

Test(conductor_tag, of_an_entity_gives_its_session_mtu_and_term_length)
{
    rig_event_t first = publish(CHANNEL "|tags=5,6|mtu=4096|term-length=128k");
    rig_event_t second = publish_on("aeron:udp?tags=5|session-id=tag:6", STREAM + 1);
    cr_expect_eq(second.publication.session_id, first.publication.session_id);
    cr_expect_eq(metadata_term_length(&second), 128 * 1024);
    second = publish("aeron:udp?endpoint=127.0.0.1:24442|session-id=tag:6|mtu=4096");
    cr_expect_eq(second.publication.session_id, first.publication.session_id);
    rig_writer_t writer;
    rig_writer_open(&writer, &rig, &second);
    cr_expect_eq(writer.log.mtu_length, 4096);
    rig_writer_close(&writer);
    second = publish("aeron:ipc?session-id=tag:6|tags=,7");
    cr_expect_eq(second.publication.session_id, first.publication.session_id);
    cr_expect_eq(metadata_term_length(&second), 128 * 1024);
    second = publish_on("aeron:ipc?session-id=tag:7", STREAM + 2);
    cr_expect_eq(second.publication.session_id, first.publication.session_id, "of IPC too");
}

Test(conductor_tag, of_an_entity_is_refused_where_it_makes_no_sense)
{
    publish(CHANNEL "|tags=5,6|mtu=4096");
    refuse_publication("aeron:udp?tags=5|session-id=tag:5", "must reference a network publication");
    refuse_publication("aeron:udp?endpoint=127.0.0.1:24442|session-id=tag:6|mtu=1408",
                       "mtu=1408 must be that of the publication");
    refuse_publication("aeron:udp?endpoint=127.0.0.1:24442|session-id=tag:6|term-length=128k",
                       "term-length=131072 must be that of the publication");
    refuse_publication("aeron:udp?tags=5,x", "tags");
    expect_error(
        driver_rig_add_publication(&rig, CLIENT, true, "aeron:udp?tags=5|session-id=tag:6", STREAM),
        1, "clashing sessionId");
    refuse_publication("aeron:ipc?session-id=tag:1", "must reference a network publication");
    refuse_publication(CHANNEL "|tags=5,6", "entity tag 6 is another publication's");
    refuse_publication("aeron:ipc?tags=,6", "entity tag 6 is another publication's");
    cr_expect_eq(driver_rig_log_count(&rig), 1);
}

Test(conductor_tag, of_an_entity_that_has_closed_is_free)
{
    rig_event_t first = publish(CHANNEL "|tags=5,6");
    drop(RJ_COMMAND_REMOVE_PUBLICATION, first.publication.correlation_id);
    publish(CHANNEL "|tags=5,6");
    refuse_publication(CHANNEL "|tags=5,6", "entity tag 6");
}

Test(conductor_tag, is_written_where_clients_read_it)
{
    static const struct {
        const char *channel;
        int64_t tag;
    } rows[] = {{CHANNEL "|tags=5,6", 6}, {CHANNEL "|tags=5", -1}, {"aeron:ipc?tags=,8", 8}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rig_event_t ready = publish(rows[i].channel);
        rig_writer_t writer;
        rig_writer_open(&writer, &rig, &ready);
        cr_expect_eq(writer.log.metadata->entity_tag, rows[i].tag, "%s", rows[i].channel);
        rig_writer_close(&writer);
    }
}
