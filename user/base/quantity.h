/* SPDX-License-Identifier: Apache-2.0 */
/* quantity.h - sizes and durations as people write them: 64k, 1m, 250us, 10s.
 *
 * Units      sizes in bytes (suffixes are 1024-based); durations in ns (no suffix means ns).
 * Ownership  none.  Thread any.
 * Errors     -EINVAL for a text that is no quantity, -ERANGE for a size that does not fit an
 * int64_t; a duration saturates at INT64_MAX instead (commands.md 13.2, driver.md 22.2).
 */
#ifndef RJ_BASE_QUANTITY_H
#define RJ_BASE_QUANTITY_H

#include <stddef.h>
#include <stdint.h>

enum { RJ_QUANTITY_TEXT_MAX = 32 };

/* Decimal digits and at most one of k, m, g in either case. The whole text must be consumed. */
int rj_parse_size(const char *text, size_t length, int64_t *ret_bytes);

/* Decimal digits and at most one of ns, us, ms, s in either case. */
int rj_parse_duration(const char *text, size_t length, int64_t *ret_ns);

/* The largest unit that is exact: 2 h is "7200s", 321,000 ns is "321us". `text` holds
 * RJ_QUANTITY_TEXT_MAX bytes. */
void rj_print_duration(char text[static RJ_QUANTITY_TEXT_MAX], int64_t ns);

#endif
