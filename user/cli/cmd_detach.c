/* SPDX-License-Identifier: Apache-2.0 */
/* `ramjet detach`: takes the steering program off an interface. */
#include "cli/cmd_attach.h"
#include "cli/command.h"

#include <stdio.h>

typedef struct detach_input {
    rj_attach_options_t options;
    rj_output_format_t format;
} detach_input_t;

static error_t parse(int key, char *arg, struct argp_state *state)
{
    detach_input_t *input = state->input;
    return rj_cmd_attach_parse(key, arg, state, &input->options, &input->format);
}

static void print(const detach_input_t *input, const rj_attach_report_t *report)
{
    static const rj_column_t columns[] = {{"interface", 0}, {"result", 0}, {"pins", 0}};
    const char *result = report->outcome == RJ_ATTACH_ALREADY  ? "nothing of ours there"
                         : input->options.run == RJ_ATTACH_DRY ? "would detach"
                                                               : "detached";
    if (input->format == RJ_OUTPUT_TABLE) {
        printf("%s: %s\n", input->options.interface, result);
        return;
    }
    rj_output_t output;
    rj_output_init(&output, stdout, input->format, columns, 3);
    rj_output_text(&output, input->options.interface);
    rj_output_text(&output, result);
    rj_output_text(&output, report->pins.folder);
    rj_output_end_row(&output);
}

int rj_cmd_detach(int argc, char **argv)
{
    static const char command[] = "ramjet detach";
    static const struct argp_option rows[] = {
        RJ_CMD_ATTACH_INSTANCE_ROW, RJ_CMD_ATTACH_DRY_RUN_ROW, RJ_CMD_ATTACH_JSON_ROW, {0}};
    static const struct argp argp = {
        .options = rows,
        .parser = parse,
        .args_doc = "IF",
        .doc = "Takes the steering program off an interface, with its pins. A driver that uses it "
               "goes on over its sockets. Nothing there counts as done; another's program stays.\v"
               "Example:\n  ramjet detach eth0"};
    detach_input_t input = {.format = RJ_OUTPUT_TABLE};
    rj_attach_report_t report = {.note_count = 0};
    rj_err_t err;
    rj_options_parse(&argp, command, 0, argc, argv, &input);
    int code = rj_detach(&input.options, &report, &err);
    rj_cmd_attach_notes(command, &report);
    if (code != 0) {
        fprintf(stderr, "%s: %s\n", command, err.text);
        return RJ_EXIT_FAILED;
    }
    print(&input, &report);
    return RJ_EXIT_DONE;
}
