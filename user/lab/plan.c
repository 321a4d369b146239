/* SPDX-License-Identifier: Apache-2.0 */
#include "lab/plan.h"

#include "lab/netns.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void rj_lab_address_ipv4(int host, char ret_text[static 16])
{
    snprintf(ret_text, 16, "10.0.0.%u", (unsigned char)host);
}

void rj_lab_address_ipv6(int host, char ret_text[static 40])
{
    snprintf(ret_text, 40, "fd00::%x", (unsigned char)host);
}

static void add_step(rj_lab_plan_t *plan, rj_lab_step_kind_t kind, const char *namespace,
                     const char *format, ...) __attribute__((format(printf, 4, 5)));

static void add_step(rj_lab_plan_t *plan, rj_lab_step_kind_t kind, const char *namespace,
                     const char *format, ...)
{
    assert(plan->count < RJ_LAB_STEPS_MAX);
    rj_lab_step_t *step = &plan->steps[plan->count++];
    va_list args;
    step->kind = kind;
    snprintf(step->namespace, sizeof(step->namespace), "%s", namespace);
    va_start(args, format);
    int length = vsnprintf(step->text, sizeof(step->text), format, args);
    va_end(args);
    assert(length > 0 && (size_t)length < sizeof(step->text));
}

/* The wire must not speak: a frame of its own would be counted, and heard by a test that expects
 * silence. Nor may it read: a bridge that shows its frames to iptables puts fragments together, and
 * drops a held IPv6 frame that an IPv4 one takes along. */
static void plan_wire(rj_lab_plan_t *plan, const rj_lab_shape_t *shape)
{
    static const char *const filters[] = {"arptables", "iptables", "ip6tables"};
    char wire[RJ_LAB_NAMESPACE_MAX];
    rj_lab_namespace(shape->name, RJ_LAB_WIRE, wire);
    add_step(plan, RJ_LAB_STEP_IP, "", "netns add %s", wire);
    add_step(plan, RJ_LAB_STEP_SYSCTL, wire, "net/ipv6/conf/all/disable_ipv6 1");
    add_step(plan, RJ_LAB_STEP_SYSCTL, wire, "net/ipv6/conf/default/disable_ipv6 1");
    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
        add_step(plan, RJ_LAB_STEP_TRY_SYSCTL, wire, "net/bridge/bridge-nf-call-%s 0", filters[i]);
    add_step(plan, RJ_LAB_STEP_IP, wire,
             "link add name wire type bridge mcast_snooping 0 stp_state 0 forward_delay 0");
    add_step(plan, RJ_LAB_STEP_IP, wire, "link set dev wire up");
}

/* Set before eth0 is made, which takes the defaults over: no detection of duplicate addresses,
 * which would keep an address silent for a second; no router discovery; answers on any path. */
static void plan_host(rj_lab_plan_t *plan, const char *namespace)
{
    static const char *const sysctls[] = {
        "net/ipv6/conf/all/accept_dad 0",    "net/ipv6/conf/default/accept_dad 0",
        "net/ipv6/conf/default/accept_ra 0", "net/ipv6/conf/default/router_solicitations 0",
        "net/ipv4/conf/all/rp_filter 0",     "net/ipv4/conf/default/rp_filter 0",
    };
    add_step(plan, RJ_LAB_STEP_IP, "", "netns add %s", namespace);
    for (size_t i = 0; i < sizeof(sysctls) / sizeof(sysctls[0]); i++)
        add_step(plan, RJ_LAB_STEP_SYSCTL, namespace, "%s", sysctls[i]);
}

/* Both ends are born where they belong, so no name can collide on the way there. */
static void plan_link(rj_lab_plan_t *plan, const rj_lab_shape_t *shape, int host)
{
    char near[RJ_LAB_NAMESPACE_MAX];
    char far[RJ_LAB_NAMESPACE_MAX];
    char far_name[16] = "eth0";
    char far_address[40] = "";
    bool is_direct = shape->topology == RJ_LAB_DIRECT;
    rj_lab_namespace(shape->name, host, near);
    rj_lab_namespace(shape->name, is_direct ? host + 1 : RJ_LAB_WIRE, far);
    if (is_direct)
        snprintf(far_address, sizeof(far_address), "address 02:72:6a:00:00:%02x ",
                 (unsigned)host + 1);
    else
        snprintf(far_name, sizeof(far_name), "h%d", host);
    add_step(plan, RJ_LAB_STEP_IP, "",
             "link add name eth0 address 02:72:6a:00:00:%02x mtu %d numtxqueues %d numrxqueues %d "
             "netns %s type veth peer name %s %smtu %d numtxqueues %d numrxqueues %d netns %s",
             (unsigned)host, shape->mtu_bytes, shape->queue_count, shape->queue_count, near,
             far_name, far_address, shape->mtu_bytes, shape->queue_count, shape->queue_count, far);
    if (!is_direct)
        add_step(plan, RJ_LAB_STEP_IP, far, "link set dev %s master wire up", far_name);
}

/* GRO is for the hosts' ends alone. At the wire's ports it would look at a frame first, and the sum
 * that it has found good is believed to the end, whatever a bad wire does to the bytes. */
static void plan_addresses(rj_lab_plan_t *plan, const rj_lab_shape_t *shape, int host)
{
    char namespace[RJ_LAB_NAMESPACE_MAX];
    char ipv4[16];
    char ipv6[40];
    rj_lab_namespace(shape->name, host, namespace);
    rj_lab_address_ipv4(host, ipv4);
    rj_lab_address_ipv6(host, ipv6);
    add_step(plan, RJ_LAB_STEP_GRO, namespace, "eth0");
    add_step(plan, RJ_LAB_STEP_IP, namespace, "link set dev eth0 up");
    add_step(plan, RJ_LAB_STEP_IP, namespace, "addr add %s/24 dev eth0", ipv4);
    add_step(plan, RJ_LAB_STEP_IP, namespace, "addr add %s/64 dev eth0 nodad", ipv6);
    add_step(plan, RJ_LAB_STEP_IP, namespace, "route add 224.0.0.0/4 dev eth0");
}

void rj_lab_plan_up(rj_lab_plan_t *plan, const rj_lab_shape_t *shape)
{
    char namespace[RJ_LAB_NAMESPACE_MAX];
    bool is_direct = shape->topology == RJ_LAB_DIRECT;
    assert(shape->host_count >= 2 && shape->host_count <= RJ_LAB_HOSTS_MAX);
    assert(!is_direct || shape->host_count == 2);
    plan->count = 0;
    if (!is_direct)
        plan_wire(plan, shape);
    for (int host = 1; host <= shape->host_count; host++) {
        rj_lab_namespace(shape->name, host, namespace);
        plan_host(plan, namespace);
    }
    for (int host = 1; host <= (is_direct ? 1 : shape->host_count); host++)
        plan_link(plan, shape, host);
    for (int host = 1; host <= shape->host_count; host++)
        plan_addresses(plan, shape, host);
    for (int host = 1; host <= shape->host_count; host++) {
        rj_lab_namespace(shape->name, host, namespace);
        add_step(plan, RJ_LAB_STEP_IP, namespace, "link set dev lo up");
    }
}

/* Links are removed by name first: a namespace lives on, links and all, while a process is in it.
 */
void rj_lab_plan_down(rj_lab_plan_t *plan, const char *lab, uint32_t hosts)
{
    char namespace[RJ_LAB_NAMESPACE_MAX];
    plan->count = 0;
    for (int host = RJ_LAB_HOSTS_MAX; host >= RJ_LAB_WIRE; host--) {
        if ((hosts & 1u << host) == 0)
            continue;
        rj_lab_namespace(lab, host, namespace);
        add_step(plan, RJ_LAB_STEP_TRY_IP, namespace, "link del dev %s",
                 host == RJ_LAB_WIRE ? "wire" : "eth0");
        add_step(plan, RJ_LAB_STEP_IP, "", "netns del %s", namespace);
    }
}

void rj_lab_step_print(const rj_lab_step_t *step, char *ret_text, size_t size)
{
    const char *blank = strchr(step->text, ' ');
    bool may_lack = step->kind == RJ_LAB_STEP_TRY_SYSCTL;
    if (step->kind == RJ_LAB_STEP_SYSCTL || may_lack)
        snprintf(ret_text, size, "nsenter --net=%s/%s sysctl -q%sw %.*s=%s", RJ_NETNS_FOLDER,
                 step->namespace, may_lack ? "e" : "", (int)(blank - step->text), step->text,
                 blank + 1);
    else if (step->kind == RJ_LAB_STEP_GRO)
        snprintf(ret_text, size, "nsenter --net=%s/%s ethtool -K %s gro on", RJ_NETNS_FOLDER,
                 step->namespace, step->text);
    else if (step->namespace[0] != '\0')
        snprintf(ret_text, size, "ip -n %s %s", step->namespace, step->text);
    else
        snprintf(ret_text, size, "ip %s", step->text);
}
