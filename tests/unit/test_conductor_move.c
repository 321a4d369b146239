/* SPDX-License-Identifier: Apache-2.0 */
/* A publication's name that moves while several engines know its endpoint: none may look at it
 * while it changes, and all know it afterwards (engine/commands.h). */
#include "conductor/conductor_name.h"

#include <criterion/criterion.h>

#include "ramjet/command.h"
#include "tests/fixtures/driver_rig.h"
#include "tests/fixtures/memory_port.h"

enum { CLIENT = 7, ENGINES = 3, STREAM = 1001 };

#define CHANNEL "aeron:udp?endpoint=the-peer"

static driver_rig_t rig;
static memory_port_t ports[ENGINES];

static int open_port(void *state, int index, const rj_port_params_t *params, rj_port_t **ret_port,
                     rj_err_t *err)
{
    (void)state;
    (void)params;
    (void)err;
    memory_port_init(&ports[index]);
    *ret_port = &ports[index].base;
    return 0;
}

static void open_rig(void)
{
    static const char *const settings[] = {"AERON_NAME_RESOLVER_SUPPLIER", "csv_table",
                                           "AERON_NAME_RESOLVER_INIT_ARGS",
                                           "the-peer,127.0.0.1:24581,127.0.0.2:24582", NULL};
    driver_rig_open_rings(&rig, settings, ENGINES, open_port);
    (void)driver_rig_add_publication(&rig, CLIENT, true, CHANNEL, STREAM);
    (void)driver_rig_expect(&rig, RJ_EVENT_COUNTER_READY);
    (void)driver_rig_expect(&rig, RJ_EVENT_EXCLUSIVE_PUBLICATION_READY);
    driver_rig_live(&rig, CLIENT, 1000000000);
}

static void close_rig(void)
{
    driver_rig_close(&rig);
}

TestSuite(conductor_move, .init = open_rig, .fini = close_rig);

static void switch_name(int64_t choice)
{
    const int32_t id = RJ_SYSTEM_COUNTER_COUNT; /* right behind the system's */
    rj_counter_set((int64_t *)(uintptr_t)&rig.counters.values[id], choice);
}

static int64_t changes(void)
{
    return driver_rig_system_counter(&rig, RJ_SYSTEM_RESOLUTION_CHANGES);
}

static int attached(void)
{
    int count = 0;
    for (int i = 0; i < ENGINES; i++)
        count += (int)ports[i].endpoint_count + ports[i].guest_count;
    return count;
}

/* The engine in which it lives. */
static int home(void)
{
    int at = 0;
    while (at < ENGINES - 1 && ports[at].endpoint_count == 0)
        at++;
    cr_assert_gt(ports[at].endpoint_count, 0, "it lives nowhere");
    return at;
}

static const rj_address_t *last_target(void)
{
    const memory_port_t *port = &ports[home()];
    cr_assert_gt(port->sent_count, 0);
    return &port->sent[port->sent_count - 1].address;
}

Test(conductor_move, is_known_to_every_engine_again_with_its_new_peer)
{
    cr_assert_eq(attached(), ENGINES);
    cr_assert_eq(last_target()->port, 24581);
    switch_name(1);
    driver_rig_live(&rig, CLIENT, INT64_C(8000000000));
    cr_assert_eq(changes(), 1);
    cr_expect_eq(attached(), ENGINES);
    driver_rig_live(&rig, CLIENT, 1000000000);
    cr_expect_eq(last_target()->port, 24582);
    const rj_endpoint_t *endpoint = ports[home()].endpoints[0];
    cr_expect_eq(endpoint->peer.port, 24582, "and hears nobody else");
    cr_expect_eq(endpoint->peer.bytes[3], 2);
}

/* Waits for the slowest: only one engine has not let go of it yet. */
Test(conductor_move, changes_nothing_before_every_engine_has_let_go)
{
    const int slow = (home() + 1) % ENGINES;
    const rj_endpoint_t *endpoint = ports[home()].endpoints[0];
    switch_name(1);
    for (int second = 0; second < 10; second++) {
        rig.now_ns += 1000000001;
        rig.epoch_ms += 1000;
        for (int turn = 0; turn < 20; turn++) {
            for (int i = 0; i < ENGINES; i++) {
                if (i != slow)
                    (void)rj_driver_engine_work(rig.driver, i, rig.now_ns);
            }
            (void)rj_driver_helper_work(rig.driver, rig.now_ns);
            (void)rj_driver_conductor_work(rig.driver, rig.now_ns, rig.epoch_ms);
        }
    }
    cr_expect_eq(changes(), 0);
    cr_expect_eq(attached(), 1, "the slow one");
    cr_expect_eq(endpoint->peer.port, 24581);
    driver_rig_live(&rig, CLIENT, 1000000000);
    cr_expect_eq(changes(), 1);
    cr_expect_eq(attached(), ENGINES);
    cr_expect_eq(endpoint->peer.port, 24582);
}
