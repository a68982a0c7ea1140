# SPDX-License-Identifier: Apache-2.0
"""verifier.py ROOT.PEM SECONDS DOCUMENT

Is this document genuine, if that root is trusted, at that time? See ../README.
"""

import base64
import datetime
import logging
import sys
import types
import unittest.mock

import epsilon_verifier
from epsilon_verifier import verifier


def clock(seconds):
    """What stands in for the class datetime: the verifier takes no time."""
    now = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return types.SimpleNamespace(
        now=lambda timezone: now.astimezone(timezone),
        fromtimestamp=datetime.datetime.fromtimestamp,
    )


def verify(root, seconds, document):
    with open(document, "rb") as file:
        text = base64.b64encode(file.read()).decode()
    with unittest.mock.patch.object(verifier, "datetime", clock(seconds)):
        return epsilon_verifier.verify_attestation(text, aws_root_cert_path=root)


def optional(name, data):
    print(name, "none" if data is None else data.hex())


def show(document):
    print("module_id", document.module_id)
    print("digest", document.digest)
    print("timestamp", document.timestamp)
    for index, value in sorted(document.pcrs.items()):
        print("pcr", index, value)
    print("certificate", document.certificate.hex())
    for certificate in document.cabundle:
        print("cabundle", certificate.hex())
    optional("public_key", document.public_key)
    optional("user_data", document.user_data)
    optional("nonce", document.nonce)


def main():
    if len(sys.argv) != 4:
        sys.exit("usage: verifier.py ROOT.PEM SECONDS DOCUMENT")
    # Its reasons are in its log.
    logging.basicConfig(level=logging.ERROR, format="%(message)s")
    result = verify(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    if not result.valid:
        print("refused:", result.error, file=sys.stderr)
        sys.exit(1)
    show(result.attestation)


main()
