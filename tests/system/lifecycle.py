# SPDX-License-Identifier: Apache-2.0
"""What is left of enclaves, in TAP; run by lifecycle.sh, which made FOLDER.

This process is the subreaper of everything it starts, so whatever outlives its
parents becomes a child here and is found. Only such processes are ever killed.
"""

import ctypes
import os
import random
import re
import signal
import subprocess
import sys
import time

FOLDER = sys.argv[1]
NE_RUN = os.environ["NE_RUN"]
NE_EMU = os.environ["NE_EMU"]
RUNTIME = os.environ["NE_RUNTIME_DIR"]
STAYS = os.path.join(FOLDER, "stays.eif")
LARGE = os.path.join(FOLDER, "large.eif")
ENDS = os.path.join(FOLDER, "ends.eif")

PR_SET_CHILD_SUBREAPER = 36
BOOT_SECONDS = 30
# "Gone within a second", said of what is left when one process is killed.
GONE_SECONDS = 1.0
CYCLES = int(os.environ.get("NE_TEST_CYCLES", "200"))
KILLS = int(os.environ.get("NE_TEST_KILLS", "30"))

ALL_CPUS = 14  # of the default pool, 2-15


def is_sanitized(path):
    with open(path, "rb") as file:
        return b"__asan_init" in file.read()


# What a long-lived process may grow by; AddressSanitizer keeps what was freed.
SLACK_KIB = 65536 if is_sanitized(NE_EMU) else 512

tests = 0
failures = 0


def check(name, good, *why):
    global tests, failures
    tests += 1
    print(f"{'ok' if good else 'not ok'} {tests} - {name}")
    if not good:
        failures += 1
        for text in why:
            for line in str(text).splitlines():
                print(f"# {line}")
    sys.stdout.flush()
    return good


# --- Processes ---------------------------------------------------------------


class Started:
    """A program we have started, and what it says."""

    count = 0

    def __init__(self, *command, stdin=subprocess.DEVNULL):
        Started.count += 1
        self.path = os.path.join(FOLDER, f"output.{Started.count}")
        with open(self.path, "wb") as file:
            self.process = subprocess.Popen(
                command, stdin=stdin, stdout=file, stderr=subprocess.STDOUT
            )
        self.pid = self.process.pid
        started[self.pid] = self

    def said(self):
        with open(self.path, errors="replace") as file:
            return file.read()

    def booted(self):
        return re.findall(r"cid (\d+), .*booted in", self.said())

    def ended(self):
        return self.process.poll() is not None

    def status(self, seconds):
        """Its exit status, or None if it is still running after that time."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        started.pop(self.pid, None)
        return status


started = {}


def ne_run(*arguments, emulation=()):
    """ne-run, alone or under an ne-emu of the given options."""
    command = [NE_RUN, "--mem", "64"]
    if emulation:
        command = [NE_EMU, "run", *emulation, "--", *command]
    else:
        command.append("--emulate=process")
    return Started(*command, *arguments)


def until(true, seconds):
    """Waits for it to become true; the seconds that took, or None."""
    begin = time.monotonic()
    while not true():
        if time.monotonic() - begin > seconds:
            return None
        time.sleep(0.002)
    return time.monotonic() - begin


def proc(pid, name):
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def children():
    """{parent: [child, ...]} of all processes there are."""
    families = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            stat = proc(name, "stat").rpartition(")")[2].split()
            if stat:
                families.setdefault(int(stat[1]), []).append(int(name))
    return families


def descendants(pid):
    families = children()
    found = []
    generation = [pid]
    while generation:
        generation = [c for p in generation for c in families.get(p, [])]
        found += generation
    return found


def nobody_left():
    """Nobody below us; orphans that have come to us are reaped here."""
    left = descendants(os.getpid())
    for pid in left:
        if pid in started:
            if started[pid].ended():
                del started[pid]
            continue
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            pass
    return not left


def is_dying(pid):
    """Killed, but not out of the kernel yet: it may be clearing a huge page."""
    pending = re.findall(r"^(?:Sig|Shd)Pnd:\s+(\w+)$", proc(pid, "status"), re.M)
    return any(int(mask, 16) & 1 << signal.SIGKILL - 1 for mask in pending)


def gone():
    """Nobody left within the time that is promised; how long it took, or None."""
    begin = time.monotonic()
    took = until(nobody_left, GONE_SECONDS)
    if took is None and any(is_dying(pid) for pid in descendants(os.getpid())):
        print(f"# the kernel was at work for {time.monotonic() - begin:.1f} s and more")
        took = until(nobody_left, 30)
    return took


def describe(pids):
    return "\n".join(
        f"{pid}: {proc(pid, 'cmdline').replace(chr(0), ' ')}"
        f" [{proc(pid, 'wchan')}] of {proc(pid, 'stat').rpartition(')')[2].split()[1:2]}"
        for pid in pids
    )


def end_all(runs):
    """Ends them, first kindly."""
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
        for run in runs:
            if not run.ended():
                run.process.send_signal(number)
        if until(lambda: all(run.ended() for run in runs), 5) is not None:
            return number != signal.SIGKILL
    return False


# --- What must be the same before and after ------------------------------------


def files_below(folder):
    return sorted(
        os.path.relpath(os.path.join(where, name), folder)
        for where, folders, files in os.walk(folder)
        for name in folders + files
    )


def cgroups():
    path = re.search(r"^0::(.*)$", proc("self", "cgroup"), re.M)
    top = "/sys/fs/cgroup" + (path.group(1) if path else "/nowhere")
    return sorted(where for where, _, _ in os.walk(top))


def mounts():
    """Of the host, where ours would be: others come and go."""
    ours = (os.path.realpath(RUNTIME), os.path.realpath(FOLDER))
    points = [line.split()[4] for line in proc("self", "mountinfo").splitlines()]
    return [point for point in points if point.startswith(ours)]


def surroundings():
    return {
        "mounts": mounts(),
        "files in the runtime folder": files_below(RUNTIME),
        "temporary files": sorted(
            name for name in os.listdir(FOLDER) if "output." not in name
        ),
        "cgroups": cgroups(),
    }


def differences(before, after):
    return "\n".join(
        f"{what} before: {before[what]}\n{what} after: {after[what]}"
        for what in before
        if before[what] != after[what]
    )


def everything_is_free():
    """Every CPU, the first CID and a slot can be had again."""
    run = ne_run("--cpus", str(ALL_CPUS), "--cid", "16", ENDS)
    return run.status(BOOT_SECONDS) == 0, run.said()


# --- Tests ------------------------------------------------------------------------


def four_at_once():
    runs = [ne_run(STAYS) for _ in range(4)]
    until(lambda: all(run.booted() or run.ended() for run in runs), BOOT_SECONDS)
    cids = [cid for run in runs for cid in run.booted()]
    said = [run.said() for run in runs]
    check("four enclaves started at the same moment all boot", len(cids) == 4, *said)
    check("they have CIDs of their own", len(set(cids)) == len(cids), cids)
    check("they end when they are told to", end_all(runs), *said)
    check("nobody is left of them", gone() is not None,
          describe(descendants(os.getpid())))


def four_under_one_emulation():
    line = "; ".join([f"'{NE_RUN}' --mem 64 '{STAYS}' &"] * 4).replace("&;", "&")
    run = Started(NE_EMU, "run", "--", "sh", "-c", line + " wait")
    until(lambda: len(run.booted()) == 4 or run.ended(), BOOT_SECONDS)
    check("four enclaves under one ne-emu all boot", len(run.booted()) == 4, run.said())
    end_all([run])
    check("nobody is left of those", gone() is not None,
          describe(descendants(os.getpid())))


def wardens_are_small():
    """A warden is forked from ne-emu, which may just hold others' images."""
    line = "; ".join([f"'{NE_RUN}' --mem 256 '{LARGE}' &"] * 4).replace("&;", "&")
    run = Started(NE_EMU, "run", "--", "sh", "-c", line + " wait")
    until(lambda: len(run.booted()) == 4 or run.ended(), BOOT_SECONDS)
    resident = [
        int(re.search(r"VmRSS:\s*(\d+)", proc(pid, "status"))[1])
        for pid in descendants(run.pid)
        if proc(pid, "comm").startswith("ne-emu-warden")
    ]
    check("a warden has none of the images of 30 MB that are about",
          len(resident) >= 4 and max(resident) < 16384, resident, run.said())
    end_all([run])


def eight_for_four_cpus():
    runs = [
        ne_run("--cpus", "2", STAYS, emulation=("--pool", "2-5")) for _ in range(8)
    ]
    hung = until(
        lambda: all(run.booted() or run.ended() for run in runs), BOOT_SECONDS
    )
    said = [run.said() for run in runs]
    booted = [run for run in runs if run.booted()]
    refused = [run for run in runs if not run.booted()]
    check("eight that race for four CPUs all come to an end of it", hung is not None,
          *said)
    check("two of them boot", len(booted) == 2, *said)
    check(
        "the others are told that no CPUs are left",
        all(run.status(1) == 125 and "no CPUs left" in run.said()
            for run in refused),
        *said,
    )
    end_all(booted)
    check("nobody is left of any", gone() is not None,
          describe(descendants(os.getpid())))


class Shell:
    """A shell under a long-lived ne-emu that runs an enclave at our word."""

    def __init__(self):
        script = f"while read -r word; do '{NE_RUN}' --mem 64 '{ENDS}'; done"
        self.run = Started(
            NE_EMU, "run", "-q", "--", "sh", "-c", script, stdin=subprocess.PIPE
        )

    def cycle(self):
        self.run.process.stdin.write(b"go\n")
        self.run.process.stdin.flush()

    def cycles(self, count):
        wanted = len(self.run.booted()) + count
        for _ in range(count):
            self.cycle()
        return until(
            lambda: len(self.run.booted()) == wanted or self.run.ended(),
            BOOT_SECONDS + count,
        )

    def idle(self):
        """Only those who stay: nothing of an enclave that has ended."""
        return len(descendants(self.run.pid)) == 2

    def held(self):
        """What its processes hold: their number, descriptors and memory."""
        pids = [self.run.pid] + descendants(self.run.pid)
        return (
            len(pids),
            sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids),
            sum(len(proc(pid, "maps").splitlines()) for pid in pids),
            sum(int(re.search(r"VmRSS:\s+(\d+)", proc(pid, "status")).group(1))
                for pid in pids),
        )


def many_cycles_under_one_emulation():
    shell = Shell()
    shell.cycles(10)
    until(shell.idle, 5)
    before, around = shell.held(), surroundings()
    done = shell.cycles(CYCLES)
    until(shell.idle, 5)
    # ne-emu hears of closed descriptors when its event loop comes round.
    until(lambda: shell.held()[1] <= before[1], 5)
    after = shell.held()
    check(f"{CYCLES} enclaves start and stop under one ne-emu", done is not None,
          shell.run.said()[-2000:])
    check("they leave no process behind", after[0] == before[0],
          describe(descendants(shell.run.pid)))
    check("they leave no descriptor behind", after[1] == before[1],
          f"{before[1]} before, {after[1]} after")
    # A thread of ne-emu's that was not needed before has a few.
    check("they leave no mapping behind", after[2] - before[2] <= 16,
          f"{before[2]} before, {after[2]} after")
    check("they leave no memory behind", after[3] - before[3] <= SLACK_KIB,
          f"{before[3]} KiB before, {after[3]} KiB after")
    unlike = differences(around, surroundings())
    check("they leave no mount, file or cgroup behind", not unlike, unlike)
    shell.run.process.stdin.close()
    check("the shell under it ends well", shell.run.status(10) == 0, shell.run.said()[-500:])


def many_cycles_alone():
    ne_run(ENDS).status(BOOT_SECONDS)
    around = surroundings()
    count = max(CYCLES // 10, 1)
    statuses = [ne_run(ENDS).status(BOOT_SECONDS) for _ in range(count)]
    check(f"{count} enclaves start and stop by themselves", set(statuses) == {0},
          statuses)
    check("nobody is left of those either", gone() is not None,
          describe(descendants(os.getpid())))
    unlike = differences(around, surroundings())
    check("nor is a mount, a file or a cgroup", not unlike, unlike)


def roles(run):
    """{who: [pid, ...]} of an ne-run that emulates."""
    found = {"ne-emu": [run.pid]}
    for pid in descendants(run.pid):
        ids = re.search(r"^NSpid:\s+(.*)$", proc(pid, "status"), re.M)
        command = proc(pid, "cmdline").split("\0")
        if ids and len(ids.group(1).split()) > 1:
            who = "PID 1" if ids.group(1).split()[-1] == "1" else "in the enclave"
        elif "run" in command[:2] and "ne-emu" in command[0]:
            keeper = proc(pid, "comm").strip() == "ne-emu-keeper"
            who = "ne-emu's keeper" if keeper else "ne-emu's helper"
        elif "ne-run" in command[0]:
            who = "ne-run"
        else:
            who = "others"
        found.setdefault(who, []).append(pid)
    return found


def kill_one(run, who, delay):
    """Kills one of its processes; how it was called."""
    time.sleep(delay)
    found = roles(run)
    if who not in found:
        who = random.choice(sorted(found))
    victim = random.choice(found[who])
    try:
        os.kill(victim, signal.SIGKILL)
    except ProcessLookupError:
        pass
    return who


def killed_at_any_moment():
    seed = int(os.environ.get("NE_TEST_SEED", time.time_ns() % 100000))
    random.seed(seed)
    print(f"# NE_TEST_SEED={seed}")
    wanted = ["ne-run", "ne-emu", "PID 1", "ne-emu's keeper", "in the enclave",
              "ne-emu's helper"]
    killed, slowest, bad = {}, 0, []
    for turn in range(KILLS):
        # A boot takes some 30 ms, or 200: during it, and after it.
        large = turn % 2
        run = ne_run("--mem", "256", LARGE) if large else ne_run(STAYS)
        delay = random.uniform(0, 0.4 if large else 0.15)
        who = kill_one(run, wanted[turn % len(wanted)], delay)
        killed[who] = killed.get(who, 0) + 1
        took = gone()
        # A helper that has just done its work is not missed.
        if took is None and who == "ne-emu's helper" and run.booted():
            end_all([run])
            took = gone()
        if took is None:
            left = descendants(os.getpid())
            bad.append(f"{who} killed after {delay:.3f} s leaves:\n{describe(left)}")
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            until(nobody_left, 10)
            continue
        slowest = max(slowest, took)
        free, said = everything_is_free()
        if not free:
            bad.append(f"{who} killed after {delay:.3f} s keeps something:\n{said}")
    print(f"# killed: {killed}; slowest to be gone: {slowest * 1000:.0f} ms")
    check(f"{KILLS} kills at random moments leave nobody, and every CPU, CID and slot free",
          not bad, *bad)


def main():
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before = mounts()
    four_at_once()
    four_under_one_emulation()
    if not is_sanitized(NE_EMU):
        wardens_are_small()
    eight_for_four_cpus()
    many_cycles_under_one_emulation()
    many_cycles_alone()
    killed_at_any_moment()
    unlike = differences({"mounts": before}, {"mounts": mounts()})
    check("the host has the mounts it had", not unlike, unlike)
    print(f"1..{tests}")
    sys.exit(failures != 0)


main()
