/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_attach.h - what the commands about XDP on an interface share.
 *
 * Units      none.  Ownership texts point into argv.  Thread the main thread.
 * Errors     a wrong command line ends the process with RJ_EXIT_MISUSE.
 */
#ifndef RJ_CLI_CMD_ATTACH_H
#define RJ_CLI_CMD_ATTACH_H

#include "cli/options.h"
#include "cli/output.h"
#include "xdp/attach.h"

/* Keys of the option rows that more than one of these commands has. */
enum rj_cmd_attach_key {
    RJ_CMD_ATTACH_KEY_INSTANCE = 0x300,
    RJ_CMD_ATTACH_KEY_DRY_RUN,
    RJ_CMD_ATTACH_KEY_JSON,
    RJ_CMD_ATTACH_KEY_OWN = 0x400, /* the first that a command may use for itself */
};

#define RJ_CMD_ATTACH_INSTANCE_ROW                                                                 \
    {                                                                                              \
        "instance", RJ_CMD_ATTACH_KEY_INSTANCE, "NAME", 0,                                         \
            "Whose pins (the number of the network namespace)", 0                                  \
    }
#define RJ_CMD_ATTACH_DRY_RUN_ROW                                                                  \
    {                                                                                              \
        "dry-run", RJ_CMD_ATTACH_KEY_DRY_RUN, NULL, 0,                                             \
            "Say what would be done and change nothing", 0                                         \
    }
#define RJ_CMD_ATTACH_JSON_ROW                                                                     \
    {                                                                                              \
        "json", RJ_CMD_ATTACH_KEY_JSON, NULL, 0, "Print one JSON object a line", 0                 \
    }

/* Takes a name for pins, or ends the process. */
const char *rj_cmd_attach_instance(const struct argp_state *state, const char *text);

/* Takes the operand IF, once; ends the process at a second one. */
void rj_cmd_attach_operand(const struct argp_state *state, const char *text,
                           const char **interface);

/* What attach and detach have in common: the three rows above, and the operand, which must be. */
error_t rj_cmd_attach_parse(int key, char *arg, struct argp_state *state,
                            rj_attach_options_t *options, rj_output_format_t *format);

/* Prints the notes, one line each, to stderr: `<command>: <interface>: <note>`. */
void rj_cmd_attach_notes(const char *command, const rj_attach_report_t *report);

/* "02:72:6a:00:00:01" */
void rj_cmd_attach_mac(const uint8_t mac[static 6], char ret_text[static 18]);

#endif
