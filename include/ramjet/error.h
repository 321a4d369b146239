/* SPDX-License-Identifier: Apache-2.0 */
/* error.h - an error that reaches a person: a negative errno and one line of text.
 *
 * Units      `code` is a negative errno. `aeron_code` is the code of Aeron's protocol where there
 * is one: what a driver answered (commands.md 10), or one of rj_client_error_t; 0 means none.
 * Ownership  the caller owns the struct; the text lives inside it.
 * Thread     the caller's.
 * Errors     a text longer than RJ_ERR_TEXT_MAX - 1 is cut; a whole channel URI (4,095 bytes) fits.
 */
#ifndef RAMJET_ERROR_H
#define RAMJET_ERROR_H

enum { RJ_ERR_TEXT_MAX = 4608 };

typedef struct rj_err {
    int code;
    int aeron_code;
    char text[RJ_ERR_TEXT_MAX];
} rj_err_t;

#endif
