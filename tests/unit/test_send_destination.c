/* SPDX-License-Identifier: Apache-2.0 */
#include "endpoint/send_destination.h"

#include <criterion/criterion.h>

#include "transport/port.h"

static const int64_t second_ns = 1000 * 1000 * 1000;

static rj_endpoint_t endpoint;
static int64_t counter;

static rj_send_destinations_t *open_set(bool is_dynamic)
{
    rj_send_destinations_t *set;
    rj_err_t err;
    cr_assert_eq(rj_send_destinations_open(&set, is_dynamic, &err), 0, "%s", err.text);
    set->count_counter = &counter;
    counter = 0;
    return set;
}

static rj_address_t at(int host, uint16_t port)
{
    const uint8_t bytes[4] = {10, 0, (uint8_t)(host >> 8), (uint8_t)host};
    return rj_address_ipv4(bytes, port);
}

static rj_send_destination_t *join(rj_send_destinations_t *set, int host, int64_t now_ns)
{
    const rj_address_t address = at(host, 4000);
    return rj_send_destinations_join(set, &endpoint, &address, now_ns);
}

/* What an engine does with a status message. */
static rj_send_destination_t *hear(rj_send_destinations_t *set, rj_address_t source,
                                   int64_t receiver_id, int64_t now_ns)
{
    rj_send_destination_t *destination = rj_send_destinations_find(set, &source, receiver_id);
    if (destination != NULL)
        rj_send_destinations_touch(set, destination, receiver_id, now_ns);
    return destination;
}

Test(send_destination, is_found_by_its_address_until_its_receiver_is_known)
{
    rj_send_destinations_t *set = open_set(true);
    rj_send_destination_t *first = join(set, 1, 0);
    rj_send_destination_t *second = join(set, 2, 0);
    cr_assert_eq(hear(set, at(2, 4000), 7, 0), second);
    cr_assert_eq(hear(set, at(1, 4000), 6, 0), first);
    cr_assert_null(hear(set, at(1, 4001), 6, 0), "another port is another destination");
    cr_assert_null(hear(set, at(3, 4000), 8, 0));
    rj_send_destinations_close(set);
}

Test(send_destination, is_found_by_receiver_and_port_wherever_it_answers_from)
{
    rj_send_destinations_t *set = open_set(true);
    rj_send_destination_t *first = join(set, 1, 0);
    hear(set, at(1, 4000), 6, 0);
    cr_assert_eq(hear(set, at(9, 4000), 6, 0), first, "the host may differ");
    cr_assert_null(hear(set, at(9, 4001), 6, 0), "the port may not");
    rj_send_destinations_close(set);
}

Test(send_destination, is_the_receivers_that_was_started_anew_at_its_address)
{
    rj_send_destinations_t *set = open_set(true);
    rj_send_destination_t *first = join(set, 1, 0);
    hear(set, at(1, 4000), 6, 0);
    cr_assert_eq(hear(set, at(1, 4000), 77, 0), first);
    cr_assert_eq(first->receiver_id, 77);
    cr_assert_null(hear(set, at(9, 4000), 6, 0), "the old one is gone");
    rj_send_destinations_close(set);
}

Test(send_destination, of_a_dynamic_set_is_silent_after_more_than_five_seconds)
{
    rj_send_destinations_t *set = open_set(true);
    rj_send_destination_t *first = join(set, 1, 0);
    rj_send_destination_t *second = join(set, 2, second_ns);
    cr_assert_eq(counter, 2);
    cr_assert_null(rj_send_destinations_silent(set, 5 * second_ns));
    cr_assert_eq(set->due_ns, 5 * second_ns + 1);
    cr_assert_eq(rj_send_destinations_silent(set, 5 * second_ns + 1), first);
    rj_send_destinations_remove(set, first);
    cr_assert_eq(counter, 1);
    cr_assert_null(rj_send_destinations_silent(set, 5 * second_ns + 1));
    hear(set, at(2, 4000), 5, 3 * second_ns);
    cr_assert_null(rj_send_destinations_silent(set, 6 * second_ns + 1), "it was heard meanwhile");
    cr_assert_eq(rj_send_destinations_silent(set, 8 * second_ns + 1), second);
    rj_send_destinations_close(set);
}

Test(send_destination, of_a_manual_set_is_never_silent)
{
    rj_send_destinations_t *set = open_set(false);
    rj_send_destination_t destination;
    const rj_address_t address = at(1, 4000);
    rj_send_destination_init(&destination, &endpoint, &address, 12, 0);
    cr_assert_eq(rj_send_destinations_add(set, &destination), 0);
    cr_assert_null(rj_send_destinations_silent(set, 1000 * second_ns));
    cr_assert_eq(counter, 0, "the conductor writes that of a manual one");
    rj_send_destinations_remove(set, &destination);
    rj_send_destinations_remove(set, &destination);
    cr_assert_eq(set->count, 0);
    cr_assert_eq(set->slot_end, 0);
    rj_send_destinations_close(set);
}

Test(send_destination, without_an_address_is_nobodys_until_it_gets_one)
{
    rj_send_destinations_t *set = open_set(false);
    rj_send_destination_t destination;
    const rj_address_t none = {.family = AF_UNSPEC};
    const rj_address_t address = at(1, 4000);
    rj_send_destination_init(&destination, &endpoint, &none, 12, 0);
    rj_send_destinations_add(set, &destination);
    cr_assert_not(rj_send_destination_is_resolved(&destination));
    cr_assert_null(rj_send_destinations_find_address(set, &none));
    rj_send_destinations_move(set, &destination, &address);
    cr_assert(rj_send_destination_is_resolved(&destination));
    cr_assert_eq(hear(set, address, 3, 0), &destination);
    rj_send_destinations_close(set);
}

Test(send_destination, set_takes_a_thousand_and_twenty_four_and_then_no_more)
{
    rj_send_destinations_t *set = open_set(true);
    for (int host = 0; host < RJ_SEND_DESTINATIONS_MAX; host++)
        cr_assert_not_null(join(set, host, 0));
    cr_assert_null(join(set, RJ_SEND_DESTINATIONS_MAX, 0));
    cr_assert_eq(counter, 1024);
    for (int host = 0; host < RJ_SEND_DESTINATIONS_MAX; host++)
        cr_assert_not_null(hear(set, at(host, 4000), 100 + host, 0));
    cr_assert_eq(hear(set, at(5000, 4000), 100 + 1000, 0)->slot, 1000);
    rj_send_destinations_close(set);
}

Test(send_destination, slot_that_the_conductor_has_is_not_used_again)
{
    rj_send_destinations_t *set = open_set(true);
    rj_send_destination_t *first = join(set, 1, 0);
    rj_send_destinations_remove(set, first);
    first->is_lent = true;
    cr_assert_neq(join(set, 2, 0), first);
    first->is_lent = false;
    cr_assert_eq(join(set, 3, 0), first);
    cr_assert_eq(first->join_number, 3);
    rj_send_destinations_close(set);
}

Test(send_destination, of_the_other_family_is_found_likewise)
{
    rj_send_destinations_t *set = open_set(true);
    const uint8_t bytes[16] = {0xfd, [15] = 9};
    const rj_address_t address = rj_address_ipv6(bytes, 4000, 0);
    rj_send_destination_t *first = rj_send_destinations_join(set, &endpoint, &address, 0);
    cr_assert_eq(first->path.sockaddr_bytes, sizeof(struct sockaddr_in6));
    cr_assert_eq(hear(set, address, 1, 0), first);
    rj_send_destinations_close(set);
}
