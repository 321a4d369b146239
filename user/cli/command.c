/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"

#include <stdio.h>
#include <string.h>

static void print_help(const rj_command_set_t *set)
{
    printf("Usage: %s COMMAND [options] [operands]\n\n%s\n\nCommands:\n", set->path, set->about);
    for (size_t i = 0; i < set->count; i++)
        printf("  %-10s %s\n", set->commands[i].name, set->commands[i].help);
    printf("\n`%s COMMAND --help` tells more. Example:\n\n%s", set->path, set->example);
}

int rj_command_dispatch(const rj_command_set_t *set, int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "%s: no command given: see `%s --help`\n", set->path, set->path);
        return RJ_EXIT_MISUSE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help(set);
        return RJ_EXIT_DONE;
    }
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(name, set->commands[i].name) == 0)
            return set->commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "%s: no command '%s': see `%s --help`\n", set->path, name, set->path);
    return RJ_EXIT_MISUSE;
}
