/* SPDX-License-Identifier: Apache-2.0 */
/* bare: a windowed flow of datagrams over one mechanism of the kernel, with nothing else.
 *
 *     bare recv KIND INTERFACE ADDRESS PORT BYTES           ADDRESS is the receiver's
 *     bare send KIND INTERFACE ADDRESS PORT BYTES WINDOW MILLISECONDS
 *
 * KIND is mmsg, gso, packet, xdp-generic or xdp-native. Answers travel by UDP on PORT + 1 whatever
 * the kind. Both ends sleep when there is nothing to do, as long as the bench's clients do. Each
 * prints one JSON object. */
#include "bare.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    ARGUMENTS_OF_RECV = 7,
    ARGUMENTS_OF_SEND = 9,
    IDLE_NS = 50000,
    TIMER_SLACK_NS = 1000,
    ANSWER_NS = 20000000, /* without an answer for so long the rest of a window is lost */
};

#define NS_PER_S    INT64_C(1000000000)
#define PATIENCE_NS (20 * NS_PER_S)
#define WINDOW_MAX  (INT64_C(1) << 20)
#define END         UINT64_MAX /* instead of a number: the sender is done */

static const rj_bare_kind_t *const kinds[] = {&rj_bare_mmsg, &rj_bare_gso, &rj_bare_packet,
                                              &rj_bare_xdp_generic, &rj_bare_xdp_native};

void rj_bare_die(const char *what)
{
    fprintf(stderr, "bare: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t number(const char *text, int64_t min, int64_t max)
{
    char *end;
    const long long value = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || value < min || value > max) {
        errno = EINVAL;
        rj_bare_die(text);
    }
    return value;
}

static int64_t cpu_ns(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return used.tv_sec * NS_PER_S + used.tv_nsec;
}

/* The socket that answers travel by; the sender's sends to the receiver's. */
static int open_answers(const rj_bare_params_t *params)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)(params->port + 1))};
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || inet_pton(AF_INET, params->address, &address.sin_addr) != 1)
        rj_bare_die("socket for answers");
    if ((params->is_sender ? connect : bind)(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        rj_bare_die(params->address);
    return fd;
}

/* --- the receiver --- */

typedef struct receiver {
    const rj_bare_kind_t *kind;
    int answers;
    struct sockaddr_in sender; /* its port is 0 until it has said hello */
    uint64_t next;
    uint64_t answered;
    uint64_t count;
    int64_t first_ns;
    int64_t last_ns;
    bool is_done;
} receiver_t;

/* Hears the sender's hello, which is answered, and its end. */
static void hear(receiver_t *receiver)
{
    uint64_t word;
    socklen_t size = sizeof(receiver->sender);
    const ssize_t got = recvfrom(receiver->answers, &word, sizeof(word), 0,
                                 (struct sockaddr *)&receiver->sender, &size);
    if (got != (ssize_t)sizeof(word))
        return;
    receiver->is_done = word == END;
    receiver->answered = END; /* is not true, so that an answer is due */
}

static void answer(receiver_t *receiver)
{
    if (receiver->sender.sin_port == 0 || receiver->answered == receiver->next)
        return;
    receiver->answered = receiver->next;
    /* A full socket of answers costs a moment: the next one says as much. */
    sendto(receiver->answers, &receiver->next, sizeof(receiver->next), 0,
           (struct sockaddr *)&receiver->sender, sizeof(receiver->sender));
}

static void receive(receiver_t *receiver)
{
    const int64_t begin_ns = rj_clock_mono_ns();
    while (!receiver->is_done) {
        const uint32_t got = receiver->kind->receive(&receiver->next);
        const int64_t now_ns = rj_clock_mono_ns();
        if (got > 0) {
            receiver->count += got;
            receiver->last_ns = now_ns;
            if (receiver->first_ns == 0)
                receiver->first_ns = now_ns;
        }
        /* One answer for many datagrams, as a driver sends status messages. */
        if (got == 0 || receiver->next - receiver->answered >= 4 * RJ_BARE_BATCH)
            answer(receiver);
        if (got > 0)
            continue;
        hear(receiver);
        if (now_ns - (receiver->last_ns > 0 ? receiver->last_ns : begin_ns) > PATIENCE_NS) {
            errno = ETIMEDOUT;
            rj_bare_die("nothing comes");
        }
        rj_clock_sleep_ns(IDLE_NS);
    }
}

static void run_receiver(const rj_bare_kind_t *kind, const rj_bare_params_t *params)
{
    receiver_t receiver = {.kind = kind, .answers = open_answers(params)};
    kind->open(params);
    receive(&receiver);
    const double seconds = (double)(receiver.last_ns - receiver.first_ns) / (double)NS_PER_S;
    printf("{\"datagrams\":%" PRIu64 ",\"seconds\":%.6f,\"cpu_ns\":%" PRId64 "}\n", receiver.count,
           seconds, cpu_ns());
}

/* --- the sender --- */

typedef struct sender {
    const rj_bare_kind_t *kind;
    int answers;
    uint64_t sent;
    uint64_t answered;
    uint64_t window;
    int64_t answered_ns; /* when that was last known to move, or nothing was under way */
} sender_t;

static void say(const sender_t *sender, uint64_t word)
{
    if (send(sender->answers, &word, sizeof(word), 0) < 0 && errno != ECONNREFUSED)
        rj_bare_die("send");
}

/* Takes all answers; true when there was one. */
static bool listen_for_answers(sender_t *sender)
{
    uint64_t next;
    bool was_heard = false;
    while (recv(sender->answers, &next, sizeof(next), 0) == (ssize_t)sizeof(next)) {
        was_heard = true;
        if (next > sender->answered && next <= sender->sent)
            sender->answered = next;
    }
    return was_heard;
}

static void meet(sender_t *sender)
{
    const int64_t deadline_ns = rj_clock_mono_ns() + PATIENCE_NS;
    do {
        if (rj_clock_mono_ns() > deadline_ns) {
            errno = ETIMEDOUT;
            rj_bare_die("nobody receives");
        }
        say(sender, 0);
        rj_clock_sleep_ns(ANSWER_NS);
    } while (!listen_for_answers(sender));
}

static void send_until(sender_t *sender, int64_t end_ns)
{
    int64_t now_ns;
    while ((now_ns = rj_clock_mono_ns()) < end_ns) {
        const uint64_t room = sender->window - (sender->sent - sender->answered);
        const uint32_t count = room < RJ_BARE_BATCH ? (uint32_t)room : RJ_BARE_BATCH;
        const uint32_t sent = count > 0 ? sender->kind->send(sender->sent, count) : 0;
        sender->sent += sent;
        if (listen_for_answers(sender) || sender->answered == sender->sent)
            sender->answered_ns = now_ns;
        if (sent > 0)
            continue;
        if (now_ns - sender->answered_ns > ANSWER_NS) {
            sender->answered = sender->sent;
            sender->answered_ns = now_ns;
        }
        rj_clock_sleep_ns(IDLE_NS);
    }
}

static void run_sender(const rj_bare_kind_t *kind, const rj_bare_params_t *params, char **argv)
{
    sender_t sender = {.kind = kind,
                       .answers = open_answers(params),
                       .window = (uint64_t)number(argv[7], RJ_BARE_BATCH, WINDOW_MAX)};
    const int64_t run_ns = number(argv[8], 1, 3600000) * (NS_PER_S / 1000);
    kind->open(params);
    meet(&sender);
    const int64_t begin_ns = cpu_ns();
    sender.answered_ns = rj_clock_mono_ns();
    send_until(&sender, rj_clock_mono_ns() + run_ns);
    const int64_t used_ns = cpu_ns() - begin_ns;
    for (int i = 0; i < 3; i++) {
        rj_clock_sleep_ns(ANSWER_NS);
        say(&sender, END);
    }
    printf("{\"datagrams\":%" PRIu64 ",\"cpu_ns\":%" PRId64 "}\n", sender.sent, used_ns);
}

static const rj_bare_kind_t *find_kind(const char *name)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i]->name, name) == 0)
            return kinds[i];
    }
    errno = EINVAL;
    rj_bare_die(name);
}

int main(int argc, char **argv)
{
    const bool is_sender = argc == ARGUMENTS_OF_SEND && strcmp(argv[1], "send") == 0;
    const bool is_receiver = argc == ARGUMENTS_OF_RECV && strcmp(argv[1], "recv") == 0;
    if (!is_sender && !is_receiver) {
        fputs("usage: bare recv KIND INTERFACE ADDRESS PORT BYTES\n"
              "       bare send KIND INTERFACE ADDRESS PORT BYTES WINDOW MILLISECONDS\n",
              stderr);
        return 2;
    }
    prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS);
    const rj_bare_params_t params = {
        .interface_name = argv[3],
        .address = argv[4],
        .port = (uint16_t)number(argv[5], 1, UINT16_MAX - 1),
        .length = (uint32_t)number(argv[6], RJ_BARE_LENGTH_MIN, RJ_BARE_LENGTH_MAX),
        .is_sender = is_sender,
    };
    if (is_sender)
        run_sender(find_kind(argv[2]), &params, argv);
    else
        run_receiver(find_kind(argv[2]), &params);
    return 0;
}
