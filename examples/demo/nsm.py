# SPDX-License-Identifier: Apache-2.0
"""Asks the Nitro Secure Module for an attestation document, with what comes
with Python and nothing else.

A request is an ioctl of /dev/nsm with the addresses and sizes of two buffers
(struct nsm_raw of <linux/nsm.h>). What is in the buffers is CBOR, of which
this needs so little that it does it by hand.
"""

import ctypes
import fcntl
import os
import struct

NSM_IOCTL_RAW = 0xC0200A00  # _IOWR(0x0A, 0, struct nsm_raw)
RESPONSE_SIZE = 0x3000


def head(major, size):
    """The start of a CBOR item: its major type and its size."""
    if size < 24:
        return bytes([major << 5 | size])
    if size < 1 << 8:
        return bytes([major << 5 | 24, size])
    return struct.pack(">BH", major << 5 | 25, size)


def text(string):
    return head(3, len(string)) + string.encode()


def optional(data):
    return b"\xf6" if data is None else head(2, len(data)) + data


def request(message):
    """The response to a request, both in CBOR."""
    response = ctypes.create_string_buffer(RESPONSE_SIZE)
    buffer = ctypes.create_string_buffer(message, len(message))
    raw = bytearray(
        struct.pack(
            "=QQQQ",
            ctypes.addressof(buffer),
            len(message),
            ctypes.addressof(response),
            RESPONSE_SIZE,
        )
    )
    device = os.open("/dev/nsm", os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(device, NSM_IOCTL_RAW, raw)
    finally:
        os.close(device)
    return response.raw[: struct.unpack("=QQQQ", raw)[3]]


def attestation(nonce=None, user_data=None, public_key=None):
    """An attestation document: a COSE_Sign1 in CBOR."""
    fields = {"user_data": user_data, "nonce": nonce, "public_key": public_key}
    message = head(5, 1) + text("Attestation") + head(5, len(fields))
    for name, data in fields.items():
        message += text(name) + optional(data)
    response = request(message)
    # {"Attestation": {"document": bytes}}, with a size of two bytes
    start = head(5, 1) + text("Attestation") + head(5, 1) + text("document")
    if not response.startswith(start + b"\x59"):
        raise OSError(f"the NSM answers {response[:40]!r}")
    (size,) = struct.unpack_from(">H", response, len(start) + 1)
    return response[len(start) + 3 :][:size]
