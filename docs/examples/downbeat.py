#!/usr/bin/env python3
"""A Downbeat client in the standard library: prints when each trigger sounds, and bangs.

Usage: downbeat.py HOST[:PORT] [SOUND ...]     bangs each SOUND once, then listens until it is stopped

It speaks downbeat.v1 as specified in docs/PROTOCOL.md. The protocol's times are in microseconds.
"""
import base64, itertools, json, os, socket, struct, sys, threading, time

class WebSocket:
    """The client side of RFC 6455, as far as a relay needs it."""

    def __init__(self, host, port):
        self.lock, self.socket = threading.Lock(), socket.create_connection((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = self.socket.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Protocol: downbeat.v1\r\n\r\n".encode())
        head = list(iter(lambda: self.stream.readline().strip(), b""))
        if b" 101 " not in head[0]:
            sys.exit(f"The relay rejects the connection: {head[0].decode()}")

    def send(self, payload, opcode=1):  # 1: text, 10: pong
        mask, size = os.urandom(4), len(payload)
        length = bytes([0x80 | size]) if size < 126 else struct.pack(">BH", 0x80 | 126, size)
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
        with self.lock:
            self.socket.sendall(bytes([0x80 | opcode]) + length + mask + masked)

    def send_message(self, **fields):
        self.send(json.dumps(fields).encode())

    def messages(self):
        """The messages until the connection ends. The relay neither fragments nor masks its frames."""
        while head := self.stream.read(2):
            size = head[1] if head[1] < 126 else int.from_bytes(self.stream.read(2 if head[1] == 126 else 8), "big")
            payload, opcode = self.stream.read(size), head[0] & 15
            if opcode == 1:
                yield json.loads(payload)
            elif opcode == 9:
                self.send(payload, opcode=10)

def now():
    return time.monotonic_ns() // 1000

def probe_forever(relay):
    for delay in itertools.chain(itertools.repeat(0.02, 15), itertools.repeat(1)):  # a burst, then steadily
        relay.send_message(type="probe", sent=now())
        time.sleep(delay)

def main(address, *sounds):
    host, _, port = address.partition(":")
    relay = WebSocket(host, int(port or 3000))
    relay.send_message(type="hello", name="python", kind="remote", client="downbeat.py")
    threading.Thread(target=probe_forever, args=[relay], daemon=True).start()
    exchanges = []  # the last 64, each as (round trip, relay time minus local time)
    for message in relay.messages():
        if message["type"] == "probe_reply":
            sent, received, replied, arrived = message["sent"], message["received"], message["replied"], now()
            offset = (received + replied - sent - arrived) / 2
            exchanges = exchanges[-63:] + [(arrived - sent - (replied - received), offset)]
            while sounds and len(exchanges) >= 8:
                relay.send_message(type="trigger", sound=sounds[0])
                sounds = sounds[1:]
        elif message["type"] == "trigger" and exchanges:
            # The exchange with the shortest round trip has the smallest error: at most half of it.
            seconds = (message["play_at"] - min(exchanges)[1] - now()) / 1e6
            print(f"{message['sound']} by {message['by']['name']} sounds at {time.time() + seconds:.6f}", flush=True)
        elif message["type"] == "error":
            print(f"error {message['code']}: {message['message']}", flush=True)

if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) > 1 else sys.exit(__doc__)
