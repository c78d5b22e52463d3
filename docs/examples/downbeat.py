#!/usr/bin/env python3
"""A Downbeat client: prints when triggers and values of variables take effect, bangs, and sets variables.

Usage: downbeat.py HOST[:PORT] [SOUND | VARIABLE=JSON ...]     does each once, then listens until it is stopped
It speaks downbeat.v1 as specified in docs/PROTOCOL.md. The protocol's times are in microseconds."""
import itertools, json, sys, threading, time
from websocket import WebSocket
now = lambda: time.monotonic_ns() // 1000

def probe_forever(send):
    for delay in itertools.chain(itertools.repeat(0.02, 15), itertools.repeat(1)):  # a burst, then steadily
        send(type="probe", sent=now())
        time.sleep(delay)

def main(address, *requests):
    host, _, port = address.partition(":")
    relay, exchanges = WebSocket(host, int(port or 3000)), []  # (round trip, relay time minus local time)
    send = lambda **fields: relay.send(json.dumps(fields).encode())
    send(type="hello", name="python", kind="remote", client="downbeat.py")
    threading.Thread(target=probe_forever, args=[send], daemon=True).start()
    for message in map(json.loads, relay.texts()):
        kind, arrived = message["type"], now()
        if kind == "probe_reply":
            sent, received, replied = message["sent"], message["received"], message["replied"]
            offset = (received + replied - sent - arrived) / 2
            exchanges = exchanges[-63:] + [(arrived - sent - (replied - received), offset)]
            while requests and len(exchanges) >= 8:
                name, is_set, value = requests[0].partition("=")
                send(type="set", name=name, value=json.loads(value)) if is_set else send(type="trigger", sound=name)
                requests = requests[1:]
        elif kind in ("trigger", "value") and exchanges:
            # The exchange with the shortest round trip has the smallest error: at most half of it.
            seconds = (message[{"trigger": "play_at", "value": "apply_at"}[kind]] - min(exchanges)[1] - now()) / 1e6
            what = message["sound"] if kind == "trigger" else f"{message['name']} = {json.dumps(message['value'])}"
            print(f"{what} by {message['by']['name']} at {time.time() + seconds:.6f}", flush=True)
        elif kind == "error":
            print(f"error {message['code']}: {message['message']}", flush=True)

if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) > 1 else sys.exit(__doc__)
