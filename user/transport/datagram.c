/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/datagram.h"

#include <linux/if_ether.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#include "base/checksum.h"

enum {
    ETHERNET_BYTES = 14,
    TAG_BYTES = 4,
    IPV4_BYTES_MIN = 20,
    IPV6_BYTES = 40,
    UDP_BYTES = 8,
    IPV4_FRAGMENT_MASK = 0x3fff, /* more fragments, offset */
};

static uint32_t get16(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 8 | bytes[1];
}

static uint16_t raw16(const uint8_t *bytes)
{
    uint16_t memory_order;
    memcpy(&memory_order, bytes, sizeof(memory_order));
    return memory_order;
}

/* What lies between the Ethernet header and the UDP header. */
typedef struct ip_view {
    const uint8_t *source; /* the destination follows */
    uint32_t address_bytes;
    uint32_t header_bytes;
    uint32_t total_bytes; /* with its header */
} ip_view_t;

static bool parse_ipv4(const uint8_t *ip, uint32_t length, ip_view_t *ret_view)
{
    if (length < IPV4_BYTES_MIN || ip[0] >> 4 != 4)
        return false;
    const uint32_t header_bytes = (ip[0] & 0xfU) * 4;
    const uint32_t total_bytes = get16(ip + 2);
    *ret_view = (ip_view_t){.source = ip + 12,
                            .address_bytes = 4,
                            .header_bytes = header_bytes,
                            .total_bytes = total_bytes};
    return header_bytes >= IPV4_BYTES_MIN && total_bytes >= header_bytes && total_bytes <= length &&
           ip[9] == IPPROTO_UDP && (get16(ip + 6) & IPV4_FRAGMENT_MASK) == 0 &&
           rj_checksum_fold(rj_checksum_add(ip, header_bytes, 0)) == 0xffff;
}

static bool parse_ipv6(const uint8_t *ip, uint32_t length, ip_view_t *ret_view)
{
    if (length < IPV6_BYTES || ip[0] >> 4 != 6)
        return false;
    *ret_view = (ip_view_t){.source = ip + 8,
                            .address_bytes = 16,
                            .header_bytes = IPV6_BYTES,
                            .total_bytes = IPV6_BYTES + get16(ip + 4)};
    return ret_view->total_bytes <= length && ip[6] == IPPROTO_UDP;
}

static bool is_checksum_good(const ip_view_t *view, const uint8_t *udp, uint32_t udp_bytes)
{
    const uint16_t field = raw16(udp + 6);
    if (field == 0)
        return view->address_bytes == 4;
    uint64_t pseudo = rj_checksum_add(view->source, 2 * (size_t)view->address_bytes, 0);
    pseudo += htons(IPPROTO_UDP) + (uint64_t)raw16(udp + 4);
    if (field == rj_checksum_fold(pseudo))
        return true;
    return rj_checksum_fold(rj_checksum_add(udp, udp_bytes, pseudo)) == 0xffff;
}

/* What the kernel drops as martian: nobody sends from a group, from this host's loopback or from
 * nowhere, and an answer to there would reach whom it must not. */
static bool is_martian(const ip_view_t *view)
{
    static const uint8_t loopback[16] = {[15] = 1};
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    static const uint8_t nowhere[16] = {0};
    const uint8_t *source = view->source;
    if (view->address_bytes == 4)
        return source[0] == 0 || source[0] == 127 || source[0] >= 224;
    return source[0] == 0xff || memcmp(source, loopback, sizeof(loopback)) == 0 ||
           memcmp(source, mapped, sizeof(mapped)) == 0 ||
           memcmp(source, nowhere, sizeof(nowhere)) == 0;
}

static rj_address_t address_of(const uint8_t *bytes, const ip_view_t *view, uint32_t port,
                               uint32_t interface_index)
{
    if (view->address_bytes == 4)
        return rj_address_ipv4(bytes, (uint16_t)port);
    rj_address_t address = rj_address_ipv6(bytes, (uint16_t)port, 0);
    if (rj_address_is_link_local(&address))
        address.scope_id = interface_index;
    return address;
}

rj_datagram_verdict_t rj_datagram_parse(uint8_t *frame, uint32_t frame_bytes,
                                        uint32_t interface_index, rj_datagram_sum_t sum,
                                        rj_datagram_t *ret_datagram)
{
    uint32_t at = ETHERNET_BYTES;
    if (frame_bytes < ETHERNET_BYTES + TAG_BYTES)
        return RJ_DATAGRAM_MALFORMED;
    uint32_t protocol = get16(frame + at - 2);
    if (protocol == ETH_P_8021Q || protocol == ETH_P_8021AD) {
        at += TAG_BYTES;
        protocol = get16(frame + at - 2);
    }
    ip_view_t view = {0};
    const bool is_ip = (protocol == ETH_P_IP && parse_ipv4(frame + at, frame_bytes - at, &view)) ||
                       (protocol == ETH_P_IPV6 && parse_ipv6(frame + at, frame_bytes - at, &view));
    if (!is_ip || view.total_bytes < view.header_bytes + UDP_BYTES || is_martian(&view))
        return RJ_DATAGRAM_MALFORMED;
    uint8_t *udp = frame + at + view.header_bytes;
    const uint32_t udp_bytes = get16(udp + 4);
    if (udp_bytes < UDP_BYTES || udp_bytes > view.total_bytes - view.header_bytes)
        return RJ_DATAGRAM_MALFORMED;
    if (sum == RJ_DATAGRAM_SUM_OPEN && !is_checksum_good(&view, udp, udp_bytes))
        return RJ_DATAGRAM_CHECKSUM;
    ret_datagram->payload = udp + UDP_BYTES;
    ret_datagram->payload_bytes = udp_bytes - UDP_BYTES;
    ret_datagram->source = address_of(view.source, &view, get16(udp), interface_index);
    ret_datagram->destination =
        address_of(view.source + view.address_bytes, &view, get16(udp + 2), interface_index);
    return RJ_DATAGRAM_GOOD;
}
