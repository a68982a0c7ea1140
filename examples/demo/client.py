#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Asks the demo application, from the parent, in one of two ways:

    client.py CID [NAME]         by AF_VSOCK, as on real hardware; where there
                                 is none, run it as: ne-emu run -- client.py ...
    client.py PATH.sock [NAME]   by the plain AF_UNIX socket that an emulated
                                 enclave has, which needs no vsock at all

Instead of NAME, "attest NONCE", the nonce in hex, asks for an attestation
document, which is printed in base64.
"""

import socket
import sys
import time

PORT = 5000
PATIENCE = 20  # seconds for the application to start listening


def connect_vsock(cid):
    connection = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
    connection.connect((cid, PORT))
    return connection


def connect_unix(path):
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(path)
    connection.sendall(f"CONNECT {PORT}\n".encode())
    reply = b""
    while not reply.endswith(b"\n"):
        byte = connection.recv(1)
        if not byte:
            raise ConnectionRefusedError(f"nobody listens on port {PORT}")
        reply += byte
    if not reply.startswith(b"OK "):
        raise ConnectionError(f"unexpected reply {reply!r}")
    return connection


def connect(address):
    if address.isdigit():
        return connect_vsock(int(address))
    return connect_unix(address)


def connect_patiently(address):
    """The enclave has booted; its application may need a moment longer."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return connect(address)
        except (ConnectionRefusedError, ConnectionResetError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    request = " ".join(sys.argv[2:]) or "parent"
    try:
        with connect_patiently(sys.argv[1]) as connection:
            connection.sendall(request.encode() + b"\n")
            answer = connection.makefile("rb").readline()
    except OSError as error:
        sys.exit(f"client.py: cannot ask the enclave at {sys.argv[1]}: {error}")
    if not answer:
        sys.exit("client.py: the enclave closed the connection without a word")
    answer = answer.decode().rstrip()
    if answer.startswith("error: "):
        sys.exit(f"client.py: the enclave has an {answer}")
    print(answer)


if __name__ == "__main__":
    main()
