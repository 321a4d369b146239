/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/ring_nic.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 3, 4))) static void tell(const rj_ring_nic_t *nic, bool is_lack,
                                                       const char *format, ...)
{
    char text[RJ_ERR_TEXT_MAX];
    va_list args;
    const int length = snprintf(text, sizeof(text), "%s: ", nic->params.interface);
    va_start(args, format);
    vsnprintf(text + length, sizeof(text) - (size_t)length, format, args);
    va_end(args);
    nic->params.tell(nic->params.tell_state, is_lack, text);
}

static void undo_line(void *state, const char *line)
{
    rj_flow_rules_undo_line(state, line);
    rj_irq_deferral_undo_line(state, line);
}

/* Changes need a place where they are noted; false: told. */
static bool has_undo(rj_ring_nic_t *nic)
{
    rj_err_t err;
    if (nic->undo.fd >= 0)
        return true;
    if (rj_nic_undo_open(&nic->undo, nic->params.undo_folder, nic->params.interface, &err) == 0)
        return true;
    nic->params.tell(nic->params.tell_state, true, err.text);
    return false;
}

/* --- busy polling --- */

static void open_deferral(rj_ring_nic_t *nic)
{
    rj_err_t err;
    if (has_undo(nic) &&
        rj_irq_deferral_open(&nic->deferral, nic->params.nic, &nic->undo, &err) < 0)
        tell(nic, true, "busy polling, but with the card's interrupts as they are: %s", err.text);
}

/* --- rules --- */

/* A card without rules, where they were asked for, hashes over our queues at least. */
static void open_spread(rj_ring_nic_t *nic, int why)
{
    const rj_ring_nic_params_t *params = &nic->params;
    if (params->queue_count >= params->queues_of_card) {
        tell(nic, true,
             "its card has no flow rules (%s): its hash chooses queues, and engines forward to "
             "each other",
             strerror(-why));
        return;
    }
    const int result = !has_undo(nic) ? -EROFS
                                      : rj_flow_rules_spread(&nic->rules, params->queue_first,
                                                             params->queue_count);
    if (result == 0)
        tell(nic, false, "no flow rules (%s): its hash is limited to queues %" PRIu32 "-%" PRIu32,
             strerror(-why), params->queue_first, params->queue_first + params->queue_count - 1);
    else
        tell(nic, true,
             "neither flow rules (%s) nor a table of its hash (%s): what comes by queues without "
             "an engine takes the sockets",
             strerror(-why), strerror(-result));
}

static void open_rules(rj_ring_nic_t *nic)
{
    const int result = rj_flow_rules_open(&nic->rules, nic->params.nic, &nic->undo);
    if (result == 0) {
        nic->has_rules = has_undo(nic);
        if (nic->has_rules)
            tell(nic, false,
                 "flow rules of its card bring datagrams to the engine that serves them");
    } else if (nic->params.steer_queues == RJ_STEER_QUEUES_ON) {
        open_spread(nic, result);
    }
}

/* An engine whose queue is not to be had is reached by its neighbours. */
int rj_ring_nic_bring(void *state, const rj_address_t *to, int engine)
{
    rj_ring_nic_t *nic = state;
    if (!nic->has_rules)
        return 0;
    if (engine >= 0 && (uint32_t)engine < nic->params.queue_count)
        return rj_flow_rules_put(&nic->rules, to, nic->params.queue_first + (uint32_t)engine);
    rj_flow_rules_remove(&nic->rules, to);
    return 0;
}

/* --- open, close --- */

void rj_ring_nic_open(rj_ring_nic_t *nic, const rj_ring_nic_params_t *params)
{
    *nic = (rj_ring_nic_t){.params = *params, .undo.fd = -1};
    rj_nic_undo_sweep(params->undo_folder, params->interface, undo_line, params->nic);
    if (params->wants_busy_poll)
        open_deferral(nic);
    if (params->steer_queues != RJ_STEER_QUEUES_OFF)
        open_rules(nic);
}

void rj_ring_nic_close(rj_ring_nic_t *nic)
{
    if (nic->params.nic == NULL)
        return;
    rj_flow_rules_close(&nic->rules);
    rj_irq_deferral_close(&nic->deferral);
    rj_nic_undo_close(&nic->undo);
    nic->params.nic = NULL;
}
