/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/dir.h"

#include "base/log.h"
#include "shm/cnc.h"
#include "shm/error_log.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TIMEOUT_MS = 10000 };

static const int64_t NOW_MS = INT64_C(1700000000123);
static char base[64];   /* ours, removed at the end */
static char aeron[128]; /* the driver's directory in it */
static rj_dir_options_t options = {.path = aeron, .driver_timeout_ms = TIMEOUT_MS};

static void make_base(void)
{
    strcpy(base, "/tmp/rj-dir-XXXXXX");
    cr_assert_not_null(mkdtemp(base));
    snprintf(aeron, sizeof(aeron), "%s/aeron", base);
    rj_logger_init(RJ_LOGGER_ERROR, RJ_LOGGER_PLAIN);
}

static void remove_base(void)
{
    rj_dir_remove_tree(base, NULL);
}

TestSuite(dir, .init = make_base, .fini = remove_base);

static const char *below(const char *directory, const char *name)
{
    static char path[512];
    cr_assert_eq(rj_dir_join(path, sizeof(path), directory, name), 0);
    return path;
}

static bool exists(const char *directory, const char *name)
{
    struct stat status;
    return lstat(below(directory, name), &status) == 0;
}

static void make_file(const char *directory, const char *name)
{
    int fd = open(below(directory, name), O_CREAT | O_WRONLY, 0600);
    cr_assert_geq(fd, 0);
    close(fd);
}

/* A directory as a driver with that heartbeat leaves it; a foreign file lies in it too. */
static void make_driver(rj_cnc_t *cnc, int64_t heartbeat_ms)
{
    rj_cnc_params_t params = {
        .to_driver_length = 4096 + RJ_RING_TRAILER_BYTES,
        .to_clients_length = 4096 + RJ_BROADCAST_TRAILER_BYTES,
        .counters_values_length = 64 * 128,
        .error_log_length = 4096,
        .file_page_size = RJ_PAGE_SIZE_MIN,
    };
    cr_assert_eq(rj_dir_make(aeron, NULL), 0);
    make_file(aeron, "foreign");
    cr_assert_eq(rj_cnc_create(cnc, aeron, &params, NULL), 0);
    rj_cnc_publish(cnc, heartbeat_ms);
}

static rj_dir_state_t probe(int64_t *ret_age_ms)
{
    rj_dir_state_t state;
    cr_assert_eq(rj_dir_probe(aeron, TIMEOUT_MS, NOW_MS, &state, ret_age_ms, NULL), 0);
    return state;
}

static int prepare(rj_dir_patience_t patience)
{
    rj_err_t err;
    return rj_dir_prepare(&options, NOW_MS, patience, &err);
}

static void expect_fresh(void)
{
    cr_assert(exists(aeron, "publications"));
    cr_assert(exists(aeron, "images"));
    cr_assert_not(exists(aeron, "cnc.dat"));
    cr_assert_not(exists(aeron, "foreign"));
}

Test(dir, moves_into_a_place_that_does_not_exist)
{
    char deep[256];
    snprintf(deep, sizeof(deep), "%s/a/b/c//", base);
    rj_dir_options_t other = {.path = deep, .driver_timeout_ms = TIMEOUT_MS};
    rj_err_t err;
    cr_assert_eq(probe(NULL), RJ_DIR_ABSENT);
    cr_assert_eq(rj_dir_prepare(&other, NOW_MS, RJ_DIR_MAY_WAIT, &err), 0);
    cr_assert(exists(deep, "publications"));
    cr_assert(exists(deep, "images"));
}

Test(dir, empties_a_directory_without_cnc)
{
    rj_dir_make(aeron, NULL);
    make_file(aeron, "foreign");
    cr_assert_eq(probe(NULL), RJ_DIR_EMPTY);
    cr_assert_eq(prepare(RJ_DIR_MAY_WAIT), 0);
    expect_fresh();
}

Test(dir, leaves_a_living_driver_alone)
{
    rj_cnc_t cnc;
    int64_t age_ms;
    make_driver(&cnc, NOW_MS - TIMEOUT_MS);
    cr_assert_eq(probe(&age_ms), RJ_DIR_ACTIVE);
    cr_assert_eq(age_ms, TIMEOUT_MS);
    rj_err_t err;
    cr_assert_eq(rj_dir_prepare(&options, NOW_MS, RJ_DIR_HAS_WAITED, &err), -EBUSY);
    cr_assert_not_null(strstr(err.text, "Active media driver detected: "));
    cr_assert(exists(aeron, "foreign"));
    rj_cnc_close(&cnc);
}

Test(dir, takes_over_from_a_dead_driver)
{
    rj_cnc_t cnc;
    make_driver(&cnc, NOW_MS - TIMEOUT_MS - 1);
    cr_assert_eq(probe(NULL), RJ_DIR_DEAD);
    cr_assert_eq(prepare(RJ_DIR_MAY_WAIT), 0);
    expect_fresh();
    rj_cnc_close(&cnc);
}

Test(dir, does_not_wait_after_an_orderly_shutdown)
{
    rj_cnc_t cnc;
    int64_t age_ms;
    make_driver(&cnc, NOW_MS);
    rj_cnc_retire(&cnc);
    rj_cnc_close(&cnc);
    cr_assert_eq(probe(&age_ms), RJ_DIR_DEAD);
    cr_assert_eq(age_ms, -1);
    cr_assert_eq(prepare(RJ_DIR_MAY_WAIT), 0);
    expect_fresh();
}

Test(dir, waits_for_a_driver_that_may_be_starting)
{
    rj_cnc_t cnc;
    make_driver(&cnc, NOW_MS);
    cnc.header->version = 0;
    cr_assert_eq(probe(NULL), RJ_DIR_UNREADY);
    cr_assert_eq(prepare(RJ_DIR_MAY_WAIT), -EAGAIN);
    cr_assert(exists(aeron, "foreign"));
    cr_assert_eq(prepare(RJ_DIR_HAS_WAITED), 0);
    expect_fresh();
    rj_cnc_close(&cnc);
}

Test(dir, takes_a_file_of_at_most_128_bytes_for_one_that_is_not_ready)
{
    const off_t lengths[] = {0, 128};
    for (int i = 0; i < 2; i++) {
        rj_dir_make(aeron, NULL);
        make_file(aeron, "cnc.dat");
        cr_assert_eq(truncate(below(aeron, "cnc.dat"), lengths[i]), 0);
        cr_assert_eq(probe(NULL), RJ_DIR_UNREADY);
        cr_assert_eq(prepare(RJ_DIR_MAY_WAIT), -EAGAIN);
        cr_assert_eq(prepare(RJ_DIR_HAS_WAITED), 0);
        expect_fresh();
    }
}

Test(dir, takes_what_it_cannot_read_for_dead)
{
    rj_cnc_t cnc;
    make_driver(&cnc, NOW_MS);
    cnc.header->version = 0x00010000;
    cr_assert_eq(probe(NULL), RJ_DIR_DEAD);
    cnc.header->version = RJ_CNC_VERSION;
    cnc.header->to_driver_buffer_length = 5;
    cr_assert_eq(probe(NULL), RJ_DIR_DEAD);
    cnc.header->to_driver_buffer_length = 4096 + RJ_RING_TRAILER_BYTES;
    cr_assert_eq(probe(NULL), RJ_DIR_ACTIVE);
    cr_assert_eq(truncate(below(aeron, "cnc.dat"), 8192), 0);
    cr_assert_eq(probe(NULL), RJ_DIR_DEAD, "the sections lie beyond the end");
    cr_assert_eq(prepare(RJ_DIR_MAY_WAIT), 0);
    expect_fresh();
}

Test(dir, deletes_even_under_a_living_driver_when_told_to)
{
    rj_cnc_t cnc;
    make_driver(&cnc, NOW_MS);
    options.delete_on_start = true;
    cr_assert_eq(prepare(RJ_DIR_MAY_WAIT), 0);
    expect_fresh();
    rj_cnc_close(&cnc);
}

Test(dir, saves_the_errors_of_a_dead_driver_beside_the_directory)
{
    rj_cnc_t cnc;
    rj_error_log_t errors;
    make_driver(&cnc, 1);
    cr_assert_eq(rj_error_log_open(&errors, cnc.error_log.bytes, cnc.error_log.length_bytes, NULL),
                 0);
    rj_error_log_record(&errors, 1, "disk", 1);
    rj_error_log_close(&errors);
    rj_cnc_close(&cnc);
    setenv("TZ", "UTC", 1);
    cr_assert_eq(prepare(RJ_DIR_MAY_WAIT), 0);
    expect_fresh();
    cr_assert(exists(base, "aeron-2023-11-14-22-13-20-123+0000-error.log"));
}

Test(dir, removes_a_tree_and_follows_no_link)
{
    rj_err_t err;
    char victim[256], tree[256];
    snprintf(victim, sizeof(victim), "%s/victim", base);
    snprintf(tree, sizeof(tree), "%s/tree/deep/deeper", base);
    cr_assert_eq(rj_dir_make(victim, &err), 0);
    make_file(victim, "precious");
    cr_assert_eq(rj_dir_make(tree, &err), 0);
    make_file(tree, "file");
    cr_assert_eq(symlink(victim, below(tree, "link")), 0);
    cr_assert_eq(symlink("/nowhere", below(tree, "dangling")), 0);
    snprintf(tree, sizeof(tree), "%s/tree", base);
    cr_assert_eq(rj_dir_remove_tree(tree, &err), 0);
    cr_assert_not(exists(base, "tree"));
    cr_assert(exists(victim, "precious"));
    cr_assert_eq(rj_dir_remove_tree(tree, &err), 0, "it is fine if nothing is there");
    cr_assert_eq(symlink(victim, tree), 0);
    cr_assert_eq(rj_dir_remove_tree(tree, &err), 0);
    cr_assert(exists(victim, "precious"));
    cr_assert_not(exists(base, "tree"));
}

Test(dir, refuses_a_path_that_is_no_directory)
{
    make_file(base, "aeron");
    cr_assert_eq(prepare(RJ_DIR_MAY_WAIT), -ENOTDIR);
    options.path = "";
    cr_assert_eq(prepare(RJ_DIR_MAY_WAIT), -EINVAL);
}

Test(dir, names_log_buffers_by_signed_ids)
{
    char path[64];
    cr_assert_eq(rj_dir_publication_path(path, sizeof(path), "/dev/shm/a", 17), 0);
    cr_assert_str_eq(path, "/dev/shm/a/publications/17.logbuffer");
    cr_assert_eq(rj_dir_image_path(path, sizeof(path), "/dev/shm/a", -1), 0);
    cr_assert_str_eq(path, "/dev/shm/a/images/-1.logbuffer");
    cr_assert_eq(rj_dir_image_path(path, 10, "/dev/shm/a", 1), -ENAMETOOLONG);
    cr_assert_eq(rj_dir_join(path, 12, "/dev/shm/a", "b"), -ENAMETOOLONG);
}
