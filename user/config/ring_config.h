/* SPDX-License-Identifier: Apache-2.0 */
/* ring_config.h - reads the settings that are ours alone: interfaces, transport, XDP mode, queues,
 * the way of control frames, CPUs of engines, and the instance's name (design.md 5).
 *
 * They are texts in the table of config.c, as given; here they are checked and become numbers. A
 * value of these that cannot be read refuses to start, unlike those of the reference: whoever asks
 * for an interface does not want sockets instead.
 *
 * Units      queue numbers, CPU numbers.
 * Ownership  plain values inside the config.
 * Thread     as config.h.
 * Errors     -EINVAL and a text about the value, without its name: the caller knows which spelling
 *            was used.
 */
#ifndef RJ_CONFIG_RING_CONFIG_H
#define RJ_CONFIG_RING_CONFIG_H

#include "config/config.h"

/* Checks one value of the setting that this environment variable names (RAMJET_QUEUES, ...). Names
 * of others are fine with any value. */
int rj_ring_config_check_value(const char *variable, const char *text, rj_err_t *err);

/* Fills in the numbers from the texts. What cannot be read gets its default, and the first such
 * value is what `err` tells, variable and all. */
int rj_ring_config_read(rj_driver_config_t *config, rj_err_t *err);

#endif
