/* SPDX-License-Identifier: Apache-2.0 */
#include "conductor/conductor.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/fixtures/driver_rig.h"

#define PUBLISH   "aeron:udp?endpoint=127.0.0.1:24380"
#define SUBSCRIBE "aeron:udp?endpoint=127.0.0.1:24380|alias=x"

enum { CLIENT = 7000, OTHER_CLIENT = 8000, SECOND_NS = 1000000000 };

static driver_rig_t rig;

static void open_rig(void)
{
    driver_rig_open(&rig, NULL);
}

static void close_rig(void)
{
    driver_rig_close(&rig);
}

TestSuite(conductor_counter, .init = open_rig, .fini = close_rig);

/* A command with key and label of these lengths; returns its correlation id. */
static int64_t add_counter(int64_t client_id, int32_t type_id, int32_t key_length,
                           int32_t label_length)
{
    uint8_t body[1024] = {0};
    rj_command_counter_t command = {
        .header = {client_id, driver_rig_id(&rig)}, .type_id = type_id, .key_length = key_length};
    int32_t at = sizeof(command);
    memcpy(body, &command, sizeof(command));
    memset(body + at, 'k', (size_t)key_length);
    at += (key_length + 3) / 4 * 4;
    memcpy(body + at, &label_length, sizeof(label_length));
    at += (int32_t)sizeof(label_length);
    memset(body + at, 'l', (size_t)label_length);
    driver_rig_write(&rig, RJ_COMMAND_ADD_COUNTER, body, at + label_length);
    return command.header.correlation_id;
}

static int64_t add_static(int64_t client_id, int32_t type_id, int64_t registration_id)
{
    struct __attribute__((packed)) {
        rj_command_static_counter_t fixed;
        int32_t label_length;
    } command = {.fixed = {.header = {client_id, driver_rig_id(&rig)},
                           .registration_id = registration_id,
                           .type_id = type_id}};
    driver_rig_write(&rig, RJ_COMMAND_ADD_STATIC_COUNTER, &command, sizeof(command));
    return command.fixed.header.correlation_id;
}

static void expect_error(int64_t correlation_id, int32_t code, const char *words)
{
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_ERROR);
    cr_expect_eq(event.error.offending_correlation_id, correlation_id);
    cr_expect_eq(event.error.error_code, code, "%s", driver_rig_text(&event));
    cr_expect_not_null(strstr(driver_rig_text(&event), words), "%s", driver_rig_text(&event));
}

static void expect_ids(int32_t type_id, int64_t registration_id, int64_t owner_id,
                       int64_t reference_id, const char *label)
{
    rj_counter_view_t view = driver_rig_counter(&rig, type_id, registration_id);
    cr_expect_eq(view.owner_id, owner_id, "%s: owner %" PRId64, view.label, view.owner_id);
    cr_expect_eq(view.reference_id, reference_id, "%s", view.label);
    cr_expect_str_eq(view.label, label);
}

Test(conductor_counter, names_every_counter_of_a_publication_after_its_uri_and_owner)
{
    int64_t id = driver_rig_add_publication(&rig, CLIENT, true, PUBLISH "|session-id=77", 1001);
    (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    (void)driver_rig_expect(&rig, RJ_EVENT_EXCLUSIVE_PUBLICATION_READY);
    static const struct {
        int32_t type_id;
        const char *name;
    } rows[] = {{RJ_COUNTER_TYPE_PUBLISHER_POSITION, "pub-pos (exclusive)"},
                {RJ_COUNTER_TYPE_PUBLISHER_LIMIT, "pub-lmt"},
                {RJ_COUNTER_TYPE_SENDER_POSITION, "snd-pos"},
                {RJ_COUNTER_TYPE_SENDER_LIMIT, "snd-lmt"},
                {RJ_COUNTER_TYPE_SENDER_BPE, "snd-bpe"},
                {RJ_COUNTER_TYPE_SENDER_NAKS_RECEIVED, "snd-naks-received"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char label[256];
        snprintf(label, sizeof(label), "%s: %" PRId64 " 77 1001 " PUBLISH "|session-id=77",
                 rows[i].name, id);
        expect_ids(rows[i].type_id, id, CLIENT, 0, label);
        rj_counter_view_t view = driver_rig_counter(&rig, rows[i].type_id, id);
        const rj_counter_stream_key_t *key =
            (const rj_counter_stream_key_t *)(const void *)view.key;
        cr_expect_eq(key->registration_id, id);
        cr_expect_eq(key->session_id, 77);
        cr_expect_eq(key->stream_id, 1001);
        cr_expect_eq(key->channel_length, (int32_t)strlen(PUBLISH "|session-id=77"));
    }
    cr_expect_eq(driver_rig_counter(&rig, RJ_COUNTER_TYPE_SEND_CHANNEL_STATUS, id).owner_id, 0);
    expect_ids(RJ_COUNTER_TYPE_CLIENT_HEARTBEAT, CLIENT, CLIENT, 0, "client-heartbeat: id=7000");
}

Test(conductor_counter, names_every_counter_of_an_image_after_its_subscription)
{
    int64_t subscription = driver_rig_add_subscription(&rig, CLIENT, SUBSCRIBE, 1001);
    (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    driver_rig_add_publication(&rig, OTHER_CLIENT, false, PUBLISH "|session-id=77", 1001);
    (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    (void)driver_rig_expect(&rig, RJ_EVENT_PUBLICATION_READY);
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE);
    int64_t image = event.image.correlation_id;
    char label[256];
    snprintf(label, sizeof(label), "sub-pos: %" PRId64 " 77 1001 " SUBSCRIBE " @0", subscription);
    expect_ids(RJ_COUNTER_TYPE_SUBSCRIBER_POSITION, subscription, CLIENT, image, label);
    snprintf(label, sizeof(label), "rcv-hwm: %" PRId64 " 77 1001 " SUBSCRIBE, image);
    expect_ids(RJ_COUNTER_TYPE_RECEIVER_HWM, image, CLIENT, 0, label);
    snprintf(label, sizeof(label), "rcv-pos: %" PRId64 " 77 1001 " SUBSCRIBE, image);
    expect_ids(RJ_COUNTER_TYPE_RECEIVER_POSITION, image, CLIENT, 0, label);
    snprintf(label, sizeof(label), "rcv-naks-sent: %" PRId64 " 77 1001 " SUBSCRIBE, image);
    expect_ids(RJ_COUNTER_TYPE_RECEIVER_NAKS_SENT, image, CLIENT, 0, label);
}

Test(conductor_counter, cuts_a_label_but_keeps_the_ids_before_it)
{
    char channel[600] = "aeron:ipc?alias=";
    memset(channel + strlen(channel), 'a', 500);
    int64_t id = driver_rig_add_publication(&rig, CLIENT, false, channel, 5);
    (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    (void)driver_rig_expect(&rig, RJ_EVENT_PUBLICATION_READY);
    rj_counter_view_t view = driver_rig_counter(&rig, RJ_COUNTER_TYPE_PUBLISHER_LIMIT, id);
    cr_expect_eq(strlen(view.label), RJ_COUNTER_LABEL_BYTES_MAX);
    cr_expect_eq(strncmp(view.label, "pub-lmt: ", 9), 0);
    const rj_counter_stream_key_t *key = (const rj_counter_stream_key_t *)(const void *)view.key;
    cr_expect_eq(key->channel_length, RJ_STREAM_KEY_CHANNEL_BYTES_MAX);
}

Test(conductor_counter, takes_keys_and_labels_of_no_and_of_full_length)
{
    int64_t empty = add_counter(CLIENT, 1001, 0, 0);
    (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    int64_t full = add_counter(CLIENT, 1001, 120, 400);
    (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    cr_expect_str_eq(driver_rig_counter(&rig, 1001, empty).label, "");
    rj_counter_view_t view = driver_rig_counter(&rig, 1001, full);
    cr_expect_eq(strlen(view.label), RJ_COUNTER_LABEL_BYTES_MAX);
    cr_expect_eq(view.key[RJ_COUNTER_KEY_BYTES_MAX - 1], 'k');
    cr_expect_eq(view.owner_id, CLIENT);
    cr_expect_eq(view.value, 0);
}

Test(conductor_counter, tells_nobody_but_the_asker_of_a_static_counter)
{
    int64_t correlation = add_static(CLIENT, 1001, 55);
    (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY); /* of the client itself */
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_STATIC_COUNTER);
    cr_expect_eq(event.counter.correlation_id, correlation);
    driver_rig_expect_nothing(&rig);
    /* The same registration id under another type is another counter. */
    add_static(CLIENT, 1002, 55);
    rig_event_t other = driver_rig_expect(&rig, RJ_EVENT_STATIC_COUNTER);
    cr_expect_neq(other.counter.counter_id, event.counter.counter_id);
    cr_expect_eq(driver_rig_counter(&rig, 1001, 55).owner_id, -1);
}

Test(conductor_counter, refuses_a_static_counter_where_an_ordinary_one_is)
{
    int64_t id = add_counter(CLIENT, 1001, 4, 4);
    (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    char words[128];
    snprintf(words, sizeof(words),
             "cannot add static counter, because a non-static counter exists (counterId=%" PRId32
             ") for typeId=1001 and registrationId=%" PRId64,
             event.counter.counter_id, id);
    expect_error(add_static(CLIENT, 1001, id), 11, words);
}

Test(conductor_counter, believes_its_own_table_and_not_what_clients_write_into_the_shared_one)
{
    add_counter(CLIENT, 1001, 4, 4);
    (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    rj_counter_value_t *values =
        (rj_counter_value_t *)(void *)rig.cnc.counters_values.bytes + event.counter.counter_id;
    values->registration_id = 55;
    values->owner_id = -1;
    add_static(CLIENT, 1001, 55);
    rig_event_t other = driver_rig_expect(&rig, RJ_EVENT_STATIC_COUNTER);
    cr_expect_neq(other.counter.counter_id, event.counter.counter_id);
}

/* Takes all counters but `left`. */
static void take_all_but(int left)
{
    int used = RJ_SYSTEM_COUNTER_COUNT + driver_rig_counter_count(&rig);
    for (int i = used; i < rig.counters.count_max - left; i++) {
        add_counter(OTHER_CLIENT, 1001, 0, 0);
        rig.now_ns += 1000000; /* events are paced by time */
        (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    }
}

/* Lets closed endpoints go and the quarantine of counters pass. */
static void settle(void)
{
    driver_rig_live(&rig, CLIENT, INT64_C(3) * SECOND_NS);
    driver_rig_live(&rig, OTHER_CLIENT, 1);
}

Test(conductor_counter, undoes_what_lacks_a_counter_wherever_it_does)
{
    static const char *const text = "Max counter id";
    static const char *const channels[] = {PUBLISH, "aeron:ipc"};
    /* The clients are known already, each with a heartbeat counter. */
    for (int64_t client = CLIENT; client <= OTHER_CLIENT; client += OTHER_CLIENT - CLIENT) {
        add_counter(client, 1, 0, 0);
        (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
        (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    }
    take_all_but(7);
    for (int left = 7; left >= 0; left--) {
        int before = driver_rig_counter_count(&rig);
        /* A network publication takes eight, an IPC one and a subscription two. */
        for (int i = 0; i < (left < 2 ? 2 : 1); i++) {
            expect_error(driver_rig_add_publication(&rig, CLIENT, false, channels[i], 5), 11, text);
            settle();
        }
        if (left < 2) {
            expect_error(driver_rig_add_subscription(&rig, CLIENT, SUBSCRIBE, 5), 11, text);
            settle();
        }
        cr_expect_eq(driver_rig_counter_count(&rig), before, "%d left", left);
        cr_expect_eq(driver_rig_log_count(&rig), 0);
        if (left > 0) {
            add_counter(CLIENT, 1, 0, 0);
            (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
        }
    }
    expect_error(add_counter(CLIENT, 1001, 0, 0), 11, text);
    expect_error(add_static(CLIENT, 1001, 1), 11, text);
    expect_error(add_counter(CLIENT + 1, 1001, 0, 0), 11, text);
    /* A subscription without room for its position is there, but reads nothing. */
    int64_t id = driver_rig_add_subscription(&rig, CLIENT, "aeron:ipc", 6);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    driver_rig_remove(&rig, RJ_COMMAND_REMOVE_SUBSCRIPTION, CLIENT, id);
    (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
}

Test(conductor_counter, frees_an_id_for_reuse_after_the_quarantine_only)
{
    int64_t id = add_counter(CLIENT, 1001, 0, 0);
    (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    rig_event_t first = driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    driver_rig_remove(&rig, RJ_COMMAND_REMOVE_COUNTER, CLIENT, id);
    (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
    (void)driver_rig_expect(&rig, RJ_EVENT_UNAVAILABLE_COUNTER);
    add_counter(CLIENT, 1001, 0, 0);
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    cr_expect_neq(event.counter.counter_id, first.counter.counter_id);
    driver_rig_advance(&rig, SECOND_NS);
    add_counter(CLIENT, 1001, 0, 0);
    event = driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    cr_expect_eq(event.counter.counter_id, first.counter.counter_id);
}

Test(conductor_counter, gives_no_counter_to_who_is_not_its_owner)
{
    int64_t id = add_counter(CLIENT, 1001, 0, 0);
    (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    expect_error(driver_rig_remove(&rig, RJ_COMMAND_REMOVE_COUNTER, OTHER_CLIENT, id), 5,
                 "unknown counter client_id=8000");
    cr_expect_eq(driver_rig_counter(&rig, 1001, id).state, RJ_COUNTER_ALLOCATED);
}
