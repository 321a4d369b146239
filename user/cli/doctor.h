/* SPDX-License-Identifier: Apache-2.0 */
/* doctor.h - what is wrong with this machine, and with one of its interfaces, for each transport.
 *
 *      read facts --> judge --> findings, each a line: ok, warning or problem, and the next step
 *
 * Judging is pure, so that tests can make up machines.
 *
 * Units      bytes; as the names say.
 * Ownership  plain values; texts of a finding are valid while `tell` runs.
 * Thread     the main thread.
 * Errors     only an interface that does not exist is one; all else is a finding.
 */
#ifndef RJ_CLI_DOCTOR_H
#define RJ_CLI_DOCTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "driver/door_policy.h"

typedef enum rj_doctor_state {
    RJ_DOCTOR_OK,
    RJ_DOCTOR_WARNING,
    RJ_DOCTOR_PROBLEM
} rj_doctor_state_t;

typedef struct rj_finding {
    rj_doctor_state_t state;
    const char *subject;
    const char *transports; /* that it concerns */
    const char *text;
} rj_finding_t;

typedef void (*rj_doctor_tell_t)(void *state, const rj_finding_t *finding);

enum { RJ_DOCTOR_TEXT_MAX = 320 };

typedef struct rj_machine_facts {
    char release[65]; /* of the kernel */
    bool has_btf;
    bool has_bpffs;
    int bpf_jit;           /* of the sysctl; -1: not known */
    int io_uring_disabled; /* likewise */
    int64_t memlock_bytes; /* INT64_MAX: no limit */
    bool has_ipc_lock;     /* so that limit does not count */
    int64_t rmem_max_bytes;
    int64_t wmem_max_bytes;
    int64_t rcvbuf_bytes; /* that the driver asks for */
    int64_t sndbuf_bytes;
    rj_err_t privilege; /* code 0: none lacks */
    rj_err_t gso;       /* why it cannot be had; likewise */
    rj_err_t uring;
} rj_machine_facts_t;

typedef struct rj_link_facts {
    char name[16];
    rj_link_kind_t kind;
    char driver[32];
    bool is_up;
    uint32_t mtu_bytes;
    uint32_t queue_count;
    int feature_result; /* of the question for the next; 0: answered */
    uint64_t xdp_features;
    uint32_t program_id;           /* XDP program of others; 0: none */
    char program[64];              /* "program 12 (xdp_pass)" */
    int udp_segmentation;          /* on transmit; -1: not known */
    int rp_filter;                 /* the stricter of the interface's and all's; -1: not known */
    uint32_t rx_ring, rx_ring_max; /* descriptors; 0: the driver does not tell */
    uint32_t tx_ring, tx_ring_max;
} rj_link_facts_t;

void rj_doctor_read_machine(rj_machine_facts_t *ret_facts);

/* -ENODEV when there is no such interface. */
int rj_doctor_read_link(const char *name, rj_link_facts_t *ret_facts, rj_err_t *err);

void rj_doctor_judge_machine(const rj_machine_facts_t *facts, rj_doctor_tell_t tell, void *state);
void rj_doctor_judge_link(const rj_link_facts_t *facts, rj_doctor_tell_t tell, void *state);

#endif
