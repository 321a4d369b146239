/* SPDX-License-Identifier: Apache-2.0 */
#include "conductor/port_manager.h"

#include <errno.h>
#include <stdlib.h>

int rj_port_manager_open(rj_port_manager_t *manager, const rj_port_range_t *range, rj_err_t *err)
{
    *manager = (rj_port_manager_t){.range = *range, .next = range->low};
    if (!rj_port_manager_has_range(manager))
        return 0;
    manager->uses = calloc((size_t)(range->high - range->low) + 1, sizeof(manager->uses[0]));
    return manager->uses == NULL ? rj_fail(err, -ENOMEM, "out of memory for a range of ports") : 0;
}

void rj_port_manager_close(rj_port_manager_t *manager)
{
    free(manager->uses);
    *manager = (rj_port_manager_t){.uses = NULL};
}

static uint16_t *uses_of(rj_port_manager_t *manager, uint16_t port)
{
    const bool is_inside = port >= manager->range.low && port <= manager->range.high;
    return manager->uses != NULL && is_inside ? &manager->uses[port - manager->range.low] : NULL;
}

int rj_port_manager_take(rj_port_manager_t *manager, uint16_t *ret_port, rj_err_t *err)
{
    const rj_port_range_t range = manager->range;
    for (int i = 0; i <= range.high - range.low; i++) {
        const uint16_t port = manager->next;
        manager->next = port == range.high ? range.low : (uint16_t)(port + 1);
        uint16_t *uses = uses_of(manager, port);
        if (port == 0 || uses == NULL || *uses > 0)
            continue;
        *uses = 1;
        *ret_port = port;
        return 0;
    }
    return rj_fail(err, -EADDRINUSE, "no available ports in range %u %u", (unsigned)range.low,
                   (unsigned)range.high);
}

/* Several sockets may have one port: on different addresses, or as members of groups. */
void rj_port_manager_hold(rj_port_manager_t *manager, uint16_t port)
{
    uint16_t *uses = uses_of(manager, port);
    if (uses != NULL)
        (*uses)++;
}

void rj_port_manager_release(rj_port_manager_t *manager, uint16_t port)
{
    uint16_t *uses = uses_of(manager, port);
    if (uses != NULL && *uses > 0)
        (*uses)--;
}
