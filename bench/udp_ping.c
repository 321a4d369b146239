/* SPDX-License-Identifier: Apache-2.0 */
/* udp_ping: round trips of one UDP datagram over kernel sockets, and the echo in user space that
 * `ramjet echo` is compared with. Both ends spin, each on a CPU of its own.
 *
 *     udp_ping echo ADDRESS PORT CPU                               until it is killed
 *     udp_ping ping ADDRESS PORT CPU BYTES WARMUP ROUND_TRIPS      prints one JSON object
 */
#include "base/clock.h"
#include "base/histogram.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DATAGRAM_MAX = 1472, ARGUMENTS_OF_ECHO = 5, ARGUMENTS_OF_PING = 8 };

/* A datagram may be lost while neighbours are looked for; more than a few in a row are not. */
#define REPLY_NS_MAX INT64_C(100000000)
#define LOSSES_MAX   50

typedef struct ping {
    int fd;
    size_t length;
    int64_t warmup_count;
    int64_t count;
    int64_t lost_count;
    rj_histogram_t histogram;
} ping_t;

__attribute__((noreturn)) static void die(const char *what)
{
    fprintf(stderr, "udp_ping: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t number(const char *text)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < 0) {
        errno = EINVAL;
        die(text);
    }
    return value;
}

static void pin(int64_t cpu)
{
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET((size_t)cpu, &cpus);
    if (cpu >= CPU_SETSIZE || sched_setaffinity(0, sizeof(cpus), &cpus) != 0)
        die("cannot stay on that CPU");
}

static int open_socket(char **argv, struct sockaddr_in *address)
{
    *address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)number(argv[3]))};
    if (inet_pton(AF_INET, argv[2], &address->sin_addr) != 1) {
        errno = EINVAL;
        die(argv[2]);
    }
    pin(number(argv[4]));
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (fd < 0)
        die("socket");
    return fd;
}

static void echo(char **argv)
{
    struct sockaddr_in address;
    uint8_t bytes[DATAGRAM_MAX];
    int fd = open_socket(argv, &address);
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        die("bind");
    for (;;) {
        struct sockaddr_in from;
        socklen_t size = sizeof(from);
        ssize_t got = recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &size);
        if (got >= 0)
            sendto(fd, bytes, (size_t)got, 0, (struct sockaddr *)&from, size);
        else if (errno != EAGAIN)
            die("recvfrom");
    }
}

/* True when the answer to `sequence` came; older ones are passed over. */
static bool await_answer(ping_t *ping, int64_t sequence, int64_t sent_ns, int64_t *ret_ns)
{
    uint8_t bytes[DATAGRAM_MAX];
    int64_t answered;
    for (;;) {
        ssize_t got = recv(ping->fd, bytes, sizeof(bytes), 0);
        *ret_ns = rj_clock_mono_ns() - sent_ns;
        if (got == (ssize_t)ping->length) {
            memcpy(&answered, bytes, sizeof(answered));
            if (answered == sequence)
                return true;
        }
        /* Nobody may listen yet: that is what ECONNREFUSED says. */
        if (got < 0 && errno != EAGAIN && errno != ECONNREFUSED)
            die("recv");
        if (*ret_ns > REPLY_NS_MAX)
            return false;
    }
}

static void run(ping_t *ping)
{
    uint8_t bytes[DATAGRAM_MAX] = {0};
    int64_t total = ping->warmup_count + ping->count;
    for (int64_t sequence = 0; sequence < total; sequence++) {
        int64_t rtt_ns;
        memcpy(bytes, &sequence, sizeof(sequence));
        int64_t sent_ns = rj_clock_mono_ns();
        if (send(ping->fd, bytes, ping->length, 0) < 0 && errno != ECONNREFUSED)
            die("send");
        if (!await_answer(ping, sequence, sent_ns, &rtt_ns)) {
            errno = ETIMEDOUT;
            if (++ping->lost_count > LOSSES_MAX)
                die("nobody answers");
            sequence--;
        } else if (sequence >= ping->warmup_count) {
            rj_histogram_record(&ping->histogram, rtt_ns);
        }
    }
}

static void report(const ping_t *ping)
{
    const rj_histogram_t *h = &ping->histogram;
    printf("{\"count\":%" PRId64 ",\"min_us\":%.3f,\"p50_us\":%.3f,\"p90_us\":%.3f,"
           "\"p99_us\":%.3f,\"max_us\":%.3f,\"lost_packets\":%" PRId64 "}\n",
           h->total_count, (double)h->min / 1000, (double)rj_histogram_percentile(h, 50) / 1000,
           (double)rj_histogram_percentile(h, 90) / 1000,
           (double)rj_histogram_percentile(h, 99) / 1000, (double)h->max / 1000, ping->lost_count);
}

static void ping(char **argv)
{
    struct sockaddr_in address;
    rj_err_t err;
    ping_t ping = {.fd = open_socket(argv, &address),
                   .length = (size_t)number(argv[5]),
                   .warmup_count = number(argv[6]),
                   .count = number(argv[7])};
    if (ping.length < sizeof(int64_t) || ping.length > DATAGRAM_MAX || ping.count == 0) {
        errno = EINVAL;
        die("length or count");
    }
    if (connect(ping.fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        die("connect");
    if (rj_histogram_open(&ping.histogram, REPLY_NS_MAX, &err) < 0)
        die("histogram");
    run(&ping);
    report(&ping);
    rj_histogram_close(&ping.histogram);
    close(ping.fd);
}

int main(int argc, char **argv)
{
    if (argc == ARGUMENTS_OF_ECHO && strcmp(argv[1], "echo") == 0) {
        echo(argv);
    } else if (argc == ARGUMENTS_OF_PING && strcmp(argv[1], "ping") == 0) {
        ping(argv);
    } else {
        fputs("usage: udp_ping echo ADDRESS PORT CPU | ping ADDRESS PORT CPU BYTES WARMUP COUNT\n",
              stderr);
        return 2;
    }
    return 0;
}
