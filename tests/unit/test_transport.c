/* SPDX-License-Identifier: Apache-2.0 */
#include "base/transport.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(transport, has_a_name_that_is_read_again)
{
    for (int i = 0; i < RJ_TRANSPORT_COUNT; i++) {
        rj_transport_t transport = RJ_TRANSPORT_COUNT;
        const char *name = rj_transport_name((rj_transport_t)i);
        cr_assert_not_null(strstr(RJ_TRANSPORT_NAMES, name));
        cr_assert_eq(rj_transport_parse(name, &transport), 0, "%s", name);
        cr_expect_eq(transport, (rj_transport_t)i);
    }
}

Test(transport, is_of_one_family_unless_it_is_auto)
{
    for (int i = 0; i < RJ_TRANSPORT_COUNT; i++) {
        const rj_transport_t transport = (rj_transport_t)i;
        const int families = rj_transport_is_ring(transport) + rj_transport_is_socket(transport);
        cr_expect_eq(families, i == RJ_TRANSPORT_AUTO ? 0 : 1, "%s", rj_transport_name(transport));
    }
    cr_expect(rj_transport_is_ring(RJ_TRANSPORT_DPDK));
    cr_expect(rj_transport_is_socket(RJ_TRANSPORT_URING));
}

Test(transport, is_nothing_else)
{
    static const char *const others[] = {"", "AUTO", "sockets", "xdp ", "x"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        rj_transport_t transport = RJ_TRANSPORT_GSO;
        cr_expect_eq(rj_transport_parse(others[i], &transport), -EINVAL, "%s", others[i]);
        cr_expect_eq(transport, RJ_TRANSPORT_GSO);
    }
}
