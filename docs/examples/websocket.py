"""A client of RFC 6455 in the standard library, as far as a Downbeat relay needs it."""
import base64, os, socket, struct, sys, threading


class WebSocket:
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

    def texts(self):
        """The texts until the connection ends. The relay neither fragments nor masks its frames."""
        while head := self.stream.read(2):
            size = head[1] if head[1] < 126 else int.from_bytes(self.stream.read(2 if head[1] == 126 else 8), "big")
            payload, opcode = self.stream.read(size), head[0] & 15
            if opcode == 1:
                yield payload
            elif opcode == 9:
                self.send(payload, opcode=10)
