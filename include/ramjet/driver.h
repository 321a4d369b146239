/* SPDX-License-Identifier: Apache-2.0 */
/* driver.h - a media driver inside your program: start it, or drive it yourself.
 *
 *     const rj_setting_t settings[] = {{"aeron.dir", "/dev/shm/mine"},
 *                                      {"aeron.threading.mode", "SHARED"}};
 *     const rj_media_driver_options_t options = {.settings = settings, .setting_count = 2};
 *     if (rj_media_driver_open(&driver, &options, &err) < 0)
 *         ...
 *     ... clients connect to rj_media_driver_directory(driver) ...
 *     rj_media_driver_close(driver);
 *
 * Settings are those of the daemon, by the same names, as properties ("aeron.mtu.length") or as
 * environment variables ("AERON_MTU_LENGTH"); docs/configuration.md lists them. The threading mode
 * decides who works: DEDICATED, SHARED_NETWORK and SHARED have threads of their own, which take no
 * signals. In INVOKER there is none but yours, which calls rj_media_driver_do_work:
 *
 *     while (is_running)
 *         idle(rj_media_driver_do_work(driver, mono_ns(), epoch_ms()));
 *
 * A process may hold several drivers; each has a directory of its own.
 *
 * Units      `now_ns` is a monotonic clock, `epoch_ms` the wall clock.
 * Ownership  the driver copies its settings. What it hands out lives until close.
 * Thread     open and close: one. do_work: one at a time. Everything else: any, while it is open.
 * Errors     a negative errno and one line in `err`; after a failed open nothing is left behind.
 * Linking    `pkg-config --libs --static ramjet`.
 */
#ifndef RAMJET_DRIVER_H
#define RAMJET_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <ramjet/error.h>
#include <ramjet/ramjet.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rj_media_driver rj_media_driver_t;

/* One setting; an empty value means that there is none. Of two of a name the later wins. */
typedef struct rj_setting {
    const char *name;
    const char *value;
} rj_setting_t;

/* What holds where no setting is given. */
typedef enum rj_settings_base {
    RJ_SETTINGS_BASE_DEFAULTS,
    RJ_SETTINGS_BASE_ENVIRONMENT, /* the process's environment variables, then the defaults */
} rj_settings_base_t;

/* A value that is all zero is good: the defaults, in /dev/shm/aeron-USER. */
typedef struct rj_media_driver_options {
    const rj_setting_t *settings;
    size_t setting_count;
    rj_settings_base_t base;

    /* Gets one line for each value that cannot be read, and for what was asked for and is not
     * granted; NULL: nobody hears of it, and the driver goes on all the same. What a dead driver
     * has left in the directory is told on stderr. */
    FILE *warnings;

    /* Ends the wait for another driver that may be starting in the directory; NULL: never. */
    bool (*is_interrupted)(void *user);
    void *user;

    /* Only in INVOKER: the clocks of rj_media_driver_do_work, where they are not the system's. A
     * driver with clocks of its own uses sockets alone. Both or none. */
    int64_t (*mono_ns)(void);
    int64_t (*epoch_ns)(void);

    /* Only in INVOKER: clients' commands and timers are looked at this often, engines in every
     * turn; 0: both in every turn. */
    int64_t conductor_interval_ns;
} rj_media_driver_options_t;

/* Opens a driver; in every mode but INVOKER its threads run when this returns, and in INVOKER
 * clients are served from the first do_work on. -EINVAL for a setting that begins with `ramjet.`
 * and is none (other unknown names are ignored, as in the environment), and for what the daemon
 * refuses as well; -EBUSY when a living driver has the directory. */
int rj_media_driver_open(rj_media_driver_t **ret_driver, const rj_media_driver_options_t *options,
                         rj_err_t *err);

/* Stops its threads, frees everything, says goodbye to clients, and removes the directory where the
 * settings say so. A look-up of a name that takes long is cut short. NULL is allowed. */
void rj_media_driver_close(rj_media_driver_t *driver);

/* INVOKER: one turn of everything. Returns how much was done, 0 when the caller may idle, -EINVAL
 * in another mode. It resolves names and makes files itself, which may block. */
int rj_media_driver_do_work(rj_media_driver_t *driver, int64_t now_ns, int64_t epoch_ms);

/* INVOKER: when something happens by itself, if nothing else does; between two turns. */
int64_t rj_media_driver_deadline_ns(const rj_media_driver_t *driver);

/* Where clients find it: absolute, in aeron.dir of theirs. */
const char *rj_media_driver_directory(const rj_media_driver_t *driver);

/* How data travel, and why: "xdp: eth0 queue 0, ...", "sockets: no interface is named or attached".
 */
const char *rj_media_driver_choice(const rj_media_driver_t *driver);

/* Whether a client has asked it to end, and aeron.driver.termination.validator allows that. The
 * driver goes on until it is closed. */
bool rj_media_driver_is_terminated(const rj_media_driver_t *driver);

/* The block of AERON_PRINT_CONFIGURATION. */
void rj_media_driver_print_configuration(const rj_media_driver_t *driver, FILE *out);

/* Shows every allocated counter, in the order of ids, until `visit` answers false. */
void rj_media_driver_counters_foreach(const rj_media_driver_t *driver,
                                      bool (*visit)(void *user, const rj_counter_record_t *record),
                                      void *user);

#ifdef __cplusplus
}
#endif

#endif
