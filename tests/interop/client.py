#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A client of /dev/nitro_enclaves and AF_VSOCK in nothing but Python.

client.py [--report] IMAGE: boots it, prints "booted: cid N" and ends it; with
--report when it has said something on port 9001, which is printed, too.
"""

import ctypes
import fcntl
import mmap
import os
import select
import socket
import struct
import sys

MEMORY = 128 << 20
VCPUS = 2
HEARTBEAT_PORT = 9000
REPORT_PORT = 9001
HEARTBEAT = b"\xb7"
BOOT_SECONDS = 30
MAP_HUGETLB = 0x40000


def ioctl_number(direction, number, size):
    """_IOC() of the kernel's asm-generic/ioctl.h, of the driver's type."""
    return direction << 30 | size << 16 | 0xAE << 8 | number


WRITE, READ = 1, 2
NE_CREATE_VM = ioctl_number(READ, 0x20, 8)
NE_ADD_VCPU = ioctl_number(READ | WRITE, 0x21, 4)
NE_GET_IMAGE_LOAD_INFO = ioctl_number(READ | WRITE, 0x22, 16)
NE_SET_USER_MEMORY_REGION = ioctl_number(WRITE, 0x23, 24)
NE_START_ENCLAVE = ioctl_number(READ | WRITE, 0x24, 16)
NE_EIF_IMAGE = 1


def create_enclave():
    device = os.open("/dev/nitro_enclaves", os.O_RDWR | os.O_CLOEXEC)
    slot = bytearray(8)
    enclave = fcntl.ioctl(device, NE_CREATE_VM, slot)
    os.close(device)
    return enclave


def give_memory(enclave, image):
    load = bytearray(struct.pack("QQ", NE_EIF_IMAGE, 0))
    fcntl.ioctl(enclave, NE_GET_IMAGE_LOAD_INFO, load)
    _, offset = struct.unpack("QQ", load)

    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_HUGETLB
    memory = mmap.mmap(-1, MEMORY, flags)
    memory[offset : offset + len(image)] = image
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    region = struct.pack("QQQ", 0, MEMORY, address)
    fcntl.ioctl(enclave, NE_SET_USER_MEMORY_REGION, region)
    return memory


def start(enclave):
    info = bytearray(16)
    fcntl.ioctl(enclave, NE_START_ENCLAVE, info)
    return struct.unpack("QQ", info)[1]


def listen(port):
    listener = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
    listener.bind((socket.VMADDR_CID_ANY, port))
    listener.listen(1)
    return listener


def accept(listener, cid):
    if not select.select([listener], [], [], BOOT_SECONDS)[0]:
        sys.exit("nobody connects")
    connection, (peer, _) = listener.accept()
    if peer != cid:
        sys.exit(f"the connection is from CID {peer}, not {cid}")
    return connection


def answer_heartbeat(listener, cid):
    with accept(listener, cid) as connection:
        if connection.recv(1) != HEARTBEAT:
            sys.exit("not a heartbeat")
        connection.sendall(HEARTBEAT)


def print_report(listener, cid):
    with accept(listener, cid) as connection, connection.makefile() as file:
        print(f"report: {file.read().rstrip()}")


def main():
    report = "--report" in sys.argv[1:]
    names = [name for name in sys.argv[1:] if name != "--report"]
    if len(names) != 1:
        sys.exit("usage: client.py [--report] IMAGE")
    with open(names[0], "rb") as file:
        image = file.read()
    enclave = create_enclave()
    memory = give_memory(enclave, image)
    for _ in range(VCPUS):
        fcntl.ioctl(enclave, NE_ADD_VCPU, bytearray(4))
    with listen(HEARTBEAT_PORT) as heartbeats, listen(REPORT_PORT) as reports:
        cid = start(enclave)
        answer_heartbeat(heartbeats, cid)
        print(f"booted: cid {cid}", flush=True)
        if report:
            print_report(reports, cid)
    os.close(enclave)
    del memory


if __name__ == "__main__":
    main()
