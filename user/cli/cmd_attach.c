/* SPDX-License-Identifier: Apache-2.0 */
/* `ramjet attach`: puts the steering program on an interface for good. */
#include "cli/cmd_attach.h"

#include "base/clock.h"
#include "cli/command.h"
#include "config/ring_config.h"

#include <stdio.h>
#include <errno.h>
#include <string.h>

enum { KEY_MODE = RJ_CMD_ATTACH_KEY_OWN, KEY_QUEUES, KEY_DISPATCHER };

typedef struct attach_input {
    rj_attach_options_t options;
    int64_t queue_first; /* -1: all */
    int64_t queue_last;
    rj_output_format_t format;
} attach_input_t;

const char *rj_cmd_attach_instance(const struct argp_state *state, const char *text)
{
    rj_err_t err;
    if (text[0] == '\0')
        rj_options_fail(state, "--instance: an empty name: leave it out for the default");
    if (rj_ring_config_check_value("RAMJET_INSTANCE", text, &err) != 0)
        rj_options_fail(state, "--instance %s: %s", text, err.text);
    return text;
}

void rj_cmd_attach_operand(const struct argp_state *state, const char *text, const char **interface)
{
    if (*interface != NULL)
        rj_options_fail(state, "takes one interface, and '%s' is another: see `%s --help`", text,
                        state->name);
    *interface = text;
}

void rj_cmd_attach_notes(const char *command, const rj_attach_report_t *report)
{
    const char *slash = strrchr(report->pins.folder, '/');
    const char *name = report->device.index != 0 ? report->device.name : slash + 1;
    for (size_t i = 0; i < report->note_count; i++)
        fprintf(stderr, "%s: %s: %s\n", command, name, report->notes[i]);
}

void rj_cmd_attach_mac(const uint8_t mac[static 6], char ret_text[static 18])
{
    snprintf(ret_text, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
             mac[5]);
}

static void take_queues(const struct argp_state *state, const char *text, attach_input_t *input)
{
    char first[16];
    size_t length = strcspn(text, "-");
    rj_err_t err;
    if (rj_ring_config_check_value("RAMJET_QUEUES", text, &err) != 0)
        rj_options_fail(state, "--queues %s: %s", text, err.text);
    snprintf(first, sizeof(first), "%.*s", (int)length, text);
    input->queue_first = rj_option_integer(state, "--queues", first, 0, RJ_XDP_QUEUES_MAX - 1);
    input->queue_last =
        text[length] == '\0'
            ? input->queue_first
            : rj_option_integer(state, "--queues", text + length + 1, 0, RJ_XDP_QUEUES_MAX - 1);
}

error_t rj_cmd_attach_parse(int key, char *arg, struct argp_state *state,
                            rj_attach_options_t *options, rj_output_format_t *format)
{
    switch (key) {
    case RJ_CMD_ATTACH_KEY_INSTANCE:
        options->instance = rj_cmd_attach_instance(state, arg);
        return 0;
    case RJ_CMD_ATTACH_KEY_DRY_RUN:
        options->run = RJ_ATTACH_DRY;
        return 0;
    case RJ_CMD_ATTACH_KEY_JSON:
        *format = RJ_OUTPUT_JSON;
        return 0;
    case ARGP_KEY_ARG:
        rj_cmd_attach_operand(state, arg, &options->interface);
        return 0;
    case ARGP_KEY_END:
        if (options->interface == NULL)
            rj_options_fail(state, "which interface? `%s eth0`", state->name);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    attach_input_t *input = state->input;
    switch (key) {
    case KEY_MODE:
        if (rj_xdp_mode_parse(arg, &input->options.mode) != 0)
            rj_options_fail(state, "--mode %s: give " RJ_XDP_MODE_NAMES, arg);
        return 0;
    case KEY_QUEUES:
        take_queues(state, arg, input);
        return 0;
    case KEY_DISPATCHER:
        input->options.way = RJ_ATTACH_BY_DISPATCHER;
        return 0;
    default:
        return rj_cmd_attach_parse(key, arg, state, &input->options, &input->format);
    }
}

static const char *result_of(const attach_input_t *input, const rj_attach_report_t *report)
{
    if (report->outcome == RJ_ATTACH_ALREADY)
        return "attached already";
    return input->options.run == RJ_ATTACH_DRY ? "would attach" : "attached";
}

static void print_json(const attach_input_t *input, const rj_attach_report_t *report)
{
    static const rj_column_t columns[] = {
        {"interface", 0},   {"result", 0},     {"mode", 0},        {"why", 0}, {"program_id", 0},
        {"queue_first", 0}, {"queue_last", 0}, {"queue_count", 0}, {"mac", 0}, {"pins", 0}};
    char mac[18];
    rj_output_t output;
    rj_output_init(&output, stdout, RJ_OUTPUT_JSON, columns, sizeof(columns) / sizeof(columns[0]));
    rj_cmd_attach_mac(report->device.mac, mac);
    rj_output_text(&output, report->device.name);
    rj_output_text(&output, result_of(input, report));
    rj_output_text(&output, rj_xdp_mode_name(report->mode));
    rj_output_text(&output, report->why[0] != '\0' ? report->why : NULL);
    if (report->program_id != 0)
        rj_output_integer(&output, report->program_id);
    else
        rj_output_none(&output);
    rj_output_integer(&output, input->queue_first);
    rj_output_integer(&output, input->queue_last);
    rj_output_integer(&output, report->device.queue_count);
    rj_output_text(&output, mac);
    rj_output_text(&output, report->pins.folder);
    rj_output_end_row(&output);
}

static void print_words(const attach_input_t *input, const rj_attach_report_t *report)
{
    printf("%s: %s in %s mode", report->device.name, result_of(input, report),
           rj_xdp_mode_name(report->mode));
    if (report->why[0] != '\0')
        printf(" (%s)", report->why);
    if (report->program_id != 0)
        printf(", program %u", report->program_id);
    printf(", queues %d-%d of %u, pins in %s\n", (int)input->queue_first, (int)input->queue_last,
           report->device.queue_count, report->pins.folder);
}

/* Before anything is done: a driver that binds beyond them would only fail later. */
static int check_queues(attach_input_t *input, rj_err_t *err)
{
    rj_device_t device;
    const char *interface = input->options.interface;
    int code = rj_device_look(interface, &device, err);
    if (code != 0)
        return rj_err_context(err, "%s: ", interface);
    int64_t last =
        device.queue_count < RJ_XDP_QUEUES_MAX ? device.queue_count - 1 : RJ_XDP_QUEUES_MAX - 1;
    if (input->queue_first < 0) {
        input->queue_first = 0;
        input->queue_last = last;
    }
    if (input->queue_last > last)
        return rj_fail(
            err, -ERANGE,
            "%s: it has %u receive queues, 0-%d: choose among them, or give it more with "
            "`ethtool -L %s combined N` (veth: rx N tx N)",
            interface, device.queue_count, (int)last, interface);
    return 0;
}

int rj_cmd_attach(int argc, char **argv)
{
    static const char command[] = "ramjet attach";
    static const struct argp_option rows[] = {
        {"mode", KEY_MODE, "MODE", 0, RJ_XDP_MODE_NAMES " (auto)", 0},
        {"queues", KEY_QUEUES, "A-B", 0, "Receive queues that drivers will use: checked (all)", 0},
        {"dispatcher", KEY_DISPATCHER, NULL, 0,
         "Share the interface with other XDP programs, by libxdp's dispatcher", 0},
        RJ_CMD_ATTACH_INSTANCE_ROW,
        RJ_CMD_ATTACH_DRY_RUN_ROW,
        RJ_CMD_ATTACH_JSON_ROW,
        {0}};
    static const struct argp argp = {
        .options = rows,
        .parser = parse,
        .args_doc = "IF",
        .doc = "Puts the steering program on an interface and pins it, so that drivers started "
               "later find it; without a driver every frame passes. Attached already counts as "
               "done. auto is generic on veth, else native, else generic. Needs root, and bpffs.\v"
               "Example:\n  ramjet attach eth0 --mode native"};
    attach_input_t input = {.queue_first = -1, .format = RJ_OUTPUT_TABLE};
    rj_attach_report_t report = {.note_count = 0};
    rj_err_t err;
    rj_options_parse(&argp, command, 0, argc, argv, &input);
    int code = check_queues(&input, &err);
    if (code == 0) {
        code = rj_attach(&input.options, rj_clock_mono_ns(), &report, &err);
        rj_cmd_attach_notes(command, &report);
    }
    if (code != 0) {
        fprintf(stderr, "%s: %s\n", command, err.text);
        return RJ_EXIT_FAILED;
    }
    if (input.format == RJ_OUTPUT_JSON)
        print_json(&input, &report);
    else
        print_words(&input, &report);
    return RJ_EXIT_DONE;
}
