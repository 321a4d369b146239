/* SPDX-License-Identifier: Apache-2.0 */
/* What a ring may bring: nothing is read beyond the frame, and what is accepted lies within it.
 * Sanitizers watch the reads, for the copy is exactly as long. */
#include "transport/datagram.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *frame = malloc(size);
    assert(frame != NULL || size == 0);
    if (size > 0)
        memcpy(frame, data, size);
    rj_datagram_t datagram;
    if (rj_datagram_parse(frame, (uint32_t)size, 3, RJ_DATAGRAM_SUM_OPEN, &datagram) ==
        RJ_DATAGRAM_GOOD) {
        const size_t at = (size_t)(datagram.payload - frame);
        assert(at >= 42 && at + datagram.payload_bytes <= size);
        assert(datagram.source.family == datagram.destination.family);
        assert(datagram.source.family == AF_INET || datagram.source.family == AF_INET6);
    }
    free(frame);
    return 0;
}
