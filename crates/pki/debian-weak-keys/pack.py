#!/usr/bin/env python3
"""Packs what reproduce.c prints (files or standard input) into src/weak/debian_rsa_2048.bin: see src/weak/debian.rs."""

import fileinput
import pathlib

hashes = sorted({bytes.fromhex(line.split()[4])[:5] for line in fileinput.input()})
counts = bytearray(1 << 16)
for entry in hashes:
    counts[int.from_bytes(entry[:2], "big")] += 1

target = pathlib.Path(__file__).parent.parent / "src/weak/debian_rsa_2048.bin"
target.write_bytes(bytes(counts) + b"".join(entry[2:] for entry in hashes))
print(f"{len(hashes)} keys, {target.stat().st_size} octets")
