/* SPDX-License-Identifier: Apache-2.0 */
#include "xdp/reason.h"

#include <stddef.h>

static const char *const names[RJ_XDP_REASON_COUNT] = {
    [RJ_XDP_PASS_VERSION] = "passed: maps of another version",
    [RJ_XDP_PASS_SHORT] = "passed: no whole Ethernet header",
    [RJ_XDP_PASS_OTHER_HOST] = "passed: to another host",
    [RJ_XDP_PASS_NOT_IP] = "passed: not IP",
    [RJ_XDP_PASS_MALFORMED_IP] = "passed: malformed IP",
    [RJ_XDP_PASS_FRAGMENT] = "passed: fragment",
    [RJ_XDP_PASS_NOT_UDP] = "passed: not UDP",
    [RJ_XDP_PASS_MALFORMED_UDP] = "passed: malformed UDP",
    [RJ_XDP_PASS_NO_CHANNEL] = "passed: no channel",
    [RJ_XDP_PASS_NOT_AERON] = "passed: no Aeron frame",
    [RJ_XDP_PASS_CONTROL] = "passed: control frame",
    [RJ_XDP_PASS_NO_STREAM] = "passed: no such stream wanted",
    [RJ_XDP_PASS_VERDICT] = "passed: by verdict",
    [RJ_XDP_PASS_BROKER] = "passed: no broker",
    [RJ_XDP_PASS_OVERSIZE] = "passed: oversize",
    [RJ_XDP_PASS_NO_QUEUE] = "passed: no socket on the queue",
    [RJ_XDP_PASS_OTHER_OWNER] = "passed: the queue is another driver's",
    [RJ_XDP_PASS_NO_ECHO] = "passed: cannot be echoed",
    [RJ_XDP_REDIRECTED_DATA] = "redirected: data",
    [RJ_XDP_REDIRECTED_CONTROL] = "redirected: control frame",
    [RJ_XDP_REDIRECTED_DEFAULT] = "redirected: the channel's default",
    [RJ_XDP_DROPPED] = "dropped: by verdict",
    [RJ_XDP_ECHOED] = "echoed: by verdict",
};

const char *rj_xdp_reason_name(unsigned reason)
{
    return reason < RJ_XDP_REASON_COUNT && names[reason] != NULL ? names[reason] : "?";
}
