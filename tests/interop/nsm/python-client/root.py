# SPDX-License-Identifier: Apache-2.0
"""root.py FOLDER: a root file system that has the Python that runs this.

And nothing else: its interpreter, its library, and the shared libraries that
a program needs which looks at memory, as clients of a device do.
"""

import glob
import os
import re
import shutil
import subprocess
import sys
import sysconfig

LEFT_OUT = shutil.ignore_patterns(
    "__pycache__", "*-packages", "config-*", "ensurepip", "idlelib", "lib2to3",
    "pydoc_data", "test", "tests", "tkinter", "turtledemo", "unittest"
)


def put(root, path):
    """The file of this name, under the same name."""
    to = root + path
    os.makedirs(os.path.dirname(to), exist_ok=True)
    shutil.copy2(path, to)


def shared_libraries(program):
    said = subprocess.run(["ldd", program], check=True, capture_output=True)
    return re.findall(rb"(/\S+) \(0x", said.stdout)


def main():
    root = sys.argv[1]
    interpreter = os.path.realpath(sys.executable)
    library = sysconfig.get_path("stdlib")
    extensions = glob.glob(library + "/lib-dynload/_ctypes.*")
    put(root, interpreter)
    for program in [interpreter] + extensions:
        for path in shared_libraries(program):
            put(root, os.fsdecode(path))
    shutil.copytree(library, root + library, ignore=LEFT_OUT)
    print(interpreter)


main()
