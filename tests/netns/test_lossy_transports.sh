#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Exact delivery over a wire that loses, reorders, duplicates and corrupts datagrams, by each of the
# transports and between different ones: both ways at once over IPv4 and IPv6, to a group, and to
# destinations. Each driver's own figures say that the transport it was told to use is what carried
# the stream; NAKs and resends that the loss was real. RJ_TRANSPORT has one of them alone.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/xdp.sh
transports=${RJ_TRANSPORT:-socket gso uring packet xdp dpdk auto}
if [ ! -x "$RJ_BUILD/ramjet-dpdk" ]; then
    echo "skip dpdk libdpdk-dev is not here and could not be installed"
    transports=$(echo "$transports" | sed 's/dpdk//')
fi

# Setups and heartbeats are lost as well: who lives on them is given time.
patient='AERON_IMAGE_LIVENESS_TIMEOUT=10s AERON_PUBLICATION_LINGER_TIMEOUT=5s
    AERON_TERM_BUFFER_LENGTH=4m'

# set_up HOST TRANSPORT: the driver there goes, if there is one; another takes its place.
set_up() {
    [ ! -e "$shm/$1" ] || stop_driver "$1" || return 1
    RJ_TRANSPORT=$2
    # shellcheck disable=SC2086 # words
    start_driver "$1" $patient && is_on "$1" "$2"
}
set_up_both() {
    set_up h1 "$1" && set_up h2 "$1"
}

# Seeds differ, so that no transport has the luck of another; a failure tells which it was.
seed=${SEED:-1}
impair() {
    seed=$((seed + 1))
    "$ramjet" lab impair --name "$lab" --loss "$1" --reorder 5 --duplicate 2 --corrupt 1 \
        --seed "$seed"
}

# marks: NAKs and resends of both drivers; was_repaired: there were more since they were `marked`.
marks() {
    echo "$(($(value h1 'NAKs sent') + $(value h2 'NAKs sent')))" \
        "$(($(value h1 'Retransmits sent') + $(value h2 'Retransmits sent')))"
}
was_repaired() {
    after=$(marks)
    [ "${after% *}" -gt "${marked% *}" ] && [ "${after#* }" -gt "${marked#* }" ] && return 0
    echo "NAKs and resends were $marked, are $after" && return 1
}

sizes='0-1K:90,1K-16K:9,16K-128K:1'
# both_ways LOSS ADDRESS1 ADDRESS2 COUNT: so many messages to each host at once.
both_ways() {
    impair "$1" && marked=$(marks) &&
        begin to1 h2 h1 "aeron:udp?endpoint=$2:40123" --messages "$4" --length "$sizes" &&
        begin to2 h1 h2 "aeron:udp?endpoint=$3:40123" --messages "$4" --length "$sizes" &&
        finish to1 && finish to2 && was_repaired
}
over_ipv4() { both_ways "$1" 10.0.0.1 10.0.0.2 "$2"; }
over_ipv6() { both_ways "$1" '[fd00::1]' '[fd00::2]' "$2"; }

group='aeron:udp?endpoint=239.20.30.39:40125|interface=10.0.0.0/24'
to_a_group() {
    impair 5 && marked=$(marks) && carry h1 h2 "$group" --messages 2000 --length 32-4K &&
        was_repaired
}
dynamic='control=10.0.0.1:40126|control-mode=dynamic'
to_destinations() {
    impair 5 && marked=$(marks) || return 1
    # Whoever says that he is there before anybody listens says so again a second later.
    write_stream to.pub h1 "aeron:udp?$dynamic" --messages 2000 --length 32-4K
    await has_counter h1 snd-channel || return 1
    read_stream to.sub h2 "aeron:udp?endpoint=10.0.0.2:40127|$dynamic"
    same to.sub to.pub && was_repaired
}

# took_its_way TRANSPORT1 TRANSPORT2 COUNT: both sent, and got, so much by what they were told to
# use. Figures are told ten times a second.
took_its_way() {
    await has_taken h1 "$1" "$3" && await has_taken h2 "$2" "$3"
}
has_taken() {
    sent=$(by_transport "$1" "$2" sent) received=$(by_transport "$1" "$2" received)
    [ "$sent" -ge "$3" ] && [ "$received" -ge "$3" ] && return 0
    echo "$1 sent $sent by $2, received $received" && return 1
}

check "two hosts" make_lab
earlier=''
for transport in $transports; do
    if [ -n "$earlier" ]; then
        pair="$earlier to $transport"
        check "$pair: the other host takes $transport" set_up h2 "$transport"
        check "$pair: 10 % lost both ways: exact" over_ipv4 10 1000
        check "$pair: each by its own transport" took_its_way "$earlier" "$transport" 1000
    fi
    earlier=$transport
    check "$transport: a driver on each" set_up_both "$transport"
    check "$transport: 1 % lost both ways over IPv4: exact" over_ipv4 1 2000
    check "$transport: 10 % lost both ways over IPv6: exact" over_ipv6 10 1000
    check "$transport: 30 % lost both ways over IPv4: exact" over_ipv4 30 300
    check "$transport: 5 % lost to a group: exact" to_a_group
    check "$transport: 5 % lost to destinations: exact" to_destinations
    check "$transport: each by its own transport" took_its_way "$transport" "$transport" 4000
done
check "both drivers end" stop_driver h1 h2
exit "$failed"
