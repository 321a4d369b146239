/* SPDX-License-Identifier: Apache-2.0 */
#include "config/filter_config.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static rj_driver_config_t config;
static rj_filter_config_t read_configs;

static int read_args(const char *loss, const char *fixed, const char *multi_gap, rj_err_t *err)
{
    snprintf(config.loss_args, sizeof(config.loss_args), "%s", loss);
    snprintf(config.fixed_loss_args, sizeof(config.fixed_loss_args), "%s", fixed);
    snprintf(config.multi_gap_loss_args, sizeof(config.multi_gap_loss_args), "%s", multi_gap);
    return rj_filter_config_read(&read_configs, &config, err);
}

Test(filter_config, reads_what_each_filter_is_told)
{
    rj_err_t err;
    cr_assert_eq(read_args("rate=0.25|seed=-7|recv-msg-mask=0x22",
                           "term-id=-5|term-offset=4096|length=1408",
                           "term-id=3|gap-radix=8192|gap-length=1408|total-gaps=9", &err),
                 0, "%s", err.text);
    cr_expect_eq(read_configs.loss.rate, 0.25);
    cr_expect(read_configs.loss.has_seed);
    cr_expect_eq((int64_t)read_configs.loss.seed, -7);
    cr_expect_eq(read_configs.loss.type_mask, 0x22);
    cr_expect_eq(read_configs.fixed.term_id, -5);
    cr_expect_eq(read_configs.fixed.offset, 4096);
    cr_expect_eq(read_configs.fixed.length, 1408);
    cr_expect_eq(read_configs.multi_gap.term_id, 3);
    cr_expect_eq(read_configs.multi_gap.radix, 8192);
    cr_expect_eq(read_configs.multi_gap.length, 1408);
    cr_expect_eq(read_configs.multi_gap.count, 9);
}

Test(filter_config, takes_what_is_not_given_for_nothing_and_passes_over_other_keys)
{
    rj_err_t err;
    cr_assert_eq(read_args("|colour=red|rate=1.0||recv-msg-mask=ff", "", "nothing", &err), 0, "%s",
                 err.text);
    cr_expect_eq(read_configs.loss.rate, 1.0);
    cr_expect_eq(read_configs.loss.type_mask, 0xff, "hexadecimal without 0x too");
    cr_expect_not(read_configs.loss.has_seed);
    cr_expect_eq(read_configs.fixed.length, 0);
    cr_expect_eq(read_configs.multi_gap.count, 0);
}

Test(filter_config, refuses_values_that_it_cannot_read)
{
    static const char *const rows[][3] = {{"rate=much", "", ""},
                                          {"rate=1.5", "", ""},
                                          {"rate=-0.1", "", ""},
                                          {"rate=nan", "", ""},
                                          {"rate", "", ""},
                                          {"seed=x", "", ""},
                                          {"recv-msg-mask=0xg", "", ""},
                                          {"recv-msg-mask=-1", "", ""},
                                          {"", "term-id=9999999999", ""},
                                          {"", "length=-1", ""},
                                          {"", "term-offset=", ""},
                                          {"", "", "gap-radix=4k"},
                                          {"", "", "total-gaps=-2"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rj_err_t err;
        cr_expect_eq(read_args(rows[i][0], rows[i][1], rows[i][2], &err), -EINVAL, "row %zu", i);
        cr_expect_not_null(strstr(err.text, "arguments of the filter"), "%s", err.text);
    }
}
