/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/generator.h"

#include "base/quantity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE_LENGTH_MAX = 16 * 1024 * 1024, WEIGHT_MAX = 1000000 };

static int parse_length(const char *text, size_t length, int32_t *ret_value, rj_err_t *err)
{
    int64_t value;
    if (rj_parse_size(text, length, &value) < 0 || value > MESSAGE_LENGTH_MAX)
        return rj_fail(err, -EINVAL, "'%.*s' is no length from 0 to 16M", (int)length, text);
    *ret_value = (int32_t)value;
    return 0;
}

/* MIN[-MAX][:WEIGHT] */
static int parse_class(rj_length_class_t *class, const char *text, size_t length, rj_err_t *err)
{
    const char *end = text + length;
    const char *colon = memchr(text, ':', length);
    const char *range_end = colon != NULL ? colon : end;
    const char *dash = memchr(text, '-', (size_t)(range_end - text));
    class->weight = 1;
    if (colon != NULL) {
        int64_t weight;
        if (rj_parse_size(colon + 1, (size_t)(end - colon - 1), &weight) < 0 || weight < 1 ||
            weight > WEIGHT_MAX)
            return rj_fail(err, -EINVAL, "'%.*s' is no weight from 1 to %d", (int)(end - colon - 1),
                           colon + 1, WEIGHT_MAX);
        class->weight = (int32_t)weight;
    }
    const char *min_end = dash != NULL ? dash : range_end;
    int code = parse_length(text, (size_t)(min_end - text), &class->length_min, err);
    class->length_max = class->length_min;
    if (code == 0 && dash != NULL)
        code = parse_length(dash + 1, (size_t)(range_end - dash - 1), &class->length_max, err);
    if (code == 0 && class->length_max < class->length_min)
        return rj_fail(err, -EINVAL, "'%.*s' ends before it begins", (int)length, text);
    return code;
}

int rj_lengths_parse(rj_lengths_t *lengths, const char *text, rj_err_t *err)
{
    rj_lengths_t parsed = {.class_count = 0};
    for (const char *at = text;; at++) {
        size_t length = strcspn(at, ",");
        if (parsed.class_count == RJ_LENGTH_CLASS_COUNT_MAX)
            return rj_fail(err, -EINVAL, "more than %d ranges of lengths",
                           RJ_LENGTH_CLASS_COUNT_MAX);
        int code = parse_class(&parsed.classes[parsed.class_count], at, length, err);
        if (code < 0)
            return code;
        parsed.class_count++;
        at += length;
        if (*at == '\0')
            break;
    }
    *lengths = parsed;
    return 0;
}

int32_t rj_lengths_max(const rj_lengths_t *lengths)
{
    int32_t max = 0;
    for (size_t i = 0; i < lengths->class_count; i++)
        if (lengths->classes[i].length_max > max)
            max = lengths->classes[i].length_max;
    return max;
}

static int32_t draw(const rj_lengths_t *lengths, rj_prng_t *prng)
{
    int64_t weight_sum = 0;
    for (size_t i = 0; i < lengths->class_count; i++)
        weight_sum += lengths->classes[i].weight;
    int64_t at = (int64_t)rj_prng_below(prng, (uint64_t)weight_sum);
    size_t i = 0;
    while (at >= lengths->classes[i].weight)
        at -= lengths->classes[i++].weight;
    return (int32_t)rj_prng_between(prng, lengths->classes[i].length_min,
                                    lengths->classes[i].length_max);
}

int rj_generator_open(rj_generator_t *generator, const rj_lengths_t *lengths, uint64_t seed,
                      rj_err_t *err)
{
    rj_prng_t prng;
    rj_prng_init(&prng, seed);
    size_t words =
        (RJ_GENERATOR_OFFSET_MASK + 1 + (size_t)rj_lengths_max(lengths)) / sizeof(uint64_t) + 1;
    generator->next_index = 0;
    generator->next_offset = 0;
    generator->block = malloc(words * sizeof(uint64_t));
    if (generator->block == NULL)
        return rj_fail(err, -ENOMEM, "out of memory for messages of %d bytes",
                       rj_lengths_max(lengths));
    for (size_t i = 0; i < words; i++) {
        uint64_t word = rj_prng_next(&prng);
        memcpy(generator->block + i * sizeof(word), &word, sizeof(word));
    }
    for (size_t i = 0; i < RJ_GENERATOR_PLAN_COUNT; i++)
        generator->plan[i] = draw(lengths, &prng);
    return 0;
}

void rj_generator_close(rj_generator_t *generator)
{
    free(generator->block);
    generator->block = NULL;
}
