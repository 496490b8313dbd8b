#!/usr/bin/env python3
"""Measures the cost of following files: idle, with 1,000 files, the first reading against a plain run, and the delay of a line.

    cargo build --release
    benches/follow.py [--seconds 60] [--runs 7] [--lines 1000000] [--files 1000] [--programs target/release]

Processor time is the kernel scheduler's count for all threads of a program. Context switches are voluntary and other ones. Memory is
resident memory. Compared runs take turns. The load average shows whether the machine was quiet.
"""

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import tempfile
import time

from kernel import cost

LINE = '192.0.2.%d - - [21/Nov/2026:10:%02d:%02d +0000] "GET /page/%d HTTP/1.1" 200 %d "-" "Mozilla/5.0 (X11; Linux)"\n'


def line(number):
    return LINE % (number % 250, number // 60 % 60, number % 60, number, number * 7 % 50000)


def memory(pid):
    """The resident memory in MB."""
    with open(f"/proc/{pid}/status") as file:
        return next(int(row.split()[1]) for row in file if row.startswith("VmRSS")) / 1024


def until(what, condition, patience=300):
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"waited {patience} s for {what}")
        time.sleep(0.005)


def lines_of(path):
    try:
        with open(path, "rb") as file:
            return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
    except FileNotFoundError:
        return 0


class Folder:
    def __init__(self, program):
        self.program = os.path.abspath(program)
        self.kept = tempfile.TemporaryDirectory(prefix="logator-follow-")
        self.count = 0

    def path(self, name):
        return os.path.join(self.kept.name, name)

    def start(self, *flags):
        """Starts a run. Returns the process and the path of its receipt."""
        self.count += 1
        receipt = self.path(f"receipt-{self.count}")
        command = [self.program, "run", "-f", "combined", "--receipt", receipt, "--quiet", *flags]
        return subprocess.Popen(command, cwd=self.kept.name, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL), receipt

    def append(self, name, text):
        with open(self.path(name), "a") as file:
            file.write(text)


def end(process):
    process.send_signal(signal.SIGTERM)
    code = process.wait(60)
    if code != 0:
        print(f"a run ended with {code}")


def idle(folder, seconds):
    rows = {
        "one file": ("--follow",),
        "one file, `--state`": ("--state", "state", "--follow"),
        "one file, `--follow=poll`": ("--follow=poll",),
    }
    running = {}
    for index, (name, flags) in enumerate(rows.items()):
        folder.append(f"idle-{index}", line(1))
        running[name], _ = folder.start("--to", f"ndjson:idle-{index}.out", *flags, f"idle-{index}")
    for index in range(len(rows)):
        until("the first line", lambda: lines_of(folder.path(f"idle-{index}.out")) == 1)
    time.sleep(3)
    before = {name: cost(process.pid) for name, process in running.items()}
    time.sleep(seconds)
    print(f"\nidle, {seconds} s; load average:", *os.getloadavg())
    print("| | % of a processor | switches/s |\n|---|---|---|")
    for name, process in running.items():
        used, switches = (now - then for now, then in zip(cost(process.pid), before[name]))
        print(f"| {name} | {100 * used / seconds:.4f} | {switches / seconds:.2f} |")
        end(process)


def many(folder, files, seconds):
    print(f"\n{files} files; load average:", *os.getloadavg())
    print("| | % of a processor, quiet | switches/s | MB, all read | MB after 10 more lines each | MB after 100 more |")
    print("|---|---|---|---|---|---|")
    for how in ("--follow", "--follow=poll"):
        logs, out = f"logs{how}", f"many{how}.out"
        os.mkdir(folder.path(logs))
        for number in range(files):
            folder.append(f"{logs}/{number}", line(number))
        process, _ = folder.start("--to", f"ndjson:{out}", how, logs)
        written = files
        sizes = []
        arrived = lambda: lines_of(folder.path(out)) >= written
        until("the files' lines", arrived)
        sizes.append(memory(process.pid))
        time.sleep(12)
        then = cost(process.pid)
        time.sleep(seconds)
        used, switches = (now - before for now, before in zip(cost(process.pid), then))
        for rounds in (10, 90):
            for turn in range(rounds):
                for number in range(files):
                    folder.append(f"{logs}/{number}", line(written + number))
                written += files
            until("the files' lines", arrived)
            sizes.append(memory(process.pid))
        row = [f"{100 * used / seconds:.3f}", f"{switches / seconds:.2f}", *(f"{size:.1f}" for size in sizes)]
        print(f"| `{how}` | {' | '.join(row)} |")
        end(process)


def first_reading(folder, lines, runs):
    log = folder.path("access.log")
    with open(log, "w") as file:
        for number in range(lines):
            file.write(line(number))
    size = os.path.getsize(log)

    def read(*flags):
        begin = time.monotonic()
        process, receipt = folder.start("--to", "null:", *flags, "access.log")
        if "--follow" in flags:
            def all_read():
                with open(f"/proc/{process.pid}/io") as file:
                    return int(file.readline().split()[1]) >= size
            until("the file to be read", all_read)
            process.send_signal(signal.SIGTERM)
        if process.wait(300) != 0:
            raise SystemExit("the run failed")
        passed = time.monotonic() - begin
        with open(receipt) as file:
            count = json.load(file)["read"]
        if count != lines:
            raise SystemExit(f"{count} of {lines} lines were read")
        return lines / passed

    ways = {"plain": (), "`--follow`": ("--follow",)}
    speeds = {name: [] for name in ways}
    for run in range(runs):
        for name in random.sample(list(ways), len(ways)):
            speeds[name].append(read(*ways[name]))
    print(f"\nfirst reading, {lines} lines, {size / 1e6:.0f} MB, {runs} runs in turns; load average:", *os.getloadavg())
    print("| | lines/s, median | lowest | highest |\n|---|---|---|---|")
    for name, found in speeds.items():
        print(f"| {name} | {statistics.median(found):,.0f} | {min(found):,.0f} | {max(found):,.0f} |")
    ratios = [after / before for before, after in zip(*speeds.values())]
    print(f"ratio: {statistics.median(ratios):.2f} (median of the pairs)")


def latency(folder, count):
    print(f"\nfrom the write of a line until its document is in the file, {count} lines, one after the other, ms")
    print("| | median | 99 % | most |\n|---|---|---|---|")
    for how in ("--follow", "--follow=poll"):
        log, out = f"slow{how}.log", f"slow{how}.out"
        folder.append(log, line(0))
        process, _ = folder.start("--to", f"ndjson:{out}", how, log)
        until("the first line", lambda: lines_of(folder.path(out)) == 1)
        times = []
        with open(folder.path(out), "rb") as file:
            file.read()
            for number in range(1, count + 1):
                time.sleep(random.uniform(0, 0.2))
                begin = time.monotonic()
                folder.append(log, line(number))
                while not file.read():
                    time.sleep(0.0005)
                times.append(1000 * (time.monotonic() - begin))
        times.sort()
        print(f"| `{how}` | {statistics.median(times):.1f} | {times[count * 99 // 100]:.1f} | {times[-1]:.1f} |")
        end(process)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--programs", default="target/release")
    arguments = parser.parse_args()
    folder = Folder(os.path.join(arguments.programs, "logator"))
    first_reading(folder, arguments.lines, arguments.runs)
    latency(folder, 200)
    many(folder, arguments.files, arguments.seconds)
    idle(folder, arguments.seconds)


main()
