/* SPDX-License-Identifier: Apache-2.0 */
/* What anybody on the network may do to the decision about a frame: it reads nothing beyond the
 * first buffer, whatever rules there are, and takes a frame from the kernel only when that is a
 * whole datagram. Sanitizers watch the reads, for the fuzzer's buffer is exactly as long.
 *
 *     | rules: 4 | bytes in later buffers: 2 | first buffer ... */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "bpf/steer_decide.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OWNER = 2, RULE_BYTES = 4, INPUT_BYTES = 6 };

static struct rj_channel_value channel;
static struct rj_stream_value stream;
static struct rj_queue_value queue;
static uint8_t rules[RULE_BYTES];

static const struct rj_channel_value *rj_channel_find(const struct rj_channel_key *key)
{
    assert(key->vlan < 4096);
    return (rules[0] & 0x80) != 0 ? NULL : &channel;
}

/* Rules for any session, for one alone, or for none. */
static const struct rj_stream_value *rj_stream_find(const struct rj_stream_key *key)
{
    assert(key->channel_id == channel.channel_id && key->any_session <= 1);
    assert(key->any_session == 0 || key->session_id == 0);
    return (rules[2] & (key->any_session ? 0x80 : 0x40)) != 0 ? NULL : &stream;
}

static const struct rj_queue_value *rj_queue_find(__u32 index)
{
    assert(index == 5);
    return (rules[3] & 0x80) != 0 ? NULL : &queue;
}

static void make_rules(void)
{
    channel = (struct rj_channel_value){.channel_id = 3,
                                        .owner = OWNER,
                                        .counter_index = 1,
                                        .flags = rules[0] & 3,
                                        .verdict = rules[1] & 7,
                                        .origin = rules[1] >> 7};
    stream = (struct rj_stream_value){.counter_index = 2, .verdict = rules[2] & 7};
    queue = (struct rj_queue_value){.owner = OWNER - (rules[3] & 1U),
                                    .room_bytes = (rules[3] & 2) != 0 ? 65535 : 200};
}

/* What is taken from the kernel can be read up to the end of the fixed part of its frame. */
static void check_datagram(const struct rj_steer_frame *frame,
                           const struct rj_steer_datagram *datagram)
{
    uint32_t at = (uint32_t)(datagram->udp - frame->data);
    assert(at + datagram->udp_bytes <= frame->length_bytes);
    assert(datagram->network > frame->data && datagram->udp >= datagram->network + 20);
    assert(datagram->payload == datagram->udp + RJ_STEER_UDP_BYTES);
    assert(datagram->payload + RJ_STEER_RSP_SETUP_BYTES <= frame->data_end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct rj_xdp_config config = {.abi_version = RJ_XDP_ABI_VERSION,
                                         .mac = {0x02, 0x72, 0x6a, 0, 0, 1}};
    struct rj_steer_datagram datagram = {0};
    if (size < INPUT_BYTES || size > UINT16_MAX)
        return 0;
    memcpy(rules, data, RULE_BYTES);
    make_rules();
    const struct rj_steer_frame frame = {
        .data = data + INPUT_BYTES,
        .data_end = data + size,
        .length_bytes = (uint32_t)(size - INPUT_BYTES) + (uint32_t)(data[4] << 8 | data[5]),
        .queue = 5,
    };
    const struct rj_steer_decision decision = rj_steer_decide(&frame, &config, &datagram);
    assert(decision.reason < RJ_XDP_REASON_COUNT && decision.queue == 5);
    assert((decision.verdict == RJ_XDP_TO_KERNEL) == (decision.reason < RJ_XDP_REDIRECTED_DATA));
    if (decision.verdict == RJ_XDP_TO_USER)
        assert(queue.owner == OWNER && frame.length_bytes <= queue.room_bytes);
    if (decision.verdict != RJ_XDP_TO_KERNEL)
        check_datagram(&frame, &datagram);
    return 0;
}
