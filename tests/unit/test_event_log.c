/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/event_log.h"

#include <ramjet/command.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver/event_code.h"
#include "driver/event_text.h"
#include "shm/dir.h"

static char directory[64];
static rj_driver_config_t config;

static void prepare(void)
{
    rj_err_t err;
    snprintf(directory, sizeof(directory), "/dev/shm/rj-events-%d", (int)getpid());
    cr_assert_eq(rj_dir_make(directory, &err), 0);
    snprintf(config.event_log, sizeof(config.event_log), "admin");
    snprintf(config.event_log_file, sizeof(config.event_log_file), "%s/log", directory);
    config.event_log_file_bytes_max = INT64_MAX;
}

static void clean_up(void)
{
    rj_err_t err;
    cr_expect_eq(rj_dir_remove_tree(directory, &err), 0);
}

TestSuite(event_log, .init = prepare, .fini = clean_up);

static rj_event_log_t *open_log(void)
{
    rj_event_log_t *log;
    rj_err_t err;
    cr_assert_eq(rj_event_log_open(&log, &config, 1500000000, 1700000000123, &err), 0, "%s",
                 err.text);
    return log;
}

static char *read_log(const char *suffix)
{
    char path[600];
    static char text[1 << 20];
    snprintf(path, sizeof(path), "%s%s", config.event_log_file, suffix);
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file, "%s", path);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void note_publication(rj_event_log_t *log, const char *channel, int32_t claimed_length)
{
    uint8_t body[256];
    const rj_command_publication_t command = {
        .header = {7, 8}, .stream_id = 1001, .channel_length = claimed_length};
    memcpy(body, &command, sizeof(command));
    memcpy(body + sizeof(command), channel, strlen(channel));
    rj_event_log_note(log, RJ_COMMAND_ADD_PUBLICATION, body,
                      (int32_t)(sizeof(command) + strlen(channel)));
}

static void note_success(rj_event_log_t *log)
{
    const rj_event_operation_success_t success = {.correlation_id = 8};
    rj_event_log_note(log, RJ_EVENT_OPERATION_SUCCESS, &success, sizeof(success));
}

/* --- which events --- */

static uint64_t parse(const char *enable, const char *disable, const char *said)
{
    char *words = NULL;
    size_t length;
    FILE *warnings = open_memstream(&words, &length);
    const uint64_t codes = rj_event_codes_parse(enable, disable, warnings);
    fclose(warnings);
    cr_expect_str_eq(words, said, "%s less %s: %s", enable, disable, words);
    free(words);
    return codes;
}

static uint64_t bit(int32_t type)
{
    return UINT64_C(1) << rj_event_code_of(type);
}

Test(event_log, knows_names_lists_and_masks_of_the_reference)
{
    const uint64_t in = bit(RJ_COMMAND_ADD_PUBLICATION);
    const uint64_t out = bit(RJ_EVENT_ERROR);
    cr_expect_eq(parse("", "", ""), 0);
    cr_expect_eq(parse("admin", "", "") & (in | out), in | out);
    cr_expect_eq(parse("all", "", ""), parse("admin", "", ""));
    cr_expect_eq(parse("0x1", "", "") & (in | out), in);
    cr_expect_eq(parse("0x2", "", "") & (in | out), out);
    cr_expect_eq(parse("0xffff", "", ""), parse("all", "", ""));
    cr_expect_eq(parse("0x4", "", ""), 0);
    cr_expect_eq(parse("CMD_IN_ADD_PUBLICATION,,CMD_OUT_ERROR", "CMD_OUT_ERROR", ""), in);
    cr_expect_eq(parse("admin", "all", ""), 0);
}

Test(event_log, tells_of_names_that_are_none_and_of_those_it_does_not_record)
{
    cr_expect_eq(parse("bogus,CMD_OUT_ERROR", "worse",
                       "unknown event code: 'bogus'\nunknown event code: 'worse'\n"),
                 bit(RJ_EVENT_ERROR));
    parse("FRAME_IN", "", "WARNING: event FRAME_IN is not recorded by this driver\n");
    parse("CMD_IN", "", "unknown event code: 'CMD_IN'\n");
}

/* --- lines --- */

Test(event_log, writes_what_was_noted_as_the_reference_does)
{
    rj_event_log_t *log = open_log();
    rj_event_log_set_time(log, 26553058974458, 1700000000123);
    note_publication(log, "aeron:ipc", 9);
    note_success(log);
    while (rj_event_log_do_work(log) > 0)
        continue;
    const char *text = read_log("");
    cr_expect_eq(strncmp(text, "[1.500000000] log started ", 26), 0, "%s", text);
    cr_expect_not_null(strstr(text, "enabled loggers: {DRIVER: version="));
    cr_expect_not_null(strstr(text,
                              "\n[26553.058974458] DRIVER: CMD_IN_ADD_PUBLICATION [49/49]: "
                              "streamId=1001 clientId=7 correlationId=8 channel=aeron:ipc\n"
                              "[26553.058974458] DRIVER: CMD_OUT_ON_OPERATION_SUCCESS [24/24]: "
                              "correlationId=8\n"),
                       "%s", text);
    rj_event_log_close(log);
}

Test(event_log, believes_no_length_that_a_client_claims)
{
    rj_event_log_t *log = open_log();
    note_publication(log, "aer\non\x01", INT32_MAX);
    note_publication(log, "aeron:ipc", -1);
    rj_event_log_note(log, RJ_COMMAND_REMOVE_SUBSCRIPTION, "x", 1);
    rj_event_log_close(log);
    const char *text = read_log("");
    cr_expect_not_null(strstr(text, "channel=aer?on?\n"), "%s", text);
    cr_expect_not_null(strstr(text, "channel=\n"));
    cr_expect_not_null(strstr(text, "CMD_IN_REMOVE_SUBSCRIPTION [17/17]: too short\n"));
}

Test(event_log, records_only_what_was_asked_for)
{
    snprintf(config.event_log, sizeof(config.event_log), "CMD_OUT_ON_OPERATION_SUCCESS");
    rj_event_log_t *log = open_log();
    note_publication(log, "aeron:ipc", 9);
    note_success(log);
    rj_event_log_note(log, 0x7777, "x", 1);
    rj_event_log_close(log);
    const char *text = read_log("");
    cr_expect_null(strstr(text, "CMD_IN_ADD_PUBLICATION"));
    cr_expect_not_null(strstr(text, "CMD_OUT_ON_OPERATION_SUCCESS"));
}

Test(event_log, is_not_there_when_nothing_is_asked_for)
{
    config.event_log[0] = '\0';
    rj_event_log_t *log = open_log();
    cr_expect_null(log);
    rj_event_log_set_time(log, 1, 1);
    cr_expect_eq(rj_event_log_do_work(log), 0);
    rj_event_log_close(log);
    cr_expect_neq(access(config.event_log_file, F_OK), 0);
}

Test(event_log, begins_a_new_file_when_one_is_full)
{
    config.event_log_file_bytes_max = 300;
    rj_event_log_t *log = open_log();
    for (int i = 0; i < 4; i++)
        note_publication(log, "aeron:ipc", 9);
    rj_event_log_close(log);
    const char *first = read_log(".1");
    cr_expect_not_null(strstr(first, "CMD_IN_ADD_PUBLICATION"));
    cr_expect_geq(strlen(first), 300);
    const char *last = read_log("");
    cr_expect_eq(strncmp(last, "[0.000000000] log started ", 26), 0, "%s", last);
}

Test(event_log, says_how_many_events_it_had_no_room_for)
{
    rj_event_log_t *log = open_log();
    for (int i = 0; i < 5000; i++)
        note_success(log);
    rj_event_log_close(log);
    cr_expect_not_null(strstr(read_log(""), "\nDRIVER: 904 events are missing here\n"));
}

Test(event_log, refuses_a_file_that_it_cannot_write)
{
    rj_err_t err;
    snprintf(config.event_log_file, sizeof(config.event_log_file), "%s/none/log", directory);
    cr_expect_eq(rj_event_log_check(&config, NULL, &err), -ENOENT);
    cr_expect_not_null(strstr(err.text, "could not open log file"), "%s", err.text);
    config.event_log[0] = '\0';
    cr_expect_eq(rj_event_log_check(&config, NULL, &err), 0);
}

/* Each type of message has a printer: what it prints of an empty one is that it is too short. */
Test(event_log, prints_every_type_that_it_records)
{
    const uint64_t all = rj_event_codes_parse("all", "", NULL);
    int count = 0;
    for (int32_t type = 1; type < 0x1000; type++) {
        char text[128];
        if ((all >> rj_event_code_of(type) & 1) == 0 || rj_event_code_of(type) == 0)
            continue;
        rj_event_text(text, sizeof(text), type, (const uint8_t *)"", 0, 0);
        cr_expect_str_eq(text, "too short", "type %x: %s", type, text);
        count++;
    }
    cr_expect_eq(count, __builtin_popcountll(all));
}
