#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Called aeronmd the program has that name's command line, property files, exit codes and manner: by
# environment alone, also for an ordinary user, and with nothing on stderr that nobody asked for.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/driver.sh
daemon=$RJ_BUILD/aeronmd
verb=''

# --- the command line ---

prints_version() {
    "$daemon" -v >"$work/out" 2>"$work/err" && [ ! -s "$work/err" ] &&
        grep -qxE '.*/aeronmd [^ ]+ major [0-9]+ minor [0-9]+ patch [0-9]+ git [^ ]+' "$work/out"
}
# shows_usage WORD...: usage on stderr, status 1, and no driver.
shows_usage() {
    status=0
    "$daemon" "$@" >"$work/out" 2>"$work/err" || status=$?
    [ "$status" = 1 ] && [ ! -s "$work/out" ] && grep -q '^Usage: ' "$work/err"
}
gives_help() {
    "$daemon" --help >"$work/out" 2>"$work/err" && [ ! -s "$work/err" ] &&
        grep -q '^Usage: ' "$work/out"
}

check "-v prints one line with the version" prints_version
check "--help prints the usage" gives_help
for option in -x -dir --interface -D; do
    check "an option it does not know, $option: usage, status 1" shows_usage "$option"
done
check "a definition without a value" says 1 "malformed define: aeron.dir" "$daemon" -Daeron.dir
check "a definition of ours that is none" says 1 "ramjet.queue: no such setting" "$daemon" \
    -Dramjet.queue=1

# --- properties: the environment, then -D, then files, each in order ---

# prints NAME LINE: of the configuration.
prints() { grep -qx "    $2" "$work/$1.out" || { cat "$work/$1.out" && return 1; }; }
is_silent() { [ ! -s "$work/$1.err" ] || { cat "$work/$1.err" && return 1; }; }

# begin NAME WORD...: aeronmd with these words, ready.
begin() {
    retire "$1"
    name=$1
    shift
    AERON_DIR=/dev/shm/$name AERON_PRINT_CONFIGURATION=1 "$daemon" "$@" >"$work/$name.out" \
        2>"$work/$name.err" &
    driver=$!
    await is_ready_or_gone "$name" && is_ready "$name" && return 0
    cat "$work/$name.err"
    return 1
}

later_wins() {
    printf 'aeron.mtu.length=4k\n aeron.ipc.mtu.length : 2k\n' >"$work/one.properties"
    printf '# a comment\naeron.ipc.mtu.length=8k\r\n' >"$work/two.properties"
    export AERON_MTU_LENGTH=1k AERON_IPC_MTU_LENGTH=1k AERON_MAX_RESEND=3 AERON_TIMER_INTERVAL=2s
    begin a "$work/one.properties" -Daeron.mtu.length=2k "file://$work/two.properties" \
        -Daeron.max.resend=4 -D aeron.max.resend=5 -Daeron.timer.interval=
    result=$?
    unset AERON_MTU_LENGTH AERON_IPC_MTU_LENGTH AERON_MAX_RESEND AERON_TIMER_INTERVAL
    [ "$result" = 0 ] && prints a mtu_length=4096 && prints a ipc_mtu_length=8192 &&
        prints a max_resend=5 && prints a timer_interval_ns=1000000000 && is_silent a && stop
}
bad_file() {
    printf "%b" "$1" >"$work/bad.properties"
    says 1 "ERROR: loading properties from $work/bad.properties: $2" "$daemon" \
        "$work/bad.properties"
}
check "environment, then -D, then files: the later wins" later_wins
check "a file that is not there" says 1 "ERROR: loading properties from /mnt/none: No such file" \
    "$daemon" /mnt/none
check "a malformed line" bad_file 'a=1\nnonsense\n' "line 2: malformed"
check "a last line without its end" bad_file 'a=1' "line 1: no newline"
check "a setting of ours that is none" bad_file 'ramjet.queue=1\n' "line 1: ramjet.queue: no such"

# --- properties from a server ---

cat >"$work/server.py" <<'PYTHON'
import http.server

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"aeron.mtu.length=4k\n"
        if self.path in ("/moved", "/twice"):
            self.send_response(302 if self.path == "/moved" else 301)
            self.send_header("Location", "/good" if self.path == "/moved" else
                             "http://127.0.0.1:8080/moved")
            self.end_headers()
        elif self.path in ("/good", "/short"):
            self.send_response(200)
            self.send_header("Content-Length", len(body) + (self.path == "/short"))
            self.end_headers()
            self.wfile.write(body)
        else:
            self.send_error(404)

    def log_message(self, *args):
        pass

http.server.HTTPServer(("127.0.0.1", 8080), Handler).serve_forever()
PYTHON
python3 "$work/server.py" &
server=$!
url=http://127.0.0.1:8080
serves() { python3 -c "import urllib.request; urllib.request.urlopen('$url/good')"; }
check "a server for property files" await serves

from_server() { begin a "$url/$1" && prints a mtu_length=4096 && is_silent a && stop; }
# not_from_server PATH REASON
not_from_server() { says 1 "ERROR: loading properties from $url/$1: $2" "$daemon" "$url/$1"; }

check "a file by HTTP" from_server good
check "a file that has moved" from_server moved
check "a file that has moved twice" not_from_server twice "the server answered with status 302"
check "a file that no server has" not_from_server none "the server answered with status 404"
check "a file that is cut short" not_from_server short "the answer was cut short"
check "a server that is not there" says 1 "127.0.0.1: Connection refused" "$daemon" \
    http://127.0.0.1:8081/x
check "a server without a name" says 1 "bad host" "$daemon" http:///x
kill $server

# --- by environment alone ---

# What published test harnesses set (driver.md 23.1), none of which may keep it from starting.
harness() {
    start a AERON_THREADING_MODE="$1" AERON_PRINT_CONFIGURATION=true AERON_EVENT_LOG=admin \
        AERON_EVENT_LOG_DISABLE='' AERON_EVENT_LOG_FILENAME="$work/events" \
        AERON_DRIVER_TERMINATION_VALIDATOR=allow AERON_NAK_UNICAST_DELAY=0 \
        AERON_TIMER_INTERVAL=15000000 AERON_CLIENT_LIVENESS_TIMEOUT=2000000000 \
        AERON_SHARED_IDLE_STRATEGY=yield AERON_SHAREDNETWORK_IDLE_STRATEGY=yield \
        AERON_CONDUCTOR_IDLE_STRATEGY=backoff AERON_SENDER_IDLE_STRATEGY=backoff \
        AERON_RECEIVER_IDLE_STRATEGY=sleep-ns AERON_NATIVE_RESOURCE_AGENT_IDLE_STRATEGY=noop \
        AERON_UNICAST_FLOWCONTROL_SUPPLIER=aeron_unicast_flow_control_strategy_supplier \
        AERON_MULTICAST_FLOWCONTROL_SUPPLIER=aeron_max_multicast_flow_control_strategy_supplier \
        AERON_UNTETHERED_WINDOW_LIMIT_TIMEOUT=1000000000 \
        AERON_UNTETHERED_RESTING_TIMEOUT=1000000000 AERON_DRIVER_STREAM_SESSION_LIMIT=10 \
        AERON_DRIVER_SENDER_CYCLE_THRESHOLD=1000000000 \
        AERON_RECEIVER_WILDCARD_PORT_RANGE='20700 20709' AERON_SOME_FUTURE_SETTING=1 &&
        carries a && is_silent a && $peer terminate /dev/shm/a && ends 0 "$driver" && is_silent a
}
# carries NAME: messages over UDP, through one driver.
carries() {
    "$ramjet" sub --dir "/dev/shm/$1" --channel aeron:udp?endpoint=127.0.0.1:4000 --discard \
        --until-eos --connect-timeout 20s >"$work/sub" 2>&1 &
    subscriber=$!
    "$ramjet" pub --dir "/dev/shm/$1" --channel aeron:udp?endpoint=127.0.0.1:4000 \
        --messages 100 --connect-timeout 20s >"$work/pub" 2>&1 && ends 0 "$subscriber" && return 0
    cat "$work/pub" "$work/sub"
    return 1
}
for mode in DEDICATED SHARED_NETWORK SHARED; do
    check "a test harness's settings, $mode: starts, stays silent, ends with 0" harness $mode
done

says_nothing() {
    start a && [ ! -s "$work/a.out" ] && stop && is_silent a &&
        [ "$(cat "$work/a.out")" = "Shutting down driver..." ]
}
tells_what_was_chosen() {
    start a AERON_PRINT_CONFIGURATION=1 &&
        kind=$(sed -n 's/ *chosen=\([a-z]*\): .*/\1/p' "$work/a.out") &&
        { [ "$kind" = gso ] || [ "$kind" = socket ]; } &&
        prints a "chosen=$kind: no interface is named or attached" &&
        has_counter a "ramjet transport: $kind: no interface is named or attached" &&
        "$ramjet" status --dir /dev/shm/a | grep -q 'no interface is named or attached' && stop
}
misspelt_is_told_once() {
    start a RAMJET_QUEUE=0-3 && stop && [ "$(wc -l <"$work/a.err")" = 1 ] &&
        grep -q 'RAMJET_QUEUE: no such setting' "$work/a.err"
}
check "says nothing but goodbye" says_nothing
check "how data travel is told by print-out, counter and status" tells_what_was_chosen
check "a misspelt variable of ours is told once" misspelt_is_told_once

as_ordinary_user() {
    inside='setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all
        --bounding-set=-all --no-new-privs'
    chmod 1777 "$work"
    start u AERON_DRIVER_TERMINATION_VALIDATOR=allow && inside='' && carries u &&
        [ "$(stat -c %u /dev/shm/u)" = 65534 ] &&
        [ "$(sed -n 's/^CapEff:[^0-9a-f]*//p' "/proc/$driver/status")" = 0000000000000000 ] &&
        $peer terminate /dev/shm/u && ends 0 "$driver" && is_silent u
}
many_at_once() {
    for name in d1 d2 d3; do
        start "$name" && eval "pid_$name=$driver" || return 1
    done
    for name in d1 d2 d3; do
        carries "$name" && eval "driver=\$pid_$name" && stop && is_silent "$name" || return 1
    done
}
check "an ordinary user's driver, without any privilege" as_ordinary_user
inside=''
check "several at once, none in another's way" many_at_once

# --- what else settings do ---

exists_is_told() {
    mkdir /dev/shm/w && start w AERON_DIR_WARN_IF_EXISTS=1 && stop &&
        [ "$(cat "$work/w.err")" = "WARNING: /dev/shm/w exists" ] && rm -rf /dev/shm/w
}
# idles MODE ROLE LABEL: a strategy of this role's that sleeps makes that thread's turns long, or
# without a label is at least looked at.
idles() {
    name=AERON_$2_IDLE_STRATEGY
    says 1 "idle strategy 'mine'" env AERON_DIR=/dev/shm/never AERON_THREADING_MODE="$1" \
        "$name=mine" "$daemon" || return 1
    says 1 "cannot read '1-2'" env AERON_DIR=/dev/shm/never AERON_THREADING_MODE="$1" \
        "$name=backoff" "${name}_INIT_ARGS=1-2" "$daemon" || return 1
    [ -n "$3" ] || return 0
    start i AERON_THREADING_MODE="$1" "$name=sleep-ns" "${name}_INIT_ARGS=80ms" &&
        await reaches i "$3 max cycle time" 80000000 && stop
}
idle_as_set() {
    idles DEDICATED CONDUCTOR Conductor && idles DEDICATED SENDER Sender &&
        idles DEDICATED RECEIVER Receiver && idles SHARED_NETWORK SHAREDNETWORK Sender &&
        idles SHARED SHARED Conductor && idles DEDICATED DRIVER_NATIVE_RESOURCE_AGENT ''
}
loses_by_name() {
    start l AERON_UDP_CHANNEL_INCOMING_INTERCEPTORS=loss \
        AERON_UDP_CHANNEL_TRANSPORT_BINDINGS_LOSS_ARGS='rate=0.3|seed=7|recv-msg-mask=0x2' &&
        carries l && reaches l "Retransmits sent" 1 && stop && is_silent l
}
transport_as_asked() {
    start a RAMJET_TRANSPORT=socket && has_counter a 'ramjet transport: socket: asked for' &&
        stop && is_silent a && start a RAMJET_TRANSPORT=xdp && stop &&
        grep -q 'WARNING: transport xdp: no interface is named' "$work/a.err" &&
        says 1 "RAMJET_TRANSPORT=pigeon: no such transport: give auto, socket, gso" \
            env AERON_DIR=/dev/shm/never RAMJET_TRANSPORT=pigeon "$daemon"
}
check "a directory that exists is told when asked for" exists_is_told
check "every thread is idle as its own setting says" idle_as_set
check "a loss tool loses and counts, by its name" loses_by_name
check "the transport that was asked for is used, or missed" transport_as_asked

# --- events ---

records_events() {
    rm -f "$work/events" && start a AERON_EVENT_LOG=admin AERON_EVENT_LOG_FILENAME="$work/events" &&
        carries a && stop && is_silent a && cat "$work/events" &&
        grep -q 'DRIVER: CMD_IN_ADD_SUBSCRIPTION .*channel=aeron:udp?endpoint=127.0.0.1:4000' \
            "$work/events" &&
        grep -q 'DRIVER: CMD_OUT_PUBLICATION_READY .*logFileName=' "$work/events"
}
records_on_stdout() {
    start a AERON_EVENT_LOG=CMD_IN_CLIENT_CLOSE && carries a && stop && is_silent a &&
        [ "$(grep -c 'DRIVER: ' "$work/a.out")" = 3 ] &&
        grep -q 'DRIVER: CMD_IN_CLIENT_CLOSE .*clientId=' "$work/a.out"
}
tells_of_unknown_events() {
    start a AERON_EVENT_LOG=admin,bogus,NAK_SENT AERON_EVENT_LOG_FILENAME=/dev/null && stop &&
        [ "$(cat "$work/a.err")" = "unknown event code: 'bogus'
WARNING: event NAK_SENT is not recorded by this driver" ]
}
check "clients' commands and answers are recorded in a file" records_events
check "those that were named, on stdout" records_on_stdout
check "events that nobody records are told" tells_of_unknown_events
check "a file for events that cannot be written" says 1 "could not open log file" env \
    AERON_DIR=/dev/shm/never AERON_EVENT_LOG=admin AERON_EVENT_LOG_FILENAME=/mnt/none/x "$daemon"

# --- threads ---

# threads: of the driver, their names, sorted, as the system shows them.
threads() { cat "/proc/$driver/task/"*/comm | LC_ALL=C sort | tr '\n' ' ' && echo; }
# thread_named NAME: its id.
thread_named() { grep -lx "$1" "/proc/$driver/task/"*/comm | sed 's,/comm$,,;s,.*/,,'; }
cpus_of() {
    sed -n 's/^Cpus_allowed_list:[^0-9]*//p' "/proc/$driver/task/$(thread_named "$1")/status"
}
are_threads() { # NAMES: a thread begins with its parent's, and takes its own
    threads >"$work/threads" && cat "$work/threads" && grep -qx "$1 " "$work/threads"
}
# has_threads MODE NAMING NAMES
has_threads() {
    start a AERON_THREADING_MODE="$1" AERON_THREAD_NAMING="$2" && await are_threads "$3" && stop
}
check "threads of DEDICATED" has_threads DEDICATED classic 'aeron-md-nra aeronmd receiver sender'
check "threads of DEDICATED, named anew" has_threads DEDICATED new \
    'aeron-md-cnd aeron-md-nra aeron-md-rcv aeron-md-snd'
check "threads of SHARED_NETWORK" has_threads SHARED_NETWORK classic \
    '\[sender, recei. aeron-md-nra aeronmd'
check "threads of SHARED_NETWORK, named anew" has_threads SHARED_NETWORK new \
    'aeron-md-cnd aeron-md-net aeron-md-nra'
check "threads of SHARED" has_threads SHARED classic 'aeron-md-nra aeronmd'
check "threads of SHARED, named anew" has_threads SHARED new 'aeron-md-nra aeron-md-shd'

first_cpu=$(taskset -cp $$ | sed 's/.*: //;s/[-,].*//')
pins_threads() {
    start a AERON_CONDUCTOR_CPU_AFFINITY="$first_cpu" AERON_SENDER_CPU_AFFINITY="$first_cpu" \
        AERON_RECEIVER_CPU_AFFINITY="$first_cpu" \
        AERON_DRIVER_NATIVE_RESOURCE_AGENT_CPU_AFFINITY="$first_cpu" || return 1
    for thread in aeronmd sender receiver aeron-md-nra; do
        [ "$(cpus_of "$thread")" = "$first_cpu" ] || return 1
    done
    stop && is_silent a
}
tells_of_missing_cpu() {
    start a AERON_RECEIVER_CPU_AFFINITY=255 && stop && is_silent a &&
        "$ramjet" errors --dir /dev/shm/a | grep -q 'thread receiver stays on any CPU, CPU 255'
}
maps_into_cpuset() {
    start a AERON_DRIVER_CPUSET_AFFINITY=true AERON_SENDER_CPU_AFFINITY=0 \
        AERON_PRINT_CONFIGURATION=1 &&
        prints a "sender_cpu_affinity_no=$(cpus_of sender)" && stop
}
check "threads stay on the CPUs that were named" pins_threads
check "a CPU that is not there is told in the error log, that is all" tells_of_missing_cpu
if grep -q '^0::' /proc/self/cgroup && [ -f /sys/fs/cgroup/cpuset.cpus.effective ]; then
    check "CPUs are places in the cpuset when asked for" maps_into_cpuset
    check "a place behind the end of the cpuset" says 1 "the cpuset has" env \
        AERON_DIR=/dev/shm/never AERON_DRIVER_CPUSET_AFFINITY=1 AERON_SENDER_CPU_AFFINITY=255 \
        "$daemon"
else
    echo "skip CPUs are places in the cpuset when asked for: no cgroup v2 with a cpuset here"
fi

# --- files ---

# pages_of BYTES: every file is a multiple, and the CnC file says so (shm.md 3).
pages_of() {
    start a AERON_FILE_PAGE_SIZE="$1" && carries a || return 1
    [ "$(od -A n -t d4 -j 48 -N 4 /dev/shm/a/cnc.dat | tr -d ' ')" = "$2" ] || return 1
    for file in /dev/shm/a/*.dat; do
        [ $(($(stat -c %s "$file") % $2)) = 0 ] || return 1
    done
    stop
}
check "files are multiples of 16 KiB" pages_of 16k 16384
check "files are multiples of 2 MiB" pages_of 2m 2097152

exit "$failed"
