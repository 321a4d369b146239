/* SPDX-License-Identifier: Apache-2.0 */
/* Of attaching, pins and filters: what needs no kernel. The rest is in tests/netns. */
#include "xdp/attached.h"
#include "xdp/filter.h"
#include "xdp/pins.h"
#include "xdp/program.h"
#include "xdp/reason.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static rj_device_t device_of(const char *driver)
{
    rj_device_t device = {.name = "eth0", .index = 2};
    snprintf(device.driver, sizeof(device.driver), "%s", driver);
    return device;
}

Test(attach, auto_is_generic_on_veth_and_native_first_elsewhere)
{
    enum rj_xdp_mode modes[2] = {RJ_XDP_MODE_AUTO, RJ_XDP_MODE_AUTO};
    rj_device_t veth = device_of("veth");
    rj_device_t nic = device_of("ice");
    cr_assert_eq(rj_program_modes(&veth, RJ_XDP_MODE_AUTO, modes), 1);
    cr_assert_eq(modes[0], RJ_XDP_MODE_GENERIC);
    cr_assert_eq(rj_program_modes(&nic, RJ_XDP_MODE_AUTO, modes), 2);
    cr_assert_eq(modes[0], RJ_XDP_MODE_NATIVE);
    cr_assert_eq(modes[1], RJ_XDP_MODE_GENERIC);
}

Test(attach, a_mode_that_is_asked_for_is_the_only_one_tried)
{
    enum rj_xdp_mode modes[2] = {RJ_XDP_MODE_AUTO, RJ_XDP_MODE_AUTO};
    rj_device_t nic = device_of("");
    cr_assert_eq(rj_program_modes(&nic, RJ_XDP_MODE_NATIVE, modes), 1);
    cr_assert_eq(modes[0], RJ_XDP_MODE_NATIVE);
    cr_assert_eq(rj_program_modes(&nic, RJ_XDP_MODE_ZERO_COPY, modes), 1);
    cr_assert_eq(modes[0], RJ_XDP_MODE_NATIVE);
    cr_assert_eq(rj_program_modes(&nic, RJ_XDP_MODE_GENERIC, modes), 1);
    cr_assert_eq(modes[0], RJ_XDP_MODE_GENERIC);
}

Test(attach, a_program_is_described_by_all_that_is_known)
{
    rj_attached_t attached = {.program_id = 12, .name = "xdp_pass"};
    char text[128];
    rj_attached_print(&attached, text, sizeof(text));
    cr_assert_str_eq(text, "program 12 (xdp_pass)");
    attached.link_id = 7;
    rj_attached_print(&attached, text, sizeof(text));
    cr_assert_not_null(strstr(text, "link 7"));
    attached.holder_pid = 345;
    snprintf(attached.holder_name, sizeof(attached.holder_name), "loader");
    rj_attached_print(&attached, text, sizeof(text));
    cr_assert_str_eq(text, "program 12 (xdp_pass), held by process 345 (loader)");
}

Test(pins, are_by_instance_and_interface)
{
    rj_pins_t pins;
    cr_assert_eq(rj_pins_init(&pins, "one", "eth0", NULL), 0);
    cr_assert_str_eq(pins.folder, "/sys/fs/bpf/ramjet/one/eth0");
    cr_assert_str_eq(pins.instance, "/sys/fs/bpf/ramjet/one");
}

Test(pins, are_the_network_namespaces_where_nobody_names_them)
{
    rj_pins_t by_null;
    rj_pins_t by_empty;
    unsigned long long inode = 0;
    cr_assert_eq(rj_pins_init(&by_null, NULL, "eth0", NULL), 0);
    cr_assert_eq(rj_pins_init(&by_empty, "", "eth0", NULL), 0);
    cr_assert_str_eq(by_null.folder, by_empty.folder);
    cr_assert_eq(sscanf(by_null.instance, "/sys/fs/bpf/ramjet/%llu", &inode), 1);
    cr_assert_gt(inode, 0);
}

Test(pins, have_no_dots_for_bpffs_takes_none)
{
    rj_pins_t pins;
    rj_pins_t other;
    cr_assert_eq(rj_pins_init(&pins, "one", "eth0.5", NULL), 0);
    cr_assert_str_eq(pins.folder, "/sys/fs/bpf/ramjet/one/eth0%2e5");
    cr_assert_eq(rj_pins_init(&other, "one", "eth0%2e5", NULL), 0);
    cr_assert_str_neq(other.folder, pins.folder, "another interface");
}

Test(pins, the_longest_names_fit)
{
    char instance[RJ_PINS_INSTANCE_MAX + 1];
    rj_pins_t pins;
    rj_err_t err;
    memset(instance, 'x', sizeof(instance));
    instance[RJ_PINS_INSTANCE_MAX] = '\0';
    cr_assert_eq(rj_pins_init(&pins, instance, "eth0", &err), -EINVAL);
    instance[RJ_PINS_INSTANCE_MAX - 1] = '\0';
    cr_assert_eq(rj_pins_init(&pins, instance, "...............", &err), 0);
    cr_assert_str_eq(strrchr(pins.folder, '/'), "/%2e%2e%2e%2e%2e%2e%2e%2e%2e%2e%2e%2e%2e%2e%2e");
}

Test(device, a_name_that_no_interface_can_have_is_refused)
{
    rj_device_t device;
    cr_assert_eq(rj_device_look("", &device, NULL), -ENODEV);
    cr_assert_eq(rj_device_look("0123456789abcdef", &device, NULL), -ENODEV);
}

Test(device, the_loopback_is_known)
{
    rj_device_t device;
    rj_err_t err;
    cr_assert_eq(rj_device_look("lo", &device, &err), 0, "%s", err.text);
    cr_assert_gt(device.index, 0);
    cr_assert_gt(device.mtu_bytes, 0);
    cr_assert_geq(device.queue_count, 1);
    cr_assert_not(rj_device_is_veth(&device));
}

Test(filter, verdicts_are_read_as_they_are_written)
{
    enum rj_xdp_verdict verdict = RJ_XDP_TO_KERNEL;
    for (unsigned i = 0; i < RJ_XDP_VERDICT_COUNT; i++) {
        cr_assert_eq(rj_filter_verdict_parse(rj_filter_verdict_name(i), &verdict), 0);
        cr_assert_eq(verdict, i);
    }
    cr_assert_eq(rj_filter_verdict_parse("users", &verdict), -EINVAL);
    cr_assert_str_eq(rj_filter_verdict_name(RJ_XDP_VERDICT_COUNT), "?");
}

Test(reason, every_one_has_words_of_its_own)
{
    for (unsigned i = 0; i < RJ_XDP_REASON_COUNT; i++) {
        cr_assert_str_neq(rj_xdp_reason_name(i), "?", "reason %u", i);
        for (unsigned k = 0; k < i; k++)
            cr_assert_str_neq(rj_xdp_reason_name(i), rj_xdp_reason_name(k));
    }
    cr_assert_str_eq(rj_xdp_reason_name(RJ_XDP_REASON_COUNT), "?");
}
