/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/uring.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/fixtures/uring_ports.h"
#include "transport/path.h"
#include "transport/registry.h"

TestSuite(uring, .init = open_ports, .fini = close_ports);

/* --- receiving --- */

Test(uring, serves_many_sockets_fairly)
{
    rj_endpoint_t from, to[ENDPOINTS];
    uint8_t bytes[32] = {1};
    int heard[ENDPOINTS] = {0};
    open_endpoint(&from);
    for (int i = 0; i < ENDPOINTS; i++) {
        rj_path_t path;
        open_endpoint(&to[i]);
        attach(receiver, &to[i]);
        rj_path_init(&path, &from, &to[i].local, false);
        for (int copy = 0; copy < (i == 0 ? 200 : 1); copy++)
            send_one(&path, bytes, 32, 32);
    }
    int total = 0;
    int polls = 0;
    while (total < 200 + ENDPOINTS - 1) {
        const int got = poll_for_some(BATCH);
        cr_assert_leq(got, BATCH);
        for (int i = 0; i < got; i++)
            heard[(rj_endpoint_t *)packets[i].endpoint - to]++;
        total += got;
        polls++;
        int others = 0;
        for (int i = 1; i < ENDPOINTS; i++)
            others += heard[i];
        if (polls == 6)
            cr_assert_eq(others, ENDPOINTS - 1, "one busy socket does not hold up the others");
    }
    cr_assert_eq(heard[0], 200);
    for (int i = 0; i < ENDPOINTS; i++) {
        detach(receiver, &to[i]);
        close_endpoint(&to[i]);
    }
    close_endpoint(&from);
}

Test(uring, loses_nothing_where_buffers_are_used_up)
{
    enum { DATAGRAMS = 100 };
    rj_endpoint_t from, to[ENDPOINTS];
    rj_path_t path;
    uint8_t bytes[ENDPOINTS][32];
    int heard[ENDPOINTS] = {0};
    open_endpoint(&from);
    for (int i = 0; i < ENDPOINTS; i++) {
        open_endpoint(&to[i]);
        attach(receiver, &to[i]);
    }
    cr_assert_eq(poll_some(BATCH), 0);
    for (int i = 0; i < ENDPOINTS; i++) {
        rj_path_init(&path, &from, &to[i].local, false);
        fill(bytes[i], sizeof(bytes[i]), (uint8_t)i);
        for (int sent = 0; sent < DATAGRAMS; sent++)
            send_one(&path, bytes[i], sizeof(bytes[i]), sizeof(bytes[i]));
    }
    for (int total = 0; total < ENDPOINTS * DATAGRAMS;) {
        const int got = poll_for_some(BATCH);
        total += got;
        for (int i = 0; i < got; i++) {
            const long at = (rj_endpoint_t *)packets[i].endpoint - to;
            cr_assert_eq(packets[i].length_bytes, sizeof(bytes[at]));
            cr_assert_arr_eq(packets[i].data, bytes[at], sizeof(bytes[at]));
            heard[at]++;
        }
    }
    for (int i = 0; i < ENDPOINTS; i++)
        cr_assert_eq(heard[i], DATAGRAMS);
    cr_assert_eq(poll_some(BATCH), 0);
    cr_assert_gt(stats_of(receiver)->out_of_buffers, 0);
    cr_assert_geq(stats_of(receiver)->rearms, stats_of(receiver)->out_of_buffers);
    send_one(&path, bytes[ENDPOINTS - 1], 32, 32);
    cr_assert_eq(poll_for_some(BATCH), 1);
    for (int i = 0; i < ENDPOINTS; i++)
        close_endpoint(&to[i]);
    close_endpoint(&from);
}

Test(uring, loses_no_buffer_where_long_messages_and_short_ones_take_turns)
{
    enum { LONG = 44 * 1376 };
    rj_endpoint_t from, to;
    rj_path_t path;
    static uint8_t bytes[LONG];
    open_endpoint(&from);
    open_endpoint(&to);
    attach(receiver, &to);
    rj_path_init(&path, &from, &to.local, false);
    fill(bytes, sizeof(bytes), 3);
    for (int turn = 0; turn < 4; turn++) {
        for (int i = 0; i < 100; i++) {
            send_one(&path, bytes, sizeof(bytes), 1376);
            expect_stream(bytes, sizeof(bytes), 1376, &from, &to);
        }
        const uint64_t calls = stats_of(receiver)->receive_calls;
        for (uint32_t i = 0; i < 40; i++)
            send_one(&path, bytes + i * 32, 32, 32);
        expect_stream(bytes, 40 * 32, 32, &from, &to);
        cr_assert_leq(stats_of(receiver)->receive_calls - calls, 10, "many to a call again");
    }
    close_endpoint(&from);
    close_endpoint(&to);
}

Test(uring, costs_no_call_where_there_is_nothing)
{
    rj_endpoint_t to;
    open_endpoint(&to);
    attach(receiver, &to);
    cr_assert_eq(poll_some(BATCH), 0);
    const uint64_t calls = stats_of(receiver)->receive_calls;
    for (int i = 0; i < 100; i++)
        cr_assert_eq(poll_some(BATCH), 0);
    cr_assert_eq(stats_of(receiver)->receive_calls, calls);
    close_endpoint(&to);
}

Test(uring, gives_no_more_packets_than_asked_for_and_keeps_them_until_the_next_poll)
{
    rj_endpoint_t from, to;
    rj_path_t path;
    uint8_t bytes[5 * 32];
    open_endpoint(&from);
    open_endpoint(&to);
    attach(receiver, &to);
    rj_path_init(&path, &from, &to.local, false);
    fill(bytes, sizeof(bytes), 1);
    for (uint32_t i = 0; i < 5; i++)
        send_one(&path, bytes + i * 32, 32, 32);
    for (uint32_t i = 0; i < 4; i += 2) {
        cr_assert_eq(poll_for_some(2), 2);
        for (uint32_t copy = 0; copy < 100; copy++)
            send_one(&path, bytes + 4 * 32, 32, 32);
        cr_assert_arr_eq(packets[0].data, bytes + i * 32, 32);
        cr_assert_arr_eq(packets[1].data, bytes + (i + 1) * 32, 32);
    }
    close_endpoint(&from);
    close_endpoint(&to);
}

Test(uring, delivers_nothing_of_an_endpoint_that_has_gone)
{
    rj_endpoint_t from, to, next;
    rj_path_t path;
    uint8_t bytes[32] = {9};
    open_endpoint(&from);
    open_endpoint(&to);
    attach(receiver, &to);
    const int slot = to.slot;
    rj_path_init(&path, &from, &to.local, false);
    for (int i = 0; i < 40; i++)
        send_one(&path, bytes, 32, 32);
    cr_assert_eq(poll_for_some(3), 3, "the others are in buffers, or about to be");
    detach(receiver, &to);
    for (int i = 0; i < ENDPOINTS; i++) {
        /* Through all free slots, until the same one is used again. */
        open_endpoint(&next);
        attach(receiver, &next);
        if (next.slot == slot)
            break;
        detach(receiver, &next);
        close_endpoint(&next);
    }
    for (int i = 0; i < 5; i++)
        cr_assert_eq(poll_some(BATCH), 0);
    rj_path_init(&path, &from, &next.local, false);
    send_one(&path, bytes, 32, 32);
    cr_assert_eq(poll_for_some(BATCH), 1);
    cr_assert_eq(packets[0].endpoint, &next);
    for (int i = 0; i < 200; i++) {
        send_one(&path, bytes, 32, 32);
        cr_assert_eq(poll_for_some(BATCH), 1, "no buffer was lost");
    }
    close_endpoint(&from);
    close_endpoint(&to);
    close_endpoint(&next);
}

Test(uring, frees_the_address_of_a_socket_that_is_closed_behind_it)
{
    rj_endpoint_t to, again;
    for (int round = 0; round < 20; round++) {
        open_endpoint(&to);
        attach(receiver, &to);
        cr_assert_eq(poll_some(BATCH), 0);
        detach(receiver, &to);
        close_endpoint(&to);
        const rj_socket_params_t params = {.bind = to.local};
        open_with(&again, &params);
        close_endpoint(&again);
    }
    open_endpoint(&to);
    attach(receiver, &to);
    cr_assert_eq(poll_some(BATCH), 0);
    receiver->ops->retire(receiver);
    close_endpoint(&to);
    const rj_socket_params_t params = {.bind = to.local};
    open_with(&again, &params);
    close_endpoint(&again);
}

Test(uring, does_nothing_once_it_is_retired)
{
    rj_endpoint_t from, to;
    rj_path_t path;
    uint8_t bytes[32] = {1};
    open_endpoint(&from);
    open_endpoint(&to);
    attach(receiver, &to);
    attach(sender, &from);
    rj_path_init(&path, &from, &to.local, false);
    send_one(&path, bytes, 32, 32);
    receiver->ops->retire(receiver);
    cr_assert_eq(poll_some(BATCH), 0);
    sender->ops->retire(sender);
    rj_run_t run = run_of(&path, bytes, 32, 32);
    cr_assert_eq(sender->ops->send(sender, &run, 1), 1);
    cr_assert_eq(run.result, -ESHUTDOWN);
    cr_assert_eq(sender->ops->reclaim(sender), 2);
    close_endpoint(&from);
    close_endpoint(&to);
}

Test(uring, keeps_a_socket_error_and_goes_on_with_the_others)
{
    rj_endpoint_t from, to;
    rj_endpoint_t broken = {.socket = -1, .slot = -1};
    rj_endpoint_t *endpoint = NULL;
    rj_path_t path;
    uint8_t bytes[32] = {1};
    open_endpoint(&from);
    open_endpoint(&to);
    attach(receiver, &broken);
    attach(receiver, &to);
    rj_path_init(&path, &from, &to.local, false);
    send_one(&path, bytes, 32, 32);
    cr_assert_eq(poll_for_some(BATCH), 1);
    cr_assert_eq(receiver->ops->take_error(receiver, &endpoint), -EBADF);
    cr_assert_eq(endpoint, &broken);
    cr_assert_eq(receiver->ops->take_error(receiver, &endpoint), 0, "handed out once");
    poll_some(BATCH);
    detach(receiver, &broken);
    cr_assert_eq(receiver->ops->take_error(receiver, &endpoint), 0, "gone with its endpoint");
    close_endpoint(&from);
    close_endpoint(&to);
}

Test(uring, refuses_more_endpoints_than_it_was_opened_for)
{
    rj_endpoint_t endpoints[ENDPOINTS + 1];
    for (int i = 0; i <= ENDPOINTS; i++)
        open_endpoint(&endpoints[i]);
    for (int i = 0; i < ENDPOINTS; i++)
        attach(receiver, &endpoints[i]);
    cr_assert_eq(receiver->ops->attach(receiver, &endpoints[ENDPOINTS], RJ_ATTACH_HOME), -ENOSPC);
    cr_assert_eq(endpoints[ENDPOINTS].slot, -1);
    detach(receiver, &endpoints[3]);
    cr_assert_eq(poll_some(BATCH), 0);
    attach(receiver, &endpoints[ENDPOINTS]);
    for (int i = 0; i <= ENDPOINTS; i++)
        close_endpoint(&endpoints[i]);
}

Test(uring, learns_nothing_of_endpoints_that_are_at_home_elsewhere)
{
    rj_endpoint_t to;
    open_endpoint(&to);
    cr_assert_eq(receiver->ops->attach(receiver, &to, RJ_ATTACH_GUEST), 0);
    cr_assert_eq(to.slot, -1);
    receiver->ops->detach(receiver, &to, RJ_ATTACH_GUEST);
    close_endpoint(&to);
}

Test(uring, sends_for_endpoints_of_other_ports)
{
    rj_endpoint_t from, other, to;
    rj_path_t path;
    uint8_t bytes[64];
    open_endpoint(&from);
    open_endpoint(&other);
    open_endpoint(&to);
    attach(receiver, &from); /* at home there, in the slot that `other` has here */
    attach(sender, &other);
    attach(receiver, &to);
    cr_assert_eq(from.slot, other.slot);
    rj_path_init(&path, &from, &to.local, false);
    fill(bytes, sizeof(bytes), 3);
    send_one(&path, bytes, 64, 32);
    expect_stream(bytes, 64, 32, &from, &to);
    close_endpoint(&from);
    close_endpoint(&other);
    close_endpoint(&to);
}

Test(uring, works_with_fewer_registered_files_than_endpoints)
{
    struct rlimit before, few;
    rj_endpoint_t from, to[ENDPOINTS];
    rj_path_t path;
    uint8_t bytes[64];
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    receiver->ops->close(receiver);
    few = (struct rlimit){.rlim_cur = 40, .rlim_max = before.rlim_max};
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    receiver = open_port(BATCH, 1000, RJ_ZERO_COPY_OFF);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    open_endpoint(&from);
    fill(bytes, sizeof(bytes), 3);
    for (int i = 0; i < 60; i++) {
        const int at = i % ENDPOINTS;
        if (i >= ENDPOINTS) {
            detach(receiver, &to[at]);
            close_endpoint(&to[at]);
        }
        open_endpoint(&to[at]);
        attach(receiver, &to[at]);
        rj_path_init(&path, &from, &to[at].local, false);
        send_one(&path, bytes, 64, 32);
        expect_stream(bytes, 64, 32, &from, &to[at]);
    }
    cr_assert_gt(to[59 % ENDPOINTS].slot, 40);
    for (int i = 0; i < ENDPOINTS; i++)
        close_endpoint(&to[i]);
    close_endpoint(&from);
}

Test(uring, tells_when_the_kernel_had_a_datagram_where_that_is_wanted)
{
    const rj_socket_params_t params = {.bind = rj_address_ipv4(loopback, 0),
                                       .wants_media_time = true};
    rj_endpoint_t from, stamped, plain;
    rj_path_t paths[2];
    uint8_t bytes[96] = {1};
    open_with(&stamped, &params);
    open_endpoint(&from);
    open_endpoint(&plain);
    attach(receiver, &stamped);
    attach(receiver, &plain);
    rj_path_init(&paths[0], &from, &stamped.local, false);
    rj_path_init(&paths[1], &from, &plain.local, false);
    for (int round = 0; round < 4; round++) {
        const int64_t before_ns = rj_clock_epoch_ns();
        send_one(&paths[round & 1], bytes, 96, 32);
        const uint64_t had = stats_of(receiver)->received_datagrams;
        while (stats_of(receiver)->received_datagrams < had + 3) {
            const int got = poll_for_some(BATCH);
            for (int i = 0; i < got; i++) {
                const int64_t media_ns = packets[i].media_epoch_ns;
                if ((round & 1) != 0) {
                    cr_assert_eq(media_ns, 0);
                    continue;
                }
                cr_assert_geq(media_ns, before_ns);
                cr_assert_leq(media_ns, rj_clock_epoch_ns());
            }
        }
    }
    close_endpoint(&from);
    close_endpoint(&stamped);
    close_endpoint(&plain);
}

Test(uring, hears_a_multicast_group)
{
    static const uint8_t group[4] = {239, 255, 61, 7};
    const rj_socket_group_t member = {.address = rj_address_ipv4(group, 24761),
                                      .interface = rj_address_ipv4(loopback, 0),
                                      .interface_index = if_nametoindex("lo")};
    const rj_socket_params_t params = {.bind = rj_address_ipv4(group, 24761), .group = member};
    rj_socket_params_t from_params = {.bind = rj_address_ipv4(loopback, 0), .group = member};
    rj_endpoint_t from, to;
    rj_path_t path;
    uint8_t bytes[300];
    open_with(&from, &from_params);
    open_with(&to, &params);
    attach(receiver, &to);
    rj_path_init(&path, &from, &member.address, false);
    fill(bytes, sizeof(bytes), 6);
    send_one(&path, bytes, sizeof(bytes), 100);
    expect_stream(bytes, sizeof(bytes), 100, &from, &to);
    close_endpoint(&from);
    close_endpoint(&to);
}

/* --- what is refused --- */

static int deny_io_uring(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 ? -errno : 0;
}

Test(uring, says_what_to_use_where_io_uring_is_forbidden)
{
    const pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        const rj_port_params_t params = {.receive_batch = 1, .endpoint_max = 1};
        rj_port_t *port;
        rj_err_t err;
        if (deny_io_uring() < 0)
            _exit(2);
        if (rj_port_open("uring", &params, &port, &err) != -EPERM)
            _exit(3);
        _exit(strstr(err.text, "seccomp") != NULL && strstr(err.text, "gso or socket") != NULL &&
                      strchr(err.text, '\n') == NULL
                  ? 0
                  : 4);
    }
    int status = -1;
    cr_assert_eq(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
        cr_skip_test("no seccomp filters here");
    cr_assert_eq(status, 0);
}

Test(uring, refuses_params_out_of_range)
{
    static const rj_port_params_t wrong[] = {
        {.receive_batch = 0, .endpoint_max = 1},
        {.receive_batch = RJ_PORT_RECEIVE_BATCH_MAX + 1, .endpoint_max = 1},
        {.receive_batch = 1, .endpoint_max = 0},
        {.receive_batch = 1, .endpoint_max = RJ_PORT_ENDPOINTS_MAX + 1}};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        rj_port_t *port = NULL;
        rj_err_t err;
        cr_assert_eq(rj_port_open("uring", &wrong[i], &port, &err), -EINVAL);
        cr_assert_null(port);
    }
}
