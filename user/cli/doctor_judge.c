/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/doctor.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "netlink/xdp_features.h"

enum {
    NATIVE_MTU_MAX = 3506, /* for a program that takes no frames in several buffers */
    RING_MIN = 1024,       /* descriptors; below that a burst of one window overflows */
};

/* A ring's UMEM, with what the kernel takes beside it. */
static const int64_t umem_bytes = 32 * 1024 * 1024;
static const int64_t good_buffer_bytes = 2 * 1024 * 1024;

typedef struct judge {
    rj_doctor_tell_t tell;
    void *state;
} judge_t;

__attribute__((format(printf, 5, 6))) static void say(const judge_t *judge, rj_doctor_state_t state,
                                                      const char *subject, const char *transports,
                                                      const char *format, ...)
{
    char text[RJ_DOCTOR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    const rj_finding_t finding = {state, subject, transports, text};
    judge->tell(judge->state, &finding);
}

/* --- the machine --- */

static void judge_kernel(const judge_t *judge, const rj_machine_facts_t *facts)
{
    char *rest;
    const long major = strtol(facts->release, &rest, 10);
    const long minor = *rest == '.' ? strtol(rest + 1, NULL, 10) : 0;
    if (major > 6 || (major == 6 && minor >= 1))
        say(judge, RJ_DOCTOR_OK, "kernel", "all", "%s", facts->release);
    else
        say(judge, RJ_DOCTOR_WARNING, "kernel", "all",
            "%s is older than 6.1, the oldest that is tested: use a newer one", facts->release);
}

static void judge_bpf(const judge_t *judge, const rj_machine_facts_t *facts)
{
    if (facts->has_btf)
        say(judge, RJ_DOCTOR_OK, "BTF", "xdp packet", "/sys/kernel/btf/vmlinux is there");
    else
        say(judge, RJ_DOCTOR_PROBLEM, "BTF", "xdp packet",
            "no /sys/kernel/btf/vmlinux: programs cannot be loaded: use a kernel with "
            "CONFIG_DEBUG_INFO_BTF");
    if (facts->bpf_jit == 0)
        say(judge, RJ_DOCTOR_WARNING, "bpf_jit_enable", "xdp packet",
            "0, so every frame is interpreted: sysctl net.core.bpf_jit_enable=1");
    if (facts->has_bpffs)
        say(judge, RJ_DOCTOR_OK, "bpffs", "xdp", "on /sys/fs/bpf");
    else
        say(judge, RJ_DOCTOR_WARNING, "bpffs", "xdp",
            "none on /sys/fs/bpf, so `ramjet attach` has no place for pins; a driver that names "
            "its interfaces needs none: mount -t bpf bpf /sys/fs/bpf");
    if (facts->privilege.code == 0)
        say(judge, RJ_DOCTOR_OK, "rights", "xdp packet dpdk", "all that rings need");
    else
        say(judge, RJ_DOCTOR_PROBLEM, "rights", "xdp packet dpdk", "%.250s", facts->privilege.text);
}

static void judge_memory(const judge_t *judge, const rj_machine_facts_t *facts)
{
    if (facts->has_ipc_lock || facts->memlock_bytes >= umem_bytes)
        say(judge, RJ_DOCTOR_OK, "locked memory", "xdp uring", "%s",
            facts->has_ipc_lock ? "no limit, by CAP_IPC_LOCK" : "enough for a ring and its frames");
    else
        say(judge, RJ_DOCTOR_WARNING, "locked memory", "xdp uring",
            "at most %" PRId64 " KiB, and a ring with its frames takes up to %" PRId64
            ": ulimit -l unlimited, or LimitMEMLOCK=infinity",
            facts->memlock_bytes / 1024, umem_bytes / 1024);
}

static void judge_sockets(const judge_t *judge, const rj_machine_facts_t *facts)
{
    if (facts->gso.code == 0)
        say(judge, RJ_DOCTOR_OK, "UDP_SEGMENT", "gso auto", "the kernel cuts and merges datagrams");
    else
        say(judge, RJ_DOCTOR_PROBLEM, "UDP_SEGMENT", "gso auto", "%.280s", facts->gso.text);
    if (facts->uring.code == 0)
        say(judge, RJ_DOCTOR_OK, "io_uring", "uring", "can be used");
    else if (facts->io_uring_disabled > 0)
        say(judge, RJ_DOCTOR_PROBLEM, "io_uring", "uring",
            "kernel.io_uring_disabled is %d: sysctl kernel.io_uring_disabled=0, or another "
            "transport",
            facts->io_uring_disabled);
    else
        say(judge, RJ_DOCTOR_PROBLEM, "io_uring", "uring", "%.280s", facts->uring.text);
}

static void judge_buffer(const judge_t *judge, const char *name, int64_t max_bytes,
                         int64_t wanted_bytes)
{
    if (max_bytes < wanted_bytes)
        say(judge, RJ_DOCTOR_PROBLEM, name, "socket gso uring",
            "%" PRId64 " bytes, and the driver asks for %" PRId64 ": sysctl net.core.%s=%" PRId64,
            max_bytes, wanted_bytes, name, wanted_bytes);
    else if (max_bytes < good_buffer_bytes)
        say(judge, RJ_DOCTOR_WARNING, name, "socket gso uring",
            "%" PRId64 " bytes are enough for the buffers that are set, %" PRId64
            ", but bursts of many streams want more: sysctl net.core.%s=%" PRId64
            ", and AERON_SOCKET_SO_%s",
            max_bytes, wanted_bytes, name, good_buffer_bytes, name[0] == 'r' ? "RCVBUF" : "SNDBUF");
    else
        say(judge, RJ_DOCTOR_OK, name, "socket gso uring", "%" PRId64 " bytes", max_bytes);
}

void rj_doctor_judge_machine(const rj_machine_facts_t *facts, rj_doctor_tell_t tell, void *state)
{
    const judge_t judge = {tell, state};
    judge_kernel(&judge, facts);
    judge_bpf(&judge, facts);
    judge_memory(&judge, facts);
    judge_sockets(&judge, facts);
    judge_buffer(&judge, "rmem_max", facts->rmem_max_bytes, facts->rcvbuf_bytes);
    judge_buffer(&judge, "wmem_max", facts->wmem_max_bytes, facts->sndbuf_bytes);
}

/* --- an interface --- */

static void judge_kind(const judge_t *judge, const rj_link_facts_t *facts)
{
    const char *kind = rj_link_kind_name(facts->kind);
    if (!facts->is_up)
        say(judge, RJ_DOCTOR_PROBLEM, "link", "all", "down: ip link set %s up", facts->name);
    switch (facts->kind) {
    case RJ_LINK_LOOPBACK:
        say(judge, RJ_DOCTOR_OK, "kind", "all",
            "loopback: sockets with segmentation serve it; rings are for other links");
        return;
    case RJ_LINK_VETH:
        say(judge, RJ_DOCTOR_OK, "kind", "all",
            "veth: generic XDP for single datagrams and segmentation for bulk, which is auto");
        return;
    case RJ_LINK_VIRTUAL:
    case RJ_LINK_HYPERVISOR:
    case RJ_LINK_CARD:
        break;
    }
    say(judge, RJ_DOCTOR_OK, "kind", "all", "%s%s%s", kind,
        facts->driver[0] != '\0' ? ", driver " : "", facts->driver);
}

/* Of veth it is known that frames are copied, and generic mode is better. */
static void judge_features(const judge_t *judge, const rj_link_facts_t *facts)
{
    if (facts->kind == RJ_LINK_LOOPBACK || facts->kind == RJ_LINK_VETH)
        return;
    if (facts->feature_result < 0)
        say(judge, RJ_DOCTOR_WARNING, "driver", "xdp",
            "this kernel cannot say what the driver can do with XDP (6.3 and newer can): `ramjet "
            "attach %s` finds out",
            facts->name);
    else if ((facts->xdp_features & RJ_XDP_CAN_ZERO_COPY) != 0)
        say(judge, RJ_DOCTOR_OK, "driver", "xdp", "native XDP, and zero-copy");
    else if ((facts->xdp_features & RJ_XDP_CAN_RUN) != 0)
        say(judge, RJ_DOCTOR_WARNING, "driver", "xdp",
            "native XDP without zero-copy: each frame is copied; compare with gso by --calibrate");
    else
        say(judge, RJ_DOCTOR_WARNING, "driver", "xdp",
            "no native XDP: generic mode alone, which is slower: gso or packet may do better");
}

static void judge_program(const judge_t *judge, const rj_link_facts_t *facts)
{
    if (facts->program_id == 0)
        return;
    say(judge, RJ_DOCTOR_PROBLEM, "XDP program", "xdp",
        "%.60s of somebody else is on it: take it off, or share by `ramjet attach --dispatcher %s`",
        facts->program, facts->name);
}

static void judge_mtu(const judge_t *judge, const rj_link_facts_t *facts)
{
    const bool takes_long =
        facts->mtu_bytes <= NATIVE_MTU_MAX ||
        (facts->feature_result == 0 && (facts->xdp_features & RJ_XDP_CAN_RUN_FRAGS) != 0);
    if (facts->kind == RJ_LINK_LOOPBACK)
        return;
    if (takes_long)
        say(judge, RJ_DOCTOR_OK, "MTU", "xdp", "%u bytes", facts->mtu_bytes);
    else
        say(judge, RJ_DOCTOR_WARNING, "MTU", "xdp",
            "%u bytes, more than native mode takes where frames may not be in several buffers: ip "
            "link set %s mtu %d, or --xdp-mode generic",
            facts->mtu_bytes, facts->name, NATIVE_MTU_MAX);
}

static void judge_queues(const judge_t *judge, const rj_link_facts_t *facts)
{
    if (facts->queue_count <= 1)
        say(judge, RJ_DOCTOR_OK, "queues", "xdp packet dpdk", "one receive queue");
    else
        say(judge, RJ_DOCTOR_OK, "queues", "xdp packet dpdk",
            "%u receive queues: --queues 0-%u has an engine for each; without, what comes by "
            "others than queue 0 takes the sockets",
            facts->queue_count, facts->queue_count - 1);
}

/* A receiver in generic mode gets super-frames of local senders whole: docs/spec/xdp.md, trap 3. */
static void judge_offloads(const judge_t *judge, const rj_link_facts_t *facts)
{
    if (facts->udp_segmentation < 0)
        return;
    if (facts->udp_segmentation == 0)
        say(judge, RJ_DOCTOR_WARNING, "tx-udp-segmentation", "gso auto",
            "off, so runs are cut by the kernel before the link: ethtool -K %s tx-udp-segmentation "
            "on, unless a receiver that is none of ours needs it off",
            facts->name);
    else
        say(judge, RJ_DOCTOR_OK, "tx-udp-segmentation", "gso auto",
            "on: runs go whole; a receiver in generic XDP that is none of ours may lose them");
}

static void judge_ring(const judge_t *judge, const char *name, const char *option, uint32_t size,
                       uint32_t size_max, const char *interface)
{
    if (size_max == 0 || size >= RING_MIN || size == size_max)
        return;
    const uint32_t better = size_max < RING_MIN ? size_max : RING_MIN;
    say(judge, RJ_DOCTOR_WARNING, name, "all",
        "%u descriptors, %u are possible, and a burst may overflow it: ethtool -G %s %s %u", size,
        size_max, interface, option, better);
}

static void judge_rp_filter(const judge_t *judge, const rj_link_facts_t *facts)
{
    if (facts->rp_filter == 1)
        say(judge, RJ_DOCTOR_WARNING, "rp_filter", "socket gso uring",
            "strict: datagrams whose way back is another interface are dropped, groups' as well: "
            "sysctl net.ipv4.conf.%s.rp_filter=2",
            facts->name);
    else if (facts->rp_filter >= 0)
        say(judge, RJ_DOCTOR_OK, "rp_filter", "socket gso uring", "%s",
            facts->rp_filter == 0 ? "off" : "loose");
}

void rj_doctor_judge_link(const rj_link_facts_t *facts, rj_doctor_tell_t tell, void *state)
{
    const judge_t judge = {tell, state};
    judge_kind(&judge, facts);
    judge_features(&judge, facts);
    judge_program(&judge, facts);
    judge_mtu(&judge, facts);
    judge_queues(&judge, facts);
    judge_offloads(&judge, facts);
    judge_ring(&judge, "receive ring", "rx", facts->rx_ring, facts->rx_ring_max, facts->name);
    judge_ring(&judge, "transmit ring", "tx", facts->tx_ring, facts->tx_ring_max, facts->name);
    judge_rp_filter(&judge, facts);
}
