/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/calibrate.h"

#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/calibrate_rig.h"

/* Round trips, and messages that fill a datagram of the usual MTU. */
#define PINGS         "2000"
#define WARMUP        "500"
#define RATE_TIME     "1s"
#define MESSAGE_BYTES "1344"

/* The order is that of recommendation where they are equally good. */
static const rj_transport_t kinds[] = {RJ_TRANSPORT_AUTO,   RJ_TRANSPORT_GSO,   RJ_TRANSPORT_XDP,
                                       RJ_TRANSPORT_PACKET, RJ_TRANSPORT_URING, RJ_TRANSPORT_SOCKET,
                                       RJ_TRANSPORT_DPDK};

enum { KIND_COUNT = sizeof(kinds) / sizeof(kinds[0]) };

/* --- one transport --- */

static double number(const char *json, const char *key)
{
    char quoted[64];
    snprintf(quoted, sizeof(quoted), "\"%s\":", key);
    const char *at = strstr(json, quoted);
    return at != NULL ? strtod(at + strlen(quoted), NULL) : 0;
}

static int ask_cpu(int fd, int64_t *ret_ns)
{
    char line[RJ_RIG_LINE_MAX];
    int result = rj_rig_say(fd, "cpu");
    if (result == 0)
        result = rj_rig_hear(fd, line);
    if (result == 0)
        *ret_ns = strtoll(line, NULL, 10);
    return result;
}

static void name_channel(char channel[static 128], int fd, rj_rig_end_t end, int offset)
{
    char address[64];
    rj_rig_address(fd, end, address);
    snprintf(channel, 128, "aeron:udp?endpoint=%s:%d", address, RJ_CALIBRATE_PORT + offset);
}

static int measure_round_trip(const rj_rig_t *rig, int fd, rj_calibration_t *row, rj_err_t *err)
{
    char there[128], here[128], said[1024];
    name_channel(there, fd, RJ_RIG_THERE, 1);
    name_channel(here, fd, RJ_RIG_HERE, 2);
    const char *words[] = {"ping",     "--channel",    there, "--reply-channel", here,
                           "--json",   "--idle-sleep", "0us", "--messages",      PINGS,
                           "--warmup", WARMUP,         NULL};
    const int result = rj_rig_run(rig, words, said, err);
    row->p50_us = number(said, "p50_us");
    row->p99_us = number(said, "p99_us");
    return result;
}

static int measure_rate(const rj_rig_t *rig, int fd, rj_calibration_t *row, rj_err_t *err)
{
    char there[128], said[1024];
    int64_t begin_ns = 0, end_ns = 0;
    name_channel(there, fd, RJ_RIG_THERE, 3);
    const char *words[] = {"pub",         "--channel",   there,     "--json",
                           "--flat-out",  "--duration",  RATE_TIME, "--length",
                           MESSAGE_BYTES, "--exclusive", NULL};
    const int64_t own_ns = rj_rig_cpu_ns(rig);
    int result = ask_cpu(fd, &begin_ns);
    if (result == 0)
        result = rj_rig_run(rig, words, said, err);
    if (result == 0)
        result = ask_cpu(fd, &end_ns);
    const double messages = number(said, "messages");
    if (result < 0 || messages <= 0)
        return result;
    row->datagrams_per_s = number(said, "messages_per_s");
    row->cpu_ns_per_datagram = (double)(rj_rig_cpu_ns(rig) - own_ns + end_ns - begin_ns) / messages;
    return 0;
}

/* Negative only when the other side is gone: what this transport lacks is in its row. */
static int measure(int fd, const char *interface, rj_calibration_t *row)
{
    rj_rig_t rig;
    rj_err_t err = {0};
    char line[RJ_RIG_LINE_MAX] = "";
    if (rj_rig_open(&rig, row->transport, interface, &err) < 0) {
        snprintf(row->why, sizeof(row->why), "here: %.300s", err.text);
        return 0;
    }
    int result = rj_rig_say(fd, "try %s", rj_transport_name(row->transport));
    if (result == 0)
        result = rj_rig_hear(fd, line);
    if (result == 0 && strcmp(line, "ready") != 0) {
        snprintf(row->why, sizeof(row->why), "there: %.200s", line);
    } else if (result == 0) {
        if (measure_round_trip(&rig, fd, row, &err) < 0 || measure_rate(&rig, fd, row, &err) < 0) {
            snprintf(row->why, sizeof(row->why), "%.300s", err.text);
            row->datagrams_per_s = 0;
        }
        result = rj_rig_say(fd, "end");
    }
    rj_rig_close(&rig);
    return result;
}

/* --- all of them --- */

static int reach(const char *peer, int *ret_fd, rj_err_t *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char port[8];
    snprintf(port, sizeof(port), "%d", RJ_CALIBRATE_PORT);
    const int code = getaddrinfo(peer, port, &hints, &found);
    if (code != 0)
        return rj_fail(err, -ENOENT, "%s: %s", peer, gai_strerror(code));
    const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int result = fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) < 0 ? -errno : 0;
    freeaddrinfo(found);
    if (result < 0) {
        if (fd >= 0)
            close(fd);
        return rj_fail(err, result,
                       "%s port %d: %s: run `ramjet doctor --answer IF` there, and let TCP pass",
                       peer, RJ_CALIBRATE_PORT, strerror(-result));
    }
    *ret_fd = fd;
    return 0;
}

static void print_row(rj_output_t *output, const rj_calibration_t *row)
{
    rj_output_text(output, rj_transport_name(row->transport));
    if (row->datagrams_per_s > 0) {
        rj_output_real(output, row->datagrams_per_s, 0);
        rj_output_real(output, row->cpu_ns_per_datagram, 0);
        rj_output_real(output, row->p50_us, 1);
        rj_output_real(output, row->p99_us, 1);
    } else {
        for (int i = 0; i < 4; i++)
            rj_output_none(output);
    }
    rj_output_text(output, row->why[0] != '\0' ? row->why : NULL);
    rj_output_end_row(output);
}

static int write_properties(const char *path, const char *interface, rj_transport_t transport,
                            rj_err_t *err)
{
    FILE *file = fopen(path, "we");
    if (file == NULL)
        return rj_fail(err, -errno, "%s: %s", path, strerror(errno));
    fprintf(file, "ramjet.transport=%s\n", rj_transport_name(transport));
    if (!rj_transport_is_socket(transport))
        fprintf(file, "ramjet.interface=%s\n", interface);
    const bool is_whole = ferror(file) == 0;
    return fclose(file) == 0 && is_whole ? 0 : rj_fail(err, -EIO, "%s: cannot be written", path);
}

static int recommend(const rj_calibration_t *rows, int count, const rj_calibrate_params_t *params,
                     rj_err_t *err)
{
    const int best = rj_calibration_best(rows, count);
    if (best < 0)
        return rj_fail(err, -ENODEV, "no transport could be measured");
    const rj_transport_t transport = rows[best].transport;
    const bool is_socket = rj_transport_is_socket(transport);
    if (params->format == RJ_OUTPUT_TABLE)
        printf("\nrecommended: ramjet driver --transport %s%s%s\n", rj_transport_name(transport),
               is_socket ? "" : " --interface ", is_socket ? "" : params->interface);
    return params->properties == NULL
               ? 0
               : write_properties(params->properties, params->interface, transport, err);
}

int rj_calibrate(const rj_calibrate_params_t *params, rj_err_t *err)
{
    static const rj_column_t columns[] = {
        {"transport", -9}, {"datagrams_per_s", 15}, {"cpu_ns_per_datagram", 19},
        {"p50_us", 8},     {"p99_us", 8},           {"why_not", -1}};
    rj_calibration_t rows[KIND_COUNT];
    rj_output_t output;
    int count = 0;
    int fd = -1;
    int result = reach(params->peer, &fd, err);
    if (result < 0)
        return result;
    rj_output_init(&output, stdout, params->format, columns, sizeof(columns) / sizeof(columns[0]));
    for (int i = 0; result == 0 && i < KIND_COUNT; i++) {
        if (params->transports != 0 && (params->transports & 1U << kinds[i]) == 0)
            continue;
        rows[count] = (rj_calibration_t){.transport = kinds[i]};
        result = measure(fd, params->interface, &rows[count]);
        if (result == 0)
            print_row(&output, &rows[count++]);
    }
    close(fd);
    if (result < 0)
        return rj_fail(err, result, "%s: the other side is gone", params->peer);
    return recommend(rows, count, params, err);
}
