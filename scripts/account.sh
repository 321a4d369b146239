# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2154 # variables of whoever sources it
# Where every datagram of a lab's two hosts went: `make run` and the tests over AF_XDP source this.
# Of each direction,
#
#   sent + duplicated = redirected + passed + dropped + held + lost at a named ring
#
# where the driver of the sending host counts what it sent, the wire what it duplicated, dropped
# and still holds, the steering program of the receiving host what it redirected into a ring
# (corrupted ones among them: the port refuses those) and passed to the kernel, and the kernel what
# a ring lost.
#
# They set `ramjet` and `lab`, and `shm`: the folder of the drivers' directories h1 and h2. All
# figures are sums since `account_from_here`, or since the drivers started; the drivers' are written
# ten times a second. UDP of others would be counted as passed.

accounted_before=''

# counter HOST LABEL: the sum of those of a driver's counters whose label holds the text.
counter() {
    "$ramjet" stat --dir "$shm/$1" | awk -v label="$2" '
        { value = $2; $1 = $2 = "" }
        index($0, label) { sum += value }
        END { print sum + 0 }'
}

# field NAME: of the JSON object on stdin.
field() {
    sed -n "s/.*\"$1\":\"\\{0,1\\}\\([^,\"}]*\\).*/\\1/p"
}

# udp_reasons HOST: redirected= and passed=, the UDP datagrams that the program saw, from its maps.
udp_reasons() {
    "$ramjet" lab exec --name "$lab" "$1" -- "$ramjet" status eth0 --json --dir "$shm/$1" |
        awk -F '"' '
        /"kind":"reason"/ {
            for (i = 1; i < NF; i++) {
                if ($i == "frames") what = $(i + 2)
                if ($i == "packets") { count = $(i + 1); gsub(/[:,]/, "", count) }
            }
            if (what ~ /^redirected/) redirected += count
            else if (what !~ /not IP|not UDP|another host|fragment/) passed += count
        }
        END { print "redirected=" redirected + 0, "passed=" passed + 0 }'
}

# wire_figures FROM TO: what the wire did to them; a good wire, or none, does nothing.
wire_figures() {
    "$ramjet" lab impair show --name "$lab" --json 2>/dev/null | grep "\"$1->$2\"" | awk -F '[:,]' '
        {
            for (i = 1; i < NF; i++) n[$i] = $(i + 1)
            held = n["\"held_frames\""] - n["\"released_frames\""]
            print "duplicated=" n["\"duplicated_frames\""], "dropped=" n["\"dropped_frames\""], \
                "held=" held
            found = 1
        }
        END { if (!found) print "duplicated=0 dropped=0 held=0" }'
}

# ring_losses HOST: lost@RING=, how many frames each of a host's rings has lost.
ring_losses() {
    "$ramjet" stat --dir "$shm/$1" | awk '
        $3 == "ramjet" && $5 == "queue" && / frames lost/ { lost[$4 "." $6 + 0] += $2 }
        END { for (ring in lost) print "lost@" ring "=" lost[ring] }'
}

# figures FROM TO: what one direction did, a name=value a line.
figures() {
    echo "sent=$(($(counter "$1" ': frames sent') + $(counter "$1" 'datagrams sent by sockets')))"
    { wire_figures "$1" "$2" && udp_reasons "$2"; } | tr ' ' '\n'
    ring_losses "$2"
}

both_figures() {
    figures h1 h2 | sed 's/^/h1->h2 /'
    figures h2 h1 | sed 's/^/h2->h1 /'
}

# settle: everything that is sent has arrived once the same figures come twice.
settle() {
    now=''
    for _ in $(seq 100); do
        earlier=$now
        now=$(both_figures)
        [ "$now" != "$earlier" ] || return 0
        sleep 0.3
    done
    echo "the drivers do not come to rest: $now" >&2
    return 1
}

# account_from_here: what went until now, at rest, is forgotten. The wire forgets when it is
# impaired anew, so this comes behind that.
account_from_here() {
    settle && accounted_before=$now
}

# account_of FROM TO: tells where the direction's datagrams went; fails unless that is all of them.
# Frames that a ring lost were redirected before.
account_of() {
    printf '%s\n--\n%s\n' "$accounted_before" "$now" | awk -v way="$1->$2" -v to="$2" '
        /^--$/ { sign = 1; next }
        $1 == way {
            split($2, pair, "=")
            n[pair[1]] += (sign ? 1 : -1) * pair[2]
        }
        END {
            for (name in n) if (name ~ /^lost@/) lost += n[name]
            n["redirected"] -= lost
            printf "datagrams %s  sent %d + duplicated %d", way, n["sent"], n["duplicated"]
            printf " = redirected %d + passed %d", n["redirected"], n["passed"]
            printf " + dropped %d + held %d", n["dropped"], n["held"]
            for (name in n) if (name ~ /^lost@/) {
                split(substr(name, 6), ring, ".")
                printf " + lost at the RX ring of %s queue %d on %s %d", \
                    ring[1], ring[2], to, n[name]
            }
            print ""
            exit !n["sent"] || n["sent"] + n["duplicated"] != \
                n["redirected"] + n["passed"] + n["dropped"] + n["held"] + lost
        }'
}

# account: of both directions, at rest.
account() {
    settle || return 1
    for way in 'h1 h2' 'h2 h1'; do
        # shellcheck disable=SC2086 # words
        account_of $way || { echo "${way% *}->${way#* }: not every datagram is accounted for" >&2 &&
            return 1; }
    done
}
