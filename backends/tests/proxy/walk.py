"""Follows the guide: writes its files, runs its commands in order, and checks the results. Started by .ci/proxy-walk."""
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

from harness import can_connect, eventually, free_port

GUIDE, BINARY, ARTIFACTS = sys.argv[1:]
SERVICE, PROXY, API, PAGES = (free_port() for _ in range(4))
PORTS = {":3000": f":{SERVICE}", ", 3000)": f", {SERVICE})", ":8000": f":{PROXY}", ":8080": f":{API}", ":9000": f":{PAGES}"}
pages = []


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        pages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def ported(text):
    for old, new in PORTS.items():
        text = text.replace(old, new)
    return text


def main():
    blocks = re.findall(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", pathlib.Path(GUIDE).read_text(encoding="utf-8"), re.M | re.S)
    folder = pathlib.Path(tempfile.mkdtemp())
    environment = {**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}"}
    (folder / "bin").mkdir()
    (folder / "bin/tripline").symlink_to(BINARY)
    for _, name, text in blocks:
        if name:
            text = ported(text)
            if name == "breakers.toml":
                text = text.replace("[proxy]", f'[proxy]\nlisten = "127.0.0.1:{PROXY}"\ndrain_delay = 0') + f'\n[http]\nlisten = "127.0.0.1:{API}"\n'
            (folder / name).write_text(text, encoding="utf-8")
    commands = [text for kind, _, text in blocks if kind == "sh"]
    service, single, configured, load, rejected, recovery, replay = commands
    running = []

    def start(line):
        line = ported(line).strip().removesuffix("&").strip()
        running.append(subprocess.Popen(f"exec {line}", shell=True, cwd=folder, env=environment, stderr=open(folder / "log", "a")))
        return running[-1]

    def run(text):
        done = subprocess.run(ported(text), shell=True, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
        return done.stdout + done.stderr

    receiver = http.server.ThreadingHTTPServer(("127.0.0.1", PAGES), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    try:
        start(service)
        eventually("the service listens", lambda: can_connect(SERVICE))

        first = start(single.strip() + f" --listen 127.0.0.1:{PROXY} --api 127.0.0.1:{API}")
        eventually("the proxy listens", lambda: can_connect(PROXY))
        assert run("curl -s http://127.0.0.1:8000/") == "hello\n"
        assert "<title>" in run("curl -s http://127.0.0.1:8080/")
        first.kill()
        first.wait()

        check, proxy, hello = configured.strip().splitlines()
        assert "valid" in run(check), run(check)
        process = start(proxy)
        eventually("the proxy listens", lambda: can_connect(PROXY) and can_connect(API))
        assert run(hello) == "hello\n"

        def status():
            return json.loads(run("curl -s http://127.0.0.1:8080/breakers/service/status"))

        healthy, ctl, slow, overload = load.strip().splitlines()
        run(healthy)
        assert status()["state"] == "closed", status()
        ctl += f" --url http://127.0.0.1:{API}"
        assert "closed" in run(ctl), run(ctl)
        run(slow)
        run(overload)
        # After each wait the slow service gets a probe: the breaker is half-open meanwhile, and the request may be the probe.
        seen = eventually("the breaker is open", lambda: (seen := status())["state"] == "open" and seen)
        assert seen["trip_reason"] in ("latency", "probe_slow"), seen
        answer = eventually("a rejection", lambda: "\nx-tripline: open;" in (text := run(rejected)).lower() and text)
        assert re.search(r"^HTTP/1.1 503 ", answer) and re.search(r"(?mi)^retry-after: [1-9]", answer), answer
        assert re.search(r"(?mi)^x-tripline: open; reason=(?:latency|probe_slow); breaker=service", answer), answer
        eventually("a page", lambda: pages)
        print("page:", json.dumps(pages[0])[:300])
        picture()

        run(recovery)
        assert status()["state"] == "closed", status()
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0
        replayed = run(replay)
        assert replayed.startswith("{"), replayed
        summary = json.loads(replayed.splitlines()[0])
        assert summary["trips"] and summary["recoveries"], summary
        print("replay of its access log:", json.dumps(summary)[:300])
    except BaseException:
        print((folder / "log").read_text(), file=sys.stderr)
        raise
    finally:
        for one in running:
            if one.poll() is None:
                one.kill()
                one.wait()
        shutil.rmtree(folder)


def picture():
    chromium = shutil.which("chromium")
    if chromium is None:
        assert os.environ.get("TRIPLINE_REQUIRE_BROWSER") != "1", "chromium is missing"
        print("SKIPPED: no picture of the dashboard, as there is no chromium")
        return
    path = pathlib.Path(ARTIFACTS, "proxy-open.png")
    path.unlink(missing_ok=True)
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1280,1400"]
    command += ["--timeout=8000", "--virtual-time-budget=4000", f"--screenshot={path}", f"http://127.0.0.1:{API}/"]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, check=False)
    assert path.exists() and path.stat().st_size > 10_000, "no picture of the dashboard"
    print(f"dashboard: {path}")


if __name__ == "__main__":
    main()
