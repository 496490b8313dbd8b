#!/usr/bin/env python3
"""Measures lines from logator-push to logator-pull: throughput, compared with zmqpush's design in Python, and latency.

    cargo build --release
    benches/push.py [--runs 5] [--lines 4000000] [--programs target/release]

The Python programs need pyzmq; ./test installs it to ~/.cache/logator-test/venv. Runs take turns. The time of a run is from the
start of the sender until the last byte has left the receiver's standard output. The script prints medians, and processor seconds of
both programs. A missing byte is an error. The load average at the beginning and at the end shows whether the machine was quiet.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time

PUSH = """
import os, sys, zmq
push = zmq.Context().socket(zmq.PUSH)
push.connect(sys.argv[1])
pid = os.getpid()
for line in sys.stdin:
    push.send_json({"message": line.rstrip("\\n"), "type": "syslog", "@pid": pid})
push.close()
push.context.term()
"""

# libzmq as released loses lines over ipc when a sender ends and the receiver's queue is full. Therefore this queue has no limit.
PULL = """
import sys, zmq
pull = zmq.Context().socket(zmq.PULL)
pull.rcvhwm = 0
pull.bind(sys.argv[1])
for _ in range(int(sys.argv[2])):
    print(pull.recv_json()["message"], flush=%s)
"""

LINE = '192.0.2.%d - - [21/Nov/2026:10:%02d:%02d +0000] "GET /page/%d HTTP/1.1" 200 %d "-" "Mozilla/5.0 (X11; Linux)"\n'


def lines(count):
    """Makes a file of lines of about 100 bytes, as in access logs."""
    file = tempfile.NamedTemporaryFile(prefix="logator-push-", suffix=".log")
    block = "".join(LINE % (n % 250, n // 60 % 60, n % 60, n, 1000 + n * 37 % 9000) for n in range(100_000)).encode()
    for _ in range(count // 100_000):
        file.write(block)
    file.flush()
    return file


class Programs:
    def __init__(self, folder, python):
        self.folder, self.python = folder, python

    def push(self, endpoint, *how):
        return [os.path.join(self.folder, "logator-push"), "--linger", "60000", *how, "--connect", endpoint]

    def pull(self, endpoint, *how):
        return [os.path.join(self.folder, "logator-pull"), *how, "--bind", endpoint]

    def python_push(self, endpoint):
        return [self.python, "-c", PUSH, endpoint]

    def python_pull(self, endpoint, count, flush="False"):
        return [self.python, "-c", PULL % flush, endpoint, str(count)]


def listens(endpoint):
    """Waits until the receiver listens."""
    kind, place = endpoint.split("://")
    while True:
        if kind == "ipc" and os.path.exists(place):
            return
        if kind == "tcp":
            port = "%04X" % int(place.rsplit(":", 1)[1])
            with open("/proc/net/tcp") as table:
                if any(row.split()[1].endswith(":" + port) for row in list(table)[1:] if row.split()[3] == "0A"):
                    return
        time.sleep(0.01)


def drain(pipe, length):
    """Reads until that many bytes have come, or until no bytes come for a while."""
    got = 0
    while got < length:
        data = os.read(pipe, 1 << 20)
        if not data:
            sys.exit(f"{length - got} bytes of {length} are missing")
        got += len(data)
    return got


def ended(process):
    """Waits for the end of a program, or ends it. Returns its processor seconds."""
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return usage.ru_utime + usage.ru_stime


def throughput(pull, push, endpoint, file, count, wrapped):
    """Returns lines a second, and the processor seconds per million lines of sender and receiver."""
    receiver = subprocess.Popen(pull, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    listens(endpoint)
    with open(file.name, "rb") as source:
        started = time.monotonic()
        sender = subprocess.Popen(push, stdin=source, stderr=subprocess.DEVNULL)
        length = os.path.getsize(file.name)
        if wrapped:
            # The size of the envelope, and one backslash for each of the six quotes of a line.
            length += count * (len('{"message":"","type":"syslog","@pid":%d}' % sender.pid) + 6)
        drain(receiver.stdout.fileno(), length)
        seconds = time.monotonic() - started
    sent = ended(sender)
    os.kill(receiver.pid, signal.SIGTERM)
    received = ended(receiver)
    receiver.stdout.close()
    if endpoint.startswith("ipc") and os.path.exists(endpoint[6:]):
        os.unlink(endpoint[6:])
    return count / seconds, sent / count * 1e6, received / count * 1e6


def feed(count, rate):
    """Writes lines at a fixed rate. Each line is the current time."""
    begin = time.monotonic_ns()
    for number in range(count):
        at = begin + number * 1_000_000_000 // rate
        wait = at - time.monotonic_ns()
        if wait > 0:
            time.sleep(wait / 1e9)
        os.write(1, b"%d\n" % time.monotonic_ns())


def latency(pull, push, endpoint, count, rate):
    """Returns the milliseconds that each line takes."""
    receiver = subprocess.Popen(pull, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    listens(endpoint)
    feeder = subprocess.Popen([sys.executable, __file__, "--feed", str(count), str(rate)], stdout=subprocess.PIPE)
    sender = subprocess.Popen(push, stdin=feeder.stdout, stderr=subprocess.DEVNULL)
    feeder.stdout.close()
    taken, rest = [], b""
    while len(taken) < count:
        data = os.read(receiver.stdout.fileno(), 1 << 16)
        now = time.monotonic_ns()
        if not data:
            sys.exit("a line is missing")
        *whole, rest = (rest + data).split(b"\n")
        taken += [(now - int(line)) / 1e6 for line in whole]
    ended(feeder), ended(sender)
    # The process id is still valid, even if the receiver has ended, because nobody has waited for it.
    os.kill(receiver.pid, signal.SIGTERM)
    ended(receiver)
    if endpoint.startswith("ipc") and os.path.exists(endpoint[6:]):
        os.unlink(endpoint[6:])
    return taken


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--lines", type=int, default=4_000_000)
    parser.add_argument("--programs", default="target/release")
    parser.add_argument("--python", default=os.path.expanduser("~/.cache/logator-test/venv/bin/python"))
    parser.add_argument("--seconds", type=int, default=10, help="of the latency runs")
    parser.add_argument("--feed", nargs=2, type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.feed:
        return feed(*arguments.feed)
    # This variable would slow down the Python programs.
    os.environ.pop("PYTHONUNBUFFERED", None)
    folder = tempfile.TemporaryDirectory(prefix="logator-push-")
    ipc, tcp = f"ipc://{folder.name}/socket", f"tcp://127.0.0.1:{20000 + os.getpid() % 10000}"
    programs = Programs(arguments.programs, arguments.python)
    few = max(arguments.lines // 2000_000, 1) * 100_000
    many = max(arguments.lines // 100_000, 1) * 100_000
    all_lines, some_lines = lines(many), lines(few)
    cases = {
        "push --raw, ipc": (ipc, programs.pull(ipc), programs.push(ipc, "--raw"), all_lines, many, False),
        "push --raw, tcp": (tcp, programs.pull(tcp), programs.push(tcp, "--raw"), all_lines, many, False),
        "push --json, ipc": (ipc, programs.pull(ipc), programs.push(ipc, "--json"), all_lines, many, True),
        "Python, ipc": (ipc, programs.python_pull(ipc, few), programs.python_push(ipc), some_lines, few, False),
    }
    print(f"{many:,} lines of {os.path.getsize(all_lines.name) / many:.0f} bytes (Python: {few:,}), medians of {arguments.runs}")
    print("load average:", *os.getloadavg())
    results = {name: [] for name in cases}
    for _ in range(arguments.runs):
        for name, (endpoint, pull, push, file, count, wrapped) in cases.items():
            results[name].append(throughput(pull, push, endpoint, file, count, wrapped))
    print("| | lines a second | (least, most) | processor seconds a million lines: push | pull |\n|---|---|---|---|---|")
    for name, runs in results.items():
        rates = [run[0] for run in runs]
        sent, received = (statistics.median(run[column] for run in runs) for column in (1, 2))
        spread = f"{min(rates):,.0f}, {max(rates):,.0f}"
        print(f"| {name} | {statistics.median(rates):,.0f} | {spread} | {sent:.2f} | {received:.2f} |")
    for name in list(cases)[:3]:
        ratios = [ours[0] / python[0] for ours, python in zip(results[name], results["Python, ipc"])]
        print(f"{name}: {statistics.median(ratios):.1f} times Python (median of the pairs; least {min(ratios):.1f})")
    count = arguments.seconds * 1000
    print("\n| 1,000 lines a second, ms from standard input to standard output | median | 99 % | most |\n|---|---|---|---|")
    for name, endpoint, pull, push in [
        ("push --raw, ipc", ipc, programs.pull(ipc), programs.push(ipc, "--raw")),
        ("push --raw, tcp", tcp, programs.pull(tcp), programs.push(tcp, "--raw")),
        ("Python, ipc", ipc, programs.python_pull(ipc, count, "True"), programs.python_push(ipc)),
    ]:
        taken = sorted(latency(pull, push, endpoint, count, 1000))
        print(f"| {name} | {taken[len(taken) // 2]:.2f} | {taken[len(taken) * 99 // 100]:.2f} | {taken[-1]:.2f} |")
    print("load average:", *os.getloadavg())


main()
