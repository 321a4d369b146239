/* SPDX-License-Identifier: Apache-2.0 */
/* channel_rules.h - which transport channels use whose URIs say nothing of it.
 *
 *      PATTERN=NAME,PATTERN=NAME,...        10.0.0.2:*=socket,*:40123=xdp
 *
 * A pattern is compared with the channel's endpoint as written, or with its control address where
 * it has no endpoint; `*` stands for any characters. The first that fits counts.
 *
 * Units      none.
 * Ownership  texts are the caller's.
 * Thread     any.
 * Errors     -EINVAL and which rule is none.
 */
#ifndef RJ_CONFIG_CHANNEL_RULES_H
#define RJ_CONFIG_CHANNEL_RULES_H

#include "base/err.h"
#include "base/transport.h"

int rj_channel_rules_check(const char *rules, rj_err_t *err);

/* Of rules that were found good; auto where none fits. */
rj_transport_t rj_channel_rules_find(const char *rules, const char *endpoint);

#endif
