/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of a card, and undone, with a made-up card in place of the kernel's. */
#include "driver/ring_nic.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/fixtures/fake_nic.h"

enum { TOLD_MAX = 4 };

static fake_nic_t *card;
static rj_ring_nic_t nic;
static char folder[] = "/dev/shm/rj-ring-nic-XXXXXX";
static char told[TOLD_MAX][256];
static bool is_lack[TOLD_MAX];
static int told_count;

static void on_tell(void *state, bool is_lacking, const char *text)
{
    (void)state;
    cr_assert_lt(told_count, TOLD_MAX);
    is_lack[told_count] = is_lacking;
    snprintf(told[told_count++], sizeof(told[0]), "%s", text);
}

static void make_card(void)
{
    cr_assert_not_null(mkdtemp(folder));
    card = fake_nic_new();
}

static void remove_folder(void)
{
    rj_ring_nic_close(&nic);
    cr_assert_eq(rmdir(folder), 0, "nothing is left in it");
}

TestSuite(ring_nic, .init = make_card, .fini = remove_folder);

/* Queues 2 and 3 of 4. */
static rj_ring_nic_params_t wish(rj_steer_queues_t steer_queues)
{
    return (rj_ring_nic_params_t){.nic = &card->base,
                                  .interface = "nic0",
                                  .undo_folder = folder,
                                  .steer_queues = steer_queues,
                                  .queue_first = 2,
                                  .queue_count = 2,
                                  .queues_of_card = 4,
                                  .tell = on_tell};
}

static void open_nic(rj_ring_nic_params_t params)
{
    told_count = 0;
    rj_ring_nic_open(&nic, &params);
}

static rj_address_t address(uint8_t last, uint16_t port)
{
    const uint8_t bytes[4] = {10, 0, 0, last};
    return rj_address_ipv4(bytes, port);
}

Test(ring_nic, brings_each_endpoint_to_the_queue_of_its_engine)
{
    static const uint8_t v6[16] = {0xfd, [15] = 1};
    const rj_address_t first = address(2, 40123), second = address(2, 40124);
    const rj_address_t third = rj_address_ipv6(v6, 40125, 0);
    open_nic(wish(RJ_STEER_QUEUES_AUTO));
    cr_assert_eq(told_count, 1);
    cr_assert_not(is_lack[0]);
    cr_assert_eq(rj_ring_nic_bring(&nic, &first, 0), 0);
    cr_assert_eq(rj_ring_nic_bring(&nic, &second, 1), 0);
    cr_assert_eq(rj_ring_nic_bring(&nic, &third, 1), 0);
    const struct ethtool_rx_flow_spec *rule = fake_nic_rule_for(card, 40123);
    cr_assert_eq(rule->ring_cookie, 2);
    cr_assert_eq(rule->flow_type, UDP_V4_FLOW);
    cr_assert_eq(memcmp(&rule->h_u.udp_ip4_spec.ip4dst, first.bytes, 4), 0);
    cr_assert_eq(rule->m_u.udp_ip4_spec.ip4dst, UINT32_MAX);
    cr_assert_eq(rule->m_u.udp_ip4_spec.ip4src, 0, "from anywhere");
    cr_assert_eq(rule->location, FAKE_NIC_RULES - 1, "behind an operator's");
    cr_assert_eq(fake_nic_rule_for(card, 40124)->ring_cookie, 3);
    rule = fake_nic_rule_for(card, 40125);
    cr_assert_eq(rule->flow_type, UDP_V6_FLOW);
    cr_assert_eq(memcmp(rule->h_u.udp_ip6_spec.ip6dst, v6, 16), 0);
    cr_assert_eq(rj_ring_nic_bring(&nic, &first, -1), 0);
    cr_assert_null(fake_nic_rule_for(card, 40123));
    rj_ring_nic_close(&nic);
    cr_assert_eq(fake_nic_rule_count(card), 0);
}

Test(ring_nic, moves_a_rule_with_its_endpoint_and_repeats_none)
{
    const rj_address_t to = address(2, 40123);
    open_nic(wish(RJ_STEER_QUEUES_AUTO));
    cr_assert_eq(rj_ring_nic_bring(&nic, &to, 0), 0);
    cr_assert_eq(rj_ring_nic_bring(&nic, &to, 0), 0);
    cr_assert_eq(rj_ring_nic_bring(&nic, &to, 1), 0);
    cr_assert_eq(fake_nic_rule_count(card), 1);
    cr_assert_eq(fake_nic_rule_for(card, 40123)->ring_cookie, 3);
    cr_assert_eq(rj_ring_nic_bring(&nic, &to, 7), 0, "an engine without a queue there");
    cr_assert_eq(fake_nic_rule_count(card), 0);
}

Test(ring_nic, leaves_rules_of_others_and_says_when_the_table_is_full)
{
    open_nic(wish(RJ_STEER_QUEUES_AUTO));
    for (uint32_t i = 3; i < FAKE_NIC_RULES; i++)
        card->is_taken[i] = true;
    for (uint16_t i = 0; i < 3; i++) {
        const rj_address_t to = address(2, (uint16_t)(40123 + i));
        cr_assert_eq(rj_ring_nic_bring(&nic, &to, 0), 0);
    }
    const rj_address_t more = address(2, 40200);
    cr_assert_eq(rj_ring_nic_bring(&nic, &more, 0), -ENOSPC);
    rj_ring_nic_close(&nic);
    cr_assert_eq(fake_nic_rule_count(card), FAKE_NIC_RULES - 3);
}

Test(ring_nic, lets_a_card_place_rules_that_wants_to)
{
    const rj_address_t to = address(2, 40123);
    card->places_rules = true;
    open_nic(wish(RJ_STEER_QUEUES_ON));
    cr_assert_eq(rj_ring_nic_bring(&nic, &to, 1), 0);
    cr_assert_eq(fake_nic_rule_for(card, 40123)->location, 0);
    rj_ring_nic_close(&nic);
    cr_assert_eq(fake_nic_rule_count(card), 0);
}

Test(ring_nic, says_nothing_of_a_card_without_rules_unless_they_were_asked_for)
{
    const rj_address_t to = address(2, 40123);
    card->has_rules = false;
    card->has_hash = false;
    open_nic(wish(RJ_STEER_QUEUES_AUTO));
    cr_assert_eq(told_count, 0);
    cr_assert_eq(rj_ring_nic_bring(&nic, &to, 1), 0);
    rj_ring_nic_close(&nic);
    open_nic(wish(RJ_STEER_QUEUES_ON));
    cr_assert_eq(told_count, 1);
    cr_assert(is_lack[0]);
    cr_assert_not_null(strstr(told[0], "nic0: neither flow rules"), "%s", told[0]);
}

Test(ring_nic, limits_the_hash_of_a_card_without_rules_and_puts_it_back)
{
    card->has_rules = false;
    open_nic(wish(RJ_STEER_QUEUES_ON));
    for (uint32_t i = 0; i < FAKE_NIC_HASH; i++)
        cr_assert_eq(card->hash[i], 2 + i % 2);
    cr_assert_not(is_lack[0]);
    rj_ring_nic_close(&nic);
    for (uint32_t i = 0; i < FAKE_NIC_HASH; i++)
        cr_assert_eq(card->hash[i], i % 4);
}

Test(ring_nic, touches_nothing_where_it_is_told_not_to)
{
    const rj_address_t to = address(2, 40123);
    open_nic(wish(RJ_STEER_QUEUES_OFF));
    cr_assert_eq(rj_ring_nic_bring(&nic, &to, 1), 0);
    cr_assert_eq(fake_nic_rule_count(card), 0);
    cr_assert_eq(told_count, 0);
}

Test(ring_nic, puts_interrupts_off_for_busy_polling_and_back)
{
    rj_ring_nic_params_t params = wish(RJ_STEER_QUEUES_OFF);
    params.wants_busy_poll = true;
    card->knobs[0] = 1;
    card->knobs[1] = 999999;
    open_nic(params);
    cr_assert_eq(card->knobs[0], 2);
    cr_assert_eq(card->knobs[1], 999999, "an operator wanted more");
    rj_ring_nic_close(&nic);
    cr_assert_eq(card->knobs[0], 1);
    cr_assert_eq(card->knobs[1], 999999);
    open_nic(params);
    card->knobs[0] = 5;
    rj_ring_nic_close(&nic);
    cr_assert_eq(card->knobs[0], 5, "set by somebody since");
}

Test(ring_nic, says_why_interrupts_are_not_put_off)
{
    rj_ring_nic_params_t params = wish(RJ_STEER_QUEUES_OFF);
    params.wants_busy_poll = true;
    card->knob_result = -EPERM;
    open_nic(params);
    cr_assert(is_lack[0]);
    cr_assert_not_null(strstr(told[0], "napi_defer_hard_irqs cannot be set: Operation not"), "%s",
                       told[0]);
    rj_ring_nic_close(&nic);
    card->knobs[0] = -1;
    open_nic(params);
    cr_assert_not_null(strstr(told[0], "Linux 5.11"), "%s", told[0]);
}

/* As a killed driver leaves it: its file is there, and nobody holds the lock. */
static void die(void)
{
    close(nic.undo.fd);
    free(nic.rules.rules);
    free(nic.rules.spread);
    nic = (rj_ring_nic_t){.undo.fd = -1};
}

Test(ring_nic, undoes_what_a_killed_driver_has_left)
{
    const rj_address_t to = address(2, 40123), other = address(2, 40124);
    rj_ring_nic_params_t params = wish(RJ_STEER_QUEUES_ON);
    params.wants_busy_poll = true;
    open_nic(params);
    cr_assert_eq(rj_ring_nic_bring(&nic, &to, 1), 0);
    cr_assert_eq(rj_ring_nic_bring(&nic, &other, 1), 0);
    die();
    cr_assert_eq(fake_nic_rule_count(card), 2);
    /* Somebody has taken one of the places meanwhile. */
    card->rules[FAKE_NIC_RULES - 2].ring_cookie = 0;
    open_nic(wish(RJ_STEER_QUEUES_OFF));
    cr_assert_eq(fake_nic_rule_count(card), 1);
    cr_assert_null(fake_nic_rule_for(card, 40123));
    cr_assert_eq(card->knobs[0], 0);
    cr_assert_eq(card->knobs[1], 0);
}

Test(ring_nic, undoes_the_hash_that_a_killed_driver_has_limited)
{
    card->has_rules = false;
    open_nic(wish(RJ_STEER_QUEUES_ON));
    die();
    cr_assert_eq(card->hash[0], 2);
    open_nic(wish(RJ_STEER_QUEUES_AUTO));
    for (uint32_t i = 0; i < FAKE_NIC_HASH; i++)
        cr_assert_eq(card->hash[i], i % 4);
}

Test(ring_nic, leaves_what_a_living_driver_has_set)
{
    const rj_address_t to = address(2, 40123);
    rj_ring_nic_t living;
    open_nic(wish(RJ_STEER_QUEUES_AUTO));
    cr_assert_eq(rj_ring_nic_bring(&nic, &to, 1), 0);
    living = nic;
    open_nic(wish(RJ_STEER_QUEUES_AUTO));
    cr_assert_eq(fake_nic_rule_count(card), 1);
    rj_ring_nic_close(&living);
    cr_assert_eq(fake_nic_rule_count(card), 0);
}

Test(ring_nic, changes_nothing_that_it_cannot_note)
{
    rj_ring_nic_params_t params = wish(RJ_STEER_QUEUES_ON);
    const rj_address_t to = address(2, 40123);
    params.undo_folder = "/proc/nowhere";
    open_nic(params);
    cr_assert_eq(told_count, 1);
    cr_assert(is_lack[0]);
    cr_assert_not_null(strstr(told[0], "its card stays as it is"), "%s", told[0]);
    cr_assert_eq(rj_ring_nic_bring(&nic, &to, 1), 0);
    cr_assert_eq(fake_nic_rule_count(card), 0);
    cr_assert_eq(card->hash[2], 2);
}

/* A folder that others can write to must not make us write elsewhere, nor hang on nonsense. */
Test(ring_nic, survives_nonsense_in_a_dead_drivers_file)
{
    static const char *const lines[] = {"spread 9999999999 1",   "spread",     "rule x",
                                        "knob nosuch 3",         "spread 3 1", "",
                                        "rule 4294967295 port 1"};
    open_nic(wish(RJ_STEER_QUEUES_AUTO));
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        cr_assert_eq(rj_nic_undo_note(&nic.undo, "%s", lines[i]), 0);
    die();
    open_nic(wish(RJ_STEER_QUEUES_AUTO));
    cr_assert_eq(card->hash[1], 1);
    cr_assert_eq(fake_nic_rule_count(card), 0);
}
