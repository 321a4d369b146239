/* SPDX-License-Identifier: Apache-2.0 */
/* What URI and configuration choose for flow and congestion control, on the loopback interface. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "conductor/conductor.h"
#include "shm/log_buffer.h"
#include "shm/term_append.h"
#include "shm/why.h"
#include "tests/fixtures/driver_rig.h"

#define UNICAST    "aeron:udp?endpoint=127.0.0.1:24470"
#define GROUP      "aeron:udp?endpoint=239.255.48.47:24471|interface=127.0.0.1"
#define SECONDS(n) ((n)*INT64_C(1000000000))

enum { CLIENT = 7000, STREAM = 1001 };

static driver_rig_t rig;

static void open_with(const char *const *settings)
{
    driver_rig_open(&rig, settings);
    driver_rig_make_client(&rig, CLIENT);
}

static void open_rig(void)
{
    open_with(NULL);
}

static void close_rig(void)
{
    driver_rig_close(&rig);
}

TestSuite(conductor_flow, .init = open_rig, .fini = close_rig);

static void reopen(const char *const *settings)
{
    close_rig();
    open_with(settings);
}

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

static int count_of_type(int32_t type_id)
{
    int count = 0;
    int32_t cursor = 0;
    rj_counter_view_t view;
    while (rj_counters_next(&rig.counters, &cursor, &view))
        count += view.type_id == type_id ? 1 : 0;
    return count;
}

/* Setups come only as time goes by. */
static void expect_image(void)
{
    driver_rig_live(&rig, CLIENT, SECONDS(1));
    (void)driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE);
    driver_rig_live(&rig, CLIENT, SECONDS(1));
}

static bool is_connected(int64_t publication_id)
{
    char path[256];
    rj_log_t log;
    rj_err_t err;
    snprintf(path, sizeof(path), "%s/publications/%" PRId64 ".logbuffer", rig.dir, publication_id);
    cr_assert_eq(rj_log_map(&log, path, &err), 0, "%s", err.text);
    const bool result = rj_load_acquire_i32(&log.metadata->is_connected) != 0;
    rj_log_close(&log);
    return result;
}

Test(conductor_flow, counts_receivers_where_it_waits_for_them)
{
    static const char channel[] = GROUP "|fc=min,t:5s";
    int64_t subscription = subscribe(GROUP);
    int64_t publication = publish(channel);
    expect_image();
    rj_counter_view_t view =
        driver_rig_counter(&rig, RJ_COUNTER_TYPE_FLOW_CONTROL_RECEIVERS, publication);
    cr_expect_eq(view.value, 1);
    cr_expect_eq(view.owner_id, -1);
    char words[32];
    snprintf(words, sizeof(words), "fc-receivers: %" PRId64 " ", publication);
    cr_expect_eq(strncmp(view.label, words, strlen(words)), 0, "%s", view.label);
    cr_expect_not_null(strstr(view.label, channel), "%s", view.label);
    cr_expect(is_connected(publication));

    drop(RJ_COMMAND_REMOVE_SUBSCRIPTION, subscription);
    driver_rig_live(&rig, CLIENT, SECONDS(2));
    view = driver_rig_counter(&rig, RJ_COUNTER_TYPE_FLOW_CONTROL_RECEIVERS, publication);
    cr_expect_eq(view.value, 0, "one that says goodbye is gone at once");
    drop(RJ_COMMAND_REMOVE_PUBLICATION, publication);
    driver_rig_live(&rig, CLIENT, SECONDS(8));
    cr_expect_eq(count_of_type(RJ_COUNTER_TYPE_FLOW_CONTROL_RECEIVERS), 0);
}

Test(conductor_flow, is_not_connected_before_the_group_is_there)
{
    int64_t publication = publish(GROUP "|fc=tagged,g:7/1");
    int64_t stranger = subscribe(GROUP);
    expect_image();
    cr_expect_not(is_connected(publication));
    drop(RJ_COMMAND_REMOVE_SUBSCRIPTION, stranger);
    driver_rig_live(&rig, CLIENT, SECONDS(3));
    (void)subscribe(GROUP "|gtag=7");
    expect_image();
    cr_expect(is_connected(publication));
}

Test(conductor_flow, takes_group_tag_and_size_from_the_configuration)
{
    static const char *const settings[] = {"AERON_MULTICAST_FLOWCONTROL_SUPPLIER",
                                           "aeron_tagged_flow_control_strategy_supplier",
                                           "AERON_FLOW_CONTROL_GROUP_TAG",
                                           "9",
                                           "AERON_FLOW_CONTROL_GROUP_MIN_SIZE",
                                           "1",
                                           "AERON_RECEIVER_GROUP_TAG",
                                           "9",
                                           NULL};
    reopen(settings);
    int64_t publication = publish(GROUP);
    (void)driver_rig_counter(&rig, RJ_COUNTER_TYPE_FLOW_CONTROL_RECEIVERS, publication);
    driver_rig_live(&rig, CLIENT, SECONDS(1));
    cr_expect_not(is_connected(publication));
    (void)subscribe(GROUP);
    expect_image();
    cr_expect(is_connected(publication));
    int64_t by_uri = publish(GROUP "|fc=max|session-id=3");
    cr_expect_neq(by_uri, publication);
    cr_expect_eq(count_of_type(RJ_COUNTER_TYPE_FLOW_CONTROL_RECEIVERS), 1, "fc= wins");
}

Test(conductor_flow, one_receiver_needs_no_choice)
{
    (void)publish(UNICAST "|fc=min,g:/4");
    cr_expect_eq(count_of_type(RJ_COUNTER_TYPE_FLOW_CONTROL_RECEIVERS), 0);
}

Test(conductor_flow, a_cubic_window_shows_itself)
{
    (void)subscribe(UNICAST "|cc=cubic");
    (void)publish(UNICAST "|linger=0s");
    int64_t image = driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE).image.correlation_id;
    cr_expect_eq(count_of_type(RJ_COUNTER_TYPE_PER_IMAGE), 2);
    int32_t cursor = 0;
    rj_counter_view_t view;
    int found = 0;
    while (rj_counters_next(&rig.counters, &cursor, &view)) {
        if (view.type_id != RJ_COUNTER_TYPE_PER_IMAGE)
            continue;
        found++;
        cr_expect_eq(view.registration_id, image);
        cr_expect_eq(view.owner_id, -1);
        if (strncmp(view.label, "rcv-cc-cubic-wnd: ", 18) == 0)
            cr_expect_geq(view.value, 10 * 1408);
        else
            cr_expect_eq(strncmp(view.label, "rcv-cc-cubic-rtt: ", 18), 0, "%s", view.label);
    }
    cr_expect_eq(found, 2);
}

Test(conductor_flow, a_supplier_of_windows_does_not_ask_the_uri)
{
    static const char *const cubic[] = {"AERON_CONGESTIONCONTROL_SUPPLIER",
                                        "aeron_cubic_congestion_control_strategy_supplier", NULL};
    reopen(cubic);
    (void)subscribe(UNICAST "|cc=static");
    (void)publish(UNICAST);
    (void)driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE);
    cr_expect_eq(count_of_type(RJ_COUNTER_TYPE_PER_IMAGE), 2);
    static const char *const fixed[] = {"AERON_CONGESTIONCONTROL_SUPPLIER", "static", NULL};
    reopen(fixed);
    (void)subscribe(UNICAST "|cc=fastest");
    (void)publish(UNICAST);
    (void)driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE);
    cr_expect_eq(count_of_type(RJ_COUNTER_TYPE_PER_IMAGE), 0);
}

static rj_why_t why_of(int64_t publication_id, char *ret_label)
{
    rj_counter_view_t view = driver_rig_counter(&rig, RJ_COUNTER_TYPE_RAMJET_WHY, publication_id);
    snprintf(ret_label, sizeof(view.label), "%s", view.label);
    return rj_why_unpack(view.value, view.reference_id);
}

/* As much as the driver lets a publisher write. */
static void fill(int64_t publication_id)
{
    char path[256];
    rj_log_t log;
    rj_err_t err;
    static uint8_t bytes[1024];
    struct iovec part = {bytes, sizeof(bytes)};
    snprintf(path, sizeof(path), "%s/publications/%" PRId64 ".logbuffer", rig.dir, publication_id);
    cr_assert_eq(rj_log_map(&log, path, &err), 0, "%s", err.text);
    const rj_counter_view_t limit =
        driver_rig_counter(&rig, RJ_COUNTER_TYPE_PUBLISHER_LIMIT, publication_id);
    while (rj_append_shared(&log, limit.value, &part, 1, 0) > 0)
        continue;
    rj_log_close(&log);
}

Test(conductor_flow, tells_why_a_publication_waits_and_for_whom)
{
    char label[RJ_COUNTER_LABEL_BYTES_MAX + 1];
    char words[64];
    driver_rig_add_publication(&rig, CLIENT, false, UNICAST "|term-length=64k", STREAM);
    int64_t publication =
        driver_rig_expect(&rig, RJ_EVENT_PUBLICATION_READY).publication.correlation_id;
    (void)driver_rig_turn(&rig);
    cr_expect_eq(why_of(publication, label).reason, RJ_WHY_NO_SUBSCRIBER);
    snprintf(words, sizeof(words), "why: %" PRId64 " ", publication);
    cr_expect_eq(strncmp(label, words, strlen(words)), 0, "%s", label);
    cr_expect_not_null(strstr(label, " 1001 - " UNICAST), "%s", label);

    int64_t subscription = subscribe(UNICAST);
    expect_image();
    cr_expect_eq(why_of(publication, label).reason, RJ_WHY_FLOWS);
    for (int i = 0; i < 4; i++) {
        fill(publication);
        driver_rig_live(&rig, CLIENT, SECONDS(1));
    }
    /* Nobody reads. */
    const rj_why_t why = why_of(publication, label);
    cr_expect_eq(why.reason, RJ_WHY_WINDOW_CLOSED, "%s", rj_why_word(why.reason));
    cr_expect(why.is_held);
    cr_expect_not_null(strstr(label, " 1001 127.0.0.1:"), "%s", label);

    drop(RJ_COMMAND_REMOVE_SUBSCRIPTION, subscription);
    driver_rig_live(&rig, CLIENT, SECONDS(3));
    cr_expect_eq(why_of(publication, label).reason, RJ_WHY_SUBSCRIBERS_GONE);
}
