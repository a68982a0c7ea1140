#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The demo application: what runs inside the enclave.

It has the shape that many enclave applications have: a web service that knows
nothing of enclaves listens on TCP 127.0.0.1:8080, and a small front takes
requests from the parent on vsock port 5000 and asks the web service. So an
answer on vsock proves that the loopback interface is up, too.

A request is one line, a name. The answer is one line of JSON. To the request
"attest NONCE", the nonce in hex, the answer is an attestation document with
that nonce in it, one line of base64.
"""

import base64
import http.server
import json
import os
import platform
import signal
import socket
import sys
import threading
import urllib.parse
import urllib.request

import nsm

VSOCK_PORT = 5000
TCP_PORT = 8080


def facts(name):
    """What the application sees of the machine it is in."""
    return {
        "greeting": f"hello, {name}, from inside the enclave",
        "pid": os.getpid(),
        "processes": sum(entry.isdigit() for entry in os.listdir("/proc")),
        "cpus": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "system": platform.freedesktop_os_release()["PRETTY_NAME"],
        "interfaces": [interface for _, interface in socket.if_nameindex()],
    }


class WebService(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = urllib.parse.unquote(self.path.lstrip("/"))
        body = json.dumps(facts(name)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        pass


def attest(nonce):
    try:
        document = nsm.attestation(nonce=bytes.fromhex(nonce))
    except (OSError, ValueError) as error:
        return f"error: {error}".encode()
    return base64.b64encode(document)


def ask_web_service(name):
    url = f"http://127.0.0.1:{TCP_PORT}/{urllib.parse.quote(name)}"
    with urllib.request.urlopen(url, timeout=10) as reply:
        return reply.read()


def answer(connection):
    with connection, connection.makefile("rwb") as stream:
        request = stream.readline(2048).decode(errors="replace").strip()
        word, _, nonce = request.partition(" ")
        reply = attest(nonce) if word == "attest" else ask_web_service(request)
        stream.write(reply + b"\n")


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

    web = http.server.ThreadingHTTPServer(("127.0.0.1", TCP_PORT), WebService)
    threading.Thread(target=web.serve_forever, daemon=True).start()

    with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as listener:
        listener.bind((socket.VMADDR_CID_ANY, VSOCK_PORT))
        listener.listen()
        print(f"listening on vsock port {VSOCK_PORT}", flush=True)
        while True:
            connection, _ = listener.accept()
            threading.Thread(
                target=answer, args=(connection,), daemon=True
            ).start()


if __name__ == "__main__":
    main()
