/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/event_text.h"

#include <ramjet/command.h>

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/bits.h"

typedef struct printer {
    char *text;
    size_t size;
    size_t used;
    const uint8_t *body;
    int32_t length;
} printer_t;

__attribute__((format(printf, 2, 3))) static void print(printer_t *printer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int length =
        vsnprintf(printer->text + printer->used, printer->size - printer->used, format, args);
    va_end(args);
    if (length > 0)
        printer->used += (size_t)length;
    if (printer->used >= printer->size)
        printer->used = printer->size - 1;
}

/* Copies a fixed part; what is cut off or was never there is zero. */
static bool take(printer_t *printer, void *ret, size_t size)
{
    if ((size_t)printer->length < size) {
        print(printer, "too short");
        return false;
    }
    memcpy(ret, printer->body, size);
    return true;
}

/* `length` is what the message claims; what is here bounds it. */
static void print_text(printer_t *printer, const char *name, int32_t offset, int32_t length)
{
    print(printer, "%s=", name);
    const int32_t here = rj_min_i32(length, printer->length - offset);
    for (int32_t i = 0; i < here; i++) {
        const int c = printer->body[offset + i];
        print(printer, "%c", isprint(c) ? c : '?');
    }
}

/* --- commands --- */

static void print_ids(printer_t *printer, const rj_command_header_t *header)
{
    print(printer, "clientId=%" PRId64 " correlationId=%" PRId64, header->client_id,
          header->correlation_id);
}

static void print_header(printer_t *printer)
{
    rj_command_header_t header;
    if (take(printer, &header, sizeof(header)))
        print_ids(printer, &header);
}

static void print_publication(printer_t *printer)
{
    rj_command_publication_t command;
    if (!take(printer, &command, sizeof(command)))
        return;
    print(printer, "streamId=%" PRId32 " ", command.stream_id);
    print_ids(printer, &command.header);
    print_text(printer, " channel", sizeof(command), command.channel_length);
}

static void print_remove_publication(printer_t *printer)
{
    rj_command_remove_publication_t command = {.flags = 0};
    if (printer->length < RJ_REMOVE_PUBLICATION_LEGACY_BYTES) {
        print(printer, "too short");
        return;
    }
    memcpy(&command, printer->body, (size_t)rj_min_i32(printer->length, (int32_t)sizeof(command)));
    print(printer, "registrationId=%" PRId64 " ", command.registration_id);
    print_ids(printer, &command.header);
    print(printer, " revoke=%s",
          (command.flags & RJ_REMOVE_PUBLICATION_FLAG_REVOKE) != 0 ? "true" : "false");
}

static void print_subscription(printer_t *printer)
{
    rj_command_subscription_t command;
    if (!take(printer, &command, sizeof(command)))
        return;
    print(printer, "streamId=%" PRId32 " registrationCorrelationId=%" PRId64 " ", command.stream_id,
          command.registration_correlation_id);
    print_ids(printer, &command.header);
    print_text(printer, " channel", sizeof(command), command.channel_length);
}

static void print_remove(printer_t *printer)
{
    rj_command_remove_t command;
    if (!take(printer, &command, sizeof(command)))
        return;
    print(printer, "registrationId=%" PRId64 " ", command.registration_id);
    print_ids(printer, &command.header);
}

static void print_destination(printer_t *printer)
{
    rj_command_destination_t command;
    if (!take(printer, &command, sizeof(command)))
        return;
    print(printer, "registrationId=%" PRId64 " ", command.registration_id);
    print_ids(printer, &command.header);
    print_text(printer, " channel", sizeof(command), command.channel_length);
}

static void print_destination_by_id(printer_t *printer)
{
    rj_command_destination_by_id_t command;
    if (!take(printer, &command, sizeof(command)))
        return;
    print(printer, "resourceRegistrationId=%" PRId64 " destinationRegistrationId=%" PRId64 " ",
          command.resource_registration_id, command.destination_registration_id);
    print_ids(printer, &command.header);
}

static void print_counter(printer_t *printer)
{
    rj_command_counter_t command;
    if (!take(printer, &command, sizeof(command)))
        return;
    print(printer, "typeId=%" PRId32 " keyLength=%" PRId32 " ", command.type_id,
          command.key_length);
    print_ids(printer, &command.header);
}

static void print_reject(printer_t *printer)
{
    rj_command_reject_image_t command;
    if (!take(printer, &command, sizeof(command)))
        return;
    print(printer, "imageCorrelationId=%" PRId64 " position=%" PRId64 " ",
          command.image_correlation_id, command.position);
    print_ids(printer, &command.header);
    print_text(printer, " reason", sizeof(command), command.reason_length);
}

static void print_terminate(printer_t *printer)
{
    rj_command_terminate_t command;
    if (take(printer, &command, sizeof(command)))
        print(printer, "clientId=%" PRId64 " tokenBufferLength=%" PRId32, command.header.client_id,
              command.token_length);
}

/* --- messages to clients --- */

static void print_publication_ready(printer_t *printer)
{
    rj_event_publication_ready_t event;
    if (!take(printer, &event, sizeof(event)))
        return;
    print(printer,
          "sessionId=%" PRId32 " streamId=%" PRId32 " publicationLimitCounterId=%" PRId32
          " channelStatusCounterId=%" PRId32 " correlationId=%" PRId64 " registrationId=%" PRId64,
          event.session_id, event.stream_id, event.publication_limit_counter_id,
          event.channel_status_counter_id, event.correlation_id, event.registration_id);
    print_text(printer, " logFileName", sizeof(event), event.log_file_length);
}

static void print_available_image(printer_t *printer)
{
    rj_event_available_image_t event;
    if (!take(printer, &event, sizeof(event)))
        return;
    const int64_t source =
        rj_align_up((int64_t)sizeof(event) + rj_max_i64(event.log_file_length, 0), 4);
    int32_t source_length = 0;
    if (source + (int64_t)sizeof(source_length) <= printer->length)
        memcpy(&source_length, printer->body + source, sizeof(source_length));
    print(printer,
          "sessionId=%" PRId32 " streamId=%" PRId32 " subscriberPositionId=%" PRId32
          " subscriptionRegistrationId=%" PRId64 " correlationId=%" PRId64,
          event.session_id, event.stream_id, event.subscriber_position_id,
          event.subscription_registration_id, event.correlation_id);
    print_text(printer, " sourceIdentity",
               (int32_t)rj_min_i64(source + (int64_t)sizeof(source_length), printer->length),
               source_length);
    print_text(printer, " logFileName", sizeof(event), event.log_file_length);
}

static void print_unavailable_image(printer_t *printer)
{
    rj_event_unavailable_image_t event;
    if (!take(printer, &event, sizeof(event)))
        return;
    print(printer,
          "streamId=%" PRId32 " correlationId=%" PRId64 " subscriptionRegistrationId=%" PRId64,
          event.stream_id, event.correlation_id, event.subscription_registration_id);
    print_text(printer, " channel", sizeof(event), event.channel_length);
}

static void print_success(printer_t *printer)
{
    rj_event_operation_success_t event;
    if (take(printer, &event, sizeof(event)))
        print(printer, "correlationId=%" PRId64, event.correlation_id);
}

static void print_subscription_ready(printer_t *printer)
{
    rj_event_subscription_ready_t event;
    if (take(printer, &event, sizeof(event)))
        print(printer, "correlationId=%" PRId64 " channelStatusCounterId=%" PRId32,
              event.correlation_id, event.channel_status_counter_id);
}

static void print_counter_event(printer_t *printer)
{
    rj_event_counter_t event;
    if (take(printer, &event, sizeof(event)))
        print(printer, "correlationId=%" PRId64 " counterId=%" PRId32, event.correlation_id,
              event.counter_id);
}

static void print_client_timeout(printer_t *printer)
{
    rj_event_client_timeout_t event;
    if (take(printer, &event, sizeof(event)))
        print(printer, "clientId=%" PRId64, event.client_id);
}

static void print_error(printer_t *printer)
{
    rj_event_error_t event;
    if (!take(printer, &event, sizeof(event)))
        return;
    print(printer, "offendingCommandCorrelationId=%" PRId64 " errorCode=%" PRId32,
          event.offending_correlation_id, event.error_code);
    print_text(printer, " message", sizeof(event), event.message_length);
}

static const struct {
    int32_t type;
    void (*print)(printer_t *printer);
} printers[] = {
    {RJ_COMMAND_ADD_PUBLICATION, print_publication},
    {RJ_COMMAND_ADD_EXCLUSIVE_PUBLICATION, print_publication},
    {RJ_COMMAND_REMOVE_PUBLICATION, print_remove_publication},
    {RJ_COMMAND_ADD_SUBSCRIPTION, print_subscription},
    {RJ_COMMAND_REMOVE_SUBSCRIPTION, print_remove},
    {RJ_COMMAND_REMOVE_COUNTER, print_remove},
    {RJ_COMMAND_ADD_DESTINATION, print_destination},
    {RJ_COMMAND_REMOVE_DESTINATION, print_destination},
    {RJ_COMMAND_ADD_RCV_DESTINATION, print_destination},
    {RJ_COMMAND_REMOVE_RCV_DESTINATION, print_destination},
    {RJ_COMMAND_REMOVE_DESTINATION_BY_ID, print_destination_by_id},
    {RJ_COMMAND_ADD_COUNTER, print_counter},
    {RJ_COMMAND_REJECT_IMAGE, print_reject},
    {RJ_COMMAND_TERMINATE_DRIVER, print_terminate},
    {RJ_COMMAND_CLIENT_KEEPALIVE, print_header},
    {RJ_COMMAND_CLIENT_CLOSE, print_header},
    {RJ_EVENT_PUBLICATION_READY, print_publication_ready},
    {RJ_EVENT_EXCLUSIVE_PUBLICATION_READY, print_publication_ready},
    {RJ_EVENT_AVAILABLE_IMAGE, print_available_image},
    {RJ_EVENT_UNAVAILABLE_IMAGE, print_unavailable_image},
    {RJ_EVENT_OPERATION_SUCCESS, print_success},
    {RJ_EVENT_SUBSCRIPTION_READY, print_subscription_ready},
    {RJ_EVENT_COUNTER_READY, print_counter_event},
    {RJ_EVENT_UNAVAILABLE_COUNTER, print_counter_event},
    {RJ_EVENT_CLIENT_TIMEOUT, print_client_timeout},
    {RJ_EVENT_ERROR, print_error},
};

void rj_event_text(char *text, size_t size, int32_t type, const uint8_t *body, int32_t length,
                   int32_t full_length)
{
    printer_t printer = {.text = text, .size = size, .body = body, .length = length};
    text[0] = '\0';
    for (size_t i = 0; i < sizeof(printers) / sizeof(printers[0]); i++)
        if (printers[i].type == type)
            printers[i].print(&printer);
    if (length < full_length)
        print(&printer, " (cut)");
}
