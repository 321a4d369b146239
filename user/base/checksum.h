/* SPDX-License-Identifier: Apache-2.0 */
/* checksum.h - ones' complement sums of bytes (RFC 1071), alone or while they are copied.
 *
 *      unfolded 64-bit sum  --rj_checksum_fold-->  16 bits, as they stand in a header
 *
 * A sum is of 16-bit words as this machine reads them from memory; a folded one is written to
 * memory as it is, whatever the byte order (RFC 1071 2.B). An odd last byte counts as if a zero
 * followed, so only the last part of something may be odd.
 *
 * Units      bytes; addresses need no alignment.
 * Ownership  none.  Thread any.  Errors none.
 */
#ifndef RJ_BASE_CHECKSUM_H
#define RJ_BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* Adds `length` bytes to `sum`. Any number of parts, of 4 GiB together, fits. */
uint64_t rj_checksum_add(const void *bytes, size_t length, uint64_t sum);

/* Copies `length` bytes, which do not overlap, and adds them to `sum`. */
uint64_t rj_checksum_copy(void *destination, const void *source, size_t length, uint64_t sum);

/* Folds to 16 bits; the checksum field is the complement. 0 only for a sum of nothing but zeros. */
static inline uint16_t rj_checksum_fold(uint64_t sum)
{
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

#endif
