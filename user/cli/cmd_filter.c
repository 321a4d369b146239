/* SPDX-License-Identifier: Apache-2.0 */
/* `ramjet filter`: rules by hand, for channels, streams and sessions. What they mean stands in
 * xdp/filter.h. */
#include "xdp/filter.h"

#include "base/clock.h"
#include "cli/cmd_attach.h"
#include "cli/command.h"
#include "cli/steer_rows.h"
#include "proto/address.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_ADDRESS = RJ_CMD_ATTACH_KEY_OWN,
    KEY_PORT,
    KEY_VLAN,
    KEY_STREAM,
    KEY_SESSION,
    KEY_VERDICT,
    KEY_FORCE
};

enum { VLAN_MAX = 4094, PORT_MAX = 65535 };

typedef enum filter_action { FILTER_ADD, FILTER_DEL, FILTER_LIST } filter_action_t;

typedef struct filter_input {
    filter_action_t action;
    const char *interface;
    const char *instance;
    rj_filter_rule_t rule;
    bool has_address;
    bool has_verdict;
    bool has_session;
    rj_filter_whose_t whose;
    bool is_dry;
    rj_output_format_t format;
} filter_input_t;

#define RULE_ROWS                                                                                  \
    {"address", KEY_ADDRESS, "A", 0, "Destination: an IPv4 or IPv6 address", 0},                   \
        {"port", KEY_PORT, "P", 0, "Destination UDP port", 0},                                     \
        {"vlan", KEY_VLAN, "V", 0, "Frames with this VLAN tag (untagged ones)", 0},                \
        {"stream", KEY_STREAM, "S", 0, "This stream alone (the channel's default)", 0},            \
    {                                                                                              \
        "session", KEY_SESSION, "N", 0, "This session of the stream alone (all)", 0                \
    }

static void take_address(const struct argp_state *state, const char *text, filter_input_t *input)
{
    rj_address_t address;
    struct rj_channel_key *key = &input->rule.channel;
    if (rj_address_parse_literal(&address, AF_INET, text, strlen(text))) {
        memset(key->address, 0, sizeof(key->address));
        key->address[10] = 0xff;
        key->address[11] = 0xff;
        memcpy(key->address + 12, address.bytes, 4);
    } else if (rj_address_parse_literal(&address, AF_INET6, text, strlen(text))) {
        memcpy(key->address, address.bytes, sizeof(key->address));
    } else {
        rj_options_fail(state, "--address %s: give an address such as 10.0.0.2 or fd00::2", text);
    }
    input->has_address = true;
}

/* Stream and session ids are signed on the wire and in Aeron's texts. */
static int32_t take_id(const struct argp_state *state, const char *option, const char *text)
{
    bool is_negative = text[0] == '-';
    int64_t value = rj_option_integer(state, option, text + is_negative, 0,
                                      is_negative ? -(int64_t)INT32_MIN : INT32_MAX);
    return (int32_t)(is_negative ? -value : value);
}

static void check_input(const struct argp_state *state, filter_input_t *input)
{
    if (input->interface == NULL)
        rj_options_fail(state, "which interface? see `%s --help`", state->name);
    if (input->action == FILTER_LIST)
        return;
    if (!input->has_address || input->rule.channel.port == 0)
        rj_options_fail(state, "which channel? give --address and --port");
    if (input->has_session && input->rule.scope == RJ_FILTER_CHANNEL)
        rj_options_fail(state, "--session needs --stream");
    if (input->has_session)
        input->rule.scope = RJ_FILTER_SESSION;
    if (input->action == FILTER_ADD && !input->has_verdict)
        rj_options_fail(state, "what is to become of it? give --verdict user, kernel, drop, echo "
                               "or broker");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    filter_input_t *input = state->input;
    switch (key) {
    case KEY_ADDRESS:
        take_address(state, arg, input);
        return 0;
    case KEY_PORT:
        input->rule.channel.port = (uint16_t)rj_option_integer(state, "--port", arg, 1, PORT_MAX);
        return 0;
    case KEY_VLAN:
        input->rule.channel.vlan = (uint16_t)rj_option_integer(state, "--vlan", arg, 1, VLAN_MAX);
        return 0;
    case KEY_STREAM:
        input->rule.stream_id = take_id(state, "--stream", arg);
        input->rule.scope = RJ_FILTER_STREAM;
        return 0;
    case KEY_SESSION:
        input->rule.session_id = take_id(state, "--session", arg);
        input->has_session = true;
        return 0;
    case KEY_VERDICT:
        if (rj_filter_verdict_parse(arg, &input->rule.verdict) != 0)
            rj_options_fail(state, "--verdict %s: give user, kernel, drop, echo or broker", arg);
        input->has_verdict = true;
        return 0;
    case KEY_FORCE:
        input->whose = RJ_FILTER_DRIVERS_TOO;
        return 0;
    case RJ_CMD_ATTACH_KEY_INSTANCE:
        input->instance = rj_cmd_attach_instance(state, arg);
        return 0;
    case RJ_CMD_ATTACH_KEY_DRY_RUN:
        input->is_dry = true;
        return 0;
    case RJ_CMD_ATTACH_KEY_JSON:
        input->format = RJ_OUTPUT_JSON;
        return 0;
    case ARGP_KEY_ARG:
        rj_cmd_attach_operand(state, arg, &input->interface);
        return 0;
    case ARGP_KEY_END:
        check_input(state, input);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void print_result(const filter_input_t *input, const char *result)
{
    static const rj_column_t columns[] = {{"interface", 0}, {"result", 0}};
    if (input->format == RJ_OUTPUT_TABLE) {
        printf("%s: %s\n", input->interface, result);
        return;
    }
    rj_output_t output;
    rj_output_init(&output, stdout, input->format, columns, 2);
    rj_output_text(&output, input->interface);
    rj_output_text(&output, result);
    rj_output_end_row(&output);
}

static int add(const filter_input_t *input, rj_kernel_maps_t *maps, rj_err_t *err)
{
    rj_filter_there_t there;
    int code = rj_filter_look(maps, &input->rule, &there, err);
    if (code == 0 && !input->is_dry)
        code = rj_filter_add(maps, &input->rule, err);
    if (code != 0)
        return code;
    if (there == RJ_FILTER_SAME)
        print_result(input, "that rule is there already");
    else if (there == RJ_FILTER_OTHER_VERDICT)
        print_result(input, input->is_dry ? "would change the verdict" : "verdict changed");
    else
        print_result(input, input->is_dry ? "would add" : "added");
    return 0;
}

/* What is not there need not be removed. */
static int del(const filter_input_t *input, rj_kernel_maps_t *maps, rj_err_t *err)
{
    int code = input->is_dry ? rj_filter_check_remove(maps, &input->rule, input->whose, err)
                             : rj_filter_remove(maps, &input->rule, input->whose, err);
    if (code == -ENOENT)
        print_result(input, "no such rule");
    else if (code == 0)
        print_result(input, input->is_dry ? "would remove" : "removed");
    return code == -ENOENT ? 0 : code;
}

static int act(const filter_input_t *input, rj_steer_t *steer, rj_err_t *err)
{
    int code = 0;
    switch (input->action) {
    case FILTER_ADD:
        code = add(input, &steer->maps, err);
        break;
    case FILTER_DEL:
        code = del(input, &steer->maps, err);
        break;
    case FILTER_LIST:
        return rj_steer_print_entries(steer, input->format, "", err);
    }
    return code == 0 ? 0 : rj_err_context(err, "%s: ", input->interface);
}

static int run(const char *command, const struct argp *argp, filter_action_t action, int argc,
               char **argv)
{
    filter_input_t input = {.action = action, .format = RJ_OUTPUT_TABLE};
    rj_steer_t steer;
    rj_err_t err;
    rj_options_parse(argp, command, 0, argc, argv, &input);
    const rj_steer_options_t options = {
        .interface = input.interface, .instance = input.instance, .attach_if = RJ_STEER_LOOK};
    int code = rj_steer_open(&steer, &options, rj_clock_mono_ns(), &err);
    if (code == 0)
        code = act(&input, &steer, &err);
    rj_steer_close(&steer);
    if (code == 0)
        return RJ_EXIT_DONE;
    fprintf(stderr, "%s: %s\n", command, err.text);
    return RJ_EXIT_FAILED;
}

static int run_add(int argc, char **argv)
{
    static const struct argp_option rows[] = {
        RULE_ROWS,
        {"verdict", KEY_VERDICT, "V", 0,
         "user (the ring of the queue's driver), kernel, drop, echo or broker", 0},
        RJ_CMD_ATTACH_INSTANCE_ROW,
        RJ_CMD_ATTACH_DRY_RUN_ROW,
        RJ_CMD_ATTACH_JSON_ROW,
        {0}};
    static const struct argp argp = {
        .options = rows,
        .parser = parse,
        .args_doc = "IF",
        .doc = "Adds a rule for data and setup frames, or changes its verdict. Rules win over what "
               "drivers have entered; one without --stream takes the whole channel out of its "
               "driver's hands. They stay until they are removed or the interface is detached.\v"
               "Example:\n  ramjet filter add eth0 --address 10.0.0.2 --port 40123 --stream 1001 "
               "--verdict drop"};
    return run("ramjet filter add", &argp, FILTER_ADD, argc, argv);
}

static int run_del(int argc, char **argv)
{
    static const struct argp_option rows[] = {
        RULE_ROWS,
        {"force", KEY_FORCE, NULL, 0,
         "Remove a driver's entry too; its driver puts it back within about a second", 0},
        RJ_CMD_ATTACH_INSTANCE_ROW,
        RJ_CMD_ATTACH_DRY_RUN_ROW,
        RJ_CMD_ATTACH_JSON_ROW,
        {0}};
    static const struct argp argp = {
        .options = rows,
        .parser = parse,
        .args_doc = "IF",
        .doc = "Removes a rule, named as it was added. What is not there counts as removed.\v"
               "Example:\n  ramjet filter del eth0 --address 10.0.0.2 --port 40123 --stream 1001"};
    return run("ramjet filter del", &argp, FILTER_DEL, argc, argv);
}

static int run_list(int argc, char **argv)
{
    static const struct argp_option rows[] = {
        RJ_CMD_ATTACH_INSTANCE_ROW, RJ_CMD_ATTACH_JSON_ROW, {0}};
    static const struct argp argp = {
        .options = rows,
        .parser = parse,
        .args_doc = "IF",
        .doc = "Prints all rules, drivers' and operators', with the frames that met them. A row "
               "without a stream is its channel's default.\v"
               "Example:\n  ramjet filter list eth0"};
    return run("ramjet filter list", &argp, FILTER_LIST, argc, argv);
}

int rj_cmd_filter(int argc, char **argv)
{
    static const rj_command_t commands[] = {
        {"add", run_add, "add a rule, or change its verdict"},
        {"del", run_del, "remove a rule"},
        {"list", run_list, "all rules, with the frames that met them"},
    };
    static const rj_command_set_t set = {
        .path = "ramjet filter",
        .about = "Rules by hand for channels, streams and sessions on an interface that the "
                 "steering program is on.",
        .example = "  ramjet filter add eth0 --address 10.0.0.2 --port 40123 --verdict kernel\n",
        .commands = commands,
        .count = sizeof(commands) / sizeof(commands[0]),
    };
    return rj_command_dispatch(&set, argc, argv);
}
