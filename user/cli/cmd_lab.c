/* SPDX-License-Identifier: Apache-2.0 */
/* `ramjet lab`: hosts and a wire made of namespaces. What a lab is stands in lab.h. */
#include "cli/command.h"
#include "cli/lab.h"
#include "cli/netns.h"
#include "cli/options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { KEY_NAME = 0x100 };

#define DEFAULT_NAME "rj-lab"
#define NAME_ROW                                                                                   \
    {                                                                                              \
        "name", KEY_NAME, "LAB", 0, "Which lab (" DEFAULT_NAME ")", 0                              \
    }

static int fail(const char *command, const rj_err_t *err)
{
    fprintf(stderr, "%s: %s\n", command, err->text);
    return RJ_EXIT_FAILED;
}

static void take_name(const struct argp_state *state, const char *text,
                      char ret_name[static RJ_LAB_NAME_MAX + 1])
{
    rj_err_t err;
    if (rj_lab_name_parse(text, ret_name, &err) != 0)
        rj_options_fail(state, "--name: %s", err.text);
}

typedef struct exec_input {
    char name[RJ_LAB_NAME_MAX + 1];
    int host;
    char **command; /* NULL-terminated; NULL while none was given */
    bool has_host;
} exec_input_t;

static error_t parse_exec(int key, char *arg, struct argp_state *state)
{
    exec_input_t *input = state->input;
    rj_err_t err;
    switch (key) {
    case KEY_NAME:
        take_name(state, arg, input->name);
        return 0;
    case ARGP_KEY_ARG:
        if (!input->has_host) {
            if (rj_lab_host_parse(arg, &input->host, &err) != 0)
                rj_options_fail(state, "%s", err.text);
            input->has_host = true;
            return 0;
        }
        /* From here on all is the command's, also what looks like an option. */
        input->command = &state->argv[state->next - 1];
        state->next = state->argc;
        return 0;
    case ARGP_KEY_END:
        if (input->command == NULL)
            rj_options_fail(state, "no command given: %s h1 -- COMMAND [ARGUMENTS]", state->name);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Becomes the command: its exit code and its signals need no passing on. */
static int run_exec(int argc, char **argv)
{
    static const char command[] = "ramjet lab exec";
    static const struct argp_option rows[] = {NAME_ROW, {0}};
    static const struct argp argp = {
        .options = rows,
        .parser = parse_exec,
        .args_doc = "HOST -- COMMAND [ARGUMENTS]",
        .doc = "Runs a command on a host (h1, h2, ... or wire). Only the network changes: files, "
               "/sys and bpffs stay the caller's. The exit code is the command's; 127 when there "
               "is no such command, 126 when it cannot be run.\v"
               "Example:\n  ramjet lab exec h1 -- ip address\n"};
    exec_input_t input = {.name = DEFAULT_NAME};
    rj_options_parse(&argp, command, ARGP_IN_ORDER, argc, argv, &input);

    char namespace[RJ_LAB_NAMESPACE_MAX];
    rj_netns_t netns;
    rj_err_t err;
    rj_lab_namespace(input.name, input.host, namespace);
    int code = rj_netns_enter(&netns, namespace, &err);
    if (code == -ENOENT)
        rj_fail(&err, code, "lab %s has no %s: `ramjet lab status --name %s` lists its hosts",
                input.name, namespace + strlen(input.name) + 1, input.name);
    if (code != 0)
        return fail(command, &err);
    execvp(input.command[0], input.command);
    code = errno;
    fprintf(stderr, "%s: cannot run '%s': %s\n", command, input.command[0], strerror(code));
    return code == ENOENT ? 127 : 126;
}

static const rj_command_t commands[] = {
    {"exec", run_exec, "run a command on a host"},
};

static const rj_command_set_t lab = {
    .path = "ramjet lab",
    .about = "Hosts made of network namespaces, joined by a wire on which loss can be asked for.",
    .example = "  ramjet lab exec h1 -- ip address\n",
    .commands = commands,
    .count = sizeof(commands) / sizeof(commands[0]),
};

int rj_cmd_lab(int argc, char **argv)
{
    return rj_command_dispatch(&lab, argc, argv);
}
