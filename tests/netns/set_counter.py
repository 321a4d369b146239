#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the value of a counter, as a client of the driver may: set_counter.py DIR ID VALUE."""
import mmap
import os
import struct
import sys

HEADER_BYTES = 128
VALUE_RECORD_BYTES = 128


def main():
    directory, counter_id, value = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with open(os.path.join(directory, "cnc.dat"), "r+b") as file:
        memory = mmap.mmap(file.fileno(), 0)
        lengths = struct.unpack_from("<3i", memory, 4)  # of what stands before the values
        at = HEADER_BYTES + sum(lengths) + counter_id * VALUE_RECORD_BYTES
        struct.pack_into("<q", memory, at, value)
        memory.close()


main()
