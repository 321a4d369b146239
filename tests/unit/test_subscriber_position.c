/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/subscriber_position.h"

#include <criterion/criterion.h>

Test(subscriber_position, believes_only_what_a_reader_can_have_read)
{
    int64_t word = -1;
    uint64_t bad = 0;
    rj_subscriber_position_t *list = NULL;
    rj_subscriber_position_t position = {.counter = &word};
    rj_subscriber_position_link(&list, &position, 640);
    cr_assert_eq(word, 640);
    cr_assert_eq(position.join_position, 640);
    word = 704;
    cr_assert_eq(rj_subscriber_position_poll(&position, 704, &bad), 704);
    static const int64_t lies[] = {672, 705, 736, -32, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        word = lies[i];
        cr_assert_eq(rj_subscriber_position_poll(&position, 704, &bad), 704);
    }
    cr_assert_eq(bad, 6);
    word = 736;
    cr_assert_eq(rj_subscriber_position_poll(&position, 736, &bad), 736);
}

Test(subscriber_position, is_unlinked_from_anywhere_in_the_list_and_only_once)
{
    int64_t words[3];
    rj_subscriber_position_t nodes[3] = {
        {.counter = &words[0]}, {.counter = &words[1]}, {.counter = &words[2]}};
    rj_subscriber_position_t *list = NULL;
    for (int i = 0; i < 3; i++)
        rj_subscriber_position_link(&list, &nodes[i], 0);
    cr_assert(rj_subscriber_position_unlink(&list, &nodes[1]));
    cr_assert_not(rj_subscriber_position_unlink(&list, &nodes[1]));
    cr_assert_eq(list, &nodes[2]);
    cr_assert_eq(nodes[2].next, &nodes[0]);
    cr_assert(rj_subscriber_position_unlink(&list, &nodes[2]));
    cr_assert(rj_subscriber_position_unlink(&list, &nodes[0]));
    cr_assert_null(list);
}
