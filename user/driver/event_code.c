/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/event_code.h"

#include <ramjet/command.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* What a bit of the reference's old masks stands for. */
typedef enum event_kind { KIND_OTHER, KIND_COMMAND_IN, KIND_COMMAND_OUT } event_kind_t;

typedef struct event_row {
    int code;
    event_kind_t kind;
    const char *name;
    int32_t type; /* of the message that it records; 0: it is not recorded */
} event_row_t;

#define IN(code, name, type)                                                                       \
    {                                                                                              \
        code, KIND_COMMAND_IN, "CMD_IN_" name, RJ_COMMAND_##type                                   \
    }
#define OUT(code, name, type)                                                                      \
    {                                                                                              \
        code, KIND_COMMAND_OUT, "CMD_OUT_" name, RJ_EVENT_##type                                   \
    }
#define NOT(code, name)                                                                            \
    {                                                                                              \
        code, KIND_OTHER, name, 0                                                                  \
    }

static const event_row_t rows[] = {
    NOT(1, "FRAME_IN"),
    NOT(2, "FRAME_OUT"),
    IN(3, "ADD_PUBLICATION", ADD_PUBLICATION),
    IN(4, "REMOVE_PUBLICATION", REMOVE_PUBLICATION),
    IN(5, "ADD_SUBSCRIPTION", ADD_SUBSCRIPTION),
    IN(6, "REMOVE_SUBSCRIPTION", REMOVE_SUBSCRIPTION),
    OUT(7, "PUBLICATION_READY", PUBLICATION_READY),
    OUT(8, "AVAILABLE_IMAGE", AVAILABLE_IMAGE),
    OUT(12, "ON_OPERATION_SUCCESS", OPERATION_SUCCESS),
    IN(13, "KEEPALIVE_CLIENT", CLIENT_KEEPALIVE),
    NOT(14, "REMOVE_PUBLICATION_CLEANUP"),
    NOT(15, "REMOVE_SUBSCRIPTION_CLEANUP"),
    NOT(16, "REMOVE_IMAGE_CLEANUP"),
    OUT(17, "ON_UNAVAILABLE_IMAGE", UNAVAILABLE_IMAGE),
    NOT(23, "SEND_CHANNEL_CREATION"),
    NOT(24, "RECEIVE_CHANNEL_CREATION"),
    NOT(25, "SEND_CHANNEL_CLOSE"),
    NOT(26, "RECEIVE_CHANNEL_CLOSE"),
    IN(30, "ADD_DESTINATION", ADD_DESTINATION),
    IN(31, "REMOVE_DESTINATION", REMOVE_DESTINATION),
    IN(32, "ADD_EXCLUSIVE_PUBLICATION", ADD_EXCLUSIVE_PUBLICATION),
    OUT(33, "EXCLUSIVE_PUBLICATION_READY", EXCLUSIVE_PUBLICATION_READY),
    OUT(34, "ERROR", ERROR),
    IN(35, "ADD_COUNTER", ADD_COUNTER),
    IN(36, "REMOVE_COUNTER", REMOVE_COUNTER),
    OUT(37, "SUBSCRIPTION_READY", SUBSCRIPTION_READY),
    OUT(38, "COUNTER_READY", COUNTER_READY),
    OUT(39, "ON_UNAVAILABLE_COUNTER", UNAVAILABLE_COUNTER),
    IN(40, "CLIENT_CLOSE", CLIENT_CLOSE),
    IN(41, "ADD_RCV_DESTINATION", ADD_RCV_DESTINATION),
    IN(42, "REMOVE_RCV_DESTINATION", REMOVE_RCV_DESTINATION),
    OUT(43, "ON_CLIENT_TIMEOUT", CLIENT_TIMEOUT),
    IN(44, "TERMINATE_DRIVER", TERMINATE_DRIVER),
    NOT(45, "UNTETHERED_SUBSCRIPTION_STATE_CHANGE"),
    NOT(46, "NAME_RESOLUTION_NEIGHBOR_ADDED"),
    NOT(47, "NAME_RESOLUTION_NEIGHBOR_REMOVED"),
    NOT(48, "FLOW_CONTROL_RECEIVER_ADDED"),
    NOT(49, "FLOW_CONTROL_RECEIVER_REMOVED"),
    NOT(50, "NAME_RESOLUTION_RESOLVE"),
    NOT(51, "GENERIC_MESSAGE"),
    NOT(52, "NAME_RESOLUTION_LOOKUP"),
    NOT(53, "NAME_RESOLUTION_HOST_NAME"),
    NOT(54, "NAK_SENT"),
    NOT(55, "RESEND"),
    IN(56, "REMOVE_DESTINATION_BY_ID", REMOVE_DESTINATION_BY_ID),
    IN(57, "REJECT_IMAGE", REJECT_IMAGE),
    NOT(58, "NAK_RECEIVED"),
    NOT(59, "PUBLICATION_REVOKE"),
    NOT(60, "PUBLICATION_IMAGE_REVOKE"),
};

enum {
    ROW_COUNT = sizeof(rows) / sizeof(rows[0]),
    MASK_IN = 0x1,
    MASK_OUT = 0x2,
    MASK_ALL = 0xffff
};

static uint64_t bit(int code)
{
    return UINT64_C(1) << code;
}

static bool is_in_mask(event_kind_t kind, unsigned long mask)
{
    return mask >= MASK_ALL || (kind == KIND_COMMAND_IN && (mask & MASK_IN) != 0) ||
           (kind == KIND_COMMAND_OUT && (mask & MASK_OUT) != 0);
}

static uint64_t all_of(unsigned long mask)
{
    uint64_t codes = 0;
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (rows[i].type != 0 && is_in_mask(rows[i].kind, mask))
            codes |= bit(rows[i].code);
    return codes;
}

static uint64_t parse_name(const char *name, size_t length, FILE *warnings)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (strncmp(rows[i].name, name, length) != 0 || rows[i].name[length] != '\0')
            continue;
        if (rows[i].type != 0)
            return bit(rows[i].code);
        if (warnings != NULL)
            fprintf(warnings, "WARNING: event %s is not recorded by this driver\n", rows[i].name);
        return 0;
    }
    if (warnings != NULL)
        fprintf(warnings, "unknown event code: '%.*s'\n", (int)length, name);
    return 0;
}

static uint64_t parse_list(const char *text, FILE *warnings)
{
    uint64_t codes = 0;
    if (strncmp(text, "0x", 2) == 0)
        return all_of(strtoul(text, NULL, 16));
    for (const char *at = text; *at != '\0'; at += *at == ',') {
        const size_t length = strcspn(at, ",");
        const bool is_all = (length == 3 && strncmp(at, "all", 3) == 0) ||
                            (length == 5 && strncmp(at, "admin", 5) == 0);
        if (is_all)
            codes |= all_of(MASK_ALL);
        else if (length > 0)
            codes |= parse_name(at, length, warnings);
        at += length;
    }
    return codes;
}

uint64_t rj_event_codes_parse(const char *enable, const char *disable, FILE *warnings)
{
    return parse_list(enable, warnings) & ~parse_list(disable, warnings);
}

int rj_event_code_of(int32_t type)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (rows[i].type == type && type != 0)
            return rows[i].code;
    return 0;
}

const char *rj_event_code_name(int code)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (rows[i].code == code)
            return rows[i].name;
    return "unknown";
}
