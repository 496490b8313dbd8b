#!/usr/bin/env python3
"""Measures the speed of receiving syslog: `python3 benches/syslog.py [PROGRAM]`, by default target/release/logator.

This process makes messages of 115 bytes in memory and sends them over the loopback interface. Over TCP, it sends as fast as the
receiver reads, until all messages are in the sink. Over UDP, it sends as fast as one Python process can. The figures are medians of
several runs; compared programs take turns. If LOGATOR_TEST_SHIPPERS names the folder of an unpacked rsyslog (`./test` sets it),
rsyslog is measured too.
"""

import glob, json, os, re, signal, socket, statistics, subprocess, sys, tempfile, time

PROGRAM = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "target/release/logator")
SHIPPERS = os.environ.get("LOGATOR_TEST_SHIPPERS")
RUNS = int(os.environ.get("RUNS", 5))
TCP_MESSAGES = 1_000_000
STORED_MESSAGES = 300_000
UDP_MESSAGES = 200_000
BUFFER = 8 << 20
TEXT = "<30>Feb  3 04:05:06 gate sshd[{}]: Accepted publickey for ada from 192.0.2.17 port {:07} ssh2 session opened"


def message(index, framing):
    text = TEXT.format(index % 30000, index)
    return {"newline": f"{text}\n", "counted": f"{len(text)} {text}", "udp": text}[framing].encode()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cpu(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def most_memory(pid):
    status = open(f"/proc/{pid}/status").read()
    return int(re.search(r"VmHWM:\s+(\d+)", status).group(1)) / 1024


class Logator:
    def __init__(self, sink, *more):
        self.name = " ".join(["logator", sink, *more])
        self.sink, self.more = sink, more

    def start(self, folder, way):
        arguments = [PROGRAM, "run", f"syslog+{way}://127.0.0.1:0", "--to", self.sink, "--receipt", "receipt", *self.more]
        self.process = subprocess.Popen(arguments, cwd=folder, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if found := re.search(r":(\d+): listening", line):
                return int(found.group(1))
        sys.exit("it does not listen")

    def stop(self, folder):
        """Returns how many messages were stored, and how many the kernel dropped."""
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate()
        assert self.process.returncode == 0, self.process.returncode
        receipt = json.load(open(os.path.join(folder, "receipt")))
        source = receipt["sources"][0]
        assert source["received"] == receipt["read"] == receipt["stored"], receipt
        return receipt["stored"], source["dropped"]


class Rsyslog:
    def __init__(self, name, template):
        self.name, self.template = f"rsyslog {name}", template

    def start(self, folder, way):
        port = free_port()
        module = {"tcp": "imptcp", "udp": "imudp"}[way]
        buffer = f' rcvbufSize="{BUFFER}"' if way == "udp" else ""
        conf = f"""global(workDirectory="{folder}" processInternalMessages="off")
module(load="{module}")
template(name="json" type="list") {{ property(name="jsonmesg") constant(value="\\n") }}
input(type="{module}" port="{port}" address="127.0.0.1"{buffer})
action(type="omfile" file="{folder}/out" template="{self.template}")
"""
        path = os.path.join(folder, "conf")
        open(path, "w").write(conf)
        libraries = [path for path in glob.glob(f"{SHIPPERS}/usr/lib/*") + glob.glob(f"{SHIPPERS}/lib/*") if os.path.isdir(path)]
        modules = glob.glob(f"{SHIPPERS}/usr/lib/*/rsyslog")[0]
        arguments = [f"{SHIPPERS}/usr/sbin/rsyslogd", "-n", "-M", modules, "-f", path, "-i", f"{folder}/pid"]
        environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)}
        self.process = subprocess.Popen(arguments, env=environment, stderr=subprocess.DEVNULL)
        # rsyslog is ready when its socket exists.
        table = {"tcp": "/proc/net/tcp", "udp": "/proc/net/udp"}[way]
        while f":{port:04X} " not in open(table).read():
            assert self.process.poll() is None, "rsyslogd has ended"
            time.sleep(0.01)
        return port

    def stop(self, folder):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        out = os.path.join(folder, "out")
        return sum(block.count(b"\n") for block in iter_blocks(out)), None


def iter_blocks(path):
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            yield block


def settled(path):
    """Returns the time when the file grew for the last time."""
    size, since = -1, time.monotonic()
    while time.monotonic() - since < 1:
        now = os.stat(path).st_size if os.path.exists(path) else 0
        if now != size:
            size, since = now, time.monotonic()
        time.sleep(0.01)
    return since


def one(program, way, send):
    """Makes one run. Returns the seconds until all was stored, processor seconds, megabytes, stored, dropped."""
    with tempfile.TemporaryDirectory() as folder:
        port = program.start(folder, way)
        begun = time.monotonic()
        sent = send(port)
        end = settled(os.path.join(folder, "out")) if "null" not in program.name else sent
        pid = program.process.pid
        used, memory = cpu(pid), most_memory(pid)
        stored, dropped = program.stop(folder)
        return max(end, sent) - begun, used, memory, stored, dropped, sent - begun


def load():
    return os.getloadavg()[0]


def tcp(framing, count, programs):
    block = b"".join(message(index, framing) for index in range(count))

    def send(port):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(block)
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(1) == b""
        return time.monotonic()

    runs = {program: [] for program in programs}
    for _ in range(RUNS):
        for program in programs:
            took, used, memory, stored, _, _ = one(program, "tcp", send)
            assert stored == count, (program.name, stored)
            runs[program].append((count / took, used / count * 1e9, memory))
    for program, all in runs.items():
        rate, cost, memory = map(statistics.median, zip(*all))
        print(f"| TCP, {framing} | {program.name} | {rate:,.0f} | {cost:,.0f} | | {memory:.0f} | {load():.1f} |", flush=True)


def udp(programs):
    messages = [message(index, "udp") for index in range(UDP_MESSAGES)]

    def send(port):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.connect(("127.0.0.1", port))
            for datagram in messages:
                sender.send(datagram)
        return time.monotonic()

    runs = {program: [] for program in programs}
    for _ in range(RUNS):
        for program in programs:
            _, used, memory, stored, dropped, sending = one(program, "udp", send)
            assert dropped is None or stored + dropped == UDP_MESSAGES, (stored, dropped)
            runs[program].append((UDP_MESSAGES / sending, used / stored * 1e9, 100 - stored / UDP_MESSAGES * 100, memory))
    for program, all in runs.items():
        rate, cost, lost, memory = map(statistics.median, zip(*all))
        print(f"| UDP | {program.name} | {rate:,.0f} sent | {cost:,.0f} | {lost:.1f} | {memory:.0f} | {load():.1f} |", flush=True)


if __name__ == "__main__":
    print("| | | messages a second | ns of processor a message | % dropped | MB | load |\n|---|---|---|---|---|---|---|")
    tcp("newline", TCP_MESSAGES, [Logator("null:"), Logator("null:", "--ecs")])
    tcp("counted", TCP_MESSAGES, [Logator("null:")])
    tcp("newline", TCP_MESSAGES, [Logator("null:", "-p", "for %{USER:user} from %{IP:ip}")])
    rivals = []
    if SHIPPERS:
        rivals = [Rsyslog("omfile", "RSYSLOG_FileFormat"), Rsyslog("omfile, JSON", "json")]
    tcp("newline", STORED_MESSAGES, [Logator("ndjson:out"), *rivals])
    udp([Logator("ndjson:out"), *rivals])
