/* SPDX-License-Identifier: Apache-2.0 */
/* `ramjet status`: which interfaces the steering program is on, in which mode and why, who uses it,
 * and what a driver says about its transports. */
#include "cli/cmd_attach.h"
#include "cli/command.h"
#include "cli/driver_files.h"
#include "cli/engine_rows.h"
#include "cli/steer_rows.h"

#include "base/clock.h"
#include "xdp/attached.h"
#include "xdp/ingress.h"

#include <ramjet/command.h>

#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HELD_TEXT_MAX = 64 };

typedef struct status_input {
    rj_look_input_t look;
    const char *interface; /* NULL: all */
    const char *instance;
} status_input_t;

static const char command[] = "ramjet status";

static error_t parse(int key, char *arg, struct argp_state *state)
{
    status_input_t *input = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &input->look;
        return 0;
    case RJ_CMD_ATTACH_KEY_INSTANCE:
        input->instance = rj_cmd_attach_instance(state, arg);
        return 0;
    case ARGP_KEY_ARG:
        rj_cmd_attach_operand(state, arg, &input->interface);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const rj_column_t interface_columns[] = {
    {"kind", 0},      {"interface", -9}, {"program_id", 10}, {"program", -10},    {"mode", -7},
    {"held_by", -24}, {"mac", -17},      {"mtu_bytes", 9},   {"queue_count", 11}, {"why", -1}};

enum { INTERFACE_COLUMNS = sizeof(interface_columns) / sizeof(interface_columns[0]) };

static void print_holder(const rj_steer_t *steer, rj_attached_t *attached,
                         char text[static HELD_TEXT_MAX])
{
    if (steer != NULL && steer->holder == RJ_STEER_PINNED) {
        snprintf(text, HELD_TEXT_MAX, "pins");
        return;
    }
    /* A nameless program is one that we may not look at, nor at its link. */
    if (attached->name[0] == '\0') {
        text[0] = '\0';
        return;
    }
    rj_attached_find_holder(attached);
    if (attached->holder_pid != 0)
        snprintf(text, HELD_TEXT_MAX, "process %u (%s)", attached->holder_pid,
                 attached->holder_name);
    else
        snprintf(text, HELD_TEXT_MAX, attached->link_id != 0 ? "link %u" : "netlink",
                 attached->link_id);
}

/* `steer` is NULL where what is there is not ours, or cannot be looked into. */
static void print_interface(rj_output_t *output, const rj_device_t *device, const rj_steer_t *steer,
                            rj_attached_t *attached, const char *why)
{
    char held_by[HELD_TEXT_MAX];
    char mac[18];
    rj_cmd_attach_mac(device->mac, mac);
    if (output->format == RJ_OUTPUT_JSON)
        rj_output_text(output, "interface");
    rj_output_text(output, device->name);
    if (attached->program_id != 0) {
        print_holder(steer, attached, held_by);
        rj_output_integer(output, attached->program_id);
        rj_output_text(output, attached->name[0] != '\0' ? attached->name : NULL);
        rj_output_text(output, rj_xdp_mode_name(attached->mode));
        rj_output_text(output, held_by[0] != '\0' ? held_by : NULL);
    } else {
        for (size_t i = 0; i < 4; i++)
            rj_output_none(output);
    }
    rj_output_text(output, mac);
    rj_output_integer(output, device->mtu_bytes);
    rj_output_integer(output, device->queue_count);
    rj_output_text(output, why[0] != '\0' ? why : NULL);
    rj_output_end_row(output);
}

static void begin_interfaces(rj_output_t *output, rj_output_format_t format)
{
    size_t skip = format == RJ_OUTPUT_JSON ? 0 : 1;
    rj_output_init(output, stdout, format, interface_columns + skip, INTERFACE_COLUMNS - skip);
}

static int print_maps(const rj_steer_t *steer, int64_t now_ns, rj_output_format_t format,
                      rj_err_t *err)
{
    int code = rj_steer_print_owners(steer, now_ns, format, "\n", err);
    if (code == 0)
        code = rj_steer_print_queues(steer, format, "\n", err);
    if (code == 0)
        code = rj_steer_print_entries(steer, format, "\n", err);
    if (code == 0)
        code = rj_steer_print_reasons(steer, format, "\n", err);
    return code;
}

/* 1 when something was printed, 0 when the interface carries nothing and was not asked for. */
static int show_interface(const status_input_t *input, const char *name, rj_err_t *err)
{
    rj_device_t device;
    rj_attached_t attached;
    rj_steer_t steer;
    rj_output_t output;
    rj_err_t reason = {.code = 0};
    int64_t now_ns = rj_clock_mono_ns();
    rj_output_format_t format = input->look.format;
    const rj_steer_options_t options = {
        .interface = name, .instance = input->instance, .attach_if = RJ_STEER_LOOK};
    int code = rj_device_look(name, &device, err);
    if (code != 0)
        return rj_err_context(err, "%s: ", name);
    code = rj_attached_look(device.index, &attached);
    if (code != 0)
        return rj_fail(err, code, "%s: cannot ask what it carries: %s", name, strerror(-code));
    if (attached.program_id == 0)
        rj_ingress_look(device.index, &attached);
    if (attached.program_id == 0 && input->interface == NULL)
        return 0;
    bool is_open = rj_steer_open(&steer, &options, now_ns, &reason) == 0;
    if (is_open && steer.swept_owners > 0)
        fprintf(stderr, "%s: %s: what dead drivers had left in its maps was removed, of %d\n",
                command, name, steer.swept_owners);
    /* The text begins with the interface's name, which stands in a column of its own. */
    const char *why = is_open ? steer.why : reason.text + strlen(name) + 2;
    begin_interfaces(&output, format);
    print_interface(&output, &device, is_open ? &steer : NULL, &attached, why);
    code = is_open ? print_maps(&steer, now_ns, format, err) : 0;
    if (format == RJ_OUTPUT_TABLE)
        putchar('\n');
    rj_steer_close(&steer);
    return code == 0 ? 1 : code;
}

static int show_interfaces(const status_input_t *input, rj_err_t *err)
{
    struct if_nameindex *all = if_nameindex();
    int shown = 0;
    if (all == NULL)
        return rj_fail(err, -errno, "cannot list the interfaces: %s", strerror(errno));
    for (const struct if_nameindex *at = all; at->if_index != 0; at++) {
        rj_err_t reason;
        int code = show_interface(input, at->if_name, &reason);
        /* It may have gone, or have no Ethernet header: then XDP of ours is not on it. */
        if (code < 0 && code != -ENODEV && code != -EOPNOTSUPP) {
            *err = reason;
            if_freenameindex(all);
            return code;
        }
        shown += code > 0;
    }
    if_freenameindex(all);
    if (shown == 0 && input->look.format == RJ_OUTPUT_TABLE)
        printf("no interface carries an XDP program: `ramjet attach IF` puts ours on one\n");
    return 0;
}

/* Pins that are left of interfaces that have gone. Who may not remove them leaves them. */
static void sweep_pins(const char *instance)
{
    rj_pins_t pins;
    char names[256];
    int lock_fd = -1;
    if (rj_pins_init(&pins, instance, "", NULL) != 0 || access(pins.instance, W_OK) != 0 ||
        rj_pins_lock(&pins, &lock_fd, NULL) != 0)
        return;
    if (rj_pins_sweep(&pins, names, sizeof(names)) > 0)
        fprintf(stderr, "%s: pins without a program were removed: %s\n", command, names);
    rj_pins_unlock(&pins, lock_fd);
}

/* Only a driver with rings has counters of its own. */
static bool has_rings(const rj_driver_files_t *files)
{
    rj_counter_view_t view;
    int32_t cursor = 0;
    while (rj_counters_next(&files->counters, &cursor, &view))
        if (view.type_id >= RJ_COUNTER_TYPE_RAMJET_MIN &&
            view.type_id < RJ_COUNTER_TYPE_RAMJET_TRANSPORT)
            return true;
    return false;
}

static bool is_alive(const rj_driver_files_t *files)
{
    char state[64];
    rj_driver_files_state(files, rj_clock_epoch_ms(), state, sizeof(state));
    return strcmp(state, "alive") == 0;
}

static void print_driver(const rj_driver_files_t *files, rj_output_format_t format)
{
    static const rj_column_t columns[] = {{"kind", 0}, {"dir", 0}, {"state", 0}, {"transport", 0}};
    /* One that has ended well has given its counters back. */
    const bool is_ringed = has_rings(files);
    char transport[RJ_DRIVER_TRANSPORT_MAX];
    const bool is_told = rj_driver_files_transport(files, transport);
    const bool is_plain = !is_ringed && is_told && is_alive(files);
    rj_output_t output;
    char state[64];
    transport[strcspn(transport, ":")] = '\0';
    rj_driver_files_state(files, rj_clock_epoch_ms(), state, sizeof(state));
    if (format == RJ_OUTPUT_TABLE) {
        printf("driver in %s, %s", files->directory, state);
        if (is_plain)
            printf(": everything by sockets (%s), it has no rings", transport);
        printf("\n");
        return;
    }
    rj_output_init(&output, stdout, format, columns, sizeof(columns) / sizeof(columns[0]));
    rj_output_text(&output, "driver");
    rj_output_text(&output, files->directory);
    rj_output_text(&output, state);
    rj_output_text(&output, is_told ? transport : NULL);
    rj_output_end_row(&output);
}

static void print_counters(const rj_driver_files_t *files, rj_output_format_t format)
{
    static const rj_column_t json_columns[] = {
        {"kind", 0}, {"dir", 0}, {"type_id", 0}, {"label", 0}, {"value", 0}};
    static const rj_column_t columns[] = {{"label", -64}, {"value", 12}};
    rj_output_t output;
    rj_counter_view_t view;
    int32_t cursor = 0;
    int64_t gone_count = 0;
    bool is_begun = false;
    print_driver(files, format);
    rj_engine_rows_print(files, format);
    while (rj_counters_next(&files->counters, &cursor, &view)) {
        if (view.type_id < RJ_COUNTER_TYPE_RAMJET_MIN || view.type_id > RJ_COUNTER_TYPE_RAMJET_MAX)
            continue;
        if (!is_begun && format == RJ_OUTPUT_JSON)
            rj_output_init(&output, stdout, format, json_columns, 5);
        else if (!is_begun)
            rj_output_init(&output, stdout, format, columns, 2);
        is_begun = true;
        if (format == RJ_OUTPUT_JSON) {
            rj_output_text(&output, "counter");
            rj_output_text(&output, files->directory);
            rj_output_integer(&output, view.type_id);
        }
        rj_output_text(&output, view.label);
        rj_output_integer(&output, view.value);
        rj_output_end_row(&output);
        if (view.type_id == RJ_COUNTER_TYPE_RAMJET_PROGRAMS_GONE)
            gone_count = view.value;
    }
    if (gone_count > 0 && format == RJ_OUTPUT_TABLE)
        printf("\ndetached under this driver: it goes on over its sockets there, until it is "
               "started again\n");
}

/* A driver that nobody asked for by name need not be there. */
static int show_driver(const status_input_t *input, rj_err_t *err)
{
    rj_driver_files_t files;
    int code = rj_driver_files_open(&files, input->look.directory, err);
    if (code != 0)
        return input->look.directory == NULL ? 0 : code;
    /* What an old one has left where nobody asked for it is of no interest. */
    if (input->look.directory != NULL || is_alive(&files))
        print_counters(&files, input->look.format);
    rj_driver_files_close(&files);
    return 0;
}

int rj_cmd_status(int argc, char **argv)
{
    static const struct argp_option rows[] = {RJ_CMD_ATTACH_INSTANCE_ROW, {0}};
    static const struct argp_child children[] = {{.argp = &rj_look_argp}, {0}};
    static const struct argp argp = {
        .options = rows,
        .parser = parse,
        .children = children,
        .args_doc = "[IF]",
        .doc = "Prints which XDP programs interfaces carry, in which mode and why, and of ours the "
               "drivers that use it, their queues and streams, and why frames went where they "
               "went; then what the driver of --dir counts about its transports. Removes what dead "
               "drivers have left in the maps.\v"
               "Example:\n  ramjet status eth0"};
    status_input_t input = {.look.format = RJ_OUTPUT_TABLE};
    rj_err_t err;
    rj_options_parse(&argp, command, 0, argc, argv, &input);
    sweep_pins(input.instance);
    int code = input.interface != NULL ? show_interface(&input, input.interface, &err)
                                       : show_interfaces(&input, &err);
    if (code >= 0)
        code = show_driver(&input, &err);
    if (code >= 0)
        return RJ_EXIT_DONE;
    fprintf(stderr, "%s: %s\n", command, err.text);
    return RJ_EXIT_FAILED;
}
