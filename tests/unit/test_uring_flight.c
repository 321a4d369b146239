/* SPDX-License-Identifier: Apache-2.0 */
/* What the port uring does while the kernel takes its time over what it was given to send. */
#include <criterion/criterion.h>
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "tests/fixtures/uring_ports.h"
#include "transport/path.h"

/* --- a kernel that is slow to send --- */

/* A character for each of the next requests to send: 's' is done, 'w' waits until `go_on`, 'f'
 * waits and then fails, 'r' is answered that its datagram was refused, 'e' that it is invalid. */
static const char *plan;
static int gate[2];

enum { ANSWERS_MAX = 8, SIZES = 300 };

typedef struct answers {
    uint64_t user_data[ANSWERS_MAX];
    int32_t result[ANSWERS_MAX];
    int count;
} answers_t;

static void take_over(struct io_uring_sqe *sqe, char what, answers_t *answers)
{
    static char byte;
    const uint64_t user_data = sqe->user_data;
    const uint8_t links = sqe->flags & IOSQE_IO_LINK;
    if (what == 's')
        return;
    if (what == 'w')
        io_uring_prep_read(sqe, gate[0], &byte, 1, 0);
    else if (what == 'f')
        io_uring_prep_read(sqe, gate[0], NULL, 1, 0);
    else
        io_uring_prep_nop(sqe);
    sqe->user_data = user_data;
    sqe->flags |= links;
    if (what != 'r' && what != 'e')
        return;
    answers->user_data[answers->count] = user_data;
    answers->result[answers->count++] = what == 'r' ? -ECONNREFUSED : -EINVAL;
}

int io_uring_submit(struct io_uring *ring)
{
    answers_t answers = {.count = 0};
    for (unsigned at = ring->sq.sqe_head; plan != NULL && at != ring->sq.sqe_tail; at++) {
        struct io_uring_sqe *sqe = &ring->sq.sqes[at & *ring->sq.kring_mask];
        if ((sqe->opcode == IORING_OP_SENDMSG || sqe->opcode == IORING_OP_SENDMSG_ZC) && *plan)
            take_over(sqe, *plan++, &answers);
    }
    const int result = io_uring_submit_and_wait(ring, 0);
    struct io_uring_cqe *cqe;
    unsigned head;
    io_uring_for_each_cqe(ring, head, cqe)
    {
        for (int i = 0; i < answers.count; i++)
            if (cqe->user_data == answers.user_data[i])
                cqe->res = answers.result[i];
    }
    return result;
}

static void go_on(void)
{
    static const char bytes[ANSWERS_MAX] = {0};
    cr_assert_eq(write(gate[1], bytes, sizeof(bytes)), (ssize_t)sizeof(bytes));
}

/* --- streams of datagrams, none of which goes into a message with the one before --- */

static rj_endpoint_t from;
static rj_endpoint_t to;
static rj_path_t path;
static uint8_t bytes[2 * 65504];
static rj_run_t runs[SIZES];

static void open_path(void)
{
    open_ports();
    cr_assert_eq(pipe(gate), 0);
    open_endpoint(&from);
    open_endpoint(&to);
    attach(sender, &from);
    attach(receiver, &to);
    rj_path_init(&path, &from, &to.local, false);
    fill(bytes, sizeof(bytes), 3);
}

static void close_path(void)
{
    close_endpoint(&from);
    close_endpoint(&to);
    close_ports();
    close(gate[0]);
    close(gate[1]);
}

/* A port that waited inside a call would wait for ever. */
TestSuite(uring_flight, .init = open_path, .fini = close_path, .timeout = 20);

static int32_t length_of(int run)
{
    return 40 + run;
}

/* Returns how many of them were looked at. */
static int send_runs(const char *what, int count)
{
    for (int i = 0; i < count; i++)
        runs[i] = run_of(&path, bytes, (uint32_t)length_of(i), (uint32_t)length_of(i));
    plan = what;
    const int looked_at = sender->ops->send(sender, runs, (size_t)count);
    plan = NULL;
    return looked_at;
}

static void await_reclaimed(uint64_t number)
{
    for (int tries = 0; sender->ops->reclaim(sender) < number && tries < WAIT_MS; tries++)
        poll(NULL, 0, 1);
    cr_assert_eq(sender->ops->reclaim(sender), number);
}

static void expect_lengths(const int32_t *lengths, int count)
{
    for (int at = 0; at < count;) {
        const int got = poll_for_some(BATCH);
        for (int i = 0; i < got; i++)
            cr_assert_eq((int32_t)packets[i].length_bytes, lengths[at++]);
    }
}

/* --- tests --- */

Test(uring_flight, takes_what_the_kernel_has_and_returns_at_once)
{
    cr_assert_eq(send_runs("sws", 3), 3);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(runs[i].result, length_of(i));
        cr_assert_eq(runs[i].number, (uint64_t)i);
    }
    cr_assert_eq(sender->ops->reclaim(sender), 0, "the kernel may still read it");
    go_on();
    await_reclaimed(3);
    cr_assert_eq(stats_of(sender)->failed_late, 0);
}

Test(uring_flight, is_a_full_queue_until_a_flight_has_landed)
{
    static const int32_t after[] = {41, 40, 41};
    cr_assert_eq(send_runs("ws", 2), 2);
    const uint64_t calls = stats_of(sender)->send_calls;
    cr_assert_eq(send_runs(NULL, 2), 0, "to be tried again next turn");
    cr_assert_eq(runs[0].result, 0);
    cr_assert_eq(runs[1].result, 0);
    cr_assert_eq(stats_of(sender)->send_calls, calls, "nothing was asked of the kernel");
    cr_assert_eq(stats_of(sender)->short_sends, 1);
    cr_assert_eq(sender->ops->reclaim(sender), 0);
    go_on();
    await_reclaimed(4);
    cr_assert_eq(send_runs(NULL, 2), 2);
    cr_assert_eq(runs[1].result, 41);
    cr_assert_eq(sender->ops->reclaim(sender), 6);
    expect_lengths(after, 3);
}

Test(uring_flight, looks_at_no_more_runs_than_one_flight_holds)
{
    const int looked_at = send_runs("w", SIZES);
    cr_assert_gt(looked_at, 0);
    cr_assert_lt(looked_at, SIZES);
    for (int i = 0; i < SIZES; i++)
        cr_assert_eq(runs[i].result, i < looked_at ? length_of(i) : 0);
    go_on();
    await_reclaimed(SIZES);
    cr_assert_eq(send_runs(NULL, SIZES), SIZES, "two flights");
    cr_assert_eq(runs[SIZES - 1].result, length_of(SIZES - 1));
}

Test(uring_flight, counts_what_fails_after_it_was_taken)
{
    static const int32_t sent[] = {40, 42};
    cr_assert_eq(send_runs("sfs", 3), 3);
    cr_assert_eq(runs[1].result, 41, "lost as on the wire");
    go_on();
    await_reclaimed(3);
    cr_assert_eq(stats_of(sender)->failed_late, 1);
    expect_lengths(sent, 2);
}

Test(uring_flight, sends_nothing_again_while_it_is_in_the_air)
{
    cr_assert_eq(send_runs("wr", 2), 2);
    cr_assert_eq(runs[0].result, 40);
    cr_assert_eq(runs[1].result, 0, "refused; as a full queue");
    go_on();
    await_reclaimed(2);
}

Test(uring_flight, cuts_no_message_up_while_it_is_in_the_air)
{
    runs[0] = run_of(&path, bytes, 50, 50);
    runs[1] = run_of(&path, bytes, 300, 100);
    plan = "we";
    cr_assert_eq(sender->ops->send(sender, runs, 2), 2);
    plan = NULL;
    cr_assert_eq(runs[1].result, 0, "it cannot be sent in single datagrams now");
    go_on();
    await_reclaimed(2);
}

Test(uring_flight, takes_what_is_linked_to_it)
{
    static const int32_t sent[] = {41, 42};
    cr_assert_eq(send_runs("r", 1), 1);
    cr_assert_eq(runs[0].result, 40, "once more");
    runs[0] = run_of(&path, bytes, 40, 40);
    plan = "rr"; /* twice is a full queue, after which requests are linked */
    cr_assert_eq(sender->ops->send(sender, runs, 1), 1);
    cr_assert_eq(runs[0].result, 0);
    expect_lengths(&(int32_t){40}, 1);
    cr_assert_eq(send_runs("wss", 3), 3);
    cr_assert_eq(runs[2].result, 42);
    cr_assert_eq(poll_some(BATCH), 0, "held back behind the first");
    go_on();
    await_reclaimed(5);
    expect_lengths(sent, 2);
}

Test(uring_flight, hears_while_a_flight_is_in_the_air)
{
    uint8_t answer[32] = {7};
    rj_path_t back;
    rj_path_init(&back, &to, &from.local, false);
    cr_assert_eq(send_runs("w", 1), 1);
    rj_run_t run = run_of(&back, answer, sizeof(answer), sizeof(answer));
    cr_assert_eq(receiver->ops->send(receiver, &run, 1), 1);
    int got = 0;
    for (int tries = 0; got == 0 && tries < WAIT_MS; tries++, poll(NULL, 0, 1))
        got = sender->ops->poll(sender, packets, BATCH, NOW_NS);
    cr_assert_eq(got, 1);
    cr_assert_arr_eq(packets[0].data, answer, sizeof(answer));
    go_on();
    await_reclaimed(1);
}

Test(uring_flight, reclaims_neither_what_flies_nor_what_is_sent_without_a_copy)
{
    rj_port_t *copied = sender;
    sender = open_port(BATCH, ENDPOINTS, RJ_ZERO_COPY_ON);
    runs[0] = run_of(&path, bytes, 32 * 1408, 1408);
    runs[1] = run_of(&path, bytes, 2000, 2000);
    plan = "sw";
    cr_assert_eq(sender->ops->send(sender, runs, 2), 2);
    plan = NULL;
    cr_assert_eq(runs[1].result, 2000);
    cr_assert_lt(sender->ops->reclaim(sender), 2);
    expect_stream(bytes, 32 * 1408, 1408, &from, &to);
    for (int tries = 0; sender->ops->reclaim(sender) < 1 && tries < WAIT_MS; tries++)
        poll(NULL, 0, 1);
    go_on();
    await_reclaimed(2);
    sender->ops->close(sender);
    sender = copied;
}

Test(uring_flight, is_brought_down_before_the_port_is_closed)
{
    cr_assert_eq(send_runs("ww", 2), 2);
    sender->ops->retire(sender);
    cr_assert_eq(sender->ops->reclaim(sender), 2, "the kernel has let go of it");
    cr_assert_eq(send_runs(NULL, 1), 1);
    cr_assert_eq(runs[0].result, -ESHUTDOWN);
}
