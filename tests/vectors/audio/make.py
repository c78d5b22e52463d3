#!/usr/bin/env python3
"""Writes the WAV files from which the others here are made.

In `pluck.wav` all is silent before frame 1000, where a decaying tone begins at its peak. In `surround.wav` each of
six channels is at a level of its own.
"""

import math
import struct


def write(name, channels, rate, width, frames):
    data = b"".join(
        round(max(-1, min(1, value)) * (2 ** (8 * width - 1) - 1)).to_bytes(width, "little", signed=True)
        for frame in frames
        for value in frame
    )
    with open(name, "wb") as file:
        bits, frame = 8 * width, channels * width
        file.write(b"RIFF" + struct.pack("<I", 60 + len(data)) + b"WAVEfmt ")
        file.write(struct.pack("<IHHIIHH", 40, 0xFFFE, channels, rate, rate * frame, frame, bits))
        # The loudspeakers are the first ones: 5.1 with six channels.
        file.write(struct.pack("<HHI", 22, bits, 2**channels - 1))
        file.write(bytes.fromhex("0100000000001000800000aa00389b71"))
        file.write(b"data" + struct.pack("<I", len(data)) + data)


def pluck(frame):
    since = frame - 1000
    if since < 0:
        return (0,)
    return (0.7 * math.exp(-since / 1500) * math.cos(2 * math.pi * 880 * since / 44100),)


write("pluck.wav", 1, 44100, 2, [pluck(frame) for frame in range(7000)])
write("pluck24.wav", 1, 44100, 3, [pluck(frame + 900) for frame in range(1500)])
write("surround.wav", 6, 48000, 2, [[0.1 * (1 + channel) for channel in range(6)]] * 3000)
