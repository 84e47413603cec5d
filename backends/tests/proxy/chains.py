"""Sends the table of hostile bytes through the proxy alone, in front of and behind nginx and haproxy: both must see the same requests.

In each chain the service behind it must get no request that the first proxy alone would not have forwarded, none whose length
two readers could disagree on, and not more requests than the client gets answers.

Usage: chains.py TABLE
"""
import collections
import concurrent.futures
import contextlib
import re
import sys
import tomllib

from harness import Proxy, Recorder, eventually, exchange, haproxy_proxy, nginx_proxy, read_request, response

SILENCE = 0.4


class Strict(Recorder):
    """Records badly framed requests separately."""

    def __init__(self):
        super().__init__(lambda request: response(b"ok"))
        self.faults = []

    def serve(self, connection):
        with self.lock:
            self.open.add(connection)
        with contextlib.suppress(OSError):
            stream = connection.makefile("rb")
            try:
                while (request := read_request(stream)) is not None:
                    with self.lock:
                        self.requests.append(request)
                    connection.sendall(self.answer(request))
            except ValueError as error:
                with self.lock:
                    self.faults.append(str(error)[:200])
        connection.close()

    def take(self):
        with self.lock:
            requests, faults = self.requests, self.faults
            self.requests, self.faults = [], []
        return [target(line) for line, _, _ in requests], faults


def target(line):
    """Method and target in origin form."""
    method, _, rest = line.partition(b" ")
    where = rest.rsplit(b" ", 1)[0]
    return method + b" " + (re.sub(rb"^https?://[^/?]*", b"", where) or b"/")


def answers(data):
    """The number of final responses."""
    statuses = re.findall(rb"(?:^|\n|ok)HTTP/1\.[01] (\d{3})", data)
    return sum(1 for status in statuses if not status.startswith(b"1"))


def bytes_of(row):
    text = row["in"].replace("%LONG%", "a" * row.get("long", 0))
    return text.encode("latin-1")


class Chain:
    """A chain of proxies, in the order of the request, with a service at the end."""

    def __init__(self, names):
        self.name = " → ".join(names)
        self.recorder, self.proxies = Strict(), []
        port = self.recorder.port
        for name in reversed(names):
            if name == "tripline":
                proxy = Proxy(f"http://127.0.0.1:{port}", config="failure_rate_threshold = 0\nlatency_threshold = 60000\n")
            else:
                proxy = {"nginx": nginx_proxy, "haproxy": haproxy_proxy}[name](port)
            self.proxies.append(proxy)
            port = proxy.port
        self.port = port
        eventually(f"{self.name} works", lambda: b"200" in exchange(port, b"GET /works HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", SILENCE))
        self.recorder.take()

    def run(self, rows):
        found = {}
        for row in rows:
            data = exchange(self.port, bytes_of(row), SILENCE)
            seen, faults = self.recorder.take()
            found[row["name"]] = (seen, faults, answers(data))
        for proxy in self.proxies:
            proxy.stop()
        self.recorder.close()
        return found


def main(table):
    rows = tomllib.load(open(table, "rb"))["row"]
    assert len(rows) >= 80, len(rows)
    names = [["tripline"], ["nginx"], ["haproxy"]]
    names += [["nginx", "tripline"], ["haproxy", "tripline"], ["tripline", "nginx"], ["tripline", "haproxy"]]
    chains = [Chain(one) for one in names]
    with concurrent.futures.ThreadPoolExecutor(len(chains)) as pool:
        results = dict(zip(map(tuple, names), pool.map(lambda chain: chain.run(rows), chains)))
    problems = []
    for row in rows:
        name = row["name"]
        for chain, found in results.items():
            if "tripline" not in chain:
                continue
            seen, faults, answered = found[name]
            where = f"{name!r} through {' → '.join(chain)}"
            first = results[(chain[0],)][name][0]
            more = collections.Counter(seen) - collections.Counter(first)
            if more:
                problems.append(f"{where}: the service got {dict(more)} that {chain[0]} alone does not forward")
            if faults:
                problems.append(f"{where}: not well framed: {faults}")
            if len(seen) > answered:
                problems.append(f"{where}: {len(seen)} requests, {answered} answers: {seen}")
    for problem in problems:
        print("!!!", problem)
    forwarded = sum(len(seen) for found in results.values() for seen, _, _ in found.values())
    print(f"{len(rows)} rows through {len(results)} chains: {forwarded} requests forwarded, {len(problems)} problems")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main(*sys.argv[1:])
