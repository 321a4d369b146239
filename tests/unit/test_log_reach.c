/* SPDX-License-Identifier: Apache-2.0 */
/* What tmpfs has of a log's file tells what was asked for: nobody else touches its pages. */
#include "shm/log_reach.h"

#include "tests/fixtures/log_fixture.h"

#include <criterion/criterion.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

enum { TERM = 65536, TERM_PAGES_MAX = TERM / 4096 };

static rj_log_fixture_t fixture;
static rj_log_reach_t reach;
static int64_t page;

static void find_page(void)
{
    page = sysconf(_SC_PAGESIZE);
}

static void open_log(bool is_sparse, int64_t start_position)
{
    rj_log_params_t params = rj_log_fixture_params(5);
    params.sparse = is_sparse;
    rj_err_t err;
    strcpy(fixture.directory, "/dev/shm/rj-log-XXXXXX");
    cr_assert_not_null(mkdtemp(fixture.directory));
    snprintf(fixture.path, sizeof(fixture.path), "%s/17.logbuffer", fixture.directory);
    cr_assert_eq(rj_log_create(&fixture.log, fixture.path, &params, &err), 0);
    rj_log_reach_init(&reach, &fixture.log, start_position);
}

static void close_log(void)
{
    rj_log_fixture_close(&fixture);
}

TestSuite(log_reach, .init = find_page, .fini = close_log);

/* How many pages of a term are there, from its first on. */
static int64_t pages_of(int partition)
{
    unsigned char is_there[TERM_PAGES_MAX];
    int64_t count = 0;
    cr_assert_eq(mincore(fixture.log.terms[partition], TERM, is_there), 0);
    while (count < TERM / page && (is_there[count] & 1) != 0)
        count++;
    return count;
}

Test(log_reach, brings_the_pages_up_to_a_position_and_no_more)
{
    open_log(true, 0);
    cr_assert_eq(pages_of(0), 0);
    rj_log_reach_extend(&reach, &fixture.log, page + 1);
    cr_assert_eq(pages_of(0), 2);
    rj_log_reach_extend(&reach, &fixture.log, page);
    cr_assert_eq(reach.position, 2 * page, "it never goes back");
    cr_assert_eq(pages_of(0), 2);
}

Test(log_reach, goes_on_with_the_next_term_in_the_next_call)
{
    open_log(true, 0);
    rj_log_reach_ahead(&reach, &fixture.log, page);
    cr_assert_eq(reach.position, TERM);
    cr_assert_eq(pages_of(0), TERM / page);
    cr_assert_eq(pages_of(1), 0);
    rj_log_reach_ahead(&reach, &fixture.log, page);
    cr_assert_eq(reach.position, TERM + page);
    cr_assert_eq(pages_of(1), 1);
}

Test(log_reach, goes_round_once_from_where_the_stream_began)
{
    const int64_t start = 5 * TERM + page + 32;
    open_log(true, start);
    cr_assert_eq(reach.position, 5 * TERM + page);
    for (int i = 0; i < 8; i++)
        rj_log_reach_extend(&reach, &fixture.log, INT64_C(100) * TERM);
    cr_assert_eq(reach.position, start + 3 * TERM);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(pages_of(i), TERM / page, "term %d", i);
}

Test(log_reach, asks_for_nothing_where_all_was_mapped_at_once)
{
    open_log(false, 0);
    cr_assert_eq(reach.position, reach.end);
    rj_log_reach_ahead(&reach, &fixture.log, 0);
    cr_assert_eq(reach.position, reach.end);
}

/* As an old kernel does: it has not the call, here it has not the pages. */
Test(log_reach, gives_up_where_the_kernel_will_not)
{
    open_log(true, 0);
    rj_log_t log = fixture.log;
    cr_assert_eq(mprotect(log.terms[0], TERM, PROT_NONE), 0);
    rj_log_reach_extend(&reach, &log, page);
    cr_assert_eq(reach.position, reach.end);
}
