/* SPDX-License-Identifier: Apache-2.0 */
/* The driver for programs that embed it: settings from pairs, threads or none, what it tells. */
#include <ramjet/driver.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/property.h"
#include "driver/start.h"
#include "driver/threads.h"

struct rj_media_driver {
    rj_driver_config_t config;
    rj_driver_t *driver;
    rj_driver_threads_t threads; /* none in INVOKER */
    char choice[RJ_DRIVER_CHOICE_MAX];
    int64_t conductor_interval_ns;
    int64_t conductor_due_ns;
};

/* --- settings --- */

typedef struct given {
    char variable[RJ_PROPERTY_NAME_MAX];
    const char *value;
} given_t;

typedef struct settings {
    given_t *given;
    size_t count;
    rj_settings_base_t base;
} settings_t;

static const char *find_setting(const char *name, const void *state)
{
    const settings_t *settings = state;
    for (size_t i = settings->count; i-- > 0;)
        if (strcmp(settings->given[i].variable, name) == 0)
            return settings->given[i].value;
    /* Clients in this process name the default directory after the user likewise. */
    const bool is_environment =
        settings->base == RJ_SETTINGS_BASE_ENVIRONMENT || strcmp(name, "USER") == 0;
    return is_environment ? rj_config_environment(name, NULL) : NULL;
}

static int take_setting(given_t *given, const rj_setting_t *setting, rj_err_t *err)
{
    if (setting->name == NULL || setting->value == NULL)
        return rj_fail(err, -EINVAL, "a setting without name or value");
    if (rj_property_variable(given->variable, setting->name, strlen(setting->name)) < 0)
        return rj_fail(err, -EINVAL, "%.40s...: a name of more than %d characters", setting->name,
                       RJ_PROPERTY_NAME_MAX - 1);
    if (rj_property_is_misspelt(given->variable))
        return rj_fail(err, -EINVAL, "%s: no such setting", setting->name);
    given->value = setting->value;
    return 0;
}

static int read_settings(rj_driver_config_t *config, const rj_media_driver_options_t *options,
                         rj_err_t *err)
{
    settings_t settings = {.given = calloc(options->setting_count + 1, sizeof(given_t)),
                           .count = options->setting_count,
                           .base = options->base};
    if (settings.given == NULL)
        return rj_fail(err, -ENOMEM, "no memory for settings");
    int result = 0;
    for (size_t i = 0; result == 0 && i < settings.count; i++)
        result = take_setting(&settings.given[i], &options->settings[i], err);
    if (result == 0 && options->base == RJ_SETTINGS_BASE_ENVIRONMENT && options->warnings != NULL)
        rj_property_warn_unknown(environ, options->warnings);
    if (result == 0)
        rj_config_read(config, find_setting, &settings, options->warnings);
    free(settings.given);
    return result == 0 ? rj_driver_settle(config, options->warnings, err) : result;
}

/* --- open, close --- */

static void tell(void *state, rj_ring_told_t told, const char *text)
{
    const rj_media_driver_options_t *options = state;
    if (told != RJ_RING_CHOSEN && options->warnings != NULL)
        fprintf(options->warnings, "WARNING: %s\n", text);
}

static int check_clocks(const rj_driver_config_t *config, const rj_media_driver_options_t *options,
                        rj_err_t *err)
{
    if ((options->mono_ns == NULL) != (options->epoch_ns == NULL))
        return rj_fail(err, -EINVAL, "give both clocks, or none");
    if (options->mono_ns != NULL && config->threading_mode != RJ_THREADING_INVOKER)
        return rj_fail(err, -EINVAL, "clocks of the program's own need INVOKER threading mode");
    return 0;
}

static int start_threads(rj_media_driver_t *self, rj_err_t *err)
{
    const int result = rj_driver_threads_fill(&self->threads, self->driver, &self->config, err);
    return result < 0 ? result : rj_driver_threads_start(&self->threads, RJ_FIRST_THREAD_NEW, err);
}

static int open_driver(rj_media_driver_t *self, const rj_media_driver_options_t *options,
                       rj_err_t *err)
{
    const bool has_threads = self->config.threading_mode != RJ_THREADING_INVOKER;
    int result = has_threads ? rj_driver_threads_open(&self->threads, &self->config, err) : 0;
    if (result < 0)
        return result;
    const bool is_woken = has_threads && rj_driver_threads_helper_is_woken(&self->threads);
    const rj_driver_start_t start = {.is_interrupted = options->is_interrupted,
                                     .is_interrupted_state = options->user,
                                     .wake_helper = is_woken ? rj_driver_threads_wake_helper : NULL,
                                     .wake_helper_state = &self->threads,
                                     .mono_ns = options->mono_ns,
                                     .epoch_ns = options->epoch_ns,
                                     .attach = RJ_RING_ATTACH_NAMED,
                                     .privilege = RJ_RING_KEEP_PRIVILEGE,
                                     .warnings = options->warnings,
                                     .tell = tell,
                                     .tell_state = (void *)(uintptr_t)options};
    result = rj_driver_start(&self->driver, &self->config, &start, self->choice, err);
    return result == 0 && has_threads ? start_threads(self, err) : result;
}

int rj_media_driver_open(rj_media_driver_t **ret_driver, const rj_media_driver_options_t *options,
                         rj_err_t *err)
{
    rj_media_driver_t *self = calloc(1, sizeof(*self));
    if (self == NULL)
        return rj_fail(err, -ENOMEM, "no memory for a driver");
    self->conductor_interval_ns = options->conductor_interval_ns;
    self->conductor_due_ns = INT64_MIN;
    int result = read_settings(&self->config, options, err);
    if (result == 0)
        result = check_clocks(&self->config, options, err);
    if (result == 0)
        result = open_driver(self, options, err);
    if (result < 0) {
        rj_media_driver_close(self);
        return result;
    }
    *ret_driver = self;
    return 0;
}

void rj_media_driver_close(rj_media_driver_t *driver)
{
    if (driver == NULL)
        return;
    rj_driver_threads_stop(&driver->threads);
    rj_driver_close(driver->driver);
    free(driver);
}

/* --- work --- */

int rj_media_driver_do_work(rj_media_driver_t *driver, int64_t now_ns, int64_t epoch_ms)
{
    if (driver->config.threading_mode != RJ_THREADING_INVOKER)
        return -EINVAL;
    int work = 0;
    const int engine_count = rj_driver_engine_count(driver->driver);
    for (int i = 0; i < engine_count; i++)
        work += rj_driver_engine_work(driver->driver, i, now_ns);
    if (now_ns < driver->conductor_due_ns)
        return work;
    driver->conductor_due_ns = now_ns + driver->conductor_interval_ns;
    work += rj_driver_helper_work(driver->driver, now_ns);
    return work + rj_driver_conductor_work(driver->driver, now_ns, epoch_ms);
}

int64_t rj_media_driver_deadline_ns(const rj_media_driver_t *driver)
{
    return rj_driver_deadline_ns(driver->driver);
}

/* --- what it tells --- */

const char *rj_media_driver_directory(const rj_media_driver_t *driver)
{
    return driver->config.dir;
}

const char *rj_media_driver_choice(const rj_media_driver_t *driver)
{
    return driver->choice;
}

bool rj_media_driver_is_terminated(const rj_media_driver_t *driver)
{
    return rj_driver_is_terminated(driver->driver);
}

void rj_media_driver_print_configuration(const rj_media_driver_t *driver, FILE *out)
{
    rj_config_print(&driver->config, driver->choice, out);
}

void rj_media_driver_counters_foreach(const rj_media_driver_t *driver,
                                      bool (*visit)(void *user, const rj_counter_record_t *record),
                                      void *user)
{
    rj_counters_reader_t reader;
    rj_counter_view_t view;
    int32_t cursor = 0;
    bool goes_on = true;
    rj_driver_counters(driver->driver, &reader);
    while (goes_on && rj_counters_next(&reader, &cursor, &view)) {
        rj_counter_record_t record = {.id = view.id,
                                      .type_id = view.type_id,
                                      .value = view.value,
                                      .registration_id = view.registration_id,
                                      .owner_id = view.owner_id,
                                      .reference_id = view.reference_id};
        memcpy(record.key, view.key, sizeof(record.key));
        memcpy(record.label, view.label, sizeof(record.label));
        goes_on = visit(user, &record);
    }
}
