/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/aside_policy.h"

#include <criterion/criterion.h>

static const int64_t ms = 1000000;
static const uint64_t mib = 1024 * 1024;

static rj_aside_policy_t policy;
static rj_aside_bytes_t bytes;
static int64_t now_ns;

static void begin(bool is_aside)
{
    bytes = (rj_aside_bytes_t){.bulk = 7 * mib, .single = 3 * mib};
    now_ns = 1000 * ms;
    rj_aside_policy_begin(&policy, is_aside, &bytes, now_ns);
}

/* A look after one period in which so much came. */
static bool look(uint64_t bulk, uint64_t single)
{
    now_ns += RJ_ASIDE_LOOK_NS;
    bytes.bulk += bulk;
    bytes.single += single;
    return rj_aside_policy_look(&policy, &bytes, now_ns);
}

Test(aside_policy, looks_once_in_a_period)
{
    begin(false);
    cr_expect_not(rj_aside_policy_is_due(&policy, now_ns + RJ_ASIDE_LOOK_NS - 1));
    cr_expect(rj_aside_policy_is_due(&policy, now_ns + RJ_ASIDE_LOOK_NS));
    cr_expect_not(rj_aside_policy_look(&policy, &bytes, now_ns), "no time has passed");
}

Test(aside_policy, leaves_after_bulk_without_a_break)
{
    begin(false);
    cr_expect_not(look(mib, 0));
    cr_expect_not(look(0, 0), "a pause");
    cr_expect_not(look(mib, 0));
    cr_expect(look(mib, 0));
    cr_expect(look(mib, 0), "until somebody has done it");
}

Test(aside_policy, stays_where_much_comes_in_single_datagrams)
{
    begin(false);
    for (int i = 0; i < 20; i++)
        cr_expect_not(look(8 * mib, mib), "eight ninths");
    cr_expect_eq(policy.bulk_percent, 88);
    cr_expect_not(look(10 * mib, mib));
    cr_expect(look(10 * mib, mib));
    cr_expect_eq(policy.bulk_percent, 90);
}

Test(aside_policy, stays_where_little_comes)
{
    begin(false);
    for (int i = 0; i < 20; i++)
        cr_expect_not(look(mib / 4, 0), "10 MiB a second");
}

Test(aside_policy, judges_by_the_time_that_has_passed)
{
    begin(false);
    now_ns += 40 * RJ_ASIDE_LOOK_NS;
    bytes.bulk += 2 * mib;
    cr_expect_not(rj_aside_policy_look(&policy, &bytes, now_ns), "2 MiB in a second");
    now_ns += 2 * RJ_ASIDE_LOOK_NS;
    bytes.bulk += 2 * mib;
    cr_expect(rj_aside_policy_look(&policy, &bytes, now_ns));
}

Test(aside_policy, comes_back_when_bulk_has_been_gone_for_long)
{
    begin(true);
    for (int i = 0; i < 3; i++) {
        cr_expect_not(look(mib / 8, 0), "less of it than would make it leave keeps it away");
        for (int quiet = 1; quiet < RJ_ASIDE_BACK_NS / RJ_ASIDE_LOOK_NS; quiet++)
            cr_expect_not(look(0, 64), "quiet for %d looks", quiet);
    }
    cr_expect(look(0, 64));
    cr_expect_eq(policy.bulk_percent, 0);
}

Test(aside_policy, comes_back_when_most_is_single_datagrams)
{
    begin(true);
    for (int i = 1; i < RJ_ASIDE_BACK_NS / RJ_ASIDE_LOOK_NS; i++)
        cr_expect_not(look(mib, 2 * mib));
    cr_expect(look(mib, 2 * mib));
}

Test(aside_policy, begins_anew_with_other_counts)
{
    begin(false);
    look(mib, 0);
    cr_expect(look(mib, 0));
    bytes = (rj_aside_bytes_t){.bulk = 1};
    rj_aside_policy_begin(&policy, true, &bytes, now_ns);
    cr_expect(policy.is_aside);
    cr_expect_eq(policy.bulk_percent, 100, "what it left for");
    for (int i = 1; i < RJ_ASIDE_BACK_NS / RJ_ASIDE_LOOK_NS; i++)
        cr_expect_not(look(0, 0));
    cr_expect(look(0, 0));
}
