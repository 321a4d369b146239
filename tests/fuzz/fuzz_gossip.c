/* SPDX-License-Identifier: Apache-2.0 */
/* What anybody may do to a resolver by datagrams: it stays within its tables, and whatever it tells
 * others afterwards can be read. The input is frames, each behind two bytes of its length and a
 * byte of time to pass; the fuzzer's buffer is exactly as long, so sanitizers watch the reads. */
#include "name/resolve_gossip.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "name/gossip_cache.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FRAME_BYTES_MAX = 1408, FRAME_HEADER = 3, TICK_NS = 100000000 };

typedef struct fuzz_wire {
    rj_gossip_wire_t wire; /* first member */
    const uint8_t *data;
    size_t size;
    int64_t passed_ns;
} fuzz_wire_t;

static int64_t neighbor_count, name_count, bootstrap_count;

static int wire_receive(rj_gossip_wire_t *wire, uint8_t *bytes, size_t capacity,
                        rj_address_t *ret_source)
{
    static const uint8_t source[4] = {10, 0, 0, 9};
    fuzz_wire_t *self = (fuzz_wire_t *)wire;
    if (self->size <= FRAME_HEADER)
        return 0;
    size_t length = (size_t)self->data[0] << 8 | self->data[1];
    self->passed_ns += self->data[2] * (int64_t)TICK_NS;
    self->data += FRAME_HEADER;
    self->size -= FRAME_HEADER;
    length = length < self->size ? length : self->size;
    length = length < capacity ? length : capacity;
    memcpy(bytes, self->data, length);
    self->data += length;
    self->size -= length;
    *ret_source = rj_address_ipv4(source, 8050);
    return (int)length;
}

/* Others must be able to read it to its end. */
static int wire_send(rj_gossip_wire_t *wire, const rj_address_t *to, const uint8_t *bytes,
                     size_t length)
{
    rj_gossip_reader_t reader;
    rj_gossip_entry_t entry;
    rj_gossip_read_t result;
    (void)wire;
    assert(to->family == AF_INET && length <= FRAME_BYTES_MAX);
    assert(rj_gossip_reader_init(&reader, bytes, length));
    while ((result = rj_gossip_read(&reader, &entry)) == RJ_GOSSIP_ENTRY)
        assert(entry.age_ms >= 0);
    assert(result == RJ_GOSSIP_END);
    return 0;
}

static void wire_close(rj_gossip_wire_t *wire)
{
    (void)wire;
}

static int resolve_nothing(rj_resolver_t *resolver, const char *host, uint16_t family,
                           rj_resolve_reason_t reason, rj_address_t *ret, rj_err_t *err)
{
    (void)resolver;
    (void)family;
    (void)reason;
    (void)ret;
    return rj_fail(err, -2, "Unable to resolve host=(%s)", host);
}

static void on_invalid(void *state)
{
    (void)state;
}

static void on_bootstrap(void *state, int index, const rj_address_t *address)
{
    (void)state;
    (void)index;
    (void)address;
}

static void on_report(void *state, rj_resolver_trouble_t trouble, const rj_err_t *err)
{
    (void)state;
    (void)trouble;
    (void)err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const rj_gossip_wire_ops_t wire_ops = {wire_send, wire_receive, wire_close};
    static const rj_resolver_ops_t system_ops = {.name = "none", .resolve = resolve_nothing};
    static const uint8_t local[4] = {10, 0, 0, 1};
    rj_resolver_t system_resolver = {.ops = &system_ops};
    fuzz_wire_t wire = {.wire = {.ops = &wire_ops, .local = rj_address_ipv4(local, 8050)},
                        .data = data,
                        .size = size};
    const rj_gossip_params_t params = {.name = "A",
                                       .bootstraps = "boot:1",
                                       .wire = &wire.wire,
                                       .system = &system_resolver,
                                       .frame_bytes_max = FRAME_BYTES_MAX,
                                       .neighbor_timeout_ns = INT64_C(10000000000),
                                       .self_interval_ns = INT64_C(1000000000),
                                       .neighbor_interval_ns = INT64_C(2000000000),
                                       .bootstrap_interval_ns = INT64_C(10000000000),
                                       .watch = {.neighbor_count = &neighbor_count,
                                                 .name_count = &name_count,
                                                 .bootstraps = {&bootstrap_count},
                                                 .on_invalid = on_invalid,
                                                 .on_bootstrap = on_bootstrap,
                                                 .report = on_report}};
    rj_resolver_t *resolver;
    rj_address_t found;
    if (rj_resolver_gossip_open(&resolver, &params, NULL) < 0)
        abort();
    int64_t now_ns = 0;
    for (size_t left = wire.size + 1; left != wire.size;) {
        left = wire.size;
        resolver->ops->do_work(resolver, now_ns);
        now_ns += RJ_GOSSIP_STEP_NS + wire.passed_ns;
        wire.passed_ns = 0;
        assert(name_count >= 0 && name_count <= RJ_GOSSIP_NAMES_MAX);
        assert(neighbor_count >= 0 && neighbor_count <= RJ_GOSSIP_NEIGHBORS_MAX);
        (void)resolver->ops->resolve(resolver, "B", AF_UNSPEC, RJ_RESOLVE_FIRST, &found, NULL);
    }
    /* Nobody has said anything for long: nothing is left, whatever ages were told. */
    resolver->ops->do_work(resolver, now_ns + INT64_C(11000000000));
    assert(name_count == 0 && neighbor_count == 0);
    rj_resolver_gossip_close(resolver);
    return 0;
}
