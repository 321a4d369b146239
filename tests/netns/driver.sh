# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# What the tests of a running driver share; they source this file, which starts them again in
# namespaces of their own: network, mounts, processes. So ports and /dev/shm are theirs alone, and
# nothing outlives them.

if [ -z "${RJ_ISOLATED:-}" ]; then
    exec env RJ_ISOLATED=1 RJ_BUILD="$(cd "${RJ_BUILD:-build}" && pwd)" \
        unshare --net --mount --pid --fork --kill-child --mount-proc "$0" "$@"
fi
trap 'exit 130' INT TERM

ramjet=$RJ_BUILD/ramjet
# shellcheck disable=SC2034 # theirs
peer="python3 tests/netns/driver_peer.py"
mount -t tmpfs -o size=2g tmpfs /dev/shm
mount -t tmpfs tmpfs /mnt
ip link set lo up
work=/mnt # for what is said; drivers live in /dev/shm
# shellcheck disable=SC2034
failed=0
unset AERON_DIR

# check NAME COMMAND...: ok when the command succeeds. `tell_more` says what else is worth knowing
# when it does not.
tell_more=:
check() {
    title=$1
    shift
    if "$@" >"$work/check" 2>&1; then
        echo "ok $title"
    else
        echo "not ok $title"
        tell_drivers >>"$work/check" 2>&1
        # shellcheck disable=SC2086 # words
        $tell_more >>"$work/check" 2>&1
        sed 's/^/    | /' "$work/check"
        # shellcheck disable=SC2034 # the script's exit status
        failed=1
    fi
}

# tell_drivers: what each driver says of itself, for whoever has to find out why a check failed.
tell_drivers() {
    for file in "$work"/*.err; do
        [ ! -s "$file" ] || { echo "$file:" && tail -n 20 "$file"; }
    done
    for cnc in /dev/shm/*/cnc.dat; do
        told=$(dirname "$cnc")
        [ -f "$cnc" ] || continue
        echo "$told:"
        timeout 5 "$ramjet" stat --dir "$told" | awk '$2 != 0'
    done
}

# await COMMAND...: until it succeeds, half a minute at most.
await() {
    deadline_s=$(($(date +%s) + 30))
    until "$@" >"$work/await" 2>&1; do
        if [ "$(date +%s)" -ge $deadline_s ]; then
            echo "in vain: $*" && cat "$work/await" && return 1
        fi
        sleep 0.05
    done
}

# has_ended PID: it no longer runs, whether or not somebody has asked for its status.
has_ended() {
    ! state=$(cut -d ' ' -f 3 "/proc/$1/stat" 2>/dev/null) || [ "$state" = Z ]
}

# ends CODE PID: a process that we started ends soon, with that status.
ends() {
    await has_ended "$2" || return 1
    status=0
    wait "$2" || status=$?
    [ "$status" = "$1" ] || { echo "status $status, not $1" && return 1; }
}

# launch NAME [VARIABLE=VALUE...]: a driver in the background, `driver` is its process. `inside` are
# the words that take it elsewhere, and end as the command that follows them; it has the name of
# `daemon`, and its first operand. RJ_TRANSPORT from outside is its transport, unless the test says
# otherwise.
inside='' daemon=$ramjet verb=driver
launch() {
    name=$1
    shift
    mkdir -p "$(dirname "$work/$name")"
    # shellcheck disable=SC2086 # words
    $inside env AERON_DIR="/dev/shm/$name" ${RJ_TRANSPORT:+"RAMJET_TRANSPORT=$RJ_TRANSPORT"} \
        "$@" "$daemon" $verb \
        >"$work/$name.out" 2>"$work/$name.err" &
    driver=$!
    echo "$driver" >"$work/$name.pid"
}

is_ready() {
    [ "$(pid_of "$1")" = "$driver" ]
}

is_ready_or_gone() {
    is_ready "$1" || has_ended "$driver"
}

# pid_of NAME: the driver that says it lives there. Its file is valid once the version is. Both are
# looked at in one file: between two looks a successor may have put its own in the place of a valid
# one, with its pid, and not a word of its version yet.
pid_of() {
    od -A n -v -t d4 -w44 -N 44 "/dev/shm/$1/cnc.dat" |
        awk '$1 != 0 && NF == 11 { print $11; found = 1 } END { exit !found }'
}

# retire NAME: ends a driver that a failed check has left there, so that others can be judged.
retire() {
    old=$(cat "$work/$1.pid" 2>/dev/null) || return 0
    has_ended "$old" || { kill -KILL "$old" && await has_ended "$old" && rm -rf "/dev/shm/$1"; }
}

# start NAME [VARIABLE=VALUE...]: launched and ready. Short timers, so that what dies is soon gone;
# but a publication lingers for some heartbeats, which tell of the end of its stream.
start() {
    name=$1
    shift
    retire "$name"
    launch "$name" AERON_TIMER_INTERVAL=20ms AERON_CLIENT_LIVENESS_TIMEOUT=2s \
        AERON_PUBLICATION_UNBLOCK_TIMEOUT=3s AERON_IMAGE_LIVENESS_TIMEOUT=1s \
        AERON_PUBLICATION_LINGER_TIMEOUT=1s AERON_TERM_BUFFER_LENGTH=1m \
        AERON_IPC_TERM_BUFFER_LENGTH=1m "$@"
    await is_ready_or_gone "$name"
    is_ready "$name" && return 0
    cat "$work/$name.err"
    ! has_ended "$driver" || { wait "$driver" || echo "ended with status $?"; }
    return 1
}

# stop: the driver ends, as SIGTERM has it.
stop() {
    kill "$driver" && ends 15 "$driver"
}

# says CODE TEXT COMMAND...: ends with that code and one line on stderr that holds the text; within
# 20 s, for what should have been refused may have started.
says() {
    code=$1 text=$2
    shift 2
    status=0
    timeout -k 5 20 "$@" </dev/null >"$work/words.out" 2>"$work/words" || status=$?
    words=$(cat "$work/words")
    if [ "$status" = "$code" ] && [ "$(printf '%s\n' "$words" | wc -l)" = 1 ]; then
        case $words in *"$text"*) return 0 ;; esac
    fi
    printf 'status %s, said: %s\n' "$status" "$words"
    return 1
}

# value NAME LABEL: of the first counter whose label begins so.
value() {
    "$ramjet" stat --dir "/dev/shm/$1" | awk -v label="$2" '
        { value = $2; $1 = $2 = ""; sub(/^ +/, "") }
        index($0, label) == 1 { print value; found = 1; exit }
        END { exit !found }'
}

# reaches NAME LABEL VALUE: that counter is there and not below.
reaches() {
    [ "$(value "$1" "$2" || echo -1)" -ge "$3" ]
}

# has_counter NAME LABEL
has_counter() {
    value "$1" "$2" >/dev/null
}

# is_empty NAME: the driver has nothing but its own counters and holds no log buffer.
is_empty() {
    "$ramjet" stat --dir "/dev/shm/$1" | tail -n +48 |
        grep -Ev ' ramjet (transport:|port) ' >"$work/left"
    find "/dev/shm/$1/publications" "/dev/shm/$1/images" -type f >>"$work/left"
    [ ! -s "$work/left" ] || { cat "$work/left" && return 1; }
}
