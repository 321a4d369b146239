/* SPDX-License-Identifier: Apache-2.0 */
#include "conductor/port_manager.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static rj_port_manager_t manager;

static void open_range(uint16_t low, uint16_t high)
{
    const rj_port_range_t range = {low, high};
    rj_err_t err;
    cr_assert_eq(rj_port_manager_open(&manager, &range, &err), 0, "%s", err.text);
}

static void close_manager(void)
{
    rj_port_manager_close(&manager);
}

TestSuite(port_manager, .fini = close_manager);

/* 0: there was none. */
static uint16_t take(void)
{
    uint16_t port = 0;
    rj_err_t err;
    const int result = rj_port_manager_take(&manager, &port, &err);
    if (result < 0) {
        cr_expect_eq(result, -EADDRINUSE);
        cr_expect_not_null(strstr(err.text, "no available ports in range"), "%s", err.text);
    }
    return port;
}

Test(port_manager, gives_one_port_after_the_other_until_none_is_left)
{
    open_range(20700, 20701);
    cr_expect_eq(take(), 20700);
    cr_expect_eq(take(), 20701);
    cr_expect_eq(take(), 0);
    rj_port_manager_release(&manager, 20701);
    cr_expect_eq(take(), 20701);
    cr_expect_eq(take(), 0);
}

Test(port_manager, goes_round_before_it_gives_a_port_again)
{
    open_range(100, 103);
    cr_expect_eq(take(), 100);
    rj_port_manager_release(&manager, 100);
    cr_expect_eq(take(), 101);
    cr_expect_eq(take(), 102);
    cr_expect_eq(take(), 103);
    cr_expect_eq(take(), 100);
}

Test(port_manager, passes_over_ports_that_were_asked_for_by_number)
{
    open_range(100, 102);
    rj_port_manager_hold(&manager, 101);
    rj_port_manager_hold(&manager, 101);
    rj_port_manager_hold(&manager, 99);
    rj_port_manager_hold(&manager, 103);
    cr_expect_eq(take(), 100);
    cr_expect_eq(take(), 102);
    cr_expect_eq(take(), 0);
    rj_port_manager_release(&manager, 101);
    cr_expect_eq(take(), 0, "another socket has it still");
    rj_port_manager_release(&manager, 101);
    cr_expect_eq(take(), 101);
}

Test(port_manager, has_the_last_port_there_is_and_never_port_0)
{
    open_range(65534, 65535);
    cr_expect_eq(take(), 65534);
    cr_expect_eq(take(), 65535);
    cr_expect_eq(take(), 0);
    rj_port_manager_close(&manager);
    open_range(0, 1);
    cr_expect_eq(take(), 1);
    cr_expect_eq(take(), 0);
}

Test(port_manager, without_a_range_keeps_no_account)
{
    open_range(0, 0);
    cr_expect_not(rj_port_manager_has_range(&manager));
    rj_port_manager_hold(&manager, 5);
    rj_port_manager_release(&manager, 5);
}
