/* SPDX-License-Identifier: Apache-2.0 */
#include "name/resolve_gossip.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <ramjet/command.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "name/gossip_frame.h"

enum { NODES_MAX = 4, QUEUE_MAX = 64 };

#define MS        INT64_C(1000000)
#define SECOND_NS INT64_C(1000000000)

/* --- a network of a few resolvers, in memory --- */

typedef struct datagram {
    rj_address_t source;
    int length;
    uint8_t bytes[1500];
} datagram_t;

typedef struct node {
    rj_gossip_wire_t wire; /* first member */
    rj_resolver_t *resolver;
    rj_address_t seen_as; /* by others, where the wire is bound to anything */
    datagram_t queue[QUEUE_MAX];
    int count;
    int sent;
    int send_errno;
    bool is_deaf;
    int64_t neighbors, names, bootstraps[RJ_GOSSIP_BOOTSTRAPS_MAX];
    int invalid, noted, failed, resolved;
    char last_report[256];
} node_t;

static node_t nodes[NODES_MAX];
static int node_count;
static int64_t now_ns;
static int system_calls;

static node_t *node_at(const rj_address_t *address)
{
    for (int i = 0; i < node_count; i++) {
        if (rj_address_equal(&nodes[i].seen_as, address))
            return &nodes[i];
    }
    return NULL;
}

static int wire_send(rj_gossip_wire_t *wire, const rj_address_t *to, const uint8_t *bytes,
                     size_t length)
{
    node_t *self = (node_t *)wire;
    node_t *other = node_at(to);
    self->sent++;
    if (self->send_errno != 0)
        return -self->send_errno;
    if (other == NULL || other->is_deaf || other->count == QUEUE_MAX)
        return 0;
    datagram_t *datagram = &other->queue[other->count++];
    datagram->source = self->seen_as;
    datagram->length = (int)length;
    memcpy(datagram->bytes, bytes, length);
    return 0;
}

static int wire_receive(rj_gossip_wire_t *wire, uint8_t *bytes, size_t capacity,
                        rj_address_t *ret_source)
{
    node_t *self = (node_t *)wire;
    if (self->count == 0)
        return 0;
    const datagram_t datagram = self->queue[0];
    cr_assert_geq(capacity, (size_t)datagram.length);
    memmove(self->queue, self->queue + 1, (size_t)--self->count * sizeof(self->queue[0]));
    memcpy(bytes, datagram.bytes, (size_t)datagram.length);
    *ret_source = datagram.source;
    return datagram.length;
}

static void wire_close(rj_gossip_wire_t *wire)
{
    (void)wire;
}

static const rj_gossip_wire_ops_t wire_ops = {wire_send, wire_receive, wire_close};

static rj_address_t host(uint8_t number)
{
    const uint8_t bytes[4] = {10, 0, 0, number};
    return rj_address_ipv4(bytes, 8050);
}

/* Knows `boot`, at host 0, and nobody else. */
static int system_resolve(rj_resolver_t *resolver, const char *name, uint16_t family,
                          rj_resolve_reason_t reason, rj_address_t *ret, rj_err_t *err)
{
    (void)resolver;
    (void)family;
    (void)reason;
    system_calls++;
    if (strcmp(name, "boot") != 0)
        return rj_fail_aeron(err, -ENOENT, RJ_ERROR_UNKNOWN_HOST, "Unable to resolve host=(%s)",
                             name);
    *ret = host(0);
    ret->port = 0;
    return 0;
}

static const rj_resolver_ops_t system_ops = {.name = "system", .resolve = system_resolve};
static rj_resolver_t system_resolver = {.ops = &system_ops};

static void on_invalid(void *state)
{
    ((node_t *)state)->invalid++;
}

static void on_bootstrap(void *state, int index, const rj_address_t *address)
{
    (void)index;
    ((node_t *)state)->resolved += address != NULL;
}

static void on_report(void *state, rj_resolver_trouble_t trouble, const rj_err_t *err)
{
    node_t *self = state;
    self->noted += trouble == RJ_RESOLVER_NOTED;
    self->failed += trouble == RJ_RESOLVER_FAILED;
    snprintf(self->last_report, sizeof(self->last_report), "%.250s", err->text);
}

static node_t *open_node(const char *name, const char *bootstraps)
{
    node_t *self = &nodes[node_count];
    *self = (node_t){.wire.ops = &wire_ops};
    self->seen_as = host((uint8_t)node_count++);
    self->wire.local = self->seen_as;
    rj_gossip_params_t params = {.name = name,
                                 .bootstraps = bootstraps,
                                 .wire = &self->wire,
                                 .system = &system_resolver,
                                 .frame_bytes_max = 1408,
                                 .neighbor_timeout_ns = 10 * SECOND_NS,
                                 .self_interval_ns = SECOND_NS,
                                 .neighbor_interval_ns = 2 * SECOND_NS,
                                 .bootstrap_interval_ns = 10 * SECOND_NS,
                                 .watch = {.neighbor_count = &self->neighbors,
                                           .name_count = &self->names,
                                           .state = self,
                                           .on_invalid = on_invalid,
                                           .on_bootstrap = on_bootstrap,
                                           .report = on_report}};
    for (int i = 0; i < RJ_GOSSIP_BOOTSTRAPS_MAX; i++)
        params.watch.bootstraps[i] = &self->bootstraps[i];
    rj_err_t err;
    cr_assert_eq(rj_resolver_gossip_open(&self->resolver, &params, &err), 0, "%s", err.text);
    return self;
}

static void run_for(int64_t duration_ns)
{
    for (int64_t end_ns = now_ns + duration_ns; now_ns < end_ns; now_ns += RJ_GOSSIP_STEP_NS) {
        for (int i = 0; i < node_count; i++)
            nodes[i].resolver->ops->do_work(nodes[i].resolver, now_ns);
    }
}

static void close_nodes(void)
{
    for (int i = 0; i < node_count; i++)
        rj_resolver_gossip_close(nodes[i].resolver);
}

TestSuite(resolve_gossip, .fini = close_nodes);

/* The number of the host that a name leads to; -1: to none. */
static int resolve(const node_t *self, const char *name)
{
    rj_address_t found;
    rj_err_t err;
    if (self->resolver->ops->resolve(self->resolver, name, AF_UNSPEC, RJ_RESOLVE_FIRST, &found,
                                     &err) < 0) {
        cr_expect_eq(err.aeron_code, RJ_ERROR_UNKNOWN_HOST);
        return -1;
    }
    cr_expect_eq(found.port, 0);
    return found.bytes[3];
}

static void give(node_t *self, const uint8_t *bytes, size_t length, const rj_address_t *source)
{
    datagram_t *datagram = &self->queue[self->count++];
    datagram->source = *source;
    datagram->length = (int)length;
    memcpy(datagram->bytes, bytes, length);
}

/* --- tests --- */

Test(resolve_gossip, tells_names_to_the_first_host_and_through_it_to_all)
{
    node_t *a = open_node("A", "");
    node_t *b = open_node("B", "boot:8050");
    node_t *c = open_node("C", "boot:8050");
    run_for(100 * MS);
    cr_expect_eq(a->names, 2);
    cr_expect_eq(resolve(a, "B"), 1);
    cr_expect_eq(resolve(a, "C"), 2);
    cr_expect_eq(resolve(b, "C"), -1, "nobody has told b yet");
    run_for(3 * SECOND_NS);
    cr_expect_eq(resolve(b, "C"), 2);
    cr_expect_eq(resolve(c, "B"), 1);
    cr_expect_eq(resolve(c, "A"), 0);
    for (int i = 0; i < node_count; i++) {
        cr_expect_eq(nodes[i].names, 2);
        cr_expect_eq(nodes[i].neighbors, 2);
    }
    cr_expect_eq(b->bootstraps[0], 1);
}

Test(resolve_gossip, knows_itself_and_asks_the_system_for_what_no_driver_is_called)
{
    node_t *a = open_node("A", "");
    cr_expect_eq(resolve(a, "A"), 0);
    system_calls = 0;
    cr_expect_eq(resolve(a, "boot"), 0);
    cr_expect_eq(resolve(a, "AA"), -1);
    cr_expect_eq(system_calls, 2);
}

Test(resolve_gossip, forgets_a_driver_that_says_nothing_for_the_timeout)
{
    node_t *a = open_node("A", "");
    node_t *b = open_node("B", "boot:8050");
    run_for(3 * SECOND_NS);
    cr_assert_eq(a->names, 1);
    cr_assert_eq(b->bootstraps[0], 1);
    a->is_deaf = true;
    run_for(8500 * MS);
    cr_expect_eq(a->names, 1, "its last sign was not 10 s ago");
    run_for(2 * SECOND_NS);
    cr_expect_eq(a->names, 0);
    cr_expect_eq(a->neighbors, 0);
    cr_expect_eq(resolve(a, "B"), -1);
    a->is_deaf = false;
    run_for(2 * SECOND_NS);
    cr_expect_eq(resolve(a, "B"), 1);
}

/* Of who is dead everybody goes on telling; the age that is told ends it. */
Test(resolve_gossip, does_not_keep_the_dead_alive_by_talking)
{
    node_t *a = open_node("A", "");
    node_t *b = open_node("B", "boot:8050");
    open_node("C", "boot:8050");
    run_for(4 * SECOND_NS);
    cr_assert_eq(resolve(b, "C"), 2);
    rj_resolver_gossip_close(nodes[2].resolver);
    node_count = 2;
    run_for(11 * SECOND_NS);
    cr_expect_eq(resolve(a, "C"), -1);
    cr_expect_eq(resolve(b, "C"), -1);
    cr_expect_eq(a->names, 1);
    cr_expect_eq(b->neighbors, 1);
}

Test(resolve_gossip, begins_with_any_host_that_answers_and_goes_on_without_the_others)
{
    node_t *a = open_node("A", "");
    node_t *b = open_node("B", "nowhere:1,10.0.0.9:8050,boot:8050");
    run_for(100 * MS);
    cr_expect_eq(resolve(a, "B"), 1);
    cr_expect_eq(b->noted, 1);
    cr_expect_eq(b->failed, 0);
    cr_expect_not_null(strstr(b->last_report, "bootstrap_neighbor=nowhere:1"), "%s",
                       b->last_report);
    cr_expect_eq(b->resolved, 2);
    run_for(2 * SECOND_NS);
    cr_expect_eq(b->bootstraps[0], 0);
    cr_expect_eq(b->bootstraps[1], 0);
    cr_expect_eq(b->bootstraps[2], 1);
    run_for(10 * SECOND_NS);
    cr_expect_eq(b->noted, 2, "asked for again");
    cr_expect_eq(b->resolved, 3, "not those that are heard of");
}

Test(resolve_gossip, puts_the_source_in_the_place_of_an_address_that_is_any)
{
    node_t *a = open_node("A", "");
    node_t *b = open_node("B", "boot:8050");
    b->wire.local = rj_address_wildcard(AF_INET);
    b->wire.local.port = b->seen_as.port;
    run_for(3 * SECOND_NS);
    cr_expect_eq(resolve(a, "B"), 1);
    cr_expect_eq(b->names, 1, "and is answered there");
}

Test(resolve_gossip, says_nothing_where_nobody_is_known)
{
    node_t *a = open_node("A", "");
    run_for(5 * SECOND_NS);
    cr_expect_eq(a->sent, 0);
}

Test(resolve_gossip, ignores_its_own_entry_that_others_tell)
{
    node_t *a = open_node("A", "boot:8050");
    run_for(3 * SECOND_NS);
    cr_expect_gt(a->sent, 0, "to itself");
    cr_expect_eq(a->names, 0);
    cr_expect_eq(a->neighbors, 0);
    cr_expect_eq(a->invalid, 0);
}

Test(resolve_gossip, counts_frames_that_it_cannot_read_and_keeps_what_came_before)
{
    node_t *a = open_node("A", "");
    uint8_t frame[256];
    const rj_address_t source = host(9);
    rj_gossip_entry_t entry = {.address = host(5), .name_length = 1, .name = "X"};
    size_t length = rj_gossip_write_entry(frame, rj_gossip_write_header(frame), 256, &entry);
    entry.name = "Y";
    length = rj_gossip_write_entry(frame, length, 256, &entry);
    frame[24 + 12] = 0; /* the second name's length */
    give(a, frame, length, &source);
    give(a, frame, 7, &source);
    run_for(100 * MS);
    cr_expect_eq(a->invalid, 2);
    cr_expect_eq(resolve(a, "X"), 5);
    cr_expect_eq(resolve(a, "Y"), -1);
    frame[24] = 9; /* type of its address */
    give(a, frame, length, &source);
    run_for(100 * MS);
    cr_expect_eq(a->invalid, 2);
    cr_expect_eq(a->failed, 1);
    cr_expect_not_null(strstr(a->last_report, "10.0.0.9:8050"));
}

Test(resolve_gossip, takes_an_age_from_the_future_for_now)
{
    node_t *a = open_node("A", "");
    uint8_t frame[64];
    const rj_gossip_entry_t entry = {
        .address = host(5), .age_ms = INT32_MIN, .name_length = 1, .name = "X"};
    give(a, frame, rj_gossip_write_entry(frame, rj_gossip_write_header(frame), 64, &entry),
         &entry.address);
    run_for(9 * SECOND_NS);
    cr_expect_eq(resolve(a, "X"), 5);
    run_for(2 * SECOND_NS);
    cr_expect_eq(resolve(a, "X"), -1);
}

/* Names are passed on in frames of one MTU; one that fits none of them holds up no other. */
Test(resolve_gossip, passes_on_more_names_than_one_frame_holds)
{
    node_t *a = open_node("A", "");
    node_t *b = open_node("B", "boot:8050");
    char name[RJ_GOSSIP_NAME_MAX + 1];
    uint8_t frame[1500];
    for (int i = 0; i < 30; i++) {
        snprintf(name, sizeof(name), "%0200d", i);
        const rj_gossip_entry_t entry = {
            .address = host(7), .name_length = (uint16_t)strlen(name), .name = name};
        give(a, frame, rj_gossip_write_entry(frame, rj_gossip_write_header(frame), 1500, &entry),
             &entry.address);
    }
    run_for(3 * SECOND_NS);
    cr_expect_eq(a->names, 31);
    cr_expect_eq(b->names, 31);
    snprintf(name, sizeof(name), "%0200d", 29);
    cr_expect_eq(resolve(b, name), 7);
}

Test(resolve_gossip, tells_what_cannot_be_sent)
{
    node_t *a = open_node("A", "boot:8050");
    a->send_errno = ENETUNREACH;
    run_for(100 * MS);
    cr_expect_eq(a->failed, 1);
    cr_expect_not_null(strstr(a->last_report, "10.0.0.0:8050"));
}

Test(resolve_gossip, refuses_lists_that_are_none)
{
    rj_err_t err;
    char list[RJ_GOSSIP_BOOTSTRAPS_MAX * 8 + 8] = "a:1";
    cr_expect_eq(rj_gossip_check_bootstraps("", &err), 0);
    cr_expect_eq(rj_gossip_check_bootstraps("a:1,b:2,[::1]:3", &err), 3);
    cr_expect_eq(rj_gossip_check_bootstraps("a", &err), -EINVAL);
    cr_expect_eq(rj_gossip_check_bootstraps("a:1,,b:2", &err), -EINVAL);
    for (int i = 1; i < RJ_GOSSIP_BOOTSTRAPS_MAX; i++)
        strcat(list, ",a:1");
    cr_expect_eq(rj_gossip_check_bootstraps(list, &err), RJ_GOSSIP_BOOTSTRAPS_MAX);
    strcat(list, ",a:1");
    cr_expect_eq(rj_gossip_check_bootstraps(list, &err), -EINVAL);
    char text[RJ_RESOLVER_TEXT_BYTES];
    rj_gossip_bootstrap_text("a:1,b:2,[::1]:3", 2, text);
    cr_expect_str_eq(text, "[::1]:3");
}

Test(gossip_socket, carries_frames_over_loopback)
{
    static const uint8_t loopback[4] = {127, 0, 0, 1};
    const rj_address_t bind = rj_address_ipv4(loopback, 0);
    rj_gossip_wire_t *one, *other, *third;
    rj_address_t source;
    uint8_t bytes[16] = {0};
    rj_err_t err;
    cr_assert_eq(rj_gossip_socket_open(NULL, &bind, &one, &err), 0, "%s", err.text);
    cr_assert_eq(rj_gossip_socket_open(NULL, &bind, &other, &err), 0, "%s", err.text);
    cr_assert_neq(one->local.port, 0);
    cr_expect_eq(other->ops->receive(other, bytes, sizeof(bytes), &source), 0);
    cr_assert_eq(one->ops->send(one, &other->local, (const uint8_t *)"hello", 5), 0);
    int length = 0;
    const int64_t give_up_ns = rj_clock_mono_ns() + 5 * SECOND_NS;
    while (length == 0 && rj_clock_mono_ns() < give_up_ns)
        length = other->ops->receive(other, bytes, sizeof(bytes), &source);
    cr_expect_eq(length, 5);
    cr_expect_arr_eq(bytes, "hello", 5);
    cr_expect(rj_address_equal(&source, &one->local));
    cr_expect_eq(rj_gossip_socket_open(NULL, &one->local, &third, &err), -EADDRINUSE);
    cr_expect_not_null(strstr(err.text, "Address already in use"));
    one->ops->close(one);
    other->ops->close(other);
}
