/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink/route_table.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

/* A key is seven words; each is multiplied and folded in. */
static unsigned hash_of(const void *key)
{
    uint32_t words[sizeof(rj_nl_route_key_t) / sizeof(uint32_t)];
    memcpy(words, key, sizeof(words));
    uint64_t hash = 0;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        hash = (hash ^ words[i]) * UINT64_C(0xd6e8feb86659fd93);
        hash ^= hash >> 32;
    }
    return (unsigned)hash;
}

#define HASH_FUNCTION(key, length, ret_hash) ((ret_hash) = hash_of(key))
/* Out of memory is an answer, not the end of the program: an element that could not be added has
 * no table in its handle. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

typedef struct item {
    struct item *next;
    uint32_t stamp;
    rj_nl_route_t route; /* its hops point at `hops` */
    rj_net_hop_t hops[];
} item_t;

typedef struct list {
    rj_nl_route_key_t key;
    item_t *first;
    UT_hash_handle hh;
} list_t;

struct rj_nl_route_table {
    list_t *lists;
    size_t count;
};

int rj_nl_route_table_open(rj_nl_route_table_t **ret)
{
    *ret = calloc(1, sizeof(**ret));
    return *ret == NULL ? -ENOMEM : 0;
}

size_t rj_nl_route_table_count(const rj_nl_route_table_t *table)
{
    return table->count;
}

static list_t *find_list(const rj_nl_route_table_t *table, const rj_nl_route_key_t *key)
{
    list_t *list;
    HASH_FIND(hh, table->lists, key, sizeof(*key), list);
    return list;
}

static void remove_list(rj_nl_route_table_t *table, list_t *list)
{
    HASH_DEL(table->lists, list);
    free(list);
}

static list_t *add_list(rj_nl_route_table_t *table, const rj_nl_route_key_t *key)
{
    list_t *list = calloc(1, sizeof(*list));
    if (list == NULL)
        return NULL;
    list->key = *key;
    HASH_ADD(hh, table->lists, key, sizeof(list->key), list);
    if (list->hh.tbl != NULL)
        return list;
    free(list);
    return NULL;
}

static item_t *make_item(const rj_nl_route_t *route, uint32_t stamp)
{
    const size_t hops_bytes = route->hop_count * sizeof(*route->hops);
    item_t *item = malloc(sizeof(*item) + hops_bytes);
    if (item == NULL)
        return NULL;
    item->next = NULL;
    item->stamp = stamp;
    item->route = *route;
    item->route.hops = item->hops;
    if (hops_bytes > 0)
        memcpy(item->hops, route->hops, hops_bytes);
    return item;
}

/* --- which of the routes of a key --- */

static bool same_hop(const rj_net_hop_t *a, const rj_net_hop_t *b)
{
    return a->link_index == b->link_index && rj_address_equal(&a->gateway, &b->gateway);
}

/* As sets, for IPv6 tells hops in any order. A route by object is told with or without its hops. */
static bool same_hops(const rj_nl_route_t *a, const rj_nl_route_t *b)
{
    if (a->nexthop_id != b->nexthop_id)
        return false;
    if (a->nexthop_id != 0)
        return true;
    if (a->hop_count != b->hop_count)
        return false;
    for (uint32_t i = 0; i < a->hop_count; i++) {
        bool is_there = false;
        for (uint32_t k = 0; k < b->hop_count && !is_there; k++)
            is_there = same_hop(&a->hops[i], &b->hops[k]);
        if (!is_there)
            return false;
    }
    return true;
}

/* Equal but for the stamp. */
static bool same_details(const rj_nl_route_t *a, const rj_nl_route_t *b)
{
    return a->mtu_bytes == b->mtu_bytes && a->hop_count == b->hop_count &&
           memcmp(a->hops, b->hops, a->hop_count * sizeof(*a->hops)) == 0;
}

/* As the kernel tells two routes of one key apart. */
static bool same_route(const rj_nl_route_t *a, const rj_nl_route_t *b)
{
    return a->type == b->type && a->protocol == b->protocol && a->scope == b->scope &&
           rj_address_equal(&a->source, &b->source) && same_hops(a, b);
}

/* IPv6 joins routes of one key into one with several hops when they have gateways and were not
 * learnt from router advertisements. */
static bool takes_hops(const rj_nl_route_t *route)
{
    return route->key.family == AF_INET6 && route->protocol != RTPROT_RA &&
           route->nexthop_id == 0 && route->hop_count > 0 &&
           (route->hop_count > 1 || route->hops[0].gateway.family != AF_UNSPEC);
}

static item_t **find_same(list_t *list, const rj_nl_route_t *route)
{
    item_t **at = &list->first;
    while (*at != NULL && !same_route(&(*at)->route, route))
        at = &(*at)->next;
    return *at != NULL ? at : NULL;
}

static item_t **find_joined(list_t *list, const rj_nl_route_t *route)
{
    item_t **at = &list->first;
    while (*at != NULL && !(takes_hops(&(*at)->route) && takes_hops(route)))
        at = &(*at)->next;
    return *at != NULL ? at : NULL;
}

/* Whom RJ_NL_ROUTE_REPLACE meets. For IPv6 the first that is as able to be joined. */
static item_t **find_replaced(list_t *list, const rj_nl_route_t *route)
{
    item_t **at = &list->first;
    if (route->key.family == AF_INET6) {
        while (*at != NULL && takes_hops(&(*at)->route) != takes_hops(route))
            at = &(*at)->next;
    }
    return *at != NULL ? at : NULL;
}

/* --- put --- */

static void swap_in(item_t **at, item_t *item)
{
    item_t *old = *at;
    item->next = old->next;
    *at = item;
    free(old);
}

static void move_to_end(item_t **at)
{
    item_t *item = *at;
    *at = item->next;
    while (*at != NULL)
        at = &(*at)->next;
    item->next = NULL;
    *at = item;
}

static void link_in(rj_nl_route_table_t *table, list_t *list, item_t *item,
                    rj_nl_route_place_t place)
{
    item_t **at = &list->first;
    while (place != RJ_NL_ROUTE_FIRST && *at != NULL)
        at = &(*at)->next;
    item->next = *at;
    *at = item;
    table->count++;
}

/* Whose place the route takes; NULL: nobody's. */
static item_t **find_old(list_t *list, const rj_nl_route_t *route, rj_nl_route_place_t place)
{
    item_t **at = find_same(list, route);
    if (at == NULL)
        at = find_joined(list, route);
    if (at == NULL && place == RJ_NL_ROUTE_REPLACE)
        at = find_replaced(list, route);
    return at;
}

int rj_nl_route_table_put(rj_nl_route_table_t *table, const rj_nl_route_t *route,
                          rj_nl_route_place_t place, uint32_t stamp)
{
    list_t *list = find_list(table, &route->key);
    item_t **old = list != NULL ? find_old(list, route, place) : NULL;
    if (old != NULL && same_route(&(*old)->route, route) && same_details(&(*old)->route, route)) {
        const bool is_last = (*old)->next == NULL;
        (*old)->stamp = stamp;
        if (place == RJ_NL_ROUTE_DUMPED)
            move_to_end(old);
        return place == RJ_NL_ROUTE_DUMPED && !is_last;
    }

    item_t *item = make_item(route, stamp);
    if (item == NULL)
        return -ENOMEM;
    if (old != NULL) {
        swap_in(old, item);
        if (place == RJ_NL_ROUTE_DUMPED)
            move_to_end(old);
        return 1;
    }
    if (list == NULL && (list = add_list(table, &route->key)) == NULL) {
        free(item);
        return -ENOMEM;
    }
    link_in(table, list, item, place);
    return 1;
}

/* --- remove --- */

static void remove_item(rj_nl_route_table_t *table, item_t **at)
{
    item_t *item = *at;
    *at = item->next;
    free(item);
    table->count--;
}

/* Takes the hops of `route` out of the joined one; true when some were there. */
static bool remove_hops(rj_nl_route_table_t *table, item_t **at, const rj_nl_route_t *route)
{
    rj_nl_route_t *joined = &(*at)->route;
    uint32_t kept = 0;
    const uint32_t before = joined->hop_count;
    for (uint32_t i = 0; i < before; i++) {
        bool is_gone = false;
        for (uint32_t k = 0; k < route->hop_count && !is_gone; k++)
            is_gone = same_hop(&joined->hops[i], &route->hops[k]);
        if (!is_gone)
            joined->hops[kept++] = joined->hops[i];
    }
    joined->hop_count = kept;
    if (kept == 0)
        remove_item(table, at);
    return kept < before;
}

bool rj_nl_route_table_remove(rj_nl_route_table_t *table, const rj_nl_route_t *route)
{
    list_t *list = find_list(table, &route->key);
    if (list == NULL)
        return false;
    bool is_done = false;
    item_t **at = find_same(list, route);
    if (at != NULL) {
        remove_item(table, at);
        is_done = true;
    } else if ((at = find_joined(list, route)) != NULL) {
        is_done = remove_hops(table, at, route);
    }
    if (list->first == NULL)
        remove_list(table, list);
    return is_done;
}

size_t rj_nl_route_table_remove_where(rj_nl_route_table_t *table,
                                      bool (*is_gone)(const rj_nl_route_t *route,
                                                      const void *state),
                                      const void *state)
{
    const size_t before = table->count;
    list_t *list, *next;
    HASH_ITER(hh, table->lists, list, next)
    {
        item_t **at = &list->first;
        while (*at != NULL) {
            if (is_gone(&(*at)->route, state))
                remove_item(table, at);
            else
                at = &(*at)->next;
        }
        if (list->first == NULL)
            remove_list(table, list);
    }
    return before - table->count;
}

static bool has_other_stamp(const rj_nl_route_t *route, const void *state)
{
    const item_t *item =
        (const item_t *)(const void *)((const uint8_t *)route - offsetof(item_t, route));
    return item->stamp != *(const uint32_t *)state;
}

size_t rj_nl_route_table_sweep(rj_nl_route_table_t *table, uint32_t stamp)
{
    return rj_nl_route_table_remove_where(table, has_other_stamp, &stamp);
}

static bool is_any(const rj_nl_route_t *route, const void *state)
{
    (void)route;
    (void)state;
    return true;
}

void rj_nl_route_table_close(rj_nl_route_table_t *table)
{
    if (table == NULL)
        return;
    rj_nl_route_table_remove_where(table, is_any, NULL);
    free(table);
}

void rj_nl_route_table_visit(const rj_nl_route_table_t *table,
                             void (*visit)(const rj_nl_route_t *route, void *state), void *state)
{
    for (const list_t *list = table->lists; list != NULL; list = list->hh.next) {
        for (const item_t *item = list->first; item != NULL; item = item->next)
            visit(&item->route, state);
    }
}
