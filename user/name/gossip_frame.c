/* SPDX-License-Identifier: Apache-2.0 */
#include "name/gossip_frame.h"

#include <string.h>

#include "base/bits.h"

/* --- reading --- */

bool rj_gossip_reader_init(rj_gossip_reader_t *reader, const uint8_t *bytes, size_t length)
{
    rj_wire_frame_t header;
    if (length < sizeof(header))
        return false;
    memcpy(&header, bytes, sizeof(header));
    *reader = (rj_gossip_reader_t){.bytes = bytes, .length = length, .at = sizeof(header)};
    return header.version == 0 && header.type == RJ_FRAME_TYPE_RES;
}

static rj_address_t address_of(const uint8_t *entry, bool is_ipv6, uint16_t port)
{
    const uint8_t *bytes = entry + sizeof(rj_wire_res_entry_t);
    return is_ipv6 ? rj_address_ipv6(bytes, port, 0) : rj_address_ipv4(bytes, port);
}

rj_gossip_read_t rj_gossip_read(rj_gossip_reader_t *reader, rj_gossip_entry_t *ret)
{
    const uint8_t *entry = reader->bytes + reader->at;
    const size_t left = reader->length - reader->at;
    rj_wire_res_entry_t head;
    if (left == 0)
        return RJ_GOSSIP_END;
    if (left < sizeof(head))
        return RJ_GOSSIP_INVALID;
    memcpy(&head, entry, sizeof(head));
    if (head.res_type != RJ_RES_TYPE_IPV4 && head.res_type != RJ_RES_TYPE_IPV6)
        return RJ_GOSSIP_UNKNOWN_TYPE;
    const bool is_ipv6 = head.res_type == RJ_RES_TYPE_IPV6;
    const size_t fixed = is_ipv6 ? RJ_RES_IPV6_HEADER_BYTES : RJ_RES_IPV4_HEADER_BYTES;
    if (left < fixed)
        return RJ_GOSSIP_INVALID;
    int16_t name_length;
    memcpy(&name_length, entry + fixed - sizeof(name_length), sizeof(name_length));
    if (name_length < 1 || name_length > RJ_GOSSIP_NAME_MAX || (size_t)name_length > left - fixed)
        return RJ_GOSSIP_INVALID;
    *ret = (rj_gossip_entry_t){.address = address_of(entry, is_ipv6, head.udp_port),
                               .is_self = (head.res_flags & RJ_RES_FLAG_SELF) != 0,
                               .age_ms = head.age_in_ms,
                               .name_length = (uint16_t)name_length,
                               .name = (const char *)entry + fixed};
    /* Whether the last one is padded says nothing about what it holds. */
    const size_t whole =
        (size_t)rj_align_up((int64_t)(fixed + (size_t)name_length), RJ_RES_ENTRY_ALIGNMENT);
    reader->at += whole < left ? whole : left;
    return RJ_GOSSIP_ENTRY;
}

/* --- writing --- */

static void set_frame_length(uint8_t *bytes, size_t length)
{
    const int32_t frame_length = (int32_t)length;
    memcpy(bytes, &frame_length, sizeof(frame_length));
}

size_t rj_gossip_write_header(uint8_t *bytes)
{
    const rj_wire_frame_t header = {.frame_length = sizeof(header), .type = RJ_FRAME_TYPE_RES};
    memcpy(bytes, &header, sizeof(header));
    return sizeof(header);
}

size_t rj_gossip_write_entry(uint8_t *bytes, size_t length, size_t capacity,
                             const rj_gossip_entry_t *entry)
{
    const bool is_ipv6 = entry->address.family == AF_INET6;
    const size_t fixed = is_ipv6 ? RJ_RES_IPV6_HEADER_BYTES : RJ_RES_IPV4_HEADER_BYTES;
    const size_t whole =
        (size_t)rj_align_up((int64_t)(fixed + entry->name_length), RJ_RES_ENTRY_ALIGNMENT);
    if (length > capacity || whole > capacity - length)
        return 0;
    uint8_t *at = bytes + length;
    const rj_wire_res_entry_t head = {.res_type = is_ipv6 ? RJ_RES_TYPE_IPV6 : RJ_RES_TYPE_IPV4,
                                      .res_flags = entry->is_self ? RJ_RES_FLAG_SELF : 0,
                                      .udp_port = entry->address.port,
                                      .age_in_ms = entry->age_ms};
    const int16_t name_length = (int16_t)entry->name_length;
    memset(at, 0, whole);
    memcpy(at, &head, sizeof(head));
    memcpy(at + sizeof(head), entry->address.bytes, is_ipv6 ? 16 : 4);
    memcpy(at + fixed - sizeof(name_length), &name_length, sizeof(name_length));
    memcpy(at + fixed, entry->name, entry->name_length);
    set_frame_length(bytes, length + whole);
    return length + whole;
}
