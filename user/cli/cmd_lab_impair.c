/* SPDX-License-Identifier: Apache-2.0 */
/* `ramjet lab impair`: loss, duplicates, reordering and corruption on a lab's wire. */
#include "cli/cmd_lab.h"
#include "cli/command.h"
#include "lab/impair.h"
#include "lab/run.h"
#include "lab/state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    KEY_LOSS = RJ_CMD_LAB_KEY_OWN,
    KEY_DUPLICATE,
    KEY_REORDER,
    KEY_CORRUPT,
    KEY_DELAY_FRAMES,
    KEY_SEED,
    KEY_DIRECTION,
    KEY_ALL_FRAMES,
};

enum { DELAY_FRAMES_DEFAULT = 8, SEED_DEFAULT = 1 };

typedef enum impair_action { IMPAIR_SET, IMPAIR_OFF, IMPAIR_SHOW } impair_action_t;

typedef struct impair_input {
    char name[RJ_LAB_NAME_MAX + 1];
    impair_action_t action;
    bool has_operand;
    bool has_share; /* one of loss, duplicate, reorder, corrupt */
    bool has_direction;
    bool has_setting; /* any other, the direction too */
    rj_lab_directions_t directions;
    struct rj_impair_config config;
    rj_output_format_t format;
} impair_input_t;

/* One side of a direction: a host, or all of them. Returns the set, 0 when it is neither. */
static uint32_t parse_side(const char *text)
{
    int host = 0;
    if (strcmp(text, "all") == 0)
        return RJ_LAB_ALL_HOSTS;
    if (rj_lab_host_parse(text, &host, NULL) != 0 || host == RJ_LAB_WIRE)
        return 0;
    return 1u << host;
}

static void take_direction(const struct argp_state *state, const char *text, impair_input_t *input)
{
    char sides[32];
    rj_lab_directions_t directions = {RJ_LAB_ALL_HOSTS, RJ_LAB_ALL_HOSTS};
    if (input->has_direction)
        rj_options_fail(state, "--direction is given twice: set one, then the other");
    input->has_direction = true;
    if (strcmp(text, "both") == 0 || strcmp(text, "all") == 0) {
        input->directions = directions;
        return;
    }
    snprintf(sides, sizeof(sides), "%s", text);
    char *arrow = strstr(sides, "->");
    char *colon = arrow != NULL ? arrow : strchr(sides, ':');
    directions = (rj_lab_directions_t){0, 0};
    if (colon != NULL) {
        const char *destination = colon + (arrow != NULL ? 2 : 1);
        *colon = '\0';
        directions.sources = parse_side(sides);
        directions.destinations = parse_side(destination);
    }
    if (directions.sources == 0 || directions.destinations == 0 ||
        (directions.sources == directions.destinations && directions.sources != RJ_LAB_ALL_HOSTS))
        rj_options_fail(
            state, "--direction %s: give both, 'h1->h2' or h1:h2; all may stand for a host", text);
    input->directions = directions;
}

static void take_operand(const struct argp_state *state, const char *text, impair_input_t *input)
{
    if (input->has_operand)
        rj_options_fail(state, "'%s' is one operand too many: give off or show", text);
    input->has_operand = true;
    if (strcmp(text, "off") == 0)
        input->action = IMPAIR_OFF;
    else if (strcmp(text, "show") == 0)
        input->action = IMPAIR_SHOW;
    else
        rj_options_fail(state, "'%s' is not known: give off, show, or options such as --loss 1",
                        text);
}

static void check(const struct argp_state *state, const impair_input_t *input)
{
    if (input->has_operand && (input->has_setting || input->has_share))
        rj_options_fail(state,
                        "off and show take no settings: leave the operand or the options out");
    if (!input->has_operand && !input->has_share)
        rj_options_fail(state,
                        "no harm chosen: give --loss, --duplicate, --reorder or --corrupt, or off");
}

static uint32_t take_share(const struct argp_state *state, const char *option, const char *text,
                           impair_input_t *input)
{
    input->has_share = true;
    return rj_option_percent_ppm(state, option, text);
}

static error_t parse_setting(int key, char *arg, struct argp_state *state)
{
    impair_input_t *input = state->input;
    struct rj_impair_config *config = &input->config;
    switch (key) {
    case KEY_LOSS:
        config->loss_ppm = take_share(state, "--loss", arg, input);
        return 0;
    case KEY_DUPLICATE:
        config->duplicate_ppm = take_share(state, "--duplicate", arg, input);
        return 0;
    case KEY_REORDER:
        config->reorder_ppm = take_share(state, "--reorder", arg, input);
        return 0;
    case KEY_CORRUPT:
        config->corrupt_ppm = take_share(state, "--corrupt", arg, input);
        return 0;
    case KEY_DELAY_FRAMES:
        config->delay_frames = (uint32_t)rj_option_integer(state, "--delay-frames", arg, 1,
                                                           RJ_IMPAIR_DELAY_FRAMES_MAX);
        break;
    case KEY_SEED:
        config->seed = (uint64_t)rj_option_integer(state, "--seed", arg, 0, INT64_MAX);
        break;
    case KEY_DIRECTION:
        take_direction(state, arg, input);
        break;
    case KEY_ALL_FRAMES:
        config->flags |= RJ_IMPAIR_ALL_FRAMES;
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    input->has_setting = true;
    return 0;
}

static error_t parse_impair(int key, char *arg, struct argp_state *state)
{
    impair_input_t *input = state->input;
    switch (key) {
    case RJ_CMD_LAB_KEY_NAME:
        rj_cmd_lab_take_name(state, arg, input->name);
        return 0;
    case RJ_CMD_LAB_KEY_JSON:
        input->format = RJ_OUTPUT_JSON;
        return 0;
    case ARGP_KEY_ARG:
        take_operand(state, arg, input);
        return 0;
    case ARGP_KEY_END:
        check(state, input);
        return 0;
    default:
        return parse_setting(key, arg, state);
    }
}

static const rj_column_t setting_columns[] = {
    {"direction", -9},       {"loss_percent", 12}, {"duplicate_percent", 17},
    {"reorder_percent", 15}, {"delay_frames", 12}, {"corrupt_percent", 15},
    {"frames", 6},           {"seed", 4}};

/* The first is in both tables, so that each reads by itself; JSON has it once. */
static const rj_column_t count_columns[] = {
    {"direction", -9},         {"seen_frames", 11},    {"seen_bytes", 11},
    {"passed_frames", 13},     {"dropped_frames", 14}, {"duplicated_frames", 17},
    {"corrupted_frames", 16},  {"held_frames", 11},    {"released_frames", 15},
    {"still_held_frames", 17}, {"refused_holds", 13},  {"failed_clones", 13},
    {"other_frames", 12}};

enum {
    SETTING_COLUMNS = sizeof(setting_columns) / sizeof(setting_columns[0]),
    COUNT_COLUMNS = sizeof(count_columns) / sizeof(count_columns[0]),
};

static void print_direction(rj_output_t *output, int source, int destination)
{
    char text[32];
    if (source == destination)
        snprintf(text, sizeof(text), "h%d->group", source);
    else
        snprintf(text, sizeof(text), "h%d->h%d", source, destination);
    rj_output_text(output, text);
}

static void print_percent(rj_output_t *output, uint32_t ppm)
{
    rj_output_real(output, ppm * 100.0 / RJ_IMPAIR_PPM, 4);
}

static void print_settings(rj_output_t *output, const struct rj_impair_config *config)
{
    print_percent(output, config->loss_ppm);
    print_percent(output, config->duplicate_ppm);
    print_percent(output, config->reorder_ppm);
    rj_output_integer(output, config->reorder_ppm != 0 ? config->delay_frames : 0);
    print_percent(output, config->corrupt_ppm);
    rj_output_text(output, (config->flags & RJ_IMPAIR_ALL_FRAMES) != 0 ? "all" : "udp");
    rj_output_integer(output, (int64_t)config->seed);
}

static void print_counts(rj_output_t *output, const struct rj_impair_state *state)
{
    const uint64_t counts[] = {state->seen_frames,
                               state->seen_bytes,
                               state->passed_frames,
                               state->dropped_frames,
                               state->duplicated_frames,
                               state->corrupted_frames,
                               state->held_frames,
                               state->released_frames,
                               state->held_frames - state->released_frames,
                               state->refused_holds,
                               state->failed_clones,
                               state->other_frames};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        rj_output_integer(output, (int64_t)counts[i]);
}

typedef enum impair_table { TABLE_SETTINGS, TABLE_COUNTS, TABLE_BOTH } impair_table_t;

/* A direction to a group is shown once it has carried something. */
static void print_table(const rj_lab_shape_t *shape, const rj_impair_view_t *view,
                        rj_output_t *output, impair_table_t table)
{
    for (int source = 1; source <= shape->host_count; source++) {
        for (int destination = 1; destination <= shape->host_count; destination++) {
            uint32_t i = rj_impair_direction((uint32_t)source, (uint32_t)destination);
            const struct rj_impair_state *state = &view->states[i];
            if (source == destination && state->seen_frames == 0)
                continue;
            print_direction(output, source, destination);
            if (table != TABLE_COUNTS)
                print_settings(output, &view->configs[i]);
            if (table != TABLE_SETTINGS)
                print_counts(output, state);
            rj_output_end_row(output);
        }
    }
}

static void print_view(const rj_lab_shape_t *shape, const rj_impair_view_t *view,
                       rj_output_format_t format, impair_table_t table)
{
    rj_column_t both[SETTING_COLUMNS + COUNT_COLUMNS - 1];
    rj_output_t output;
    if (format == RJ_OUTPUT_JSON) {
        memcpy(both, setting_columns, sizeof(setting_columns));
        memcpy(both + SETTING_COLUMNS, count_columns + 1,
               sizeof(count_columns) - sizeof(count_columns[0]));
        rj_output_init(&output, stdout, format, both, SETTING_COLUMNS + COUNT_COLUMNS - 1);
        print_table(shape, view, &output, TABLE_BOTH);
        return;
    }
    rj_output_init(&output, stdout, format, setting_columns, SETTING_COLUMNS);
    print_table(shape, view, &output, TABLE_SETTINGS);
    if (table == TABLE_SETTINGS)
        return;
    putchar('\n');
    rj_output_init(&output, stdout, format, count_columns, COUNT_COLUMNS);
    print_table(shape, view, &output, TABLE_COUNTS);
}

int rj_cmd_lab_print_impairment(const rj_lab_shape_t *shape, rj_output_format_t format,
                                rj_err_t *err)
{
    rj_impair_view_t view;
    int code = rj_lab_impair_look(shape, &view, err);
    if (code == 0)
        print_view(shape, &view, format, TABLE_BOTH);
    return code;
}

/* Frames that still wait when the program goes are gone, and whoever counts must know. */
static void tell_held(const char *command, const rj_lab_shape_t *shape)
{
    rj_impair_view_t view;
    uint64_t held = 0;
    if (rj_lab_impair_look(shape, &view, NULL) != 0)
        return;
    for (size_t i = 0; i < RJ_IMPAIR_DIRECTIONS_MAX; i++)
        held += view.states[i].held_frames - view.states[i].released_frames;
    if (held > 0)
        fprintf(stderr, "%s: %llu frames were still held and are gone\n", command,
                (unsigned long long)held);
}

static int check_hosts(const rj_lab_shape_t *shape, const rj_lab_directions_t *directions,
                       rj_err_t *err)
{
    const uint32_t sets[] = {directions->sources, directions->destinations};
    for (size_t i = 0; i < 2; i++)
        if (sets[i] != RJ_LAB_ALL_HOSTS && sets[i] >> (shape->host_count + 1) != 0)
            return rj_fail(err, -EINVAL, "lab %s has only %d hosts: choose another --direction",
                           shape->name, shape->host_count);
    return 0;
}

static int run(const char *command, const impair_input_t *input, rj_err_t *err)
{
    rj_lab_shape_t shape;
    rj_impair_view_t view;
    int code = rj_lab_shape_look(input->name, &shape, err);
    if (code != 0)
        return code;
    switch (input->action) {
    case IMPAIR_SHOW:
        code = rj_cmd_lab_print_impairment(&shape, input->format, err);
        if (code == -ENOENT && input->format == RJ_OUTPUT_TABLE)
            printf("the wire of lab %s is not impaired\n", input->name);
        return code == -ENOENT ? 0 : code;
    case IMPAIR_OFF:
        tell_held(command, &shape);
        return rj_lab_impair_off(&shape, err);
    case IMPAIR_SET:
        code = check_hosts(&shape, &input->directions, err);
        if (code != 0)
            return code;
        tell_held(command, &shape);
        code = rj_lab_impair_set(&shape, &input->directions, &input->config, err);
        if (code == 0)
            code = rj_lab_impair_look(&shape, &view, err);
        if (code == 0)
            print_view(&shape, &view, input->format, TABLE_SETTINGS); /* all counts are 0 */
        return code;
    }
    return -EINVAL;
}

int rj_cmd_lab_impair(int argc, char **argv)
{
    static const char command[] = "ramjet lab impair";
    static const struct argp_option rows[] = {
        RJ_CMD_LAB_NAME_ROW,
        {"loss", KEY_LOSS, "PERCENT", 0, "Share of frames that are lost", 0},
        {"duplicate", KEY_DUPLICATE, "PERCENT", 0, "Share that arrive twice", 0},
        {"reorder", KEY_REORDER, "PERCENT", 0, "Share that are held back", 0},
        {"delay-frames", KEY_DELAY_FRAMES, "N", 0,
         "A frame held back comes 1 to N frames later, 63 at most (8)", 0},
        {"corrupt", KEY_CORRUPT, "PERCENT", 0, "Share that have one byte changed", 0},
        {"seed", KEY_SEED, "S", 0, "The same seed harms the same frames (1)", 0},
        {"direction", KEY_DIRECTION, "D", 0,
         "both, 'h1->h2' or h1:h2, where all stands for any host (both)", 0},
        {"all-frames", KEY_ALL_FRAMES, NULL, 0,
         "All of IPv4 and IPv6, not UDP alone; never ARP and neighbour discovery", 0},
        RJ_CMD_LAB_JSON_ROW,
        {0}};
    static const struct argp argp = {
        .options = rows,
        .parser = parse_impair,
        .args_doc = "[off|show]",
        .doc = "Makes the wire of a lab a bad one. A share that is not given is none; directions "
               "that are not named keep their settings; counts begin anew. Held frames leave with "
               "later ones: what waits when traffic ends is still_held. While the wire is bad, "
               "the hosts' links cut and sum every datagram themselves.\v"
               "Example:\n"
               "  ramjet lab impair --loss 1 --reorder 0.5 --seed 7\n"
               "  ramjet lab impair show\n"
               "  ramjet lab impair off"};
    impair_input_t input = {.name = RJ_LAB_NAME_DEFAULT,
                            .directions = {RJ_LAB_ALL_HOSTS, RJ_LAB_ALL_HOSTS},
                            .config = {.seed = SEED_DEFAULT, .delay_frames = DELAY_FRAMES_DEFAULT}};
    rj_err_t err;
    int lock_fd = -1;
    rj_options_parse(&argp, command, 0, argc, argv, &input);
    int code = rj_lab_check_privilege(&err);
    if (code == 0 && input.action != IMPAIR_SHOW)
        code = rj_lab_lock(input.name, &lock_fd, &err);
    if (code == 0)
        code = run(command, &input, &err);
    if (lock_fd >= 0)
        close(lock_fd);
    return code == 0 ? RJ_EXIT_DONE : rj_cmd_lab_fail(command, &err);
}
