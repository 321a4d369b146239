/* SPDX-License-Identifier: Apache-2.0 */
/* gossip_frame.h - the frames in which drivers tell each other names (wire.md 3.8), read and
 * written.
 *
 *     | header | entry | entry | ...       each entry padded to 8 bytes
 *
 * Units      bytes; ages are ms, as on the wire.
 * Ownership  entries that are read point into the frame.
 * Thread     any.
 * Errors     what is read comes from anybody: a reader never looks beyond its bytes.
 */
#ifndef RJ_NAME_GOSSIP_FRAME_H
#define RJ_NAME_GOSSIP_FRAME_H

#include <ramjet/wire.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/address.h"

enum { RJ_GOSSIP_NAME_MAX = RJ_RES_NAME_BYTES_MAX };

typedef struct rj_gossip_entry {
    rj_address_t address;
    bool is_self; /* of the driver that sends the frame */
    int32_t age_ms;
    uint16_t name_length; /* 1..RJ_GOSSIP_NAME_MAX */
    const char *name;     /* not terminated */
} rj_gossip_entry_t;

typedef enum rj_gossip_read {
    RJ_GOSSIP_ENTRY,
    RJ_GOSSIP_END,
    RJ_GOSSIP_INVALID,
    RJ_GOSSIP_UNKNOWN_TYPE, /* of address: what follows cannot be read either */
} rj_gossip_read_t;

typedef struct rj_gossip_reader {
    const uint8_t *bytes;
    size_t length;
    size_t at;
} rj_gossip_reader_t;

/* False for what is no such frame. */
bool rj_gossip_reader_init(rj_gossip_reader_t *reader, const uint8_t *bytes, size_t length);

/* The next entry. Anything but ENTRY ends the frame. */
rj_gossip_read_t rj_gossip_read(rj_gossip_reader_t *reader, rj_gossip_entry_t *ret);

/* Begins a frame in `bytes`, which has room for the header; returns its length. */
size_t rj_gossip_write_header(uint8_t *bytes);

/* Appends an entry to a frame of `length` bytes, whose header then says so. Returns the new length,
 * or 0, with nothing written, when it does not fit into `capacity`. */
size_t rj_gossip_write_entry(uint8_t *bytes, size_t length, size_t capacity,
                             const rj_gossip_entry_t *entry);

#endif
