/* SPDX-License-Identifier: Apache-2.0 */
/* From a SETUP to an image: whether there is to be one, and its log (commands.md 5.7). */
#include "conductor/conductor_receive.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/bits.h"
#include "conductor/conductor_flow.h"

static rj_subscription_entry_t *first_wanting(rj_conductor_t *conductor,
                                              const rj_receive_entry_t *receive,
                                              const rj_wire_setup_t *setup)
{
    rj_subscription_entry_t *subscription;
    DL_FOREACH(conductor->subscriptions, subscription)
    {
        if (subscription->receive == receive &&
            rj_conductor_subscription_wants(subscription, setup->stream_id, setup->session_id))
            return subscription;
    }
    return NULL;
}

/* The next SETUP of the session may try again. */
static void fail_setup(rj_conductor_t *conductor, rj_receive_entry_t *receive,
                       const rj_wire_setup_t *setup)
{
    rj_engine_command_t failed = {.type = RJ_ENGINE_IMAGE_FAILED,
                                  .receive_endpoint = &receive->endpoint,
                                  .stream_id = setup->stream_id,
                                  .session_id = setup->session_id};
    rj_conductor_tell(conductor, receive->endpoint.home, &failed);
}

static int32_t socket_rcvbuf(const rj_conductor_t *conductor, const rj_receive_entry_t *receive)
{
    return receive->rcvbuf_bytes != 0 ? receive->rcvbuf_bytes : conductor->rcvbuf_default_bytes;
}

/* As Aeron: what a URI says about images, and says wrong, surfaces here and not at the
 * subscription. */
static int check_image(const rj_conductor_t *conductor, const rj_receive_entry_t *receive,
                       const rj_subscription_entry_t *first, rj_err_t *err)
{
    const rj_uri_t *uri = &receive->endpoint.channel.uri;
    if (rj_conductor_choose_congestion(conductor, receive) == NULL)
        return rj_fail(err, -EINVAL, "image refused: unknown congestion control: %s", uri->text);
    if (conductor->image_count + conductor->creation_count >= RJ_ENGINE_IMAGES_MAX)
        return rj_fail(err, -ENOSPC, "image refused: more than %d images", RJ_ENGINE_IMAGES_MAX);
    if (first->params.nak_delay_ns == RJ_NAK_DELAY_INVALID)
        return rj_fail(err, -EINVAL, "image refused: could not parse nak-delay: %s",
                       first->channel);
    return 0;
}

/* What the sender announces must fit what this side can take (wire.md 11.5). */
static int check_setup(const rj_conductor_t *conductor, const rj_receive_entry_t *receive,
                       const rj_wire_setup_t *setup, rj_err_t *err)
{
    int32_t rcvbuf = socket_rcvbuf(conductor, receive);
    int32_t window = receive->params.receiver_window_bytes;
    if (setup->mtu > window)
        return rj_fail(err, -EINVAL,
                       "image refused: mtuLength=%" PRId32 " > initialWindowLength=%" PRId32
                       ": raise rcv-wnd on %s",
                       setup->mtu, window, receive->endpoint.channel.uri.text);
    if (window > rcvbuf || setup->mtu > rcvbuf)
        return rj_fail(err, -EINVAL,
                       "image refused: initialWindowLength=%" PRId32 " or mtuLength=%" PRId32
                       " > SO_RCVBUF=%" PRId32 ": raise so-rcvbuf on %s",
                       window, setup->mtu, rcvbuf, receive->endpoint.channel.uri.text);
    return 0;
}

static bool is_group(const rj_receive_entry_t *receive, const rj_subscription_params_t *params,
                     const rj_wire_setup_t *setup)
{
    if (params->group != RJ_INFERABLE_INFER)
        return params->group == RJ_INFERABLE_TRUE;
    return receive->endpoint.channel.is_multicast || (setup->flags & RJ_SETUP_FLAG_GROUP) != 0;
}

static void describe_log(const rj_conductor_t *conductor, const rj_image_creation_t *creation,
                         const rj_subscription_entry_t *subscription, rj_log_params_t *ret_log)
{
    const rj_wire_setup_t *setup = &creation->setup.frame;
    const rj_receive_entry_t *receive = creation->receive;
    const rj_subscription_params_t *params = &subscription->params;
    /* What readers are told of themselves is what the endpoint was made with; each acts by its own
     * URI all the same (commands.md 13.4). */
    const rj_subscription_params_t *creator = &receive->params;
    *ret_log =
        (rj_log_params_t){.correlation_id = creation->correlation_id,
                          .initial_term_id = setup->initial_term_id,
                          .start_term_id = setup->initial_term_id,
                          .term_length = setup->term_length,
                          .page_size = (int32_t)conductor->config->file_page_bytes,
                          .mtu_length = setup->mtu,
                          .session_id = setup->session_id,
                          .stream_id = setup->stream_id,
                          .receiver_window_length = (int32_t)rj_min_i64(
                              creator->receiver_window_bytes, setup->term_length / 2),
                          .socket_sndbuf_length = receive->endpoint.channel.sndbuf_bytes,
                          .socket_rcvbuf_length = receive->endpoint.channel.rcvbuf_bytes,
                          .os_default_socket_sndbuf_length = conductor->sndbuf_default_bytes,
                          .os_max_socket_sndbuf_length = conductor->sndbuf_max_bytes,
                          .os_default_socket_rcvbuf_length = conductor->rcvbuf_default_bytes,
                          .os_max_socket_rcvbuf_length = conductor->rcvbuf_max_bytes,
                          .untethered_window_limit_timeout_ns = creator->untethered.window_limit_ns,
                          .untethered_linger_timeout_ns = creator->untethered.linger_ns,
                          .untethered_resting_timeout_ns = creator->untethered.resting_ns,
                          .group = is_group(receive, params, setup),
                          .is_response = creator->is_response,
                          .rejoin = creator->is_rejoin,
                          .reliable = params->is_reliable,
                          .sparse = params->is_sparse,
                          .tether = creator->is_tether,
                          .type = RJ_LOG_TYPE_IMAGE};
}

static rj_image_creation_t *free_creation(rj_conductor_t *conductor)
{
    for (int i = 0; i < RJ_IMAGE_CREATIONS_MAX; i++) {
        if (conductor->creations[i].task == NULL)
            return &conductor->creations[i];
    }
    return NULL;
}

static bool start_creation(rj_conductor_t *conductor, rj_receive_entry_t *receive,
                           const rj_engine_setup_t *setup,
                           const rj_subscription_entry_t *subscription)
{
    rj_image_creation_t *creation = free_creation(conductor);
    rj_task_t *task = calloc(1, sizeof(*task));
    rj_log_t *log = calloc(1, sizeof(*log));
    if (creation == NULL || task == NULL || log == NULL) {
        free(task);
        free(log);
        return false;
    }
    *creation = (rj_image_creation_t){.task = task,
                                      .receive = receive,
                                      .setup = *setup,
                                      .correlation_id =
                                          rj_ring_mpsc_next_correlation_id(&conductor->to_driver)};
    task->type = RJ_TASK_MAP_LOG;
    task->log = log;
    describe_log(conductor, creation, subscription, &task->log_params);
    if (rj_dir_image_path(task->path, sizeof(task->path), conductor->config->dir,
                          creation->correlation_id) < 0 ||
        !rj_helper_give(conductor->params.helper, task)) {
        free(task);
        free(log);
        creation->task = NULL;
        return false;
    }
    receive->creation_count++;
    conductor->creation_count++;
    return true;
}

void rj_conductor_on_setup(rj_conductor_t *conductor, const rj_engine_event_t *event)
{
    rj_receive_entry_t *receive = (rj_receive_entry_t *)event->receive_endpoint;
    const rj_wire_setup_t *setup = &event->setup.frame;
    /* An endpoint that is on its way out must not be named to the engine again. */
    if (receive->state != RJ_ENDPOINT_ACTIVE)
        return;
    rj_err_t err = {0};
    const rj_subscription_entry_t *first = first_wanting(conductor, receive, setup);
    int result = check_setup(conductor, receive, setup, &err);
    if (result == 0 && first != NULL)
        result = check_image(conductor, receive, first, &err);
    if (result < 0)
        rj_conductor_report(conductor, RJ_ERROR_GENERIC, "%s", err.text);
    else if (first != NULL && start_creation(conductor, receive, &event->setup, first))
        return;
    fail_setup(conductor, receive, setup);
}

/* The log is there. Whoever wanted the stream may have left meanwhile, and so may the destination
 * by which it came: another's SETUP may make the image then. */
static int create(rj_conductor_t *conductor, const rj_image_creation_t *creation, rj_err_t *err)
{
    const rj_subscription_entry_t *first =
        first_wanting(conductor, creation->receive, &creation->setup.frame);
    const rj_receive_destination_entry_t *destination =
        rj_conductor_find_receive_destination(creation->receive, creation->setup.destination_id);
    if (first == NULL || destination == NULL)
        return -ENOENT;
    return rj_conductor_make_image(conductor, creation, first, err);
}

static void end_creation(rj_conductor_t *conductor, rj_image_creation_t *creation)
{
    rj_receive_entry_t *receive = creation->receive;
    rj_task_t *task = creation->task;
    rj_err_t err = {0};
    int result;
    if (rj_task_state(task) == RJ_TASK_FAILED) {
        err = task->err;
        result = err.code;
        free(task->log);
    } else {
        rj_conductor_note_storage(conductor, task);
        result = create(conductor, creation, &err);
        if (result < 0)
            rj_conductor_free_log(conductor, task->log, task->path);
    }
    if (result < 0) {
        if (err.code != 0)
            rj_conductor_report(conductor, rj_reply_error_code(&err), "image not made: %s",
                                err.text);
        fail_setup(conductor, receive, &creation->setup.frame);
    }
    free(task);
    creation->task = NULL;
    conductor->creation_count--;
    receive->creation_count--;
    rj_conductor_try_close_receive(conductor, receive);
}

int rj_conductor_step_creations(rj_conductor_t *conductor)
{
    int work = 0;
    for (int i = 0; conductor->creation_count > 0 && i < RJ_IMAGE_CREATIONS_MAX; i++) {
        rj_image_creation_t *creation = &conductor->creations[i];
        if (creation->task == NULL || rj_task_state(creation->task) == RJ_TASK_PENDING)
            continue;
        end_creation(conductor, creation);
        work++;
    }
    return work;
}

void rj_conductor_free_creations(rj_conductor_t *conductor)
{
    for (int i = 0; i < RJ_IMAGE_CREATIONS_MAX; i++) {
        rj_task_t *task = conductor->creations[i].task;
        if (task == NULL)
            continue;
        if (rj_task_state(task) == RJ_TASK_DONE)
            rj_conductor_free_log(conductor, task->log, task->path);
        else
            free(task->log);
        free(task);
        conductor->creations[i].task = NULL;
    }
}
