/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/calibrate.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/calibrate_rig.h"

static int start_tools(rj_rig_t *rig, int fd, rj_err_t *err)
{
    char here[64], there[64], pings[128], replies[128], data[128];
    rj_rig_address(fd, RJ_RIG_HERE, here);
    rj_rig_address(fd, RJ_RIG_THERE, there);
    snprintf(pings, sizeof(pings), "aeron:udp?endpoint=%s:%d", here, RJ_CALIBRATE_PORT + 1);
    snprintf(replies, sizeof(replies), "aeron:udp?endpoint=%s:%d", there, RJ_CALIBRATE_PORT + 2);
    snprintf(data, sizeof(data), "aeron:udp?endpoint=%s:%d", here, RJ_CALIBRATE_PORT + 3);
    const char *pong[] = {"pong",  "--channel",    pings, "--reply-channel",
                          replies, "--idle-sleep", "0us", NULL};
    const char *sub[] = {"sub", "--channel", data, NULL};
    const int result = rj_rig_start(rig, pong, err);
    return result == 0 ? rj_rig_start(rig, sub, err) : result;
}

static int try(rj_rig_t *rig, int fd, const char *name, const char *interface)
{
    rj_transport_t transport;
    rj_err_t err = {0};
    rj_rig_close(rig);
    if (rj_transport_parse(name, &transport) < 0)
        return rj_rig_say(fd, "no such transport");
    int result = rj_rig_open(rig, transport, interface, &err);
    if (result == 0)
        result = start_tools(rig, fd, &err);
    return result == 0 ? rj_rig_say(fd, "ready") : rj_rig_say(fd, "%.200s", err.text);
}

/* Until the peer goes, or says what nobody understands. */
static void serve(int fd, const char *interface)
{
    static const char try_word[] = "try ";
    char line[RJ_RIG_LINE_MAX];
    rj_rig_t rig = {.driver = 0};
    int result = 0;
    while (result == 0 && rj_rig_hear(fd, line) == 0) {
        if (strncmp(line, try_word, strlen(try_word)) == 0)
            result = try(&rig, fd, line + strlen(try_word), interface);
        else if (strcmp(line, "cpu") == 0)
            result = rj_rig_say(fd, "%lld", (long long)rj_rig_cpu_ns(&rig));
        else if (strcmp(line, "end") == 0)
            rj_rig_close(&rig);
        else
            result = -EPROTO;
    }
    rj_rig_close(&rig);
}

int rj_calibrate_answer(const char *interface, rj_err_t *err)
{
    const struct sockaddr_in6 any = {
        .sin6_family = AF_INET6, .sin6_port = htons(RJ_CALIBRATE_PORT), .sin6_addr = in6addr_any};
    const int on = 1, off = 0;
    const int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return rj_fail(err, -errno, "socket: %s", strerror(errno));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind(fd, (const struct sockaddr *)&any, sizeof(any)) < 0 || listen(fd, 1) < 0) {
        const int code = -errno;
        close(fd);
        return rj_fail(err, code, "port %d: %s", RJ_CALIBRATE_PORT, strerror(-code));
    }
    printf("answering on TCP port %d, and on UDP ports up to %d, until interrupted\n",
           RJ_CALIBRATE_PORT, RJ_CALIBRATE_PORT + 3);
    fflush(stdout);
    for (;;) {
        const int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        if (peer < 0)
            continue;
        serve(peer, interface);
        close(peer);
    }
}
