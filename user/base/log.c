/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

enum { LINE_BYTES_MAX = 2048 };

static _Atomic int logger_level = RJ_LOGGER_INFO;
static _Atomic int logger_form = RJ_LOGGER_PLAIN;

void rj_logger_init(rj_logger_level_t level, rj_logger_form_t form)
{
    atomic_store_explicit(&logger_level, level, memory_order_relaxed);
    atomic_store_explicit(&logger_form, form, memory_order_relaxed);
}

static const char *prefix_of(rj_logger_level_t level)
{
    static const char *const prefixes[2][4] = {
        [RJ_LOGGER_PLAIN] = {"ERROR: ", "WARNING: ", "INFO: ", "DEBUG: "},
        [RJ_LOGGER_JOURNAL] = {"<3>", "<4>", "<6>", "<7>"},
    };
    return prefixes[atomic_load_explicit(&logger_form, memory_order_relaxed)][level];
}

/* One write a line, so that lines of two threads do not mix. */
__attribute__((format(printf, 2, 0))) static void print(rj_logger_level_t level, const char *format,
                                                        va_list args)
{
    if ((int)level > atomic_load_explicit(&logger_level, memory_order_relaxed))
        return;
    char line[LINE_BYTES_MAX];
    int length = snprintf(line, sizeof(line), "%s", prefix_of(level));
    int text = vsnprintf(line + length, sizeof(line) - (size_t)length, format, args);
    if (text < 0)
        return;
    length += text;
    if (length > LINE_BYTES_MAX - 1)
        length = LINE_BYTES_MAX - 1;
    line[length++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, (size_t)length);
    (void)written;
}

void rj_logger_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print(RJ_LOGGER_ERROR, format, args);
    va_end(args);
}

void rj_logger_warn(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print(RJ_LOGGER_WARN, format, args);
    va_end(args);
}

void rj_logger_info(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print(RJ_LOGGER_INFO, format, args);
    va_end(args);
}

void rj_logger_debug(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print(RJ_LOGGER_DEBUG, format, args);
    va_end(args);
}
