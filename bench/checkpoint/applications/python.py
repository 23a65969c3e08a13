# A web application that counts in its memory. python.py PORT MEGABYTES [LOG]
import hashlib
import json
import struct
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

port, megabytes = int(sys.argv[1]), int(sys.argv[2])
log = open(sys.argv[3], "a") if len(sys.argv) > 3 else None
lock = threading.Lock()
sessions = {}
count = 0
# Each page has something of its own: none is like another.
ballast = []
for at in range(megabytes):
    block = bytearray(1 << 20)
    for page in range(256):
        struct.pack_into("<I", block, page * 4096, at * 256 + page)
    ballast.append(block)


def digest():
    return hashlib.sha256(json.dumps([count, list(sessions.items())]).encode()).hexdigest()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def respond(self):
        global count
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        with lock:
            made = {}
            if url.path == "/count":
                session = parse_qs(url.query)["session"][0]
                count += 1
                sessions[session] = sessions.get(session, 0) + 1
                if log:
                    log.write(f"{count}\n")
                    log.flush()
                made = {"count": count, "session": sessions[session]}
            elif url.path == "/state":
                made = {"count": count, "sessions": sessions, "digest": digest()}
            elif url.path == "/ballast":
                made = {"sum": sum(struct.unpack_from("<I", block, 1044480)[0] for block in ballast)}
            elif url.path == "/verify" and self.command == "POST":
                made = {"ok": True, "epoch": json.loads(body)["epoch"], "digest": digest()}
        text = json.dumps(made).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_OPTIONS = respond

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    # What waits is released at once.
    request_queue_size = 1024


Server(("127.0.0.1", port), Handler).serve_forever()
