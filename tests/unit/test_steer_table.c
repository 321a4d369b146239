/* SPDX-License-Identifier: Apache-2.0 */
#include "xdp/steer_table.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "tests/fixtures/steer_rows.h"

enum { OWNER = 5, OTHER = 6, THIRD = 7 };

static rj_steer_table_t table;
static uint8_t bytes[STEER_FRAME_BYTES_MAX];

static void open_table(void)
{
    cr_assert_eq(rj_steer_table_open(&table, steer_config.mac, NULL), 0);
}

static void put_rules(void)
{
    rj_steer_maps_t *maps = &table.maps;
    open_table();
    for (size_t i = 0; i < steer_channel_count; i++)
        cr_assert_eq(maps->ops->put_channel(maps, &steer_channels[i].key, &steer_channels[i].value,
                                            RJ_STEER_PUT_NEW),
                     0);
    for (size_t i = 0; i < steer_stream_count; i++)
        cr_assert_eq(maps->ops->put_stream(maps, &steer_streams[i].key, &steer_streams[i].value,
                                           RJ_STEER_PUT_NEW),
                     0);
    for (uint32_t i = 0; i < STEER_QUEUES; i++)
        cr_assert_eq(maps->ops->put_queue(maps, i, &steer_queues[i]), 0);
}

Test(steer_table, decides_each_row_as_the_program_does)
{
    size_t rows = 0;
    put_rules();
    for (size_t t = 0; t < steer_table_count; t++) {
        for (const steer_row_t *row = steer_tables[t]; row->what != NULL; row++, rows++) {
            const uint32_t length = steer_frame_build(&row->frame, false, bytes);
            const steer_decision_t plain =
                steer_decide_plainly(bytes, length, length, row->frame.queue, &steer_config);
            enum rj_xdp_reason reason;
            const enum rj_xdp_verdict verdict =
                rj_steer_table_decide(&table, bytes, length, length, row->frame.queue, &reason);
            cr_expect_eq(reason, row->reason, "%s: reason %u", row->what, reason);
            cr_expect_eq(verdict, plain.verdict, "%s: verdict %u", row->what, verdict);
        }
    }
    cr_assert_gt(rows, 50);
    rj_steer_table_close(&table);
}

Test(steer_table, takes_frames_to_the_address_that_it_was_given_last)
{
    static const uint8_t moved[6] = {2, 9, 9, 9, 9, 9};
    const steer_frame_t frame = {.kind = STEER_DATA};
    enum rj_xdp_reason reason;
    put_rules();
    const uint32_t length = steer_frame_build(&frame, false, bytes);
    (void)rj_steer_table_decide(&table, bytes, length, length, 0, &reason);
    cr_assert_neq(reason, RJ_XDP_PASS_OTHER_HOST);
    cr_assert_eq(table.maps.ops->set_mac(&table.maps, moved), 0);
    (void)rj_steer_table_decide(&table, bytes, length, length, 0, &reason);
    cr_assert_eq(reason, RJ_XDP_PASS_OTHER_HOST);
    memcpy(bytes, moved, sizeof(moved));
    (void)rj_steer_table_decide(&table, bytes, length, length, 0, &reason);
    cr_assert_neq(reason, RJ_XDP_PASS_OTHER_HOST);
    rj_steer_table_close(&table);
}

Test(steer_table, refuses_what_the_kernels_maps_refuse)
{
    rj_steer_maps_t *maps = &table.maps;
    const struct rj_channel_key key = {.port = 1};
    const struct rj_channel_value value = {.channel_id = 1, .owner = OWNER};
    const struct rj_claim_key number = {RJ_XDP_CLAIM_CHANNEL, 1};
    struct rj_channel_value found;
    struct rj_queue_value queue = {.owner = OWNER};
    uint32_t owner;
    open_table();
    cr_assert_eq(maps->ops->get_channel(maps, &key, &found), -ENOENT);
    cr_assert_eq(maps->ops->put_channel(maps, &key, &value, RJ_STEER_PUT_NEW), 0);
    cr_assert_eq(maps->ops->put_channel(maps, &key, &value, RJ_STEER_PUT_NEW), -EEXIST);
    cr_assert_eq(maps->ops->put_channel(maps, &key, &value, RJ_STEER_PUT_ANY), 0);
    cr_assert_eq(maps->ops->get_channel(maps, &key, &found), 0);
    cr_assert_eq(memcmp(&found, &value, sizeof(value)), 0);
    cr_assert_eq(maps->ops->remove_channel(maps, &key), 0);
    cr_assert_eq(maps->ops->remove_channel(maps, &key), -ENOENT);

    cr_assert_eq(maps->ops->claim(maps, &number, OWNER), 0);
    cr_assert_eq(maps->ops->claim(maps, &number, OWNER), -EEXIST);
    cr_assert_eq(maps->ops->get_claim(maps, &number, &owner), 0);
    cr_assert_eq(owner, OWNER);
    cr_assert_eq(maps->ops->release(maps, &number), 0);
    cr_assert_eq(maps->ops->release(maps, &number), -ENOENT);

    cr_assert_eq(maps->ops->put_queue(maps, RJ_XDP_QUEUES_MAX, &queue), -E2BIG);
    cr_assert_eq(maps->ops->get_queue(maps, 3, &queue), 0);
    cr_assert_eq(queue.owner, RJ_XDP_OWNER_NONE);
    cr_assert_eq(maps->ops->clear_counter(maps, RJ_XDP_COUNTERS_MAX), -E2BIG);
    cr_assert_eq(maps->ops->clear_counter(maps, 1), 0);
    cr_assert(maps->ops->is_attached(maps));
    rj_steer_table_close(&table);
}

static void put_all_of(uint32_t owner, int64_t alive_ns)
{
    rj_steer_maps_t *maps = &table.maps;
    const struct rj_channel_key channel = {.port = (uint16_t)owner};
    const struct rj_channel_value channel_value = {.channel_id = owner, .owner = owner};
    const struct rj_stream_key stream = {.channel_id = owner};
    const struct rj_stream_value stream_value = {.owner = owner};
    const struct rj_claim_key number = {RJ_XDP_CLAIM_OWNER, owner};
    const struct rj_queue_value queue = {.owner = owner, .room_bytes = 1500};
    const struct rj_owner_value sign = {.alive_ns = (uint64_t)alive_ns};
    cr_assert_eq(maps->ops->put_channel(maps, &channel, &channel_value, RJ_STEER_PUT_NEW), 0);
    cr_assert_eq(maps->ops->put_stream(maps, &stream, &stream_value, RJ_STEER_PUT_NEW), 0);
    cr_assert_eq(maps->ops->claim(maps, &number, owner), 0);
    cr_assert_eq(maps->ops->put_queue(maps, owner, &queue), 0);
    cr_assert_eq(maps->ops->put_owner(maps, owner, &sign), 0);
}

static uint32_t entries(void)
{
    return table.channels.count + table.streams.count + table.claims.count + table.queues.count +
           table.owners.count;
}

Test(steer_table, sweeps_the_silent_and_the_condemned)
{
    rj_steer_maps_t *maps = &table.maps;
    const int64_t now_ns = 2 * RJ_XDP_OWNER_TIMEOUT_NS;
    open_table();
    put_all_of(OWNER, now_ns);
    put_all_of(OTHER, now_ns - RJ_XDP_OWNER_TIMEOUT_NS - 1);
    put_all_of(THIRD, now_ns - RJ_XDP_OWNER_TIMEOUT_NS);
    cr_assert_eq(maps->ops->sweep(maps, RJ_XDP_OWNER_NONE, now_ns), 1);
    cr_assert_eq(entries(), 10);
    cr_assert_eq(maps->ops->sweep(maps, THIRD, now_ns), 1);
    cr_assert_eq(entries(), 5);
    struct rj_queue_value queue;
    cr_assert_eq(maps->ops->get_queue(maps, OWNER, &queue), 0);
    cr_assert_eq(queue.owner, OWNER);
    rj_steer_table_close(&table);
    rj_steer_table_close(&table);
}
