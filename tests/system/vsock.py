# SPDX-License-Identifier: Apache-2.0
"""AF_VSOCK as Python programs use it.

Only to be run under ne-emu, where CID 3 is ourselves:

    vsock.py --list     names of the cases
    vsock.py CASE       runs one; silent if it holds
"""
import asyncio
import hashlib
import os
import selectors
import signal
import socket
import sys
import threading
import time

ANY = socket.VMADDR_CID_ANY
PARENT = 3


def listener(port, backlog=128):
    sock = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
    sock.bind((ANY, port))
    sock.listen(backlog)
    return sock


def client(port):
    sock = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
    sock.connect((PARENT, port))
    return sock


def expect(error, call, *args):
    try:
        call(*args)
    except error as caught:
        return caught
    raise AssertionError(f"no {error.__name__}")


def receive_all(sock):
    digest = hashlib.sha256()
    while data := sock.recv(1 << 20):
        digest.update(data)
    return digest.hexdigest()


def a_connection_goes_both_ways():
    with listener(5000) as server, client(5000) as there:
        assert there.getpeername() == (PARENT, 5000)
        here, address = server.accept()
        assert here.family == socket.AF_VSOCK
        assert address == (PARENT, there.getsockname()[1])
        assert here.getsockname() == (PARENT, 5000)
        there.sendall(b"question")
        assert here.recv(100) == b"question"
        here.sendall(b"answer")
        here.shutdown(socket.SHUT_WR)
        assert there.recv(100) == b"answer"
        assert there.recv(100) == b""
        there.sendall(b"more")
        assert here.recv(100) == b"more"
        here.close()


def timeouts_come():
    with listener(5000) as server:
        server.settimeout(0.1)
        begin = time.monotonic()
        expect(socket.timeout, server.accept)
        assert 0.05 < time.monotonic() - begin < 5
        with client(5000) as there:
            there.settimeout(0.1)
            expect(socket.timeout, there.recv, 1)
            here, _ = server.accept()
            here.settimeout(5)
            there.send(b"x")
            assert here.recv(1) == b"x"
            there.settimeout(None)
            here.send(b"y")
            assert there.recv(1) == b"y"
            here.close()
    with socket.socket(socket.AF_VSOCK) as sock:
        sock.settimeout(5)
        expect(ConnectionResetError, sock.connect, (PARENT, 5001))


def non_blocking_sockets_do_not_wait():
    with listener(5000) as server:
        server.setblocking(False)
        expect(BlockingIOError, server.accept)
        there = socket.socket(socket.AF_VSOCK)
        there.setblocking(False)
        error = there.connect_ex((PARENT, 5000))
        assert error in (0, 115), error
        selector = selectors.DefaultSelector()
        selector.register(server, selectors.EVENT_READ)
        assert selector.select(5)
        here, _ = server.accept()
        here.setblocking(False)
        expect(BlockingIOError, here.recv, 1)
        selector.register(here, selectors.EVENT_READ)
        assert there.send(b"x") == 1
        ready = [key.fileobj for key, _ in selector.select(5)]
        assert ready == [here], ready
        assert here.recv(10) == b"x"
        there.close()
        assert selector.select(5)
        assert here.recv(10) == b""
        here.close()


def errors_are_those_of_the_kernel():
    with socket.socket(socket.AF_VSOCK) as sock:
        expect(ConnectionResetError, sock.connect, (PARENT, 5999))
    with listener(5000), socket.socket(socket.AF_VSOCK) as sock:
        error = expect(OSError, sock.bind, (ANY, 5000))
        assert error.errno == 98, error
        error = expect(OSError, sock.bind, (77, 5001))
        assert error.errno == 99, error
        error = expect(OSError, sock.getpeername)
        assert error.errno == 107, error
    error = expect(OSError, socket.socket, socket.AF_VSOCK, socket.SOCK_DGRAM)
    assert error.errno == 19, error


def signals_do_not_disturb_accept():
    caught = []
    signal.signal(signal.SIGALRM, lambda *_: caught.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    with listener(5000) as server:
        def connect_later():
            time.sleep(0.3)
            client(5000).close()
        thread = threading.Thread(target=connect_later)
        thread.start()
        here, _ = server.accept()
        here.close()
        thread.join()
    signal.setitimer(signal.ITIMER_REAL, 0)
    assert caught


def a_hundred_connections_at_once_in_asyncio():
    async def serve(reader, writer):
        data = await reader.readexactly(50000)
        writer.write(data[::-1])
        await writer.drain()
        writer.close()

    async def talk(number):
        sock = socket.socket(socket.AF_VSOCK)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, (PARENT, 5000))
        reader, writer = await asyncio.open_connection(sock=sock)
        data = bytes([number]) * 25000 + b"x" * 25000
        writer.write(data)
        await writer.drain()
        assert await reader.read(-1) == data[::-1]
        writer.close()

    async def main():
        sock = listener(5000)
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        served = []

        async def accept_all():
            while True:
                here, _ = await loop.sock_accept(sock)
                reader, writer = await asyncio.open_connection(sock=here)
                served.append(asyncio.create_task(serve(reader, writer)))

        acceptor = asyncio.create_task(accept_all())
        await asyncio.gather(*(talk(i) for i in range(100)))
        acceptor.cancel()
        assert len(served) == 100

    asyncio.run(main())


def sixty_four_mib_arrive_unchanged():
    size, piece = 64 << 20, os.urandom(1 << 20)
    sent = hashlib.sha256()
    with listener(5000) as server:
        result = []
        def serve():
            here, _ = server.accept()
            result.append(receive_all(here))
            here.close()
        thread = threading.Thread(target=serve)
        thread.start()
        there = client(5000)
        for _ in range(size // len(piece)):
            there.sendall(piece)
            sent.update(piece)
        there.close()
        thread.join()
        assert result == [sent.hexdigest()]


def children_inherit_sockets():
    with listener(5000) as server:
        child = os.fork()
        if child == 0:
            here, _ = server.accept()
            here.sendall(b"from the child")
            os._exit(0)
        with client(5000) as there:
            assert there.recv(100) == b"from the child"
            assert there.recv(100) == b""
        assert os.waitpid(child, 0)[1] == 0


def a_file_object_and_sendfile_work():
    with listener(5000) as server, client(5000) as there:
        here, _ = server.accept()
        with open(__file__, "rb") as source:
            there.sendfile(source)
        there.shutdown(socket.SHUT_WR)
        with here.makefile("rb") as stream, open(__file__, "rb") as source:
            assert stream.read() == source.read()
        here.close()


def the_local_cid_is_the_parent_s():
    import fcntl
    import struct
    with open("/dev/vsock", "rb") as device:
        cid = fcntl.ioctl(device, 0x7b9, struct.pack("I", 0))
    assert struct.unpack("I", cid) == (PARENT,)


CASES = [
    a_connection_goes_both_ways,
    timeouts_come,
    non_blocking_sockets_do_not_wait,
    errors_are_those_of_the_kernel,
    signals_do_not_disturb_accept,
    a_hundred_connections_at_once_in_asyncio,
    sixty_four_mib_arrive_unchanged,
    children_inherit_sockets,
    a_file_object_and_sendfile_work,
    the_local_cid_is_the_parent_s,
]

if __name__ == "__main__":
    if sys.argv[1:] == ["--list"]:
        print("\n".join(case.__name__ for case in CASES))
    elif os.environ.get("NE_EMULATED") != "1":
        sys.exit("run me under ne-emu")
    else:
        {case.__name__: case for case in CASES}[sys.argv[1]]()
