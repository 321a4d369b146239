/* SPDX-License-Identifier: Apache-2.0 */
/* calibrate_rig.h - what both sides of a calibration have: a driver of one transport and tools on
 * it, as processes of this program, and lines of text to the other side.
 *
 *      doctor --calibrate IF PEER               doctor --answer IF
 *        "try gso"      --------------------->    driver, pong, sub
 *                       <---------------------  "ready", or "no: why"
 *        ping, pub      ====== streams =======
 *        "cpu"          --------------------->
 *                       <---------------------  "1234567", ns of its driver so far
 *        "end"          --------------------->    all of them end
 *
 * Units      ns.
 * Ownership  processes end with `rj_rig_close`, and with this one.
 * Thread     the main thread.
 * Errors     negative errno and one line.
 */
#ifndef RJ_CLI_CALIBRATE_RIG_H
#define RJ_CLI_CALIBRATE_RIG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/transport.h"

enum {
    RJ_RIG_TOOLS_MAX = 2,
    RJ_RIG_LINE_MAX = 256,
    RJ_CALIBRATE_PORT = 40700, /* of the lines; the streams have the next three */
};

typedef struct rj_rig {
    char directory[64];
    pid_t driver; /* 0: none */
    pid_t tools[RJ_RIG_TOOLS_MAX];
    int tool_count;
} rj_rig_t;

/* A driver that uses this transport, ready; -ENODEV with its words when it uses another one. */
int rj_rig_open(rj_rig_t *rig, rj_transport_t transport, const char *interface, rj_err_t *err);

/* Ends all. Safe on a closed one. */
void rj_rig_close(rj_rig_t *rig);

/* A tool of ours in the background; `words` end with NULL and begin with the tool's name. */
int rj_rig_start(rj_rig_t *rig, const char *const *words, rj_err_t *err);

/* Runs one to its end and gives what it printed last; fails when it does. */
int rj_rig_run(const rj_rig_t *rig, const char *const *words, char last_line[static 1024],
               rj_err_t *err);

/* CPU time that the driver has taken. */
int64_t rj_rig_cpu_ns(const rj_rig_t *rig);

/* One line each, without its end; -ECONNRESET when the other side is gone. */
int rj_rig_say(int fd, const char *format, ...) __attribute__((format(printf, 2, 3)));
int rj_rig_hear(int fd, char line[static RJ_RIG_LINE_MAX]);

/* The address of an end of that connection as channels have it, with brackets for IPv6. */
typedef enum rj_rig_end { RJ_RIG_HERE, RJ_RIG_THERE } rj_rig_end_t;
void rj_rig_address(int fd, rj_rig_end_t end, char text[static 64]);

#endif
