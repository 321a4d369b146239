/* SPDX-License-Identifier: Apache-2.0 */
/* The driver as programs embed it, with clients in the same process. */
#include <ramjet/driver.h>

#include <ramjet/command.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STREAM = 1001, MESSAGES = 2000, DRIVERS_MAX = 3 };

typedef struct names {
    char directory[DRIVERS_MAX][64];
    char channel[DRIVERS_MAX][64]; /* one for each that receives: ports of a process are shared */
} names_t;

static names_t names;

static void name_all(void)
{
    for (int i = 0; i < DRIVERS_MAX; i++) {
        snprintf(names.directory[i], sizeof(names.directory[i]), "/dev/shm/rj-media-%d-%d",
                 (int)getpid(), i);
        snprintf(names.channel[i], sizeof(names.channel[i]), "aeron:udp?endpoint=127.0.0.1:%d",
                 20000 + (int)getpid() % 3000 * 3 + i);
    }
}

TestSuite(media_driver, .init = name_all, .timeout = 60);

/* Small, short-lived, and gone with its directory. */
static int open_driver(rj_media_driver_t **ret_driver, int index, const char *mode,
                       const rj_media_driver_options_t *more, rj_err_t *err)
{
    const rj_setting_t settings[] = {
        {"aeron.dir", names.directory[index]},  {"AERON_DIR_DELETE_ON_SHUTDOWN", "true"},
        {"aeron.threading.mode", mode},         {"aeron.term.buffer.length", "64k"},
        {"aeron.counters.buffer.length", "1m"}, {"aeron.timer.interval", "10ms"}};
    rj_media_driver_options_t options =
        more != NULL ? *more : (rj_media_driver_options_t){.warnings = stderr};
    options.settings = settings;
    options.setting_count = sizeof(settings) / sizeof(settings[0]);
    return rj_media_driver_open(ret_driver, &options, err);
}

static rj_media_driver_t *must_open(int index, const char *mode,
                                    const rj_media_driver_options_t *more)
{
    rj_media_driver_t *driver = NULL;
    rj_err_t err;
    cr_assert_eq(open_driver(&driver, index, mode, more, &err), 0, "%s", err.text);
    return driver;
}

static char *print(const rj_media_driver_t *driver)
{
    char *words = NULL;
    size_t length;
    FILE *out = open_memstream(&words, &length);
    rj_media_driver_print_configuration(driver, out);
    fclose(out);
    return words;
}

/* Checks what an open says of one setting, and that it leaves nothing. */
static void expect_refused(const char *name, const char *value, const char *said)
{
    const rj_setting_t settings[] = {{"aeron.dir", names.directory[0]}, {name, value}};
    const rj_media_driver_options_t options = {.settings = settings, .setting_count = 2};
    rj_media_driver_t *driver = NULL;
    rj_err_t err;
    cr_expect_lt(rj_media_driver_open(&driver, &options, &err), 0, "%s=%s", name, value);
    cr_expect_not_null(strstr(err.text, said), "%s=%s: %s", name, value, err.text);
    cr_expect_null(strchr(err.text, '\n'));
    cr_expect_null(driver);
    cr_expect_neq(access(names.directory[0], F_OK), 0);
}

/* --- settings --- */

/* Which kind of socket is for the kernel to say. */
static bool is_by_sockets(const char *choice)
{
    return strncmp(choice, "gso: ", 5) == 0 || strncmp(choice, "socket: ", 8) == 0;
}

Test(media_driver, takes_settings_by_both_spellings_and_prints_them)
{
    rj_media_driver_t *driver = must_open(0, "INVOKER", NULL);
    char *words = print(driver);
    cr_expect_not_null(strstr(words, "    dirs_delete_on_shutdown=1\n"));
    cr_expect_not_null(strstr(words, "    term_buffer_length=65536\n"));
    cr_expect_not_null(strstr(words, "    threading_mode=INVOKER\n"));
    cr_expect(strstr(words, "    chosen=gso: ") != NULL ||
              strstr(words, "    chosen=socket: ") != NULL);
    free(words);
    cr_expect_str_eq(rj_media_driver_directory(driver), names.directory[0]);
    rj_media_driver_close(driver);
    cr_expect_neq(access(names.directory[0], F_OK), 0);
}

Test(media_driver, looks_at_the_environment_only_when_told_and_given_settings_win)
{
    setenv("AERON_MTU_LENGTH", "8k", 1);
    setenv("AERON_IPC_MTU_LENGTH", "8k", 1);
    setenv("RAMJET_NONSENSE", "1", 1);
    const rj_setting_t settings[] = {{"aeron.dir", names.directory[0]},
                                     {"aeron.dir.delete.on.shutdown", "1"},
                                     {"aeron.threading.mode", "INVOKER"},
                                     {"aeron.ipc.mtu.length", "2k"},
                                     {"aeron.ipc.mtu.length", "4k"}};
    for (int base = RJ_SETTINGS_BASE_DEFAULTS; base <= RJ_SETTINGS_BASE_ENVIRONMENT; base++) {
        char *said = NULL;
        size_t length;
        FILE *warnings = open_memstream(&said, &length);
        const rj_media_driver_options_t options = {.settings = settings,
                                                   .setting_count = 5,
                                                   .base = (rj_settings_base_t)base,
                                                   .warnings = warnings};
        rj_media_driver_t *driver = NULL;
        rj_err_t err;
        cr_assert_eq(rj_media_driver_open(&driver, &options, &err), 0, "%s", err.text);
        fclose(warnings);
        const bool is_environment = base == RJ_SETTINGS_BASE_ENVIRONMENT;
        char *words = print(driver);
        cr_expect_not_null(
            strstr(words, is_environment ? "\n    mtu_length=8192\n" : "\n    mtu_length=1408\n"));
        cr_expect_not_null(strstr(words, "\n    ipc_mtu_length=4096\n"));
        cr_expect_eq(strstr(said, "RAMJET_NONSENSE") != NULL, is_environment);
        free(words);
        free(said);
        rj_media_driver_close(driver);
    }
}

Test(media_driver, refuses_in_one_line_what_the_daemon_refuses_and_leaves_nothing)
{
    expect_refused("ramjet.nonsense", "1", "ramjet.nonsense: no such setting");
    expect_refused("RAMJET_QUEUE", "0", "RAMJET_QUEUE: no such setting");
    expect_refused("aeron.mtu.length", "1000", "AERON_MTU_LENGTH=1000");
    expect_refused("aeron.sender.idle.strategy", "mine", "idle strategy 'mine'");
    expect_refused("aeron.congestioncontrol.supplier", "mine", "foreign code");
    expect_refused("ramjet.queues", "x", "RAMJET_QUEUES=x");
}

Test(media_driver, refuses_clocks_that_nobody_would_turn)
{
    const rj_setting_t settings[] = {{"aeron.dir", names.directory[0]}};
    rj_media_driver_options_t options = {.settings = settings, .setting_count = 1};
    rj_media_driver_t *driver = NULL;
    rj_err_t err;
    options.mono_ns = (int64_t(*)(void))name_all;
    cr_expect_eq(rj_media_driver_open(&driver, &options, &err), -EINVAL);
    cr_expect_str_eq(err.text, "give both clocks, or none");
    options.epoch_ns = options.mono_ns;
    cr_expect_eq(rj_media_driver_open(&driver, &options, &err), -EINVAL);
    cr_expect_not_null(strstr(err.text, "INVOKER"), "%s", err.text);
}

Test(media_driver, leaves_a_directory_alone_in_which_another_lives)
{
    rj_media_driver_t *driver = must_open(0, "SHARED", NULL);
    rj_media_driver_t *other = NULL;
    rj_err_t err;
    cr_expect_eq(open_driver(&other, 0, "SHARED", NULL, &err), -EBUSY);
    cr_expect_not_null(strstr(err.text, "Active media driver detected"), "%s", err.text);
    cr_expect_eq(access(names.directory[0], F_OK), 0);
    rj_media_driver_close(driver);
}

Test(media_driver, does_work_for_others_only_in_invoker_mode)
{
    rj_media_driver_t *driver = must_open(0, "SHARED_NETWORK", NULL);
    cr_expect_eq(rj_media_driver_do_work(driver, 1, 1), -EINVAL);
    cr_expect_not(rj_media_driver_is_terminated(driver));
    rj_media_driver_close(driver);
    rj_media_driver_close(NULL);
}

/* --- what it tells --- */

typedef struct seen {
    int count;
    bool has_bytes_sent;
    bool has_transport;
} seen_t;

static bool look(void *user, const rj_counter_record_t *record)
{
    seen_t *seen = user;
    seen->count++;
    if (record->id == 0)
        seen->has_bytes_sent = strcmp(record->label, "Bytes sent") == 0;
    if (record->type_id == RJ_COUNTER_TYPE_RAMJET_TRANSPORT)
        seen->has_transport = strncmp(record->label, "ramjet transport: ", 18) == 0 &&
                              is_by_sockets(record->label + 18);
    return true;
}

static bool stop_at_once(void *user, const rj_counter_record_t *record)
{
    (void)record;
    ++*(int *)user;
    return false;
}

Test(media_driver, shows_its_counters_and_how_data_travel)
{
    rj_media_driver_t *driver = must_open(0, "INVOKER", NULL);
    seen_t seen = {.count = 0};
    rj_media_driver_counters_foreach(driver, look, &seen);
    cr_expect_gt(seen.count, 46);
    cr_expect(seen.has_bytes_sent);
    cr_expect(seen.has_transport);
    int count = 0;
    rj_media_driver_counters_foreach(driver, stop_at_once, &count);
    cr_expect_eq(count, 1);
    cr_expect(is_by_sockets(rj_media_driver_choice(driver)));
    rj_media_driver_close(driver);
}

/* --- traffic --- */

typedef struct tally {
    int64_t next; /* messages are numbers, in order */
    bool is_wrong;
} tally_t;

static void on_message(void *user, const uint8_t *message, size_t length, const rj_header_t *header)
{
    tally_t *tally = user;
    int64_t number;
    (void)header;
    memcpy(&number, message, sizeof(number));
    tally->is_wrong = tally->is_wrong || length != sizeof(number) || number != tally->next;
    tally->next++;
}

/* A client of the first driver sends to one of the second. */
static void connect_to(const rj_media_driver_t *driver, rj_client_t **ret_client)
{
    rj_context_t context;
    rj_err_t err;
    rj_context_init(&context);
    context.directory = rj_media_driver_directory(driver);
    cr_assert_eq(rj_client_connect(&context, ret_client, &err), 0, "%s", err.text);
}

static void carry_messages(rj_media_driver_t *const *drivers, int from, int to)
{
    rj_client_t *sender, *receiver;
    rj_publication_t *publication;
    rj_subscription_t *subscription;
    rj_err_t err;
    connect_to(drivers[from], &sender);
    connect_to(drivers[to], &receiver);
    cr_assert_eq(
        rj_client_add_subscription(receiver, names.channel[to], STREAM, NULL, &subscription, &err),
        0, "%s", err.text);
    cr_assert_eq(rj_client_add_publication(sender, names.channel[to], STREAM,
                                           RJ_PUBLICATION_EXCLUSIVE, &publication, &err),
                 0, "%s", err.text);
    tally_t tally = {.next = 0};
    for (int64_t sent = 0; tally.next < MESSAGES;) {
        if (sent < MESSAGES && rj_publication_offer(publication, &sent, sizeof(sent)) > 0)
            sent++;
        rj_subscription_poll(subscription, on_message, &tally, 100);
    }
    cr_expect_not(tally.is_wrong);
    rj_client_close(sender);
    rj_client_close(receiver);
}

Test(media_driver, lives_beside_others_in_one_process_in_every_threading_mode)
{
    rj_media_driver_t *drivers[DRIVERS_MAX] = {must_open(0, "DEDICATED", NULL),
                                               must_open(1, "SHARED", NULL),
                                               must_open(2, "SHARED_NETWORK", NULL)};
    carry_messages(drivers, 0, 1);
    carry_messages(drivers, 1, 2);
    rj_media_driver_close(drivers[1]);
    carry_messages(drivers, 2, 0);
    rj_media_driver_close(drivers[0]);
    rj_media_driver_close(drivers[2]);
    for (int i = 0; i < DRIVERS_MAX; i++)
        cr_expect_neq(access(names.directory[i], F_OK), 0);
}

/* --- virtual time: one thread turns two drivers and their clients --- */

static const int64_t step_ns = 50000;
static int64_t virtual_ns = 1000;

static int64_t virtual_mono_ns(void)
{
    return virtual_ns;
}

static int64_t virtual_epoch_ns(void)
{
    return 1000000000 + virtual_ns;
}

static int64_t virtual_epoch_ms(void)
{
    return virtual_epoch_ns() / 1000000;
}

typedef struct world {
    rj_media_driver_t *drivers[2];
    rj_client_t *clients[2];
    rj_publication_t *publication;
    rj_subscription_t *subscription;
} world_t;

static void turn(world_t *world)
{
    virtual_ns += step_ns;
    for (int i = 0; i < 2; i++) {
        cr_assert_geq(rj_media_driver_do_work(world->drivers[i], virtual_ns, virtual_epoch_ms()),
                      0);
        if (world->clients[i] != NULL)
            rj_client_conductor_do_work(world->clients[i], virtual_ns, virtual_epoch_ms());
    }
}

static void open_world(world_t *world)
{
    const rj_media_driver_options_t clocks = {.mono_ns = virtual_mono_ns,
                                              .epoch_ns = virtual_epoch_ns};
    rj_err_t err;
    *world = (world_t){.publication = NULL};
    for (int i = 0; i < 2; i++) {
        rj_context_t context;
        world->drivers[i] = must_open(i, "INVOKER", &clocks);
        rj_context_init(&context);
        context.directory = names.directory[i];
        context.conductor_mode = RJ_CONDUCTOR_INVOKED;
        cr_assert_eq(rj_client_try_connect(&context, virtual_ns, virtual_epoch_ms(),
                                           &world->clients[i], &err),
                     0, "%s", err.text);
    }
    rj_request_t *add_subscription, *add_publication;
    cr_assert_eq(rj_client_request_subscription(world->clients[1], names.channel[1], STREAM, NULL,
                                                &add_subscription, &err),
                 0);
    cr_assert_eq(rj_client_request_publication(world->clients[0], names.channel[1], STREAM,
                                               RJ_PUBLICATION_EXCLUSIVE, &add_publication, &err),
                 0);
    while (rj_request_poll_subscription(add_subscription, &world->subscription, &err) == 0)
        turn(world);
    while (rj_request_poll_publication(add_publication, &world->publication, &err) == 0)
        turn(world);
    cr_assert_not_null(world->subscription);
    cr_assert_not_null(world->publication);
}

static void close_world(world_t *world)
{
    for (int i = 0; i < 2; i++) {
        rj_client_close(world->clients[i]);
        rj_media_driver_close(world->drivers[i]);
    }
}

Test(media_driver, is_turned_by_its_program_on_the_programs_own_clock)
{
    world_t world;
    tally_t tally = {.next = 0};
    open_world(&world);
    for (int64_t sent = 0; tally.next < MESSAGES;) {
        if (sent < MESSAGES && rj_publication_offer(world.publication, &sent, sizeof(sent)) > 0)
            sent++;
        turn(&world);
        rj_subscription_poll(world.subscription, on_message, &tally, 100);
    }
    cr_expect_not(tally.is_wrong);
    close_world(&world);
}

/* Nothing here takes 20 s of anybody's time: the clients' liveness is over when the clock says so.
 */
Test(media_driver, gives_up_clients_by_the_programs_clock)
{
    world_t world;
    open_world(&world);
    rj_client_t *silent = world.clients[0];
    world.clients[0] = NULL;
    const int64_t until_ns = virtual_ns + 20 * INT64_C(1000000000);
    while (virtual_ns < until_ns) {
        virtual_ns += 100 * INT64_C(1000000);
        turn(&world);
    }
    rj_client_conductor_do_work(silent, virtual_ns, virtual_epoch_ms());
    cr_expect(rj_client_is_closed(silent));
    cr_expect_not(rj_client_is_closed(world.clients[1]));
    rj_client_close(silent);
    close_world(&world);
}

Test(media_driver, names_the_time_of_its_next_own_work)
{
    world_t world;
    open_world(&world);
    turn(&world);
    const int64_t deadline_ns = rj_media_driver_deadline_ns(world.drivers[0]);
    cr_expect_leq(deadline_ns, virtual_ns + 10 * INT64_C(1000000));
    close_world(&world);
}
