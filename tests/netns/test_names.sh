#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Names: three drivers tell each other theirs, and a stream goes to one; what answers to a name
# moves to another host, and a publication follows it, over sockets and over AF_XDP, as a
# subscription follows its control address. At first the name means this very host, so that the
# address by which the publication sends has to change as well.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/xdp.sh
by_ring="ramjet eth0 queue 0, generic, copy: frames"

# --- names that drivers tell each other ---

# start_named HOST NAME
start_named() {
    start_driver "$1" AERON_NAME_RESOLVER_SUPPLIER=driver AERON_DRIVER_RESOLVER_NAME="$2" \
        AERON_DRIVER_RESOLVER_INTERFACE="10.0.0.${1#h}:8050" \
        AERON_DRIVER_RESOLVER_BOOTSTRAP_NEIGHBOR=10.0.0.99:8050,10.0.0.1:8050 \
        AERON_DRIVER_RESOLVER_NEIGHBOR_TIMEOUT=2s \
        AERON_DRIVER_RESOLVER_SELF_RESOLUTION_INTERVAL=200ms \
        AERON_DRIVER_RESOLVER_NEIGHBOR_RESOLUTION_INTERVAL=300ms
}

# knows DRIVER COUNT: so many others, and their names.
knows() {
    [ "$(value "$1" 'Resolver neighbors: bound')" = "$2" ] &&
        [ "$(value "$1" 'Resolver cache entries: name=')" = "$2" ]
}

find_each_other() {
    start_named h1 anna && start_named h2 berta && start_named h3 clara || return 1
    for host in h1 h2 h3; do
        await knows "$host" 2 || return 1
    done
    # Told with the next frame of its own.
    await reaches h3 "Bootstrap neighbor: name=10.0.0.1:8050 resolved=10.0.0.1:8050" 1 &&
        [ "$(value h3 'Bootstrap neighbor: name=10.0.0.99:8050 resolved=10.0.0.99:8050')" = 0 ] &&
        has_counter h3 "Resolution changes: driverName=clara"
}

goes_to_a_name() {
    read_stream to_clara.sub h3 aeron:udp?endpoint=10.0.0.3:40123
    write_stream to_clara.pub h1 aeron:udp?endpoint=clara:40123 --messages 1000
    same to_clara.pub to_clara.sub
}

refuses_part_of_a_name() {
    says 1 "Unresolved - endpoint=clar:40123" "$ramjet" pub --dir /dev/shm/h1 \
        --channel aeron:udp?endpoint=clar:40123 --messages 1
}

forgets_and_finds_again() {
    kill_driver h3 && await knows h1 1 && await knows h2 1 && start_named h3 doris &&
        await knows h1 2 && await knows h2 2 && await knows h3 2 && stop_driver h1 h2 h3
}

# --- a name that moves ---

# start_tabled DRIVER TABLE [VARIABLE=VALUE...]
start_tabled() {
    tabled=$1 table=$2
    shift 2
    start_driver "$tabled" AERON_NAME_RESOLVER_SUPPLIER=csv_table \
        AERON_NAME_RESOLVER_INIT_ARGS="$table" "$@"
}

# switch DRIVER: its name means the other host from now on.
switch() {
    id=$("$ramjet" stat --dir "/dev/shm/$1" | awk '/NameEntry/ { print $1; exit }')
    [ -n "$id" ] && tests/netns/set_counter.py "/dev/shm/$1" "$id" 1
}

# Publications of h1 to h2; a subscription of h3 finds a publication of h2 by its control address.
begin_at_home() {
    start_tabled h1a 'service,127.0.0.1:40201,10.0.0.2:40201|' &&
        start_tabled h1b 'service,127.0.0.1:40202,10.0.0.2:40202' RAMJET_INTERFACE=eth0 \
            RAMJET_TRANSPORT=xdp RAMJET_CONTROL=ring &&
        start_tabled h3 'control,127.0.0.1:24500,10.0.0.2:24500' && start_xdp h2 || return 1
    read_stream a.sub h2 aeron:udp?endpoint=10.0.0.2:40201
    read_stream b.sub h2 aeron:udp?endpoint=10.0.0.2:40202
    read_stream c.sub h3 'aeron:udp?endpoint=10.0.0.3:40203|control=control'
    write_stream a.pub h1a aeron:udp?endpoint=service --messages 3000 --length 1K
    write_stream b.pub h1b aeron:udp?endpoint=service --messages 3000 --length 1K
    write_stream c.pub h2 'aeron:udp?control=10.0.0.2:24500|control-mode=dynamic' --messages 1000
    await has_counter h1a "snd-channel: aeron:udp?endpoint=service 127.0.0.1:" &&
        await has_counter h1b "snd-channel: aeron:udp?endpoint=service 127.0.0.1:" &&
        await has_counter h3 "rcv-channel: " || return 1
    for tabled in h1a h1b h3; do
        switch "$tabled" || return 1
    done
}

moved_once() {
    [ "$(value "$1" 'Resolution changes')" = 1 ]
}

follows_over_sockets() {
    same a.pub a.sub && moved_once h1a
}

# By its ring, and with what it is told back by its ring: both know the new addresses.
follows_over_af_xdp() {
    same b.pub b.sub && moved_once h1b && await reaches h1b "$by_ring sent" 3000 &&
        await reaches h1b "$by_ring received" 1
}

follows_a_control_address() {
    same c.pub c.sub && moved_once h3
}

check "three hosts" make_lab --hosts 3
check "drivers find each other from any host to begin with" find_each_other
check "a stream goes to a driver's name" goes_to_a_name
check "a part of a name is no name" refuses_part_of_a_name
check "who has gone is forgotten, who comes is found" forgets_and_finds_again
check "publications to a name, a subscription with one" begin_at_home
check "a publication follows its name over sockets" follows_over_sockets
check "a publication follows its name over AF_XDP" follows_over_af_xdp
check "a subscription follows its control address" follows_a_control_address
exit "$failed"
