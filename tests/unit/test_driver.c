/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/driver.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "name/interfaces.h"
#include "shm/cnc.h"
#include "transport/registry.h"

static rj_driver_config_t config;
static rj_driver_world_t world;
static rj_resolver_t resolver;

static int open_port(void *state, int index, const rj_port_params_t *params, rj_port_t **ret_port,
                     rj_err_t *err)
{
    const int *failing = state;
    if (index == *failing)
        return rj_fail(err, -EPERM, "no port %d", index);
    return rj_port_open("socket", params, ret_port, err);
}

static int failing_port = -1;

static const char *no_setting(const char *name, const void *state)
{
    (void)name;
    (void)state;
    return NULL;
}

static void prepare(void)
{
    rj_config_read(&config, no_setting, NULL, NULL);
    snprintf(config.dir, sizeof(config.dir), "/dev/shm/rj-driver-%d", (int)getpid());
    config.counters_values_bytes = 1 << 20;
    config.dir_delete_on_shutdown = true;
    rj_resolver_system_init(&resolver);
    world = (rj_driver_world_t){.sockets = rj_sockets_kernel(),
                                .resolver = &resolver,
                                .read_interfaces = rj_interfaces_read,
                                .mono_ns = rj_clock_mono_ns,
                                .open_port = open_port,
                                .open_port_state = &failing_port,
                                .pid = 77};
    rj_err_t err;
    cr_assert_eq(rj_driver_prepare_dir(&config, 1, RJ_DIR_HAS_WAITED, &err), 0, "%s", err.text);
}

static void clean_up(void)
{
    rj_err_t err;
    cr_expect_eq(rj_dir_remove_tree(config.dir, &err), 0);
}

TestSuite(driver, .init = prepare, .fini = clean_up);

static bool exists(const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", config.dir, name);
    return access(path, F_OK) == 0;
}

Test(driver, shows_itself_complete_and_leaves_nothing)
{
    rj_driver_t *driver = NULL;
    rj_err_t err;
    cr_assert_eq(rj_driver_open(&driver, &config, &world, 1700000000000, &err), 0, "%s", err.text);
    rj_cnc_t cnc;
    cr_assert_eq(rj_cnc_try_map(&cnc, config.dir, RJ_MAPFILE_READ_ONLY, &err), 0, "%s", err.text);
    cr_expect_eq(cnc.header->pid, 77);
    cr_expect_eq(cnc.header->client_liveness_timeout_ns, 10000000000);
    cr_expect_eq(cnc.header->file_page_size, 4096);
    cr_expect_eq(rj_cnc_heartbeat_ms(&cnc), 1700000000000);
    cr_expect_eq(rj_driver_engine_count(driver), 2);
    rj_driver_close(driver);
    cr_expect_eq(rj_cnc_heartbeat_ms(&cnc), -1);
    rj_cnc_close(&cnc);
    cr_expect_eq(access(config.dir, F_OK), -1);
}

Test(driver, takes_back_its_files_when_it_cannot_start)
{
    rj_driver_t *driver = NULL;
    rj_err_t err;
    for (failing_port = 0; failing_port < 2; failing_port++) {
        cr_expect_eq(rj_driver_open(&driver, &config, &world, 1, &err), -EPERM);
        cr_expect_not(exists("cnc.dat"));
        cr_expect_not(exists("loss-report.dat"));
        cr_expect(exists("publications"));
    }
}

Test(driver, leaves_the_files_of_one_that_was_faster)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/cnc.dat", config.dir);
    int fd = open(path, O_CREAT | O_WRONLY, 0666);
    cr_assert_geq(fd, 0);
    close(fd);
    rj_driver_t *driver = NULL;
    rj_err_t err;
    cr_expect_eq(rj_driver_open(&driver, &config, &world, 1, &err), -EEXIST);
    cr_expect(exists("cnc.dat"));
    /* The same for the second file, whoever put it there. */
    cr_assert_eq(unlink(path), 0);
    snprintf(path, sizeof(path), "%s/loss-report.dat", config.dir);
    cr_assert_eq(mkdir(path, 0777), 0);
    cr_expect_lt(rj_driver_open(&driver, &config, &world, 1, &err), 0);
    cr_expect_not(exists("cnc.dat"));
    cr_expect(exists("loss-report.dat"));
}

Test(driver, says_before_it_touches_anything_what_no_system_can_give)
{
    rj_err_t err;
    cr_expect_eq(rj_driver_check(&config, world.sockets, NULL, &err), 0, "%s", err.text);
    config.counters_values_bytes = 500 << 20;
    cr_expect_lt(rj_driver_check(&config, world.sockets, NULL, &err), 0);
    cr_expect_not_null(strstr(err.text, "too long"), "%s", err.text);
    config.counters_values_bytes = 1 << 20;
    config.initial_window_bytes = 1 << 30;
    cr_expect_lt(rj_driver_check(&config, world.sockets, NULL, &err), 0);
    cr_expect_not_null(strstr(err.text, "SO_RCVBUF"), "%s", err.text);
}
