/* SPDX-License-Identifier: Apache-2.0 */
/* Channels of multicast groups as the conductor makes them, on the loopback interface. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "conductor/conductor.h"
#include "shm/log_buffer.h"
#include "tests/fixtures/driver_rig.h"

#define GROUP      "aeron:udp?endpoint=239.255.48.39:24395|interface=127.0.0.1"
#define SECONDS(n) ((n)*INT64_C(1000000000))

enum { CLIENT = 7000, STREAM = 1001 };

static const char data_member[] = "\t2730FFEF ";
static const char control_member[] = "\t2830FFEF ";

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

TestSuite(conductor_group, .init = open_rig, .fini = close_rig);

/* Whether somebody here is a member, as the kernel lists them. */
static bool is_joined(const char *member)
{
    FILE *file = fopen("/proc/self/net/igmp", "r");
    cr_assert_not_null(file);
    bool is_found = false;
    char line[256];
    while (fgets(line, sizeof(line), file) != NULL)
        is_found |= strstr(line, member) != NULL;
    fclose(file);
    return is_found;
}

static rig_event_t subscribe(const char *channel)
{
    driver_rig_add_subscription(&rig, CLIENT, channel, STREAM);
    return driver_rig_expect(&rig, RJ_EVENT_SUBSCRIPTION_READY);
}

static rig_event_t publish(const char *channel)
{
    driver_rig_add_publication(&rig, CLIENT, false, channel, STREAM);
    return driver_rig_expect(&rig, RJ_EVENT_PUBLICATION_READY);
}

static void expect_refusal(int64_t correlation_id, int32_t code, const char *words)
{
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_ERROR);
    cr_expect_eq(event.error.offending_correlation_id, correlation_id);
    cr_expect_eq(event.error.error_code, code, "%s", driver_rig_text(&event));
    cr_expect_not_null(strstr(driver_rig_text(&event), words), "%s", driver_rig_text(&event));
}

Test(conductor_group, a_subscription_joins_the_data_group_and_leaves_it_at_its_end)
{
    rig_event_t ready = subscribe(GROUP);
    cr_expect(is_joined(data_member));
    cr_expect_not(is_joined(control_member));
    const int64_t id = ready.subscription.correlation_id;
    rj_counter_view_t view = driver_rig_counter(&rig, RJ_COUNTER_TYPE_RECEIVE_CHANNEL_STATUS, id);
    cr_expect_str_eq(view.label, "rcv-channel: " GROUP " 0.0.0.0:24395", "%s", view.label);
    view = driver_rig_counter(&rig, RJ_COUNTER_TYPE_LOCAL_SOCKADDR, id);
    cr_expect_eq(view.value, RJ_CHANNEL_STATUS_ACTIVE);
    driver_rig_remove(&rig, RJ_COMMAND_REMOVE_SUBSCRIPTION, CLIENT, id);
    (void)driver_rig_expect(&rig, RJ_EVENT_OPERATION_SUCCESS);
    driver_rig_live(&rig, CLIENT, SECONDS(2));
    cr_expect_not(is_joined(data_member));
}

Test(conductor_group, a_publication_listens_to_the_control_group)
{
    rig_event_t ready = publish(GROUP "|ttl=3");
    cr_expect(is_joined(control_member));
    cr_expect_not(is_joined(data_member));
    rj_counter_view_t view = driver_rig_counter(&rig, RJ_COUNTER_TYPE_SEND_CHANNEL_STATUS,
                                                ready.publication.correlation_id);
    cr_expect_str_eq(view.label, "snd-channel: " GROUP "|ttl=3 0.0.0.0:24395", "%s", view.label);
    /* Its one address is that of the interface: another text for it is the same channel. */
    rig_event_t shared = publish("aeron:udp?endpoint=239.255.48.39:24395|interface=127.0.0.0/8");
    cr_expect_eq(shared.publication.registration_id, ready.publication.registration_id);
}

Test(conductor_group, a_stream_to_oneself_is_that_of_a_group)
{
    subscribe(GROUP);
    publish(GROUP);
    rig_event_t event = driver_rig_expect(&rig, RJ_EVENT_AVAILABLE_IMAGE);
    rj_log_t log;
    rj_err_t err;
    char path[256];
    snprintf(path, sizeof(path), "%s/images/%" PRId64 ".logbuffer", rig.dir,
             event.image.correlation_id);
    cr_assert_eq(rj_log_map(&log, path, &err), 0, "%s", err.text);
    cr_expect_eq(log.metadata->group, 1);
    rj_log_close(&log);
}

Test(conductor_group, another_driver_may_hold_group_and_port_an_ordinary_channel_not)
{
    subscribe(GROUP);
    subscribe("aeron:udp?endpoint=239.255.48.41:24395|interface=127.0.0.1");
    publish(GROUP);
    expect_refusal(
        driver_rig_add_subscription(&rig, CLIENT, "aeron:udp?endpoint=127.0.0.1:24395", STREAM), 11,
        "Address already in use");
}

Test(conductor_group, chooses_flow_control_by_the_publication_then_by_the_endpoint)
{
    static const struct {
        const char *params;
        const char *words; /* NULL: taken */
    } rows[] = {
        {"|fc=max,rrwm:8", NULL},
        {"|fc=fastest", "could not parse fc=fastest"},
        {"|fc=max,t:5s", "could not parse fc=max,t:5s at 't:5s'"},
        {"|fc=min,t:10s", NULL},
        {"|fc=tagged,g:7/2", NULL},
        {"|fc=tagged,g:7x", "could not parse fc=tagged,g:7x at 'g:7x'"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char channel[128];
        snprintf(channel, sizeof(channel), GROUP "%s", rows[i].params);
        int64_t id = driver_rig_add_publication(&rig, CLIENT, true, channel, STREAM);
        if (rows[i].words == NULL)
            (void)driver_rig_expect(&rig, RJ_EVENT_EXCLUSIVE_PUBLICATION_READY);
        else
            expect_refusal(id, 11, rows[i].words);
    }
    /* A unicast channel has one receiver: what it says of flow control means nothing. */
    driver_rig_add_publication(&rig, CLIENT, true, "aeron:udp?endpoint=127.0.0.1:24396|fc=min",
                               STREAM);
    (void)driver_rig_expect(&rig, RJ_EVENT_EXCLUSIVE_PUBLICATION_READY);
}

Test(conductor_group, refuses_an_even_group_and_an_interface_that_is_not_there)
{
    expect_refusal(
        driver_rig_add_subscription(&rig, CLIENT, "aeron:udp?endpoint=239.255.48.40:24395", STREAM),
        11, "Multicast data address must be odd");
    expect_refusal(driver_rig_add_publication(
                       &rig, CLIENT, false,
                       "aeron:udp?endpoint=239.255.48.39:24395|interface=203.0.113.7", STREAM),
                   11, "could not find matching interface");
    cr_expect_eq(driver_rig_counter_count(&rig), 1);
}
