/* SPDX-License-Identifier: Apache-2.0 */
#include "lab/lab.h"
#include "lab/plan.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static rj_lab_plan_t plan;

static rj_lab_shape_t shape_of(rj_lab_topology_t topology, int host_count)
{
    return (rj_lab_shape_t){.name = "rj-unit",
                            .topology = topology,
                            .host_count = host_count,
                            .mtu_bytes = 1500,
                            .queue_count = 1};
}

/* The index of the first step that prints as one holding `text`, or -1. */
static int find_step(const char *text)
{
    char printed[RJ_LAB_STEP_TEXT_MAX + 64];
    for (size_t i = 0; i < plan.count; i++) {
        rj_lab_step_print(&plan.steps[i], printed, sizeof(printed));
        if (strstr(printed, text) != NULL)
            return (int)i;
    }
    return -1;
}

Test(lab, a_name_gets_our_prefix_once)
{
    char name[RJ_LAB_NAME_MAX + 1];
    cr_assert_eq(rj_lab_name_parse("two", name, NULL), 0);
    cr_assert_str_eq(name, "rj-two");
    cr_assert_eq(rj_lab_name_parse("rj-two", name, NULL), 0);
    cr_assert_str_eq(name, "rj-two");
}

Test(lab, a_name_that_could_leave_its_folder_or_its_prefix_is_refused)
{
    static const char *const names[] = {"",
                                        "rj-",
                                        "../x",
                                        "a/b",
                                        "a b",
                                        "A",
                                        "-x",
                                        "rj--x",
                                        "x.y",
                                        "x\n",
                                        "0123456789012345678901234567890"};
    char name[RJ_LAB_NAME_MAX + 1] = "untouched";
    rj_err_t err;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        cr_assert_eq(rj_lab_name_parse(names[i], name, &err), -EINVAL, "'%s' was taken", names[i]);
    cr_assert_str_eq(name, "untouched");
}

Test(lab, the_longest_name_fits_its_namespace)
{
    char name[RJ_LAB_NAME_MAX + 1];
    char namespace[RJ_LAB_NAMESPACE_MAX];
    cr_assert_eq(rj_lab_name_parse("0123456789012345678901234567", name, NULL), 0);
    rj_lab_namespace(name, RJ_LAB_HOSTS_MAX, namespace);
    cr_assert_str_eq(namespace, "rj-0123456789012345678901234567-h16");
}

Test(lab, hosts_are_h1_to_h16_and_the_wire)
{
    static const char *const wrong[] = {"", "h", "h0", "h17", "h01", "1", "H1", "h1 ", "wires"};
    int host = -1;
    cr_assert_eq(rj_lab_host_parse("h16", &host, NULL), 0);
    cr_assert_eq(host, 16);
    cr_assert_eq(rj_lab_host_parse("wire", &host, NULL), 0);
    cr_assert_eq(host, RJ_LAB_WIRE);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        cr_assert_eq(rj_lab_host_parse(wrong[i], &host, NULL), -EINVAL, "'%s'", wrong[i]);
}

Test(lab, a_plan_is_made_of_commands_one_can_type)
{
    rj_lab_shape_t shape = shape_of(RJ_LAB_BRIDGED, 2);
    rj_lab_plan_up(&plan, &shape);
    cr_assert_eq(find_step("ip netns add rj-unit-wire"), 0);
    cr_assert_geq(find_step("ip -n rj-unit-wire link add name wire type bridge mcast_snooping 0"),
                  0);
    cr_assert_geq(find_step("nsenter --net=/run/netns/rj-unit-h2 sysctl -qw "
                            "net/ipv6/conf/all/accept_dad=0"),
                  0);
    cr_assert_geq(find_step("nsenter --net=/run/netns/rj-unit-h2 ethtool -K eth0 gro on"), 0);
    cr_assert_eq(find_step("nsenter --net=/run/netns/rj-unit-wire ethtool"), -1);
    cr_assert_geq(find_step("ip -n rj-unit-h2 addr add 10.0.0.2/24 dev eth0"), 0);
    cr_assert_geq(find_step("ip -n rj-unit-h2 addr add fd00::2/64 dev eth0 nodad"), 0);
}

Test(lab, a_direct_lab_has_no_wire)
{
    rj_lab_shape_t shape = shape_of(RJ_LAB_DIRECT, 2);
    rj_lab_plan_up(&plan, &shape);
    cr_assert_eq(find_step("wire"), -1);
    cr_assert_geq(find_step("netns rj-unit-h1 type veth peer name eth0"), 0);
}

Test(lab, the_loopbacks_go_up_last_so_that_half_a_lab_can_be_told)
{
    rj_lab_shape_t shape = shape_of(RJ_LAB_BRIDGED, 3);
    rj_lab_plan_up(&plan, &shape);
    cr_assert_eq(find_step("ip -n rj-unit-h1 link set dev lo up"), (int)plan.count - 3);
}

Test(lab, the_largest_lab_fits_a_plan)
{
    rj_lab_shape_t shape = shape_of(RJ_LAB_BRIDGED, RJ_LAB_HOSTS_MAX);
    memset(shape.name, 'x', RJ_LAB_NAME_MAX);
    shape.mtu_bytes = RJ_LAB_MTU_MAX;
    shape.queue_count = RJ_LAB_QUEUES_MAX;
    rj_lab_plan_up(&plan, &shape);
    cr_assert_geq(find_step("10.0.0.16/24"), 0);
    cr_assert_geq(find_step("fd00::10/64"), 0);
}

Test(lab, taking_down_names_what_is_there_and_nothing_else)
{
    rj_lab_plan_down(&plan, "rj-unit", 1u << RJ_LAB_WIRE | 1u << 2);
    cr_assert_eq(plan.count, 4);
    cr_assert_geq(find_step("ip netns del rj-unit-h2"), 0);
    cr_assert_geq(find_step("ip netns del rj-unit-wire"), 0);
    rj_lab_plan_down(&plan, "rj-unit", 0);
    cr_assert_eq(plan.count, 0);
}
