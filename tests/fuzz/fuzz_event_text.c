/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that clients wrote, printed for people: four bytes of type, then the body. The line is
 * whole and printable whatever lengths the body claims. */
#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "driver/event_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(int32_t type, const uint8_t *body, int32_t length, int32_t full_length)
{
    char small[24];
    char text[4096];
    rj_event_text(text, sizeof(text), type, body, length, full_length);
    assert(strnlen(text, sizeof(text)) < sizeof(text));
    for (const char *at = text; *at != '\0'; at++)
        assert(isprint((unsigned char)*at));
    rj_event_text(small, sizeof(small), type, body, length, full_length);
    assert(strnlen(small, sizeof(small)) < sizeof(small));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int32_t type;
    if (size < sizeof(type) || size > 5000)
        return 0;
    memcpy(&type, data, sizeof(type));
    const int32_t length = (int32_t)(size - sizeof(type));
    check_line(type & 0xfff, data + sizeof(type), length, length);
    check_line(type & 0x1f, data + sizeof(type), length, length + 100);
    check_line(0x0f00 | (type & 0xf), data + sizeof(type), length, length);
    return 0;
}
