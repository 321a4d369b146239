/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/segment_refusals.h"

static const int64_t remembered_ns = INT64_C(1000000000);

static uint32_t place_of(const rj_path_t *path)
{
    const uint64_t hash = rj_address_hash(&path->address) ^
                          (uint64_t)path->endpoint->id * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(hash >> 32) & (RJ_SEGMENT_REFUSALS_MAX - 1);
}

static bool is_of(const rj_segment_refusal_t *refusal, const rj_path_t *path)
{
    return refusal->endpoint_id == path->endpoint->id &&
           rj_address_equal(&refusal->address, &path->address);
}

void rj_segment_refusals_add(rj_segment_refusals_t *refusals, const rj_path_t *path,
                             uint32_t segment_bytes, int64_t now_ns)
{
    rj_segment_refusal_t *refusal = &refusals->places[place_of(path)];
    if (now_ns < refusal->until_ns && is_of(refusal, path) &&
        refusal->segment_bytes < segment_bytes)
        segment_bytes = refusal->segment_bytes;
    *refusal = (rj_segment_refusal_t){.endpoint_id = path->endpoint->id,
                                      .address = path->address,
                                      .segment_bytes = segment_bytes,
                                      .until_ns = now_ns + remembered_ns};
    refusals->last_until_ns = refusal->until_ns;
}

bool rj_segment_refusals_look(const rj_segment_refusals_t *refusals, const rj_path_t *path,
                              uint32_t segment_bytes, int64_t now_ns)
{
    const rj_segment_refusal_t *refusal = &refusals->places[place_of(path)];
    return now_ns < refusal->until_ns && segment_bytes >= refusal->segment_bytes &&
           is_of(refusal, path);
}
