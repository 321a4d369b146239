/* SPDX-License-Identifier: Apache-2.0 */
#include "name/resolver.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>

#include <ramjet/command.h>

/* Asks for one family. Returns 0, or what getaddrinfo says was wrong. */
static int ask(const char *host, int family, rj_address_t *ret)
{
    const struct addrinfo hints = {
        .ai_family = family, .ai_socktype = SOCK_DGRAM, .ai_protocol = IPPROTO_UDP};
    struct addrinfo *answers = NULL;
    /* A name server that is silent must not keep a driver from ending: here, and nowhere else, its
     * thread may be cancelled. What getaddrinfo holds then is lost; the process is about to end. */
    int cancel_state;
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &cancel_state);
    int result = getaddrinfo(host, NULL, &hints, &answers);
    pthread_setcancelstate(cancel_state, NULL);
    if (result != 0)
        return result;
    result = EAI_NONAME;
    for (const struct addrinfo *answer = answers; answer != NULL && result != 0;
         answer = answer->ai_next) {
        if (rj_address_from_sockaddr(ret, answer->ai_addr, answer->ai_addrlen))
            result = 0;
    }
    freeaddrinfo(answers);
    return result;
}

static int resolve(rj_resolver_t *resolver, const char *host, uint16_t family,
                   rj_resolve_reason_t reason, rj_address_t *ret, rj_err_t *err)
{
    (void)resolver;
    (void)reason;
    /* As Aeron: a host with both is reached over IPv4, whatever the system would prefer. */
    rj_address_t address;
    int result = ask(host, family == AF_UNSPEC ? AF_INET : family, &address);
    if (result != 0 && family == AF_UNSPEC)
        result = ask(host, AF_INET6, &address);
    if (result != 0)
        return rj_fail_aeron(err, -EINVAL, RJ_ERROR_UNKNOWN_HOST, "Unable to resolve host=(%s): %s",
                             host, gai_strerror(result));
    *ret = address;
    return 0;
}

static const rj_resolver_ops_t system_ops = {
    .name = "default",
    .resolve = resolve,
};

void rj_resolver_system_init(rj_resolver_t *resolver)
{
    resolver->ops = &system_ops;
}
