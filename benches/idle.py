#!/usr/bin/env python3
"""Measures the cost of push, pull, queue and worker with little or no load, as the table in zmqpush's README did.

    cargo build --release
    benches/idle.py [--seconds 60] [--programs target/release]

Three chains of programs run side by side. In the first, push sends to a pull that writes. In the second, push sends to a pull that
parses and stores, like `logator-worker --from pull+…`. The third is a queue that reads standard input, and a worker. Each chain gets
single lines: none, 100 and 500 a second. Processor time is the kernel scheduler's count for all threads of a program. Context
switches are voluntary and other ones.
"""

import argparse
import os
import signal
import subprocess
import tempfile
import time

from kernel import cost

LINE = b'192.0.2.7 - - [21/Nov/2026:10:00:00 +0000] "GET /page HTTP/1.1" 200 1234 "-" "Mozilla/5.0 (X11; Linux)"\n'


def feed(pipes, rate, until):
    """Writes lines, one at a time, to each program."""
    begin, count = time.monotonic(), 0
    while rate == 0 or begin + count / rate < until:
        at = until if rate == 0 else begin + count / rate
        time.sleep(max(0, at - time.monotonic()))
        if rate == 0:
            return
        for pipe in pipes:
            os.write(pipe, LINE)
        count += 1
    time.sleep(max(0, until - time.monotonic()))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--programs", default="target/release")
    arguments = parser.parse_args()
    folder = tempfile.TemporaryDirectory(prefix="logator-idle-")
    endpoints = [f"ipc://{folder.name}/{name}" for name in ("print", "store", "queue")]
    running, pipes = {}, []

    def start(name, program, *flags, fed=False):
        command = [os.path.abspath(os.path.join(arguments.programs, program)), *flags]
        process = subprocess.Popen(
            command,
            cwd=folder.name,
            stdin=subprocess.PIPE if fed else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        running[name] = process
        if fed:
            pipes.append(process.stdin.fileno())

    storing = ("-f", "combined", "--to", "null:")
    start("pull", "logator-pull", "--bind", endpoints[0])
    start("push", "logator-push", "--connect", endpoints[0], fed=True)
    start("pull --to", "logator-pull", "--bind", endpoints[1], *storing)
    start("push --raw", "logator-push", "--raw", "--connect", endpoints[1], fed=True)
    start("queue", "logator-queue", "-", "--bind", endpoints[2], fed=True)
    start("worker", "logator-worker", "--from", endpoints[2], *storing)
    time.sleep(3)
    feed(pipes, 100, time.monotonic() + 2)
    print(f"{arguments.seconds} s each; load average:", *os.getloadavg())
    print("| | no load: % of a processor | switches/s | 100 lines/s: % | switches/s | 500 lines/s: % | switches/s |")
    print("|---|---|---|---|---|---|---|")
    rows = {name: [] for name in running}
    for rate in (0, 100, 500):
        time.sleep(2)
        before = {name: cost(process.pid) for name, process in running.items()}
        begin = time.monotonic()
        feed(pipes, rate, begin + arguments.seconds)
        passed = time.monotonic() - begin
        for name, process in running.items():
            seconds, switches = (now - then for now, then in zip(cost(process.pid), before[name]))
            rows[name] += [f"{100 * seconds / passed:.3f}", f"{switches / passed:.1f}"]
    for name, cells in rows.items():
        print(f"| {name} | {' | '.join(cells)} |")
    for process in running.values():
        if process.stdin:
            process.stdin.close()
        elif process is not running["worker"]:
            process.send_signal(signal.SIGTERM)
    for name, process in running.items():
        code = process.wait(60)
        if code != 0:
            print(f"{name} ended with {code}")



main()
