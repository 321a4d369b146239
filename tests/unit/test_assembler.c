/* SPDX-License-Identifier: Apache-2.0 */
#include <ramjet/ramjet.h>
#include <ramjet/wire.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static char got[512]; /* messages, each in brackets */
static rj_action_t answer;

static void on_message(void *user, const uint8_t *message, size_t length, const rj_header_t *header)
{
    (void)user;
    (void)header;
    size_t used = strlen(got);
    snprintf(got + used, sizeof(got) - used, "[%.*s]", (int)length, (const char *)message);
}

static rj_action_t on_controlled(void *user, const uint8_t *message, size_t length,
                                 const rj_header_t *header)
{
    on_message(user, message, length, header);
    return answer;
}

static rj_assembler_t *assembler;

static void open_assembler(void)
{
    cr_assert_eq(rj_assembler_open(&assembler, on_message, on_controlled, NULL, 0, NULL), 0);
}

static void close_assembler(void)
{
    rj_assembler_close(assembler);
}

TestSuite(assembler, .init = open_assembler, .fini = close_assembler);

/* Gives one fragment of a session; returns the offset behind it. */
static int32_t give(int32_t session_id, int32_t offset, uint8_t flags, const char *text)
{
    uint8_t frame[256] = {0};
    rj_wire_data_t header = {
        .frame_length = RJ_DATA_HEADER_BYTES + (int32_t)strlen(text),
        .flags = flags,
        .type = RJ_FRAME_TYPE_DATA,
        .term_offset = offset,
        .session_id = session_id,
    };
    memcpy(frame, &header, sizeof(header));
    memcpy(frame + sizeof(header), text, strlen(text));
    const rj_header_t seen = {.frame = frame};
    rj_assembler_on_fragment(assembler, frame + sizeof(header), strlen(text), &seen);
    return offset + (header.frame_length + 31) / 32 * 32;
}

static rj_action_t give_controlled(int32_t offset, uint8_t flags, const char *text)
{
    uint8_t frame[256] = {0};
    rj_wire_data_t header = {
        .frame_length = RJ_DATA_HEADER_BYTES + (int32_t)strlen(text),
        .flags = flags,
        .type = RJ_FRAME_TYPE_DATA,
        .term_offset = offset,
    };
    memcpy(frame, &header, sizeof(header));
    memcpy(frame + sizeof(header), text, strlen(text));
    const rj_header_t seen = {.frame = frame};
    return rj_assembler_on_controlled_fragment(assembler, frame + sizeof(header), strlen(text),
                                               &seen);
}

Test(assembler, passes_whole_messages_on_and_puts_fragments_together)
{
    int32_t at = give(1, 0, RJ_FRAGMENT_WHOLE, "whole");
    at = give(1, at, RJ_FRAGMENT_BEGIN, "be");
    at = give(1, at, 0, "twe");
    cr_assert_str_eq(got, "[whole]");
    at = give(1, at, RJ_FRAGMENT_END, "en");
    give(1, at, RJ_FRAGMENT_WHOLE, "");
    cr_assert_str_eq(got, "[whole][between][]");
    cr_assert_eq(rj_assembler_dropped_count(assembler), 0);
}

Test(assembler, keeps_sessions_apart)
{
    int32_t at[40];
    for (int32_t session = 0; session < 40; session++)
        at[session] = give(session, 0, RJ_FRAGMENT_BEGIN, "a");
    for (int32_t session = 39; session >= 0; session--) {
        char text[16];
        snprintf(text, sizeof(text), "%d", session);
        got[0] = '\0';
        give(session, at[session], RJ_FRAGMENT_END, text);
        cr_assert_eq(got[1], 'a');
        cr_assert_eq(atoi(got + 2), session);
    }
}

Test(assembler, drops_a_message_that_lost_a_part)
{
    int32_t at = give(1, 0, RJ_FRAGMENT_BEGIN, "be");
    give(1, at + 32, RJ_FRAGMENT_END, "en");
    cr_assert_str_eq(got, "");
    give(1, 512, RJ_FRAGMENT_END, "no beginning");
    cr_assert_eq(rj_assembler_dropped_count(assembler), 2);
    at = give(1, 1024, RJ_FRAGMENT_BEGIN, "an");
    give(1, at, RJ_FRAGMENT_END, "ew");
    cr_assert_str_eq(got, "[anew]");
}

Test(assembler, drops_what_is_longer_than_allowed)
{
    rj_assembler_close(assembler);
    cr_assert_eq(rj_assembler_open(&assembler, on_message, NULL, NULL, 4100, NULL), 0);
    char text[101];
    memset(text, 'x', 100);
    text[100] = '\0';
    int32_t at = give(1, 0, RJ_FRAGMENT_BEGIN, text);
    for (int i = 0; i < 40; i++)
        at = give(1, at, 0, text);
    cr_assert_eq(rj_assembler_dropped_count(assembler), 0);
    at = give(1, at, 0, "x");
    give(1, at, RJ_FRAGMENT_END, "x");
    cr_assert_str_eq(got, "");
    cr_assert_eq(rj_assembler_dropped_count(assembler), 2);
}

Test(assembler, forgets_a_session)
{
    int32_t at = give(1, 0, RJ_FRAGMENT_BEGIN, "be");
    rj_assembler_forget(assembler, 1);
    rj_assembler_forget(assembler, 2);
    give(1, at, RJ_FRAGMENT_END, "en");
    cr_assert_str_eq(got, "");
}

Test(assembler, gives_a_message_again_whose_last_fragment_was_aborted)
{
    answer = RJ_ACTION_ABORT;
    cr_assert_eq(give_controlled(0, RJ_FRAGMENT_BEGIN, "be"), RJ_ACTION_CONTINUE);
    cr_assert_eq(give_controlled(64, RJ_FRAGMENT_END, "en"), RJ_ACTION_ABORT);
    answer = RJ_ACTION_COMMIT;
    cr_assert_eq(give_controlled(64, RJ_FRAGMENT_END, "en"), RJ_ACTION_COMMIT);
    cr_assert_eq(give_controlled(64, RJ_FRAGMENT_END, "en"), RJ_ACTION_CONTINUE);
    cr_assert_str_eq(got, "[been][been]");
    cr_assert_eq(rj_assembler_dropped_count(assembler), 1);
}

Test(assembler, wants_a_handler)
{
    rj_assembler_t *none = NULL;
    cr_assert_eq(rj_assembler_open(&none, NULL, NULL, NULL, 0, NULL), -EINVAL);
}
