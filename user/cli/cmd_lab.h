/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_lab.h - what the two files of `ramjet lab` share.
 *
 * Units      none.  Ownership none.  Thread the main thread.
 * Errors     as in command.h.
 */
#ifndef RJ_CLI_CMD_LAB_H
#define RJ_CLI_CMD_LAB_H

#include "cli/options.h"
#include "cli/output.h"
#include "lab/lab.h"

#define RJ_LAB_NAME_DEFAULT "rj-lab"

/* Keys of the option rows that more than one subcommand has. */
enum rj_cmd_lab_key {
    RJ_CMD_LAB_KEY_NAME = 0x100,
    RJ_CMD_LAB_KEY_JSON,
    RJ_CMD_LAB_KEY_OWN = 0x200, /* the first that a subcommand may use for itself */
};

#define RJ_CMD_LAB_NAME_ROW                                                                        \
    {                                                                                              \
        "name", RJ_CMD_LAB_KEY_NAME, "LAB", 0, "Which lab (" RJ_LAB_NAME_DEFAULT ")", 0            \
    }
#define RJ_CMD_LAB_JSON_ROW                                                                        \
    {                                                                                              \
        "json", RJ_CMD_LAB_KEY_JSON, NULL, 0, "Print one JSON object a line", 0                    \
    }

/* Reads --name, or ends the process. */
void rj_cmd_lab_take_name(const struct argp_state *state, const char *text,
                          char ret_name[static RJ_LAB_NAME_MAX + 1]);

/* Prints the one line and returns RJ_EXIT_FAILED. */
int rj_cmd_lab_fail(const char *command, const rj_err_t *err);

/* Settings and counts of each direction. Nothing, and -ENOENT, when the wire is good. */
int rj_cmd_lab_print_impairment(const rj_lab_shape_t *shape, rj_output_format_t format,
                                rj_err_t *err);

int rj_cmd_lab_impair(int argc, char **argv);

#endif
