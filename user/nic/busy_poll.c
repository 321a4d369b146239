/* SPDX-License-Identifier: Apache-2.0 */
#include "nic/busy_poll.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* An interrupt is armed again only after so many empty polls, and after so many nanoseconds in
 * which nobody has polled: a driver that stands still must not lose its packets for longer. */
static const struct {
    const char *name;
    int64_t value;
} knobs[RJ_BUSY_POLL_KNOB_COUNT] = {{"napi_defer_hard_irqs", 2}, {"gro_flush_timeout", 200000}};

static int raise(rj_irq_deferral_t *deferral, rj_nic_undo_t *undo, int index)
{
    rj_nic_t *nic = deferral->nic;
    int64_t *before = &deferral->before[index];
    int result = nic->ops->get_knob(nic, knobs[index].name, before);
    if (result < 0 || *before >= knobs[index].value)
        return result;
    result = rj_nic_undo_note(undo, "knob %s %" PRId64, knobs[index].name, *before);
    if (result == 0)
        result = nic->ops->set_knob(nic, knobs[index].name, knobs[index].value);
    deferral->is_changed[index] = result == 0;
    return result;
}

int rj_irq_deferral_open(rj_irq_deferral_t *deferral, rj_nic_t *nic, rj_nic_undo_t *undo,
                         rj_err_t *err)
{
    *deferral = (rj_irq_deferral_t){.nic = nic};
    for (int i = 0; i < RJ_BUSY_POLL_KNOB_COUNT; i++) {
        const int result = raise(deferral, undo, i);
        if (result == 0)
            continue;
        rj_irq_deferral_close(deferral);
        if (result == -ENOENT)
            return rj_fail(err, -EOPNOTSUPP, "this kernel has no %s (Linux 5.11)", knobs[i].name);
        return rj_fail(err, result, "%s cannot be set: %s", knobs[i].name, strerror(-result));
    }
    return 0;
}

static void put_back(rj_nic_t *nic, int index, int64_t before)
{
    int64_t now;
    if (nic->ops->get_knob(nic, knobs[index].name, &now) == 0 && now == knobs[index].value)
        (void)nic->ops->set_knob(nic, knobs[index].name, before);
}

void rj_irq_deferral_close(rj_irq_deferral_t *deferral)
{
    for (int i = 0; i < RJ_BUSY_POLL_KNOB_COUNT; i++) {
        if (deferral->is_changed[i])
            put_back(deferral->nic, i, deferral->before[i]);
        deferral->is_changed[i] = false;
    }
}

void rj_irq_deferral_undo_line(rj_nic_t *nic, const char *line)
{
    char name[32];
    int64_t before;
    if (sscanf(line, "knob %31s %" SCNd64, name, &before) != 2)
        return;
    for (int i = 0; i < RJ_BUSY_POLL_KNOB_COUNT; i++) {
        if (strcmp(name, knobs[i].name) == 0)
            put_back(nic, i, before);
    }
}
