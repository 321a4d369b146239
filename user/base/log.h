/* SPDX-License-Identifier: Apache-2.0 */
/* log.h - words to stderr, by level. (The stream of messages is another log: shm/log_buffer.h.)
 *
 * Units      none.
 * Ownership  the level and the form are the one global of the program.
 * Thread     any; a line is written at once. Never called on the data path.
 * Errors     none: who cannot write to stderr cannot complain either.
 */
#ifndef RJ_BASE_LOG_H
#define RJ_BASE_LOG_H

typedef enum rj_logger_level {
    RJ_LOGGER_ERROR,
    RJ_LOGGER_WARN,
    RJ_LOGGER_INFO,
    RJ_LOGGER_DEBUG,
} rj_logger_level_t;

typedef enum rj_logger_form {
    RJ_LOGGER_PLAIN,   /* "WARNING: text", as Aeron's driver prints it */
    RJ_LOGGER_JOURNAL, /* "<4>text", which journald reads as a priority */
} rj_logger_form_t;

/* Lines above `level` are dropped. At start: RJ_LOGGER_INFO, RJ_LOGGER_PLAIN. */
void rj_logger_init(rj_logger_level_t level, rj_logger_form_t form);

void rj_logger_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void rj_logger_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void rj_logger_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void rj_logger_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
