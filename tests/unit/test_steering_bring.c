/* SPDX-License-Identifier: Apache-2.0 */
/* Where the card should bring the frames of an endpoint. */
#include "fabric/steering.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/fixtures/steer_tables.h"
#include "tests/fixtures/steered_host.h"

enum { PORT = 24390, EVENTS_MAX = 4, BROUGHT_MAX = 4 };

static const int64_t now_ns = INT64_C(100000000000);
static steer_tables_t tables;
static steered_host_t host;
static rj_steering_t *steering;
static char events[EVENTS_MAX][RJ_ERR_TEXT_MAX];
static int event_count;

static struct {
    rj_address_t to;
    int engine;
} brought[BROUGHT_MAX];
static int brought_count;
static int bring_result;

static void on_event(void *state, const char *text)
{
    (void)state;
    cr_assert_lt(event_count, EVENTS_MAX);
    snprintf(events[event_count++], RJ_ERR_TEXT_MAX, "%s", text);
}

static int on_bring(void *state, const rj_address_t *to, int engine)
{
    cr_assert_eq(state, &brought_count);
    cr_assert_lt(brought_count, BROUGHT_MAX);
    brought[brought_count].to = *to;
    brought[brought_count++].engine = engine;
    return bring_result;
}

static void open_steering(void)
{
    const rj_steering_params_t params = {.interfaces = {{.maps = &tables.maps,
                                                         .name = "eth0",
                                                         .index = STEERED_ETH0,
                                                         .queue_count = 2,
                                                         .room_bytes = 3840,
                                                         .bring = on_bring,
                                                         .bring_state = &brought_count}},
                                         .interface_count = 1,
                                         .on_event = on_event};
    rj_prng_t prng;
    rj_err_t err;
    rj_prng_init(&prng, 7);
    steer_tables_init(&tables);
    steered_host_give_address(&host, "10.0.0.1", STEERED_ETH0);
    steered_host_publish(&host);
    cr_assert_eq(rj_steering_open(&steering, &params, &prng, host.snapshot, now_ns, &err), 0);
}

static void close_steering(void)
{
    rj_steering_close(steering);
    steered_host_close(&host);
}

TestSuite(steering_bring, .init = open_steering, .fini = close_steering);

static rj_address_t local(uint16_t port)
{
    static const uint8_t bytes[4] = {10, 0, 0, 1};
    return rj_address_ipv4(bytes, port);
}

Test(steering_bring, asks_for_the_home_of_an_address_while_somebody_wants_it)
{
    const rj_address_t address = local(PORT);
    rj_steer_wish_t *first = rj_steering_add(steering, &address, 0, 1);
    rj_steer_wish_t *second = rj_steering_add(steering, &address, 0, 0);
    cr_assert_eq(brought_count, 1, "to one place");
    cr_expect_eq(brought[0].engine, 1);
    cr_expect(rj_address_equal(&brought[0].to, &address));
    rj_steering_remove(steering, first);
    cr_expect_eq(brought_count, 1);
    rj_steering_remove(steering, second);
    cr_assert_eq(brought_count, 2);
    cr_expect_eq(brought[1].engine, -1);
    cr_expect(rj_address_equal(&brought[1].to, &address));
}

Test(steering_bring, asks_for_each_address_of_a_wildcard)
{
    static const uint8_t nothing[4];
    const rj_address_t wildcard = rj_address_ipv4(nothing, PORT), address = local(PORT);
    cr_assert_not_null(rj_steering_add(steering, &wildcard, 0, 1));
    cr_assert_eq(brought_count, 1);
    cr_expect(rj_address_equal(&brought[0].to, &address));
}

Test(steering_bring, tells_once_where_that_is_not_to_be_had)
{
    const rj_address_t address = local(PORT), other = local(PORT + 1);
    bring_result = -ENOSPC;
    cr_assert_not_null(rj_steering_add(steering, &address, 0, 1));
    cr_assert_not_null(rj_steering_add(steering, &other, 0, 1));
    cr_assert_eq(event_count, 1);
    cr_expect_not_null(strstr(events[0], "engines forward to each other"), "%s", events[0]);
    const struct rj_channel_key key = steer_tables_key(&address);
    cr_expect_not_null(steer_tables_channel(&tables, &key), "the rest is as ever");
}
