/* SPDX-License-Identifier: Apache-2.0 */
#include "conductor/conductor.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shm/log_buffer.h"
#include "tests/fixtures/driver_rig.h"

#define CHANNEL    "aeron:udp?endpoint=127.0.0.1:24420"
#define SECONDS(n) ((n)*INT64_C(1000000000))

enum { CLIENT = 7000, STREAM = 1001 };

static driver_rig_t rig;

static void open_rig_with(const char *const *settings)
{
    driver_rig_open(&rig, settings);
    driver_rig_make_client(&rig, CLIENT);
}

static void open_rig(void)
{
    open_rig_with(NULL);
}

static void close_rig(void)
{
    driver_rig_close(&rig);
}

TestSuite(conductor_publication, .init = open_rig, .fini = close_rig);

static rig_event_t publish(const char *channel, int32_t stream_id)
{
    driver_rig_add_publication(&rig, CLIENT, true, channel, stream_id);
    return driver_rig_expect(&rig, RJ_EVENT_EXCLUSIVE_PUBLICATION_READY);
}

static rig_event_t share(const char *channel)
{
    driver_rig_add_publication(&rig, CLIENT, false, channel, STREAM);
    return driver_rig_expect(&rig, RJ_EVENT_PUBLICATION_READY);
}

static void drop(int64_t id, uint64_t flags)
{
    rj_command_remove_publication_t command = {
        .header = {CLIENT, driver_rig_id(&rig)}, .registration_id = id, .flags = flags};
    driver_rig_write(&rig, RJ_COMMAND_REMOVE_PUBLICATION, &command, sizeof(command));
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
    cr_expect_eq(event.success.correlation_id, command.header.correlation_id);
}

static void expect_refused(bool is_exclusive, const char *channel, int32_t code, const char *words)
{
    int64_t id = driver_rig_add_publication(&rig, CLIENT, is_exclusive, channel, STREAM);
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_ERROR);
    cr_expect_eq(event.error.offending_correlation_id, id);
    cr_expect_eq(event.error.error_code, code, "%s", driver_rig_text(&event));
    cr_expect_not_null(strstr(driver_rig_text(&event), words), "%s", driver_rig_text(&event));
}

static rj_log_t map_log(rig_event_t *ready)
{
    rj_log_t log;
    rj_err_t err;
    char path[512];
    snprintf(path, sizeof(path), "%.*s", ready->publication.log_file_length,
             (const char *)ready->bytes + sizeof(ready->publication));
    cr_assert_eq(rj_log_map(&log, path, &err), 0, "%s", err.text);
    return log;
}

/* --- session ids --- */

static int32_t next_session_id(int32_t stream_id)
{
    rj_command_next_session_id_t ask = {.header = {CLIENT, driver_rig_id(&rig)},
                                        .stream_id = stream_id};
    driver_rig_write(&rig, RJ_COMMAND_GET_NEXT_AVAILABLE_SESSION_ID, &ask, sizeof(ask));
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_NEXT_AVAILABLE_SESSION_ID);
    cr_expect_eq(event.next_session.correlation_id, ask.header.correlation_id);
    return event.next_session.next_session_id;
}

Test(conductor_publication, skips_session_ids_in_use_and_is_not_moved_by_explicit_ones)
{
    int32_t first = publish(CHANNEL, STREAM).publication.session_id;
    char channel[128];
    snprintf(channel, sizeof(channel), CHANNEL "|session-id=%" PRId32,
             (int32_t)((uint32_t)first + 1));
    publish(channel, STREAM);
    publish(channel, STREAM + 1); /* fine on another stream */
    cr_expect_eq(publish(CHANNEL, STREAM).publication.session_id, (int32_t)((uint32_t)first + 2));
    /* On any channel, for who asks without one. */
    snprintf(channel, sizeof(channel), "aeron:ipc?session-id=%" PRId32,
             (int32_t)((uint32_t)first + 3));
    publish(channel, STREAM);
    cr_expect_eq(next_session_id(STREAM), (int32_t)((uint32_t)first + 4));
    cr_expect_eq(next_session_id(STREAM), (int32_t)((uint32_t)first + 5));
}

Test(conductor_publication, gives_out_no_reserved_session_id)
{
    driver_rig_close(&rig);
    const char *const settings[] = {"AERON_PUBLICATION_RESERVED_SESSION_ID_LOW", "-2147483648",
                                    "AERON_PUBLICATION_RESERVED_SESSION_ID_HIGH", "2113929215",
                                    NULL};
    open_rig_with(settings);
    int32_t first = publish(CHANNEL, STREAM).publication.session_id;
    cr_expect_gt(first, 2113929215);
    cr_expect_gt(next_session_id(STREAM), 2113929215);
    /* One that is asked for may be. */
    cr_expect_eq(publish(CHANNEL "|session-id=-1", STREAM).publication.session_id, -1);
}

/* --- joining --- */

Test(conductor_publication, lets_a_shared_one_be_joined_by_who_does_not_contradict_it)
{
    static const char *const first_of[] = {CHANNEL, "aeron:ipc"};
    static const struct {
        const char *param;
        const char *words;
    } rows[] = {
        {"session-id=8", "different 'session-id': existing=7 requested=8"},
        {"mtu=8192", "different 'mtu': existing=4096 requested=8192"},
        {"term-length=128k", "different 'term-length': existing=65536 requested=131072"},
        {"init-term-id=2|term-id=5|term-offset=64", "different 'init-term-id'"},
        {"init-term-id=1|term-id=6|term-offset=64", "different 'term-id'"},
        {"init-term-id=1|term-id=5|term-offset=96", "different 'term-offset'"},
        {"linger=1s|pub-wnd=4096|sparse=false|eos=false|alias=b", NULL},
        {"session-id=7|mtu=4096|init-term-id=1|term-id=5|term-offset=64", NULL},
    };
    for (int media = 0; media < 2; media++) {
        char channel[256];
        const char separator = media == 0 ? '|' : '?';
        snprintf(channel, sizeof(channel),
                 "%s%csession-id=7|mtu=4096|init-term-id=1|term-id=5|term-offset=64",
                 first_of[media], separator);
        rig_event_t first = share(channel);
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            snprintf(channel, sizeof(channel), "%s%c%s", first_of[media], separator, rows[i].param);
            if (rows[i].words != NULL)
                expect_refused(false, channel, 11, rows[i].words);
            else
                cr_expect_eq(share(channel).publication.registration_id,
                             first.publication.registration_id);
        }
        snprintf(channel, sizeof(channel), "%s%csession-id=7", first_of[media], separator);
        expect_refused(true, channel, 1, "clashing sessionId=7 for streamId=1001 channel=");
    }
    expect_refused(false, CHANNEL "|ssc=true", 11, "spies simulate connection");
}

Test(conductor_publication, makes_a_new_one_while_the_old_one_lingers)
{
    rig_event_t first = share(CHANNEL);
    drop(first.publication.correlation_id, 0);
    rig_event_t second = share(CHANNEL);
    cr_expect_neq(second.publication.registration_id, first.publication.registration_id);
    cr_expect_neq(second.publication.session_id, first.publication.session_id);
}

Test(conductor_publication, is_cancelled_by_a_removal_that_comes_before_it_is_ready)
{
    int64_t add = driver_rig_add_publication(&rig, CLIENT, false, CHANNEL "|linger=0s", STREAM);
    int64_t remove = driver_rig_remove(&rig, RJ_COMMAND_REMOVE_PUBLICATION, CLIENT, add);
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_PUBLICATION_READY);
    cr_expect_eq(event.publication.correlation_id, add);
    event = driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
    cr_expect_eq(event.success.correlation_id, remove);
    driver_rig_live(&rig, CLIENT, SECONDS(5));
    cr_expect_eq(driver_rig_counter_count(&rig), 1);
    cr_expect_eq(driver_rig_log_count(&rig), 0);
}

/* --- what its log and counters begin with --- */

Test(conductor_publication, begins_where_its_uri_says)
{
    static const char *const channels[] = {
        CHANNEL "|term-length=64k|init-term-id=-7|term-id=-3|term-offset=96",
        "aeron:ipc?term-length=64k|init-term-id=-7|term-id=-3|term-offset=96"};
    for (int i = 0; i < 2; i++) {
        rig_event_t ready = publish(channels[i], STREAM);
        const int64_t id = ready.publication.registration_id;
        const int64_t start = INT64_C(4) * 65536 + 96;
        cr_expect_eq(driver_rig_counter(&rig, RJ_COUNTER_TYPE_PUBLISHER_POSITION, id).value, start);
        cr_expect_eq(driver_rig_counter(&rig, RJ_COUNTER_TYPE_PUBLISHER_LIMIT, id).value, start);
        rj_log_t log = map_log(&ready);
        cr_expect_eq(log.initial_term_id, -7);
        cr_expect_eq(log.metadata->active_term_count, 4);
        cr_expect_eq(rj_log_raw_tail(&log, 1), rj_tail_pack(-3, 96));
        cr_expect_eq(log.metadata->end_of_stream_position, INT64_MAX);
        cr_expect_eq(log.metadata->type, RJ_LOG_TYPE_EXCLUSIVE_PUBLICATION);
        rj_log_close(&log);
    }
}

Test(conductor_publication, is_joined_where_it_begins)
{
    publish("aeron:ipc?term-length=64k|init-term-id=-7|term-id=-3|term-offset=96", STREAM);
    int64_t id = driver_rig_add_subscription(&rig, CLIENT, "aeron:ipc?alias=reader", STREAM);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    (void)driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE);
    rj_counter_view_t view = driver_rig_counter(&rig, RJ_COUNTER_TYPE_SUBSCRIBER_POSITION, id);
    const char *words = " 1001 aeron:ipc?alias=reader @262240";
    cr_expect_eq(view.value, 262240);
    cr_expect_str_eq(view.label + strlen(view.label) - strlen(words), words);
}

Test(conductor_publication, writes_into_its_log_what_was_asked_for)
{
    rig_event_t ready = publish(CHANNEL "|linger=3s|eos=false|ssc=true|sparse=false|max-resend=9|"
                                        "so-sndbuf=64k|pub-wnd=8k|untethered-resting-timeout=7s|"
                                        "tags=4,5",
                                STREAM);
    rj_log_t log = map_log(&ready);
    const rj_log_metadata_t *metadata = log.metadata;
    cr_expect_eq(metadata->correlation_id, ready.publication.registration_id);
    cr_expect_eq(metadata->linger_timeout_ns, SECONDS(3));
    cr_expect_eq(metadata->signal_eos, 0);
    cr_expect_eq(metadata->spies_simulate_connection, 1);
    cr_expect_eq(metadata->sparse, 0);
    cr_expect_eq(metadata->max_resend, 9);
    cr_expect_eq(metadata->socket_sndbuf_length, 65536);
    cr_expect_eq(metadata->socket_rcvbuf_length, 0);
    cr_expect_gt(metadata->os_default_socket_sndbuf_length, 0);
    cr_expect_gt(metadata->os_max_socket_rcvbuf_length, 0);
    cr_expect_eq(metadata->publication_window_length, 8192);
    cr_expect_eq(metadata->receiver_window_length, 0);
    cr_expect_eq(metadata->untethered_resting_timeout_ns, SECONDS(7));
    cr_expect_eq(metadata->untethered_linger_timeout_ns,
                 metadata->untethered_window_limit_timeout_ns);
    cr_expect_eq(metadata->entity_tag, 5);
    cr_expect_eq(metadata->response_correlation_id, -1);
    cr_expect_eq(metadata->group, 0);
    rj_log_close(&log);
}

/* --- revoked --- */

Test(conductor_publication, revoked_ends_for_its_readers_at_once_and_for_its_other_users)
{
    int64_t subscription = driver_rig_add_subscription(&rig, CLIENT, "aeron:ipc", STREAM);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    rig_event_t first = share("aeron:ipc");
    rig_event_t image = driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE);
    rig_event_t second = share("aeron:ipc");
    rj_log_t log = map_log(&first);
    drop(first.publication.correlation_id, RJ_REMOVE_PUBLICATION_FLAG_REVOKE);
    cr_expect(rj_log_is_revoked(&log));
    driver_rig_live(&rig, CLIENT, SECONDS(1));
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_UNAVAILABLE_IMAGE);
    cr_expect_eq(event.unavailable.correlation_id, image.image.correlation_id);
    cr_expect_eq(event.unavailable.subscription_registration_id, subscription);
    cr_expect_eq(driver_rig_system_counter(&rig, RJ_SYSTEM_PUBLICATIONS_REVOKED), 1);
    cr_expect_eq(log.metadata->is_connected, 0);
    /* The other user's handle keeps the file. */
    driver_rig_live(&rig, CLIENT, SECONDS(3));
    cr_expect_eq(driver_rig_log_count(&rig), 1);
    drop(second.publication.correlation_id, 0);
    driver_rig_live(&rig, CLIENT, SECONDS(3));
    cr_expect_eq(driver_rig_log_count(&rig), 0);
    driver_rig_expect_nothing(&rig);
    rj_log_close(&log);
}

/* --- refusals --- */

Test(conductor_publication, names_a_channel_that_is_too_long_as_far_as_it_goes)
{
    char channel[5000] = CHANNEL "|alias=";
    size_t length = strlen(channel);
    memset(channel + length, 'a', sizeof(channel) - length - 1);
    char words[4096];
    snprintf(words, sizeof(words), "%.4095s", channel);
    expect_refused(false, channel, 1, words);
    channel[4095] = '\0'; /* the longest there is */
    rig_event_t ready = publish(channel, STREAM);
    drop(ready.publication.correlation_id, 0);
}
