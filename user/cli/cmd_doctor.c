/* SPDX-License-Identifier: Apache-2.0 */
/* `ramjet doctor`: what is wrong with this machine, and with an interface of it, for each way in
 * which datagrams can travel. */
#include "cli/calibrate.h"
#include "cli/command.h"
#include "cli/doctor.h"
#include "cli/options.h"
#include "cli/output.h"

#include <stdio.h>
#include <string.h>

enum { KEY_JSON = 'j', KEY_CALIBRATE = 0x100, KEY_ANSWER, KEY_WRITE, KEY_ONLY };

typedef struct doctor_input {
    rj_calibrate_params_t calibrate; /* its interface also of the others; NULL: the machine alone */
    bool calibrates;
    bool answers;
} doctor_input_t;

typedef struct doctor {
    rj_output_t output;
    const char *interface;
    int problem_count;
} doctor_t;

static void take_operand(doctor_input_t *input, const char *operand, struct argp_state *state)
{
    if (input->calibrate.interface == NULL)
        input->calibrate.interface = operand;
    else if (input->calibrates && input->calibrate.peer == NULL)
        input->calibrate.peer = operand;
    else
        rj_options_fail(state, "%s: one interface at a time", operand);
}

static void take_only(doctor_input_t *input, const char *list, struct argp_state *state)
{
    for (const char *at = list; at != NULL;) {
        char name[16] = "";
        const size_t length = strcspn(at, ",");
        rj_transport_t transport;
        if (length < sizeof(name))
            memcpy(name, at, length);
        if (rj_transport_parse(name, &transport) < 0)
            rj_options_fail(state, "--only %s: give " RJ_TRANSPORT_NAMES, list);
        input->calibrate.transports |= 1U << transport;
        at = at[length] == ',' ? at + length + 1 : NULL;
    }
}

static void check(const doctor_input_t *input, struct argp_state *state)
{
    if (input->calibrates && input->answers)
        rj_options_fail(state, "--calibrate and --answer are for two hosts");
    if (input->calibrates && input->calibrate.peer == NULL)
        rj_options_fail(state, "--calibrate: give an interface and a peer that runs `ramjet "
                               "doctor --answer IF`");
    if (input->answers && input->calibrate.interface == NULL)
        rj_options_fail(state, "--answer: give an interface");
    if (input->calibrate.properties != NULL && !input->calibrates)
        rj_options_fail(state, "--write: what --calibrate recommends, so it needs that");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    doctor_input_t *input = state->input;
    switch (key) {
    case KEY_JSON:
        input->calibrate.format = RJ_OUTPUT_JSON;
        return 0;
    case KEY_CALIBRATE:
        input->calibrates = true;
        return 0;
    case KEY_ANSWER:
        input->answers = true;
        return 0;
    case KEY_ONLY:
        take_only(input, arg, state);
        return 0;
    case KEY_WRITE:
        input->calibrate.properties = arg;
        return 0;
    case ARGP_KEY_ARG:
        take_operand(input, arg, state);
        return 0;
    case ARGP_KEY_END:
        check(input, state);
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

static int measure(const doctor_input_t *input)
{
    rj_link_facts_t link;
    rj_err_t err;
    int result = rj_doctor_read_link(input->calibrate.interface, &link, &err);
    if (result == 0)
        result = input->answers ? rj_calibrate_answer(input->calibrate.interface, &err)
                                : rj_calibrate(&input->calibrate, &err);
    if (result == 0)
        return RJ_EXIT_DONE;
    fprintf(stderr, "ramjet doctor: %s\n", err.text);
    return RJ_EXIT_FAILED;
}

int rj_cmd_doctor(int argc, char **argv)
{
    static const struct argp_option rows[] = {
        {"json", KEY_JSON, NULL, 0, "One JSON object a line", 0},
        {"calibrate", KEY_CALIBRATE, NULL, 0, "Measure each transport against PEER, some seconds",
         0},
        {"answer", KEY_ANSWER, NULL, 0, "Be that peer, until interrupted", 0},
        {"only", KEY_ONLY, "NAMES", 0, "Measure these alone, as gso,xdp", 0},
        {"write", KEY_WRITE, "FILE", 0, "Write what is recommended, for `ramjet driver FILE`", 0},
        {0}};
    static const struct argp argp = {
        .options = rows,
        .parser = parse,
        .args_doc = "[IF]\n--calibrate IF PEER\n--answer IF",
        .doc = "Looks at this machine, and at an interface of it, and says for each transport what "
               "is in order, what costs speed and what keeps it from working, each in a line with "
               "the next step. Changes nothing. Ends with 1 when there is a problem.\v"
               "Example:\n  ramjet doctor eth0"};
    static const rj_column_t columns[] = {
        {"state", -7}, {"interface", -9}, {"subject", -19}, {"transports", -16}, {"text", -1}};
    doctor_input_t input = {.calibrate.format = RJ_OUTPUT_TABLE};
    doctor_t doctor = {.problem_count = 0};
    rj_machine_facts_t machine;
    rj_link_facts_t link;
    rj_err_t err;
    rj_options_parse(&argp, "ramjet doctor", 0, argc, argv, &input);
    if (input.calibrates || input.answers)
        return measure(&input);
    if (input.calibrate.interface != NULL &&
        rj_doctor_read_link(input.calibrate.interface, &link, &err) < 0) {
        fprintf(stderr, "ramjet doctor: %s\n", err.text);
        return RJ_EXIT_FAILED;
    }
    rj_output_init(&doctor.output, stdout, input.calibrate.format, columns,
                   sizeof(columns) / sizeof(columns[0]));
    rj_doctor_read_machine(&machine);
    rj_doctor_judge_machine(&machine, tell, &doctor);
    doctor.interface = input.calibrate.interface;
    if (input.calibrate.interface != NULL)
        rj_doctor_judge_link(&link, tell, &doctor);
    return doctor.problem_count > 0 ? RJ_EXIT_FAILED : RJ_EXIT_DONE;
}
