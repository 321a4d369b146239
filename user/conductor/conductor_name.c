/* SPDX-License-Identifier: Apache-2.0 */
#include "conductor/conductor_name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "conductor/conductor_endpoint.h"

/* --- who is followed --- */

/* A resolver that replaces texts may have another one for a literal, too. */
static bool may_change(const rj_conductor_t *conductor, const rj_followed_name_t *name)
{
    rj_host_port_t host_port;
    return conductor->params.helper->params.resolver->ops->lookup != NULL ||
           rj_host_port_parse(&host_port, name->text, strlen(name->text), NULL) < 0 ||
           !host_port.is_literal;
}

void rj_conductor_follow_name(rj_conductor_t *conductor, rj_followed_name_t *name)
{
    if (conductor->config->reresolution_interval_ns == 0 || !may_change(conductor, name)) {
        name->param = NULL;
        return;
    }
    if (conductor->names == NULL)
        conductor->names_due_ns = conductor->now_ns + conductor->config->reresolution_interval_ns;
    name->asked_ns = INT64_MIN;
    DL_APPEND(conductor->names, name);
}

void rj_conductor_unfollow_name(rj_conductor_t *conductor, rj_followed_name_t *name)
{
    if (name->param == NULL)
        return;
    if (name->question != NULL)
        name->question->name = NULL;
    name->question = NULL;
    name->param = NULL;
    DL_DELETE(conductor->names, name);
}

/* --- questions --- */

/* Relaxed: nothing else is read by it, and a moment more or less is no matter. */
static bool is_due(const rj_conductor_t *conductor, const rj_followed_name_t *name)
{
    const int64_t silent_ns = conductor->now_ns - rj_load_relaxed_i64(name->last_activity_ns);
    return name->question == NULL && silent_ns > RJ_NAME_SILENCE_NS &&
           (name->asked_ns == INT64_MIN || conductor->now_ns - name->asked_ns > name->repeat_ns);
}

static void ask(rj_conductor_t *conductor, rj_followed_name_t *name)
{
    rj_name_question_t *question = calloc(1, sizeof(*question));
    if (question == NULL)
        return; /* asked at the next check */
    question->name = name;
    question->task.type = RJ_TASK_RESOLVE_NAME;
    question->task.param = name->param;
    question->task.reason = RJ_RESOLVE_AGAIN;
    snprintf(question->task.text, sizeof(question->task.text), "%s", name->text);
    if (!rj_helper_give(conductor->params.helper, &question->task)) {
        free(question);
        return;
    }
    name->question = question;
    name->asked_ns = conductor->now_ns;
    conductor->question = question;
}

/* Each is looked at once a check, however many turns that takes, and in its turn: whose it was goes
 * to the end. */
static int look(rj_conductor_t *conductor)
{
    int work = 0;
    while (conductor->names_left > 0 && conductor->names != NULL && conductor->question == NULL) {
        rj_followed_name_t *name = conductor->names;
        DL_DELETE(conductor->names, name);
        DL_APPEND(conductor->names, name);
        conductor->names_left--;
        if (is_due(conductor, name)) {
            ask(conductor, name);
            work++;
        }
    }
    return work;
}

static void take_answer(rj_conductor_t *conductor, rj_name_question_t *question)
{
    rj_followed_name_t *name = question->name;
    const rj_task_t *task = &question->task;
    if (name != NULL)
        name->question = NULL;
    if (rj_task_state(task) == RJ_TASK_FAILED)
        rj_conductor_report(conductor, rj_reply_error_code(&task->err), "%s", task->err.text);
    else if (name != NULL && !rj_address_equal(&task->address, &name->address))
        name->on_change(conductor, name->owner, &task->address);
}

static int poll_answer(rj_conductor_t *conductor)
{
    rj_name_question_t *question = conductor->question;
    if (question == NULL || rj_task_state(&question->task) == RJ_TASK_PENDING)
        return 0;
    conductor->question = NULL;
    take_answer(conductor, question);
    free(question);
    return 1;
}

int rj_conductor_work_names(rj_conductor_t *conductor)
{
    int work = poll_answer(conductor);
    if (conductor->now_ns >= conductor->names_due_ns) {
        const rj_followed_name_t *name;
        DL_COUNT(conductor->names, name, conductor->names_left);
        conductor->names_due_ns = conductor->now_ns + conductor->config->reresolution_interval_ns;
    }
    work += look(conductor);
    return work;
}

int64_t rj_conductor_names_deadline_ns(const rj_conductor_t *conductor)
{
    return conductor->names == NULL ? INT64_MAX : conductor->names_due_ns;
}

void rj_conductor_free_question(rj_conductor_t *conductor)
{
    free(conductor->question);
    conductor->question = NULL;
}

/* --- send endpoints --- */

static void begin_move(rj_conductor_t *conductor, void *owner, const rj_address_t *address)
{
    rj_send_entry_t *send = owner;
    if (send->state != RJ_ENDPOINT_ACTIVE || send->moving_count > 0)
        return;
    const rj_engine_command_t detach = {.type = RJ_ENGINE_DETACH_SEND_ENDPOINT,
                                        .send_endpoint = &send->endpoint};
    send->next_peer = *address;
    rj_conductor_unsteer_send(conductor, send);
    send->moving_count = rj_conductor_tell_all(conductor, send->endpoint.base.home, &detach);
}

void rj_conductor_on_send_detached(rj_conductor_t *conductor, rj_send_entry_t *send)
{
    if (--send->moving_count > 0)
        return;
    const rj_engine_command_t move = {.type = RJ_ENGINE_MOVE_SEND_ENDPOINT,
                                      .send_endpoint = &send->endpoint,
                                      .address = send->next_peer};
    send->moving_count = 1;
    rj_conductor_tell(conductor, send->endpoint.base.home, &move);
}

static void note_move(rj_conductor_t *conductor, rj_send_entry_t *send, int result)
{
    if (result == 0) {
        send->name.address = send->next_peer;
        send->endpoint.channel.remote_data = send->next_peer;
        send->endpoint.channel.remote_control = send->next_peer;
        rj_system_counter_add(conductor->system, RJ_SYSTEM_RESOLUTION_CHANGES, 1);
        return;
    }
    char text[RJ_ADDRESS_TEXT_BYTES];
    rj_address_print(&send->next_peer, text);
    rj_conductor_report(conductor, RJ_ERROR_GENERIC,
                        "endpoint=%s is %s now, which cannot be had, and so the old address "
                        "stays: %s",
                        send->name.text, text, strerror(-result));
}

void rj_conductor_on_send_moved(rj_conductor_t *conductor, rj_send_entry_t *send, int result)
{
    const rj_engine_command_t attach = {.type = RJ_ENGINE_ATTACH_SEND_ENDPOINT,
                                        .send_endpoint = &send->endpoint};
    send->moving_count = 0;
    note_move(conductor, send, result);
    rj_conductor_tell_all(conductor, send->endpoint.base.home, &attach);
    rj_conductor_steer_send(conductor, send);
    rj_conductor_try_close_send(conductor, send);
}

void rj_conductor_follow_send(rj_conductor_t *conductor, rj_send_entry_t *send)
{
    const rj_channel_t *channel = &send->endpoint.channel;
    if (!channel->has_endpoint || rj_channel_is_group(channel) ||
        channel->control_mode == RJ_CONTROL_MODE_RESPONSE)
        return;
    send->name = (rj_followed_name_t){.param = "endpoint",
                                      .text = channel->endpoint_text,
                                      .last_activity_ns = &send->endpoint.last_sm_ns,
                                      .address = channel->remote_data,
                                      .on_change = begin_move,
                                      .owner = send};
    rj_conductor_follow_name(conductor, &send->name);
}
