/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes as netlink messages into the tables, as dumps and as events by turns: whatever they say,
 * what comes out is a snapshot that answers. Sanitizers watch the reads. */
#include "netlink/tables.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "netlink/attributes.h"
#include "netlink/membership.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const rj_net_snapshot_t *snapshot, const rj_address_t *destination)
{
    static const rj_address_t any;
    rj_net_way_t way;
    const rj_net_answer_t answer = rj_net_snapshot_find_way(snapshot, &any, destination, 0, &way);
    assert(rj_net_answer_text(answer) != NULL);
    if (answer == RJ_NET_REACHED)
        assert(rj_net_snapshot_link(snapshot, way.link_index) != NULL);
}

/* Every route leads somewhere or says why not, and hops lie within the snapshot. */
static void check(const rj_net_snapshot_t *snapshot)
{
    size_t grouped = 0;
    for (size_t i = 0; i < snapshot->group_count; i++)
        grouped += snapshot->groups[i].route_count;
    assert(grouped == snapshot->route_count);
    for (size_t i = 0; i < snapshot->route_count; i++) {
        const rj_net_route_t *route = &snapshot->routes[i];
        assert(route->first_hop + route->hop_count <= snapshot->hop_count);
        ask(snapshot, &route->destination);
    }
    for (size_t i = 0; i < snapshot->neighbour_count; i++)
        ask(snapshot, &snapshot->neighbours[i].address);
}

static void parse_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = '\0';
    const rj_address_t groups[2] = {{.family = AF_INET}, {.family = AF_INET6}};
    rj_nl_members_t members = {0};
    rj_nl_members_parse(&members, AF_INET, text, groups, 2);
    rj_nl_members_parse(&members, AF_INET6, text, groups, 2);
    rj_nl_members_close(&members);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 65536)
        return 0;
    parse_text(data, size);
    uint8_t *bytes = malloc(size + 1);
    memcpy(bytes, data, size);
    rj_nl_tables_t tables;
    assert(rj_nl_tables_open(&tables, NULL) == 0);
    rj_nl_tables_begin_dump(&tables, RJ_NL_EVERYTHING);
    size_t left = size;
    const struct nlmsghdr *message = (const struct nlmsghdr *)bytes;
    for (; rj_nl_message_is_whole(message, left); message = rj_nl_message_next(message, &left))
        rj_nl_tables_apply(&tables, message,
                           message->nlmsg_flags & NLM_F_MULTI ? RJ_NL_DUMPED : RJ_NL_EVENT);

    rj_net_snapshot_t *first, *second;
    assert(rj_nl_tables_snapshot(&tables, NULL, 0, 1, NULL, &first, NULL) == 0);
    check(first);
    tables.are_routes_changed = false;
    assert(rj_nl_tables_snapshot(&tables, NULL, 0, 2, first, &second, NULL) == 0);
    assert(rj_net_snapshot_equal(first, second));
    rj_net_snapshot_free(first);
    rj_net_snapshot_free(second);
    rj_nl_tables_begin_dump(&tables, RJ_NL_EVERYTHING);
    rj_nl_tables_end_dump(&tables, RJ_NL_EVERYTHING);
    assert(rj_nl_route_table_count(tables.routes) == 0 && tables.neighs.count == 0);
    rj_nl_tables_close(&tables);
    free(bytes);
    return 0;
}
