/* SPDX-License-Identifier: Apache-2.0 */
#include "xdp/steer_pair.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "tests/fixtures/steer_tables.h"
#include "xdp/steer_table.h"

enum { OWNER = 5, OTHER = 6 };

static steer_tables_t program;
static rj_steer_table_t table;
static rj_steer_pair_t pair;

static const struct rj_channel_key channel = {.port = 40123};
static const struct rj_stream_key stream = {.channel_id = 1, .stream_id = 1001};

static void open_pair(void)
{
    static const uint8_t mac[6] = {2};
    steer_tables_init(&program);
    cr_assert_eq(rj_steer_table_open(&table, mac, NULL), 0);
    rj_steer_pair_init(&pair, &program.maps, &table.maps);
}

static int put_channel(rj_steer_maps_t *maps, uint32_t owner, rj_steer_put_t how)
{
    const struct rj_channel_value value = {.channel_id = 1, .owner = owner};
    return maps->ops->put_channel(maps, &channel, &value, how);
}

static int put_stream(rj_steer_maps_t *maps, uint32_t owner, rj_steer_put_t how)
{
    const struct rj_stream_value value = {.owner = owner, .verdict = RJ_XDP_TO_USER};
    return maps->ops->put_stream(maps, &stream, &value, how);
}

/* 0: there is none. */
static uint32_t channel_owner(rj_steer_maps_t *maps)
{
    struct rj_channel_value value;
    return maps->ops->get_channel(maps, &channel, &value) == 0 ? value.owner : 0;
}

static uint32_t stream_owner(rj_steer_maps_t *maps)
{
    struct rj_stream_value value;
    return maps->ops->get_stream(maps, &stream, &value) == 0 ? value.owner : 0;
}

Test(steer_pair, puts_and_removes_in_both)
{
    open_pair();
    cr_assert_eq(put_channel(&pair.maps, OWNER, RJ_STEER_PUT_NEW), 0);
    cr_assert_eq(put_stream(&pair.maps, OWNER, RJ_STEER_PUT_NEW), 0);
    cr_assert_eq(channel_owner(&program.maps), OWNER);
    cr_assert_eq(channel_owner(&table.maps), OWNER);
    cr_assert_eq(stream_owner(&program.maps), OWNER);
    cr_assert_eq(stream_owner(&table.maps), OWNER);
    cr_assert_eq(pair.maps.ops->remove_channel(&pair.maps, &channel), 0);
    cr_assert_eq(pair.maps.ops->remove_stream(&pair.maps, &stream), 0);
    cr_assert_eq(pair.maps.ops->remove_stream(&pair.maps, &stream), -ENOENT);
    cr_assert_eq(program.channel_count + program.stream_count, 0);
    cr_assert_eq(table.channels.count + table.streams.count, 0);
    rj_steer_table_close(&table);
}

Test(steer_pair, has_in_the_table_what_stands_in_the_programs_maps)
{
    open_pair();
    cr_assert_eq(put_channel(&program.maps, OTHER, RJ_STEER_PUT_NEW), 0);
    cr_assert_eq(put_stream(&program.maps, OTHER, RJ_STEER_PUT_NEW), 0);
    cr_assert_eq(put_channel(&pair.maps, OWNER, RJ_STEER_PUT_NEW), -EEXIST);
    cr_assert_eq(put_stream(&pair.maps, OWNER, RJ_STEER_PUT_NEW), -EEXIST);
    cr_assert_eq(channel_owner(&table.maps), OTHER);
    cr_assert_eq(stream_owner(&table.maps), OTHER);
    cr_assert_eq(program.maps.ops->remove_channel(&program.maps, &channel), 0);
    cr_assert_eq(program.maps.ops->remove_stream(&program.maps, &stream), 0);
    cr_assert_eq(channel_owner(&pair.maps), 0);
    cr_assert_eq(stream_owner(&pair.maps), 0);
    cr_assert_eq(table.channels.count + table.streams.count, 0);
    rj_steer_table_close(&table);
}

Test(steer_pair, leaves_nothing_in_the_table_that_the_program_has_no_room_for)
{
    open_pair();
    program.channel_max = program.stream_max = 0;
    cr_assert_eq(put_channel(&pair.maps, OWNER, RJ_STEER_PUT_NEW), -E2BIG);
    cr_assert_eq(put_stream(&pair.maps, OWNER, RJ_STEER_PUT_NEW), -E2BIG);
    cr_assert_eq(table.channels.count + table.streams.count, 0);
    rj_steer_table_close(&table);
}

Test(steer_pair, takes_queues_and_addresses_to_both_and_claims_to_the_program)
{
    static const uint8_t mac[6] = {2, 7};
    const struct rj_queue_value queue = {.owner = OWNER, .room_bytes = 1500};
    const struct rj_claim_key number = {RJ_XDP_CLAIM_CHANNEL, 1};
    const struct rj_owner_value sign = {.alive_ns = 1};
    struct rj_queue_value there;
    rj_steer_maps_t *maps = &pair.maps;
    open_pair();
    cr_assert_eq(maps->ops->put_queue(maps, 0, &queue), 0);
    cr_assert_eq(program.queues[0].owner, OWNER);
    cr_assert_eq(table.maps.ops->get_queue(&table.maps, 0, &there), 0);
    cr_assert_eq(there.room_bytes, 1500);
    cr_assert_eq(maps->ops->set_mac(maps, mac), 0);
    cr_assert_eq(memcmp(program.config.mac, mac, 6), 0);
    cr_assert_eq(memcmp(&table.mac, mac, 6), 0);
    cr_assert_eq(maps->ops->claim(maps, &number, OWNER), 0);
    cr_assert_eq(maps->ops->claim(maps, &number, OWNER), -EEXIST);
    cr_assert_eq(maps->ops->put_owner(maps, OWNER, &sign), 0);
    cr_assert_eq(table.claims.count + table.owners.count, 0);
    program.is_attached = false;
    cr_assert(!maps->ops->is_attached(maps));
    rj_steer_table_close(&table);
}

Test(steer_pair, sweeps_the_condemned_from_both)
{
    const struct rj_queue_value queue = {.owner = OWNER, .room_bytes = 1500};
    const struct rj_owner_value sign = {.alive_ns = 1};
    rj_steer_maps_t *maps = &pair.maps;
    open_pair();
    cr_assert_eq(maps->ops->put_owner(maps, OWNER, &sign), 0);
    cr_assert_eq(maps->ops->put_queue(maps, 0, &queue), 0);
    cr_assert_eq(put_channel(maps, OWNER, RJ_STEER_PUT_NEW), 0);
    cr_assert_eq(maps->ops->sweep(maps, RJ_XDP_OWNER_NONE, 1), 0);
    cr_assert_eq(table.channels.count, 1);
    cr_assert_eq(maps->ops->sweep(maps, OWNER, 1), 1);
    cr_assert_eq(steer_tables_count_of(&program, OWNER), 0);
    cr_assert_eq(table.channels.count + table.queues.count, 0);
    rj_steer_table_close(&table);
}
