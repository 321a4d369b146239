/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded into a driver: writes down by which of the C library's calls it uses UDP sockets.
 *
 * Stacks that take the kernel's place (VMA, Onload) do so by standing before these very calls. What
 * a program does past them they never see, as this library does not: so the datagrams that it has
 * seen, against those that the program counts, tell of that.
 *
 *   $RJ_SOCKET_CALLS, at the program's end:   CALL COUNT, a line each;
 *                                             datagrams-sent COUNT, datagrams-received COUNT;
 *                                             option LEVEL/NAME COUNT; control LEVEL/TYPE COUNT
 */
#undef _FORTIFY_SOURCE /* these are the definitions, not uses */
#include <dlfcn.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FDS_MAX = 4096, NOTES_MAX = 64, NOTE_BYTES = 48 };

typedef struct note {
    char text[NOTE_BYTES];
    long count;
} note_t;

static bool is_udp[FDS_MAX];
static note_t notes[NOTES_MAX];
static int note_count;
static volatile int lock;

static void add(const char *text, long count)
{
    while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE) != 0)
        ;
    int i = 0;
    while (i < note_count && strcmp(notes[i].text, text) != 0)
        i++;
    if (i == note_count && note_count < NOTES_MAX)
        snprintf(notes[note_count++].text, NOTE_BYTES, "%s", text);
    if (i < NOTES_MAX)
        notes[i].count += count;
    __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
}

static bool is_ours(int fd)
{
    return fd >= 0 && fd < FDS_MAX && is_udp[fd];
}

static void note_call(const char *call, int fd)
{
    if (is_ours(fd))
        add(call, 1);
}

static void note_numbers(const char *what, int level, int name)
{
    char text[NOTE_BYTES];
    snprintf(text, sizeof(text), "%s %d/%d", what, level, name);
    add(text, 1);
}

/* What goes with a message besides its bytes. */
static void note_control(const struct msghdr *header)
{
    for (struct cmsghdr *at = header->msg_controllen > 0 ? CMSG_FIRSTHDR(header) : NULL; at != NULL;
         at = CMSG_NXTHDR((struct msghdr *)(uintptr_t)header, at))
        note_numbers("control", at->cmsg_level, at->cmsg_type);
}

static void note_datagrams(const char *what, int fd, long count)
{
    if (is_ours(fd) && count > 0)
        add(what, count);
}

__attribute__((destructor)) static void tell(void)
{
    const char *path = getenv("RJ_SOCKET_CALLS");
    FILE *file = path != NULL && note_count > 0 ? fopen(path, "w") : NULL;
    for (int i = 0; file != NULL && i < note_count; i++)
        fprintf(file, "%s %ld\n", notes[i].text, notes[i].count);
    if (file != NULL)
        fclose(file);
}

/* The C library's own function of that name and type. */
#define NEXT(name) ((__typeof__(&name))(uintptr_t)dlsym(RTLD_NEXT, #name))

/* A call on a socket that is only noted. */
#define NOTED(type, name, parameters, arguments)                                                   \
    type name parameters;                                                                          \
    type name parameters                                                                           \
    {                                                                                              \
        note_call(#name, fd);                                                                      \
        return NEXT(name) arguments;                                                               \
    }

/* --- a socket's life --- */

int socket(int domain, int type, int protocol)
{
    const int fd = NEXT(socket)(domain, type, protocol);
    const int kind = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0 && fd < FDS_MAX)
        is_udp[fd] = (domain == AF_INET || domain == AF_INET6) && kind == SOCK_DGRAM;
    note_call("socket", fd);
    return fd;
}

int close(int fd)
{
    note_call("close", fd);
    if (fd >= 0 && fd < FDS_MAX)
        is_udp[fd] = false;
    return NEXT(close)(fd);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
    note_call("setsockopt", fd);
    if (is_ours(fd))
        note_numbers("option", level, name);
    return NEXT(setsockopt)(fd, level, name, value, length);
}

NOTED(int, bind, (int fd, const struct sockaddr *address, socklen_t length), (fd, address, length))
NOTED(int, connect, (int fd, const struct sockaddr *address, socklen_t length),
      (fd, address, length))
NOTED(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *length),
      (fd, level, name, value, length))
NOTED(int, getsockname, (int fd, struct sockaddr *address, socklen_t *length),
      (fd, address, length))
NOTED(int, getpeername, (int fd, struct sockaddr *address, socklen_t *length),
      (fd, address, length))
NOTED(int, shutdown, (int fd, int how), (fd, how))
NOTED(int, dup, (int fd), (fd))

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    note_call("epoll_ctl", fd);
    return NEXT(epoll_ctl)(epoll, operation, fd, event);
}

/* --- datagrams --- */

int sendmmsg(int fd, struct mmsghdr *headers, unsigned int count, int flags)
{
    const int sent = NEXT(sendmmsg)(fd, headers, count, flags);
    note_call("sendmmsg", fd);
    note_datagrams("datagrams-sent", fd, sent);
    for (int i = 0; is_ours(fd) && i < sent; i++)
        note_control(&headers[i].msg_hdr);
    return sent;
}

int recvmmsg(int fd, struct mmsghdr *headers, unsigned int count, int flags,
             struct timespec *timeout)
{
    const int got = NEXT(recvmmsg)(fd, headers, count, flags, timeout);
    note_call("recvmmsg", fd);
    note_datagrams("datagrams-received", fd, got);
    for (int i = 0; is_ours(fd) && i < got; i++)
        note_control(&headers[i].msg_hdr);
    return got;
}

NOTED(ssize_t, sendto,
      (int fd, const void *bytes, size_t length, int flags, const struct sockaddr *address,
       socklen_t address_length),
      (fd, bytes, length, flags, address, address_length))
NOTED(ssize_t, recvfrom,
      (int fd, void *restrict bytes, size_t length, int flags, struct sockaddr *restrict address,
       socklen_t *restrict address_length),
      (fd, bytes, length, flags, address, address_length))
NOTED(ssize_t, sendmsg, (int fd, const struct msghdr *header, int flags), (fd, header, flags))
NOTED(ssize_t, recvmsg, (int fd, struct msghdr *header, int flags), (fd, header, flags))
NOTED(ssize_t, send, (int fd, const void *bytes, size_t length, int flags),
      (fd, bytes, length, flags))
NOTED(ssize_t, recv, (int fd, void *bytes, size_t length, int flags), (fd, bytes, length, flags))
NOTED(ssize_t, read, (int fd, void *bytes, size_t length), (fd, bytes, length))
NOTED(ssize_t, write, (int fd, const void *bytes, size_t length), (fd, bytes, length))
NOTED(ssize_t, readv, (int fd, const struct iovec *parts, int count), (fd, parts, count))
NOTED(ssize_t, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count))

/* --- past the library --- */

/* Whatever is asked for by its number may be about a socket. */
long syscall(long number, ...)
{
    va_list list;
    long arguments[6];
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        arguments[i] = va_arg(list, long);
    va_end(list);
    note_call("syscall", (int)arguments[0]);
    return NEXT(syscall)(number, arguments[0], arguments[1], arguments[2], arguments[3],
                         arguments[4], arguments[5]);
}
