"""Starts the proxy, services and other proxies for the test scripts, and reads process figures of the system."""
import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

TRIPLINE = os.environ.get("TRIPLINE", "target/debug/tripline")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def eventually(what, ask, seconds=30):
    """Polls until the result is true."""
    end = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def can_connect(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


class Proxy:
    """`tripline proxy` with a configuration of its own. The API is on `api`, requests go to `port`."""

    def __init__(self, upstream=None, config="", routes="", arguments=(), program=TRIPLINE):
        self.folder = tempfile.TemporaryDirectory()
        self.port, self.api = free_port(), free_port()
        if not routes:
            routes = f'[upstreams.service]\nurl = "{upstream}"\n[[routes]]\nupstream = "service"\n'
        path = pathlib.Path(self.folder.name, "breakers.toml")
        head, _, rest = config.partition("[")
        proxy = "" if "[proxy]" in config else f'[proxy]\nlisten = "127.0.0.1:{self.port}"\ndrain_delay = 0\n'
        rest = f"[{rest}" if rest else ""
        rest = rest.replace("[proxy]", f'[proxy]\nlisten = "127.0.0.1:{self.port}"')
        path.write_text(f"{head}\n{proxy}{rest}\n{routes}\n[http]\nlisten = \"127.0.0.1:{self.api}\"\n", encoding="utf-8")
        self.log = open(pathlib.Path(self.folder.name, "log"), "w+", encoding="utf-8")
        self.access = open(pathlib.Path(self.folder.name, "access"), "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [program, "proxy", "--config", str(path), *arguments], stdout=self.access, stderr=self.log, cwd=self.folder.name
        )
        try:
            eventually("the proxy listens", lambda: self.process.poll() is not None or can_connect(self.port) and can_connect(self.api))
            assert self.process.poll() is None
        except AssertionError:
            self.log.seek(0)
            sys.exit(f"the proxy did not start:\n{self.log.read()}\n{path.read_text()}")

    def get_api(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.api, timeout=10)
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return answer.status, body

    def status(self):
        return json.loads(self.get_api("/breaker/status")[1])

    def metric(self, series):
        """The sum of all series with this prefix."""
        found = [float(line.rsplit(" ", 1)[1]) for line in self.get_api("/metrics")[1].splitlines() if line.startswith(series)]
        return sum(found)

    def usage(self):
        return usage(self.process.pid)

    def stop(self):
        """Stops it with SIGTERM, as an operator does; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(45)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        self.access.close()
        self.folder.cleanup()
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def usage(pid):
    """Descriptors, threads, resident KiB and CPU seconds of a process."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    fields = dict(re.findall(r"^(\w+):\s+(\d+)", status, re.M))
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    ticks = int(stat[11]) + int(stat[12])
    return {
        "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
        "threads": int(fields["Threads"]),
        "resident_kib": int(fields["VmRSS"]),
        "cpu": ticks / os.sysconf("SC_CLK_TCK"),
    }


class Recorder:
    """A service that reads raw requests, keeps each of them and answers `answer(request)`; the default echoes the length of the body."""

    def __init__(self, answer=None):
        self.requests = []
        self.open = set()
        self.answer = answer or (lambda request: response(b"ok\n"))
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with self.lock:
            self.open.add(connection)
        with contextlib.suppress(OSError, ValueError):
            stream = connection.makefile("rb")
            while (request := read_request(stream)) is not None:
                with self.lock:
                    self.requests.append(request)
                answer = self.answer(request)
                if answer is None:
                    break
                connection.sendall(answer)
        with self.lock:
            self.open.discard(connection)
        connection.close()

    def close(self):
        self.listener.close()
        with self.lock:
            connections = list(self.open)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def read_request(stream):
    """(request line, fields in lower case, body); None at the end, or if a body breaks off. Strict: raises ValueError if a service could see two requests."""
    line = stream.readline(65536)
    if not line:
        return None
    fields = []
    while (field := stream.readline(65536)) not in (b"\r\n", b""):
        name, colon, value = field.rstrip(b"\r\n").partition(b":")
        if not colon or name != name.strip() or not field.endswith(b"\r\n"):
            raise ValueError(field)
        fields.append((name.lower(), value.strip()))
    lengths = [value for name, value in fields if name == b"content-length"]
    codings = [value.lower() for name, value in fields if name == b"transfer-encoding"]
    if codings and lengths or len(lengths) > 1 or codings not in ([], [b"chunked"]):
        raise ValueError(fields)
    if codings:
        body = b""
        while True:
            if not (head := stream.readline(4096)):
                return None
            size = int(head.split(b";")[0], 16)
            if size == 0:
                while stream.readline(65536) not in (b"\r\n", b""):
                    pass
                break
            body += stream.read(size)
            if (end := stream.readline(3)) != b"\r\n":
                if not end:
                    return None
                raise ValueError("chunk")
    else:
        length = int(lengths[0]) if lengths else 0
        if length > 1 << 40:
            raise ValueError(lengths)
        body = stream.read(length)
        if len(body) < length:
            return None
    return line.rstrip(b"\r\n"), fields, body


def response(body, status=b"200 OK", fields=()):
    head = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *fields]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def exchange(port, data, seconds=5, pieces=None):
    """Sends raw bytes, at once or in `pieces`, and reads until the other side closes or is silent for the given time."""
    with socket.create_connection(("127.0.0.1", port), seconds) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for piece in pieces or [data]:
                connection.sendall(piece)
                if pieces:
                    time.sleep(0.001)
        connection.settimeout(seconds)
        answer = b""
        with contextlib.suppress(OSError):
            while more := connection.recv(65536):
                answer += more
        return answer


class Server:
    """nginx or haproxy in the foreground, with its own configuration."""

    def __init__(self, command, config, port):
        self.folder = tempfile.TemporaryDirectory()
        path = pathlib.Path(self.folder.name, "server.conf")
        path.write_text(config.replace("FOLDER", self.folder.name), encoding="utf-8")
        self.port = port
        self.process = subprocess.Popen(
            [word.replace("CONFIG", str(path)) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        eventually(f"{command[0]} listens", lambda: self.process.poll() is not None or can_connect(port))
        if self.process.poll() is not None:
            sys.exit(f"{command[0]} did not start: {self.process.stderr.read().decode()}")

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        self.folder.cleanup()


NGINX_HEAD = """
daemon off; pid FOLDER/pid; error_log /dev/null crit; worker_processes WORKERS; worker_rlimit_nofile 30000;
events { worker_connections 12000; }
http {
  access_log off; keepalive_requests 100000000; client_body_temp_path FOLDER/body; proxy_temp_path FOLDER/proxy;
  fastcgi_temp_path FOLDER/f; uwsgi_temp_path FOLDER/u; scgi_temp_path FOLDER/s; client_max_body_size 100m;
"""


def nginx_proxy(upstream_port, workers=1):
    port = free_port()
    config = NGINX_HEAD.replace("WORKERS", str(workers)) + f"""
  upstream service {{ server 127.0.0.1:{upstream_port}; keepalive 128; keepalive_requests 100000000; }}
  server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ proxy_pass http://service; proxy_http_version 1.1;
    proxy_set_header Connection ""; proxy_set_header Host $http_host; }} }}
}}"""
    return Server(["nginx", "-c", "CONFIG", "-p", "/tmp"], config, port)


def haproxy_proxy(upstream_port, threads=1):
    port = free_port()
    config = f"""
global
  nbthread {threads}
  maxconn 4000
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout http-keep-alive 60s
  http-reuse always
frontend in
  bind 127.0.0.1:{port}
  default_backend service
backend service
  server one 127.0.0.1:{upstream_port}
"""
    return Server(["haproxy", "-f", "CONFIG", "-db"], config, port)
