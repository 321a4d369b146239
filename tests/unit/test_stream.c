/* SPDX-License-Identifier: Apache-2.0 */
/* A publication and an image with a bad wire between them: whatever is lost, doubled, delayed or
 * reordered, the reader gets every byte, and the wire is not flooded. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/prng.h"
#include "shm/term_append.h"
#include "shm/term_frame.h"
#include "stream/network_image.h"
#include "stream/network_publication.h"
#include "tests/fixtures/stream_log.h"

enum {
    TERM = 64 * 1024,
    MTU = STREAM_LOG_MTU,
    STEP_NS = 5 * 1000,
    DATAGRAM_MAX = 2048,
    WIRE_MAX = 4096, /* datagrams under way in one direction */
};

static const int64_t ms = 1000 * 1000;
static const int64_t s = 1000 * 1000 * 1000;

typedef struct datagram {
    int64_t arrival_ns;
    uint32_t length;
    uint8_t bytes[DATAGRAM_MAX];
} datagram_t;

typedef struct wire {
    datagram_t under_way[WIRE_MAX];
    int count;
    int64_t lost;
    int64_t carried;
} wire_t;

typedef struct scenario {
    uint64_t seed;
    double loss; /* in both directions */
    double duplication;
    double reordering;
    int64_t delay_ns; /* one way */
    int64_t bytes;
    int32_t message_max;
    int32_t window_bytes;
    bool is_short_of_queue; /* the port takes a part only, now and then */
    bool is_reliable;
} scenario_t;

typedef struct world {
    const scenario_t *scenario;
    rj_prng_t prng;
    int64_t now_ns;
    wire_t forth;
    wire_t back;
    rj_log_t sender_log;
    rj_log_t receiver_log;
    struct {
        int64_t pub_pos, pub_lmt, snd_pos, snd_lmt, snd_bpe, naks_in, hwm, rcv_pos, naks_out, sub;
    } words;
    rj_network_publication_t publication;
    rj_network_image_t image;
    rj_network_image_work_t work;
    rj_subscriber_position_t reader;
    int connection;
    int64_t published;
    int64_t sent_bytes;
    int64_t resent_bytes;
    int64_t gaps_filled;
    bool is_busy; /* something happened in this turn */
} world_t;

static world_t *world;

static void carry(wire_t *wire, const void *bytes, uint32_t length)
{
    const scenario_t *scenario = world->scenario;
    wire->carried++;
    world->is_busy = true;
    if (rj_prng_chance(&world->prng, scenario->loss)) {
        wire->lost++;
        return;
    }
    int copies = rj_prng_chance(&world->prng, scenario->duplication) ? 2 : 1;
    for (int i = 0; i < copies && wire->count < WIRE_MAX; i++) {
        datagram_t *datagram = &wire->under_way[wire->count++];
        datagram->arrival_ns = world->now_ns + scenario->delay_ns;
        if (rj_prng_chance(&world->prng, scenario->reordering))
            datagram->arrival_ns += rj_prng_between(&world->prng, 0, scenario->delay_ns);
        datagram->length = length;
        memcpy(datagram->bytes, bytes, length);
    }
}

/* Takes the earliest datagram that has arrived; the first of two that arrive together. */
static bool arrive(wire_t *wire, datagram_t *ret)
{
    int best = -1;
    for (int i = 0; i < wire->count; i++) {
        if (wire->under_way[i].arrival_ns <= world->now_ns &&
            (best < 0 || wire->under_way[i].arrival_ns < wire->under_way[best].arrival_ns))
            best = i;
    }
    if (best < 0)
        return false;
    world->is_busy = true;
    *ret = wire->under_way[best];
    wire->count--;
    memmove(&wire->under_way[best], &wire->under_way[best + 1],
            (size_t)(wire->count - best) * sizeof(wire->under_way[0]));
    return true;
}

/* A port whose queue is full now and then. */
static int put_on_wire(rj_run_t *runs, int count)
{
    for (int i = 0; i < count; i++) {
        rj_run_t *run = &runs[i];
        run->result = 0;
        while (run->result < (int32_t)run->total_bytes) {
            if (world->scenario->is_short_of_queue && rj_prng_chance(&world->prng, 0.02))
                return i + 1;
            uint32_t length = run->total_bytes - (uint32_t)run->result;
            if (length > run->segment_bytes)
                length = run->segment_bytes;
            carry(&world->forth, run->start + run->result, length);
            run->result += (int32_t)length;
        }
    }
    return count;
}

static void offer(void)
{
    static uint8_t bytes[8192];
    if (world->published >= world->scenario->bytes)
        return;
    int32_t length = (int32_t)rj_prng_between(&world->prng, 0, world->scenario->message_max);
    for (int32_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)rj_prng_next(&world->prng);
    struct iovec part = {bytes, (size_t)length};
    int64_t result = rj_append_shared(&world->sender_log, world->words.pub_lmt, &part, 1, 0);
    world->is_busy |= result > 0 || result == RJ_APPEND_ADMIN_ACTION;
    if (result > 0)
        world->published = result;
}

static void sender_turn(void)
{
    rj_network_publication_t *publication = &world->publication;
    rj_run_t runs[RJ_NETWORK_PUBLICATION_RUNS_MAX];
    rj_wire_setup_t setup;
    rj_wire_data_t heartbeat;
    rj_wire_rttm_t rttm;
    rj_network_publication_setup(publication, &setup, world->now_ns);
    int count = rj_network_publication_collect(publication, runs, RJ_NETWORK_PUBLICATION_RUNS_MAX);
    int64_t sent =
        rj_network_publication_commit(publication, runs, put_on_wire(runs, count), world->now_ns);
    world->sent_bytes += sent;
    if (sent == 0 && rj_network_publication_idle(publication, &heartbeat, world->now_ns))
        carry(&world->forth, &heartbeat, sizeof(heartbeat));
    count = rj_network_publication_collect_resends(publication, runs,
                                                   RJ_NETWORK_PUBLICATION_RUNS_MAX, world->now_ns);
    world->resent_bytes += rj_network_publication_commit_resends(
        publication, runs, put_on_wire(runs, count), world->now_ns);
    if (rj_network_publication_rttm(publication, &rttm, world->now_ns))
        carry(&world->forth, &rttm, sizeof(rttm));

    static datagram_t datagram;
    while (arrive(&world->back, &datagram)) {
        const rj_wire_frame_t *frame = (const rj_wire_frame_t *)datagram.bytes;
        if (frame->type == RJ_FRAME_TYPE_SM)
            rj_network_publication_on_sm(publication, (const rj_wire_sm_t *)datagram.bytes,
                                         world->now_ns);
        else if (frame->type == RJ_FRAME_TYPE_NAK)
            rj_network_publication_on_nak(publication, (const rj_wire_nak_t *)datagram.bytes, 0,
                                          world->now_ns);
        else
            rj_network_publication_on_rttm(publication, (const rj_wire_rttm_t *)datagram.bytes,
                                           world->now_ns);
    }
}

static void receiver_turn(void)
{
    static datagram_t datagram;
    while (arrive(&world->forth, &datagram)) {
        rj_wire_rttm_t rttm;
        const rj_wire_frame_t *frame = (const rj_wire_frame_t *)datagram.bytes;
        if (frame->type == RJ_FRAME_TYPE_RTTM) {
            memcpy(&rttm, datagram.bytes, sizeof(rttm));
            rttm.flags = 0;
            carry(&world->back, &rttm, sizeof(rttm));
            continue;
        }
        rj_network_image_insert_t result = rj_network_image_insert(
            &world->image, world->connection, datagram.bytes, datagram.length, world->now_ns);
        cr_assert_neq(result, RJ_NETWORK_IMAGE_INVALID);
    }
    int64_t rcv_pos = world->words.rcv_pos;
    int64_t hwm = world->words.hwm;
    rj_network_image_track(&world->image, &world->work, world->now_ns);
    cr_assert_geq(world->words.rcv_pos, rcv_pos);
    cr_assert_geq(world->words.hwm, hwm);
    cr_assert_leq(world->words.rcv_pos, world->words.hwm);
    world->gaps_filled += world->work.gaps_filled;
    if (world->work.sm_is_due)
        carry(&world->back, &world->work.sm, world->work.sm_length_bytes);
    for (int i = 0; i < world->work.nak_count; i++)
        carry(&world->back, &world->work.naks[i], RJ_NAK_BYTES);
}

/* Reads like a client, as far as it likes, and holds every byte to what was published. The sender
 * keeps a term behind its position, so that what is compared is still there. */
static void read_some(void)
{
    int64_t position = world->words.sub;
    int frames = (int)rj_prng_between(&world->prng, 1, 60);
    while (frames-- > 0) {
        int32_t offset = rj_position_term_offset(position, TERM - 1);
        const uint8_t *got = rj_log_term(&world->receiver_log, position);
        int32_t length = rj_frame_length(got, offset);
        if (length <= 0)
            break;
        const uint8_t *sent = rj_log_term(&world->sender_log, position);
        bool is_padding = rj_frame_type(got, offset) == RJ_FRAME_TYPE_PAD;
        if (world->scenario->is_reliable || !is_padding)
            cr_assert_arr_eq(got + offset, sent + offset,
                             is_padding ? RJ_DATA_HEADER_BYTES : (size_t)length);
        position += rj_frame_aligned_length(length);
    }
    world->is_busy |= position != world->words.sub;
    rj_store_release_i64(&world->words.sub, position);
}

static void open_world(const scenario_t *scenario)
{
    world = calloc(1, sizeof(*world));
    world->scenario = scenario;
    world->now_ns = 1000 * s;
    rj_prng_init(&world->prng, scenario->seed);
    stream_log_open(&world->sender_log, RJ_LOG_TYPE_CONCURRENT_PUBLICATION, TERM, MTU, 0);
    stream_log_open(&world->receiver_log, RJ_LOG_TYPE_IMAGE, TERM, MTU, 0);
    rj_network_publication_config_t publication = {
        .session_id = STREAM_LOG_SESSION,
        .stream_id = STREAM_LOG_STREAM,
        .term_window_bytes = TERM / 2,
        .datagrams_max = RJ_NETWORK_PUBLICATION_DATAGRAMS_MAX,
        .linger_ns = 5 * s,
        .connection_timeout_ns = 5 * s,
        .unblock_timeout_ns = 15 * s,
        .flow_control = {.ops = &rj_flow_control_unicast,
                         .resend_window_multiple = RJ_FLOW_CONTROL_RESEND_WINDOWS_UNICAST},
        .retransmit = {.slot_count = RJ_RETRANSMIT_SLOTS_UNICAST, .linger_ns = 10 * ms},
        .signal_eos = true,
    };
    rj_network_publication_counters_t send = {&world->words.pub_pos,
                                              &world->words.pub_lmt,
                                              &world->words.snd_pos,
                                              &world->words.snd_lmt,
                                              &world->words.snd_bpe,
                                              &world->words.naks_in,
                                              NULL};
    rj_network_publication_init(&world->publication, &publication, &send, &world->sender_log, NULL,
                                world->now_ns);
    rj_network_image_config_t image = {
        .session_id = STREAM_LOG_SESSION,
        .stream_id = STREAM_LOG_STREAM,
        .window_bytes = scenario->window_bytes,
        .sm_timeout_ns = 200 * ms,
        .liveness_timeout_ns = 10 * s,
        .receiver_id = 5,
        .is_reliable = scenario->is_reliable,
        .loss = {.delay_ns = 1000, .retry_ns = 100 * 1000},
        .congestion = {.ops = &rj_congestion_static, .mtu = MTU},
    };
    rj_network_image_counters_t receive = {&world->words.hwm, &world->words.rcv_pos,
                                           &world->words.naks_out};
    rj_network_image_init(&world->image, &image, &receive, &world->receiver_log, world->now_ns);
    world->reader.counter = &world->words.sub;
    rj_network_image_add_subscriber(&world->image, &world->reader);
    world->connection = rj_network_image_add_connection(&world->image, 1, NULL, world->now_ns);
}

static void close_world(void)
{
    rj_log_close(&world->sender_log);
    rj_log_close(&world->receiver_log);
    free(world);
    world = NULL;
}

static int64_t earlier(int64_t a_ns, int64_t b_ns)
{
    return a_ns < b_ns ? a_ns : b_ns;
}

/* A turn's time; or, when nobody had anything to do, all the time until somebody says that he
 * will. */
static void pass_time(void)
{
    int64_t next_ns = world->now_ns + STEP_NS;
    if (!world->is_busy) {
        int64_t due_ns = earlier(rj_network_publication_deadline_ns(&world->publication),
                                 rj_network_image_deadline_ns(&world->image));
        for (int i = 0; i < world->forth.count; i++)
            due_ns = earlier(due_ns, world->forth.under_way[i].arrival_ns);
        for (int i = 0; i < world->back.count; i++)
            due_ns = earlier(due_ns, world->back.under_way[i].arrival_ns);
        next_ns = due_ns > next_ns ? due_ns : next_ns;
    }
    world->now_ns = next_ns;
}

/* Until the reader has read everything; returns the time it took. */
static int64_t run(int64_t limit_ns)
{
    int64_t start_ns = world->now_ns;
    while (world->published < world->scenario->bytes || world->words.sub < world->published) {
        cr_assert_lt(world->now_ns, start_ns + limit_ns,
                     "seed %lu: published %ld, sent %ld, complete %ld, read %ld",
                     (unsigned long)world->scenario->seed, (long)world->published,
                     (long)world->words.snd_pos, (long)world->words.rcv_pos,
                     (long)world->words.sub);
        world->is_busy = false;
        for (int i = 0; i < 8; i++)
            offer();
        world->is_busy |= rj_network_publication_update_limit(&world->publication) != 0;
        sender_turn();
        receiver_turn();
        read_some();
        pass_time();
    }
    cr_assert_not(world->publication.is_broken);
    cr_assert_eq(world->image.bad_position_count, 0);
    return world->now_ns - start_ns;
}

Test(stream, arrives_whole_over_a_perfect_wire_without_a_nak)
{
    scenario_t scenario = {.seed = 1,
                           .delay_ns = 50 * 1000,
                           .bytes = 1000 * 1000,
                           .message_max = 8000,
                           /* Padding at a term's end may pass half a term by a message's length. */
                           .window_bytes = TERM / 2 - TERM / 8 - MTU,
                           .is_reliable = true};
    open_world(&scenario);
    run(5 * s);
    cr_assert_eq(world->publication.stats.naks_received, 0);
    cr_assert_eq(world->resent_bytes, 0);
    close_world();
}

Test(stream, is_repaired_whatever_the_wire_does_to_it)
{
    static const double losses[] = {0.01, 0.1, 0.3};
    for (uint64_t seed = 1; seed <= 120; seed++) {
        scenario_t scenario = {.seed = seed,
                               .loss = losses[seed % 3],
                               .duplication = 0.1,
                               .reordering = 0.1,
                               .delay_ns = seed % 2 == 0 ? 30 * 1000 : 2 * ms,
                               .bytes = 400 * 1000,
                               .message_max = seed % 5 == 0 ? 100 : 5000,
                               .window_bytes = TERM / 2,
                               .is_short_of_queue = seed % 4 == 0,
                               .is_reliable = true};
        open_world(&scenario);
        run(10 * s);
        /* Lost resends are lost again, and an early NAK doubles one: no storm is three times this.
         */
        double share = scenario.loss / (1 - scenario.loss) + scenario.reordering;
        cr_assert_lt((double)world->resent_bytes, 3 * share * (double)world->sent_bytes + 65536,
                     "seed %lu: %ld resent of %ld", (unsigned long)seed, (long)world->resent_bytes,
                     (long)world->sent_bytes);
        close_world();
    }
}

Test(stream, goes_on_over_gaps_where_it_is_unreliable)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        scenario_t scenario = {.seed = seed,
                               .loss = 0.1,
                               .reordering = 0.05,
                               .delay_ns = 30 * 1000,
                               .bytes = 400 * 1000,
                               .message_max = 3000,
                               .window_bytes = TERM / 2};
        open_world(&scenario);
        run(20 * s);
        cr_assert_gt(world->gaps_filled, 0);
        cr_assert_eq(world->publication.stats.naks_received, 0);
        close_world();
    }
}

Test(stream, does_not_flood_a_long_path)
{
    scenario_t scenario = {.seed = 3,
                           .loss = 0.05,
                           .delay_ns = 50 * ms,
                           .bytes = 400 * 1000,
                           .message_max = 5000,
                           .window_bytes = TERM / 2,
                           .is_reliable = true};
    open_world(&scenario);
    run(60 * s);
    cr_assert_lt(world->resent_bytes, world->sent_bytes / 5, "%ld", (long)world->resent_bytes);
    int64_t lost = world->forth.lost;
    cr_assert_lt(world->publication.stats.naks_received, 3 * lost + 30, "%ld naks, %ld lost",
                 (long)world->publication.stats.naks_received, (long)lost);
    close_world();
}
