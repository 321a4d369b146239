/* SPDX-License-Identifier: Apache-2.0 */
#include "xsk/umem.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

enum { FRAMES = 8 };

static rj_umem_t umem;

static void open_umem(void)
{
    rj_err_t err;
    cr_assert_eq(rj_umem_open(&umem, 2048, FRAMES, &err), 0, "%s", err.text);
}

static void close_umem(void)
{
    rj_umem_close(&umem);
}

TestSuite(umem, .init = open_umem, .fini = close_umem);

Test(umem, knows_where_every_frame_is)
{
    uint64_t addresses[FRAMES];
    bool seen[FRAMES] = {false};
    for (int i = 0; i < FRAMES; i++) {
        addresses[i] = rj_umem_take(&umem, i < 3 ? RJ_FRAME_FILL : RJ_FRAME_TX);
        cr_assert_eq(addresses[i] % 2048, 0);
        cr_assert_not(seen[addresses[i] / 2048], "each is given once");
        seen[addresses[i] / 2048] = true;
        umem.bytes[addresses[i] + 2047] = 1;
    }
    cr_assert_eq(umem.counts[RJ_FRAME_FREE], 0);
    rj_umem_move(&umem, addresses[0] + 300, RJ_FRAME_FILL, RJ_FRAME_RX);
    cr_assert_eq(umem.counts[RJ_FRAME_RX], 1, "by any address in it");
    rj_umem_free(&umem, addresses[5] + RJ_UMEM_HEADROOM_BYTES, RJ_FRAME_TX);
    cr_assert_eq(umem.counts[RJ_FRAME_FREE], 1);
    cr_assert_eq(rj_umem_take(&umem, RJ_FRAME_TX), addresses[5]);
    const uint32_t all = umem.counts[RJ_FRAME_FREE] + umem.counts[RJ_FRAME_FILL] +
                         umem.counts[RJ_FRAME_RX] + umem.counts[RJ_FRAME_TX];
    cr_assert_eq(all, FRAMES);
}

Test(umem, stops_when_a_frame_has_two_holders, .signal = SIGABRT)
{
    const uint64_t address = rj_umem_take(&umem, RJ_FRAME_TX);
    rj_umem_free(&umem, address, RJ_FRAME_TX);
    rj_umem_free(&umem, address, RJ_FRAME_TX);
}

Test(umem, stops_at_an_address_beyond_its_end, .signal = SIGABRT)
{
    rj_umem_move(&umem, FRAMES * 2048, RJ_FRAME_FILL, RJ_FRAME_RX);
}

Test(umem, tells_bytes_of_one_frame_from_others)
{
    cr_assert(rj_umem_contains(&umem, 278, 1770));
    cr_assert_not(rj_umem_contains(&umem, 278, 1771));
    cr_assert(rj_umem_contains(&umem, (FRAMES - 1) * 2048, 2048));
    cr_assert_not(rj_umem_contains(&umem, FRAMES * 2048, 1));
    cr_assert_not(rj_umem_contains(&umem, UINT64_MAX, 1));
    cr_assert_not(rj_umem_contains(&umem, 0, UINT32_MAX));
}

Test(umem, takes_the_smallest_frames_that_hold_the_mtu)
{
    cr_assert_eq(rj_umem_frame_bytes(1500), 2048);
    cr_assert_eq(rj_umem_frame_bytes(1752), 2048);
    cr_assert_eq(rj_umem_frame_bytes(1753), 4096);
    cr_assert_eq(rj_umem_frame_bytes(3800), 4096);
    cr_assert_eq(rj_umem_frame_bytes(9000), 4096, "in several frames then");
    cr_assert_eq(rj_umem_receive_room(2048, 1), 1770);
}

Test(umem, refuses_sizes_that_no_kernel_takes)
{
    static const uint32_t sizes[] = {0, 1024, 3000, 8192};
    rj_umem_t other;
    rj_err_t err;
    for (int i = 0; i < 4; i++)
        cr_assert_eq(rj_umem_open(&other, sizes[i], FRAMES, &err), -EINVAL);
    cr_assert_eq(rj_umem_open(&other, 2048, 0, &err), -EINVAL);
    rj_umem_close(&other);
}
