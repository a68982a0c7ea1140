# SPDX-License-Identifier: Apache-2.0
"""All that aws-nsm-interface can ask of a /dev/nsm, one line for each answer.

See ../README. The package's second edition, which opens the device as a
kernel driver lets one: it cannot be positioned, so never in mode "r+".
"""

import aws_nsm_interface_verifiably as nsm


def describe(device):
    it = nsm.describe_nsm(device)
    version = (it["version_major"], it["version_minor"], it["version_patch"])
    print("module_id", it["module_id"])
    print("version", ".".join(map(str, version)))
    print("max_pcrs", it["max_pcrs"])
    print("digest", it["digest"])
    print("locked_pcrs", *it["locked_pcrs"])


def describe_pcr(device, index):
    it = nsm.describe_pcr(device, index)
    print("pcr", index, "locked" if it["lock"] else "open", it["data"].hex())


def extend(device, index, data):
    print("extended", index, nsm.extend_pcr(device, index, data)["data"].hex())


def lock(device):
    nsm.lock_pcr(device, 16)
    describe_pcr(device, 16)
    nsm.lock_pcrs(device, 20)
    describe(device)


def refused(what, function, *arguments):
    try:
        print("error", what, function(*arguments))
    except nsm.IoctlError as error:
        print("error", what, error)


def document(device, name, **fields):
    it = nsm.get_attestation_doc(device, **fields)
    print("document", name, it["document"].hex())


def main():
    device = nsm.open_nsm_device()
    describe(device)
    for index in range(32):
        describe_pcr(device, index)
    extend(device, 16, b"first")
    extend(device, 16, b"second")
    lock(device)
    one, another = nsm.get_random(device, 256), nsm.get_random(device, 256)
    print("random", len(one), len(another), str(one != another).lower())
    refused("ExtendPCR", nsm.extend_pcr, device, 16, b"third")
    refused("DescribePCR", nsm.describe_pcr, device, 32)
    document(device, "bare")
    document(
        device,
        "full",
        user_data=b"user data \x00\xff",
        nonce=b"nonce \x00\xff",
        public_key=b"public key \x00\xff",
    )
    nsm.close_nsm_device(device)


main()
