/* SPDX-License-Identifier: Apache-2.0 */
/* `ramjet lab`: hosts and a wire made of namespaces. What a lab is stands in lab.h. */
#include "cli/cmd_lab.h"
#include "cli/command.h"
#include "lab/impair.h"
#include "lab/netns.h"
#include "lab/plan.h"
#include "lab/run.h"
#include "lab/state.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { KEY_HOSTS = RJ_CMD_LAB_KEY_OWN, KEY_DIRECT, KEY_MTU, KEY_QUEUES, KEY_DRY_RUN };

#define DRY_RUN_ROW                                                                                \
    {                                                                                              \
        "dry-run", KEY_DRY_RUN, NULL, 0, "Print the commands and run none", 0                      \
    }

int rj_cmd_lab_fail(const char *command, const rj_err_t *err)
{
    fprintf(stderr, "%s: %s\n", command, err->text);
    return RJ_EXIT_FAILED;
}

void rj_cmd_lab_take_name(const struct argp_state *state, const char *text,
                          char ret_name[static RJ_LAB_NAME_MAX + 1])
{
    rj_err_t err;
    if (rj_lab_name_parse(text, ret_name, &err) != 0)
        rj_options_fail(state, "--name: %s", err.text);
}

typedef struct lab_input {
    rj_lab_shape_t shape;
    bool is_dry_run;
    rj_output_format_t format;
} lab_input_t;

/* The options of up, down and status; each command's rows say which of them it takes. */
static error_t parse_lab(int key, char *arg, struct argp_state *state)
{
    lab_input_t *input = state->input;
    switch (key) {
    case RJ_CMD_LAB_KEY_NAME:
        rj_cmd_lab_take_name(state, arg, input->shape.name);
        return 0;
    case KEY_HOSTS:
        input->shape.host_count =
            (int)rj_option_integer(state, "--hosts", arg, 2, RJ_LAB_HOSTS_MAX);
        return 0;
    case KEY_DIRECT:
        input->shape.topology = RJ_LAB_DIRECT;
        return 0;
    case KEY_MTU:
        input->shape.mtu_bytes =
            (int)rj_option_integer(state, "--mtu", arg, RJ_LAB_MTU_MIN, RJ_LAB_MTU_MAX);
        return 0;
    case KEY_QUEUES:
        input->shape.queue_count =
            (int)rj_option_integer(state, "--queues", arg, 1, RJ_LAB_QUEUES_MAX);
        return 0;
    case KEY_DRY_RUN:
        input->is_dry_run = true;
        return 0;
    case RJ_CMD_LAB_KEY_JSON:
        input->format = RJ_OUTPUT_JSON;
        return 0;
    case ARGP_KEY_ARG:
        rj_options_fail(state, "takes no operand, and '%s' is one: see `%s --help`", arg,
                        state->name);
    case ARGP_KEY_END:
        if (input->shape.topology == RJ_LAB_DIRECT && input->shape.host_count != 2)
            rj_options_fail(state, "--direct joins two hosts, not %d: leave one option out",
                            input->shape.host_count);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int print_plan(const rj_lab_plan_t *plan, rj_output_format_t format)
{
    static const rj_column_t columns[] = {{"command", -1}};
    char text[RJ_LAB_STEP_TEXT_MAX + 64];
    rj_output_t output;
    if (format == RJ_OUTPUT_JSON)
        rj_output_init(&output, stdout, format, columns, 1);
    for (size_t i = 0; i < plan->count; i++) {
        rj_lab_step_print(&plan->steps[i], text, sizeof(text));
        if (format == RJ_OUTPUT_JSON) {
            rj_output_text(&output, text);
            rj_output_end_row(&output);
        } else {
            puts(text); /* without a heading it can be piped into a shell */
        }
    }
    return RJ_EXIT_DONE;
}

static int print_host(rj_output_t *output, const char *lab, int host, rj_err_t *err)
{
    char namespace[RJ_LAB_NAMESPACE_MAX];
    rj_lab_host_t seen = {0};
    bool is_wire = host == RJ_LAB_WIRE;
    int code = rj_lab_host_look(lab, host, &seen, err);
    if (code != 0 && code != -ENOENT)
        return code;
    bool is_whole = code == 0 && seen.mtu_bytes > 0 && (is_wire || seen.is_ready);
    rj_lab_namespace(lab, host, namespace);
    rj_output_text(output, namespace + strlen(lab) + 1);
    rj_output_text(output, namespace);
    rj_output_text(output, is_wire ? "wire" : "eth0");
    rj_output_text(output, seen.ipv4[0] != '\0' ? seen.ipv4 : NULL);
    rj_output_text(output, seen.ipv6[0] != '\0' ? seen.ipv6 : NULL);
    rj_output_integer(output, seen.mtu_bytes);
    if (is_wire)
        rj_output_none(output);
    else
        rj_output_integer(output, seen.queue_count);
    rj_output_text(output, is_whole ? "up" : "half made");
    rj_output_end_row(output);
    return 0;
}

static int print_hosts(const char *lab, rj_output_format_t format, rj_err_t *err)
{
    static const rj_column_t columns[] = {
        {"host", -4}, {"namespace", -14}, {"interface", -9},   {"ipv4", -10},
        {"ipv6", -8}, {"mtu_bytes", 9},   {"queue_count", 11}, {"state", -5}};
    uint32_t hosts = 0;
    rj_output_t output;
    int code = rj_lab_find(lab, &hosts, err);
    if (code != 0)
        return code;
    if (hosts == 0)
        return rj_fail(err, -ENOENT, "no lab %s: `ramjet lab up --name %s` makes it", lab, lab);
    rj_output_init(&output, stdout, format, columns, sizeof(columns) / sizeof(columns[0]));
    for (int host = 1; code == 0 && host <= RJ_LAB_HOSTS_MAX; host++)
        if ((hosts & 1u << host) != 0)
            code = print_host(&output, lab, host, err);
    if (code == 0 && (hosts & 1u << RJ_LAB_WIRE) != 0)
        code = print_host(&output, lab, RJ_LAB_WIRE, err);
    return code;
}

static int take_down(const char *lab, rj_err_t *err)
{
    uint32_t hosts = 0;
    rj_lab_plan_t plan;
    int code = rj_lab_find(lab, &hosts, err);
    if (code != 0)
        return code;
    rj_lab_plan_down(&plan, lab, hosts);
    return rj_lab_run_all(&plan, err);
}

/* Ctrl-C half way takes back what is there; the signal is let through once nothing is left. */
static int make(const rj_lab_shape_t *shape, rj_err_t *err)
{
    sigset_t signals;
    sigset_t before;
    rj_lab_plan_t plan;
    rj_err_t ignored;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, &before);
    rj_lab_plan_up(&plan, shape);
    int code = rj_lab_run(&plan, err);
    if (code != 0)
        take_down(shape->name, &ignored);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return code;
}

/* Done already counts as done, when it is the same lab. */
static int make_unless_there(const rj_lab_shape_t *shape, rj_err_t *err)
{
    rj_lab_shape_t there;
    int code = rj_lab_shape_look(shape->name, &there, err);
    if (code == -ENOENT)
        return make(shape, err);
    if (code != 0)
        return code;
    if (there.topology == shape->topology && there.host_count == shape->host_count &&
        there.mtu_bytes == shape->mtu_bytes && there.queue_count == shape->queue_count)
        return 0;
    return rj_fail(err, -EEXIST,
                   "lab %s is there with %d hosts%s, mtu %d, %d queues: take it down first with "
                   "`ramjet lab down --name %s`",
                   shape->name, there.host_count, there.topology == RJ_LAB_DIRECT ? ", direct" : "",
                   there.mtu_bytes, there.queue_count, shape->name);
}

static int run_up(int argc, char **argv)
{
    static const char command[] = "ramjet lab up";
    static const struct argp_option rows[] = {
        RJ_CMD_LAB_NAME_ROW,
        {"hosts", KEY_HOSTS, "N", 0, "How many hosts, 2 to 16 (2)", 0},
        {"direct", KEY_DIRECT, NULL, 0, "Two hosts on one veth pair, no wire between them", 0},
        {"mtu", KEY_MTU, "BYTES", 0, "MTU of every link (1500)", 0},
        {"queues", KEY_QUEUES, "Q", 0, "Receive and transmit queues of every link (1)", 0},
        DRY_RUN_ROW,
        RJ_CMD_LAB_JSON_ROW,
        {0}};
    static const struct argp argp = {
        .options = rows,
        .parser = parse_lab,
        .doc = "Makes a lab: host i is the network namespace LAB-hi with 10.0.0.i/24 and "
               "fd00::i/64 on eth0; all hosts meet on a bridge in the namespace LAB-wire. Does "
               "nothing when that lab is there already.\v"
               "Example:\n  ramjet lab up --hosts 3 --mtu 9000"};
    lab_input_t input = {.shape = {.name = RJ_LAB_NAME_DEFAULT,
                                   .topology = RJ_LAB_BRIDGED,
                                   .host_count = 2,
                                   .mtu_bytes = 1500,
                                   .queue_count = 1}};
    rj_err_t err;
    int lock_fd = -1;
    rj_options_parse(&argp, command, 0, argc, argv, &input);
    if (input.is_dry_run) {
        rj_lab_plan_t plan;
        rj_lab_plan_up(&plan, &input.shape);
        return print_plan(&plan, input.format);
    }
    if (rj_lab_check_privilege(&err) != 0 || rj_lab_lock(input.shape.name, &lock_fd, &err) != 0 ||
        make_unless_there(&input.shape, &err) != 0 ||
        print_hosts(input.shape.name, input.format, &err) != 0)
        return rj_cmd_lab_fail(command, &err);
    return RJ_EXIT_DONE;
}

static int run_down(int argc, char **argv)
{
    static const char command[] = "ramjet lab down";
    static const struct argp_option rows[] = {
        RJ_CMD_LAB_NAME_ROW, DRY_RUN_ROW, RJ_CMD_LAB_JSON_ROW, {0}};
    static const struct argp argp = {
        .options = rows,
        .parser = parse_lab,
        .doc = "Removes a lab, whole or half made. Does nothing when there is none. A process "
               "that still runs in the lab is named and left alone, without its links.\v"
               "Example:\n  ramjet lab down"};
    lab_input_t input = {.shape = {.name = RJ_LAB_NAME_DEFAULT}};
    const char *lab = input.shape.name;
    uint32_t hosts = 0;
    rj_err_t err;
    int lock_fd = -1;
    rj_options_parse(&argp, command, 0, argc, argv, &input);
    if (rj_lab_find(lab, &hosts, &err) != 0)
        return rj_cmd_lab_fail(command, &err);
    if (input.is_dry_run) {
        rj_lab_plan_t plan;
        rj_lab_plan_down(&plan, lab, hosts);
        return print_plan(&plan, input.format);
    }
    if (rj_lab_check_privilege(&err) != 0 || rj_lab_lock(lab, &lock_fd, &err) != 0)
        return rj_cmd_lab_fail(command, &err);
    for (int host = RJ_LAB_WIRE; host <= RJ_LAB_HOSTS_MAX; host++) {
        char namespace[RJ_LAB_NAMESPACE_MAX];
        rj_lab_namespace(lab, host, namespace);
        pid_t pid = (hosts & 1u << host) != 0 ? rj_lab_process_find(namespace) : 0;
        if (pid != 0)
            fprintf(stderr, "%s: process %d runs on in %s, without its links\n", command, (int)pid,
                    namespace);
    }
    if (take_down(lab, &err) != 0)
        return rj_cmd_lab_fail(command, &err);
    return RJ_EXIT_DONE;
}

/* A wire that is good, or not there, needs no words. */
static int print_wire(const char *lab, rj_output_format_t format, rj_err_t *err)
{
    rj_lab_shape_t shape;
    rj_impair_view_t view;
    if (rj_lab_shape_look(lab, &shape, err) != 0 || rj_lab_impair_look(&shape, &view, err) != 0)
        return 0;
    if (format == RJ_OUTPUT_TABLE)
        putchar('\n');
    return rj_cmd_lab_print_impairment(&shape, format, err);
}

static int run_status(int argc, char **argv)
{
    static const char command[] = "ramjet lab status";
    static const struct argp_option rows[] = {RJ_CMD_LAB_NAME_ROW, RJ_CMD_LAB_JSON_ROW, {0}};
    static const struct argp argp = {
        .options = rows,
        .parser = parse_lab,
        .doc = "Lists the hosts of a lab and their addresses, and what its "
               "wire did to the frames while it is impaired.\v"
               "Example:\n  ramjet lab status --json"};
    lab_input_t input = {.shape = {.name = RJ_LAB_NAME_DEFAULT}};
    rj_err_t err;
    rj_options_parse(&argp, command, 0, argc, argv, &input);
    if (rj_lab_check_privilege(&err) != 0 ||
        print_hosts(input.shape.name, input.format, &err) != 0 ||
        print_wire(input.shape.name, input.format, &err) != 0)
        return rj_cmd_lab_fail(command, &err);
    return RJ_EXIT_DONE;
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
    case RJ_CMD_LAB_KEY_NAME:
        rj_cmd_lab_take_name(state, arg, input->name);
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
    static const struct argp_option rows[] = {RJ_CMD_LAB_NAME_ROW, {0}};
    static const struct argp argp = {
        .options = rows,
        .parser = parse_exec,
        .args_doc = "HOST -- COMMAND [ARGUMENTS]",
        .doc = "Runs a command on a host (h1, h2, ... or wire). Only the network changes: files, "
               "/sys and bpffs stay the caller's. The exit code is the command's; 127 when there "
               "is no such command, 126 when it cannot be run.\v"
               "Example:\n  ramjet lab exec h1 -- ip address\n"};
    exec_input_t input = {.name = RJ_LAB_NAME_DEFAULT};
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
        return rj_cmd_lab_fail(command, &err);
    execvp(input.command[0], input.command);
    code = errno;
    fprintf(stderr, "%s: cannot run '%s': %s\n", command, input.command[0], strerror(code));
    return code == ENOENT ? 127 : 126;
}

static const rj_command_t commands[] = {
    {"up", run_up, "make hosts and the wire between them"},
    {"down", run_down, "remove them"},
    {"status", run_status, "list hosts and addresses"},
    {"impair", rj_cmd_lab_impair, "lose, duplicate, reorder, corrupt on the wire"},
    {"exec", run_exec, "run a command on a host"},
};

static const rj_command_set_t lab = {
    .path = "ramjet lab",
    .about = "Hosts made of network namespaces, joined by a wire on which loss can be asked for.",
    .example = "  ramjet lab up && ramjet lab exec h1 -- ip address\n",
    .commands = commands,
    .count = sizeof(commands) / sizeof(commands[0]),
};

int rj_cmd_lab(int argc, char **argv)
{
    return rj_command_dispatch(&lab, argc, argv);
}
