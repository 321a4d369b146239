/* SPDX-License-Identifier: Apache-2.0 */
/* command.h - a set of subcommands, each a name, a function and one line of help.
 *
 * `ramjet` is such a set, and so is `ramjet lab`. Every command is one file, cmd_<name>.c, with one
 * function declared here and one row in the table of main.c.
 *
 * Units      exit codes: rj_exit.
 * Ownership  sets are constant tables.
 * Thread     the main thread.
 * Errors     one line on stderr, `ramjet lab: what is wrong: what to do`, and an exit code.
 */
#ifndef RJ_CLI_COMMAND_H
#define RJ_CLI_COMMAND_H

#include <stddef.h>

/* What a script may rely on. `lab exec` alone passes on the code of what it ran. */
enum rj_exit {
    RJ_EXIT_DONE = 0,
    RJ_EXIT_FAILED = 1, /* the machine, the peer or the file said no */
    RJ_EXIT_MISUSE = 2, /* the command line itself is wrong; nothing was tried */
};

typedef struct rj_command {
    const char *name;
    int (*run)(int argc, char **argv); /* argv[0] is the command's name; returns an exit code */
    const char *help;                  /* one line, lower case, no full stop */
} rj_command_t;

typedef struct rj_command_set {
    const char *path;    /* what was typed so far: "ramjet lab" */
    const char *about;   /* one sentence */
    const char *example; /* lines a user can type as they are, each ending in a newline */
    const rj_command_t *commands;
    size_t count;
} rj_command_set_t;

/* Runs the command that argv[1] names, with argv + 1. Answers --help itself; anything else that is
 * not a command is a misuse. */
int rj_command_dispatch(const rj_command_set_t *set, int argc, char **argv);

/* The commands of `ramjet`, in the order of the table. */
int rj_cmd_driver(int argc, char **argv);
int rj_cmd_attach(int argc, char **argv);
int rj_cmd_detach(int argc, char **argv);
int rj_cmd_status(int argc, char **argv);
int rj_cmd_doctor(int argc, char **argv);
int rj_cmd_filter(int argc, char **argv);
int rj_cmd_pub(int argc, char **argv);
int rj_cmd_sub(int argc, char **argv);
int rj_cmd_ping(int argc, char **argv);
int rj_cmd_pong(int argc, char **argv);
int rj_cmd_stat(int argc, char **argv);
int rj_cmd_streams(int argc, char **argv);
int rj_cmd_errors(int argc, char **argv);
int rj_cmd_loss(int argc, char **argv);
int rj_cmd_echo(int argc, char **argv);
int rj_cmd_lab(int argc, char **argv);

/* The whole program under the name aeronmd; argv[0] is as it was called. */
int rj_cmd_aeronmd(int argc, char **argv);

#endif
