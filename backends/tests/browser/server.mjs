// Runs the binary as a server in a folder of its own, and sends requests to it.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const CONFIG = `
memory_source = "mock"
sample_interval_ms = 500
latency_threshold = 300
percentile = 0.9
latency_window_size = 60
minimum_samples = 5
trip_confidence = 0
trend_analysis_enabled = false
wait_time = 2
wait_backoff = 1
half_open_max_calls = 3
`;

export class Server {
  /** Starts the binary with these breakers (default: one) and `more` of its configuration file. If `token` is given, all routes but the public ones require it. */
  static async start({ port = 0, token, breakers = [], more = '', folder = mkdtempSync(join(tmpdir(), 'tripline-browser-')) } = {}) {
    const file = join(folder, 'breakers.toml');
    const tables = breakers.map(name => `[breakers.${name}]\n`).join('') + more;
    writeFileSync(file, `${CONFIG}\n[http]\nlisten = "127.0.0.1:${port}"\n${tables}`);
    const env = token ? { ...process.env, TRIPLINE_TOKEN: token } : process.env;
    const child = spawn(process.env.TRIPLINE, ['serve', '--config', file], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const server = new Server(child, folder);
    child.stderr.on('data', text => { server.log += text; });
    server.ended = new Promise(resolve => child.on('exit', (code, signal) => resolve(code ?? signal)));
    const line = await Promise.race([
      new Promise(resolve => createInterface({ input: child.stdout }).once('line', resolve)),
      server.ended,
    ]);
    server.url = /^listening on (.*)$/.exec(line)?.[1];
    if (!server.url) throw new Error(`the server did not start: ${line}\n${server.log}`);
    server.port = Number(new URL(server.url).port);
    return server;
  }

  constructor(child, folder) {
    Object.assign(this, { child, folder, log: '' });
  }

  /** Stops the server, waits for its end and returns its exit code. */
  stop() {
    this.child.kill('SIGTERM');
    return this.ended;
  }

  async close() {
    this.child.kill('SIGKILL');
    await this.ended;
    rmSync(this.folder, { recursive: true, force: true });
  }

  get(path) {
    return this.#send(path, {});
  }

  post(path, body) {
    const headers = body === undefined ? {} : { 'Content-Type': 'application/json' };
    return this.#send(path, { method: 'POST', headers, body: body === undefined ? undefined : JSON.stringify(body) });
  }

  async status() {
    return (await this.get('/breaker/status')).json();
  }

  /** Sends this many concurrent requests until `done` returns true. */
  async hammer(atOnce, done, path = '/test') {
    let over = false;
    const caller = async () => {
      while (!over) {
        const response = await this.get(path);
        await response.text();
        // A rejection arrives at once; a real client would wait before a retry.
        if (response.status === 503) await new Promise(resolve => setTimeout(resolve, 40));
      }
    };
    const callers = Array.from({ length: atOnce }, caller);
    try {
      return await done();
    } finally {
      over = true;
      await Promise.all(callers);
    }
  }

  #send(path, options) {
    return fetch(this.url + path, options);
  }
}
