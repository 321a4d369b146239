/* SPDX-License-Identifier: Apache-2.0 */
/* event_text.h - a command of a client, or a message to clients, as a line for a person.
 *
 * Units      none.
 * Ownership  writes into the caller's text.
 * Thread     any.
 * Errors     none: a body that is too short for its type is printed as such. Clients write bodies,
 *            so nothing in them is believed, and what cannot be printed becomes a question mark.
 */
#ifndef RJ_DRIVER_EVENT_TEXT_H
#define RJ_DRIVER_EVENT_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* `length` bytes of the body are here, of `full_length` that there were. */
void rj_event_text(char *text, size_t size, int32_t type, const uint8_t *body, int32_t length,
                   int32_t full_length);

#endif
