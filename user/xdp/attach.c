/* SPDX-License-Identifier: Apache-2.0 */
#include "xdp/attach.h"

#include "xdp/attached.h"
#include "xdp/dispatcher.h"
#include "xdp/libbpf_log.h"
#include "xdp/privilege.h"
#include "xdp/program.h"
#include "xdp/zero_copy.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

__attribute__((format(printf, 2, 3))) static void note(rj_attach_report_t *report,
                                                       const char *format, ...)
{
    va_list args;
    if (report->note_count == RJ_ATTACH_NOTES_MAX)
        return;
    va_start(args, format);
    vsnprintf(report->notes[report->note_count++], RJ_ATTACH_NOTE_MAX, format, args);
    va_end(args);
}

/* What is pinned, and whether it can be used. */
typedef enum pin_state {
    PINS_NONE,
    PINS_STALE,     /* leftovers, a defunct link, or maps of another version */
    PINS_ON,        /* what the interface carries */
    PINS_ELSEWHERE, /* alive on another interface */
} pin_state_t;

static pin_state_t judge_pins(rj_attach_report_t *report, const rj_attached_t *attached)
{
    rj_pinned_t pinned;
    rj_kernel_maps_t maps;
    rj_err_t reason;
    if (!rj_pins_exist(&report->pins))
        return PINS_NONE;
    if (rj_pins_look(&report->pins, &pinned) != 0)
        return PINS_STALE;
    if (!rj_pinned_is_on(&pinned, report->device.index, attached))
        return pinned.interface_index != 0 ? PINS_ELSEWHERE : PINS_STALE;
    if (rj_pins_open_maps(&report->pins, &maps, &reason) != 0) {
        note(report, "what was pinned there cannot be used: %s", reason.text);
        return PINS_STALE;
    }
    rj_kernel_maps_close(&maps);
    return PINS_ON;
}

/* Closing the last descriptor of a link would do as well, were it known to be the last. */
static int drop_pinned(rj_attach_report_t *report, rj_err_t *err)
{
    rj_pinned_t pinned = {.is_dispatched = false};
    int code = 0;
    int fd = rj_pins_get(&report->pins, RJ_PINS_LINK);
    if (fd >= 0) {
        bpf_link_detach(fd);
        close(fd);
    } else if (rj_pins_look(&report->pins, &pinned) == 0 && pinned.is_dispatched) {
        code = rj_dispatcher_detach(report->device.index, pinned.program_id, err);
    }
    return code == 0 ? rj_pins_remove(&report->pins, err) : code;
}

static int refuse_renamed(const char *name, rj_err_t *err)
{
    return rj_fail(err, -EBUSY,
                   "it was attached under the name that it had then: `ramjet detach %s` first",
                   name);
}

static int refuse_other(const rj_attach_options_t *options, const rj_pins_t *pins,
                        rj_attached_t *attached, rj_err_t *err)
{
    char text[128];
    char name[IF_NAMESIZE];
    if (rj_pins_find(pins, attached->program_id, name))
        return refuse_renamed(name, err);
    rj_attached_find_holder(attached);
    rj_attached_print(attached, text, sizeof(text));
    if (rj_attached_is_steer(attached) && attached->holder_pid != 0)
        return rj_fail(err, -EBUSY,
                       "driver process %u (%s) has attached it for itself: stop that driver first, "
                       "or leave it so",
                       attached->holder_pid, attached->holder_name);
    if (rj_attached_is_steer(attached))
        return rj_fail(err, -EBUSY,
                       "it carries %s of another instance: name that one with --instance", text);
    if (strcmp(attached->name, RJ_DISPATCHER_PROGRAM_NAME) == 0 &&
        options->way == RJ_ATTACH_BY_LINK)
        return rj_fail(err, -EBUSY, "it carries %s: use --dispatcher to join it", text);
    return rj_fail(err, -EBUSY, "it carries %s: take that off first (`ip link set dev %s xdp off`)",
                   text, options->interface);
}

static bool is_mode_in_force(enum rj_xdp_mode wanted, enum rj_xdp_mode mode)
{
    return wanted == RJ_XDP_MODE_AUTO || wanted == mode ||
           (wanted == RJ_XDP_MODE_ZERO_COPY && mode == RJ_XDP_MODE_NATIVE);
}

static int accept_as_is(const rj_attach_options_t *options, int64_t now_ns,
                        rj_attach_report_t *report, const rj_attached_t *attached, rj_err_t *err)
{
    rj_steer_t steer;
    const rj_steer_options_t use = {.interface = options->interface,
                                    .instance = options->instance,
                                    .attach_if = RJ_STEER_USE_ONLY};
    if (!is_mode_in_force(options->mode, attached->mode))
        return rj_fail(err, -EEXIST, "it is attached in %s mode already: `ramjet detach %s` first",
                       rj_xdp_mode_name(attached->mode), options->interface);
    int code = rj_steer_open(&steer, &use, now_ns, err);
    if (code != 0)
        return code;
    report->outcome = RJ_ATTACH_ALREADY;
    report->program_id = steer.maps.program_id;
    report->mode = steer.mode;
    memcpy(report->why, steer.why, sizeof(report->why));
    if (steer.swept_owners > 0)
        note(report, "what dead drivers had left in its maps was removed, of %d",
             steer.swept_owners);
    rj_steer_close(&steer);
    return 0;
}

static int attach_now(const rj_attach_options_t *options, rj_attach_report_t *report, rj_err_t *err)
{
    rj_steer_t steer;
    int code = 0;
    rj_steer_init(&steer);
    if (options->mode == RJ_XDP_MODE_ZERO_COPY)
        code = rj_zero_copy_probe(&report->device, err);
    if (code == 0 && options->way == RJ_ATTACH_BY_LINK)
        code = rj_program_attach(&steer, &report->device, options->mode, err);
    else if (code == 0)
        code = rj_program_attach_to_dispatcher(&steer, &report->device, options->mode, err);
    if (code == 0)
        code = rj_pins_put(&report->pins, &steer.maps,
                           options->way == RJ_ATTACH_BY_LINK ? RJ_PINS_LINK : RJ_PINS_PROGRAM,
                           steer.link_fd, err);
    if (code == 0) {
        report->program_id = steer.maps.program_id;
        report->mode = steer.mode;
        memcpy(report->why, steer.why, sizeof(report->why));
    } else if (steer.link_fd >= 0 && options->way == RJ_ATTACH_BY_DISPATCHER) {
        rj_dispatcher_detach(report->device.index, steer.maps.program_id, NULL);
    }
    rj_steer_close(&steer);
    return code;
}

/* Says what would be tried, and why. */
static void plan(const rj_attach_options_t *options, rj_attach_report_t *report)
{
    enum rj_xdp_mode modes[2] = {RJ_XDP_MODE_AUTO, RJ_XDP_MODE_AUTO};
    if (rj_program_modes(&report->device, options->mode, modes) > 1)
        note(report, "if the driver refuses %s mode, %s", rj_xdp_mode_name(modes[0]),
             rj_xdp_mode_name(modes[1]));
    report->mode = modes[0];
    rj_program_why(&report->device, options->mode, modes[0], 0, report->why);
}

static void note_veth(rj_attach_report_t *report)
{
    if (!rj_device_is_veth(&report->device) || report->mode != RJ_XDP_MODE_NATIVE)
        return;
    note(
        report,
        "what it redirects to its peer arrives only where that has GRO (`ethtool -K PEER gro on`), "
        "what it echoes only where that has an XDP program");
}

static int attach_or_accept(const rj_attach_options_t *options, int64_t now_ns,
                            rj_attach_report_t *report, rj_err_t *err)
{
    rj_attached_t attached;
    int code = rj_attached_look(report->device.index, &attached);
    if (code != 0)
        return rj_fail(err, code, "cannot ask what it carries: %s", strerror(-code));
    pin_state_t state = judge_pins(report, &attached);
    if (state == PINS_ON)
        return accept_as_is(options, now_ns, report, &attached, err);
    if (state == PINS_ELSEWHERE)
        return rj_fail(err, -EBUSY,
                       "its pins belong to an interface that was renamed: `ramjet detach %s` first",
                       options->interface);
    if (state == PINS_STALE) {
        bool is_dry = options->run == RJ_ATTACH_DRY;
        note(report, "stale pins %s removed: %s", is_dry ? "would be" : "were",
             report->pins.folder);
        code = is_dry ? 0 : drop_pinned(report, err);
        /* Maps of another version were still in use. */
        if (code == 0 && rj_attached_is_steer(&attached))
            code = is_dry ? 0 : rj_attached_look(report->device.index, &attached);
        if (code != 0)
            return code;
        if (is_dry && rj_attached_is_steer(&attached))
            attached.program_id = 0;
    }
    bool is_joined = options->way == RJ_ATTACH_BY_DISPATCHER &&
                     strcmp(attached.name, RJ_DISPATCHER_PROGRAM_NAME) == 0;
    if (attached.program_id != 0 && !is_joined)
        return refuse_other(options, &report->pins, &attached, err);
    if (options->run == RJ_ATTACH_DRY)
        plan(options, report);
    else
        code = attach_now(options, report, err);
    if (code == 0)
        note_veth(report);
    return code;
}

/* The order is that of what a user can do about it. */
static int prepare(const rj_attach_options_t *options, rj_attach_report_t *report, rj_err_t *err)
{
    rj_libbpf_log_init();
    int code = rj_device_look(options->interface, &report->device, err);
    if (code == 0)
        code = rj_privilege_check(err);
    if (code == 0)
        code = rj_pins_init(&report->pins, options->instance, options->interface, err);
    if (code == 0)
        code = rj_pins_check(&report->pins, err);
    if (code == 0 && options->way == RJ_ATTACH_BY_DISPATCHER)
        code = rj_dispatcher_probe(err);
    if (code == 0 && rj_pins_is_private(&report->pins))
        note(report, "the bpffs is private to this mount namespace, and the pins go with its last "
                     "process: `nsenter --net=/run/netns/NAME` or `ramjet lab exec` keep the "
                     "host's");
    return code;
}

static void sweep_pins(rj_attach_report_t *report)
{
    char names[RJ_ATTACH_NOTE_MAX / 2];
    rj_pins_t own = report->pins;
    if (rj_pins_sweep(&own, names, sizeof(names)) > 0)
        note(report, "pins without a program were removed: %s", names);
}

int rj_attach(const rj_attach_options_t *options, int64_t now_ns, rj_attach_report_t *ret_report,
              rj_err_t *err)
{
    int lock_fd = -1;
    *ret_report = (rj_attach_report_t){.outcome = RJ_ATTACH_DONE};
    int code = prepare(options, ret_report, err);
    if (code == 0 && options->run == RJ_ATTACH_FOR_REAL)
        code = rj_pins_lock(&ret_report->pins, &lock_fd, err);
    if (code == 0 && options->run == RJ_ATTACH_FOR_REAL)
        sweep_pins(ret_report);
    if (code == 0)
        code = attach_or_accept(options, now_ns, ret_report, err);
    if (lock_fd >= 0)
        rj_pins_unlock(&ret_report->pins, lock_fd);
    return code == 0 ? 0 : rj_err_context(err, "%s: ", options->interface);
}

/* Drivers that use the program, as its maps name them. */
static void note_drivers(rj_attach_report_t *report)
{
    rj_kernel_maps_t maps;
    struct rj_owner_value value;
    uint32_t owner;
    const uint32_t *from = NULL;
    if (rj_pins_open_maps(&report->pins, &maps, NULL) != 0)
        return;
    for (size_t i = 0; i < RJ_XDP_OWNERS_MAX; i++) {
        if (rj_kernel_maps_next_owner(&maps, from, &owner, &value) <= 0)
            break;
        note(report, "driver process %u used it and goes on over its sockets", value.pid);
        from = &owner;
    }
    rj_kernel_maps_close(&maps);
}

/* A link that no pin of ours is for: some driver's. */
static int detach_held(rj_attach_report_t *report, rj_attached_t *attached, rj_attach_run_t run,
                       rj_err_t *err)
{
    char name[IF_NAMESIZE];
    if (rj_pins_find(&report->pins, attached->program_id, name))
        return refuse_renamed(name, err);
    rj_attached_find_holder(attached);
    /* Where no pin can be seen, ours may be among them. */
    if (attached->holder_pid == 0 && rj_pins_check(&report->pins, err) != 0)
        return rj_err_context(err,
                              "program %u there is pinned out of sight: ", attached->program_id);
    if (attached->holder_pid == 0)
        return rj_fail(err, -EBUSY,
                       "program %u there is pinned by another instance, or held out of sight: name "
                       "it with --instance",
                       attached->program_id);
    note(report, "driver process %u (%s) held it and goes on over its sockets",
         attached->holder_pid, attached->holder_name);
    report->outcome = RJ_ATTACH_DONE;
    if (run == RJ_ATTACH_DRY)
        return 0;
    int fd = bpf_link_get_fd_by_id(attached->link_id);
    int code = fd < 0 || bpf_link_detach(fd) != 0 ? -errno : 0;
    if (fd >= 0)
        close(fd);
    return code == 0 ? 0
                     : rj_fail(err, code, "cannot detach link %u: %s", attached->link_id,
                               strerror(-code));
}

static int detach(const rj_attach_options_t *options, rj_attach_report_t *report, rj_err_t *err)
{
    rj_attached_t attached = {.program_id = 0};
    rj_pinned_t pinned = {.program_id = 0};
    int code = 0;
    if (rj_pins_exist(&report->pins)) {
        report->outcome = RJ_ATTACH_DONE;
        note_drivers(report);
        if (rj_pins_look(&report->pins, &pinned) != 0)
            pinned.program_id = 0;
        code = options->run == RJ_ATTACH_DRY ? 0 : drop_pinned(report, err);
    }
    if (code != 0 || report->device.index == 0)
        return code;
    code = rj_attached_look(report->device.index, &attached);
    if (code != 0)
        return rj_fail(err, code, "cannot ask what it carries: %s", strerror(-code));
    if (attached.program_id == 0 || attached.program_id == pinned.program_id)
        return 0;
    if (rj_attached_is_steer(&attached))
        return detach_held(report, &attached, options->run, err);
    char text[128];
    rj_attached_print(&attached, text, sizeof(text));
    note(report, "it carries %s, which is not ours and stays", text);
    return 0;
}

int rj_detach(const rj_attach_options_t *options, rj_attach_report_t *ret_report, rj_err_t *err)
{
    int lock_fd = -1;
    *ret_report = (rj_attach_report_t){.outcome = RJ_ATTACH_ALREADY};
    rj_libbpf_log_init();
    int code = rj_pins_init(&ret_report->pins, options->instance, options->interface, err);
    /* What is left of an interface that has gone can still be detached. */
    if (code == 0 && !rj_pins_exist(&ret_report->pins))
        code = rj_device_look(options->interface, &ret_report->device, err);
    else if (code == 0 && rj_device_look(options->interface, &ret_report->device, NULL) != 0)
        note(ret_report, "the interface has gone");
    if (code == 0)
        code = rj_privilege_check(err);
    /* Also for the empty folders of one that was killed here. */
    if (code == 0 && access(ret_report->pins.root, F_OK) == 0 && options->run == RJ_ATTACH_FOR_REAL)
        code = rj_pins_lock(&ret_report->pins, &lock_fd, err);
    if (code == 0)
        code = detach(options, ret_report, err);
    if (lock_fd >= 0)
        rj_pins_unlock(&ret_report->pins, lock_fd);
    return code == 0 ? 0 : rj_err_context(err, "%s: ", options->interface);
}
