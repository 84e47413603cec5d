"""Tests the proxy with real clients, services and their faults. Each check prints its results; the first failure ends the run.

Usage: behaviour.py [NAME …]; without a name all. TRIPLINE names the binary; SCALE (default 1) multiplies the number of requests.
"""
import asyncio
import concurrent.futures
import contextlib
import http.client
import http.server
import itertools
import os
import pathlib
import random
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time

from harness import TRIPLINE, Proxy, Recorder, can_connect, eventually, exchange, response

SCALE = float(os.environ.get("SCALE", "1"))
# Opens on slow calls within a second, without waiting for lasting evidence, so that the checks are short.
QUICK = """
latency_threshold = 250
percentile = 0.5
latency_window_size = 20
minimum_samples = 5
trip_confidence = 0
wait_time = 1
wait_backoff = 1
half_open_max_calls = 3
"""
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def get(port, path="/", timeout=30, **fields):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    connection.request("GET", path, headers=fields)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), body


class Service:
    """A threaded HTTP/1.1 service whose delay can be changed."""

    def __init__(self, port=0):
        service = self
        self.delay = 0.0
        self.size = 100

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                time.sleep(service.delay)
                body = b"x" * service.size
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.do_GET()

            def log_message(self, *_):
                pass

        class Threaded(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True
            request_queue_size = 1024

            def handle_error(self, *_):
                pass

        self.server = Threaded(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@check
def a_random_split_of_bytes_changes_nothing():
    seen = []
    recorder = Recorder(lambda request: response(b"%d %s\n" % (len(request[2]), request[0])))
    with Proxy(recorder.url) as proxy:
        requests = [
            b"GET /a?b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
            b"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\nConnection: close\r\n\r\nhello world",
            b"POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5;x=y\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
            b"GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        ]
        random.seed(1)
        for request in requests:
            def once(pieces):
                recorder.requests.clear()
                answer = exchange(proxy.port, request, pieces=pieces)
                lines = [line for line in answer.split(b"\r\n") if not line.lower().startswith(b"date:")]
                kept = [(line, body, [field for field in fields if field[0] != b"x-forwarded-for"]) for line, fields, body in recorder.requests]
                return lines, kept
            whole = once([request])
            assert whole[1], request
            cuts = [sorted(random.sample(range(1, len(request)), random.randint(1, 12))) for _ in range(int(12 * SCALE))]
            cuts.append(list(range(1, len(request))))
            for cut in cuts:
                pieces = [request[a:b] for a, b in zip([0, *cut], [*cut, len(request)])]
                assert once(pieces) == whole, (request, cut)
                seen.append(len(pieces))
    recorder.close()
    return f"{len(seen)} splits, up to {max(seen)} pieces"


@check
def a_client_that_goes_away_at_any_moment_leaves_nothing():
    """The client disconnects: before the head, in it, during the upload, while waiting, during the download, after it."""
    release = threading.Event()

    def answer(request):
        if b"/slow" in request[0]:
            release.wait(5)
        return response(b"y" * 300_000)

    recorder = Recorder(answer)
    with Proxy(recorder.url) as proxy:
        get(proxy.port)
        before = proxy.usage()
        moments = {
            "connected": [],
            "in the head": [b"GET /slow HTTP/1.1\r\nHo"],
            "in the upload": [b"POST /slow HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n" + b"z" * 500],
            "in a chunk": [b"POST /slow HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n" + b"z" * 500],
            "waiting": [b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n"],
            "in the download": [b"GET /fast HTTP/1.1\r\nHost: h\r\n\r\n"],
            "pipelining": [b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\nGET /fast HTTP/1.1\r\nHost: h\r\n\r\n"],
        }
        for name, by_reset in itertools.product(moments, (False, True)):
            for _ in range(int(10 * SCALE) or 1):
                connection = socket.create_connection(("127.0.0.1", proxy.port))
                if by_reset:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                for data in moments[name]:
                    connection.sendall(data)
                time.sleep(0.01)
                if name == "in the download":
                    connection.recv(1000)
                connection.close()
        eventually("requests of clients that went away are cancelled", lambda: proxy.metric("tripline_proxy_upstream_requests") == 0, 10)
        release.set()
        assert get(proxy.port)[0] == 200
        eventually("no descriptor is left", lambda: proxy.usage()["descriptors"] <= before["descriptors"] + 3, 15)
        assert proxy.status()["state"] == "closed"
        assert proxy.usage()["threads"] == before["threads"]
    recorder.close()
    return f"{len(moments) * 2} moments"


@check
def the_service_dies_in_the_middle_of_bodies_and_comes_back():
    code = (
        "import socket,sys,threading,time\n"
        "l=socket.create_server(('127.0.0.1',int(sys.argv[1])),backlog=512)\n"
        "def s(c):\n"
        "  c.recv(65536); c.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 10000000\\r\\n\\r\\n')\n"
        "  while True:\n"
        "    c.sendall(b'x'*1000); time.sleep(.01)\n"
        "while True:\n"
        "  c,_=l.accept(); threading.Thread(target=s,args=(c,),daemon=True).start()\n"
    )
    service = Service()
    port = service.port
    service.close()
    dying = subprocess.Popen([sys.executable, "-c", code, str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    eventually("the service listens", lambda: can_connect(port))
    config = QUICK.replace("latency_threshold = 250", "latency_threshold = 2000\nfailure_rate_threshold = 0.5")
    with Proxy(f"http://127.0.0.1:{port}", config=config) as proxy:
        def download(_):
            with contextlib.suppress(OSError, http.client.HTTPException):
                return get(proxy.port)[0]
            return "broken"
        with concurrent.futures.ThreadPoolExecutor(40) as pool:
            running = [pool.submit(download, n) for n in range(40)]
            eventually("all are on their way", lambda: proxy.metric("tripline_proxy_upstream_requests") == 40)
            dying.kill()
            dying.wait()
            outcomes = [one.result(15) for one in running]
        # Requests whose response head had not arrived yet get a response.
        assert set(outcomes) <= {"broken", 502} and "broken" in outcomes, outcomes
        assert proxy.metric("tripline_proxy_upstream_requests") == 0
        statuses = [get(proxy.port)[0] for _ in range(30)]
        assert set(statuses) <= {502, 503} and 503 in statuses, statuses
        assert proxy.status()["state"] in ("open", "half_open")
        service = Service(port)
        eventually("it recovers", lambda: get(proxy.port)[0] == 200 and proxy.status()["state"] == "closed", 15)
    service.close()
    return "40 bodies cut, breaker opened and recovered"


@check
def a_service_that_accepts_and_never_answers_opens_the_breaker_and_the_pool_is_free_again():
    answers = threading.Event()

    def answer(_):
        while not answers.wait(0.1):
            pass
        return response(b"ok")

    recorder = Recorder(answer)
    routes = f'[upstreams.service]\nurl = "{recorder.url}"\nmax_connections = 32\npool_timeout_ms = 200\nhead_timeout = 2\n[[routes]]\nupstream = "service"\n'
    with Proxy(config=QUICK, routes=routes) as proxy:
        with concurrent.futures.ThreadPoolExecutor(100) as pool:
            statuses = list(pool.map(lambda _: get(proxy.port)[0], range(100)))
        assert set(statuses) <= {503, 504} and 504 in statuses, statuses
        state = proxy.status()
        assert state["state"] in ("open", "half_open"), state
        eventually("the pool is free", lambda: proxy.metric("tripline_proxy_upstream_requests") == 0, 10)
        answers.set()
        eventually("it recovers", lambda: get(proxy.port)[0] == 200 and proxy.status()["state"] == "closed", 20)
    recorder.close()
    counts = {status: statuses.count(status) for status in sorted(set(statuses))}
    return f"100 calls: {counts}"


@check
def a_drain_under_load_loses_no_request():
    service = Service()
    service.delay = 0.02
    lost, done, late = [], [], []
    with Proxy(service.url, config="[proxy]\ndrain_delay = 1\ndrain_timeout = 10\n") as proxy:
        stopping = threading.Event()

        def client(_):
            connection = None
            while True:
                try:
                    if connection is None:
                        connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=20)
                        connection.connect()
                except OSError:
                    # It would be a lost request only before the drain.
                    (late if stopping.is_set() else lost).append("connect")
                    return
                try:
                    connection.request("GET", "/")
                    answer = connection.getresponse()
                    answer.read()
                    done.append(answer.status)
                    if answer.getheader("Connection") == "close":
                        connection.close()
                        connection = None
                        if stopping.is_set():
                            return
                except (OSError, http.client.HTTPException) as error:
                    lost.append(repr(error))
                    return

        threads = [threading.Thread(target=client, args=(n,)) for n in range(32)]
        for thread in threads:
            thread.start()
        eventually("there is load", lambda: len(done) > 500)
        stopping.set()
        proxy.process.terminate()
        eventually("it is not ready", lambda: proxy.get_api("/ready")[0] == 503)
        for thread in threads:
            thread.join(30)
        code = proxy.process.wait(20)
        assert code == 0, code
    service.close()
    assert not lost, lost[:5]
    assert set(done) == {200}, set(done)
    return f"{len(done)} requests of 32 busy connections, none lost"


@check
def a_name_is_resolved_again():
    """The hosts file changes, in a mount namespace of the proxy."""
    def answering(address, port, text):
        service = http.server.ThreadingHTTPServer((address, port), type("Handler", (http.server.BaseHTTPRequestHandler,), {
            "protocol_version": "HTTP/1.1",
            "do_GET": lambda self: (self.send_response(200), self.send_header("Content-Length", str(len(text))), self.end_headers(), self.wfile.write(text)),
            "log_message": lambda *_: None,
        }))
        threading.Thread(target=service.serve_forever, daemon=True).start()
        return service

    with tempfile.TemporaryDirectory() as folder:
        hosts = pathlib.Path(folder, "hosts")
        hosts.write_text("127.0.0.1 service.test\n", encoding="utf-8")
        script = pathlib.Path(folder, "tripline")
        script.write_text(
            f'#!/bin/sh\nexec unshare --user --map-root-user --mount sh -c \'mount --bind {hosts} /etc/hosts && exec "$@"\' sh {TRIPLINE} "$@"\n',
            encoding="utf-8",
        )
        script.chmod(0o755)
        if subprocess.run([script, "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode:
            return "SKIPPED: this machine makes no mount namespaces"
        first = answering("127.0.0.1", 0, b"first")
        second = answering("127.0.0.2", first.server_address[1], b"second")
        routes = f'[upstreams.service]\nurl = "http://service.test:{first.server_address[1]}"\nresolve_interval = 1\n[[routes]]\nupstream = "service"\n'
        with Proxy(routes=routes, program=script) as proxy:
            assert get(proxy.port)[2] == b"first"
            hosts.write_text("127.0.0.2 service.test\n", encoding="utf-8")
            eventually("the new address", lambda: get(proxy.port)[2] == b"second", 10)
            # Known addresses are kept if the name no longer exists.
            hosts.write_text("127.0.0.3 other.test\n", encoding="utf-8")
            time.sleep(2.5)
            assert get(proxy.port)[2] == b"second"
        first.shutdown()
        second.shutdown()
    return "followed to another address, kept where the name is gone"


@check
def an_idle_connection_takes_little_memory():
    recorder = Recorder()
    with Proxy(recorder.url) as proxy:
        def connect(count):
            opened = []
            for _ in range(count):
                client = socket.create_connection(("127.0.0.1", proxy.port))
                client.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                client.recv(4096)
                opened.append(client)
            return opened

        clients = connect(50)
        before = proxy.usage()
        clients += connect(1000)
        each = (proxy.usage()["resident_kib"] - before["resident_kib"]) / 1000
        for client in clients:
            client.close()
        assert each <= 18, each
    recorder.close()
    return f"{each:.1f} KiB each"


@check
def a_thousand_clients_that_read_a_byte_a_second():
    count = int(1000 * min(SCALE, 1))
    service = Service()
    service.size = 2_000_000
    with Proxy(service.url, config="[proxy]\nmax_connections = 4000\n", routes=f'[upstreams.service]\nurl = "{service.url}"\nmax_connections = 2000\n[[routes]]\nupstream = "service"\n') as proxy:
        get(proxy.port)
        before = proxy.usage()
        clients = []
        for _ in range(count):
            client = socket.create_connection(("127.0.0.1", proxy.port))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            clients.append(client)
        for _ in range(3):
            for client in clients:
                client.recv(1)
            time.sleep(1)
        service.size = 100
        began = time.monotonic()
        assert get(proxy.port)[0] == 200
        took = time.monotonic() - began
        held = proxy.usage()
        per_client = (held["resident_kib"] - before["resident_kib"]) / count
        assert took < 2, took
        assert held["threads"] == before["threads"]
        # Only data in transit is buffered.
        assert per_client < 600, per_client
        for client in clients:
            client.close()
        eventually("nothing is left", lambda: proxy.metric("tripline_proxy_upstream_requests") == 0, 20)
    service.close()
    return f"{count} clients, {per_client:.0f} KiB each, another request took {took * 1e3:.0f} ms"


@check
def many_requests_and_connections_leave_memory_descriptors_and_threads_flat():
    requests, connections = int(20_000 * SCALE), int(min(800 * SCALE, 10_000))
    recorder = Recorder()
    routes = f'[upstreams.service]\nurl = "{recorder.url}"\nidle_timeout = 1\n[[routes]]\nupstream = "service"\n'
    with Proxy(config="[proxy]\nmax_connections = 20000\n", routes=routes) as proxy:
        def load(count):
            subprocess.run(
                ["h2load", "--h1", "-n", str(count), "-c", "32", f"http://127.0.0.1:{proxy.port}/"],
                check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
        def idle():
            eventually("clients are gone", lambda: proxy.metric("tripline_proxy_connections") == 0)
            eventually("the pool is empty", lambda: proxy.metric("tripline_proxy_upstream_idle_connections") == 0)

        load(1_000)
        idle()
        before = proxy.usage()
        load(requests)
        for wave in range(3):
            batch = [socket.create_connection(("127.0.0.1", proxy.port)) for _ in range(connections)]
            for client in batch:
                client.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            for client in batch:
                client.recv(1000)
            opened = proxy.usage()
            for client in batch:
                client.close()
            eventually("clients are gone", lambda: proxy.metric("tripline_proxy_connections") == 0)
            if wave == 0:
                # The allocator gives memory back about a second after it was freed.
                time.sleep(1.5)
                first = proxy.usage()["resident_kib"]
        eventually(
            f"later waves leave no more memory than the first ({first} KiB)",
            lambda: proxy.usage()["resident_kib"] <= first + 4_096 + first // 10,
        )
        load(500)
        idle()
        after = proxy.usage()
        assert after["threads"] == before["threads"], (before, after)
        assert after["descriptors"] <= before["descriptors"] + 8, (before, after)
        growth = after["resident_kib"] - before["resident_kib"]
        assert growth < 8_192 + before["resident_kib"] // 4, (before, after)
    recorder.close()
    return f"{requests} requests, 3 waves of {connections} connections ({opened['resident_kib']} KiB while open): {growth:+} KiB"


@check
def websockets_pass_both_ways():
    import websockets

    async def run():
        async def echo(socket):
            async for message in socket:
                await socket.send(message)

        async with websockets.serve(echo, "127.0.0.1", 0, max_size=None) as server:
            port = server.sockets[0].getsockname()[1]
            with Proxy(f"http://127.0.0.1:{port}", config=QUICK) as proxy:
                total = 0
                async with websockets.connect(f"ws://127.0.0.1:{proxy.port}/chat", max_size=None) as client:
                    for size in (0, 1, 125, 126, 65_535, 65_536, 1_000_000):
                        for message in ("é" * size, os.urandom(size)):
                            await client.send(message)
                            assert await client.recv() == message
                            total += size
                    await asyncio.sleep(0.6)
                    await client.ping()
                    assert (await asyncio.to_thread(proxy.status))["state"] == "closed", "a tunnel is no slow call"
                assert client.close_code == 1000
                # On another thread: the service answers on this one.
                fields = {"Upgrade": "h2c", "Connection": "Upgrade, HTTP2-Settings"}
                status, _, _ = await asyncio.to_thread(get, proxy.port, **fields)
                assert status == 426, "passed on without the upgrade to h2c; the service wants WebSocket"
        return f"{total} bytes each way"

    return asyncio.run(run())


@check
def grpc_calls_and_their_statuses_count():
    import grpc

    def unary(request, context):
        if request == b"fail":
            context.abort(grpc.StatusCode.UNAVAILABLE, "no")
        if request == b"slow":
            time.sleep(0.5)
        return request[::-1]

    def stream(request, _):
        for n in range(100):
            yield request + b"%d" % n

    class Handler(grpc.GenericRpcHandler):
        def service(self, call):
            if call.method == "/test.Echo/Unary":
                return grpc.unary_unary_rpc_method_handler(unary)
            return grpc.unary_stream_rpc_method_handler(stream)

    server = grpc.server(concurrent.futures.ThreadPoolExecutor(64))
    server.add_generic_rpc_handlers((Handler(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    routes = f'[upstreams.service]\nurl = "http://127.0.0.1:{port}"\nprotocol = "h2"\n[[routes]]\nupstream = "service"\n'
    with Proxy(config=QUICK, routes=routes) as proxy, grpc.insecure_channel(f"127.0.0.1:{proxy.port}") as channel:
        call = channel.unary_unary("/test.Echo/Unary")
        assert call(b"abc", timeout=10) == b"cba"
        assert call(b"x" * 500_000, timeout=10) == b"x" * 500_000
        assert len(list(channel.unary_stream("/test.Echo/Stream")(b"n", timeout=10))) == 100
        with contextlib.suppress(grpc.RpcError):
            call(b"fail", timeout=10)
            raise AssertionError("it failed")
        eventually("the failure counts", lambda: proxy.metric('tripline_calls_total{breaker="service",outcome="failed"}') == 1, 5)
        with concurrent.futures.ThreadPoolExecutor(30) as pool:
            list(pool.map(lambda _: call(b"slow", timeout=10) if proxy.status()["state"] == "closed" else None, range(30)))
        eventually("it opens", lambda: proxy.status()["state"] == "open", 5)
        try:
            call(b"abc", timeout=10)
            raise AssertionError("it is open")
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.UNAVAILABLE, error
            trailing = dict(error.trailing_metadata() or ())
            assert "grpc-retry-pushback-ms" in trailing, trailing
    server.stop(None)
    return "unary, stream, failure, rejection"


@check
def http2_floods_end_the_connection_and_harm_no_other():
    import h2.config
    import h2.connection
    import h2.events
    import h2.exceptions

    recorder = Recorder()
    head = [(":method", "GET"), (":path", "/"), (":scheme", "http"), (":authority", "h")]

    def connect(port):
        client = socket.create_connection(("127.0.0.1", port), 10)
        state = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        state.initiate_connection()
        client.sendall(state.data_to_send())
        return client, state

    def resets(client, state, count):
        """CVE-2023-44487: a request and its reset, again and again."""
        for _ in range(count):
            stream = state.get_next_available_stream_id()
            state.send_headers(stream, head, end_stream=True)
            state.reset_stream(stream)
            client.sendall(state.data_to_send())

    def frame(kind, flags, stream, payload):
        return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload

    def continuations(client, state, count):
        """CVE-2024-27316: one head without an end."""
        client.sendall(frame(1, 0, 1, b"\x82"))
        for _ in range(count):
            client.sendall(frame(9, 0, 1, b"\x00\x01a\x7f\x81\x10" + b"b" * 272))

    def pings(client, state, count):
        for _ in range(count):
            client.sendall(frame(6, 0, 0, b"12345678"))

    def settings(client, state, count):
        for _ in range(count):
            client.sendall(frame(4, 0, 0, b""))

    def windows(client, state, count):
        """CVE-2025-8671: frames that make the server reset its own streams."""
        for _ in range(count):
            stream = state.get_next_available_stream_id()
            state.send_headers(stream, head, end_stream=True)
            client.sendall(state.data_to_send() + frame(8, 0, stream, b"\0\0\0\0"))

    def empty_data(client, state, count):
        stream = state.get_next_available_stream_id()
        state.send_headers(stream, [(":method", "POST"), *head[1:]])
        client.sendall(state.data_to_send())
        for _ in range(count):
            client.sendall(frame(0, 0, stream, b""))

    seen = []
    with Proxy(recorder.url) as proxy:
        client, state = connect(proxy.port)
        state.send_headers(1, head, end_stream=True)
        client.sendall(state.data_to_send())
        events = []
        while not any(isinstance(event, h2.events.StreamEnded) for event in events):
            events += state.receive_data(client.recv(65536))
        client.close()
        get(proxy.port)
        before = proxy.usage()
        for flood in (resets, continuations, pings, settings, windows, empty_data):
            requests = len(recorder.requests)
            client, state = connect(proxy.port)
            client.settimeout(1)
            ended = "stayed open"
            try:
                for _ in range(20):
                    flood(client, state, 500)
            except (OSError, h2.exceptions.ProtocolError):
                ended = "was ended"
            began = time.monotonic()
            assert get(proxy.port)[0] == 200
            assert time.monotonic() - began < 3, flood.__name__
            client.close()
            seen.append(f"{flood.__name__} {ended}, {len(recorder.requests) - requests - 1} requests passed")
            if flood in (resets, continuations, windows):
                assert ended == "was ended", seen
        eventually("clients are gone", lambda: proxy.metric("tripline_proxy_connections") == 0, 15)
        after = proxy.usage()
        assert after["resident_kib"] - before["resident_kib"] < 60_000, (before, after)
        assert proxy.status()["state"] == "closed"
    recorder.close()
    return "; ".join(seen)


def main(names):
    chosen = [one for one in CHECKS if not names or one.__name__ in names]
    assert chosen, f"known checks: {', '.join(one.__name__ for one in CHECKS)}"
    for one in chosen:
        began = time.monotonic()
        result = one()
        print(f"{one.__name__}: {result} ({time.monotonic() - began:.1f} s)", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
