/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/door_policy.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

Test(door_policy, knows_links_by_what_the_kernel_calls_them)
{
    cr_expect_eq(rj_link_kind_of(true, "", ""), RJ_LINK_LOOPBACK);
    cr_expect_eq(rj_link_kind_of(false, "veth", "veth"), RJ_LINK_VETH);
    cr_expect_eq(rj_link_kind_of(false, "bridge", "bridge"), RJ_LINK_VIRTUAL);
    cr_expect_eq(rj_link_kind_of(false, "", "virtio_net"), RJ_LINK_HYPERVISOR);
    cr_expect_eq(rj_link_kind_of(false, "", "ice"), RJ_LINK_CARD);
    cr_expect_eq(rj_link_kind_of(false, "", ""), RJ_LINK_CARD);
    for (int kind = RJ_LINK_LOOPBACK; kind <= RJ_LINK_CARD; kind++)
        cr_expect_gt(strlen(rj_link_kind_name((rj_link_kind_t)kind)), 0);
}

Test(door_policy, opens_both_doors_where_that_pays)
{
    static const struct {
        rj_door_facts_t facts;
        uint32_t bulk_datagrams_min;
    } rows[] = {
        {{RJ_TRANSPORT_AUTO, RJ_TRANSPORT_GSO, RJ_LINK_VETH, RJ_XDP_MODE_GENERIC, false},
         RJ_BULK_DATAGRAMS_MIN},
        {{RJ_TRANSPORT_AUTO, RJ_TRANSPORT_GSO, RJ_LINK_VETH, RJ_XDP_MODE_NATIVE, false},
         RJ_BULK_DATAGRAMS_MIN},
        {{RJ_TRANSPORT_AUTO, RJ_TRANSPORT_GSO, RJ_LINK_HYPERVISOR, RJ_XDP_MODE_NATIVE, false},
         RJ_BULK_DATAGRAMS_MIN},
        {{RJ_TRANSPORT_AUTO, RJ_TRANSPORT_GSO, RJ_LINK_HYPERVISOR, RJ_XDP_MODE_NATIVE, true}, 0},
        {{RJ_TRANSPORT_AUTO, RJ_TRANSPORT_GSO, RJ_LINK_CARD, RJ_XDP_MODE_GENERIC, false},
         RJ_BULK_DATAGRAMS_MIN},
        {{RJ_TRANSPORT_AUTO, RJ_TRANSPORT_GSO, RJ_LINK_CARD, RJ_XDP_MODE_NATIVE, false}, 0},
        {{RJ_TRANSPORT_AUTO, RJ_TRANSPORT_GSO, RJ_LINK_CARD, RJ_XDP_MODE_NATIVE, true}, 0},
        {{RJ_TRANSPORT_AUTO, RJ_TRANSPORT_SOCKET, RJ_LINK_VETH, RJ_XDP_MODE_GENERIC, false}, 0},
        {{RJ_TRANSPORT_XDP, RJ_TRANSPORT_GSO, RJ_LINK_VETH, RJ_XDP_MODE_GENERIC, false}, 0},
        {{RJ_TRANSPORT_PACKET, RJ_TRANSPORT_SOCKET, RJ_LINK_VETH, RJ_XDP_MODE_AUTO, false}, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const rj_door_policy_t policy = rj_door_policy(&rows[i].facts);
        cr_expect_eq(policy.bulk_datagrams_min, rows[i].bulk_datagrams_min, "row %zu", i);
        cr_expect_gt(strlen(policy.why), 0);
    }
}

Test(door_policy, says_from_how_many_datagrams_on)
{
    const rj_door_facts_t facts = {RJ_TRANSPORT_AUTO, RJ_TRANSPORT_GSO, RJ_LINK_VETH,
                                   RJ_XDP_MODE_GENERIC, false};
    char number[8];
    snprintf(number, sizeof(number), " %d ", RJ_BULK_DATAGRAMS_MIN);
    cr_expect_not_null(strstr(rj_door_policy(&facts).why, number));
}
