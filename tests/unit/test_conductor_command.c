/* SPDX-License-Identifier: Apache-2.0 */
/* The command ring: records that are too short for what they say of themselves, in every way that
 * there is; orders that clients rely on; what clients write where they may. */
#include "conductor/conductor.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "tests/fixtures/driver_rig.h"

#define CHANNEL    "aeron:udp?endpoint=127.0.0.1:24460"
#define IPC        "aeron:ipc"
#define SECONDS(n) ((n)*INT64_C(1000000000))

enum { CLIENT = 7000, OTHER = 8000, STREAM = 1001, BODY_BYTES_MAX = 128 };

static driver_rig_t rig;

static void open_rig(void)
{
    driver_rig_open(&rig, NULL);
}

static void close_rig(void)
{
    driver_rig_close(&rig);
}

TestSuite(conductor_command, .init = open_rig, .fini = close_rig);

/* What each command is at least, and where the length of its text is; -1: it has none. A counter
 * has two, of which the second stands behind the first. */
typedef struct shape {
    int32_t type;
    int32_t least;
    int32_t text_at;
    bool is_answered;
} shape_t;

static const shape_t shapes[] = {
    {RJ_COMMAND_ADD_PUBLICATION, 24, 20, true},
    {RJ_COMMAND_REMOVE_PUBLICATION, 24, -1, true},
    {RJ_COMMAND_ADD_EXCLUSIVE_PUBLICATION, 24, 20, true},
    {RJ_COMMAND_ADD_SUBSCRIPTION, 32, 28, true},
    {RJ_COMMAND_REMOVE_SUBSCRIPTION, 24, -1, true},
    {RJ_COMMAND_CLIENT_KEEPALIVE, 16, -1, false},
    {RJ_COMMAND_ADD_DESTINATION, 28, 24, true},
    {RJ_COMMAND_REMOVE_DESTINATION, 28, 24, true},
    {RJ_COMMAND_ADD_COUNTER, 28, 20, true},
    {RJ_COMMAND_ADD_COUNTER, 28, 24, true},
    {RJ_COMMAND_REMOVE_COUNTER, 24, -1, true},
    {RJ_COMMAND_CLIENT_CLOSE, 16, -1, false},
    {RJ_COMMAND_ADD_RCV_DESTINATION, 28, 24, true},
    {RJ_COMMAND_REMOVE_RCV_DESTINATION, 28, 24, true},
    {RJ_COMMAND_TERMINATE_DRIVER, 20, 16, false},
    {RJ_COMMAND_ADD_STATIC_COUNTER, 36, 28, true},
    {RJ_COMMAND_ADD_STATIC_COUNTER, 36, 32, true},
    {RJ_COMMAND_REJECT_IMAGE, 36, 32, true},
    {RJ_COMMAND_REMOVE_DESTINATION_BY_ID, 32, -1, true},
    {RJ_COMMAND_GET_NEXT_AVAILABLE_SESSION_ID, 20, -1, true},
};

enum { SHAPE_COUNT = sizeof(shapes) / sizeof(shapes[0]) };

static int64_t error_count(void)
{
    return driver_rig_system_counter(&rig, RJ_SYSTEM_ERRORS);
}

/* Nobody is told, and the error log says which command it was. */
static void expect_malformed(int32_t type, const void *body, int32_t length)
{
    const int64_t before = error_count();
    driver_rig_write(&rig, type, body, length);
    driver_rig_expect_nothing(&rig);
    char words[64];
    snprintf(words, sizeof(words), "command=%" PRId32 " too short: length=%" PRId32, type, length);
    cr_expect_eq(error_count(), before + 1, "%s: %" PRId64 " errors", words,
                 error_count() - before);
    cr_expect(driver_rig_has_error(&rig, words), "%s", words);
}

static void put_header(uint8_t *body)
{
    const rj_command_header_t header = {CLIENT, driver_rig_id(&rig)};
    memcpy(body, &header, sizeof(header));
}

static void put_i32(uint8_t *body, int32_t at, int32_t value)
{
    memcpy(body + at, &value, sizeof(value));
}

/* The longest first: of texts that begin alike the log takes the longer for the shorter. */
Test(conductor_command, too_short_for_its_type_is_malformed_at_every_length)
{
    uint8_t body[BODY_BYTES_MAX] = {0};
    for (int i = 0; i < SHAPE_COUNT; i++) {
        for (int32_t length = shapes[i].least - 1; length >= 0; length--) {
            put_header(body);
            expect_malformed(shapes[i].type, body, length);
        }
    }
    cr_expect_eq(driver_rig_counter_count(&rig), 0, "nobody became a client");
}

Test(conductor_command, with_a_text_that_is_not_there_is_malformed)
{
    static const int32_t lengths[] = {1, -1, INT32_MAX, INT32_MIN, INT32_MAX - 40};
    for (int i = 0; i < SHAPE_COUNT; i++) {
        for (size_t n = 0; shapes[i].text_at >= 0 && n < sizeof(lengths) / sizeof(lengths[0]);
             n++) {
            uint8_t body[BODY_BYTES_MAX] = {0};
            put_header(body);
            put_i32(body, shapes[i].text_at, lengths[n]);
            expect_malformed(shapes[i].type, body, shapes[i].least);
        }
    }
}

/* Java pads some records, the C client others; what follows is none of ours. */
Test(conductor_command, of_exactly_its_length_or_more_is_answered_once)
{
    for (int i = 0; i < SHAPE_COUNT; i++) {
        for (int32_t more = 0; more <= 12; more += 4) {
            /* A removal is 24 bytes, or 32 and more. */
            if (shapes[i].type == RJ_COMMAND_REMOVE_PUBLICATION && more == 4)
                continue;
            uint8_t body[BODY_BYTES_MAX] = {0};
            put_header(body);
            driver_rig_write(&rig, shapes[i].type, body, shapes[i].least + more);
            int answers = 0;
            for (rig_event_t event; (event = driver_rig_next(&rig)).type != 0;)
                answers += !(event.type == RJ_EVENT_COUNTER_READY &&
                             event.counter.correlation_id == CLIENT);
            cr_expect_eq(answers, shapes[i].is_answered ? 1 : 0, "%d answers to %d", answers,
                         shapes[i].type);
        }
    }
}

Test(conductor_command, of_a_removal_between_the_old_and_the_new_length_is_malformed)
{
    uint8_t body[BODY_BYTES_MAX] = {0};
    for (int32_t length = RJ_REMOVE_PUBLICATION_LEGACY_BYTES + 1;
         length < (int32_t)sizeof(rj_command_remove_publication_t); length++)
        expect_malformed(RJ_COMMAND_REMOVE_PUBLICATION, body, length);
}

Test(conductor_command, that_nobody_knows_is_logged_and_not_answered)
{
    static const int32_t types[] = {19, 77, RJ_EVENT_ERROR, RJ_EVENT_NEXT_AVAILABLE_SESSION_ID,
                                    INT32_MAX};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        uint8_t body[BODY_BYTES_MAX] = {0};
        put_header(body);
        driver_rig_write(&rig, types[i], body, sizeof(body));
        driver_rig_expect_nothing(&rig);
        char words[64];
        snprintf(words, sizeof(words), "command=%" PRId32 " unknown", types[i]);
        cr_expect(driver_rig_has_error(&rig, words), "%s", words);
        cr_expect_eq(error_count(), (int64_t)i + 1);
    }
}

/* --- orders --- */

static void expect_of(int32_t type, int64_t id)
{
    rig_event_t event = driver_rig_expect(&rig, type);
    cr_expect_eq(event.success.correlation_id, id, "0x%x of %" PRId64 ", not of %" PRId64,
                 (unsigned)type, event.success.correlation_id, id);
}

/* commands.md 4.13 */
Test(conductor_command, is_answered_in_the_order_that_clients_rely_on)
{
    int64_t subscription = driver_rig_add_subscription(&rig, CLIENT, IPC, STREAM);
    expect_of(RJ_EVENT_COUNTER_READY, CLIENT);
    expect_of(RJ_EVENT_SUBSCRIPTION_READY, subscription);
    int64_t publication = driver_rig_add_publication(&rig, OTHER, false, IPC, STREAM);
    expect_of(RJ_EVENT_COUNTER_READY, OTHER);
    expect_of(RJ_EVENT_PUBLICATION_READY, publication);
    expect_of(RJ_EVENT_AVAILABLE_IMAGE, publication);
    int64_t late = driver_rig_add_subscription(&rig, CLIENT, IPC, STREAM);
    expect_of(RJ_EVENT_SUBSCRIPTION_READY, late);
    expect_of(RJ_EVENT_AVAILABLE_IMAGE, publication);
    const rj_command_counter_t counter = {.header = {CLIENT, driver_rig_id(&rig)}, .type_id = 1001};
    uint8_t body[sizeof(counter) + sizeof(int32_t)] = {0};
    memcpy(body, &counter, sizeof(counter));
    driver_rig_write(&rig, RJ_COMMAND_ADD_COUNTER, body, sizeof(body));
    expect_of(RJ_EVENT_COUNTER_READY, counter.header.correlation_id);
    int64_t removal =
        driver_rig_remove(&rig, RJ_COMMAND_REMOVE_COUNTER, CLIENT, counter.header.correlation_id);
    expect_of(RJ_EVENT_OPERATION_SUCCESS, removal);
    expect_of(RJ_EVENT_UNAVAILABLE_COUNTER, counter.header.correlation_id);
    /* Whoever leaves is told nothing of images or positions. */
    removal = driver_rig_remove(&rig, RJ_COMMAND_REMOVE_SUBSCRIPTION, CLIENT, late);
    expect_of(RJ_EVENT_OPERATION_SUCCESS, removal);
    driver_rig_expect_nothing(&rig);
}

Test(conductor_command, waits_for_those_before_it_however_many_there_are)
{
    enum { ROUNDS = 20 };
    int64_t ids[ROUNDS][4];
    int64_t first = driver_rig_add_publication(&rig, CLIENT, false, CHANNEL, 1);
    for (int i = 0; i < ROUNDS; i++) {
        ids[i][0] = driver_rig_add_publication(&rig, CLIENT, true, CHANNEL, STREAM + i);
        ids[i][1] = driver_rig_add_subscription(&rig, CLIENT, IPC, STREAM + i);
        /* Both are cancelled before they are there. */
        ids[i][2] = driver_rig_remove(&rig, RJ_COMMAND_REMOVE_PUBLICATION, CLIENT, ids[i][0]);
        ids[i][3] = driver_rig_remove(&rig, RJ_COMMAND_REMOVE_SUBSCRIPTION, CLIENT, ids[i][1]);
    }
    expect_of(RJ_EVENT_COUNTER_READY, CLIENT);
    expect_of(RJ_EVENT_PUBLICATION_READY, first);
    for (int i = 0; i < ROUNDS; i++) {
        expect_of(RJ_EVENT_EXCLUSIVE_PUBLICATION_READY, ids[i][0]);
        expect_of(RJ_EVENT_SUBSCRIPTION_READY, ids[i][1]);
        expect_of(RJ_EVENT_OPERATION_SUCCESS, ids[i][2]);
        expect_of(RJ_EVENT_OPERATION_SUCCESS, ids[i][3]);
    }
    driver_rig_expect_nothing(&rig);
}

/* --- what else clients can write --- */

static rj_counter_metadata_t *metadata_of(int32_t counter_id)
{
    return (rj_counter_metadata_t *)(void *)rig.cnc.counters_metadata.bytes + counter_id;
}

static rj_counter_value_t *value_of(int32_t counter_id)
{
    return (rj_counter_value_t *)(void *)rig.cnc.counters_values.bytes + counter_id;
}

Test(conductor_command, of_a_client_whose_heartbeat_is_nonsense_ends_it_or_does_not)
{
    static const struct {
        int64_t heartbeat;
        bool lives;
    } rows[] = {{INT64_MAX, true}, {INT64_MIN, false}, {-1, false}, {0, false}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const int64_t client = CLIENT + (int64_t)i;
        (void)driver_rig_add_subscription(&rig, client, IPC, STREAM);
        rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
        (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
        value_of(event.counter.counter_id)->value = rows[i].heartbeat;
        driver_rig_advance(&rig, SECONDS(1));
        event = driver_rig_next(&rig);
        cr_expect_eq(event.type, rows[i].lives ? 0 : RJ_EVENT_CLIENT_TIMEOUT, "%" PRId64,
                     rows[i].heartbeat);
        while (driver_rig_next(&rig).type != 0)
            continue;
    }
}

/* It died while it wrote its name behind the label, or worse. */
Test(conductor_command, of_a_client_that_left_its_counters_in_pieces_hurts_nobody)
{
    (void)driver_rig_add_subscription(&rig, CLIENT, IPC, STREAM);
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    rj_counter_metadata_t *heartbeat = metadata_of(event.counter.counter_id);
    heartbeat->label_length = INT32_MAX;
    heartbeat->state = RJ_COUNTER_RECLAIMED;
    heartbeat->type_id = RJ_COUNTER_TYPE_SUBSCRIBER_POSITION;
    memset(heartbeat->key, 0xFF, sizeof(heartbeat->key));
    const int64_t publication = driver_rig_add_publication(&rig, OTHER, false, IPC, STREAM);
    expect_of(RJ_EVENT_COUNTER_READY, OTHER);
    (void)driver_rig_expect(&rig, RJ_EVENT_PUBLICATION_READY);
    event = driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE);
    rj_counter_metadata_t *position = metadata_of(event.image.subscriber_position_id);
    position->label_length = INT32_MIN;
    position->state = RJ_COUNTER_UNUSED;
    value_of(event.image.subscriber_position_id)->value = INT64_MAX;
    value_of(event.image.subscriber_position_id)->owner_id = OTHER;
    driver_rig_live(&rig, OTHER, SECONDS(14));
    expect_of(RJ_EVENT_CLIENT_TIMEOUT, CLIENT);
    expect_of(RJ_EVENT_UNAVAILABLE_COUNTER, CLIENT);
    driver_rig_expect_nothing(&rig);
    driver_rig_remove(&rig, RJ_COMMAND_REMOVE_PUBLICATION, OTHER, publication);
    (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
    driver_rig_live(&rig, OTHER, SECONDS(4));
    cr_expect_eq(driver_rig_log_count(&rig), 0);
}

Test(conductor_command, for_a_session_id_gets_none_that_any_stream_of_that_id_has_in_any_state)
{
    int64_t id = driver_rig_add_publication(&rig, CLIENT, true, IPC, STREAM);
    (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_EXCLUSIVE_PUBLICATION_READY);
    const uint32_t first = (uint32_t)event.publication.session_id;
    char channel[128];
    snprintf(channel, sizeof(channel), CHANNEL "|session-id=%" PRId32, (int32_t)(first + 1));
    id = driver_rig_add_publication(&rig, CLIENT, true, channel, STREAM);
    (void)driver_rig_expect(&rig, RJ_EVENT_EXCLUSIVE_PUBLICATION_READY);
    driver_rig_remove(&rig, RJ_COMMAND_REMOVE_PUBLICATION, CLIENT, id);
    (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
    rj_command_next_session_id_t ask = {.header = {CLIENT, driver_rig_id(&rig)},
                                        .stream_id = STREAM};
    driver_rig_write(&rig, RJ_COMMAND_GET_NEXT_AVAILABLE_SESSION_ID, &ask, sizeof(ask));
    event = driver_rig_expect(&rig, RJ_EVENT_NEXT_AVAILABLE_SESSION_ID);
    cr_expect_eq(event.next_session.correlation_id, ask.header.correlation_id);
    cr_expect_eq((uint32_t)event.next_session.next_session_id, first + 2);
    ask.stream_id = STREAM + 1;
    ask.header.correlation_id = driver_rig_id(&rig);
    driver_rig_write(&rig, RJ_COMMAND_GET_NEXT_AVAILABLE_SESSION_ID, &ask, sizeof(ask));
    event = driver_rig_expect(&rig, RJ_EVENT_NEXT_AVAILABLE_SESSION_ID);
    cr_expect_eq((uint32_t)event.next_session.next_session_id, first + 3);
}

/* --- the end --- */

Test(conductor_command, to_terminate_is_obeyed_with_a_token_that_is_there_only)
{
    driver_rig_close(&rig);
    const char *const settings[] = {"AERON_DRIVER_TERMINATION_VALIDATOR", "allow", NULL};
    driver_rig_open(&rig, settings);
    uint8_t body[sizeof(rj_command_terminate_t) + 8] = {0};
    put_header(body);
    put_i32(body, 16, 9);
    expect_malformed(RJ_COMMAND_TERMINATE_DRIVER, body, sizeof(body));
    cr_expect_not(rj_driver_is_terminated(rig.driver));
    put_i32(body, 16, 8);
    driver_rig_write(&rig, RJ_COMMAND_TERMINATE_DRIVER, body, sizeof(body));
    driver_rig_expect_nothing(&rig);
    cr_expect(rj_driver_is_terminated(rig.driver));
}
