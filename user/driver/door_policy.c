/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/door_policy.h"

#include <string.h>

rj_link_kind_t rj_link_kind_of(bool is_loopback, const char *kind, const char *driver)
{
    static const char *const of_hypervisors[] = {"virtio_net",   "vmxnet3", "hv_netvsc", "vif",
                                                 "xen_netfront", "ena",     "gve",       "netvsc"};
    if (is_loopback)
        return RJ_LINK_LOOPBACK;
    if (strcmp(kind, "veth") == 0)
        return RJ_LINK_VETH;
    if (kind[0] != '\0')
        return RJ_LINK_VIRTUAL;
    for (size_t i = 0; i < sizeof(of_hypervisors) / sizeof(of_hypervisors[0]); i++)
        if (strcmp(driver, of_hypervisors[i]) == 0)
            return RJ_LINK_HYPERVISOR;
    return RJ_LINK_CARD;
}

const char *rj_link_kind_name(rj_link_kind_t kind)
{
    static const char *const names[] = {
        [RJ_LINK_LOOPBACK] = "loopback",
        [RJ_LINK_VETH] = "veth",
        [RJ_LINK_VIRTUAL] = "virtual",
        [RJ_LINK_CARD] = "card",
        [RJ_LINK_HYPERVISOR] = "hypervisor card",
    };
    return names[kind];
}

/* Links that hand on a run as it is: nobody takes it apart before its receiver. */
static bool carries_runs(rj_link_kind_t link)
{
    return link != RJ_LINK_CARD;
}

rj_door_policy_t rj_door_policy(const rj_door_facts_t *facts)
{
    if (facts->asked != RJ_TRANSPORT_AUTO)
        return (rj_door_policy_t){0, "all by the ring, as asked for"};
    if (facts->is_zero_copy)
        return (rj_door_policy_t){0, "all by the ring, for it copies nothing"};
    if (facts->sockets != RJ_TRANSPORT_GSO)
        return (rj_door_policy_t){0, "all by the ring, for sockets cannot segment here"};
    if (!carries_runs(facts->link) && facts->mode == RJ_XDP_MODE_NATIVE)
        return (rj_door_policy_t){0, "all by the ring, for its driver runs the program"};
    return (rj_door_policy_t){RJ_BULK_DATAGRAMS_MIN,
                              "runs of 4 datagrams and more by gso, all else by the ring"};
}
