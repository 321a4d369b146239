/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/http_get.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

enum { HOST_MAX = 256, PORT_MAX = 6, PATH_MAX_BYTES = 2048, HEADER_MAX = 16384 };

static const char scheme[] = "http://";

typedef struct url {
    char host[HOST_MAX];
    char port[PORT_MAX];
    char path[PATH_MAX_BYTES];
} url_t;

typedef struct answer {
    char *bytes; /* with a NUL behind them */
    size_t length;
    size_t body; /* where it begins */
    int status;
} answer_t;

/* --- addresses --- */

/* What a request line or a header may not hold would become another of them. */
static bool is_clean(const char *text)
{
    for (; *text != '\0'; text++)
        if (iscntrl((unsigned char)*text) || *text == ' ')
            return false;
    return true;
}

static int parse_url(url_t *ret_url, const char *text, rj_err_t *err)
{
    url_t url = {.port = "80"};
    if (strncmp(text, scheme, sizeof(scheme) - 1) != 0 || !is_clean(text))
        return rj_fail(err, -EINVAL, "not an http:// URL");
    const char *at = text + sizeof(scheme) - 1;
    const bool is_bracketed = *at == '[';
    const size_t host_length = is_bracketed ? strcspn(at, "]") : strcspn(at, ":/?#");
    const char *host = at + is_bracketed;
    at += host_length + (is_bracketed && at[host_length] == ']');
    snprintf(url.host, sizeof(url.host), "%.*s", (int)(host_length - is_bracketed), host);
    if (*at == ':') {
        const size_t digits = strspn(at + 1, "0123456789");
        if (digits == 0 || digits >= PORT_MAX)
            return rj_fail(err, -EINVAL, "a bad port in the URL");
        snprintf(url.port, sizeof(url.port), "%.*s", (int)digits, at + 1);
        at += 1 + digits;
    }
    if (url.host[0] == '\0' || host_length >= HOST_MAX || (*at != '\0' && *at != '/'))
        return rj_fail(err, -EINVAL, "a bad host in the URL");
    const int length = snprintf(url.path, sizeof(url.path), "%s", *at != '\0' ? at : "/");
    if (length >= (int)sizeof(url.path))
        return rj_fail(err, -ENAMETOOLONG, "a URL that is too long");
    *ret_url = url;
    return 0;
}

/* --- the connection --- */

static int await(int fd, short events, int64_t deadline_ns)
{
    struct pollfd poll_fd = {.fd = fd, .events = events};
    for (;;) {
        const int64_t left_ns = deadline_ns - rj_clock_mono_ns();
        if (left_ns <= 0)
            return -ETIMEDOUT;
        const int count = poll(&poll_fd, 1, (int)(left_ns / 1000000) + 1);
        if (count > 0)
            return 0;
        if (count < 0)
            return -errno; /* a signal as well: whoever waits is to end */
    }
}

static int connect_one(const struct addrinfo *address, int64_t deadline_ns)
{
    const int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int result = connect(fd, address->ai_addr, address->ai_addrlen) == 0 ? 0 : -errno;
    if (result == -EINPROGRESS) {
        int error = 0;
        socklen_t length = sizeof(error);
        result = await(fd, POLLOUT, deadline_ns);
        if (result == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0)
            result = -error;
    }
    if (result == 0)
        return fd;
    close(fd);
    return result;
}

static int open_connection(const url_t *url, int64_t deadline_ns, rj_err_t *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses = NULL;
    const int failure = getaddrinfo(url->host, url->port, &hints, &addresses);
    if (failure != 0)
        return rj_fail(err, -EHOSTUNREACH, "%s: %s", url->host, gai_strerror(failure));
    int fd = -EHOSTUNREACH;
    for (const struct addrinfo *at = addresses; at != NULL && fd < 0; at = at->ai_next)
        fd = connect_one(at, deadline_ns);
    freeaddrinfo(addresses);
    return fd >= 0 ? fd : rj_fail(err, fd, "%s: %s", url->host, strerror(-fd));
}

static int send_all(int fd, const char *text, size_t length, int64_t deadline_ns)
{
    while (length > 0) {
        const ssize_t sent = send(fd, text, length, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            return -errno;
        if (sent < 0) {
            const int result = await(fd, POLLOUT, deadline_ns);
            if (result < 0)
                return result;
            continue;
        }
        text += sent;
        length -= (size_t)sent;
    }
    return 0;
}

/* Until the server closes, which is how HTTP/1.0 ends a body. */
static int receive_all(int fd, answer_t *answer, int64_t deadline_ns)
{
    const size_t room = HEADER_MAX + RJ_HTTP_BODY_MAX;
    for (;;) {
        const ssize_t count = recv(fd, answer->bytes + answer->length, room - answer->length, 0);
        if (count == 0)
            break;
        if (count > 0) {
            answer->length += (size_t)count;
            if (answer->length == room)
                return -EFBIG;
            continue;
        }
        const int result = errno == EAGAIN ? await(fd, POLLIN, deadline_ns) : -errno;
        if (result < 0)
            return result;
    }
    answer->bytes[answer->length] = '\0';
    return 0;
}

static int exchange(const url_t *url, answer_t *answer, int64_t deadline_ns, rj_err_t *err)
{
    char request[PATH_MAX_BYTES + HOST_MAX + 128];
    const int fd = open_connection(url, deadline_ns, err);
    if (fd < 0)
        return fd;
    const int length =
        snprintf(request, sizeof(request),
                 "GET %s HTTP/1.0\r\nHost: %s:%s\r\nAccept: */*\r\nConnection: close\r\n\r\n",
                 url->path, url->host, url->port);
    int result = send_all(fd, request, (size_t)length, deadline_ns);
    if (result == 0)
        result = receive_all(fd, answer, deadline_ns);
    close(fd);
    return result == 0 ? 0 : rj_fail(err, result, "%s: %s", url->host, strerror(-result));
}

/* --- the answer --- */

static int parse_head(answer_t *answer, rj_err_t *err)
{
    char *head_end = strstr(answer->bytes, "\r\n\r\n");
    if (head_end == NULL || strncmp(answer->bytes, "HTTP/1.", 7) != 0 ||
        !isdigit((unsigned char)answer->bytes[7]) || answer->bytes[8] != ' ')
        return rj_fail(err, -EPROTO, "the answer is not HTTP");
    answer->status = atoi(answer->bytes + 9);
    head_end[2] = '\0';
    answer->body = (size_t)(head_end - answer->bytes) + 4;
    return 0;
}

/* The value of a header, in the answer's own bytes; NULL when there is none. */
static char *find_header(const answer_t *answer, const char *name)
{
    const size_t length = strlen(name);
    for (char *line = strstr(answer->bytes, "\r\n"); line != NULL && line[2] != '\0';
         line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, length) != 0 || line[2 + length] != ':')
            continue;
        char *value = line + 3 + length;
        value += strspn(value, " \t");
        value[strcspn(value, "\r\n")] = '\0';
        return value;
    }
    return NULL;
}

/* A server that answers 1.0 with chunks, which it may not, would give a text with numbers in it. */
static int check_body(const answer_t *answer, rj_err_t *err)
{
    if (find_header(answer, "Transfer-Encoding") != NULL)
        return rj_fail(err, -EPROTO, "the answer comes in chunks, which were not asked for");
    const char *length = find_header(answer, "Content-Length");
    const size_t got = answer->length - answer->body;
    if (length != NULL && strtoull(length, NULL, 10) != got)
        return rj_fail(err, -EPROTO, "the answer was cut short after %zu bytes", got);
    return 0;
}

static bool is_redirect(int status)
{
    return status == 301 || status == 302;
}

/* A redirect within the server may leave the server out. */
static int follow(url_t *url, const answer_t *answer, rj_err_t *err)
{
    const char *location = find_header(answer, "Location");
    if (location == NULL)
        return rj_fail(err, -EPROTO, "status %d without a location", answer->status);
    if (location[0] != '/')
        return parse_url(url, location, err);
    if (!is_clean(location) || strlen(location) >= sizeof(url->path))
        return rj_fail(err, -EPROTO, "status %d to a bad location", answer->status);
    snprintf(url->path, sizeof(url->path), "%s", location);
    return 0;
}

static int get(url_t *url, answer_t *answer, int64_t deadline_ns, rj_err_t *err)
{
    enum { EXCHANGES_MAX = 2 };
    for (int i = 0; i < EXCHANGES_MAX; i++) {
        answer->length = 0;
        int result = exchange(url, answer, deadline_ns, err);
        if (result == 0)
            result = parse_head(answer, err);
        if (result == 0 && is_redirect(answer->status) && i + 1 < EXCHANGES_MAX) {
            result = follow(url, answer, err);
            if (result == 0)
                continue;
        }
        if (result < 0)
            return result;
        if (answer->status != 200)
            return rj_fail(err, -ENOENT, "the server answered with status %d", answer->status);
        return check_body(answer, err);
    }
    return rj_fail(err, -ELOOP, "redirected more than once");
}

int rj_http_get(const char *url_text, int64_t timeout_ns, char **ret_body, size_t *ret_length,
                rj_err_t *err)
{
    url_t url;
    int result = parse_url(&url, url_text, err);
    if (result < 0)
        return result;
    answer_t answer = {.bytes = malloc(HEADER_MAX + RJ_HTTP_BODY_MAX + 1)};
    if (answer.bytes == NULL)
        return rj_fail(err, -ENOMEM, "no memory for an answer");
    result = get(&url, &answer, rj_clock_mono_ns() + timeout_ns, err);
    if (result < 0) {
        free(answer.bytes);
        return result;
    }
    *ret_length = answer.length - answer.body;
    memmove(answer.bytes, answer.bytes + answer.body, *ret_length + 1);
    *ret_body = answer.bytes;
    return 0;
}
