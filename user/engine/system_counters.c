/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/system_counters.h"

#include <ramjet/version.h>

#include <stdio.h>
#include <string.h>

#include "base/quantity.h"

enum { SUFFIX_MAX = 160 };

static const char version_text[] = RJ_AERON_VERSION_TEXT " commit=ramjet";

/* What follows the fixed part of a label (commands.md 14.4). */
static void print_suffix(char suffix[static SUFFIX_MAX], int id,
                         const rj_system_counter_labels_t *labels)
{
    char duration[RJ_QUANTITY_TEXT_MAX];
    suffix[0] = '\0';
    switch (id) {
    case RJ_SYSTEM_ERRORS:
        snprintf(suffix, SUFFIX_MAX, "%s", version_text);
        return;
    case RJ_SYSTEM_AERON_VERSION:
        /* Aeron's tools print what stands behind the commit without a second look. */
        snprintf(suffix, SUFFIX_MAX, "%s ramjet %s", version_text, RJ_VERSION_TEXT);
        return;
    case RJ_SYSTEM_RESOLUTION_CHANGES:
        snprintf(suffix, SUFFIX_MAX, "%s", labels->resolver_name);
        return;
    case RJ_SYSTEM_CONDUCTOR_MAX_CYCLE_TIME:
    case RJ_SYSTEM_SENDER_MAX_CYCLE_TIME:
    case RJ_SYSTEM_RECEIVER_MAX_CYCLE_TIME:
        snprintf(suffix, SUFFIX_MAX, "%s", labels->threading_mode);
        return;
    case RJ_SYSTEM_CONDUCTOR_CYCLE_TIME_EXCEEDED:
        rj_print_duration(duration, labels->conductor_threshold_ns);
        break;
    case RJ_SYSTEM_SENDER_CYCLE_TIME_EXCEEDED:
        rj_print_duration(duration, labels->sender_threshold_ns);
        break;
    case RJ_SYSTEM_RECEIVER_CYCLE_TIME_EXCEEDED:
        rj_print_duration(duration, labels->receiver_threshold_ns);
        break;
    case RJ_SYSTEM_NAME_RESOLVER_TIME_EXCEEDED:
        rj_print_duration(duration, labels->resolver_threshold_ns);
        snprintf(suffix, SUFFIX_MAX, "%s", duration);
        return;
    default:
        return;
    }
    snprintf(suffix, SUFFIX_MAX, "%s %s", duration, labels->threading_mode);
}

static int64_t initial_value(int id)
{
    return id == RJ_SYSTEM_AERON_VERSION              ? RJ_AERON_VERSION
           : id == RJ_SYSTEM_CONTROL_PROTOCOL_VERSION ? RJ_CONTROL_PROTOCOL_VERSION
                                                      : 0;
}

int rj_system_counters_allocate(rj_system_counters_t *system, rj_counters_t *counters,
                                const rj_system_counter_labels_t *labels, int64_t epoch_ms,
                                rj_err_t *err)
{
    for (int32_t i = 0; i < RJ_SYSTEM_COUNTER_COUNT; i++) {
        char suffix[SUFFIX_MAX];
        char label[RJ_COUNTER_LABEL_BYTES_MAX + 1];
        print_suffix(suffix, i, labels);
        int length = snprintf(label, sizeof(label), "%s%s",
                              rj_system_counter_label((rj_system_counter_t)i), suffix);
        rj_counter_spec_t spec = {.type_id = RJ_COUNTER_TYPE_SYSTEM,
                                  .key = &i,
                                  .key_length = sizeof(i),
                                  .label = label,
                                  .label_length = (size_t)length,
                                  .registration_id = i,
                                  .owner_id = -1,
                                  .initial_value = initial_value(i)};
        int32_t id;
        int result = rj_counters_allocate(counters, &spec, epoch_ms, &id, err);
        if (result < 0)
            return result;
        system->values[i] = rj_counters_value(counters, id);
    }
    return 0;
}
