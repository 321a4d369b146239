/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/calibrate_best.c"

#include <criterion/criterion.h>

Test(calibrate, recommends_the_best_in_both_respects)
{
    const rj_calibration_t rows[] = {
        {.transport = RJ_TRANSPORT_GSO, .datagrams_per_s = 900e3, .p50_us = 12},
        {.transport = RJ_TRANSPORT_XDP, .datagrams_per_s = 300e3, .p50_us = 4},
        {.transport = RJ_TRANSPORT_AUTO, .datagrams_per_s = 880e3, .p50_us = 4.1},
    };
    cr_expect_eq(rj_calibration_best(rows, 3), 2);
    cr_expect_eq(rj_calibration_best(rows, 2), 0);
}

Test(calibrate, prefers_the_first_of_those_that_are_alike)
{
    const rj_calibration_t rows[] = {{.datagrams_per_s = 99, .p50_us = 10.1},
                                     {.datagrams_per_s = 100, .p50_us = 10},
                                     {.datagrams_per_s = 101, .p50_us = 10.2}};
    cr_expect_eq(rj_calibration_best(rows, 3), 0);
}

Test(calibrate, recommends_nothing_that_was_not_measured)
{
    const rj_calibration_t rows[] = {{.transport = RJ_TRANSPORT_XDP},
                                     {.datagrams_per_s = 5, .p50_us = 9},
                                     {.datagrams_per_s = 50}};
    cr_expect_eq(rj_calibration_best(rows, 3), 1);
    cr_expect_eq(rj_calibration_best(rows, 1), -1);
    cr_expect_eq(rj_calibration_best(rows, 0), -1);
}
