# SPDX-License-Identifier: Apache-2.0
"""A client of the NSM in Python, by fcntl and by sockets.

    nsm.py CASE [ARGUMENT]...

Ends with status 0 if what the case is named for holds. Documents are only
looked at from outside; ne-attest and others verify them.
"""
import ctypes
import errno
import fcntl
import os
import signal
import socket
import struct
import sys
import tempfile
import threading
import time
import zlib

NSM_COMMAND = 0xC0200A00
DESCRIBE = b"\x6bDescribeNSM"
ATTEST = b"\xa1\x6bAttestation\xa0"
GET_RANDOM = b"\x69GetRandom"


def describe_pcr(index):
    number = bytes([index]) if index < 24 else bytes([0x18, index])
    return b"\xa1\x6bDescribePCR\xa1\x65index" + number


def extend_pcr(index, data):
    return (b"\xa1\x69ExtendPCR\xa2\x65index" + bytes([index])
            + b"\x64data" + bytes([0x40 + len(data)]) + data)


def is_described(response):
    return response.startswith(b"\xa1\x6bDescribeNSM")


def is_document(response):
    return response.startswith(b"\xa1\x6bAttestation") and len(response) > 1000


# --- /dev/nsm ------------------------------------------------------------------

def ask_device(fd, request, room=0x3000):
    question = ctypes.create_string_buffer(request, len(request))
    answer = ctypes.create_string_buffer(room)
    raw = bytearray(struct.pack("QQQQ", ctypes.addressof(question),
                                len(request), ctypes.addressof(answer), room))
    fcntl.ioctl(fd, NSM_COMMAND, raw)
    return answer.raw[:struct.unpack("QQQQ", raw)[3]]


def device():
    with open("/dev/nsm", "rb", buffering=0) as nsm:
        assert is_described(ask_device(nsm, DESCRIBE))
        assert is_document(ask_device(nsm, ATTEST))
        assert len(ask_device(nsm, GET_RANDOM)) > 256
        assert len(ask_device(nsm, ATTEST, 100)) == 100


def document(name):
    """Leaves the response to an attestation in a file."""
    with open("/dev/nsm", "rb", buffering=0) as nsm, open(name, "wb") as file:
        file.write(ask_device(nsm, ATTEST))


def random(name):
    with open("/dev/nsm", "rb", buffering=0) as nsm, open(name, "wb") as file:
        file.write(ask_device(nsm, GET_RANDOM))


# --- Sockets -------------------------------------------------------------------

def bound_socket():
    client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    client.bind("")  # an abstract name of the kernel's choosing
    client.settimeout(30)
    return client


def ask(client, request):
    client.send(request)
    return client.recv(0x3000)


def dgram(path):
    client = bound_socket()
    client.connect(path)
    assert is_described(ask(client, DESCRIBE))
    assert is_document(ask(client, ATTEST))
    name = tempfile.mktemp()
    client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    client.bind(name)
    client.settimeout(30)
    client.sendto(DESCRIBE, path)
    assert is_described(client.recv(0x3000))
    os.unlink(name)


def seqpacket_socket(path):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client.settimeout(30)
    client.connect(path)
    return client


def seqpacket(path):
    client = seqpacket_socket(path)
    assert is_described(ask(client, DESCRIBE))
    assert is_document(ask(client, ATTEST))
    assert is_described(ask(client, DESCRIBE))
    # Half closed, and yet answered.
    client.send(ATTEST)
    client.shutdown(socket.SHUT_WR)
    assert is_document(client.recv(0x3000))
    assert client.recv(0x3000) == b""


def item_size(text, at=0):
    """Where a CBOR item ends that begins there; IndexError if it is cut."""
    major, info = text[at] >> 5, text[at] & 31
    wide = {24: 1, 25: 2, 26: 4, 27: 8}.get(info, 0)
    value = info if info < 24 else int.from_bytes(text[at + 1:at + 1 + wide],
                                                  "big")
    at += 1 + wide
    if major in (2, 3):
        at += value
        if at > len(text):
            raise IndexError
    for _ in range({4: value, 5: 2 * value}.get(major, 0)):
        at = item_size(text, at)
    return at


class Stream:
    """A connection that has no packets, but items."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(30)
        self.socket.connect(path)
        self.rest = b""
        self.send = self.socket.send
        self.close = self.socket.close
        self.setblocking = self.socket.setblocking
        self.settimeout = self.socket.settimeout

    def recv(self, most):
        while True:
            try:
                size = item_size(self.rest)
                break
            except IndexError:
                more = self.socket.recv(most)
                if not more:
                    return b""
                self.rest += more
        item, self.rest = self.rest[:size], self.rest[size:]
        return item


def stream(path):
    client = Stream(path)
    assert is_described(ask(client, DESCRIBE))
    assert is_document(ask(client, ATTEST))
    # In pieces, and several at once.
    for byte in ATTEST:
        client.send(bytes([byte]))
    assert is_document(client.recv(0x3000))
    client.send(ATTEST + DESCRIBE * 3 + ATTEST + DESCRIBE[:5])
    client.send(DESCRIBE[5:])
    for is_it in (is_document, is_described, is_described, is_described,
                  is_document, is_described):
        assert is_it(client.recv(0x3000))
    # All that came is answered, also when nothing more can.
    client.send(ATTEST + DESCRIBE)
    client.socket.shutdown(socket.SHUT_WR)
    assert is_document(client.recv(0x3000))
    assert is_described(client.recv(0x3000))
    assert client.recv(0x3000) == b""


def stream_ends(path):
    """Behind what is malformed, or too large, there is no next request."""
    client = Stream(path)
    assert (ask(client, b"\x1c" + DESCRIBE)
            == b"\xa1\x65Error\x70InvalidOperation")
    assert client.recv(0x3000) == b""
    client = Stream(path)
    assert (ask(client, b"\x59\x0f\xfe" + bytes(0xffe))
            == b"\xa1\x65Error\x6dInputTooLarge")
    client = Stream(path)
    assert (ask(client, b"\x5b" + b"\xff" * 0x1000)
            == b"\xa1\x65Error\x6dInputTooLarge")
    assert client.recv(0x3000) == b""


def connected(kind, path):
    if kind == "stream":
        return Stream(path)
    if kind == "seqpacket":
        return seqpacket_socket(path)
    client = bound_socket()
    client.connect(path)
    return client


def sizes(kind, path):
    """What is empty is no request, and what is too large says so."""
    client = connected(kind, path)
    assert ask(client, b"") == b"\xa1\x65Error\x70InvalidOperation"
    assert ask(client, bytes(0x1000)) == b"\xa1\x65Error\x70InvalidOperation"
    assert ask(client, bytes(0x1001)) == b"\xa1\x65Error\x6dInputTooLarge"
    assert ask(client, bytes(100000)) == b"\xa1\x65Error\x6dInputTooLarge"
    assert is_described(ask(client, DESCRIBE))


def order(kind, path):
    """Answers come in the order of asking, also those that take no time."""
    client = connected(kind, path)
    for _ in range(5):
        client.send(ATTEST)
        client.send(DESCRIBE)
    for _ in range(5):
        assert is_document(client.recv(0x3000))
        assert is_described(client.recv(0x3000))


def many(kind, path):
    """Many at a time; each gets its own answers."""
    failed = []

    def client_thread(number):
        try:
            client = connected(kind, path)
            for _ in range(5):
                assert is_document(ask(client, ATTEST))
                response = ask(client, describe_pcr(number % 32))
                assert response.startswith(b"\xa1\x6bDescribePCR")
        except BaseException as why:  # pylint: disable=broad-except
            failed.append(why)

    threads = [threading.Thread(target=client_thread, args=(i,))
               for i in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed, failed


def slow_reader(kind, path):
    """Who does not read his answers does not stop the others."""
    several = [connected(kind, path) for _ in range(8)]
    sent = [0] * len(several)
    for i, slow in enumerate(several):
        slow.setblocking(False)
        try:
            while sent[i] < 50:
                slow.send(ATTEST)
                sent[i] += 1
        except BlockingIOError:
            pass
    client = connected(kind, path)
    start = time.monotonic()
    for _ in range(20):
        assert is_described(ask(client, DESCRIBE))
        assert is_document(ask(client, ATTEST))
    assert time.monotonic() - start < 20
    # They themselves get what they asked for, in the end.
    for i, slow in enumerate(several):
        slow.settimeout(30)
        for _ in range(sent[i]):
            assert is_document(slow.recv(0x3000))


def gone(kind, path):
    """Who has gone before the answer disturbs nobody."""
    for _ in range(20):
        client = connected(kind, path)
        client.send(ATTEST)
        client.close()
    client = connected(kind, path)
    assert is_document(ask(client, ATTEST))


def killed(kind, path):
    for _ in range(10):
        child = os.fork()
        if child == 0:
            client = connected(kind, path)
            while True:
                ask(client, ATTEST)
        time.sleep(0.01)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert is_document(ask(connected(kind, path), ATTEST))


def nameless(path):
    """There is nowhere to send the answer, which is no harm to others."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    client.sendto(DESCRIBE, path)
    client.sendto(DESCRIBE, path)
    dgram(path)


def shared(kind, path):
    """It is one module, whoever asks."""
    one, other = connected(kind, path), connected(kind, path)
    response = ask(one, extend_pcr(16, b"abc"))
    assert response.startswith(b"\xa1\x69ExtendPCR")
    assert ask(other, describe_pcr(16))[-48:] == response[-48:]


def refused(kind, path):
    try:
        connected(kind, path)
    except OSError as why:
        assert why.errno in (errno.ECONNREFUSED, errno.ENOENT), why
    else:
        raise AssertionError("somebody is there")


# --- Images ----------------------------------------------------------------------

def sign_badly(source, target):
    """Gives an image a signature section that is none, and its checksum."""
    with open(source, "rb") as file:
        image = bytearray(file.read())
    sections = struct.unpack_from(">H", image, 26)[0]
    struct.pack_into(">H", image, 26, sections + 1)
    struct.pack_into(">Q", image, 28 + 8 * sections, len(image))
    struct.pack_into(">Q", image, 284 + 8 * sections, 9)
    image += struct.pack(">HHQ", 4, 0, 9) + b"signature"
    struct.pack_into(">I", image, 544, zlib.crc32(image[548:],
                                                  zlib.crc32(image[:544])))
    with open(target, "wb") as file:
        file.write(image)


def main():
    name, arguments = sys.argv[1], sys.argv[2:]
    globals()[name](*arguments)


main()
