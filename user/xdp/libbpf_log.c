/* SPDX-License-Identifier: Apache-2.0 */
#include "xdp/libbpf_log.h"

#include "base/log.h"

#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <xdp/libxdp.h>

__attribute__((format(printf, 2, 0))) static void print(const char *library, const char *format,
                                                        va_list args)
{
    char text[512];
    vsnprintf(text, sizeof(text), format, args);
    text[strcspn(text, "\n")] = '\0';
    rj_logger_debug("%s: %s", library, text);
}

__attribute__((format(printf, 2, 0))) static int print_libbpf(enum libbpf_print_level level,
                                                              const char *format, va_list args)
{
    (void)level;
    print("libbpf", format, args);
    return 0;
}

__attribute__((format(printf, 2, 0))) static int print_libxdp(enum libxdp_print_level level,
                                                              const char *format, va_list args)
{
    (void)level;
    print("libxdp", format, args);
    return 0;
}

void rj_libbpf_log_init(void)
{
    libbpf_set_print(print_libbpf);
    libxdp_set_print(print_libxdp);
}
