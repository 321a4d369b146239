/* SPDX-License-Identifier: Apache-2.0 */
/* The echo program, datagram by datagram: what comes back is compared with an answer that is built
 * here from nothing but the question's parts, sums added up byte by byte. */
#include <ramjet/echo_abi.h>
#include <ramjet/xdp_abi.h>

#include <echo.skel.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fixtures/bpf_object.h"

enum {
    XDP_ACTION_PASS = 2,
    XDP_ACTION_TX = 3,
    FRAME_MAX = 9600,
    ETHERNET = 14,
    UDP = 8,
    PORT = 7,
    CLIENT_PORT = 40000,
    HOPS = 64,
    TYPE_IPV4 = 0x0800,
    TYPE_IPV6 = 0x86dd,
};

typedef enum sum {
    SUM_WHOLE,
    SUM_UNFINISHED, /* that of the pseudo-header, as a sender on the same host leaves it */
    SUM_NONE,
    SUM_WRONG,
} sum_t;

/* One datagram, of which the rows below change what they are about. */
typedef struct datagram {
    bool is_ipv6;
    const char *source;
    const char *destination;
    uint16_t source_port;
    uint16_t destination_port;
    size_t payload_bytes;
    uint8_t hops;
    sum_t sum;
    size_t option_bytes; /* IPv4 */
    uint16_t fragment;   /* IPv4's field, or IPv6's with a fragment header */
    uint8_t protocol;
    size_t trailer_bytes; /* padding behind the packet */
    int udp_length_error;
    const uint8_t *from_mac;
    const uint8_t *to_mac;
} datagram_t;

typedef struct frame {
    size_t length;
    uint8_t bytes[FRAME_MAX];
} frame_t;

static const uint8_t own_mac[6] = {0x02, 0, 0, 0, 0, 0x07};
static const uint8_t client_mac[6] = {0x02, 0, 0, 0, 0, 0x01};
static struct echo *skeleton;

static datagram_t ipv4(void)
{
    return (datagram_t){.source = "192.0.2.1",
                        .destination = "192.0.2.7",
                        .source_port = CLIENT_PORT,
                        .destination_port = PORT,
                        .payload_bytes = 32,
                        .hops = HOPS,
                        .protocol = 17,
                        .from_mac = client_mac,
                        .to_mac = own_mac};
}

static datagram_t ipv6(void)
{
    datagram_t datagram = ipv4();
    datagram.is_ipv6 = true;
    datagram.source = "2001:db8::1";
    datagram.destination = "2001:db8::7";
    return datagram;
}

/* --- building --- */

static uint32_t add_up(uint32_t sum, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
    return sum;
}

static uint16_t fold(uint32_t sum)
{
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static size_t build_ip(const datagram_t *datagram, uint8_t *ip, size_t udp_bytes)
{
    size_t header_bytes = 20 + datagram->option_bytes;
    if (datagram->is_ipv6) {
        size_t fragment_bytes = datagram->fragment != 0 ? 8 : 0;
        ip[0] = 0x60;
        put16(ip + 4, (uint32_t)(udp_bytes + fragment_bytes));
        ip[6] = fragment_bytes != 0 ? 44 : datagram->protocol;
        ip[7] = datagram->hops;
        cr_assert_eq(inet_pton(AF_INET6, datagram->source, ip + 8), 1);
        cr_assert_eq(inet_pton(AF_INET6, datagram->destination, ip + 24), 1);
        if (fragment_bytes != 0) {
            ip[40] = datagram->protocol;
            put16(ip + 42, datagram->fragment);
        }
        return 40 + fragment_bytes;
    }
    ip[0] = (uint8_t)(0x40 | header_bytes / 4);
    put16(ip + 2, (uint32_t)(header_bytes + udp_bytes));
    put16(ip + 4, 0x1234);
    put16(ip + 6, datagram->fragment);
    ip[8] = datagram->hops;
    ip[9] = datagram->protocol;
    cr_assert_eq(inet_pton(AF_INET, datagram->source, ip + 12), 1);
    cr_assert_eq(inet_pton(AF_INET, datagram->destination, ip + 16), 1);
    memset(ip + 20, 1, datagram->option_bytes); /* each a "no operation" */
    put16(ip + 10, (uint16_t)~fold(add_up(0, ip, header_bytes)));
    return header_bytes;
}

static uint16_t udp_sum(const datagram_t *datagram, const uint8_t *ip, const uint8_t *udp,
                        size_t udp_bytes)
{
    uint32_t pseudo = 17 + (uint32_t)udp_bytes;
    pseudo = datagram->is_ipv6 ? add_up(pseudo, ip + 8, 32) : add_up(pseudo, ip + 12, 8);
    if (datagram->sum == SUM_NONE)
        return 0;
    if (datagram->sum == SUM_UNFINISHED)
        return fold(pseudo);
    uint16_t sum = (uint16_t)~fold(add_up(pseudo, udp, udp_bytes));
    sum = sum != 0 ? sum : 0xffff;
    return datagram->sum == SUM_WRONG ? (uint16_t)(sum ^ 0x0100) : sum;
}

/* Payload bytes that add up to something else when two of them change places. */
static void build(const datagram_t *datagram, frame_t *frame)
{
    size_t udp_bytes = UDP + datagram->payload_bytes;
    memset(frame, 0, sizeof(*frame));
    memcpy(frame->bytes, datagram->to_mac, 6);
    memcpy(frame->bytes + 6, datagram->from_mac, 6);
    put16(frame->bytes + 12, datagram->is_ipv6 ? TYPE_IPV6 : TYPE_IPV4);
    uint8_t *ip = frame->bytes + ETHERNET;
    uint8_t *udp = ip + build_ip(datagram, ip, udp_bytes);
    put16(udp, datagram->source_port);
    put16(udp + 2, datagram->destination_port);
    put16(udp + 4, (uint32_t)((int)udp_bytes + datagram->udp_length_error));
    for (size_t i = 0; i < datagram->payload_bytes; i++)
        udp[UDP + i] = (uint8_t)(i * 37 + i / 256 + 1);
    put16(udp + 6, udp_sum(datagram, ip, udp, udp_bytes));
    frame->length = (size_t)(udp + udp_bytes - frame->bytes) + datagram->trailer_bytes;
    memset(udp + udp_bytes, 0xa5, datagram->trailer_bytes);
}

static datagram_t turn_round(datagram_t datagram)
{
    datagram_t answer = datagram;
    answer.source = datagram.destination;
    answer.destination = datagram.source;
    answer.source_port = datagram.destination_port;
    answer.destination_port = datagram.source_port;
    answer.from_mac = datagram.to_mac;
    answer.to_mac = datagram.from_mac;
    answer.hops--;
    return answer;
}

/* --- running --- */

static void add_own(const char *text)
{
    struct rj_echo_address address = {{0}};
    uint32_t one = 1;
    if (strchr(text, ':') != NULL) {
        cr_assert_eq(inet_pton(AF_INET6, text, address.bytes), 1);
    } else {
        memset(address.bytes + 10, 0xff, 2);
        cr_assert_eq(inet_pton(AF_INET, text, address.bytes + 12), 1);
    }
    cr_assert_eq(bpf_map__update_elem(skeleton->maps.rj_echo_own, &address, sizeof(address), &one,
                                      sizeof(one), BPF_ANY),
                 0);
}

typedef enum mode { MODE_NATIVE, MODE_GENERIC } echo_mode_t;

static void load(echo_mode_t mode)
{
    struct rj_echo_config config = {.port = PORT};
    uint32_t zero = 0;
    memcpy(config.mac, own_mac, sizeof(own_mac));
    RJ_BPF_OPEN(skeleton, echo);
    skeleton->rodata->rj_echo_generic = mode == MODE_GENERIC;
    cr_assert_eq(echo__load(skeleton), 0, "needs root: %s", strerror(errno));
    cr_assert_eq(bpf_map__update_elem(skeleton->maps.rj_echo_config, &zero, sizeof(zero), &config,
                                      sizeof(config), BPF_ANY),
                 0);
    add_own("192.0.2.7");
    add_own("2001:db8::7");
}

static void unload(void)
{
    echo__destroy(skeleton);
}

TestSuite(echo, .fini = unload);

static int run(frame_t *frame)
{
    static uint8_t out[FRAME_MAX];
    LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame->bytes,
                .data_size_in = (uint32_t)frame->length, .data_out = out,
                .data_size_out = sizeof(out), .repeat = 1);
    int code = bpf_prog_test_run_opts(bpf_program__fd(skeleton->progs.rj_echo), &opts);
    cr_assert_eq(code, 0, "%s", strerror(-code));
    frame->length = opts.data_size_out;
    memcpy(frame->bytes, out, frame->length);
    return (int)opts.retval;
}

static uint64_t packets(enum rj_echo_reason reason)
{
    uint32_t key = reason;
    size_t cpu_count = (size_t)libbpf_num_possible_cpus();
    struct rj_count *counts = calloc(cpu_count, sizeof(*counts));
    uint64_t sum = 0;
    cr_assert_eq(bpf_map_lookup_elem(bpf_map__fd(skeleton->maps.rj_echo_stats), &key, counts), 0);
    for (size_t i = 0; i < cpu_count; i++)
        sum += counts[i].packets;
    free(counts);
    return sum;
}

static void expect_frame(const frame_t *got, const frame_t *wanted, const char *what)
{
    cr_assert_eq(got->length, wanted->length, "%s: %zu bytes, not %zu", what, got->length,
                 wanted->length);
    for (size_t i = 0; i < wanted->length; i++)
        cr_assert_eq(got->bytes[i], wanted->bytes[i], "%s: byte %zu is %02x, not %02x", what, i,
                     got->bytes[i], wanted->bytes[i]);
}

/* `answer_sum` is what the answer's sum is to be. */
static void expect_answer(datagram_t question, sum_t answer_sum, const char *what)
{
    static frame_t frame, wanted;
    datagram_t answer = turn_round(question);
    answer.sum = answer_sum;
    build(&question, &frame);
    build(&answer, &wanted);
    uint64_t before = packets(RJ_ECHO_ANSWERED);
    cr_assert_eq(run(&frame), XDP_ACTION_TX, "%s was not answered", what);
    expect_frame(&frame, &wanted, what);
    cr_assert_eq(packets(RJ_ECHO_ANSWERED), before + 1);
}

static void expect_frame_passes(frame_t *frame, enum rj_echo_reason reason, const char *what)
{
    static frame_t before;
    uint64_t count = packets(reason);
    before = *frame;
    cr_assert_eq(run(frame), XDP_ACTION_PASS, "%s did not pass", what);
    expect_frame(frame, &before, what);
    cr_assert_eq(packets(reason), count + 1, "%s has another reason", what);
}

static void expect_pass(datagram_t datagram, enum rj_echo_reason reason, const char *what)
{
    static frame_t frame;
    build(&datagram, &frame);
    expect_frame_passes(&frame, reason, what);
}

/* --- what is answered --- */

static const size_t lengths[] = {0,   1,   2,   3,   7,   31,  32,  33,   255,
                                 256, 257, 511, 512, 513, 767, 999, 1400, 1472};

Test(echo, answers_whole_sums_as_they_are_whatever_the_length)
{
    load(MODE_NATIVE);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        datagram_t four = ipv4();
        datagram_t six = ipv6();
        four.payload_bytes = lengths[i];
        six.payload_bytes = lengths[i];
        expect_answer(four, SUM_WHOLE, "IPv4");
        expect_answer(six, SUM_WHOLE, "IPv6");
    }
}

/* In native mode nobody will finish them. */
Test(echo, leaves_out_unfinished_sums_of_ipv4_and_finishes_those_of_ipv6)
{
    load(MODE_NATIVE);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        datagram_t four = ipv4();
        datagram_t six = ipv6();
        four.payload_bytes = lengths[i];
        six.payload_bytes = lengths[i];
        four.sum = SUM_UNFINISHED;
        six.sum = SUM_UNFINISHED;
        expect_answer(four, SUM_NONE, "IPv4");
        expect_answer(six, SUM_WHOLE, "IPv6");
    }
}

/* There the kernel remembers that they are, and finishes them on the way out. */
Test(echo, leaves_unfinished_sums_in_generic_mode)
{
    load(MODE_GENERIC);
    datagram_t four = ipv4();
    datagram_t six = ipv6();
    four.sum = SUM_UNFINISHED;
    six.sum = SUM_UNFINISHED;
    expect_answer(four, SUM_UNFINISHED, "IPv4");
    expect_answer(six, SUM_UNFINISHED, "IPv6");
    expect_answer(ipv4(), SUM_WHOLE, "IPv4");
    expect_answer(ipv6(), SUM_WHOLE, "IPv6");
}

Test(echo, answers_ipv4_without_a_sum_without_one)
{
    load(MODE_NATIVE);
    datagram_t datagram = ipv4();
    datagram.sum = SUM_NONE;
    expect_answer(datagram, SUM_NONE, "IPv4");
}

/* Broken on the way: the asker is to notice, so it must not be mended. */
Test(echo, does_not_mend_a_wrong_sum)
{
    load(MODE_NATIVE);
    datagram_t four = ipv4();
    datagram_t six = ipv6();
    four.sum = SUM_WRONG;
    six.sum = SUM_WRONG;
    expect_answer(four, SUM_WRONG, "IPv4");
    expect_answer(six, SUM_WRONG, "IPv6");
}

Test(echo, answers_a_frame_of_several_buffers)
{
    load(MODE_NATIVE);
    datagram_t datagram = ipv6();
    datagram.payload_bytes = 8951;
    datagram.sum = SUM_UNFINISHED;
    expect_answer(datagram, SUM_WHOLE, "IPv6");
    datagram = ipv4();
    datagram.payload_bytes = 8952;
    expect_answer(datagram, SUM_WHOLE, "IPv4");
}

Test(echo, keeps_options_and_padding)
{
    load(MODE_NATIVE);
    for (size_t bytes = 4; bytes <= 40; bytes += 4) {
        datagram_t datagram = ipv4();
        datagram.option_bytes = bytes;
        expect_answer(datagram, SUM_WHOLE, "options");
    }
    datagram_t datagram = ipv4();
    datagram.payload_bytes = 1;
    datagram.trailer_bytes = 17;
    expect_answer(datagram, SUM_WHOLE, "padding");
}

Test(echo, carries_over_in_the_sum_of_the_header_when_a_hop_goes)
{
    load(MODE_NATIVE);
    for (unsigned hops = 2; hops <= 255; hops++) {
        datagram_t datagram = ipv4();
        datagram.hops = (uint8_t)hops;
        datagram.payload_bytes = hops * 5; /* so that the sum takes many values */
        expect_answer(datagram, SUM_WHOLE, "hops");
    }
}

/* --- what is not --- */

Test(echo, is_not_drawn_into_talking_to_another_service)
{
    static const uint16_t ports[] = {0, 7, 13, 19, 53, 123, 1023};
    load(MODE_NATIVE);
    for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
        datagram_t four = ipv4();
        datagram_t six = ipv6();
        four.source_port = ports[i];
        six.source_port = ports[i];
        expect_pass(four, RJ_ECHO_PASS_SOURCE, "IPv4");
        expect_pass(six, RJ_ECHO_PASS_SOURCE, "IPv6");
    }
    datagram_t first = ipv4();
    first.source_port = 1024;
    expect_answer(first, SUM_WHOLE, "the first port of clients");
}

Test(echo, does_not_answer_an_echo_on_its_own_port_whatever_that_is)
{
    struct rj_echo_config config = {.port = 5000};
    uint32_t zero = 0;
    load(MODE_NATIVE);
    memcpy(config.mac, own_mac, sizeof(own_mac));
    cr_assert_eq(bpf_map__update_elem(skeleton->maps.rj_echo_config, &zero, sizeof(zero), &config,
                                      sizeof(config), BPF_ANY),
                 0);
    datagram_t datagram = ipv4();
    datagram.destination_port = 5000;
    expect_answer(datagram, SUM_WHOLE, "a client");
    datagram.source_port = 5000;
    expect_pass(datagram, RJ_ECHO_PASS_SOURCE, "another echo");
}

Test(echo, does_not_answer_an_address_that_is_nobodys)
{
    static const char *const four[] = {"0.0.0.0",   "127.0.0.1", "224.0.0.1",
                                       "240.0.0.1", "192.0.2.7", "255.255.255.255"};
    static const char *const six[] = {"::", "::1", "ff02::1", "2001:db8::7"};
    load(MODE_NATIVE);
    for (size_t i = 0; i < sizeof(four) / sizeof(four[0]); i++) {
        datagram_t datagram = ipv4();
        datagram.source = four[i];
        expect_pass(datagram, RJ_ECHO_PASS_SOURCE, four[i]);
    }
    for (size_t i = 0; i < sizeof(six) / sizeof(six[0]); i++) {
        datagram_t datagram = ipv6();
        datagram.source = six[i];
        expect_pass(datagram, RJ_ECHO_PASS_SOURCE, six[i]);
    }
}

Test(echo, ends_with_the_hops)
{
    load(MODE_NATIVE);
    for (uint8_t hops = 0; hops <= 1; hops++) {
        datagram_t four = ipv4();
        datagram_t six = ipv6();
        four.hops = hops;
        six.hops = hops;
        expect_pass(four, RJ_ECHO_PASS_HOPS, "IPv4");
        expect_pass(six, RJ_ECHO_PASS_HOPS, "IPv6");
    }
}

Test(echo, leaves_other_datagrams_alone)
{
    static const uint8_t other_mac[6] = {0x02, 0, 0, 0, 0, 0x09};
    static const uint8_t group_mac[6] = {0x01, 0, 0x5e, 0, 0, 0x01};
    static const uint8_t broadcast_mac[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    load(MODE_NATIVE);
    for (int is_ipv6 = 0; is_ipv6 <= 1; is_ipv6++) {
        datagram_t usual = is_ipv6 ? ipv6() : ipv4();
        datagram_t datagram = usual;
        datagram.destination_port = PORT + 1;
        expect_pass(datagram, RJ_ECHO_PASS_OTHER, "another port");
        datagram = usual;
        datagram.destination = is_ipv6 ? "2001:db8::8" : "192.0.2.8";
        expect_pass(datagram, RJ_ECHO_PASS_OTHER, "transit");
        datagram = usual;
        datagram.to_mac = other_mac;
        expect_pass(datagram, RJ_ECHO_PASS_OTHER, "somebody else's");
        datagram.to_mac = group_mac;
        expect_pass(datagram, RJ_ECHO_PASS_OTHER, "a group's");
        datagram.to_mac = broadcast_mac;
        expect_pass(datagram, RJ_ECHO_PASS_OTHER, "a broadcast");
        datagram = usual;
        datagram.protocol = 6;
        expect_pass(datagram, RJ_ECHO_PASS_OTHER, "TCP");
        datagram = usual;
        datagram.udp_length_error = 1;
        expect_pass(datagram, RJ_ECHO_PASS_OTHER, "lengths that differ");
        datagram = usual;
        datagram.fragment = is_ipv6 ? 0x0001 : 0x2000;
        expect_pass(datagram, RJ_ECHO_PASS_OTHER, "a first fragment");
        datagram.fragment = is_ipv6 ? 0x0040 : 0x0008;
        expect_pass(datagram, RJ_ECHO_PASS_OTHER, "a last fragment");
    }
}

Test(echo, leaves_tagged_and_cut_frames_alone)
{
    static frame_t frame, whole;
    datagram_t datagram = ipv4();
    load(MODE_NATIVE);
    build(&datagram, &whole);
    frame = whole;
    memmove(frame.bytes + 16, frame.bytes + 12, frame.length - 12);
    put16(frame.bytes + 12, 0x8100);
    put16(frame.bytes + 14, 5);
    frame.length += 4;
    expect_frame_passes(&frame, RJ_ECHO_PASS_OTHER, "VLAN 5");
    for (size_t length = ETHERNET + 1; length < whole.length; length++) {
        frame = whole;
        frame.length = length;
        expect_frame_passes(&frame, RJ_ECHO_PASS_OTHER, "a cut frame");
    }
}

Test(echo, passes_everything_as_the_other_end)
{
    static frame_t frame;
    datagram_t datagram = ipv4();
    LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame.bytes, .repeat = 1);
    load(MODE_NATIVE);
    build(&datagram, &frame);
    opts.data_size_in = (uint32_t)frame.length;
    cr_assert_eq(bpf_prog_test_run_opts(bpf_program__fd(skeleton->progs.rj_echo_pass), &opts), 0);
    cr_expect_eq(opts.retval, XDP_ACTION_PASS);
}
