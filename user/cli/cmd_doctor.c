/* SPDX-License-Identifier: Apache-2.0 */
/* `ramjet doctor`: what is wrong with this machine, and with an interface of it, for each way in
 * which datagrams can travel. */
#include "cli/command.h"
#include "cli/doctor.h"
#include "cli/options.h"
#include "cli/output.h"

#include <stdio.h>

enum { KEY_JSON = 'j' };

typedef struct doctor_input {
    const char *interface; /* NULL: the machine alone */
    rj_output_format_t format;
} doctor_input_t;

typedef struct doctor {
    rj_output_t output;
    const char *interface;
    int problem_count;
} doctor_t;

static error_t parse(int key, char *arg, struct argp_state *state)
{
    doctor_input_t *input = state->input;
    switch (key) {
    case KEY_JSON:
        input->format = RJ_OUTPUT_JSON;
        return 0;
    case ARGP_KEY_ARG:
        if (input->interface != NULL)
            rj_options_fail(state, "%s: one interface at a time", arg);
        input->interface = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void tell(void *state, const rj_finding_t *finding)
{
    static const char *const states[] = {
        [RJ_DOCTOR_OK] = "ok", [RJ_DOCTOR_WARNING] = "warning", [RJ_DOCTOR_PROBLEM] = "problem"};
    doctor_t *doctor = state;
    doctor->problem_count += finding->state == RJ_DOCTOR_PROBLEM;
    rj_output_text(&doctor->output, states[finding->state]);
    rj_output_text(&doctor->output, doctor->interface);
    rj_output_text(&doctor->output, finding->subject);
    rj_output_text(&doctor->output, finding->transports);
    rj_output_text(&doctor->output, finding->text);
    rj_output_end_row(&doctor->output);
}

int rj_cmd_doctor(int argc, char **argv)
{
    static const struct argp_option rows[] = {
        {"json", KEY_JSON, NULL, 0, "One JSON object a line", 0}, {0}};
    static const struct argp argp = {
        .options = rows,
        .parser = parse,
        .args_doc = "[IF]",
        .doc = "Looks at this machine, and at an interface of it, and says for each transport what "
               "is in order, what costs speed and what keeps it from working, each in a line with "
               "the next step. Changes nothing. Ends with 1 when there is a problem.\v"
               "Example:\n  ramjet doctor eth0"};
    static const rj_column_t columns[] = {
        {"state", -7}, {"interface", -9}, {"subject", -19}, {"transports", -16}, {"text", -1}};
    doctor_input_t input = {.format = RJ_OUTPUT_TABLE};
    doctor_t doctor = {.problem_count = 0};
    rj_machine_facts_t machine;
    rj_link_facts_t link;
    rj_err_t err;
    rj_options_parse(&argp, "ramjet doctor", 0, argc, argv, &input);
    if (input.interface != NULL && rj_doctor_read_link(input.interface, &link, &err) < 0) {
        fprintf(stderr, "ramjet doctor: %s\n", err.text);
        return RJ_EXIT_FAILED;
    }
    rj_output_init(&doctor.output, stdout, input.format, columns,
                   sizeof(columns) / sizeof(columns[0]));
    rj_doctor_read_machine(&machine);
    rj_doctor_judge_machine(&machine, tell, &doctor);
    doctor.interface = input.interface;
    if (input.interface != NULL)
        rj_doctor_judge_link(&link, tell, &doctor);
    return doctor.problem_count > 0 ? RJ_EXIT_FAILED : RJ_EXIT_DONE;
}
