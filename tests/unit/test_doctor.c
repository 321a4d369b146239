/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/doctor_facts.c"
#include "cli/doctor_judge.c"

#include <criterion/criterion.h>

/* What was found, one line each. */
static char said[8192];

static void tell(void *state, const rj_finding_t *finding)
{
    static const char *const states[] = {"ok", "warning", "problem"};
    const size_t used = strlen(said);
    (void)state;
    cr_expect_gt(strlen(finding->transports), 0);
    cr_expect_null(strchr(finding->text, '\n'));
    snprintf(said + used, sizeof(said) - used, "%s %s: %s\n", states[finding->state],
             finding->subject, finding->text);
}

static rj_machine_facts_t good_machine(void)
{
    return (rj_machine_facts_t){.release = "6.1.0-28-amd64",
                                .has_btf = true,
                                .has_bpffs = true,
                                .bpf_jit = 1,
                                .io_uring_disabled = 0,
                                .memlock_bytes = INT64_MAX,
                                .rmem_max_bytes = 4 << 20,
                                .wmem_max_bytes = 4 << 20,
                                .rcvbuf_bytes = 128 << 10,
                                .sndbuf_bytes = 128 << 10};
}

static rj_link_facts_t good_link(void)
{
    return (rj_link_facts_t){.name = "eth0",
                             .kind = RJ_LINK_CARD,
                             .driver = "ice",
                             .is_up = true,
                             .mtu_bytes = 1500,
                             .queue_count = 1,
                             .xdp_features = RJ_XDP_CAN_RUN | RJ_XDP_CAN_ZERO_COPY,
                             .udp_segmentation = 1,
                             .rp_filter = 0,
                             .rx_ring = 2048,
                             .rx_ring_max = 4096,
                             .tx_ring = 2048,
                             .tx_ring_max = 4096};
}

static void judge_machine(const rj_machine_facts_t *facts)
{
    said[0] = '\0';
    rj_doctor_judge_machine(facts, tell, NULL);
}

static void judge_link(const rj_link_facts_t *facts)
{
    said[0] = '\0';
    rj_doctor_judge_link(facts, tell, NULL);
}

static void expect(const char *words)
{
    cr_expect_not_null(strstr(said, words), "%s is not in\n%s", words, said);
}

static void expect_health(void)
{
    cr_expect_null(strstr(said, "warning "), "%s", said);
    cr_expect_null(strstr(said, "problem "), "%s", said);
}

Test(doctor, has_nothing_to_say_against_a_good_machine)
{
    const rj_machine_facts_t facts = good_machine();
    judge_machine(&facts);
    expect_health();
    expect("ok kernel: 6.1.0-28-amd64");
}

Test(doctor, names_what_a_machine_lacks_and_the_next_step)
{
    rj_machine_facts_t facts = good_machine();
    snprintf(facts.release, sizeof(facts.release), "5.15.0-91");
    facts.has_btf = false;
    facts.has_bpffs = false;
    facts.bpf_jit = 0;
    facts.memlock_bytes = 8 << 20;
    facts.io_uring_disabled = 2;
    facts.rmem_max_bytes = 64 << 10;
    facts.wmem_max_bytes = 208 << 10;
    rj_fail(&facts.privilege, -EPERM, "needs CAP_NET_ADMIN: run as root");
    rj_fail(&facts.gso, -EOPNOTSUPP, "transport gso: not before Linux 5.0");
    rj_fail(&facts.uring, -EPERM, "transport uring: not permitted");
    judge_machine(&facts);
    expect("warning kernel: 5.15.0-91 is older than 6.1");
    expect("problem BTF: ");
    expect("warning bpf_jit_enable: 0");
    expect("warning bpffs: ");
    expect("problem rights: needs CAP_NET_ADMIN: run as root");
    expect("warning locked memory: at most 8192 KiB");
    expect("problem UDP_SEGMENT: transport gso: not before");
    expect("problem io_uring: kernel.io_uring_disabled is 2: sysctl");
    expect(
        "problem rmem_max: 65536 bytes, and the driver asks for 131072: sysctl net.core.rmem_max");
    expect("warning wmem_max: 212992 bytes are enough");
}

Test(doctor, does_not_mind_limits_that_do_not_count)
{
    rj_machine_facts_t facts = good_machine();
    facts.memlock_bytes = 0;
    facts.has_ipc_lock = true;
    judge_machine(&facts);
    expect_health();
}

Test(doctor, has_nothing_to_say_against_a_good_link)
{
    rj_link_facts_t facts = good_link();
    judge_link(&facts);
    expect_health();
    expect("ok driver: native XDP, and zero-copy");
    facts.kind = RJ_LINK_VETH;
    facts.xdp_features = 0;
    judge_link(&facts);
    expect_health();
    facts.kind = RJ_LINK_LOOPBACK;
    facts.mtu_bytes = 65536;
    judge_link(&facts);
    expect_health();
}

Test(doctor, names_what_a_link_lacks_and_the_next_step)
{
    rj_link_facts_t facts = good_link();
    facts.is_up = false;
    facts.xdp_features = RJ_XDP_CAN_RUN;
    facts.mtu_bytes = 9000;
    facts.queue_count = 8;
    facts.program_id = 12;
    snprintf(facts.program, sizeof(facts.program), "program 12 (xdp_pass)");
    facts.udp_segmentation = 0;
    facts.rp_filter = 1;
    facts.rx_ring = 256;
    facts.tx_ring = 512;
    facts.tx_ring_max = 512;
    judge_link(&facts);
    expect("problem link: down: ip link set eth0 up");
    expect("warning driver: native XDP without zero-copy");
    expect("warning MTU: 9000 bytes");
    expect("ok queues: 8 receive queues: --queues 0-7");
    expect("problem XDP program: program 12 (xdp_pass) of somebody else");
    expect("warning tx-udp-segmentation: off");
    expect("warning rp_filter: strict");
    expect("warning receive ring: 256 descriptors, 4096 are possible");
    cr_expect_null(strstr(said, "transmit ring"), "it is as large as it can be");
}

Test(doctor, says_when_the_kernel_cannot_tell_what_a_driver_can_do)
{
    rj_link_facts_t facts = good_link();
    facts.feature_result = -ENOENT;
    judge_link(&facts);
    expect("warning driver: this kernel cannot say");
    facts.feature_result = 0;
    facts.xdp_features = 0;
    judge_link(&facts);
    expect("warning driver: no native XDP");
    facts.xdp_features = RJ_XDP_CAN_RUN | RJ_XDP_CAN_ZERO_COPY | RJ_XDP_CAN_RUN_FRAGS;
    facts.mtu_bytes = 9000;
    judge_link(&facts);
    expect_health();
}

Test(doctor, reads_this_machine_and_its_loopback)
{
    rj_machine_facts_t machine;
    rj_link_facts_t link;
    rj_err_t err;
    rj_doctor_read_machine(&machine);
    cr_expect_gt(strlen(machine.release), 0);
    cr_expect_gt(machine.rmem_max_bytes, 0);
    cr_expect_eq(machine.rcvbuf_bytes, 128 << 10);
    cr_assert_eq(rj_doctor_read_link("lo", &link, &err), 0, "%s", err.text);
    cr_expect_eq(link.kind, RJ_LINK_LOOPBACK);
    cr_expect_eq(rj_doctor_read_link("no-such-link", &link, &err), -ENODEV);
    cr_expect_not_null(strstr(err.text, "no-such-link"), "%s", err.text);
}
