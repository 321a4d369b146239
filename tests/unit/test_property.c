/* SPDX-License-Identifier: Apache-2.0 */
#include "config/property.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int define_text(const char *text, rj_err_t *err)
{
    return rj_property_define_all(text, strlen(text), err);
}

static void expect_variable(const char *name, const char *value)
{
    const char *found = getenv(name);
    cr_assert_not_null(found, "%s", name);
    cr_expect_str_eq(found, value, "%s is '%s'", name, found);
}

Test(property, defines_a_property_as_its_variable)
{
    rj_err_t err;
    cr_assert_eq(rj_property_define("aeron.mtu.length=2048", &err), 0);
    expect_variable("AERON_MTU_LENGTH", "2048");
    cr_assert_eq(rj_property_define(" aeron.mtu.length :  8k ", &err), 0);
    expect_variable("AERON_MTU_LENGTH", "8k ");
    cr_assert_eq(rj_property_define("aeron.mtu.length=", &err), 0);
    cr_expect_null(getenv("AERON_MTU_LENGTH"));
}

Test(property, refuses_a_definition_without_name_or_separator)
{
    rj_err_t err;
    cr_expect_eq(rj_property_define("nonsense", &err), -EINVAL);
    cr_expect_str_eq(err.text, "malformed define: nonsense: write it as name=value");
    cr_expect_eq(rj_property_define("=x", &err), -EINVAL);
    cr_expect_eq(rj_property_define("  :x", &err), -EINVAL);
    cr_expect_eq(rj_property_define("", &err), -EINVAL);
    char name[400];
    memset(name, 'x', sizeof(name));
    memcpy(name + sizeof(name) - 3, "=1", 3);
    cr_expect_eq(rj_property_define(name, &err), -EINVAL);
}

Test(property, defines_ours_by_every_spelling_and_refuses_what_is_none)
{
    static const char *const spellings[] = {"ramjet.xdp.mode=native", "ramjet.xdp-mode=native",
                                            "RAMJET_XDP_MODE=native"};
    rj_err_t err;
    for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
        unsetenv("RAMJET_XDP_MODE");
        cr_assert_eq(rj_property_define(spellings[i], &err), 0, "%s", spellings[i]);
        expect_variable("RAMJET_XDP_MODE", "native");
    }
    cr_expect_eq(rj_property_define("ramjet.mode=native", &err), -EINVAL);
    cr_expect_str_eq(err.text, "ramjet.mode: no such setting: see `ramjet driver --settings`");
    cr_expect_eq(rj_property_define("RAMJET_MODE=native", &err), -EINVAL);
    cr_expect_eq(rj_property_define("aeron.some-thing=1", &err), 0);
    cr_expect_eq(rj_property_define("ramjets.mode=1", &err), 0);
}

Test(property, reads_a_file_with_comments_blanks_and_continued_lines)
{
    rj_err_t err;
    const char *text = "# a comment = 1\n"
                       "  ! another\\\n"
                       "\n"
                       "  test.first   =   one two  \n"
                       "test.second:a=b:c\r\n"
                       "test.third = x\\\n"
                       "    y\\\r\n"
                       "\tz\n"
                       "test.first.again=\n"
                       "TEST_FOURTH=4\n"
                       "   \n";
    setenv("TEST_FIRST_AGAIN", "gone", 1);
    cr_assert_eq(define_text(text, &err), 0, "%s", err.text);
    expect_variable("TEST_FIRST", "one two  ");
    expect_variable("TEST_SECOND", "a=b:c");
    expect_variable("TEST_THIRD", "xyz");
    expect_variable("TEST_FOURTH", "4");
    cr_expect_null(getenv("TEST_FIRST_AGAIN"));
}

Test(property, reads_an_empty_text_as_nothing)
{
    rj_err_t err;
    cr_expect_eq(define_text("", &err), 0);
    cr_expect_eq(define_text("\n\n", &err), 0);
}

Test(property, refuses_a_file_with_the_number_of_the_line)
{
    static const struct {
        const char *text;
        const char *said;
    } rows[] = {
        {"a=1\n\nmalformed\n", "line 3: malformed: write it as name=value"},
        {"a=1\nb=2", "line 2: no newline at its end"},
        {"a=1\nb=\\\n", "line 2: continued, but there is no other"},
        {"a=1\nb=\\\nc", "line 3: no newline at its end"},
        {"=1\n", "line 1: malformed: write it as name=value"},
        {"ramjet.queue=1\n", "line 1: ramjet.queue: no such setting: see `ramjet driver "
                             "--settings`"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rj_err_t err;
        cr_expect_eq(define_text(rows[i].text, &err), -EINVAL, "row %zu", i);
        cr_expect_str_eq(err.text, rows[i].said, "row %zu: %s", i, err.text);
    }
    rj_err_t err;
    cr_expect_eq(rj_property_define_all("a=\0\n", 4, &err), -EINVAL);
}

/* Less than 2048 bytes, newline and continuations included. */
Test(property, takes_lines_up_to_their_limit)
{
    char text[RJ_PROPERTY_LINE_MAX + 8];
    rj_err_t err;
    memset(text, 'x', sizeof(text));
    memcpy(text, "test.long=", 10);
    text[RJ_PROPERTY_LINE_MAX - 2] = '\n';
    cr_expect_eq(rj_property_define_all(text, RJ_PROPERTY_LINE_MAX - 1, &err), 0, "%s", err.text);
    text[RJ_PROPERTY_LINE_MAX - 2] = 'x';
    text[RJ_PROPERTY_LINE_MAX - 1] = '\n';
    cr_expect_eq(rj_property_define_all(text, RJ_PROPERTY_LINE_MAX, &err), -EINVAL);
    cr_expect_not_null(strstr(err.text, "line 1: too long"));
    text[100] = '\\';
    text[101] = '\n';
    cr_expect_eq(rj_property_define_all(text, RJ_PROPERTY_LINE_MAX, &err), 0, "%s", err.text);
}

Test(property, warns_once_of_each_variable_of_ours_that_is_none)
{
    char first[] = "RAMJET_QUEUE=0-3";
    char second[] = "RAMJET_QUEUES=0-3";
    char third[] = "AERON_NONSENSE=1";
    char fourth[] = "RAMJETS=1";
    char *const environment[] = {first, second, third, fourth, NULL};
    char *words = NULL;
    size_t length;
    FILE *warnings = open_memstream(&words, &length);
    rj_property_warn_unknown(environment, warnings);
    fclose(warnings);
    cr_expect_str_eq(words, "WARNING: RAMJET_QUEUE: no such setting, ignoring it: see `ramjet "
                            "driver --settings`\n");
    free(words);
}
