/* SPDX-License-Identifier: Apache-2.0 */
/* event_code.h - which events are written to the event log, by the reference's names for them
 * (driver.md 20.6).
 *
 * The log records what clients ask for and what they are told: that is all its commands-in and
 * commands-out events. What only the data path or the driver's inside would tell of has a name here
 * too, so that whoever asks for it by name hears that it is not recorded.
 *
 * Units      a set has a bit for each event id.
 * Ownership  constant data.
 * Thread     any.
 * Errors     none; what is not known is told.
 */
#ifndef RJ_DRIVER_EVENT_CODE_H
#define RJ_DRIVER_EVENT_CODE_H

#include <stdint.h>
#include <stdio.h>

enum { RJ_EVENT_CODES_MAX = 64 };

/* The events of `enable` less those of `disable`: names with commas between, `all`, `admin`, or a
 * mask as 0x3. Names that are unknown, or known and not recorded, are told on `warnings`. */
uint64_t rj_event_codes_parse(const char *enable, const char *disable, FILE *warnings);

/* The event of a command or of a message to clients, by its type; 0: none. */
int rj_event_code_of(int32_t type);

const char *rj_event_code_name(int code);

#endif
