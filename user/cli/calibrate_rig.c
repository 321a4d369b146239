/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/calibrate_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/driver_files.h"

enum { WORDS_MAX = 24, POLL_NS = 5000000 };

static const int64_t patience_ns = INT64_C(15000000000);

/* --- processes --- */

/* Becomes a tool of this program: its words go to `out_fd`, and it ends with its parent. */
static _Noreturn void become(const char *const *words, const char *directory, int out_fd)
{
    const char *arguments[WORDS_MAX + 1] = {"ramjet"};
    int count = 1;
    for (int i = 0; words[i] != NULL && count < WORDS_MAX; i++)
        arguments[count++] = words[i];
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    setenv("AERON_DIR", directory, 1);
    setenv("AERON_DIR_DELETE_ON_SHUTDOWN", "1", 1);
    dup2(out_fd, STDOUT_FILENO);
    dup2(out_fd, STDERR_FILENO);
    execv("/proc/self/exe", (char *const *)(uintptr_t)arguments);
    _exit(127);
}

static pid_t start(const char *const *words, const char *directory, int out_fd)
{
    fflush(stdout);
    const pid_t pid = fork();
    if (pid == 0)
        become(words, directory, out_fd);
    return pid;
}

static void end(pid_t pid)
{
    if (pid <= 0)
        return;
    kill(pid, SIGTERM);
    const int64_t give_up_ns = rj_clock_mono_ns() + patience_ns;
    while (waitpid(pid, NULL, WNOHANG) == 0) {
        if (rj_clock_mono_ns() > give_up_ns)
            kill(pid, SIGKILL);
        rj_clock_sleep_ns(POLL_NS);
    }
}

/* What a process wrote, the last line of it. */
static void read_last_line(int fd, char line[static 1024])
{
    char text[4096];
    const off_t length = lseek(fd, 0, SEEK_END);
    const off_t from = length > (off_t)sizeof(text) - 1 ? length - (off_t)sizeof(text) + 1 : 0;
    const ssize_t got = pread(fd, text, sizeof(text) - 1, from);
    text[got > 0 ? got : 0] = '\0';
    for (size_t used = strlen(text); used > 0 && text[used - 1] == '\n';)
        text[--used] = '\0';
    const char *last = strrchr(text, '\n');
    snprintf(line, 1024, "%s", last != NULL ? last + 1 : text);
}

/* --- the driver --- */

/* Whether it uses what it was asked to; "" while nobody can tell. */
static void read_choice(const char *directory, char choice[static RJ_DRIVER_TRANSPORT_MAX])
{
    rj_driver_files_t files;
    choice[0] = '\0';
    if (rj_driver_files_open(&files, directory, NULL) < 0)
        return;
    (void)rj_driver_files_transport(&files, choice);
    rj_driver_files_close(&files);
}

static int await_driver(rj_rig_t *rig, rj_transport_t transport, int out_fd, rj_err_t *err)
{
    const char *name = rj_transport_name(transport);
    const int64_t give_up_ns = rj_clock_mono_ns() + patience_ns;
    char choice[RJ_DRIVER_TRANSPORT_MAX] = "";
    char words[1024];
    while (choice[0] == '\0') {
        if (waitpid(rig->driver, NULL, WNOHANG) != 0 || rj_clock_mono_ns() > give_up_ns) {
            rig->driver = 0;
            read_last_line(out_fd, words);
            return rj_fail(err, -ENODEV, "%.200s", words);
        }
        rj_clock_sleep_ns(POLL_NS);
        read_choice(rig->directory, choice);
    }
    const size_t length = strcspn(choice, ":");
    if (transport == RJ_TRANSPORT_AUTO ||
        (strlen(name) == length && strncmp(choice, name, length) == 0))
        return 0;
    return rj_fail(err, -ENODEV, "%.200s", choice);
}

int rj_rig_open(rj_rig_t *rig, rj_transport_t transport, const char *interface, rj_err_t *err)
{
    const char *words[] = {"driver",
                           "--transport",
                           rj_transport_name(transport),
                           rj_transport_is_socket(transport) ? NULL : "--interface",
                           interface,
                           NULL};
    *rig = (rj_rig_t){.driver = 0};
    snprintf(rig->directory, sizeof(rig->directory), "/dev/shm/ramjet-doctor-%d", (int)getpid());
    const int out_fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (out_fd < 0)
        return rj_fail(err, -errno, "/tmp: %s", strerror(errno));
    rig->driver = start(words, rig->directory, out_fd);
    const int result = rig->driver < 0
                           ? rj_fail(err, -errno, "cannot start a driver: %s", strerror(errno))
                           : await_driver(rig, transport, out_fd, err);
    close(out_fd);
    if (result < 0)
        rj_rig_close(rig);
    return result;
}

void rj_rig_close(rj_rig_t *rig)
{
    for (int i = 0; i < rig->tool_count; i++)
        end(rig->tools[i]);
    end(rig->driver);
    *rig = (rj_rig_t){.driver = 0};
}

int rj_rig_start(rj_rig_t *rig, const char *const *words, rj_err_t *err)
{
    const int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    const pid_t pid = null_fd < 0 ? -1 : start(words, rig->directory, null_fd);
    if (null_fd >= 0)
        close(null_fd);
    if (pid < 0)
        return rj_fail(err, -errno, "cannot start %s: %s", words[0], strerror(errno));
    rig->tools[rig->tool_count++] = pid;
    return 0;
}

int rj_rig_run(const rj_rig_t *rig, const char *const *words, char last_line[static 1024],
               rj_err_t *err)
{
    int status = -1;
    const int out_fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (out_fd < 0)
        return rj_fail(err, -errno, "/tmp: %s", strerror(errno));
    const pid_t pid = start(words, rig->directory, out_fd);
    if (pid > 0)
        waitpid(pid, &status, 0);
    read_last_line(out_fd, last_line);
    close(out_fd);
    return status == 0 ? 0 : rj_fail(err, -EIO, "%s: %.200s", words[0], last_line);
}

int64_t rj_rig_cpu_ns(const rj_rig_t *rig)
{
    char path[64];
    char text[1024] = "";
    unsigned long user = 0, kernel = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)rig->driver);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    const char *rest = fgets(text, sizeof(text), file) != NULL ? strrchr(text, ')') : NULL;
    fclose(file);
    if (rest == NULL ||
        sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel) != 2)
        return 0;
    return (int64_t)(user + kernel) * (INT64_C(1000000000) / sysconf(_SC_CLK_TCK));
}

/* --- lines --- */

int rj_rig_say(int fd, const char *format, ...)
{
    char line[RJ_RIG_LINE_MAX];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line, sizeof(line) - 1, format, args);
    va_end(args);
    if (length > (int)sizeof(line) - 2)
        length = (int)sizeof(line) - 2;
    line[length++] = '\n';
    return send(fd, line, (size_t)length, MSG_NOSIGNAL) == length ? 0 : -ECONNRESET;
}

int rj_rig_hear(int fd, char line[static RJ_RIG_LINE_MAX])
{
    for (size_t used = 0; used < RJ_RIG_LINE_MAX; used++) {
        if (recv(fd, &line[used], 1, 0) != 1)
            return -ECONNRESET;
        if (line[used] == '\n') {
            line[used] = '\0';
            return 0;
        }
    }
    return -ECONNRESET;
}

void rj_rig_address(int fd, rj_rig_end_t end, char text[static 64])
{
    struct sockaddr_storage address;
    socklen_t length = sizeof(address);
    char host[NI_MAXHOST] = "?";
    if (end == RJ_RIG_HERE)
        getsockname(fd, (struct sockaddr *)&address, &length);
    else
        getpeername(fd, (struct sockaddr *)&address, &length);
    getnameinfo((struct sockaddr *)&address, length, host, sizeof(host), NULL, 0, NI_NUMERICHOST);
    const char *plain = strncmp(host, "::ffff:", 7) == 0 ? host + 7 : host;
    snprintf(text, 64, strchr(plain, ':') != NULL ? "[%.58s]" : "%.60s", plain);
}
