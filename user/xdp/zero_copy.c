/* SPDX-License-Identifier: Apache-2.0 */
#include "xdp/zero_copy.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FRAMES = 16, FRAME_BYTES = 4096, MEMORY_BYTES = FRAMES * FRAME_BYTES };

static int set(int fd, int option, const void *value, socklen_t size)
{
    return setsockopt(fd, SOL_XDP, option, value, size) == 0 ? 0 : -errno;
}

static int try_bind(int fd, void *memory, const rj_device_t *device)
{
    static const int rings[] = {XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_RX_RING};
    const int size = FRAMES;
    const struct xdp_umem_reg umem = {
        .addr = (uintptr_t)memory, .len = MEMORY_BYTES, .chunk_size = FRAME_BYTES};
    const struct sockaddr_xdp address = {
        .sxdp_family = AF_XDP, .sxdp_flags = XDP_ZEROCOPY, .sxdp_ifindex = device->index};
    int code = set(fd, XDP_UMEM_REG, &umem, sizeof(umem));
    for (size_t i = 0; code == 0 && i < sizeof(rings) / sizeof(rings[0]); i++)
        code = set(fd, rings[i], &size, sizeof(size));
    if (code != 0)
        return 0;
    return bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : -errno;
}

int rj_zero_copy_probe(const rj_device_t *device, rj_err_t *err)
{
    int code = 0;
    void *memory =
        mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (memory != MAP_FAILED && fd >= 0)
        code = try_bind(fd, memory, device);
    if (fd >= 0)
        close(fd);
    if (memory != MAP_FAILED)
        munmap(memory, MEMORY_BYTES);
    if (code != -EOPNOTSUPP && code != -EINVAL)
        return 0;
    return rj_fail(err, -EOPNOTSUPP,
                   "its driver (%s) has no zero-copy for AF_XDP: use --mode native, or auto",
                   device->driver[0] != '\0' ? device->driver : "unknown");
}
