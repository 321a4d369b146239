/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 4, 0))) static void set_text(rj_err_t *err, int code, int aeron_code,
                                                           const char *format, va_list args)
{
    err->code = code;
    err->aeron_code = aeron_code;
    vsnprintf(err->text, sizeof(err->text), format, args);
}

int rj_fail(rj_err_t *err, int code, const char *format, ...)
{
    if (err != NULL) {
        va_list args;
        va_start(args, format);
        set_text(err, code, 0, format, args);
        va_end(args);
    }
    return code;
}

int rj_fail_aeron(rj_err_t *err, int code, int aeron_code, const char *format, ...)
{
    if (err != NULL) {
        va_list args;
        va_start(args, format);
        set_text(err, code, aeron_code, format, args);
        va_end(args);
    }
    return code;
}

int rj_err_context(rj_err_t *err, const char *format, ...)
{
    if (err == NULL)
        return 0;
    char text[RJ_ERR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (length >= 0 && (size_t)length < sizeof(text) - 1)
        snprintf(text + length, sizeof(text) - (size_t)length, "%s", err->text);
    memcpy(err->text, text, sizeof(text));
    return err->code;
}
