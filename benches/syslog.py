#!/usr/bin/env python3
"""How fast syslog is received: `python3 benches/syslog.py [PROGRAM]`, by default target/release/logator.

Messages of 115 bytes are made in memory and sent over the loopback interface by this process. TCP: as fast as they are
taken, until the receiver has read all and closed. UDP: as fast as one Python process sends. Medians of several runs.
"""

import json, os, re, signal, socket, statistics, subprocess, sys, tempfile, time

PROGRAM = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "target/release/logator")
RUNS = 5
TCP_MESSAGES = 2_000_000
UDP_MESSAGES = 300_000


def message(index, framing):
    text = f"<30>Feb  3 04:05:06 gate sshd[{index % 30000}]: Accepted publickey for ada from 192.0.2.17 port {index:07} ssh2 session opened"
    return {"newline": f"{text}\n", "counted": f"{len(text)} {text}", "udp": text}[framing].encode()


def start(address, sink, folder, more):
    arguments = [PROGRAM, "run", address, "--to", sink, "--receipt", "receipt", *more]
    receiver = subprocess.Popen(arguments, cwd=folder, stderr=subprocess.PIPE, text=True)
    for line in receiver.stderr:
        if found := re.search(r":(\d+): listening", line):
            return receiver, int(found.group(1))
    sys.exit("it does not listen")


def cpu(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def stop(receiver, folder):
    receiver.send_signal(signal.SIGTERM)
    receiver.communicate()
    assert receiver.returncode == 0, receiver.returncode
    return json.load(open(os.path.join(folder, "receipt")))


def tcp(framing, sink, more):
    block = b"".join(message(index, framing) for index in range(TCP_MESSAGES))
    rates, costs = [], []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as folder:
            receiver, port = start("syslog+tcp://127.0.0.1:0", sink, folder, more)
            connection = socket.create_connection(("127.0.0.1", port))
            begun = time.monotonic()
            connection.sendall(block)
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(1) == b""
            rates.append(TCP_MESSAGES / (time.monotonic() - begun))
            receipt = stop(receiver, folder)
            costs.append(receipt["cpu_seconds"] / TCP_MESSAGES * 1e9)
            assert receipt["read"] == TCP_MESSAGES == receipt["stored"], receipt
    memory = receipt["peak_memory_bytes"] / 1e6
    print(f"TCP {framing:8} {sink:18} {' '.join(more):22} {statistics.median(rates):12,.0f}/s"
          f" {statistics.median(costs):6.0f} ns processor time a message, {memory:.0f} MB")


def udp(sink, more):
    messages = [message(index, "udp") for index in range(UDP_MESSAGES)]
    rates, costs, drops = [], [], []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as folder:
            receiver, port = start("syslog+udp://127.0.0.1:0", sink, folder, more)
            sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sender.connect(("127.0.0.1", port))
            begun = time.monotonic()
            for datagram in messages:
                sender.send(datagram)
            rates.append(UDP_MESSAGES / (time.monotonic() - begun))
            receipt = stop(receiver, folder)
            source = receipt["sources"][0]
            assert source["received"] + source["dropped"] == UDP_MESSAGES, source
            costs.append(receipt["cpu_seconds"] / source["received"] * 1e9)
            drops.append(source["dropped"] / UDP_MESSAGES * 100)
    print(f"UDP          {sink:18} {' '.join(more):22} {statistics.median(rates):12,.0f}/s sent,"
          f" {statistics.median(drops):.1f} % dropped,"
          f" {statistics.median(costs):6.0f} ns processor time a message")


if __name__ == "__main__":
    tcp("newline", "null:", [])
    tcp("counted", "null:", [])
    tcp("newline", "ndjson:/dev/null", [])
    tcp("newline", "null:", ["--ecs"])
    tcp("newline", "null:", ["-p", "for %{USER:user} from %{IP:ip}"])
    udp("null:", [])
