/* SPDX-License-Identifier: Apache-2.0 */
#include "endpoint/image_table.h"

#include <criterion/criterion.h>

enum { STREAM = 1001, SESSION = 7, ROOM = 4 };

static rj_image_table_t table;
static rj_receive_endpoint_t endpoints[3];
static rj_received_image_t images[8];

static void open_table(void)
{
    cr_assert_eq(rj_image_table_open(&table, ROOM, NULL), 0);
}

static void close_table(void)
{
    rj_image_table_close(&table);
}

TestSuite(image_table, .init = open_table, .fini = close_table);

static bool add(int image, int endpoint, int32_t session_id)
{
    images[image] =
        (rj_received_image_t){.image = {.config = {.stream_id = STREAM, .session_id = session_id}},
                              .endpoint = &endpoints[endpoint]};
    return rj_image_table_add(&table, &images[image]);
}

static rj_received_image_t *find(int endpoint, int32_t session_id)
{
    return rj_image_table_find(&table, &endpoints[endpoint], STREAM, session_id);
}

Test(image_table, keeps_the_same_session_of_different_endpoints_apart)
{
    for (int i = 0; i < 3; i++)
        cr_assert(add(i, i, SESSION));
    for (int i = 0; i < 3; i++)
        cr_assert_eq(find(i, SESSION), &images[i]);
    rj_image_table_remove(&table, &images[1]);
    cr_assert_null(find(1, SESSION));
    cr_assert_eq(find(0, SESSION), &images[0]);
    cr_assert_eq(find(2, SESSION), &images[2]);
    rj_image_table_remove(&table, &images[2]);
    rj_image_table_remove(&table, &images[0]);
    cr_assert_null(find(0, SESSION));
}

Test(image_table, leads_to_the_newest_image_of_a_session)
{
    add(0, 0, SESSION);
    add(1, 1, SESSION);
    add(2, 0, SESSION);
    cr_assert_eq(find(0, SESSION), &images[2]);
    rj_image_table_remove(&table, &images[0]);
    cr_assert_eq(find(0, SESSION), &images[2], "the older one is nobody any more");
    cr_assert_eq(find(1, SESSION), &images[1]);
    cr_assert_null(find(0, SESSION + 1));
}

Test(image_table, refuses_a_session_that_it_has_no_room_for)
{
    for (int i = 0; i < ROOM; i++)
        cr_assert(add(i, 0, SESSION + i));
    cr_assert_not(add(ROOM, 0, SESSION + ROOM));
    cr_assert_null(find(0, SESSION + ROOM));
    cr_assert(add(ROOM, 1, SESSION), "one that shares its place");
    rj_image_table_remove(&table, &images[1]);
    cr_assert(add(ROOM + 1, 0, SESSION + ROOM));
}
