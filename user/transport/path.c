/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/path.h"

#include <stddef.h>

void rj_path_init(rj_path_t *path, struct rj_endpoint *endpoint, const rj_address_t *address,
                  bool is_connected)
{
    path->endpoint = endpoint;
    path->header = NULL;
    path->address = *address;
    path->sockaddr_bytes = rj_address_to_sockaddr(address, &path->sockaddr);
    if (is_connected)
        path->sockaddr_bytes = 0;
}

void rj_path_redirect(rj_path_t *path, const rj_address_t *address)
{
    path->header = NULL;
    path->address = *address;
    path->sockaddr_bytes = rj_address_to_sockaddr(address, &path->sockaddr);
}
