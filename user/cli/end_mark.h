/* SPDX-License-Identifier: Apache-2.0 */
/* end_mark.h - how `ramjet pub` tells `ramjet sub` that a file is complete.
 *
 * The mark is an empty message whose reserved value carries a signature and the bytes sent before
 * it. Other subscribers see an empty message; other publishers do not send one by accident.
 *
 *   | 0x524a 16 bits | bytes 48 bits |
 *
 * Units      bytes.  Ownership none.  Thread any.  Errors none.
 */
#ifndef RJ_CLI_END_MARK_H
#define RJ_CLI_END_MARK_H

#include <stdbool.h>
#include <stdint.h>

enum { RJ_END_MARK_SIGNATURE = 0x524a, RJ_END_MARK_SHIFT = 48 };

#define RJ_END_MARK_BYTES_MASK ((INT64_C(1) << RJ_END_MARK_SHIFT) - 1)

static inline int64_t rj_end_mark_make(int64_t byte_count)
{
    return (int64_t)RJ_END_MARK_SIGNATURE << RJ_END_MARK_SHIFT |
           (byte_count & RJ_END_MARK_BYTES_MASK);
}

/* False if `reserved_value` is no mark. */
static inline bool rj_end_mark_parse(int64_t reserved_value, int64_t *ret_byte_count)
{
    if (reserved_value >> RJ_END_MARK_SHIFT != RJ_END_MARK_SIGNATURE)
        return false;
    *ret_byte_count = reserved_value & RJ_END_MARK_BYTES_MASK;
    return true;
}

#endif
