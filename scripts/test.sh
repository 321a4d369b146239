#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the tests and counts them. usage: scripts/test.sh [--install] [--quiet] [stage...]
#
# Every test ends as one line: "ok NAME", "not ok NAME" or "skip NAME reason". The last line
# is "N passed, N failed, N skipped"; the exit status is 1 when one failed. --install first
# installs what the stages need; --quiet shows only what is not ok. docs/testing.md has more.
set -eu
cd "$(dirname "$0")/.."

stages_all="style build install unit sim asan tsan fuzz bpf netns guest interop"
O=${O:-build}
log=$O/test-logs
results=$log/results
jobs=$(nproc)
quiet=
install=
# What slows programs down must not make their deadline fail: these only catch the hanging.
patience=${TEST_PATIENCE:-600}
# How many tests wait at the same time, and how many do at the moment.
lanes=${TEST_LANES:-$((jobs + 1))}
abreast=0

# say VERDICT NAME [REASON]: one test is decided.
say() {
    echo "$*" >>"$results"
    case $quiet$1 in
    yesok) ;;
    *) echo "$*" ;;
    esac
}

# Shows what a failed program printed.
show() {
    [ ! -s "$1" ] || tail -n "${2:-40}" "$1" | sed 's/^/    | /'
}

# Turns what a test program reports, Criterion's TAP or plain "ok NAME" lines, into ours.
decode() {
    sed -nE -e 's/ +\([0-9.]+s\)$//;t name' -e ':name' \
        -e "s/^ok +(- +)?(.*[^ ]) +# SKIP *(.*)/skip $1 \\2 \\3/p;t" \
        -e "s/^ok +(- +)?/ok $1 /p;s/^not ok +(- +)?/not ok $1 /p;s/^skip +/skip $1 /p" "$2"
}

# Takes over a program's own verdicts and holds them against its exit status and its plan: a
# program that was killed, or that lost a test on the way, has failed whatever it printed.
judge() { # STAGE NAME STATUS REPORT LOG
    decode "$1" "$4" >"$log/decoded"
    while read -r line; do
        case $line in
        'not ok '*) say not ok "${line#not ok }" ;;
        'skip '*) say skip "${line#skip }" ;;
        *) say ok "${line#ok }" ;;
        esac
    done <"$log/decoded"
    told=$(wc -l <"$log/decoded")
    bad=$(grep -c '^not ok ' "$log/decoded" || true)
    planned=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$4" | tail -n 1)
    if [ "$3" = 124 ] || [ "$3" = 137 ]; then
        say not ok "$1 $2 was killed after $patience s"
    elif [ "$3" = 0 ] && { [ "$planned" = 0 ] || [ "${planned:-$told}" != "$told" ]; }; then
        say not ok "$1 $2 reported $told of $planned tests"
    elif [ "$3" != 0 ] && [ "$bad" = 0 ]; then
        say not ok "$1 $2 exit status $3"
    elif [ "$told" = 0 ]; then
        say ok "$1 $2"
        return 0
    elif [ "$bad" = 0 ]; then
        return 0
    fi
    show "$5"
}

# What runs ends with us.
interrupted() {
    # shellcheck disable=SC2046 # words
    kill $(jobs -p) 2>/dev/null || true
    exit 130
}

# await LOG COMMAND...: the command's exit status, or 124 when it had to be killed. It runs in a
# group of its own, which an interrupt from the keyboard does not reach; our trap ends it then.
await() {
    out=$1
    shift
    timeout -k 10 "$patience" env --default-signal=INT,QUIT "$@" </dev/null >"$out" 2>&1 &
    wait $!
}

# run STAGE NAME COMMAND...: a program that reports on stdout, or by its exit status alone.
run() {
    stage=$1 name=$2 out=$log/$1.$2.log status=0
    shift 2
    await "$out" "$@" || status=$?
    judge "$stage" "$name" "$status" "$out" "$out"
}

# Tests that have a network and files of their own spend most of their time waiting: some of them
# run abreast. Who has ended says so in a fifo, which is descriptor 9, and is judged by the one
# shell that counts.
#
# start STAGE NAME COMMAND...: as run, beside others.
start() {
    [ "$abreast" -lt "$lanes" ] || settle_one
    stage=$1 name=$2 out=$log/$1.$2.log
    shift 2
    (
        trap interrupted INT TERM HUP
        status=0
        await "$out" "$@" 9>&- || status=$?
        echo "$status $stage $name" >&9
    ) &
    abreast=$((abreast + 1))
}
settle_one() {
    read -r status stage name <&9
    abreast=$((abreast - 1))
    judge "$stage" "$name" "$status" "$log/$stage.$name.log" "$log/$stage.$name.log"
}
# settle: all that was started is judged.
settle() {
    while [ "$abreast" -gt 0 ]; do
        settle_one
    done
}

# With a loopback of its own where that is allowed: ports are this test's alone.
own_loopback() {
    if unshare --net ip link set lo up 2>/dev/null; then
        # shellcheck disable=SC2016 # the inner shell's
        await "$1" unshare --net sh -c 'ip link set lo up && exec "$@"' sh "$2" "$3"
    else
        await "$@"
    fi
}

# A Criterion program; its report goes to a file of its own, where no test's output can disturb it.
run_criterion() {
    stage=$1 name=$(basename "$2") status=0
    tap=$log/$stage.$name.tap out=$log/$stage.$name.log
    rm -f "$tap"
    own_loopback "$out" "$2" "--tap=$tap" || status=$?
    [ -f "$tap" ] || echo "1..0" >"$tap"
    judge "$stage" "$name" "$status" "$tap" "$out"
}

# compile STAGE ARGUMENT...: builds quietly, or fails the stage and shows the compiler's words.
compile() {
    stage=$1
    shift
    if make -s --no-print-directory -j"$jobs" "$@" >"$log/$stage.build.log" 2>&1; then
        return 0
    fi
    say not ok "$stage build"
    sed -i '/^  [A-Z]* /d' "$log/$stage.build.log"
    show "$log/$stage.build.log" 30
    return 1
}

root_or_skip() {
    [ "$(id -u)" = 0 ] && return 0
    say skip "$1" "needs root"
    return 1
}

# list PATTERN...: the files that exist, or nothing.
list() {
    ls "$@" 2>/dev/null || true
}

# some STAGE PATTERN...: whether there is anything for this stage to run.
some() {
    stage=$1
    shift
    [ -z "$(list "$@")" ] || return 0
    say skip "$stage" "no tests in $(dirname "$1")"
    return 1
}

stage_style() {
    run style layers scripts/check-layers.sh
    run style headers scripts/check-headers.sh
    run style tidy scripts/tidy.sh
}

stage_build() {
    compile build O="$O" tests || return 0
    say ok build
}

stage_install() {
    compile install O="$O" all || return 0
    run install headers-and-library scripts/test-install.sh "$O"
}

stage_unit() {
    compile unit O="$O" tests || return 0
    for test in $(list tests/unit/test_*.c); do
        run_criterion unit "$O/${test%.c}"
    done
    run unit settings scripts/configuration.sh --check "$O"
    run unit compatibility scripts/compatibility.sh
    run unit bench python3 -B bench/test_bench.py
}

stage_sim() {
    compile sim O="$O" tests || return 0
    if [ -x "$O/tests/sim" ]; then
        run sim seeds "$O/tests/sim" --list tests/sim/seeds.txt --seeds "${SEEDS:-$sim_seeds}" \
            --seed "${SEED:-1}"
    else
        say skip sim "no simulation in tests/sim"
    fi
}

# clang's build serves both this stage and the fuzzers, and proves that clang takes our code.
sanitized() {
    compile "$1" CC=clang O="$O-asan" SAN=address,undefined,fuzzer-no-link tests fuzzers
}

# The same seeds give the same events whoever compiled: else a seed replays nothing.
same_trace() {
    compile asan O="$O" tests || return 0
    await "$log/trace.gcc" "$O/tests/sim" --seeds "${ASAN_SEEDS:-10}" --seed "${SEED:-1}" || true
    if grep -q '^trace ' "$log/trace.gcc" &&
        [ "$(grep '^trace ' "$log/trace.gcc")" = "$(grep '^trace ' "$log/asan.sim.log")" ]; then
        say ok "asan sim has the same trace as gcc's"
    else
        say not ok "asan sim has another trace than gcc's"
    fi
}

stage_asan() {
    sanitized asan || return 0
    rm -f "$log"/asan.report.*
    # Criterion does not notice a leak: what counts is whether a report was written.
    export ASAN_OPTIONS="log_path=$PWD/$log/asan.report:detect_leaks=1"
    export UBSAN_OPTIONS="print_stacktrace=1"
    for test in $(list tests/unit/test_*.c); do
        run_criterion asan "$O-asan/${test%.c}"
        reports asan "$(basename "$test" .c)"
    done
    if [ -x "$O-asan/tests/sim" ]; then
        run asan sim "$O-asan/tests/sim" --seeds "${ASAN_SEEDS:-10}" --seed "${SEED:-1}"
        reports asan sim
        same_trace
    fi
    unset ASAN_OPTIONS UBSAN_OPTIONS
}

# Fails NAME for each error that a sanitizer reported, and takes the reports away. LeakSanitizer
# also leaves warnings there, about threads that ended while it looked.
reports() {
    for report in $(list "$log"/asan.report.*); do
        if grep -q 'ERROR: ' "$report"; then
            say not ok "$1 $2 left a sanitizer report"
            show "$report"
        fi
        rm -f "$report"
    done
}

stage_tsan() {
    some tsan tests/stress/*.c || return 0
    compile tsan CC=gcc O="$O-tsan" SAN=thread stress || return 0
    for test in $(list tests/stress/*.c); do
        run tsan "$(basename "$test" .c)" "$O-tsan/${test%.c}"
    done
}

stage_fuzz() {
    some fuzz tests/fuzz/fuzz_*.c || return 0
    sanitized fuzz || return 0
    for test in $(list tests/fuzz/fuzz_*.c); do
        name=$(basename "$test" .c)
        seeds=tests/fixtures/corpus/${name#fuzz_}
        # What the fuzzer finds new lands in the build folder, not in the tree.
        mkdir -p "$log/corpus/$name"
        [ -d "$seeds" ] || seeds=
        start fuzz "$name" "$O-asan/${test%.c}" -max_total_time="${FUZZ_SECONDS:-6}" -timeout=10 \
            -verbosity=0 -artifact_prefix="$log/$name." "$log/corpus/$name" ${seeds:+"$seeds"}
    done
    settle
}

# Needs root, and then fails where the kernel's BPF is missing. Compiling proves nothing about the
# verifier, so that the programs of a second compiler are tried as well.
stage_bpf() {
    some bpf tests/bpf/*.c || return 0
    root_or_skip bpf || return 0
    compile bpf O="$O" tests || return 0
    compile bpf O="$O/clang-19" CLANG=clang-19 programs || return 0
    for test in $(list tests/bpf/*.c); do
        run_criterion bpf "$O/${test%.c}"
        RJ_BPF_OBJECTS=$O/clang-19/bpf run_criterion bpf-clang-19 "$O/${test%.c}"
    done
}

stage_netns() {
    some netns tests/netns/*.c tests/netns/test_*.sh || return 0
    root_or_skip netns || return 0
    compile netns O="$O" tests || return 0
    # A few objects and a second program: all else is the build's.
    ! pkg-config --exists libdpdk || compile netns O="$O" dpdk || return 0
    for test in $(list tests/netns/*.c); do
        run_criterion netns "$O/${test%.c}"
    done
    for test in $(list tests/netns/test_*.sh); do
        start netns "$(basename "$test" .sh)" env RJ_BUILD="$PWD/$O" "$test"
    done
    settle
}

# A kernel of its own, in QEMU. Where those cannot be had there is nothing to judge; all else that
# goes wrong is a failure.
stage_guest() {
    some guest tests/guest/test_*.sh || return 0
    for tool in qemu-system-x86_64 busybox cpio ethtool xz; do
        PATH=$PATH:/usr/sbin command -v $tool >/dev/null && continue
        say skip guest "$tool cannot be installed, or 'scripts/install-deps.sh guest' has not run"
        return 0
    done
    compile guest O="$O" all || return 0
    status=0
    await "$log/guest.kernel" tests/guest/fetch.sh || status=$?
    case $status in
    0) ;;
    77) say skip guest "$(tail -n 1 "$log/guest.kernel")" && return 0 ;;
    *) say not ok guest kernel && show "$log/guest.kernel" && return 0 ;;
    esac
    for test in $(list tests/guest/test_*.sh); do
        start guest "$(basename "$test" .sh)" env RJ_BUILD="$PWD/$O" "$test"
    done
    settle
}

# interop PASS SETTINGS TEST...: settings are VARIABLE=VALUE words; the pass ends each name. A test
# has its loopback to itself.
interop() {
    pass=$1 settings=$2
    shift 2
    for each in "$@"; do
        # shellcheck disable=SC2016,SC2086 # the inner shell's, words
        start interop "$(basename "$each" .sh)$pass" env RJ_BUILD="$PWD/$O" $settings \
            unshare --net sh -c 'ip link set lo up && exec "$1"' sh "$each"
    done
    settle
}

# Official peers are fetched, and built where they come as source, before a test that needs one has
# its time counted. On a machine that has never seen them that takes minutes.
fetch_peers() {
    for peer in java classes c rust; do
        timeout 1200 tests/interop/fetch.sh "$peer" >"$log/peer.$peer" 2>&1 && continue
        say not ok "interop peer $peer"
        show "$log/peer.$peer"
    done
}

# Once over sockets, each of the transports facing official drivers among them; all that has two
# hosts over each, when all is asked for.
# shellcheck disable=SC2086 # paths without blanks
stage_interop() {
    some interop tests/interop/test_*.sh || return 0
    root_or_skip interop || return 0
    compile interop O="$O" tests || return 0
    ! pkg-config --exists libdpdk || compile interop O="$O" dpdk || return 0
    fetch_peers
    share=${INTEROP:-share}
    [ "$share" = share ] || patience=7200
    rm -f "$O"/interop/matrix-*.json
    interop '' "INTEROP=$share" tests/interop/test_*.sh
    [ "$share" != full ] || over_every_transport
    [ -n "$quiet" ] || python3 tests/interop/matrix/report.py "$O" || true
}

# Matrices of drivers and of clients, and the suites of both stages that have two hosts.
# shellcheck disable=SC2086 # paths without blanks
over_every_transport() {
    hosts=$(grep -l ' lab up ' tests/interop/test_*.sh)
    interop ', native' 'INTEROP=full RJ_XDP=native' tests/interop/test_matrix_xdp.sh
    for mode in generic native; do
        interop " over xdp $mode" "INTEROP=full RJ_XDP=$mode" $hosts
        interop " over xdp $mode, 4 queues" "INTEROP=full RJ_XDP=$mode RJ_QUEUES=4" $hosts
    done
    lossy=
    for each in lossy_stream loss_filters multicast mdc mds response; do
        lossy="$lossy tests/netns/test_$each.sh"
    done
    for transport in gso uring packet xdp dpdk auto; do
        [ $transport != dpdk ] || [ -x "$O/ramjet-dpdk" ] || continue
        interop " over $transport" "INTEROP=full RJ_TRANSPORT=$transport" $hosts $lossy \
            tests/interop/test_matrix_clients.sh
    done
}

install_for() {
    groups="product test"
    # Without root that stage skips, so that its tools are no reason to fail.
    case "$(id -u) $* " in "0 "*" interop "*) groups="$groups interop" ;; esac
    # shellcheck disable=SC2086
    scripts/install-deps.sh $groups || say not ok "install what the tests need"
    # Without it, what needs it is skipped.
    case "$(id -u) $* " in "0 "*" netns "*)
        scripts/install-deps.sh dpdk >"$log/install.dpdk" 2>&1 || show "$log/install.dpdk" 5 ;;
    esac
    # Without these that stage skips, and says so.
    case " $* " in *" guest "*) scripts/install-deps.sh guest || true ;; esac
}

finish() {
    passed=$(grep -c '^ok ' "$results" || true)
    failed=$(grep -c '^not ok ' "$results" || true)
    skipped=$(grep -c '^skip ' "$results" || true)
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" = 0 ] && [ "$passed" != 0 ]
}

while :; do
    case ${1:-} in
    --install) install=yes ;;
    --quiet) quiet=yes ;;
    *) break ;;
    esac
    shift
done
[ $# -gt 0 ] || eval "set -- $stages_all"
for stage in "$@"; do
    case " $stages_all " in
    *" $stage "*) ;;
    *) echo "ramjet: unknown stage '$stage': $stages_all" >&2 && exit 2 ;;
    esac
done
sim_seeds=200
[ -z "$quiet" ] || sim_seeds=100

mkdir -p "$log"
: >"$results"
rm -f "$log/ended"
mkfifo "$log/ended"
exec 9<>"$log/ended"
trap interrupted INT TERM HUP
[ -z "$install" ] || install_for "$@"
if ! grep -q '^not ok' "$results"; then
    for wanted in "$@"; do
        began=$(date +%s)
        "stage_$wanted"
        # What does not build needs no further telling.
        ! grep -q '^not ok build' "$results" || break
        [ -n "$quiet" ] || echo "-- $wanted: $(($(date +%s) - began)) s"
    done
fi
finish
