/* SPDX-License-Identifier: Apache-2.0 */
/* What the port uring makes of runs, and of what the kernel answers. */
#include <criterion/criterion.h>
#include <errno.h>
#include <liburing.h>
#include <poll.h>

#include "tests/fixtures/uring_ports.h"
#include "transport/path.h"

TestSuite(uring_send, .init = open_ports, .fini = close_ports);

/* --- what the kernel answers --- */

/* What the next requests to send are answered: a negative errno instead of being done, or 1 for
 * what the kernel says; 0 ends the script. Loopback frees the sender's buffer at once, so that its
 * queue is never full by itself. */
static const int *send_script;
static int submit_calls;
static int submit_code;

/* Those whose answer is given here become requests to do nothing, in their place in the queue. */
static int take_over(struct io_uring *ring, uint64_t *user_data, int *answers)
{
    int count = 0;
    for (unsigned at = ring->sq.sqe_head; send_script != NULL && at != ring->sq.sqe_tail; at++) {
        struct io_uring_sqe *sqe = &ring->sq.sqes[at & *ring->sq.kring_mask];
        if (sqe->opcode != IORING_OP_SENDMSG || *send_script == 0)
            continue;
        const int answer = *send_script++;
        if (answer > 0)
            continue;
        const uint64_t kept = sqe->user_data;
        io_uring_prep_nop(sqe);
        sqe->user_data = kept;
        user_data[count] = kept;
        answers[count++] = answer;
    }
    return count;
}

int io_uring_submit(struct io_uring *ring)
{
    uint64_t user_data[64];
    int answers[64];
    submit_calls++;
    if (submit_code < 0)
        return submit_code;
    const int count = take_over(ring, user_data, answers);
    const int result = io_uring_submit_and_wait(ring, 0);
    struct io_uring_cqe *cqe;
    unsigned head;
    io_uring_for_each_cqe(ring, head, cqe)
    {
        for (int i = 0; i < count; i++)
            if (cqe->user_data == user_data[i])
                cqe->res = answers[i];
    }
    return result;
}

/* --- sending --- */

Test(uring_send, cuts_a_run_into_datagrams_of_which_the_last_is_shorter)
{
    rj_endpoint_t from, to;
    rj_path_t path;
    uint8_t bytes[1000];
    open_endpoint(&from);
    open_endpoint(&to);
    attach(receiver, &to);
    rj_path_init(&path, &from, &to.local, false);
    fill(bytes, sizeof(bytes), 1);
    send_one(&path, bytes, sizeof(bytes), 300);
    expect_stream(bytes, sizeof(bytes), 300, &from, &to);
    cr_assert_eq(stats_of(sender)->sent_datagrams, 4);
    cr_assert_eq(stats_of(sender)->sent_segmented, 1, "the kernel cuts");
    cr_assert_eq(stats_of(receiver)->received_datagrams, 4);
    close_endpoint(&from);
    close_endpoint(&to);
}

Test(uring_send, sends_runs_of_several_sockets_in_one_submission_and_numbers_them)
{
    rj_endpoint_t from[2], to[2];
    rj_path_t paths[2];
    for (int i = 0; i < 2; i++) {
        open_endpoint(&to[i]);
        const rj_socket_params_t params = {.bind = rj_address_ipv4(loopback, 0),
                                           .connect = to[i].local};
        open_with(&from[i], &params);
        attach(receiver, &to[i]);
        attach(sender, &from[i]);
        rj_path_init(&paths[i], &from[i], &to[i].local, true);
    }
    uint8_t bytes[6 * 32];
    rj_run_t runs[6];
    fill(bytes, sizeof(bytes), 9);
    for (int i = 0; i < 6; i++)
        runs[i] = run_of(&paths[i == 2 || i == 5], bytes + 32 * i, 32, 32);
    submit_calls = 0;
    cr_assert_eq(sender->ops->send(sender, runs, 4), 4);
    cr_assert_eq(submit_calls, 1);
    cr_assert_eq(sender->ops->send(sender, runs + 4, 2), 2);
    for (uint64_t i = 0; i < 6; i++) {
        cr_assert_eq(runs[i].result, 32);
        cr_assert_eq(runs[i].number, i);
    }
    cr_assert_eq(sender->ops->reclaim(sender), 6, "the kernel holds nothing of ours");
    static const int order[2][4] = {{0, 1, 3, 4}, {2, 5}};
    uint32_t seen[2] = {0, 0};
    while (seen[0] + seen[1] < 6 * 32) {
        const int got = poll_for_some(BATCH);
        for (int i = 0; i < got; i++) {
            const int at = packets[i].endpoint == &to[1];
            cr_assert(rj_address_equal(&packets[i].source, &from[at].local));
            for (uint32_t byte = 0; byte < packets[i].length_bytes; byte++, seen[at]++)
                cr_assert_eq(packets[i].data[byte],
                             bytes[32 * order[at][seen[at] / 32] + (int)(seen[at] % 32)]);
        }
    }
    for (int i = 0; i < 2; i++) {
        detach(receiver, &to[i]);
        detach(sender, &from[i]);
        close_endpoint(&from[i]);
        close_endpoint(&to[i]);
    }
}

/* Sends these runs to one address, of which the last goes by a path of its own. */
static void expect_messages(const uint32_t *totals, const uint32_t *segments, uint32_t count,
                            uint64_t messages)
{
    rj_endpoint_t from, to;
    rj_path_t paths[2];
    uint8_t bytes[4096];
    rj_run_t runs[8];
    uint32_t total = 0;
    open_endpoint(&from);
    open_endpoint(&to);
    attach(receiver, &to);
    fill(bytes, sizeof(bytes), 5);
    for (int i = 0; i < 2; i++)
        rj_path_init(&paths[i], &from, &to.local, false);
    for (uint32_t i = 0; i < count; total += totals[i++])
        runs[i] = run_of(&paths[i == count - 1], bytes + total, totals[i], segments[i]);
    cr_assert_leq(total, sizeof(bytes));
    const uint64_t before = stats_of(sender)->sent_segmented;
    cr_assert_eq(sender->ops->send(sender, runs, count), (int)count);
    for (uint32_t i = 0; i < count; i++)
        cr_assert_eq(runs[i].result, (int32_t)totals[i]);
    cr_assert_eq(stats_of(sender)->sent_segmented - before, messages);
    for (uint32_t at = 0; at < total;) {
        const int got = poll_for_some(BATCH);
        for (int i = 0; i < got; at += packets[i++].length_bytes)
            cr_assert_arr_eq(packets[i].data, bytes + at, packets[i].length_bytes);
    }
    detach(receiver, &to);
    close_endpoint(&from);
    close_endpoint(&to);
}

Test(uring_send, makes_one_message_of_runs_of_one_size)
{
    static const uint32_t totals[] = {400, 100, 100, 200, 60};
    static const uint32_t segments[] = {100, 100, 100, 100, 60};
    expect_messages(totals, segments, 5, 1);
}

Test(uring_send, makes_another_message_where_sizes_change)
{
    static const uint32_t totals[] = {400, 150, 150, 100, 250, 100};
    static const uint32_t segments[] = {100, 150, 150, 100, 100, 100};
    /* 100 x 4; 150 x 2 and 100; 100 x 2 and 50; 100 alone. */
    expect_messages(totals, segments, 6, 3);
}

Test(uring_send, cuts_no_run_of_shorter_datagrams_as_if_they_were_longer)
{
    static const uint32_t totals[] = {200, 100};
    static const uint32_t segments[] = {100, 50};
    expect_messages(totals, segments, 2, 2);
}

Test(uring_send, sends_each_datagram_of_several_runs_where_messages_are_refused)
{
    static const int script[] = {-EINVAL, 1, 1, -EPERM, 1, 0};
    rj_endpoint_t from, to;
    rj_path_t path;
    uint8_t bytes[400];
    open_endpoint(&from);
    open_endpoint(&to);
    attach(receiver, &to);
    rj_path_init(&path, &from, &to.local, false);
    fill(bytes, sizeof(bytes), 5);
    rj_run_t runs[3] = {run_of(&path, bytes, 200, 100), run_of(&path, bytes + 200, 100, 100),
                        run_of(&path, bytes + 300, 100, 100)};
    send_script = script;
    cr_assert_eq(sender->ops->send(sender, runs, 3), 3);
    send_script = NULL;
    cr_assert_eq(runs[0].result, 200);
    cr_assert_eq(runs[1].result, -EPERM, "alone");
    cr_assert_eq(runs[2].result, 100);
    close_endpoint(&from);
    close_endpoint(&to);
}

Test(uring_send, takes_more_than_one_submission_holds)
{
    enum { RUNS = 400, BYTES = 40 };
    rj_endpoint_t from, to;
    rj_path_t path;
    static uint8_t bytes[RUNS * BYTES];
    static rj_run_t runs[RUNS];
    open_endpoint(&from);
    open_endpoint(&to);
    attach(receiver, &to);
    rj_path_init(&path, &from, &to.local, false);
    fill(bytes, sizeof(bytes), 3);
    for (int i = 0; i < RUNS; i++)
        runs[i] = run_of(&path, bytes + (size_t)i * BYTES, BYTES, BYTES);
    cr_assert_eq(sender->ops->send(sender, runs, RUNS), RUNS);
    for (int i = 0; i < RUNS; i++)
        cr_assert_eq(runs[i].result, BYTES);
    expect_stream(bytes, sizeof(bytes), BYTES, &from, &to);
    close_endpoint(&from);
    close_endpoint(&to);
}

Test(uring_send, carries_a_long_run_and_the_longest_datagram_over_ipv6)
{
    static const uint8_t loopback6[16] = {[15] = 1};
    static uint8_t bytes[2 * 65504];
    const rj_socket_params_t bound = {.bind = rj_address_ipv6(loopback6, 0, 0),
                                      .rcvbuf_bytes = 1 << 20};
    rj_socket_info_t probe;
    if (rj_sockets_kernel()->ops->open(rj_sockets_kernel(), &bound, &probe, NULL) < 0)
        cr_skip_test("no IPv6 on this machine");
    rj_sockets_kernel()->ops->close(rj_sockets_kernel(), probe.socket);
    rj_endpoint_t from, to;
    rj_path_t path;
    open_with(&to, &bound);
    const rj_socket_params_t connected = {
        .bind = bound.bind, .connect = to.local, .sndbuf_bytes = 1 << 20};
    open_with(&from, &connected);
    attach(receiver, &to);
    attach(sender, &from);
    rj_path_init(&path, &from, &to.local, true);
    fill(bytes, sizeof(bytes), 5);
    send_one(&path, bytes, sizeof(bytes), 65504);
    expect_stream(bytes, sizeof(bytes), 65504, &from, &to);
    send_one(&path, bytes, 100000, 1408);
    expect_stream(bytes, 100000, 1408, &from, &to);
    close_endpoint(&from);
    close_endpoint(&to);
}

Test(uring_send, sends_datagrams_that_must_be_fragmented_one_by_one)
{
    rj_endpoint_t from, to;
    rj_path_t path;
    static uint8_t bytes[3 * 40000];
    open_endpoint(&from);
    open_endpoint(&to);
    attach(receiver, &to);
    rj_path_init(&path, &from, &to.local, false);
    fill(bytes, sizeof(bytes), 8);
    /* On loopback nothing is too long; the answer is the kernel's where something is. */
    static const int script[] = {-EINVAL, 1, 1, 1, 0};
    send_script = script;
    send_one(&path, bytes, 3 * 20000, 20000);
    send_script = NULL;
    expect_stream(bytes, 3 * 20000, 20000, &from, &to);
    cr_assert_eq(stats_of(sender)->segment_refused, 1);
    const uint64_t segmented = stats_of(sender)->sent_segmented;
    send_one(&path, bytes, 3 * 20000, 20000);
    expect_stream(bytes, 3 * 20000, 20000, &from, &to);
    cr_assert_eq(stats_of(sender)->sent_segmented, segmented, "not tried again at once");
    send_one(&path, bytes, 3000, 1000);
    cr_assert_eq(stats_of(sender)->sent_segmented, segmented + 1, "shorter ones may pass");
    close_endpoint(&from);
    close_endpoint(&to);
}

Test(uring_send, lets_one_run_fail_alone)
{
    rj_endpoint_t from, to;
    rj_path_t path;
    static uint8_t bytes[200000];
    open_endpoint(&from);
    open_endpoint(&to);
    attach(receiver, &to);
    rj_path_init(&path, &from, &to.local, false);
    fill(bytes, 96, 5);
    /* Longer than any datagram may be: refused by the system before anything is sent. */
    rj_run_t runs[3] = {run_of(&path, bytes, 64, 32), run_of(&path, bytes, 140000, 70000),
                        run_of(&path, bytes + 64, 32, 32)};
    cr_assert_eq(sender->ops->send(sender, runs, 3), 3);
    cr_assert_eq(runs[0].result, 64);
    cr_assert_eq(runs[1].result, -EMSGSIZE);
    cr_assert_eq(runs[2].result, 32);
    expect_stream(bytes, 96, 32, &from, &to);
    close_endpoint(&from);
    close_endpoint(&to);
}

Test(uring_send, counts_a_refusal_as_nothing)
{
    rj_endpoint_t gone, from;
    rj_path_t path;
    uint8_t bytes[320];
    open_endpoint(&gone);
    const rj_socket_params_t params = {.bind = rj_address_ipv4(loopback, 0), .connect = gone.local};
    open_with(&from, &params);
    rj_path_init(&path, &from, &gone.local, true);
    close_endpoint(&gone);
    attach(sender, &from);
    fill(bytes, sizeof(bytes), 5);
    for (int i = 0; i < 5; i++) {
        rj_run_t run = run_of(&path, bytes, sizeof(bytes), 32);
        rj_endpoint_t *endpoint = NULL;
        cr_assert_eq(sender->ops->send(sender, &run, 1), 1);
        cr_assert_geq(run.result, 32, "an old echo must not hold back every datagram");
        cr_assert_eq(run.result % 32, 0, "whole datagrams only");
        cr_assert_eq(sender->ops->poll(sender, packets, BATCH, NOW_NS), 0);
        cr_assert_eq(sender->ops->take_error(sender, &endpoint), 0);
    }
    close_endpoint(&from);
}

/* None may go behind the one before in one message. */
static const uint32_t lengths[4] = {100, 120, 140, 160};

/* Sends 3 runs by one socket and one by another, each a single datagram, as the script has it. */
static void send_scripted(const int *script, rj_run_t runs[static 4], uint32_t *ret_received)
{
    rj_endpoint_t from[2], to;
    rj_path_t paths[2];
    uint8_t bytes[160] = {1};
    open_endpoint(&to);
    attach(receiver, &to);
    for (int i = 0; i < 2; i++) {
        open_endpoint(&from[i]);
        rj_path_init(&paths[i], &from[i], &to.local, false);
    }
    for (int i = 0; i < 4; i++)
        runs[i] = run_of(&paths[i == 2], bytes, lengths[i], lengths[i]);
    send_script = script;
    cr_assert_eq(sender->ops->send(sender, runs, 4), 4);
    send_script = NULL;
    const uint64_t before = stats_of(receiver)->received_datagrams;
    while (poll_some(BATCH) > 0)
        ;
    *ret_received = (uint32_t)(stats_of(receiver)->received_datagrams - before);
    detach(receiver, &to);
    for (int i = 0; i < 2; i++)
        close_endpoint(&from[i]);
    close_endpoint(&to);
}

Test(uring_send, stops_at_a_full_queue_and_leaves_other_sockets_alone)
{
    static const int script[] = {1, -EAGAIN, 1, -EAGAIN, 0};
    rj_run_t runs[4];
    uint32_t received;
    send_scripted(script, runs, &received);
    cr_assert_eq(runs[0].result, 100);
    cr_assert_eq(runs[1].result, 0);
    cr_assert_eq(runs[2].result, 140, "another socket");
    cr_assert_eq(runs[3].result, 0);
    cr_assert_eq(received, 2);
    cr_assert_eq(stats_of(sender)->short_sends, 2);
}

Test(uring_send, says_that_nothing_was_taken_behind_a_full_queue)
{
    static const int script[] = {-EAGAIN, 1, 1, 1, 0};
    rj_run_t runs[4];
    uint32_t received;
    send_scripted(script, runs, &received);
    cr_assert_eq(runs[0].result, 0);
    cr_assert_eq(runs[1].result, 0, "what the system took of it all the same will come twice");
    cr_assert_eq(runs[2].result, 140);
    cr_assert_eq(runs[3].result, 160);
}

Test(uring_send, steps_over_one_refusal_and_takes_the_next_for_a_full_queue)
{
    static const int script[] = {-ECONNREFUSED, 1, 1, -ECONNREFUSED, 1, -ECONNREFUSED, 0};
    rj_run_t runs[4];
    uint32_t received;
    send_scripted(script, runs, &received);
    cr_assert_eq(runs[0].result, 100, "tried again, and taken");
    cr_assert_eq(runs[1].result, 120);
    cr_assert_eq(runs[2].result, 140);
    cr_assert_eq(runs[3].result, 0, "not an error");
    cr_assert_eq(received, 3);
}

Test(uring_send, goes_on_behind_an_error_even_where_order_is_kept)
{
    static const int full[] = {-EAGAIN, 0};
    rj_endpoint_t from, to;
    rj_path_t path;
    static uint8_t bytes[200000];
    open_endpoint(&from);
    open_endpoint(&to);
    attach(receiver, &to);
    rj_path_init(&path, &from, &to.local, false);
    fill(bytes, sizeof(bytes), 6);
    rj_run_t first = run_of(&path, bytes, 32, 32);
    send_script = full;
    cr_assert_eq(sender->ops->send(sender, &first, 1), 1);
    send_script = NULL;
    cr_assert_eq(first.result, 0);
    /* From now on requests are linked: the second ends the chain. */
    rj_run_t runs[4] = {run_of(&path, bytes, 64, 32), run_of(&path, bytes, 70000, 70000),
                        run_of(&path, bytes + 64, 32, 32), run_of(&path, bytes + 96, 20, 20)};
    cr_assert_eq(sender->ops->send(sender, runs, 4), 4);
    cr_assert_eq(runs[0].result, 64);
    cr_assert_eq(runs[1].result, -EMSGSIZE);
    cr_assert_eq(runs[2].result, 32);
    cr_assert_eq(runs[3].result, 20);
    expect_stream(bytes, 116, 32, &from, &to);
    close_endpoint(&from);
    close_endpoint(&to);
}

Test(uring_send, takes_nothing_while_the_kernel_takes_no_requests)
{
    rj_endpoint_t from, to;
    rj_path_t path;
    uint8_t bytes[64];
    open_endpoint(&from);
    open_endpoint(&to);
    attach(receiver, &to);
    rj_path_init(&path, &from, &to.local, false);
    fill(bytes, sizeof(bytes), 2);
    rj_run_t run = run_of(&path, bytes, 64, 32);
    submit_code = -EAGAIN;
    cr_assert_eq(sender->ops->send(sender, &run, 1), 1);
    cr_assert_eq(run.result, 0, "as a full queue");
    submit_code = -ENXIO;
    cr_assert_eq(sender->ops->send(sender, &run, 1), 1);
    cr_assert_eq(run.result, -ENXIO);
    cr_assert_eq(poll_some(BATCH), 0);
    rj_endpoint_t *endpoint = NULL;
    cr_assert_eq(receiver->ops->take_error(receiver, &endpoint), -ENXIO);
    cr_assert_eq(endpoint, &to);
    submit_code = 0;
    send_one(&path, bytes, 64, 32);
    expect_stream(bytes, 64, 32, &from, &to);
    close_endpoint(&from);
    close_endpoint(&to);
}

static void send_uncopied(rj_zero_copy_t zero_copy, uint64_t *ret_uncopied)
{
    enum { RUNS = 40, BYTES = 32 * 1408 };
    rj_port_t *copied = sender;
    rj_endpoint_t from, to;
    rj_path_t path;
    static uint8_t bytes[BYTES];
    sender = open_port(BATCH, ENDPOINTS, zero_copy);
    open_endpoint(&from);
    open_endpoint(&to);
    attach(receiver, &to);
    attach(sender, &from);
    rj_path_init(&path, &from, &to.local, false);
    fill(bytes, sizeof(bytes), 7);
    for (uint64_t i = 0; i < RUNS; i++) {
        send_one(&path, bytes, sizeof(bytes), 1408);
        cr_assert_leq(sender->ops->reclaim(sender), i + 1);
        expect_stream(bytes, sizeof(bytes), 1408, &from, &to);
        for (int tries = 0; sender->ops->reclaim(sender) <= i && tries < WAIT_MS; tries++)
            poll(NULL, 0, 1);
        cr_assert_eq(sender->ops->reclaim(sender), i + 1, "free once the receiver has read it");
    }
    *ret_uncopied = stats_of(sender)->sent_uncopied;
    detach(sender, &from);
    sender->ops->close(sender);
    sender = copied;
    close_endpoint(&from);
    close_endpoint(&to);
}

Test(uring_send, refers_to_long_runs_until_the_kernel_is_done_with_them)
{
    uint64_t uncopied;
    send_uncopied(RJ_ZERO_COPY_ON, &uncopied);
    cr_assert_eq(uncopied, 40);
}

Test(uring_send, gives_up_to_refer_to_runs_where_the_kernel_copies_them_all_the_same)
{
    uint64_t uncopied;
    send_uncopied(RJ_ZERO_COPY_AUTO, &uncopied);
    cr_assert_gt(uncopied, 0);
    cr_assert_lt(uncopied, 40, "loopback copies");
}
