// A browser, servers, and steps that are reported one by one.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server } from './server.mjs';

const { chromium } = createRequire(join(process.env.MODULES, 'package.json'))('playwright-core');
/** Time limit of a step. No step comes near it unless something is wrong. */
const TOO_LONG = 30_000;
export const TOKEN = 'a token of a test'.replaceAll(' ', '-');

const profile = mkdtempSync(join(tmpdir(), 'tripline-profile-'));
export const browser = await chromium.launchPersistentContext(profile, {
  executablePath: '/usr/bin/chromium',
  headless: true,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
  viewport: { width: 1280, height: 900 },
  locale: 'en-GB',
  reducedMotion: 'reduce',
});
browser.setDefaultTimeout(TOO_LONG);
const servers = [];
export const start = async options => {
  const server = await Server.start(options);
  servers.push(server);
  return server;
};

/** A page and the errors that occurred on it. */
export async function open(server, url = server.url) {
  const page = await browser.newPage();
  page.faults = [];
  page.requests = [];
  page.on('pageerror', error => page.faults.push(String(error)));
  page.on('console', message => {
    // The browser logs every error response and every lost connection by itself.
    if (message.type() === 'error' && !/^Failed to load resource/.test(message.text())) page.faults.push(message.text());
  });
  page.on('request', request => page.requests.push(request.url()));
  await page.goto(url);
  return page;
}
export const shot = (page, name, options = {}) => page.screenshot({ path: join(process.env.ARTIFACTS, `${name}.png`), ...options });
export const text = (page, selector, wanted) => page.waitForFunction(
  ([selector, wanted]) => new RegExp(wanted).test(document.querySelector(selector)?.textContent ?? ''), [selector, wanted.source]);
export const shows = (page, state) => page.waitForSelector(`#state[data-state=${state}]`);
export const eventually = async (what, ask) => {
  for (const end = Date.now() + TOO_LONG; Date.now() < end;) {
    if (await ask()) return;
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  assert.fail(`not in time: ${what}`);
};

let failed = 0, skipped = 0;
export async function step(name, run) {
  const from = Date.now();
  try {
    const skip = await run();
    if (skip) skipped += 1;
    console.log(`${skip ? '!!! SKIPPED' : 'ok'}  ${name}${skip ? `: ${skip}` : ''} (${Date.now() - from} ms)`);
  } catch (error) {
    failed += 1;
    console.error(`!!! FAILED  ${name}\n${error.stack}`);
    for (const [i, page] of browser.pages().entries()) await shot(page, `failed-${failed}-${i}`).catch(() => {});
  }
}

/** Closes everything and exits, with 1 if a step failed. */
export async function end() {
  await browser.close();
  await Promise.all(servers.map(server => server.close()));
  rmSync(profile, { recursive: true, force: true });
  console.log(`screenshots in ${process.env.ARTIFACTS}${skipped ? `; !!! ${skipped} steps skipped` : ''}`);
  process.exit(failed === 0 ? 0 : 1);
}
