/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/path_header.h"

#include <arpa/inet.h>
#include <assert.h>
#include <linux/if_ether.h>
#include <netinet/in.h>

#include "base/checksum.h"

enum {
    ETHERNET_BYTES = 14,
    IPV4_BYTES = 20,
    IPV6_BYTES = 40,
    UDP_BYTES = 8,

    IPV4_TOTAL_AT = ETHERNET_BYTES + 2,
    IPV4_IDENTIFICATION_AT = ETHERNET_BYTES + 4,
    IPV4_CHECKSUM_AT = ETHERNET_BYTES + 10,
    IPV4_SOURCE_AT = ETHERNET_BYTES + 12,
    IPV6_PAYLOAD_AT = ETHERNET_BYTES + 4,
    IPV6_SOURCE_AT = ETHERNET_BYTES + 8,

    IPV4_DO_NOT_FRAGMENT = 0x40, /* of byte 6 */
};

_Static_assert(RJ_PATH_HEADER_IPV4_BYTES == ETHERNET_BYTES + IPV4_BYTES + UDP_BYTES, "IPv4");
_Static_assert(RJ_PATH_HEADER_IPV6_BYTES == ETHERNET_BYTES + IPV6_BYTES + UDP_BYTES, "IPv6");
_Static_assert(RJ_PATH_HEADER_IPV6_BYTES <= RJ_PATH_HEADER_BYTES_MAX, "the longest fits");

static void put16(uint8_t *bytes, uint32_t host_order)
{
    bytes[0] = (uint8_t)(host_order >> 8);
    bytes[1] = (uint8_t)host_order;
}

static void put_raw16(uint8_t *bytes, uint16_t memory_order)
{
    memcpy(bytes, &memory_order, sizeof(memory_order));
}

static void put_ethernet(uint8_t *bytes, const rj_path_header_hop_t *hop, uint16_t protocol)
{
    memcpy(bytes, hop->destination_mac, ETH_ALEN);
    memcpy(bytes + ETH_ALEN, hop->source_mac, ETH_ALEN);
    put16(bytes + 2 * ETH_ALEN, protocol);
}

static void put_ipv4(uint8_t *ip, const rj_path_header_hop_t *hop, const rj_address_t *source,
                     const rj_address_t *destination)
{
    ip[0] = 0x45; /* version, five words */
    ip[1] = hop->traffic_class;
    ip[6] = IPV4_DO_NOT_FRAGMENT;
    ip[8] = hop->ttl;
    ip[9] = IPPROTO_UDP;
    memcpy(ip + 12, source->bytes, 4);
    memcpy(ip + 16, destination->bytes, 4);
}

static void put_ipv6(uint8_t *ip, const rj_path_header_hop_t *hop, const rj_address_t *source,
                     const rj_address_t *destination)
{
    ip[0] = (uint8_t)(0x60 | hop->traffic_class >> 4);
    ip[1] = (uint8_t)(hop->traffic_class << 4);
    ip[6] = IPPROTO_UDP;
    ip[7] = hop->ttl;
    memcpy(ip + 8, source->bytes, 16);
    memcpy(ip + 24, destination->bytes, 16);
}

void rj_path_header_init(rj_path_header_t *header, const rj_path_header_hop_t *hop,
                         const rj_address_t *source, const rj_address_t *destination)
{
    const bool is_ipv4 = destination->family == AF_INET;
    const uint32_t ip_bytes = is_ipv4 ? IPV4_BYTES : IPV6_BYTES;
    assert(source->family == destination->family);
    *header = (rj_path_header_t){.interface_index = hop->interface_index};
    if (hop->mtu_bytes > ip_bytes + UDP_BYTES)
        header->payload_bytes_max = hop->mtu_bytes - ip_bytes - UDP_BYTES;
    /* A length field has 16 bits. */
    if (header->payload_bytes_max > UINT16_MAX - ip_bytes - UDP_BYTES)
        header->payload_bytes_max = UINT16_MAX - ip_bytes - UDP_BYTES;
    header->length_bytes = (uint16_t)(ETHERNET_BYTES + ip_bytes + UDP_BYTES);

    uint8_t *ip = header->bytes + ETHERNET_BYTES;
    uint8_t *udp = ip + ip_bytes;
    put_ethernet(header->bytes, hop, is_ipv4 ? ETH_P_IP : ETH_P_IPV6);
    if (is_ipv4)
        put_ipv4(ip, hop, source, destination);
    else
        put_ipv6(ip, hop, source, destination);
    put16(udp, source->port);
    put16(udp + 2, destination->port);

    const uint32_t addresses_at = is_ipv4 ? IPV4_SOURCE_AT : IPV6_SOURCE_AT;
    const size_t addresses_bytes = is_ipv4 ? 8 : 32;
    uint64_t sum = rj_checksum_add(header->bytes + addresses_at, addresses_bytes, 0);
    sum = rj_checksum_add(udp, 4, sum) + htons(IPPROTO_UDP);
    header->udp_sum = rj_checksum_fold(sum);
    if (is_ipv4)
        header->ip_sum = rj_checksum_fold(rj_checksum_add(ip, IPV4_BYTES, 0));
}

static void finish_ipv4(const rj_path_header_t *header, uint8_t *frame, uint32_t udp_bytes,
                        uint16_t identification)
{
    const uint32_t total = IPV4_BYTES + udp_bytes;
    put16(frame + IPV4_TOTAL_AT, total);
    put16(frame + IPV4_IDENTIFICATION_AT, identification);
    const uint64_t sum = (uint64_t)header->ip_sum + htons((uint16_t)total) + htons(identification);
    put_raw16(frame + IPV4_CHECKSUM_AT, (uint16_t)~rj_checksum_fold(sum));
}

/* All but the UDP checksum; returns the UDP header. */
static uint8_t *finish_lengths(const rj_path_header_t *header, uint8_t *frame, uint32_t udp_bytes,
                               uint16_t identification)
{
    uint8_t *udp = frame + header->length_bytes - UDP_BYTES;
    if (header->length_bytes == RJ_PATH_HEADER_IPV4_BYTES)
        finish_ipv4(header, frame, udp_bytes, identification);
    else
        put16(frame + IPV6_PAYLOAD_AT, udp_bytes);
    put16(udp + 4, udp_bytes);
    return udp;
}

void rj_path_header_finish(const rj_path_header_t *header, uint8_t *frame, uint32_t payload_bytes,
                           uint64_t payload_sum, uint16_t identification)
{
    const uint32_t udp_bytes = UDP_BYTES + payload_bytes;
    uint8_t *udp = finish_lengths(header, frame, udp_bytes, identification);
    /* The length counts twice: in the pseudo-header and in the header. */
    const uint16_t folded =
        rj_checksum_fold(payload_sum + header->udp_sum + 2U * htons((uint16_t)udp_bytes));
    put_raw16(udp + 6, folded == 0xffff ? 0xffff : (uint16_t)~folded);
}

void rj_path_header_finish_partial(const rj_path_header_t *header, uint8_t *frame,
                                   uint32_t payload_bytes, uint16_t identification)
{
    const uint32_t udp_bytes = UDP_BYTES + payload_bytes;
    uint8_t *udp = finish_lengths(header, frame, udp_bytes, identification);
    /* udp_sum holds the ports too, which are not of the pseudo-header: their complements go in. */
    uint16_t ports[2];
    memcpy(ports, udp, sizeof(ports));
    const uint32_t without_ports = (uint16_t)~ports[0] + (uint32_t)(uint16_t)~ports[1];
    put_raw16(udp + 6, rj_checksum_fold((uint64_t)header->udp_sum + without_ports +
                                        htons((uint16_t)udp_bytes)));
}
