/* SPDX-License-Identifier: Apache-2.0 */
/* uring_ring.h - one io_uring with a ring of receive buffers and a table of files.
 *
 *      sqe, sqe, ..., submit      requests go to the kernel, together
 *      pull                       the kernel does what it has put off, if it has
 *      give, give, ..., give_end  buffers go back to the kernel
 *
 * The kernel puts off what arriving datagrams cause until the ring's thread asks for it, and says
 * in shared memory whether there is any: a thread that sleeps is not woken for each datagram, and
 * one that polls asks only when it pays.
 *
 * Units      bytes.
 * Ownership  owns everything in it.
 * Thread     open: any; close: any; the rest: that which calls `enable`, always the same.
 * Errors     negative errno.
 */
#ifndef RJ_TRANSPORT_URING_RING_H
#define RJ_TRANSPORT_URING_RING_H

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum {
    /* Before the payload of each buffer: what the kernel tells of the datagram. As many bytes as
     * make the payload begin on a cache line. */
    RJ_URING_HEADER_BYTES = 128,
    RJ_URING_PAYLOAD_MAX = 65536,
    RJ_URING_SUBMISSIONS = 512,
    RJ_URING_BUFFERS_MAX = 4096,
};

typedef struct rj_uring_ring {
    struct io_uring ring;
    bool is_open;
    bool is_enabled;
    struct io_uring_buf_ring *buffer_ring;
    uint8_t *buffers;
    uint32_t buffer_count;  /* a power of two */
    uint32_t given_count;   /* of them with the kernel */
    uint32_t giving_count;  /* given since the last `give_end` */
    uint32_t file_count;    /* slots for registered files; 0: it has no such table */
    uint32_t dropped_count; /* requests that the last `submit` could not hand over */
    uint64_t calls;         /* system calls of submit and pull */
} rj_uring_ring_t;

/* `buffer_count` is a power of two up to RJ_URING_BUFFERS_MAX; `file_max` is a wish. */
int rj_uring_ring_open(rj_uring_ring_t *ring, uint32_t buffer_count, uint32_t file_max,
                       rj_err_t *err);

/* Safe on a closed ring. */
void rj_uring_ring_close(rj_uring_ring_t *ring);

/* The calling thread is the ring's from now on. Does nothing the second time. */
int rj_uring_ring_enable(rj_uring_ring_t *ring);

/* NULL: RJ_URING_SUBMISSIONS wait to be submitted. */
struct io_uring_sqe *rj_uring_ring_sqe(rj_uring_ring_t *ring);

/* Hands all requests to the kernel, and has it do what it has put off. On failure those that it did
 * not take, the last `dropped_count`, are gone. */
int rj_uring_ring_submit(rj_uring_ring_t *ring);

/* Whether the kernel has put something off. It says so before anybody could sleep on it: to see it
 * late is to see it in the next poll. */
static inline bool rj_uring_ring_has_work(const rj_uring_ring_t *ring)
{
    return (IO_URING_READ_ONCE(*ring->ring.sq.kflags) &
            (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

/* Has the kernel do what it has put off; no system call when that is nothing. */
void rj_uring_ring_pull(rj_uring_ring_t *ring);

/* Until there is a completion, or that long: for a ring that is about to be closed. */
void rj_uring_ring_wait(rj_uring_ring_t *ring, int64_t timeout_ns);

/* -ENOENT when there is no such slot. A `file` of -1 empties it. */
int rj_uring_ring_set_file(rj_uring_ring_t *ring, uint32_t slot, int file);

/* Lets go of all files. */
void rj_uring_ring_drop_files(rj_uring_ring_t *ring);

uint8_t *rj_uring_ring_buffer(const rj_uring_ring_t *ring, uint32_t index);

void rj_uring_ring_give(rj_uring_ring_t *ring, uint32_t index);
void rj_uring_ring_give_end(rj_uring_ring_t *ring);

/* The kernel has filled one. */
static inline void rj_uring_ring_taken(rj_uring_ring_t *ring)
{
    ring->given_count--;
}

#endif
