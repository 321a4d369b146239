/* SPDX-License-Identifier: Apache-2.0 */
#include "lab/run.h"

#include "lab/netns.h"
#include "lab/offload.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 40, OUTPUT_MAX = 512, LOCK_ATTEMPTS = 100, LOCK_PAUSE_MS = 50 };

extern char **environ;

int rj_lab_check_privilege(rj_err_t *err)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
    const uint32_t needed = 1u << CAP_SYS_ADMIN | 1u << CAP_NET_ADMIN;
    if (syscall(SYS_capget, &header, data) == 0 && (data[0].effective & needed) == needed)
        return 0;
    return rj_fail(err, -EPERM, "needs CAP_SYS_ADMIN and CAP_NET_ADMIN: run as root");
}

/* An abstract socket's name: taken at once or not at all, and gone with the process. The commands
 * we run inherit it on purpose: when we are killed, nobody may start before the last of them has
 * ended. */
int rj_lab_lock(const char *lab, int *ret_fd, rj_err_t *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "ramjet-lab/%s", lab);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0)
        return rj_fail(err, -errno, "cannot make a lock: %s", strerror(errno));
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
    int code = -EADDRINUSE;
    for (int attempt = 0; attempt < LOCK_ATTEMPTS && code == -EADDRINUSE; attempt++) {
        if (attempt > 0)
            poll(NULL, 0, LOCK_PAUSE_MS);
        code = bind(fd, (struct sockaddr *)&address, size) == 0 ? 0 : -errno;
    }
    if (code == 0) {
        *ret_fd = fd;
        return 0;
    }
    close(fd);
    if (code == -EADDRINUSE)
        return rj_fail(err, -EBUSY, "another ramjet changes lab %s now: try again when it is done",
                       lab);
    return rj_fail(err, code, "cannot lock lab %s: %s", lab, strerror(-code));
}

/* The child has the caller's signals unblocked, so that Ctrl-C ends it too. */
static int spawn_ip(char **argv, int output_fd, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output_fd, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output_fd, STDERR_FILENO);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    int code = -posix_spawnp(ret_pid, "ip", &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return code;
}

/* Reads to the end, so that the child never waits for us; keeps what fits. */
static void read_output(int fd, char ret_text[static OUTPUT_MAX])
{
    char rest[OUTPUT_MAX];
    size_t length = 0;
    for (;;) {
        bool is_full = length == OUTPUT_MAX - 1;
        ssize_t got = read(fd, is_full ? rest : ret_text + length,
                           is_full ? sizeof(rest) : OUTPUT_MAX - 1 - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        if (!is_full)
            length += (size_t)got;
    }
    ret_text[length] = '\0';
    ret_text[strcspn(ret_text, "\n")] = '\0';
}

static int run_ip_words(char **argv, rj_err_t *err)
{
    char output[OUTPUT_MAX];
    int pipe_fds[2];
    pid_t pid = 0;
    int status = 0;
    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        return rj_fail(err, -errno, "cannot make a pipe: %s", strerror(errno));
    int code = spawn_ip(argv, pipe_fds[1], &pid);
    close(pipe_fds[1]);
    if (code == 0)
        read_output(pipe_fds[0], output);
    close(pipe_fds[0]);
    if (code != 0)
        return rj_fail(err, code, "cannot run ip: %s%s", strerror(-code),
                       code == -ENOENT ? ": install iproute2" : "");
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return rj_fail(err, -errno, "lost the process: %s", strerror(errno));
    if (WIFSIGNALED(status))
        return rj_fail(err, -EINTR, "ended by signal %d", WTERMSIG(status));
    if (WEXITSTATUS(status) != 0)
        return rj_fail(err, -EIO, "%s", output[0] != '\0' ? output : "failed without a word");
    return 0;
}

static int run_ip(const rj_lab_step_t *step, rj_err_t *err)
{
    char text[RJ_LAB_STEP_TEXT_MAX + RJ_LAB_NAMESPACE_MAX + 8];
    char *argv[ARGUMENTS_MAX + 1];
    char *place = NULL;
    size_t count = 0;
    rj_lab_step_print(step, text, sizeof(text));
    for (char *word = strtok_r(text, " ", &place); word != NULL && count < ARGUMENTS_MAX;
         word = strtok_r(NULL, " ", &place))
        argv[count++] = word;
    argv[count] = NULL;
    return run_ip_words(argv, err);
}

static int write_sysctl(const rj_lab_step_t *step, rj_err_t *err)
{
    char path[RJ_LAB_STEP_TEXT_MAX + 16];
    const char *value = strchr(step->text, ' ') + 1;
    rj_netns_t netns;
    snprintf(path, sizeof(path), "/proc/sys/%.*s", (int)(value - 1 - step->text), step->text);
    int code = rj_netns_enter(&netns, step->namespace, err);
    if (code != 0)
        return code;
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool is_lacking = fd < 0 && errno == ENOENT && step->kind == RJ_LAB_STEP_TRY_SYSCTL;
    if (!is_lacking && (fd < 0 || write(fd, value, strlen(value)) < 0))
        code = rj_fail(err, -errno, "%s", strerror(errno));
    if (fd >= 0)
        close(fd);
    rj_netns_leave(&netns);
    return code;
}

static int enable_gro(const rj_lab_step_t *step, rj_err_t *err)
{
    rj_netns_t netns;
    int code = rj_netns_enter(&netns, step->namespace, err);
    if (code != 0)
        return code;
    code = rj_lab_gro_enable(step->text, err);
    rj_netns_leave(&netns);
    return code;
}

static int run_by_kind(const rj_lab_step_t *step, rj_err_t *err)
{
    switch (step->kind) {
    case RJ_LAB_STEP_SYSCTL:
    case RJ_LAB_STEP_TRY_SYSCTL:
        return write_sysctl(step, err);
    case RJ_LAB_STEP_GRO:
        return enable_gro(step, err);
    case RJ_LAB_STEP_IP:
    case RJ_LAB_STEP_TRY_IP:
        break;
    }
    return run_ip(step, err);
}

static int run_step(const rj_lab_step_t *step, rj_err_t *err)
{
    char text[RJ_LAB_STEP_TEXT_MAX + 64];
    int code = run_by_kind(step, err);
    if (code == 0 || step->kind == RJ_LAB_STEP_TRY_IP)
        return 0;
    rj_lab_step_print(step, text, sizeof(text));
    return rj_err_context(err, "%s: ", text);
}

static bool is_interrupted(void)
{
    sigset_t pending;
    return sigpending(&pending) == 0 &&
           (sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1 ||
            sigismember(&pending, SIGHUP) == 1);
}

int rj_lab_run(const rj_lab_plan_t *plan, rj_err_t *err)
{
    for (size_t i = 0; i < plan->count; i++) {
        if (is_interrupted())
            return rj_fail(err, -EINTR, "interrupted");
        int code = run_step(&plan->steps[i], err);
        if (code != 0)
            return code;
    }
    return 0;
}

int rj_lab_run_all(const rj_lab_plan_t *plan, rj_err_t *err)
{
    int first = 0;
    rj_err_t other;
    for (size_t i = 0; i < plan->count; i++) {
        int code = run_step(&plan->steps[i], first == 0 ? err : &other);
        if (first == 0)
            first = code;
    }
    return first;
}
