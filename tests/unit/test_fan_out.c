/* SPDX-License-Identifier: Apache-2.0 */
#include "endpoint/fan_out.h"

#include <criterion/criterion.h>
#include <string.h>

#include "transport/port.h"

enum { WINDOW = 64 * 1024 };

static const int64_t second_ns = 1000 * 1000 * 1000;

static rj_endpoint_t endpoint;
static rj_send_destinations_t *set;
static rj_send_destination_t manual[8];
static rj_fan_out_t fan;

static void open_set(bool is_aware)
{
    rj_err_t err;
    cr_assert_eq(rj_send_destinations_open(&set, false, &err), 0);
    set->is_aware = is_aware;
    memset(&fan, 0, sizeof(fan));
}

static void close_set(void)
{
    rj_send_destinations_close(set);
}

TestSuite(fan_out, .fini = close_set);

/* A destination on a host of its own; 0: without an address. */
static rj_send_destination_t *add(int index, int host)
{
    const uint8_t bytes[4] = {10, 0, 0, (uint8_t)host};
    rj_address_t address = {.family = AF_UNSPEC};
    if (host != 0)
        address = rj_address_ipv4(bytes, 4000);
    rj_send_destination_init(&manual[index], &endpoint, &address, 100 + index, 0);
    cr_assert_eq(rj_send_destinations_add(set, &manual[index]), 0);
    return &manual[index];
}

static void init(int64_t snd_pos)
{
    rj_fan_out_init(&fan, set, snd_pos, 0);
    fan.end_pos = snd_pos;
}

static void want(const rj_send_destination_t *destination, int64_t sm_pos, int64_t snd_pos,
                 int64_t now_ns)
{
    const rj_wire_sm_t sm = {.receiver_window = WINDOW};
    rj_fan_out_on_sm(&fan, destination, &sm, sm_pos, snd_pos, now_ns);
}

static int64_t position_of(const rj_send_destination_t *destination)
{
    cr_assert(rj_fan_out_is_target(&fan, destination->slot));
    return fan.targets[fan.places[destination->slot] - 1].next_pos;
}

Test(fan_out, goes_to_nobody_who_has_not_asked)
{
    open_set(true);
    rj_send_destination_t *first = add(0, 1);
    init(0);
    cr_assert_eq(fan.target_count, 0);
    cr_assert(rj_fan_out_has_others(&fan));
    want(first, 0, 0, 0);
    cr_assert_eq(fan.target_count, 1);
    cr_assert_not(rj_fan_out_has_others(&fan));
}

Test(fan_out, goes_to_all_that_have_an_address_where_nobody_asks)
{
    open_set(false);
    rj_send_destination_t *first = add(0, 1);
    rj_send_destination_t *unknown = add(1, 0);
    init(640);
    cr_assert_eq(position_of(first), 640);
    cr_assert_not(rj_fan_out_is_target(&fan, unknown->slot));
    cr_assert_not(rj_fan_out_has_others(&fan));
    rj_fan_out_expire(&fan, INT64_MAX - 1);
    cr_assert_eq(fan.target_count, 1, "and for ever");
}

Test(fan_out, begins_with_what_the_newcomer_has_if_that_is_not_far)
{
    open_set(true);
    rj_send_destination_t *near = add(0, 1);
    rj_send_destination_t *far = add(1, 2);
    rj_send_destination_t *ahead = add(2, 3);
    init(0);
    want(near, 1000000 - WINDOW, 1000000, 0);
    want(far, 1000000 - WINDOW - 32, 1000000, 0);
    want(ahead, 1000032, 1000000, 0);
    cr_assert_eq(position_of(near), 1000000 - WINDOW);
    cr_assert_eq(position_of(far), 1000000, "its NAKs ask for the rest");
    cr_assert_eq(position_of(ahead), 1000000);
    cr_assert(fan.is_behind);
}

Test(fan_out, keeps_a_target_for_five_seconds_after_its_last_word)
{
    open_set(true);
    rj_send_destination_t *first = add(0, 1);
    rj_send_destination_t *second = add(1, 2);
    init(0);
    want(first, 0, 0, 0);
    want(second, 0, 0, second_ns);
    cr_assert_eq(rj_fan_out_deadline_ns(&fan, true), 5 * second_ns + 1);
    want(first, 0, 0, 3 * second_ns);
    rj_fan_out_expire(&fan, 6 * second_ns);
    cr_assert_eq(fan.target_count, 2);
    rj_fan_out_expire(&fan, 6 * second_ns + 1);
    cr_assert_eq(fan.target_count, 1);
    cr_assert(rj_fan_out_is_target(&fan, first->slot));
    cr_assert_eq(rj_fan_out_deadline_ns(&fan, true), 8 * second_ns + 1);
}

Test(fan_out, tells_others_of_the_stream_until_it_has_ended)
{
    open_set(true);
    (void)add(0, 1);
    init(0);
    cr_assert_eq(rj_fan_out_deadline_ns(&fan, false), 0, "at once");
    cr_assert_eq(rj_fan_out_deadline_ns(&fan, true), INT64_MAX);
}

Test(fan_out, keeps_the_places_of_others_when_one_leaves)
{
    open_set(true);
    rj_send_destination_t *destinations[3];
    init(0);
    for (int i = 0; i < 3; i++) {
        destinations[i] = add(i, 1 + i);
        want(destinations[i], 0, 32 * i, 0);
        fan.targets[i].next_pos = 32 * i;
    }
    rj_fan_out_on_left(&fan, destinations[0]);
    cr_assert_eq(fan.target_count, 2);
    cr_assert_eq(position_of(destinations[1]), 32);
    cr_assert_eq(position_of(destinations[2]), 64);
    rj_fan_out_on_left(&fan, destinations[0]);
    rj_fan_out_on_left(&fan, destinations[2]);
    cr_assert_eq(position_of(destinations[1]), 32);
}

Test(fan_out, gets_as_far_as_its_first_target)
{
    open_set(true);
    init(0);
    for (int i = 0; i < 2; i++)
        want(add(i, 1 + i), 0, 0, 0);
    int64_t snd_pos;
    fan.end_pos = 3200;
    fan.targets[0].next_pos = 3200;
    fan.targets[1].next_pos = 640;
    cr_assert_eq(rj_fan_out_settle(&fan, 0, 32768, &snd_pos), 0);
    cr_assert_eq(snd_pos, 3200);
    cr_assert(fan.is_behind);
    cr_assert_eq(fan.targets[1].next_pos, 640);
}

Test(fan_out, gives_up_what_failed_and_what_is_too_far_back)
{
    open_set(true);
    init(0);
    for (int i = 0; i < 3; i++)
        want(add(i, 1 + i), 0, 0, 0);
    int64_t snd_pos;
    fan.end_pos = 64000;
    fan.targets[0].next_pos = 64000;
    fan.targets[1].has_failed = true;
    fan.targets[2].next_pos = 31200;
    cr_assert_eq(rj_fan_out_settle(&fan, 0, 32768, &snd_pos), 1);
    cr_assert_eq(snd_pos, 64000);
    cr_assert_not(fan.is_behind);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(fan.targets[i].next_pos, 64000);
    cr_assert_not(fan.targets[1].has_failed);
}

Test(fan_out, gets_on_with_nobody_there)
{
    open_set(true);
    init(0);
    int64_t snd_pos;
    fan.end_pos = 3200;
    cr_assert_eq(rj_fan_out_settle(&fan, 0, 32768, &snd_pos), 0);
    cr_assert_eq(snd_pos, 3200);
}

Test(fan_out, stays_while_nobody_takes_anything)
{
    open_set(true);
    init(0);
    want(add(0, 1), 0, 0, 0);
    int64_t snd_pos;
    fan.end_pos = 3200;
    fan.targets[0].has_failed = true;
    cr_assert_eq(rj_fan_out_settle(&fan, 0, 32768, &snd_pos), 0);
    cr_assert_eq(snd_pos, 0);
}
