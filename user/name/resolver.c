/* SPDX-License-Identifier: Apache-2.0 */
#include "name/resolver.h"

#include <string.h>

#include <ramjet/command.h>

/* The text to take apart: what look-up put in its place, or the text itself. */
static int look_up(rj_resolver_t *resolver, const char **text, rj_resolve_reason_t reason,
                   char replaced[static RJ_RESOLVER_TEXT_BYTES], rj_err_t *err)
{
    if (resolver->ops->lookup == NULL)
        return 0;
    int result = resolver->ops->lookup(resolver, *text, reason, replaced, err);
    if (result > 0)
        *text = replaced;
    return result;
}

int rj_resolver_resolve_text(rj_resolver_t *resolver, const char *param, const char *text,
                             rj_resolve_reason_t reason, rj_address_t *ret, rj_err_t *err)
{
    char replaced[RJ_RESOLVER_TEXT_BYTES];
    const char *host_port_text = text;
    rj_err_t cause = {0};
    rj_host_port_t host_port;

    int result = look_up(resolver, &host_port_text, reason, replaced, &cause);
    if (result >= 0)
        result = rj_host_port_parse(&host_port, host_port_text, strlen(host_port_text), &cause);
    if (result >= 0 && host_port.is_literal) {
        *ret = host_port.address;
        return 0;
    }
    rj_address_t address;
    if (result >= 0)
        result = resolver->ops->resolve(resolver, host_port.host.name, AF_UNSPEC, reason, &address,
                                        &cause);
    if (result < 0) {
        const bool is_unknown = cause.aeron_code == RJ_ERROR_UNKNOWN_HOST;
        return rj_fail_aeron(err, result, cause.aeron_code, "%s%s=%s: %s",
                             is_unknown ? "Unresolved - " : "", param, text, cause.text);
    }
    *ret = address;
    ret->port = host_port.port;
    return 0;
}
