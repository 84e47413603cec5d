"""Compares the proxy with nginx and haproxy. Started by proxy.sh."""
import os
import pathlib
import random
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "backends/tests/proxy"))
from harness import NGINX_HEAD, Proxy, Server, free_port, haproxy_proxy, nginx_proxy  # noqa: E402

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 5
SECONDS = int(sys.argv[2]) if len(sys.argv) > 2 else 2
CORES = os.cpu_count() or 1
CASES = ("1 KiB", "1 MiB", "POST 10 KiB")
IDLE = 1000


def children(pid):
    found = [pid]
    for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for child in (thread / "children").read_text().split():
            found += children(int(child))
    return found


def cpu(pid):
    """CPU seconds of a process and its children, as the scheduler counts them: ticks are too coarse for short rounds."""
    tasks = [task for one in children(pid) for task in pathlib.Path(f"/proc/{one}/task").iterdir()]
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def pss(pid):
    """Memory of a process and its children in bytes; shared memory counts proportionally."""
    rollups = [pathlib.Path(f"/proc/{one}/smaps_rollup").read_text() for one in children(pid)]
    return sum(int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1]) for text in rollups) * 1024


def run(command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


class Load:
    def __init__(self, folder):
        self.post = pathlib.Path(folder, "post.lua")
        self.post.write_text('wrk.method = "POST"\nwrk.body = string.rep("x", 10240)\n', encoding="utf-8")

    def wrk(self, port, case, connections):
        """Requests a second and the median latency in seconds."""
        command = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency"]
        path = {"1 KiB": "1k", "1 MiB": "1m", "POST 10 KiB": "post"}[case]
        if case.startswith("POST"):
            command += ["-s", str(self.post)]
        text = run([*command, f"http://127.0.0.1:{port}/{path}"])
        assert "Non-2xx" not in text and "Socket errors" not in text, text
        count = int(re.search(r"(\d+) requests in", text)[1])
        median, unit = re.search(r"50%\s+([\d.]+)(us|ms|s)", text).groups()
        return count, float(median) * UNITS[unit]

    def moderate(self, port):
        """4,000 requests a second on 16 connections."""
        text = run(["h2load", "--h1", "-c16", "--rps=250", f"-D{SECONDS}", f"http://127.0.0.1:{port}/1k"])
        done, failed = re.search(r"requests: \d+ total, \d+ started, (\d+) done, \d+ succeeded, (\d+) failed", text).groups()
        assert failed == "0", text
        return int(done)


def upstream(folder):
    site = pathlib.Path(folder, "site")
    site.mkdir(mode=0o755)
    os.chmod(folder, 0o755)
    (site / "1k").write_bytes(b"x" * 1024)
    (site / "1m").write_bytes(b"x" * 1_048_576)
    port = free_port()
    config = NGINX_HEAD.replace("WORKERS", "1") + f"""
  sendfile on; open_file_cache max=10;
  server {{ listen 127.0.0.1:{port} backlog=4096; root {site}; location /post {{ return 200 ok; }} }} }}"""
    return Server(["nginx", "-c", "CONFIG", "-p", "/tmp"], config, port)


def ours(service, threads, breaker="service"):
    routes = f"""
[upstreams.service]
url = "http://127.0.0.1:{service.port}"
max_idle = 256
[[routes]]
path = "/checkout"
methods = ["PUT"]
upstream = "service"
[[routes]]
host = "shop.example"
upstream = "service"
[[routes]]
upstream = "service"
breaker = "{breaker}"
"""
    return Proxy(config=f"latency_threshold = 30000\n[proxy]\nthreads = {threads}\ndrain_delay = 0\nmax_connections = 4000\n", routes=routes)


def line(name, values, unit, digits=0):
    middle = statistics.median(values)
    return f"  {name:14} {middle:12,.{digits}f} {unit}  ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def against(measured, subject, other):
    """The median of the ratios of the rounds."""
    return statistics.median(a / b for a, b in zip(measured[subject], measured[other]))


def main():
    failed = []

    def judge(what, value, limit, at_least):
        is_met = value >= limit if at_least else value <= limit
        print(f"  {what}: {value:.2f}, target {'≥' if at_least else '≤'} {limit}: {'met' if is_met else 'MISSED'}")
        if not is_met:
            failed.append(what)

    with tempfile.TemporaryDirectory() as folder:
        load, service = Load(folder), upstream(folder)
        proxies = {
            "tripline": ours(service, CORES),
            "no breaker": ours(service, CORES, "off"),
            "nginx": nginx_proxy(service.port, CORES),
            "nginx 1": nginx_proxy(service.port, 1),
            "haproxy": haproxy_proxy(service.port, CORES),
        }
        sys.stdout.reconfigure(line_buffering=True)
        print(f"{ROUNDS} shuffled rounds of {SECONDS} s, {CORES} cores, median (least to most); upstream: nginx, 1 worker")
        for proxy in proxies.values():
            load.wrk(proxy.port, "1 KiB", 64)
        for case in CASES:
            per_cpu = {name: [] for name in proxies}
            for _ in range(ROUNDS):
                for name in random.sample(list(proxies), len(proxies)):
                    before = cpu(proxies[name].process.pid)
                    count, _ = load.wrk(proxies[name].port, case, 64)
                    per_cpu[name].append(count / (cpu(proxies[name].process.pid) - before))
            print(f"\n{case}, 64 connections: requests per CPU second of the proxy")
            for name, values in per_cpu.items():
                print(line(name, values, "/s"))
            judge(f"{case}: to haproxy", against(per_cpu, "tripline", "haproxy"), 1.3 if case == "1 MiB" else 0.9, True)
            print(f"  {case}: to nginx: {against(per_cpu, 'tripline', 'nginx'):.2f}")
            if case == "1 KiB":
                judge("the breaker's share of the CPU time", against(per_cpu, "no breaker", "tripline") - 1, 0.02, False)
        moderate = {name: [] for name in proxies}
        for _ in range(ROUNDS):
            for name in random.sample(list(proxies), len(proxies)):
                before = cpu(proxies[name].process.pid)
                count = load.moderate(proxies[name].port)
                moderate[name].append((cpu(proxies[name].process.pid) - before) / count * 1e6)
        print("\n4,000 requests a second, 16 connections: CPU per request")
        for name, values in moderate.items():
            print(line(name, values, "µs", 1))
        judge("moderate rate: to haproxy", against(moderate, "tripline", "haproxy"), 1.2, False)
        added = {name: [] for name in proxies}
        for _ in range(ROUNDS):
            direct = load.wrk(service.port, "1 KiB", 1)[1]
            for name in random.sample(list(proxies), len(proxies)):
                added[name].append((load.wrk(proxies[name].port, "1 KiB", 1)[1] - direct) * 1e6)
        print("\none connection: added median latency")
        for name, values in added.items():
            print(line(name, values, "µs"))
        judge("added latency: to nginx with one worker", against(added, "tripline", "nginx 1"), 1.5, False)
        print(f"\n{IDLE} idle connections after one request each: memory of one")
        for name in ("tripline", "nginx", "haproxy"):
            per_connection = idle(proxies[name])
            print(f"  {name:14} {per_connection:12,.0f} bytes")
            if name == "tripline":
                judge("idle connection, KiB", per_connection / 1024, 16, False)
        for proxy in proxies.values():
            proxy.stop()
        service.stop()
    print(f"\n{len(failed)} targets missed: {', '.join(failed)}" if failed else "\nall targets met")
    sys.exit(bool(failed))


def idle(proxy):
    def connect(count):
        opened = []
        for _ in range(count):
            client = socket.create_connection(("127.0.0.1", proxy.port))
            client.sendall(b"GET /1k HTTP/1.1\r\nHost: h\r\n\r\n")
            client.recv(4096)
            opened.append(client)
        return opened

    kept = connect(20)
    time.sleep(0.5)
    before = pss(proxy.process.pid)
    kept += connect(IDLE)
    time.sleep(0.5)
    grown = pss(proxy.process.pid) - before
    for client in kept:
        client.close()
    return grown / IDLE


if __name__ == "__main__":
    main()
