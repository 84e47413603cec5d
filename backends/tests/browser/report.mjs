// Opens the file of a `tripline replay --report` in a real browser.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const { chromium } = createRequire(join(process.env.MODULES, 'package.json'))('playwright-core');
const folder = mkdtempSync(join(tmpdir(), 'tripline-report-'));

// A call every 20 ms, the middle fifth of them slow.
const calls = Array.from({ length: 2_000 }, (_, nth) => `${nth * 20},${nth >= 800 && nth < 1_200 ? 900 : 50 + nth % 37}`);
writeFileSync(join(folder, 'calls.csv'), `at_ms,latency_ms\n${calls.join('\n')}\n`);
const replay = ['replay', '--set', 'latency_threshold=300', '--report', 'out.html', 'calls.csv'];
execFileSync(process.env.TRIPLINE, replay, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });

const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update'],
});
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  const faults = [], requests = [];
  page.on('pageerror', error => faults.push(String(error)));
  page.on('console', message => { if (message.type() === 'error') faults.push(message.text()); });
  page.on('request', request => requests.push(request.url()));
  const url = pathToFileURL(join(folder, 'out.html')).href;
  await page.goto(url);

  const drawing = page.locator('#plots svg');
  await drawing.waitFor();
  assert.match(await page.locator('h1').textContent(), /tripped once in 40 s/);
  const { x, y, width, height } = await drawing.boundingBox();
  assert.ok(width > 500 && height > 200, `${width} x ${height}`);
  assert.ok(await drawing.locator('path').count() > 5, 'lines are drawn');

  const tip = page.locator('#tip');
  assert.equal(await tip.isVisible(), false);
  await page.mouse.move(x + width * 0.5, y + height * 0.3);
  await tip.waitFor();
  const told = await tip.textContent();
  // In the middle of the slow fifth.
  assert.match(told, /0:00:(19|2\d)/, told);
  assert.match(told, /median900 ms/, told);
  await page.screenshot({ path: join(process.env.ARTIFACTS, 'report.png') });
  await page.mouse.move(x + width * 0.5, y - 20);
  await tip.waitFor({ state: 'hidden' });

  // Dragging zooms in; Escape shows everything again.
  await page.mouse.move(x + width * 0.3, y + height * 0.3);
  await page.mouse.down();
  await page.mouse.move(x + width * 0.6, y + height * 0.3, { steps: 4 });
  await page.mouse.up();
  await page.locator('#whole').waitFor();
  await page.keyboard.press('Escape');
  await page.locator('#whole').waitFor({ state: 'hidden' });

  assert.deepEqual(faults, []);
  assert.deepEqual(requests, [url], 'it needs nothing beside itself');
  console.log('ok  the page of a replay draws, tells what is pointed at and looks closer');
} finally {
  await browser.close();
  rmSync(folder, { recursive: true, force: true });
}
