/* SPDX-License-Identifier: Apache-2.0 */
/* The command line's code is not in the library, so the source comes in here. */
#include "cli/options.c"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <sys/wait.h>
#include <unistd.h>

static char state_name[] = "ramjet test";
static const struct argp_state state = {.name = state_name};

typedef struct seen {
    const char *rate;
    int operand_count;
} seen_t;

static error_t parse_sample(int key, char *arg, struct argp_state *argp_state)
{
    seen_t *seen = argp_state->input;
    if (key == 'r')
        seen->rate = arg;
    else if (key == ARGP_KEY_ARG)
        seen->operand_count++;
    else
        return key == 'q' ? 0 : ARGP_ERR_UNKNOWN;
    return 0;
}

/* Splits `line` at its blanks, as a shell would. */
static seen_t parse_line(const char *line)
{
    static const struct argp_option rows[] = {
        {"rate", 'r', "RATE", 0, "How fast", 0}, {"quiet", 'q', NULL, 0, "Say less", 0}, {0}};
    static const struct argp argp = {
        .options = rows, .parser = parse_sample, .doc = "Tests.\vExample:\n  ramjet test"};
    static char words[128];
    char *argv[16] = {NULL};
    int argc = 0;
    seen_t seen = {0};
    snprintf(words, sizeof(words), "%s", line);
    for (char *word = strtok(words, " "); word != NULL && argc < 15; word = strtok(NULL, " "))
        argv[argc++] = word;
    rj_options_parse(&argp, "ramjet test", 0, argc, argv, &seen);
    return seen;
}

Test(options, reach_the_parser_of_the_command_wherever_they_stand)
{
    seen_t seen = parse_line("test a --rate=5 b");
    cr_assert_str_eq(seen.rate, "5");
    cr_assert_eq(seen.operand_count, 2);
}

Test(options, an_unknown_one_is_one_line_and_exit_code_2, .init = cr_redirect_stderr,
     .exit_code = 2)
{
    parse_line("test --speed 5");
}

Test(options, a_missing_value_is_exit_code_2, .init = cr_redirect_stderr, .exit_code = 2)
{
    parse_line("test --rate");
}

Test(options, a_value_too_much_is_exit_code_2, .init = cr_redirect_stderr, .exit_code = 2)
{
    parse_line("test --quiet=yes");
}

Test(options, help_ends_well, .init = cr_redirect_stdout, .exit_code = 0)
{
    parse_line("test --help --speed");
    exit(9);
}

static char message[256];

static void print_mistake_and_check(void)
{
    fflush(stderr);
    cr_assert_stderr_eq_str(message);
}

Test(options, name_the_value_and_say_what_to_do, .init = cr_redirect_stderr, .exit_code = 2)
{
    snprintf(message, sizeof(message),
             "ramjet test: --hosts 0: give a whole number from 1 to 16\n");
    atexit(print_mistake_and_check);
    rj_option_integer(&state, "--hosts", "0", 1, 16);
}

Test(options, read_whole_numbers_within_their_range)
{
    cr_assert_eq(rj_option_integer(&state, "-n", "1", 1, 16), 1);
    cr_assert_eq(rj_option_integer(&state, "-n", "16", 1, 16), 16);
    cr_assert_eq(rj_option_integer(&state, "-n", "9223372036854775807", 0, INT64_MAX), INT64_MAX);
}

Test(options, read_bytes_with_their_suffix)
{
    cr_assert_eq(rj_option_bytes(&state, "-b", "4096", 0, INT64_MAX), 4096);
    cr_assert_eq(rj_option_bytes(&state, "-b", "64K", 0, INT64_MAX), 65536);
    cr_assert_eq(rj_option_bytes(&state, "-b", "1g", 0, INT64_MAX), 1 << 30);
}

Test(options, read_times_with_their_unit)
{
    cr_assert_eq(rj_option_duration_ns(&state, "-t", "7ns", 0, INT64_MAX), 7);
    cr_assert_eq(rj_option_duration_ns(&state, "-t", "200us", 0, INT64_MAX), 200000);
    cr_assert_eq(rj_option_duration_ns(&state, "-t", "2m", 0, INT64_MAX), 120000000000);
}

Test(options, read_percentages_to_the_ten_thousandth)
{
    cr_assert_eq(rj_option_percent_ppm(&state, "-p", "0"), 0);
    cr_assert_eq(rj_option_percent_ppm(&state, "-p", "1"), 10000);
    cr_assert_eq(rj_option_percent_ppm(&state, "-p", "0.0001%"), 1);
    cr_assert_eq(rj_option_percent_ppm(&state, "-p", "12.5%"), 125000);
    cr_assert_eq(rj_option_percent_ppm(&state, "-p", "100.0000"), RJ_PPM);
}

/* A leak checker has nothing to look for in a copy of this process, and says so in a report. */
static void end_at_once(int status, void *unused)
{
    (void)unused;
    _exit(status);
}

/* Runs one reader in a child of its own and returns the child's exit code. */
static int exit_code_of(void (*reader)(const char *text), const char *text)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        fclose(stderr);
        on_exit(end_at_once, NULL);
        reader(text);
        _exit(0);
    }
    int status = 0;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return WEXITSTATUS(status);
}

static void read_integer(const char *text)
{
    rj_option_integer(&state, "-n", text, 0, 100);
}

static void read_bytes(const char *text)
{
    rj_option_bytes(&state, "-b", text, 0, INT64_MAX);
}

static void read_duration(const char *text)
{
    rj_option_duration_ns(&state, "-t", text, 0, INT64_MAX);
}

static void read_percent(const char *text)
{
    rj_option_percent_ppm(&state, "-p", text);
}

Test(options, refuse_what_is_no_number)
{
    static const char *const texts[] = {"",    " 1",  "1 ",  "+1",  "-1",
                                        "0x1", "1e1", "101", "1.0", "99999999999999999999"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        cr_assert_eq(exit_code_of(read_integer, texts[i]), 2, "'%s' was taken", texts[i]);
}

Test(options, refuse_units_they_do_not_know)
{
    static const char *const bytes[] = {"K", "1KB", "1T", "1 K", "9000000000000G"};
    static const char *const times[] = {"5", "ms", "5 ms", "5d", "9000000000000h"};
    for (size_t i = 0; i < 5; i++) {
        cr_assert_eq(exit_code_of(read_bytes, bytes[i]), 2, "'%s' was taken", bytes[i]);
        cr_assert_eq(exit_code_of(read_duration, times[i]), 2, "'%s' was taken", times[i]);
    }
}

Test(options, refuse_what_is_no_percentage)
{
    static const char *const texts[] = {"",   "%",  "-1",      "101", "100.1",
                                        "1.", ".5", "1.00001", "1%%"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        cr_assert_eq(exit_code_of(read_percent, texts[i]), 2, "'%s' was taken", texts[i]);
}
