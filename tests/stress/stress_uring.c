/* SPDX-License-Identifier: Apache-2.0 */
/* The port uring as a driver uses it: opened by one thread, used by another, which retires it,
 * looked at by a third of its figures meanwhile, and closed by the first. Meant for the thread
 * sanitizer; bounded. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "transport/path.h"
#include "transport/uring.h"
#include "transport/udp_socket.h"

enum { ROUNDS = 200, RUN_BYTES = 30 * 1000, SEGMENT_BYTES = 1000, BATCH = 16, PAUSE_NS = 20000 };

static rj_port_t *port;
static rj_endpoint_t from, to;
static int has_ended;

static void expect(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "stress_uring: %s\n", what);
    abort();
}

static void open_endpoint(rj_endpoint_t *endpoint)
{
    static const uint8_t loopback[4] = {127, 0, 0, 1};
    const rj_socket_params_t params = {.bind = rj_address_ipv4(loopback, 0),
                                       .rcvbuf_bytes = 1 << 20};
    rj_socket_info_t info;
    rj_err_t err;
    expect(rj_sockets_kernel()->ops->open(rj_sockets_kernel(), &params, &info, &err) == 0,
           "a socket is not to be had");
    *endpoint = (rj_endpoint_t){.socket = info.socket, .local = info.local, .slot = -1};
}

static void cross(const rj_path_t *path, const uint8_t *bytes)
{
    rj_packet_t packets[BATCH];
    rj_run_t run = {
        .path = path, .start = bytes, .total_bytes = RUN_BYTES, .segment_bytes = SEGMENT_BYTES};
    port->ops->send(port, &run, 1);
    expect(run.result == RUN_BYTES, "a run is not taken");
    uint32_t at = 0;
    while (at < RUN_BYTES) {
        const int count = port->ops->poll(port, packets, BATCH, 1);
        for (int i = 0; i < count; i++) {
            expect(memcmp(packets[i].data, bytes + at, packets[i].length_bytes) == 0,
                   "bytes are not those that were sent");
            at += packets[i].length_bytes;
        }
        if (count == 0)
            rj_clock_sleep_ns(PAUSE_NS);
    }
}

static void *work(void *state)
{
    static uint8_t bytes[RUN_BYTES];
    rj_path_t path;
    rj_path_init(&path, &from, &to.local, false);
    for (int round = 0; round < ROUNDS; round++) {
        memset(bytes, round, sizeof(bytes));
        expect(port->ops->attach(port, &to, RJ_ATTACH_HOME) == 0, "no room");
        cross(&path, bytes);
        port->ops->detach(port, &to, RJ_ATTACH_HOME);
    }
    expect(port->ops->attach(port, &to, RJ_ATTACH_HOME) == 0, "no room");
    port->ops->poll(port, &(rj_packet_t){0}, 1, 1);
    port->ops->retire(port);
    __atomic_store_n(&has_ended, 1, __ATOMIC_RELEASE);
    return state;
}

int main(void)
{
    const rj_port_params_t params = {.receive_batch = BATCH, .endpoint_max = 4};
    rj_err_t err;
    const int result = rj_uring_open(&params, &port, &err);
    if (result == -ENOSYS || result == -EPERM) {
        printf("skipped: %s\n", err.text);
        return 0;
    }
    expect(result == 0, err.text);
    open_endpoint(&from);
    open_endpoint(&to);
    pthread_t thread;
    expect(pthread_create(&thread, NULL, work, NULL) == 0, "no thread");
    uint64_t seen = 0;
    while (__atomic_load_n(&has_ended, __ATOMIC_ACQUIRE) == 0) {
        const uint64_t sent = rj_port_figure(&port->ops->stats(port)->sent_datagrams);
        expect(sent >= seen, "figures go back");
        seen = sent;
        rj_clock_sleep_ns(PAUSE_NS);
    }
    pthread_join(thread, NULL);
    port->ops->close(port);
    const rj_address_t local = to.local;
    rj_sockets_kernel()->ops->close(rj_sockets_kernel(), to.socket);
    const rj_socket_params_t again = {.bind = local};
    rj_socket_info_t info;
    expect(rj_sockets_kernel()->ops->open(rj_sockets_kernel(), &again, &info, &err) == 0, err.text);
    printf("%d runs\n", ROUNDS);
    return 0;
}
