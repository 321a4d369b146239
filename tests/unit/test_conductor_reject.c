/* SPDX-License-Identifier: Apache-2.0 */
/* Images that their readers reject, as both ends of the stream see it: they share this driver. */
#include "conductor/conductor.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/fixtures/driver_rig.h"

#define CHANNEL    "aeron:udp?endpoint=127.0.0.1:24440"
#define IPC        "aeron:ipc"
#define SECONDS(n) ((n)*INT64_C(1000000000))

enum { CLIENT = 7000, STREAM = 1001, REASON_BYTES_MAX = 1023 };

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

TestSuite(conductor_reject, .init = open_rig, .fini = close_rig);

static int64_t subscribe(const char *channel)
{
    int64_t id = driver_rig_add_subscription(&rig, CLIENT, channel, STREAM);
    (void)driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
    return id;
}

static rig_event_t publish(const char *channel)
{
    driver_rig_add_publication(&rig, CLIENT, true, channel, STREAM);
    return driver_rig_expect(&rig, RJ_EVENT_EXCLUSIVE_PUBLICATION_READY);
}

static int64_t expect_image(int64_t subscription_id)
{
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE);
    cr_expect_eq(event.image.subscription_registration_id, subscription_id);
    return event.image.correlation_id;
}

static void expect_unavailable(int64_t image_id, int64_t subscription_id)
{
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_UNAVAILABLE_IMAGE);
    cr_expect_eq(event.unavailable.correlation_id, image_id);
    cr_expect_eq(event.unavailable.subscription_registration_id, subscription_id);
}

/* As the C client sends it: ids that mean nothing, and more bytes than the text has. */
static int64_t reject(int64_t image_id, const char *reason)
{
    const size_t length = strlen(reason);
    uint8_t body[sizeof(rj_command_reject_image_t) + REASON_BYTES_MAX + 8] = {0};
    const rj_command_reject_image_t command = {.header = {-5, driver_rig_id(&rig)},
                                               .image_correlation_id = image_id,
                                               .position = 64,
                                               .reason_length = (int32_t)length};
    memcpy(body, &command, sizeof(command));
    memcpy(body + sizeof(command), reason, length);
    driver_rig_write(&rig, RJ_COMMAND_REJECT_IMAGE, body, (int32_t)(sizeof(command) + length + 5));
    return command.header.correlation_id;
}

static void expect_success(int64_t correlation_id)
{
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
    cr_expect_eq(event.success.correlation_id, correlation_id);
}

static rj_event_publication_error_t expect_publication_error(const char *reason)
{
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_PUBLICATION_ERROR);
    rj_event_publication_error_t error;
    memcpy(&error, event.bytes, sizeof(error));
    cr_expect_geq(event.length, RJ_EVENT_PUBLICATION_ERROR_BYTES_MIN);
    cr_expect_eq(error.destination_registration_id, -1);
    cr_expect_eq(error.error_code, RJ_ERROR_IMAGE_REJECTED);
    cr_expect_eq(error.message_length, (int32_t)strlen(reason));
    cr_expect_eq(memcmp(event.bytes + sizeof(error), reason, strlen(reason)), 0);
    return error;
}

/* Time for status messages and the frames that stand in for them. */
static void pass_ms(int64_t duration_ms)
{
    for (int64_t i = 0; i < duration_ms; i += 50) {
        rig.now_ns += 50 * INT64_C(1000000);
        rig.epoch_ms += 50;
        for (int quiet = 0; quiet < 3;)
            quiet = driver_rig_turn(&rig) > 0 ? 0 : quiet + 1;
    }
}

Test(conductor_reject, tells_the_publisher_once_and_makes_a_new_image_after_the_liveness_timeout)
{
    int64_t subscription = subscribe(CHANNEL);
    rig_event_t publication = publish(CHANNEL);
    int64_t image = expect_image(subscription);
    pass_ms(400); /* the receiver is live */
    expect_success(reject(image, "not for me"));
    rj_event_publication_error_t error = expect_publication_error("not for me");
    cr_expect_eq(error.registration_id, publication.publication.registration_id);
    cr_expect_eq(error.session_id, publication.publication.session_id);
    cr_expect_eq(error.stream_id, STREAM);
    cr_expect_neq(error.receiver_id, -1);
    cr_expect_eq(error.group_tag, -1);
    cr_expect_eq(error.address_type, RJ_ADDRESS_TYPE_IPV4);
    cr_expect_eq(error.source_port, 24440);
    cr_expect_eq(driver_rig_system_counter(&rig, RJ_SYSTEM_IMAGES_REJECTED), 1);
    pass_ms(2000);
    driver_rig_expect_nothing(&rig);
    int64_t sent = driver_rig_system_counter(&rig, RJ_SYSTEM_ERROR_FRAMES_SENT);
    cr_expect(sent >= 8 && sent <= 12, "%lld frames in 2 s", (long long)sent);
    cr_expect_eq(driver_rig_system_counter(&rig, RJ_SYSTEM_ERROR_FRAMES_RECEIVED), sent);
    cr_expect_eq(driver_rig_system_counter(&rig, RJ_SYSTEM_ERRORS), 1);
    cr_expect(driver_rig_has_error(&rig, "not for me"));

    driver_rig_live(&rig, CLIENT, SECONDS(12));
    expect_unavailable(image, subscription);
    cr_expect_neq(expect_image(subscription), image);
}

Test(conductor_reject, sends_no_status_message_and_takes_no_data_until_the_image_is_gone)
{
    int64_t subscription = subscribe(CHANNEL);
    publish(CHANNEL);
    int64_t image = expect_image(subscription);
    pass_ms(400);
    expect_success(reject(image, "enough"));
    (void)expect_publication_error("enough");
    int64_t sms = driver_rig_system_counter(&rig, RJ_SYSTEM_SMS_SENT);
    int64_t heartbeats = driver_rig_system_counter(&rig, RJ_SYSTEM_HEARTBEATS_RECEIVED);
    pass_ms(2000);
    cr_expect_eq(driver_rig_system_counter(&rig, RJ_SYSTEM_SMS_SENT), sms);
    cr_expect_eq(driver_rig_system_counter(&rig, RJ_SYSTEM_HEARTBEATS_RECEIVED), heartbeats);
}

Test(conductor_reject, of_one_that_was_rejected_succeeds_and_changes_nothing)
{
    int64_t subscription = subscribe(CHANNEL);
    publish(CHANNEL);
    int64_t image = expect_image(subscription);
    pass_ms(400);
    expect_success(reject(image, "first"));
    (void)expect_publication_error("first");
    expect_success(reject(image, "second"));
    pass_ms(1000);
    driver_rig_expect_nothing(&rig);
    cr_expect_eq(driver_rig_system_counter(&rig, RJ_SYSTEM_IMAGES_REJECTED), 2);
}

Test(conductor_reject, of_one_without_rejoin_is_for_good)
{
    int64_t subscription = subscribe(CHANNEL "|rejoin=false");
    publish(CHANNEL);
    int64_t image = expect_image(subscription);
    expect_success(reject(image, "never again"));
    driver_rig_live(&rig, CLIENT, SECONDS(14));
    (void)expect_publication_error("never again");
    expect_unavailable(image, subscription);
    driver_rig_live(&rig, CLIENT, SECONDS(14));
    driver_rig_expect_nothing(&rig);
}

Test(conductor_reject, carries_the_group_tag)
{
    int64_t subscription = subscribe(CHANNEL "|gtag=5");
    publish(CHANNEL);
    int64_t image = expect_image(subscription);
    pass_ms(400);
    expect_success(reject(image, "tagged"));
    cr_expect_eq(expect_publication_error("tagged").group_tag, 5);
}

Test(conductor_reject, takes_any_reason_up_to_1023_bytes_and_no_longer_one)
{
    int64_t subscription = subscribe(IPC);
    rig_event_t publication = publish(IPC);
    int64_t image = expect_image(subscription);
    char reason[REASON_BYTES_MAX + 2];
    memset(reason, 'r', sizeof(reason));
    reason[REASON_BYTES_MAX + 1] = '\0';
    int64_t id = reject(image, reason);
    rig_event_t refusal = driver_rig_expect(&rig, RJ_EVENT_ERROR);
    cr_expect_eq(refusal.error.offending_correlation_id, id);
    cr_expect_eq(refusal.error.error_code, RJ_ERROR_GENERIC);
    reason[REASON_BYTES_MAX] = '\0';
    id = reject(image, reason);
    cr_expect_eq(expect_publication_error(reason).registration_id,
                 publication.publication.registration_id);
    expect_unavailable(image, subscription);
    expect_success(id);
    id = reject(image, "");
    (void)expect_publication_error("");
    expect_success(id);
}

Test(conductor_reject, of_ipc_tells_the_publisher_and_links_nobody_for_the_liveness_timeout)
{
    int64_t subscription = subscribe(IPC);
    rig_event_t publication = publish(IPC);
    int64_t image = expect_image(subscription);
    cr_expect_eq(image, publication.publication.registration_id);
    int64_t id = reject(image, "wrong key");
    rj_event_publication_error_t error = expect_publication_error("wrong key");
    static const uint8_t loopback[16] = {127, 0, 0, 1};
    cr_expect_eq(error.registration_id, image);
    cr_expect_eq(error.session_id, publication.publication.session_id);
    cr_expect_eq(error.receiver_id, -1);
    cr_expect_eq(error.group_tag, -1);
    cr_expect_eq(error.address_type, RJ_ADDRESS_TYPE_IPV4);
    cr_expect_eq(error.source_port, 0);
    cr_expect_arr_eq(error.source_address, loopback, sizeof(loopback));
    expect_unavailable(image, subscription);
    expect_success(id);
    cr_expect(driver_rig_has_error(&rig, "wrong key"));

    int64_t late = subscribe(IPC "?alias=late");
    driver_rig_live(&rig, CLIENT, SECONDS(8));
    driver_rig_expect_nothing(&rig);
    driver_rig_live(&rig, CLIENT, SECONDS(4));
    cr_expect_eq(expect_image(subscription), image);
    cr_expect_eq(expect_image(late), image);
}

Test(conductor_reject, of_ipc_in_its_cool_down_makes_it_longer)
{
    int64_t subscription = subscribe(IPC);
    publish(IPC);
    int64_t image = expect_image(subscription);
    int64_t id = reject(image, "one");
    (void)expect_publication_error("one");
    expect_unavailable(image, subscription);
    expect_success(id);
    driver_rig_live(&rig, CLIENT, SECONDS(8));
    id = reject(image, "two");
    (void)expect_publication_error("two");
    expect_success(id);
    driver_rig_live(&rig, CLIENT, SECONDS(8));
    driver_rig_expect_nothing(&rig);
    driver_rig_live(&rig, CLIENT, SECONDS(4));
    cr_expect_eq(expect_image(subscription), image);
}

Test(conductor_reject, of_ipc_that_ends_in_its_cool_down_leaves_nothing_behind)
{
    int64_t subscription = subscribe(IPC);
    rig_event_t publication = publish(IPC);
    int64_t image = expect_image(subscription);
    int64_t id = reject(image, "bye");
    (void)expect_publication_error("bye");
    expect_unavailable(image, subscription);
    expect_success(id);
    driver_rig_remove(&rig, RJ_COMMAND_REMOVE_PUBLICATION, CLIENT,
                      publication.publication.registration_id);
    (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
    driver_rig_live(&rig, CLIENT, SECONDS(4));
    driver_rig_expect_nothing(&rig);
    cr_expect_eq(driver_rig_log_count(&rig), 0);
    cr_expect_eq(driver_rig_counter_count(&rig), 1, "the client's heartbeat is left");
}

Test(conductor_reject, of_nothing_is_refused_and_a_text_beyond_the_record_is_malformed)
{
    int64_t id = reject(12345, "who?");
    rig_event_t refusal = driver_rig_expect(&rig, RJ_EVENT_ERROR);
    cr_expect_eq(refusal.error.offending_correlation_id, id);
    cr_expect_eq(refusal.error.error_code, RJ_ERROR_GENERIC);
    cr_expect_str_eq(driver_rig_text(&refusal), "Unable to resolve image for correlationId=12345");
    const rj_command_reject_image_t command = {.image_correlation_id = 1, .reason_length = 1};
    driver_rig_write(&rig, RJ_COMMAND_REJECT_IMAGE, &command, (int32_t)sizeof(command));
    driver_rig_expect_nothing(&rig);
    cr_expect(driver_rig_has_error(&rig, "command=16 too short: length=36"));
    cr_expect_eq(driver_rig_system_counter(&rig, RJ_SYSTEM_IMAGES_REJECTED), 0);
}
