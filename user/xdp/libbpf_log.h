/* SPDX-License-Identifier: Apache-2.0 */
/* libbpf_log.h - what libbpf and libxdp have to say is for whoever debugs this; the user gets our
 * one line.
 *
 * Units      none.
 * Ownership  the libraries' print functions, of the whole process.
 * Thread     any, before the first call of those libraries.
 * Errors     none.
 */
#ifndef RJ_XDP_LIBBPF_LOG_H
#define RJ_XDP_LIBBPF_LOG_H

/* Sends both libraries' words to rj_logger_debug; once is enough, more does no harm. */
void rj_libbpf_log_init(void);

#endif
