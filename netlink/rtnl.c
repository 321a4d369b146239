/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink/rtnl.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "netlink/attributes.h"

/* Older kernels lack it: dumps are then not checked as strictly, and no worse for it. */
static void set_option(rj_rtnl_t *rtnl, int option)
{
    int on = 1;
    mnl_socket_setsockopt(rtnl->socket, option, &on, sizeof(on));
}

/* Beyond the system's limit where we may, up to it where not. */
static void set_room(int fd, size_t receive_bytes)
{
    int bytes = receive_bytes > INT32_MAX / 2 ? INT32_MAX / 2 : (int)receive_bytes;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) != 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

int rj_rtnl_open(rj_rtnl_t *rtnl, rj_rtnl_use_t use, size_t receive_bytes, rj_err_t *err)
{
    *rtnl = (rj_rtnl_t){.socket = NULL};
    int code = ENOMEM;
    rtnl->buffer = malloc(RJ_RTNL_BUFFER_BYTES);
    if (rtnl->buffer == NULL)
        goto fail;
    rtnl->socket =
        mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | (use == RJ_RTNL_LISTEN ? SOCK_NONBLOCK : 0));
    if (rtnl->socket == NULL || mnl_socket_bind(rtnl->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
        code = errno;
        goto fail;
    }
    const int fd = mnl_socket_get_fd(rtnl->socket);
    if (use == RJ_RTNL_LISTEN) {
        if (receive_bytes > 0)
            set_room(fd, receive_bytes);
        return 0;
    }
    const struct timeval patience = {.tv_sec = 2};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    set_option(rtnl, NETLINK_GET_STRICT_CHK);
    set_option(rtnl, NETLINK_EXT_ACK);
    return 0;
fail:
    rj_rtnl_close(rtnl);
    return rj_fail(err, -code, "netlink socket: %s", strerror(code));
}

void rj_rtnl_close(rj_rtnl_t *rtnl)
{
    if (rtnl->socket != NULL)
        mnl_socket_close(rtnl->socket);
    free(rtnl->buffer);
    rtnl->socket = NULL;
    rtnl->buffer = NULL;
}

int rj_rtnl_fd(const rj_rtnl_t *rtnl)
{
    return rtnl->socket == NULL ? -1 : mnl_socket_get_fd(rtnl->socket);
}

int rj_rtnl_join(rj_rtnl_t *rtnl, uint32_t group, rj_err_t *err)
{
    int number = (int)group;
    if (mnl_socket_setsockopt(rtnl->socket, NETLINK_ADD_MEMBERSHIP, &number, sizeof(number)) == 0)
        return 0;
    const int code = errno;
    return rj_fail(err, -code, "netlink group %u: %s", group, strerror(code));
}

/* One datagram that the kernel itself sent; what others managed to send us counts as nothing. */
static ssize_t receive(rj_rtnl_t *rtnl)
{
    struct sockaddr_nl from = {0};
    struct iovec into = {rtnl->buffer, RJ_RTNL_BUFFER_BYTES};
    struct msghdr head = {
        .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &into, .msg_iovlen = 1};
    ssize_t got;
    do {
        got = recvmsg(rj_rtnl_fd(rtnl), &head, 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    /* What did not fit is lost like what the kernel had no room for. */
    if (head.msg_flags & MSG_TRUNC)
        return -ENOBUFS;
    return from.nl_pid != 0 ? 0 : got;
}

int rj_rtnl_listen(rj_rtnl_t *rtnl, rj_rtnl_visit_t *visit, void *state)
{
    const ssize_t got = receive(rtnl);
    if (got < 0)
        return got == -EAGAIN ? 0 : (int)got;
    int count = 0;
    size_t left = (size_t)got;
    const struct nlmsghdr *message = (const struct nlmsghdr *)rtnl->buffer;
    for (; rj_nl_message_is_whole(message, left); message = rj_nl_message_next(message, &left)) {
        if (message->nlmsg_type >= NLMSG_MIN_TYPE)
            visit(state, message);
        count++;
    }
    /* A datagram without a message, or from a stranger, is work all the same. */
    return count > 0 ? count : 1;
}

/* The kernel's own words behind an error, where it has some. */
static int fail_as_told(const struct nlmsghdr *message, rj_err_t *err)
{
    const struct nlmsgerr *body = mnl_nlmsg_get_payload(message);
    const size_t length = mnl_nlmsg_get_payload_len(message);
    if (length < sizeof(*body))
        return rj_fail(err, -EBADMSG, "netlink: an error without a number");
    if (body->error == 0)
        return 0;
    char words[128] = "";
    size_t offset = sizeof(*body);
    if (!(message->nlmsg_flags & NLM_F_CAPPED) && body->msg.nlmsg_len >= sizeof(body->msg))
        offset += MNL_ALIGN(body->msg.nlmsg_len - sizeof(body->msg));
    if ((message->nlmsg_flags & NLM_F_ACK_TLVS) && offset < length) {
        const struct nlattr *attributes[NLMSGERR_ATTR_MSG + 1];
        rj_nl_attributes_read((const uint8_t *)body + offset, length - offset, attributes,
                              NLMSGERR_ATTR_MSG + 1);
        rj_nl_attribute_text(attributes[NLMSGERR_ATTR_MSG], words, sizeof(words));
    }
    const int code = body->error < 0 ? body->error : -body->error;
    return rj_fail(err, code, "netlink: %s%s%s", strerror(-code), words[0] != '\0' ? ": " : "",
                   words);
}

typedef struct answer {
    rj_rtnl_visit_t *visit;
    void *state;
    bool is_done;
    bool is_interrupted;
    int result;
} answer_t;

/* Looks at one datagram of an answer. What is left of an earlier question has another number. */
static void take_answer(rj_rtnl_t *rtnl, ssize_t got, bool is_dump, answer_t *answer, rj_err_t *err)
{
    size_t left = (size_t)got;
    const struct nlmsghdr *message = (const struct nlmsghdr *)rtnl->buffer;
    for (; rj_nl_message_is_whole(message, left) && !answer->is_done;
         message = rj_nl_message_next(message, &left)) {
        if (message->nlmsg_seq != rtnl->sequence)
            continue;
        answer->is_interrupted |= (message->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
        if (message->nlmsg_type == NLMSG_ERROR) {
            answer->result = fail_as_told(message, err);
            answer->is_done = true;
        } else if (message->nlmsg_type == NLMSG_DONE) {
            answer->is_done = true;
        } else if (message->nlmsg_type >= NLMSG_MIN_TYPE) {
            if (answer->visit != NULL)
                answer->visit(answer->state, message);
            answer->is_done = !is_dump;
        }
    }
}

static int converse(rj_rtnl_t *rtnl, struct nlmsghdr *request, answer_t *answer, rj_err_t *err)
{
    const bool is_dump = (request->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
    request->nlmsg_seq = ++rtnl->sequence;
    if (mnl_socket_sendto(rtnl->socket, request, request->nlmsg_len) < 0) {
        const int code = errno;
        return rj_fail(err, -code, "netlink request %u: %s", request->nlmsg_type, strerror(code));
    }
    while (!answer->is_done) {
        const ssize_t got = receive(rtnl);
        if (got < 0)
            return rj_fail(err, (int)got, "netlink answer to %u: %s", request->nlmsg_type,
                           strerror((int)-got));
        take_answer(rtnl, got, is_dump, answer, err);
    }
    return answer->result;
}

/* The body that strict checking wants for a dump of each kind: as the kernel answers, mostly zero.
 */
static size_t body_bytes_of(uint16_t type)
{
    switch (type) {
    case RTM_GETLINK:
        return sizeof(struct ifinfomsg);
    case RTM_GETADDR:
        return 8; /* struct ifaddrmsg */
    case RTM_GETNEIGH:
        return 12; /* struct ndmsg */
    case RTM_GETNEXTHOP:
        return 8; /* struct nhmsg */
    default:
        return sizeof(struct rtmsg); /* struct fib_rule_hdr is as long */
    }
}

int rj_rtnl_dump(rj_rtnl_t *rtnl, uint16_t type, uint8_t family, rj_rtnl_visit_t *visit,
                 void *state, rj_err_t *err)
{
    for (int i = 0; i < RJ_RTNL_DUMP_TRIES; i++) {
        _Alignas(4) uint8_t bytes[64];
        struct nlmsghdr *request = mnl_nlmsg_put_header(bytes);
        request->nlmsg_type = type;
        request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
        uint8_t *body = mnl_nlmsg_put_extra_header(request, body_bytes_of(type));
        body[0] = family; /* all of these bodies begin with it */
        answer_t answer = {.visit = visit, .state = state};
        const int result = converse(rtnl, request, &answer, err);
        if (result < 0 || !answer.is_interrupted)
            return result;
        rtnl->interrupted_count++;
    }
    return 1;
}

int rj_rtnl_request(rj_rtnl_t *rtnl, struct nlmsghdr *request, rj_rtnl_visit_t *visit, void *state,
                    rj_err_t *err)
{
    answer_t answer = {.visit = visit, .state = state};
    return converse(rtnl, request, &answer, err);
}
