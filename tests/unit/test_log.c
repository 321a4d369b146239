/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

static int pipe_ends[2];
static int saved_stderr;

static void catch_stderr(void)
{
    cr_assert_eq(pipe(pipe_ends), 0);
    saved_stderr = dup(STDERR_FILENO);
    dup2(pipe_ends[1], STDERR_FILENO);
    close(pipe_ends[1]);
}

static const char *caught(void)
{
    static char text[8192];
    dup2(saved_stderr, STDERR_FILENO);
    ssize_t length = 0, got;
    while ((got = read(pipe_ends[0], text + length, sizeof(text) - 1 - (size_t)length)) > 0)
        length += got;
    text[length] = '\0';
    return text;
}

Test(log, prints_up_to_the_level)
{
    catch_stderr();
    rj_logger_init(RJ_LOGGER_WARN, RJ_LOGGER_PLAIN);
    rj_logger_error("disk %d", 1);
    rj_logger_warn("slow");
    rj_logger_info("hidden");
    rj_logger_debug("hidden");
    cr_assert_str_eq(caught(), "ERROR: disk 1\nWARNING: slow\n");
}

Test(log, gives_the_journal_its_priorities)
{
    catch_stderr();
    rj_logger_init(RJ_LOGGER_DEBUG, RJ_LOGGER_JOURNAL);
    rj_logger_error("a");
    rj_logger_warn("b");
    rj_logger_info("c");
    rj_logger_debug("d");
    cr_assert_str_eq(caught(), "<3>a\n<4>b\n<6>c\n<7>d\n");
}

Test(log, cuts_a_long_line_and_still_ends_it)
{
    char big[4000];
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    catch_stderr();
    rj_logger_error("%s", big);
    const char *text = caught();
    cr_assert_eq(strlen(text), 2048);
    cr_assert_eq(text[2047], '\n');
}
