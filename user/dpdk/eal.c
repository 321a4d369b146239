/* SPDX-License-Identifier: Apache-2.0 */
#include "dpdk/eal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

enum { WORDS_MAX = 64, WORD_BYTES = 2048, LINE_BYTES = 256, SIGNALS = 65 };

typedef struct words {
    char *argv[WORDS_MAX];
    int argc;
    char text[WORD_BYTES];
    size_t used;
} words_t;

static bool was_opened;
static bool is_open;

/* --- what DPDK says --- */

static char last_line[LINE_BYTES]; /* while it starts: the last that spoke of an error */

/* One line, or several. DPDK writes whole ones. */
static ssize_t hear(void *cookie, const char *text, size_t length)
{
    (void)cookie;
    for (size_t at = 0; at < length;) {
        const char *end = memchr(text + at, '\n', length - at);
        const size_t bytes = end != NULL ? (size_t)(end - text) - at : length - at;
        const int shown = bytes < LINE_BYTES ? (int)bytes : LINE_BYTES - 1;
        if (shown > 0)
            rj_logger_debug("dpdk: %.*s", shown, text + at);
        if (!is_open && shown > 0 && rte_log_cur_msg_loglevel() <= (int)RTE_LOG_ERR)
            snprintf(last_line, sizeof(last_line), "%.*s", shown, text + at);
        at += bytes + 1;
    }
    return (ssize_t)length;
}

static void listen_to_it(void)
{
    static const cookie_io_functions_t calls = {.write = hear};
    FILE *stream = fopencookie(NULL, "w", calls);
    if (stream == NULL)
        return;
    setvbuf(stream, NULL, _IOLBF, LINE_BYTES);
    rte_openlog_stream(stream);
}

/* --- its arguments --- */

static int add_word(words_t *words, const char *word, size_t length, rj_err_t *err)
{
    if (words->argc + 1 >= WORDS_MAX || words->used + length + 1 > sizeof(words->text))
        return rj_fail(err, -E2BIG, "more than %d words or %d bytes", WORDS_MAX, WORD_BYTES);
    char *at = words->text + words->used;
    memcpy(at, word, length);
    at[length] = '\0';
    words->used += length + 1;
    words->argv[words->argc++] = at;
    words->argv[words->argc] = NULL;
    return 0;
}

static int add_text(words_t *words, const char *word, rj_err_t *err)
{
    return add_word(words, word, strlen(word), err);
}

/* Whether one of the words is the option, alone or as the beginning of "--option=value". */
static bool has(const words_t *words, const char *option)
{
    const size_t length = strlen(option);
    for (int i = 1; i < words->argc; i++) {
        const char *word = words->argv[i];
        if (strncmp(word, option, length) == 0 && (word[length] == '\0' || word[length] == '='))
            return true;
    }
    return false;
}

/* "-l2" as well as "-l 2". */
static bool has_letter(const words_t *words, const char *option)
{
    for (int i = 1; i < words->argc; i++)
        if (strncmp(words->argv[i], option, strlen(option)) == 0)
            return true;
    return false;
}

static int split(words_t *words, const char *text, rj_err_t *err)
{
    static const char blanks[] = " \t\n";
    int result = add_text(words, "ramjet", err);
    while (result == 0 && text[strspn(text, blanks)] != '\0') {
        text += strspn(text, blanks);
        result = add_word(words, text, strcspn(text, blanks), err);
        text += strcspn(text, blanks);
    }
    /* They end the process. */
    if (result == 0 && (has(words, "-h") || has(words, "--help")))
        return rj_fail(err, -EINVAL, "-h and --help are for DPDK's own programs");
    return result;
}

/* One lcore, on all the CPUs that the thread has: DPDK's threads for interrupts go there too. */
static int add_lcores(words_t *words, const cpu_set_t *cpus, rj_err_t *err)
{
    char text[1024] = "--lcores=0@(";
    size_t used = strlen(text);
    for (int cpu = 0; cpu < CPU_SETSIZE && used < sizeof(text) - 8; cpu++)
        if (CPU_ISSET(cpu, cpus))
            used += (size_t)snprintf(text + used, sizeof(text) - used, "%d,", cpu);
    text[used - 1] = ')';
    return add_text(words, text, err);
}

/* What its programs leave behind for others to find is of no use here: files in the file system of
 * huge pages, a socket for telemetry. */
static int add_defaults(words_t *words, const cpu_set_t *cpus, rj_err_t *err)
{
    int result = 0;
    if (!has(words, "--telemetry") && !has(words, "--no-telemetry"))
        result = add_text(words, "--no-telemetry", err);
    if (result == 0 && !has(words, "--in-memory") && !has(words, "--no-shconf"))
        result = add_text(words, has(words, "--no-huge") ? "--no-shconf" : "--in-memory", err);
    if (result == 0 && !has(words, "--file-prefix"))
        result = add_text(words, "--file-prefix=ramjet", err);
    if (result == 0 && !has(words, "--lcores") && !has_letter(words, "-l") &&
        !has_letter(words, "-c"))
        result = add_lcores(words, cpus, err);
    return result;
}

/* --- what it changes --- */

typedef struct kept {
    cpu_set_t cpus;
    struct sigaction actions[SIGNALS];
    int output; /* -1: could not be kept */
} kept_t;

/* Its complaints about arguments come with a page of help on stdout. */
static void keep(kept_t *kept)
{
    fflush(stdout);
    CPU_ZERO(&kept->cpus);
    pthread_getaffinity_np(pthread_self(), sizeof(kept->cpus), &kept->cpus);
    for (int i = 1; i < SIGNALS; i++)
        sigaction(i, NULL, &kept->actions[i]);
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    kept->output = nowhere < 0 ? -1 : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    if (kept->output >= 0)
        dup2(nowhere, STDOUT_FILENO);
    if (nowhere >= 0)
        close(nowhere);
}

static void restore(const kept_t *kept)
{
    fflush(stdout);
    if (kept->output >= 0) {
        dup2(kept->output, STDOUT_FILENO);
        close(kept->output);
    }
    /* KILL, STOP and the C library's own refuse, and have not changed. */
    for (int i = 1; i < SIGNALS; i++)
        (void)sigaction(i, &kept->actions[i], NULL);
    pthread_setaffinity_np(pthread_self(), sizeof(kept->cpus), &kept->cpus);
}

/* --- open, close --- */

/* With nothing to share the folder stays empty, and would outlive us. */
static void remove_folder(void)
{
    const char *folder = rte_eal_get_runtime_dir();
    if (folder != NULL && folder[0] != '\0')
        (void)rmdir(folder);
}

int rj_eal_open(const char *arguments, rj_err_t *err)
{
    static words_t words; /* DPDK keeps pointers to them */
    static kept_t kept;
    if (was_opened)
        return rj_fail(err, -EALREADY, "DPDK starts once in the life of a process");
    keep(&kept);
    words = (words_t){0};
    int result = split(&words, arguments, err);
    if (result == 0)
        result = add_defaults(&words, &kept.cpus, err);
    if (result == 0) {
        was_opened = true;
        listen_to_it();
        if (rte_eal_init(words.argc, words.argv) < 0)
            result = rj_fail(err, rte_errno > 0 ? -rte_errno : -EIO, "%s",
                             last_line[0] != '\0' ? last_line : rte_strerror(rte_errno));
        is_open = result == 0;
    }
    restore(&kept);
    if (is_open)
        remove_folder();
    return result;
}

void rj_eal_close(void)
{
    if (!is_open)
        return;
    is_open = false;
    (void)rte_eal_cleanup();
    remove_folder();
}

void rj_eal_enter(void)
{
    if (rte_lcore_id() == LCORE_ID_ANY && rte_thread_register() < 0)
        rj_logger_debug("dpdk: no place for one more thread: %s", rte_strerror(rte_errno));
}
