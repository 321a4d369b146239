/* SPDX-License-Identifier: Apache-2.0 */
/* One binary, many commands: a table and nothing else. Called `aeronmd` it is `ramjet driver`, so
 * that scripts written for that program keep working. */
#include "cli/command.h"

#include <ramjet/version.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const rj_command_t commands[] = {
    {"driver", rj_cmd_driver, "run the media driver in the foreground"},
    {"attach", rj_cmd_attach, "put the XDP steering program on an interface"},
    {"detach", rj_cmd_detach, "take it off"},
    {"status", rj_cmd_status, "what runs on which interface, in which mode, and why"},
    {"doctor", rj_cmd_doctor, "what keeps this machine from a transport, and what to do"},
    {"filter", rj_cmd_filter, "rules by hand for channels, streams and sessions"},
    {"pub", rj_cmd_pub, "publish a file, stdin or made-up messages"},
    {"sub", rj_cmd_sub, "subscribe: to a file, stdout, a digest, or only counting"},
    {"ping", rj_cmd_ping, "measure round trips to a pong"},
    {"pong", rj_cmd_pong, "send back what a ping sends"},
    {"stat", rj_cmd_stat, "the counters of a driver"},
    {"streams", rj_cmd_streams, "what flows through a driver, and what each stream waits for"},
    {"errors", rj_cmd_errors, "the errors a driver has met"},
    {"loss", rj_cmd_loss, "which streams lost how much"},
    {"echo", rj_cmd_echo, "answer UDP datagrams in the kernel, for latency floors"},
    {"lab", rj_cmd_lab, "hosts and a wire made of namespaces, with loss on request"},
};

static const rj_command_set_t ramjet = {
    .path = "ramjet",
    .about = "Aeron streams on Linux: a media driver, a client and the tools around them.",
    .example = "  ramjet lab up && ramjet lab exec h1 -- ip address\n",
    .commands = commands,
    .count = sizeof(commands) / sizeof(commands[0]),
};

/* Output that never arrived, because a disk is full or a pipe closed, must not look like success.
 */
static int flushed(int exit_code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return exit_code;
    fprintf(stderr, "ramjet: cannot write the output: %s\n", strerror(errno));
    return exit_code == RJ_EXIT_DONE ? RJ_EXIT_FAILED : exit_code;
}

int main(int argc, char **argv)
{
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *name = slash != NULL ? slash + 1 : argc > 0 ? argv[0] : "ramjet";
    if (strcmp(name, "aeronmd") == 0)
        return flushed(rj_cmd_aeronmd(argc, argv));
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts("ramjet " RJ_VERSION_TEXT);
        return flushed(RJ_EXIT_DONE);
    }
    return flushed(rj_command_dispatch(&ramjet, argc, argv));
}
