/* SPDX-License-Identifier: Apache-2.0 */
#include "config/ring_config.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static const char *from_pairs(const char *name, const void *state)
{
    for (const char *const *pair = state; pair[0] != NULL; pair += 2)
        if (strcmp(pair[0], name) == 0)
            return pair[1];
    return NULL;
}

Test(ring_config, says_nothing_where_nothing_was_asked_for)
{
    const char *const none[] = {NULL};
    rj_driver_config_t config;
    rj_config_read(&config, from_pairs, none, NULL);
    cr_expect_eq(config.interface_count, 0);
    cr_expect_eq(config.transport, RJ_TRANSPORT_AUTO);
    cr_expect_eq(config.xdp_mode, RJ_XDP_MODE_AUTO);
    cr_expect_eq(config.queue_first, -1);
    cr_expect_eq(config.queue_last, -1);
    cr_expect_eq(config.control, RJ_CONTROL_KERNEL);
    cr_expect_eq(config.engine_cpu_count, 0);
    cr_expect_eq(config.steer_queues, RJ_STEER_QUEUES_AUTO);
    cr_expect_eq(config.busy_poll_us, 0);
    cr_expect_str_eq(config.instance, "");
}

Test(ring_config, reads_every_setting_of_ours)
{
    const char *const pairs[] = {"RAMJET_INTERFACE",
                                 "eth0,eth1.7,eth0",
                                 "RAMJET_TRANSPORT",
                                 "xdp",
                                 "RAMJET_XDP_MODE",
                                 "zero-copy",
                                 "RAMJET_QUEUES",
                                 "2-5",
                                 "RAMJET_CONTROL",
                                 "ring",
                                 "RAMJET_ENGINE_CPUS",
                                 "7,1-3",
                                 "RAMJET_INSTANCE",
                                 "left_1",
                                 "RAMJET_STEER_QUEUES",
                                 "on",
                                 "RAMJET_BUSY_POLL",
                                 "20:128",
                                 "RAMJET_COPY_FREE",
                                 "3",
                                 NULL};
    rj_driver_config_t config;
    rj_err_t err;
    rj_config_read(&config, from_pairs, pairs, NULL);
    cr_assert_eq(rj_config_check(&config, &err), 0, "%s", err.text);
    cr_assert_eq(config.interface_count, 2);
    cr_expect_str_eq(config.interfaces[0], "eth0");
    cr_expect_str_eq(config.interfaces[1], "eth1.7");
    cr_expect_eq(config.transport, RJ_TRANSPORT_XDP);
    cr_expect_eq(config.xdp_mode, RJ_XDP_MODE_ZERO_COPY);
    cr_expect_eq(config.queue_first, 2);
    cr_expect_eq(config.queue_last, 5);
    cr_expect_eq(config.control, RJ_CONTROL_RING);
    cr_assert_eq(config.engine_cpu_count, 4);
    const int32_t cpus[] = {7, 1, 2, 3};
    cr_expect_arr_eq(config.engine_cpus, cpus, sizeof(cpus));
    cr_expect_str_eq(config.instance, "left_1");
    cr_expect_eq(config.steer_queues, RJ_STEER_QUEUES_ON);
    cr_expect_eq(config.busy_poll_us, 20);
    cr_expect_eq(config.busy_poll_budget, 128);
    cr_expect_eq(config.copy_free, 3);
}

Test(ring_config, takes_the_kernels_budget_where_busy_polling_names_none)
{
    const char *const pairs[] = {"RAMJET_BUSY_POLL", "50", "RAMJET_STEER_QUEUES", "off", NULL};
    rj_driver_config_t config;
    rj_config_read(&config, from_pairs, pairs, NULL);
    cr_expect_eq(config.busy_poll_us, 50);
    cr_expect_eq(config.busy_poll_budget, 64);
    cr_expect_eq(config.steer_queues, RJ_STEER_QUEUES_OFF);
}

Test(ring_config, takes_one_queue_for_a_range_of_one)
{
    const char *const pairs[] = {"RAMJET_QUEUES", "63", NULL};
    rj_driver_config_t config;
    rj_config_read(&config, from_pairs, pairs, NULL);
    cr_expect_eq(config.queue_first, 63);
    cr_expect_eq(config.queue_last, 63);
}

Test(ring_config, refuses_what_it_cannot_read_by_the_name_of_the_setting)
{
    static const char long_text[] =
        "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v,w,x,y,z,a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,"
        "t,u,v,w,x,y,z,a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v,w,x,y,z";
    static const char *const bad[][3] = {
        {"RAMJET_INTERFACE", "eth0,", NULL},
        {"RAMJET_INTERFACE", ",", NULL},
        {"RAMJET_INTERFACE", "..", NULL},
        {"RAMJET_INTERFACE", "a b", NULL},
        {"RAMJET_INTERFACE", "../../x", NULL},
        {"RAMJET_INTERFACE", "sixteen-letters-", NULL},
        {"RAMJET_INTERFACE", "a,b,c,d,e,f,g,h", NULL},
        {"RAMJET_INTERFACE", long_text, NULL},
        {"RAMJET_TRANSPORT", "X DP", NULL},
        {"RAMJET_TRANSPORT", "dpdk ", NULL},
        {"RAMJET_XDP_MODE", "fast", NULL},
        {"RAMJET_QUEUES", "3-1", NULL},
        {"RAMJET_QUEUES", "64", NULL},
        {"RAMJET_QUEUES", "0-16", NULL},
        {"RAMJET_QUEUES", "-1", NULL},
        {"RAMJET_QUEUES", "0-3x", NULL},
        {"RAMJET_QUEUES", "99999999999999999999", NULL},
        {"RAMJET_CONTROL", "socket", NULL},
        {"RAMJET_ENGINE_CPUS", "1,", NULL},
        {"RAMJET_ENGINE_CPUS", "1024", NULL},
        {"RAMJET_ENGINE_CPUS", "0-16", NULL},
        {"RAMJET_INSTANCE", "a/b", NULL},
        {"RAMJET_INSTANCE", "a.b", NULL},
        {"RAMJET_COPY_FREE", "65", NULL},
        {"RAMJET_COPY_FREE", "all", NULL},
        {"RAMJET_STEER_QUEUES", "yes", NULL},
        {"RAMJET_BUSY_POLL", "20:", NULL},
        {"RAMJET_BUSY_POLL", "20:0", NULL},
        {"RAMJET_BUSY_POLL", "10001", NULL},
        {"RAMJET_BUSY_POLL", "20us", NULL},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        rj_driver_config_t config;
        rj_err_t err = {0};
        rj_config_read(&config, from_pairs, bad[i], NULL);
        cr_expect_eq(rj_config_check(&config, &err), -EINVAL, "%s=%s", bad[i][0], bad[i][1]);
        cr_expect_eq(strncmp(err.text, bad[i][0], strlen(bad[i][0])), 0, "%s", err.text);
        cr_expect_eq(rj_ring_config_check_value(bad[i][0], bad[i][1], &err), -EINVAL);
        cr_expect_eq(config.interface_count, 0);
        cr_expect_eq(config.queue_first, -1);
        cr_expect_eq(config.engine_cpu_count, 0);
    }
}

Test(ring_config, leaves_the_settings_of_others_alone)
{
    rj_err_t err;
    cr_expect_eq(rj_ring_config_check_value("AERON_DIR", "../x y", &err), 0);
}
