/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/driver_loss.h"

#include <stdio.h>
#include <string.h>

#include "ramjet/command.h"

static int count_kind(rj_driver_loss_t *self, rj_counters_t *counters, int32_t kind,
                      int64_t epoch_ms, rj_err_t *err)
{
    static const char *const names[RJ_INTERCEPTOR_KINDS] = {
        [RJ_INTERCEPTOR_LOSS] = "loss",
        [RJ_INTERCEPTOR_FIXED_LOSS] = "fixed-loss",
        [RJ_INTERCEPTOR_MULTI_GAP_LOSS] = "multi-gap-loss"};
    char label[64];
    snprintf(label, sizeof(label), "ramjet filter %s: datagrams lost", names[kind]);
    const rj_counter_spec_t spec = {.type_id = RJ_COUNTER_TYPE_RAMJET_LOST + kind,
                                    .key = &kind,
                                    .key_length = sizeof(kind),
                                    .label = label,
                                    .label_length = strlen(label)};
    int32_t id;
    const int result = rj_counters_allocate(counters, &spec, epoch_ms, &id, err);
    if (result == 0)
        self->counters.lost[kind] = rj_counters_value(counters, id);
    return result;
}

int rj_driver_loss_open(rj_driver_loss_t *self, const rj_driver_config_t *config,
                        rj_counters_t *counters, int64_t epoch_ms, rj_err_t *err)
{
    *self = (rj_driver_loss_t){.counters = {{NULL}}};
    int result = rj_filter_config_read(&self->config, config, err);
    for (int32_t i = 0; result == 0 && i < self->config.list.count; i++) {
        const int32_t kind = self->config.list.kinds[i];
        if (self->counters.lost[kind] == NULL) /* one may be named twice */
            result = count_kind(self, counters, kind, epoch_ms, err);
    }
    return result;
}

int rj_driver_loss_filter(const rj_driver_loss_t *self, uint64_t seed, int index,
                          rj_interceptor_t **ret_interceptor, rj_err_t *err)
{
    *ret_interceptor = NULL;
    if (self->config.list.count == 0)
        return 0;
    return rj_interceptor_open(ret_interceptor, &self->config, &self->counters, seed, index, err);
}
