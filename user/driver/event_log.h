/* SPDX-License-Identifier: Apache-2.0 */
/* event_log.h - what clients asked for and were told, line by line (driver.md 20.6).
 *
 *      conductor ──note──► ring ──do_work──► file or stdout        the helper's thread
 *
 * The conductor never waits for it: a full ring drops, and the log says how many are missing.
 *
 * Units      ns of the conductor's clock, epoch ms, bytes.
 * Ownership  the driver owns it; it owns the file.
 * Thread     note and set_time: the conductor's. do_work: the helper's. open and close: one, while
 *            neither works.
 * Errors     open: negative errno and a text. A file that cannot be written any more loses lines.
 */
#ifndef RJ_DRIVER_EVENT_LOG_H
#define RJ_DRIVER_EVENT_LOG_H

#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "config/config.h"

typedef struct rj_event_log rj_event_log_t;

/* Whether the file can be written, before anything else is touched. What is asked for and not
 * recorded is told on `warnings` (NULL: nowhere). */
int rj_event_log_check(const rj_driver_config_t *config, FILE *warnings, rj_err_t *err);

/* NULL in `ret_log` when the settings ask for no event. */
int rj_event_log_open(rj_event_log_t **ret_log, const rj_driver_config_t *config, int64_t now_ns,
                      int64_t epoch_ms, rj_err_t *err);

/* When what is noted next happens. NULL is allowed. */
void rj_event_log_set_time(rj_event_log_t *log, int64_t now_ns, int64_t epoch_ms);

/* A command or a message to clients; those that nobody asked for are passed over. */
void rj_event_log_note(void *log, int32_t type, const void *body, int32_t length);

/* Writes some lines; returns how many. NULL is allowed. */
int rj_event_log_do_work(rj_event_log_t *log);

/* Writes what is left. NULL is allowed. */
void rj_event_log_close(rj_event_log_t *log);

#endif
