/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/uring_ring.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

enum {
    COMPLETIONS_MIN = 1024,
    BUFFER_GROUP = 0,
    SUBMIT_TRIES = 4,
    /* As those of the port `socket`: an odd number of lines between buffers spreads them over the
     * sets of a cache. */
    BUFFER_STRIDE = RJ_URING_HEADER_BYTES + RJ_URING_PAYLOAD_MAX + 23 * 64,
};

/* --- what is refused, and why --- */

/* What the administrator has said about io_uring: 0, or 1 and 2 where it is forbidden to most or to
 * all. */
static int forbidden_by_setting(void)
{
    int value = 0;
    FILE *file = fopen("/proc/sys/kernel/io_uring_disabled", "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%d", &value) != 1)
        value = 0;
    fclose(file);
    return value;
}

static int refuse(int code, rj_err_t *err)
{
    static const char instead[] = "use the transport gso or socket";
    struct rlimit lock = {0};
    const int setting = code == -EPERM ? forbidden_by_setting() : 0;
    if (code == -ENOSYS)
        return rj_fail(err, code, "this kernel has no io_uring: %s", instead);
    if (setting != 0)
        return rj_fail(err, code,
                       "io_uring is forbidden by kernel.io_uring_disabled = %d: %s, or "
                       "set that to 0",
                       setting, instead);
    if (code == -EPERM || code == -EACCES)
        return rj_fail(err, code,
                       "io_uring is forbidden here, by a seccomp filter for instance, "
                       "as containers have them: %s",
                       instead);
    if (code == -ENOMEM && getrlimit(RLIMIT_MEMLOCK, &lock) == 0 && lock.rlim_cur != RLIM_INFINITY)
        return rj_fail(err, code,
                       "io_uring gets no memory; %llu KiB may be locked (RLIMIT_MEMLOCK)"
                       ": raise that, or %s",
                       (unsigned long long)lock.rlim_cur / 1024, instead);
    return rj_fail(err, code, "io_uring: %s: %s", strerrordesc_np(-code), instead);
}

/* Requests that last and buffer rings came one after the other; the first kernel that sends without
 * a copy has them all (Linux 6.0). */
static int check_kernel(struct io_uring *ring, rj_err_t *err)
{
    struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
    const bool is_new_enough =
        probe != NULL && io_uring_opcode_supported(probe, IORING_OP_SEND_ZC) != 0;
    io_uring_free_probe(probe);
    if (!is_new_enough)
        return rj_fail(err, -ENOSYS,
                       "this kernel's io_uring is older than Linux 6.0: use the "
                       "transport gso or socket");
    return 0;
}

/* --- open, close --- */

/* The ring is made by the conductor's thread and used by an engine's, so it begins disabled where
 * it is to belong to one thread. Linux 6.0 cannot put work off, only avoid to interrupt for it. */
static int set_up(rj_uring_ring_t *ring, uint32_t completions)
{
    static const uint32_t both =
        IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_TASKRUN_FLAG;
    struct io_uring_params params = {.flags = both | IORING_SETUP_SINGLE_ISSUER |
                                              IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_R_DISABLED,
                                     .cq_entries = completions};
    int result = io_uring_queue_init_params(RJ_URING_SUBMISSIONS, &ring->ring, &params);
    if (result != -EINVAL)
        return result;
    params = (struct io_uring_params){.flags = both | IORING_SETUP_COOP_TASKRUN,
                                      .cq_entries = completions};
    result = io_uring_queue_init_params(RJ_URING_SUBMISSIONS, &ring->ring, &params);
    ring->is_enabled = result == 0;
    return result;
}

static size_t buffer_ring_bytes(const rj_uring_ring_t *ring)
{
    return ring->buffer_count * sizeof(struct io_uring_buf);
}

/* Address space only: a buffer takes memory as far as datagrams have filled it. */
static void *map(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static int open_buffers(rj_uring_ring_t *ring)
{
    ring->buffer_ring = map(buffer_ring_bytes(ring));
    ring->buffers = map((size_t)ring->buffer_count * BUFFER_STRIDE);
    if (ring->buffer_ring == NULL || ring->buffers == NULL)
        return -ENOMEM;
    struct io_uring_buf_reg registration = {.ring_addr = (uintptr_t)ring->buffer_ring,
                                            .ring_entries = ring->buffer_count,
                                            .bgid = BUFFER_GROUP};
    const int result = io_uring_register_buf_ring(&ring->ring, &registration, 0);
    if (result < 0)
        return result;
    io_uring_buf_ring_init(ring->buffer_ring);
    for (uint32_t i = 0; i < ring->buffer_count; i++)
        rj_uring_ring_give(ring, i);
    rj_uring_ring_give_end(ring);
    return 0;
}

/* The kernel lets nobody register more files than may be open. Without a table each request finds
 * its file by number, which costs a little. */
static void open_files(rj_uring_ring_t *ring, uint32_t file_max)
{
    struct rlimit open_max;
    if (getrlimit(RLIMIT_NOFILE, &open_max) == 0 && open_max.rlim_cur < file_max)
        file_max = (uint32_t)open_max.rlim_cur;
    if (file_max > 0 && io_uring_register_files_sparse(&ring->ring, file_max) == 0)
        ring->file_count = file_max;
}

int rj_uring_ring_open(rj_uring_ring_t *ring, uint32_t buffer_count, uint32_t file_max,
                       rj_err_t *err)
{
    *ring = (rj_uring_ring_t){.buffer_count = buffer_count};
    const uint32_t completions =
        2 * buffer_count > COMPLETIONS_MIN ? 2 * buffer_count : COMPLETIONS_MIN;
    int result = set_up(ring, completions);
    if (result < 0)
        return refuse(result, err);
    ring->is_open = true;
    result = check_kernel(&ring->ring, err);
    if (result < 0)
        goto fail;
    result = open_buffers(ring);
    if (result < 0) {
        result = refuse(result, err);
        goto fail;
    }
    open_files(ring, file_max);
    return 0;
fail:
    rj_uring_ring_close(ring);
    return result;
}

void rj_uring_ring_close(rj_uring_ring_t *ring)
{
    if (ring->is_open)
        io_uring_queue_exit(&ring->ring);
    if (ring->buffer_ring != NULL)
        munmap(ring->buffer_ring, buffer_ring_bytes(ring));
    if (ring->buffers != NULL)
        munmap(ring->buffers, (size_t)ring->buffer_count * BUFFER_STRIDE);
    *ring = (rj_uring_ring_t){0};
}

int rj_uring_ring_enable(rj_uring_ring_t *ring)
{
    if (ring->is_enabled)
        return 0;
    const int result =
        io_uring_register((unsigned)ring->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
    ring->is_enabled = result >= 0;
    return result < 0 ? result : 0;
}

/* --- requests --- */

struct io_uring_sqe *rj_uring_ring_sqe(rj_uring_ring_t *ring)
{
    return io_uring_get_sqe(&ring->ring);
}

/* The kernel looks at the queue during submission only, so its end may be moved back. */
static void drop_unsubmitted(struct io_uring_sq *queue)
{
    const unsigned head = io_uring_smp_load_acquire(queue->khead);
    queue->sqe_head = head;
    queue->sqe_tail = head;
    io_uring_smp_store_release(queue->ktail, head);
}

int rj_uring_ring_submit(rj_uring_ring_t *ring)
{
    int result = 0;
    for (int tries = 0; tries < SUBMIT_TRIES && io_uring_sq_ready(&ring->ring) > 0; tries++) {
        result = io_uring_submit(&ring->ring);
        ring->calls++;
        if (result < 0 && result != -EINTR && result != -EAGAIN)
            break;
    }
    ring->dropped_count = io_uring_sq_ready(&ring->ring);
    if (ring->dropped_count == 0)
        return 0;
    drop_unsubmitted(&ring->ring.sq);
    return result < 0 ? result : -EAGAIN;
}

void rj_uring_ring_pull(rj_uring_ring_t *ring)
{
    if (!rj_uring_ring_has_work(ring))
        return;
    io_uring_get_events(&ring->ring);
    ring->calls++;
}

void rj_uring_ring_wait(rj_uring_ring_t *ring, int64_t timeout_ns)
{
    struct __kernel_timespec timeout = {.tv_nsec = timeout_ns};
    struct io_uring_cqe *first;
    io_uring_wait_cqe_timeout(&ring->ring, &first, &timeout);
}

/* --- files, buffers --- */

int rj_uring_ring_set_file(rj_uring_ring_t *ring, uint32_t slot, int file)
{
    if (slot >= ring->file_count)
        return -ENOENT;
    const int result = io_uring_register_files_update(&ring->ring, slot, &file, 1);
    return result < 0 ? result : 0;
}

void rj_uring_ring_drop_files(rj_uring_ring_t *ring)
{
    if (ring->file_count > 0)
        io_uring_unregister_files(&ring->ring);
    ring->file_count = 0;
}

uint8_t *rj_uring_ring_buffer(const rj_uring_ring_t *ring, uint32_t index)
{
    return ring->buffers + (size_t)index * BUFFER_STRIDE;
}

void rj_uring_ring_give(rj_uring_ring_t *ring, uint32_t index)
{
    io_uring_buf_ring_add(ring->buffer_ring, rj_uring_ring_buffer(ring, index),
                          RJ_URING_HEADER_BYTES + RJ_URING_PAYLOAD_MAX, (unsigned short)index,
                          io_uring_buf_ring_mask(ring->buffer_count), (int)ring->giving_count++);
}

void rj_uring_ring_give_end(rj_uring_ring_t *ring)
{
    if (ring->giving_count == 0)
        return;
    io_uring_buf_ring_advance(ring->buffer_ring, (int)ring->giving_count);
    ring->given_count += ring->giving_count;
    ring->giving_count = 0;
}
