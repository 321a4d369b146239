/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/driver_options.h"

#include "cli/options.h"
#include "config/property.h"
#include "config/ring_config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_INTERFACE = 0x300, /* out of the way of every command's own keys */
    KEY_TRANSPORT,
    KEY_XDP_MODE,
    KEY_QUEUES,
    KEY_CONTROL,
    KEY_ENGINE_CPUS,
    KEY_INSTANCE,
    KEY_STEER_QUEUES,
    KEY_BUSY_POLL,
    KEY_DPDK_ARGS,
    KEY_CHANNEL_TRANSPORT,
    KEY_COPY_FREE,
    KEY_REFERENCE_TIMING,
    GROUP = 4
};

static const struct argp_option rows[] = {
    {"interface", KEY_INTERFACE, "IF", 0,
     "use XDP on this interface; may be repeated (those attached before)", GROUP},
    {"transport", KEY_TRANSPORT, "NAME", 0, RJ_TRANSPORT_NAMES " (auto)", GROUP},
    {"xdp-mode", KEY_XDP_MODE, "MODE", 0, RJ_XDP_MODE_NAMES " (auto)", GROUP},
    {"queues", KEY_QUEUES, "A-B", 0, "receive queues of the interfaces, an engine for each (0)",
     GROUP},
    {"control", KEY_CONTROL, "WAY", 0, "where control frames come in: kernel or ring (kernel)",
     GROUP},
    {"engine-cpus", KEY_ENGINE_CPUS, "LIST", 0, "CPUs of the engines, as 2,3 or 2-5 (any)", GROUP},
    {"instance", KEY_INSTANCE, "NAME", 0, "whose pinned maps (the number of the network namespace)",
     GROUP},
    {"steer-queues", KEY_STEER_QUEUES, "WAY", 0,
     "the card's rules bring datagrams to their engine's queue: auto, on or off (auto)", GROUP},
    {"busy-poll", KEY_BUSY_POLL, "US[:BUDGET]", 0,
     "engines do their card's work, for so many us and packets (0: off)", GROUP},
    {"dpdk-args", KEY_DPDK_ARGS, "WORDS", 0,
     "what DPDK is started with, for --transport dpdk, as \"--no-pci --vdev=...\"", GROUP},
    {"channel-transport", KEY_CHANNEL_TRANSPORT, "RULES", 0,
     "that of some channels, as 10.0.0.2:*=socket,*:40123=xdp", GROUP},
    {"copy-free", KEY_COPY_FREE, "N", 0,
     "send N publications straight from their log buffers, by AF_XDP (0)", GROUP},
    {"reference-timing", KEY_REFERENCE_TIMING, NULL, 0,
     "repair losses at the reference's pace, not at that of round trips", GROUP},
    {"define", 'D', "NAME=VALUE", 0, "a setting, as aeron.mtu.length=8k or AERON_MTU_LENGTH=8k",
     GROUP},
    {0}};

/* Row i of the options, whose key is KEY_INTERFACE + i, sets variable i. */
static const char *const variables[] = {
    "RAMJET_INTERFACE", "RAMJET_TRANSPORT",   "RAMJET_XDP_MODE",          "RAMJET_QUEUES",
    "RAMJET_CONTROL",   "RAMJET_ENGINE_CPUS", "RAMJET_INSTANCE",          "RAMJET_STEER_QUEUES",
    "RAMJET_BUSY_POLL", "RAMJET_DPDK_ARGS",   "RAMJET_CHANNEL_TRANSPORT", "RAMJET_COPY_FREE"};

/* The command line replaces what the environment says, and then adds to itself. */
static void add_interface(const rj_driver_options_t *options, char *arg, char *text, size_t size)
{
    const char *before = options->has_interface ? getenv("RAMJET_INTERFACE") : NULL;
    snprintf(text, size, "%s%s%s", before != NULL ? before : "", before != NULL ? "," : "", arg);
}

static void take(rj_driver_options_t *options, int row, char *arg, const struct argp_state *state)
{
    char list[2 * RJ_CONFIG_NAME_MAX];
    rj_err_t err;
    const char *text = arg;
    if (arg[0] == '\0')
        rj_options_fail(state, "--%s: an empty value", rows[row].name);
    if (row == 0) {
        add_interface(options, arg, list, sizeof(list));
        options->has_interface = true;
        text = list;
    }
    if (rj_ring_config_check_value(variables[row], text, &err) < 0)
        rj_options_fail(state, "--%s %s: %s", rows[row].name, arg, err.text);
    if (setenv(variables[row], text, 1) != 0)
        rj_options_fail(state, "--%s %s: %s", rows[row].name, arg, strerror(errno));
}

static void note(rj_driver_options_t *options, const char *name)
{
    if (options->first == NULL)
        options->first = name;
}

static void take_flag(const char *variable, const struct argp_state *state)
{
    if (setenv(variable, "true", 1) != 0)
        rj_options_fail(state, "%s: %s", variable, strerror(errno));
}

static int parse_row(int key, char *arg, struct argp_state *state)
{
    rj_driver_options_t *options = state->input;
    rj_err_t err;
    if (key == 'D') {
        note(options, "define");
        if (rj_property_define(arg, &err) < 0)
            rj_options_fail(state, "%s", err.text);
        return 0;
    }
    if (key == KEY_REFERENCE_TIMING) {
        note(options, "reference-timing");
        take_flag("RAMJET_REFERENCE_TIMING", state);
        return 0;
    }
    if (key < KEY_INTERFACE || key > KEY_COPY_FREE)
        return ARGP_ERR_UNKNOWN;
    note(options, rows[key - KEY_INTERFACE].name);
    take(options, key - KEY_INTERFACE, arg, state);
    return 0;
}

const struct argp rj_driver_options_argp = {.options = rows, .parser = parse_row};
