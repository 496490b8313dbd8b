#!/usr/bin/env python3
"""Measures how workers and requests in flight follow the load, and draws the trace.

    cargo build --release --features contract-tests
    benches/pool.py [step] [latency] [refusals] [--jobs 1..2] [--programs target/release] [--to SINK] [--record benches/record]

`step`: a server that answers in 50 ms, a pattern that costs about 20 microseconds, and a feeder that writes 5,000 lines a second, then
50,000 for five seconds, then 5,000 again. It draws `pool.svg`.
`latency`: the throughput with a server that answers in 200 ms beside one that answers at once, second by second.
`refusals`: every request is refused for ten seconds at full speed; the memory of the process beside --max-memory.

The server is the sink `delay:MS` of the tests, which waits in the storing threads. `--to` names another sink for `step`.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import tempfile
import threading
import time

# The pattern is tried on every line. Its back-references make it costly; PATTERN_REPEATS sets how much.
WORDS = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon".split()
STATUS = re.compile(r"workers (\d+), backlog ([\d,]+) bytes, in flight (\d+) of (\d+), ([\d,]+) lines/s")
CHANGE = re.compile(r"workers: (\d+) now, (\d+) before; (.*)")
WORDS_IN_A_LINE = 12
PHASES = [(5.0, 5_000), (5.0, 50_000), (25.0, 5_000)]


def number(text):
    return int(text.replace(",", ""))


def a_line(index, words):
    return f"{index % 100000:05d} {' '.join(WORDS[(index + at) % len(WORDS)] for at in range(words))} end"


def pattern(repeats):
    """A pattern with back-references that no line repeats: PCRE2 tries each pair of places before the rest matches."""
    tries = "".join(rf"(?!.*(?<r{at}>\w\w).*\k<r{at}>!)" for at in range(repeats))
    return rf"^(?:{tries}|)(?<number>\d+) (?<text>.*) end$"


def cost(program, repeats, place):
    """Microseconds that the pattern costs on each line, by the receipt."""
    with open(place + "/try.log", "w") as file:
        file.writelines(a_line(index, WORDS_IN_A_LINE) + "\n" for index in range(20_000))
    subprocess.run([program, "run", place + "/try.log", "-p", pattern(repeats), "-j", "1", "--to", "null:", "-q",
                    "--receipt", place + "/try.json", "--dead-letters", place + "/letters"], check=True)
    with open(place + "/try.json") as file:
        counts = json.load(file)["patterns"][0]
    return counts["nanoseconds"] / counts["tried"] / 1000


def calibrated(program, place, wanted):
    """The cheapest pattern that costs at least as much as wanted, so that one worker is too few for the step."""
    costs = {repeats: cost(program, repeats, place) for repeats in range(1, 8)}
    enough = [repeats for repeats in costs if costs[repeats] >= wanted] or [max(costs)]
    best = min(enough, key=lambda repeats: costs[repeats])
    return pattern(best), costs[best]


class Reader(threading.Thread):
    """Reads the messages of the program with their times."""

    def __init__(self, pipe, start):
        super().__init__(daemon=True)
        self.pipe, self.begin, self.said = pipe, start, []

    def run(self):
        for line in self.pipe:
            self.said.append((time.monotonic() - self.begin, line.decode().rstrip()))


def feed(pipe, phases, start):
    """Writes lines at the rates of the phases, every 5 ms. Returns when each phase began, and the number of lines."""
    count, begins, at = 0, [], 0.0
    lines = [(a_line(index, WORDS_IN_A_LINE) + "\n").encode() for index in range(5000)]
    for seconds, rate in phases:
        begins.append(time.monotonic() - start)
        first, began = count, time.monotonic()
        while (elapsed := time.monotonic() - began) < seconds:
            due = first + int(elapsed * rate)
            if due > count:
                pipe.write(b"".join(lines[index % 5000] for index in range(count, due)))
                pipe.flush()
                count = due
            time.sleep(0.005)
    return begins, count


def step(arguments, program, place):
    given, micros = calibrated(program, place, 20.0)
    command = [program, "run", "-p", given, "-j", arguments.jobs, "--to", arguments.to, "--status-interval", "200ms",
               "--scale-backlog", arguments.scale_backlog, "--receipt", place + "/receipt.json",
               "--dead-letters", place + "/letters"]
    start = time.monotonic()
    run = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    reader = Reader(run.stderr, start)
    reader.start()
    begins, count = feed(run.stdin, PHASES, start)
    run.stdin.close()
    code = run.wait()
    reader.join()
    with open(place + "/receipt.json") as file:
        receipt = json.load(file)
    trace = [(at, *map(number, found.groups())) for at, line in reader.said if (found := STATUS.search(line))]
    changes = [(at, int(found[1]), found[3]) for at, line in reader.said if (found := CHANGE.search(line))]
    least, most = (int(bound) for bound in arguments.jobs.split(".."))
    full = next((at for at, workers, _ in changes if workers == most), None)
    after = [row for row in trace if row[0] > begins[2]]
    empty = next((row[0] for row in after if row[2] < 64 << 10), None)
    back = next((at for at, workers, _ in changes if workers == least and at > begins[2]), None)
    results = {
        "microseconds of the pattern": round(micros, 1),
        "exit code": code,
        "lines fed, read, stored": f"{count}, {receipt['read']}, {receipt['stored'] + receipt['unmatched']}",
        "seconds from the step to full size": full and round(full - begins[1], 2),
        "seconds from the empty backlog to the smallest size": back and empty and round(back - empty, 2),
        "changes": len(changes),
    }
    for name, value in results.items():
        print(f"{name}: {value}")
    for at, workers, reason in changes:
        print(f"  {at:6.2f} s  {workers} workers: {reason}")
    if arguments.record:
        draw(arguments.record + "/pool.svg", begins, trace, changes, least)


def draw(path, begins, trace, changes, least):
    """Draws load, workers, backlog and batches in flight over time."""
    width, height, left, top, gap = 760, 92, 120, 34, 20
    end = max(at for at, *_ in trace)
    x = lambda at: left + at / end * (width - left - 20)
    rows = [
        ("lines/s", [(at, rate) for at, _, _, _, _, rate in trace]),
        ("workers", [(0.0, least)] + [point for at, workers, _ in changes for point in ((at, None), (at, workers))]),
        ("backlog, KiB", [(at, backlog / 1024) for at, _, backlog, _, _, _ in trace]),
        ("in flight", [(at, flight) for at, _, _, flight, _, _ in trace]),
    ]
    steps, last = [], least
    for at, value in rows[1][1] + [(end, None)]:
        last = last if value is None else value
        steps.append((at, last))
    rows[1] = ("workers", steps)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{top + 4 * (height + gap) + 14}" '
           'font-family="sans-serif" font-size="11">',
           '<rect width="100%" height="100%" fill="white"/>',
           f'<text x="{left}" y="16" font-size="13">5,000 lines/s, then 50,000 for five seconds, then 5,000</text>']
    for index, (name, points) in enumerate(rows):
        y0 = top + index * (height + gap) + height
        most = max(value for _, value in points) or 1
        out.append(f'<rect x="{x(begins[1]):.1f}" y="{y0 - height}" width="{x(begins[2]) - x(begins[1]):.1f}" '
                   f'height="{height}" fill="#eeeeee"/>')
        out.append(f'<text x="{left - 8}" y="{y0 - height / 2}" text-anchor="end">{name}</text>')
        out.append(f'<text x="{left - 8}" y="{y0 - height + 10}" text-anchor="end">{most:,.0f}</text>')
        out.append(f'<text x="{left - 8}" y="{y0}" text-anchor="end">0</text>')
        line = " ".join(f"{x(at):.1f},{y0 - value / most * (height - 4):.1f}" for at, value in points)
        out.append(f'<polyline points="{line}" fill="none" stroke="#1f5fa8" stroke-width="1.5"/>')
        out.append(f'<line x1="{left}" y1="{y0}" x2="{width - 20}" y2="{y0}" stroke="#999999"/>')
    bottom = top + 4 * (height + gap)
    for second in range(0, int(end) + 1, 5):
        out.append(f'<text x="{x(second):.1f}" y="{bottom}" text-anchor="middle">{second} s</text>')
    with open(path, "w") as file:
        file.write("\n".join(out + ["</svg>"]) + "\n")


def write_log(lines, place):
    """Writes an access log, and returns its path."""
    path = place + "/big.log"
    with open(path, "w") as file:
        for index in range(lines):
            file.write(f'192.0.2.{index % 250} - - [10/Oct/2025:13:{index // 60 % 60:02d}:{index % 60:02d} +0200] '
                       f'"GET /page/{index} HTTP/1.1" 200 {index} "https://www.example.com/start" "Mozilla/5.0"\n')
    return path


def latency(arguments, program, place):
    """Lines a second with a server that answers at once, and with one that answers in 200 ms, in turns."""
    log = write_log(arguments.lines, place)
    rates = {0: [], 200: []}
    for _ in range(arguments.rounds):
        for delay in rates:
            command = [program, "run", *[log] * arguments.copies, "-f", "combined", "--to", f"delay:{delay}", "--origin", "path",
                       "--status-interval", "500ms", "-j", "auto", "--receipt", place + "/receipt.json"]
            start = time.monotonic()
            run = subprocess.Popen(command, stderr=subprocess.PIPE, cwd=place)
            reader = Reader(run.stderr, start)
            reader.start()
            run.wait()
            reader.join()
            trace = [(at, number(found[5]), int(found[3]), int(found[4]))
                     for at, line in reader.said if (found := STATUS.search(line))]
            steady = [rate for at, rate, _, _ in trace[1:-1] if at >= 5.0] or [rate for _, rate, _, _ in trace[1:-1]]
            rates[delay].append(statistics.median(steady) if steady else 0)
            shown = " ".join(f"{at:.1f}s:{rate // 1000}k/{limit}" for at, rate, _, limit in trace[:16])
            print(f"{delay} ms: {rates[delay][-1]:,.0f} lines/s after five seconds; {shown}")
    at_once, late = (statistics.median(rates[delay]) for delay in (0, 200))
    print(f"late / at once: {late / at_once:.2f}")


def refusals(arguments, program, place):
    """The memory while everything is refused for ten seconds."""
    log = write_log(arguments.lines, place)
    for bound in (0, 32 << 20, 64 << 20, 128 << 20):
        more = ["--max-memory", str(bound)] if bound else []
        lines = [log] if bound else ["/dev/null"]
        command = [program, "run", *lines, "-f", "combined", "--to", "delay:5,refuse=1..11", *more,
                   "--receipt", place + "/receipt.json"]
        ran = subprocess.run(command, stderr=subprocess.PIPE, cwd=place)
        with open(place + "/receipt.json") as file:
            receipt = json.load(file)
        peak = receipt["peak_memory_bytes"] / 2**20
        print(f"--max-memory {bound >> 20} MiB: peak {peak:.0f} MiB, exit code {ran.returncode}, read {receipt['read']}, "
              f"stored {receipt['stored']}, twice {receipt['duplicate']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=["step", "latency", "refusals"])
    parser.add_argument("--jobs", default="1..2")
    parser.add_argument("--to", default="delay:50")
    parser.add_argument("--scale-backlog", default="256KiB")
    parser.add_argument("--lines", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--copies", type=int, default=2)
    parser.add_argument("--programs", default="target/release")
    parser.add_argument("--record")
    arguments = parser.parse_args()
    program = os.path.abspath(arguments.programs + "/logator")
    print("load average:", *os.getloadavg())
    with tempfile.TemporaryDirectory() as place:
        for what in arguments.what:
            {"step": step, "latency": latency, "refusals": refusals}[what](arguments, program, place)
    print("load average:", *os.getloadavg())


if __name__ == "__main__":
    main()
