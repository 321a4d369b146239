/* SPDX-License-Identifier: Apache-2.0 */
#include "name/interfaces.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>

static uint32_t flags_of(unsigned int kernel_flags)
{
    uint32_t flags = 0;
    flags |= kernel_flags & IFF_UP ? RJ_INTERFACE_UP : 0;
    flags |= kernel_flags & IFF_LOOPBACK ? RJ_INTERFACE_LOOPBACK : 0;
    flags |= kernel_flags & IFF_MULTICAST ? RJ_INTERFACE_MULTICAST : 0;
    return flags;
}

/* Counts the set bits of a netmask; an address without one has the longest. */
static uint8_t prefix_of(const struct sockaddr *netmask, uint16_t family)
{
    rj_address_t mask;
    const socklen_t length =
        family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    if (netmask == NULL || !rj_address_from_sockaddr(&mask, netmask, length))
        return family == AF_INET ? 32 : 128;
    int bits = 0;
    for (size_t i = 0; i < sizeof(mask.bytes); i++)
        bits += __builtin_popcount(mask.bytes[i]);
    return (uint8_t)bits;
}

/* False for an entry that is no IPv4 or IPv6 address. */
static bool read_entry(rj_interface_t *ret, const struct ifaddrs *entry)
{
    if (entry->ifa_addr == NULL)
        return false;
    const socklen_t length = entry->ifa_addr->sa_family == AF_INET ? sizeof(struct sockaddr_in)
                                                                   : sizeof(struct sockaddr_in6);
    rj_interface_t interface = {.flags = flags_of(entry->ifa_flags)};
    if (!rj_address_from_sockaddr(&interface.address, entry->ifa_addr, length))
        return false;

    /* A label like `eth0:1` names an address of eth0. */
    const size_t name_length = strcspn(entry->ifa_name, ":");
    if (name_length == 0 || name_length > RJ_INTERFACE_NAME_MAX)
        return false;
    memcpy(interface.name, entry->ifa_name, name_length);
    interface.index = if_nametoindex(interface.name);
    interface.prefix_bits = prefix_of(entry->ifa_netmask, interface.address.family);
    *ret = interface;
    return interface.index != 0;
}

int rj_interfaces_read(rj_interface_t *ret, size_t count_max, rj_err_t *err)
{
    struct ifaddrs *entries = NULL;
    if (getifaddrs(&entries) < 0) {
        const int code = errno;
        return rj_fail(err, -code, "getifaddrs: %s", strerror(code));
    }
    size_t count = 0;
    for (const struct ifaddrs *entry = entries; entry != NULL && count < count_max;
         entry = entry->ifa_next) {
        if (read_entry(&ret[count], entry))
            count++;
    }
    freeifaddrs(entries);
    return (int)count;
}
