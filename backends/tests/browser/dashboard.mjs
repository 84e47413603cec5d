// Drives the page of one breaker in a real browser, against the real binary.
import assert from 'node:assert/strict';
import { browser, end, eventually, open, shot, shows, start, step, text, TOKEN } from './harness.mjs';
import { Proxy } from './proxy.mjs';

const latencies = (page, wanted) => page.waitForFunction(
  wanted => new RegExp(wanted).test(document.querySelector('#chart').getAttribute('aria-label')), wanted.source);

let server = await start();
let page = await open(server);

await step('the page connects, shows the breaker and breaks no rule of its policy', async () => {
  await shows(page, 'closed');
  await text(page, '#connection', /^live$/);
  const { name } = await server.status();
  assert.equal(await page.textContent('#name'), name);
  assert.match(await page.title(), /^Closed/);
  assert.deepEqual(page.faults, []);
  assert.ok(page.requests.every(url => url.startsWith(server.url) || url.startsWith('data:')), page.requests.join('\n'));
});

await step('real requests appear, without the page asking for anything', async () => {
  const asked = page.requests.length;
  await server.hammer(4, () => latencies(page, /^60 latencies, \d+ above/));
  await eventually('what is rejected and finished per second is shown', async () => /per second/.test(await page.textContent('#rate')));
  assert.equal(page.requests.length, asked, 'the page polls');
  assert.match(await page.textContent('#memory'), /^50 % of/);
  assert.equal(await page.getAttribute('#gauge', 'aria-valuenow'), '50');
});

await step('a trip that real requests cause is shown, then the recovery', async () => {
  await server.post('/test/delay', { delay: '420ms' });
  await server.hammer(6, async () => {
    await shows(page, 'open');
    await text(page, '#timeline', /Closed → open/);
    await eventually('rejections are counted', async () => Number((await page.textContent('#tiles div:nth-child(3) dd')).replaceAll(',', '')) > 0);
  });
  assert.match(await page.textContent('#said'), /^The breaker is open: latency/);
  assert.match(await page.textContent('#why'), /calls are rejected.*reason: latency/);
  await text(page, '#timeline', /Incident 1 began/);
  await text(page, '#timeline', /Alert /);
  await shot(page, 'open-light', { fullPage: true });
  await server.post('/test/delay', { delay: '35ms' });
  await server.hammer(2, () => shows(page, 'closed'));
  await text(page, '#timeline', /Half-open → closed/);
  await text(page, '#timeline', /Open → half-open/);
  await server.hammer(4, () => latencies(page, /^60 latencies/));
});

await step('full memory opens the gauge and the breaker', async () => {
  await server.post('/test/trigger', { scenario: 'memory_overload' });
  await text(page, '#memory', /99 % of .*too much/);
  await shows(page, 'open');
  await text(page, '#timeline', /Memory ran out/);
  await server.post('/test/trigger', { scenario: 'reset_normal' });
  await text(page, '#memory', /^50 % of/);
  await server.hammer(2, () => shows(page, 'closed'));
});

/** Moves the focus with the Tab key only. */
async function tabTo(page, id) {
  await page.evaluate(() => document.activeElement.blur());
  for (let i = 0; i < 60; i++) {
    await page.keyboard.press('Tab');
    if (await page.evaluate(() => document.activeElement.id) === id) return;
  }
  assert.fail(`no Tab reaches ${id}`);
}
async function type(page, id, value) {
  await tabTo(page, id);
  await page.keyboard.press('ControlOrMeta+A');
  await page.keyboard.type(value);
}

const canRetune = (await server.get('/breaker/latency')).status !== 404;
const RETUNE = 'the routes of the settings are not there';

await step('a threshold typed with the keyboard takes effect in the breaker and on the page', async () => {
  if (!canRetune) return RETUNE;
  await type(page, 'set-latency', '90');
  await text(page, '#reply-latency', /^Not saved yet; in force: 300 ms/);
  await page.keyboard.press('Enter');
  await text(page, '#reply-latency', /^✓ In force/);
  assert.equal((await server.status()).latency_threshold_ms, 90);
  assert.equal(await page.evaluate(() => document.activeElement.id), 'set-latency');
  await latencies(page, /threshold of 90 ms/);
  await server.post('/test/delay', { delay: '130ms' });
  await server.hammer(6, () => shows(page, 'open'));
  await server.post('/test/delay', { delay: '20ms' });
  await server.hammer(2, () => shows(page, 'closed'));
});

await step('a rejected value is reported in the words of the API, and Escape takes it back', async () => {
  if (!canRetune) return RETUNE;
  await type(page, 'set-percentile', 'much');
  await page.keyboard.press('Enter');
  await text(page, '#reply-percentile', /^✕ .*percentile.* Allowed: /);
  await page.keyboard.press('ControlOrMeta+A');
  await page.keyboard.type('-3');
  await page.keyboard.press('Enter');
  await text(page, '#reply-percentile', /^✕ percentile cannot be -3\. Allowed: /);
  assert.equal(await page.getAttribute('#set-percentile', 'aria-invalid'), 'true');
  await shot(page, 'rejected-value', { fullPage: true });
  await page.keyboard.press('Escape');
  assert.equal(await page.inputValue('#set-percentile'), '0.9');
});

await step('a change by others appears, but not over what is being typed', async () => {
  if (!canRetune) return RETUNE;
  await type(page, 'set-wait', '7');
  await server.post('/breaker/latency', { threshold: 310 });
  await server.post('/breaker/wait', { wait_time: 3 });
  await page.waitForFunction(() => document.querySelector('#set-latency').value === '310');
  await text(page, '#reply-wait', /in force: 3 s/);
  assert.equal(await page.inputValue('#set-wait'), '7');
  await page.keyboard.press('Escape');
  assert.equal(await page.inputValue('#set-wait'), '3');
});

await step('disabling and a reset happen only after a confirmation', async () => {
  await tabTo(page, 'set-enabled');
  await page.keyboard.press('Space');
  await page.waitForSelector('#confirm[open]');
  await page.keyboard.press('Escape');
  await page.waitForSelector('#confirm[open]', { state: 'detached' });
  assert.ok(await page.isChecked('#set-enabled') && (await server.status()).enabled);
  // Immediately after the first: a late event of the first dialog must not answer the second.
  for (let i = 0; i < 20; i += 1) {
    await page.keyboard.press('Space');
    await page.keyboard.press('Escape');
  }
  await page.keyboard.press('Space');
  await page.waitForSelector('#confirm[open]');
  assert.ok(await page.isChecked('#set-enabled') && (await server.status()).enabled);
  await shot(page, 'confirm');
  await page.click('#confirm-yes');
  await shows(page, 'disabled');
  await text(page, '#reply-enabled', /^✓ In force/);
  await tabTo(page, 'set-enabled');
  await page.keyboard.press('Space');
  await shows(page, 'closed');
  const { last_trip_time: before } = await server.status();
  await page.click('#acts button:has-text("Reset")');
  await page.click('#confirm-yes');
  await text(page, '#acted', /^Reset: ✓ Done/);
  await text(page, '#timeline', /^Reset.*reset by an operator/);
  assert.equal((await server.status()).last_trip_time, before);
});

await step('the other operations do what they say', async () => {
  if ((await server.get('/breaker/force-open')).status === 404) return 'the routes are not there';
  const act = async name => {
    await page.click(`#acts button:has-text("${name}")`);
    await page.click('#confirm-yes');
    await text(page, '#acted', new RegExp(`^${name}: `));
  };
  await act('Force open');
  await shows(page, 'forced_open');
  await act('Simulate slow calls');
  await text(page, '#acted', /✕ .*forced open/);
  await act('Reset');
  await shows(page, 'closed');
  await act('Simulate slow calls');
  await shows(page, 'open');
  await text(page, '#why', /held open/);
  await act('Undo simulations');
  await server.hammer(2, () => shows(page, 'closed'));
});

await step('a lost connection is shown and recovers; the open stream does not hold the server up', async () => {
  const lines = await page.locator('#timeline li').count();
  assert.equal(await server.stop(), 0, server.log);
  await page.waitForSelector('#lost:not([hidden])');
  await text(page, '#connection', /^not connected$/);
  await text(page, '#lost', /Connection lost\..*figures are those of .*Trying again in/);
  await shot(page, 'lost', { fullPage: true });
  const { port, folder } = server;
  server = await start({ port, folder });
  await text(page, '#connection', /^live$/);
  assert.ok(await page.isHidden('#lost'));
  assert.equal(await page.textContent('#said'), 'Connected again.');
  await text(page, '#timeline', /^Recording began/);
  assert.ok(await page.locator('#timeline li').count() > lines, 'what was before is kept');
  await server.hammer(4, () => latencies(page, /^60 latencies/));
});

await step('on a phone nothing is cut off, in light and in dark', async () => {
  await page.setViewportSize({ width: 360, height: 740 });
  await server.post('/test/delay', { delay: '420ms' });
  await server.hammer(6, () => shows(page, 'open'));
  const fits = () => page.evaluate(() => document.documentElement.scrollWidth <= 360
    && [...document.querySelectorAll('main *:not(svg *)')].every(element => element.getBoundingClientRect().right <= 361));
  assert.ok(await fits());
  await shot(page, 'phone-light', { fullPage: true });
  const light = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.emulateMedia({ colorScheme: 'dark' });
  assert.notEqual(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), light);
  assert.ok(await fits());
  await shot(page, 'phone-dark', { fullPage: true });
  const small = await page.evaluate(() => [...document.querySelectorAll('button, input:not([type=password]), .switch')]
    .filter(element => element.offsetParent && element.getBoundingClientRect().height < 24).map(element => element.id));
  assert.deepEqual(small, [], 'too small for a finger');
  await page.setViewportSize({ width: 1280, height: 900 });
  await shot(page, 'open-dark', { fullPage: true });
  await server.post('/test/delay', { delay: '35ms' });
  await server.hammer(2, () => shows(page, 'closed'));
});

await step('text stands out from what is behind it, in light and in dark', async () => {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    const weak = await page.evaluate(() => {
      const style = getComputedStyle(document.documentElement);
      const light = name => {
        const hex = style.getPropertyValue(name).trim().slice(1);
        const full = hex.length === 3 ? [...hex].map(digit => digit + digit).join('') : hex;
        const [r, g, b] = [0, 2, 4].map(i => parseInt(full.slice(i, i + 2), 16) / 255)
          .map(part => part <= .04045 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4);
        return .2126 * r + .7152 * g + .0722 * b;
      };
      const ratio = (a, b) => (Math.max(light(a), light(b)) + .05) / (Math.min(light(a), light(b)) + .05);
      const pairs = ['--ink', '--dim', '--accent', '--closed', '--open', '--half_open', '--disabled', '--forced_open']
        .map(name => [name, '--card']);
      pairs.push(['--ink', '--page'], ['--dim', '--page'], ['--dim', '--well'], ['--on-accent', '--accent']);
      return pairs.filter(([a, b]) => ratio(a, b) < 4.5);
    });
    assert.deepEqual(weak, [], colorScheme);
  }
});

await step('reduced motion is respected, and everything has a name', async () => {
  assert.equal(await page.evaluate(() => getComputedStyle(document.querySelector('button')).transitionDuration), '0s');
  const nameless = await page.evaluate(() => [...document.querySelectorAll('input, select, button')]
    .filter(element => !(element.labels?.length || element.ariaLabel || element.textContent.trim())).map(element => element.outerHTML));
  assert.deepEqual(nameless, []);
  assert.deepEqual(page.faults, []);
});

await step('the token is asked for, kept in the tab and in no address', async () => {
  const locked = await start({ token: TOKEN });
  const page = await open(locked);
  await page.waitForSelector('#ask[open]');
  await text(page, '#connection', /^not connected$/);
  await shot(page, 'token');
  await page.keyboard.type('a-wrong-token-of-a-test');
  await page.keyboard.press('Enter');
  await text(page, '#ask-reply', /^The token was rejected/);
  await page.keyboard.type(TOKEN);
  await page.keyboard.press('Enter');
  await shows(page, 'closed');
  await text(page, '#connection', /^live$/);
  await page.click('#acts button:has-text("Reset")');
  await page.click('#confirm-yes');
  await text(page, '#acted', /^Reset: ✓ Done/);
  await page.reload();
  await shows(page, 'closed');
  assert.ok(await page.isHidden('#ask'));
  assert.ok(page.requests.every(url => !url.includes(TOKEN)));
  assert.equal(await page.evaluate(() => JSON.stringify([localStorage.length, document.cookie])), '[0,""]');
  assert.deepEqual(page.faults, []);
  await page.close();
});

await step('a trip shows the evidence it opened on, and a drill is marked everywhere', async () => {
  await server.post('/test/delay', { delay: '420ms' });
  await server.hammer(6, async () => {
    await shows(page, 'open');
    await text(page, '#evidence', /^latency.*: \d+ slow, \d+ failed of \d+ calls, \d+ hanging; p90 \d.* ms, threshold \d+ ms(; .+ evidence for .+, tolerance .+)?$/);
  });
  await text(page, '#timeline', /Closed → open.*slow, .*hanging/);
  assert.ok(await page.isHidden('#drill'));
  await server.post('/test/delay', { delay: '20ms' });
  await server.hammer(2, () => shows(page, 'closed'));
  assert.ok(await page.isHidden('#evidence'));
  await page.click('#acts button:has-text("Simulate full memory")');
  await page.click('#confirm-yes');
  await shows(page, 'open');
  await page.waitForSelector('#drill:not([hidden])');
  await text(page, '#evidence', /^drill: an operator simulated exhausted memory$/);
  await text(page, '#timeline', /Drill: Closed → open/);
  await text(page, '#memory', /drill/);
  assert.match(await page.title(), /^Drill: /);
  await shot(page, 'drill', { fullPage: true });
  await page.click('#acts button:has-text("Undo simulations")');
  await page.click('#confirm-yes');
  await server.hammer(2, () => shows(page, 'closed'));
  assert.ok(await page.isHidden('#drill'));
});

await step('the time axis has its ticks where those times are, in 24 hours', async () => {
  for (const span of ['5', '15', '60', '360']) {
    await page.selectOption('#span', span);
    for (const chart of ['#ribbon', '#history']) {
      const ticks = await page.evaluate(chart => {
        const svg = document.querySelector(chart), width = svg.clientWidth;
        return [...svg.querySelectorAll('text[data-time]')].map(text => ({
          time: Number(text.dataset.time), place: Number(text.getAttribute('x')) / width, text: text.textContent }));
      }, chart);
      assert.ok(ticks.length >= 2, `${chart} ${span}`);
      for (const { time, place, text } of ticks) {
        assert.equal(time % 60000, 0, 'a tick at a whole minute');
        const expected = 1 - (Date.now() - time) / (Number(span) * 60000);
        assert.ok(Math.abs(expected - place) < 5000 / (Number(span) * 60000), `${chart} ${span}: ${text} at ${place}, not ${expected}`);
        assert.match(text, /^([01]\d|2[0-3]):[0-5]\d$/);
      }
    }
  }
  await page.selectOption('#span', '5');
});

await step('the history of the percentile is there after a reload', async () => {
  await eventually('the server has readings', async () => (await (await server.get('/breaker/history')).json()).at_ms.length >= 2);
  await page.reload();
  await page.waitForFunction(() => / [2-9]\d* readings$|\d{2,} readings$/.test(document.querySelector('#history').getAttribute('aria-label')));
  const fast = await page.evaluate(() => document.querySelector('#history .reached').getAttribute('d'));
  assert.match(fast, /^M/);
});

await step('on a phone operating comes before every figure', async () => {
  await page.setViewportSize({ width: 360, height: 740 });
  const [acts, ribbon] = await page.evaluate(() => ['#acts', '#ribbon'].map(id => document.querySelector(id).getBoundingClientRect()));
  assert.ok(acts.bottom <= 740 && acts.bottom <= ribbon.top, `operating ends at ${acts.bottom}`);
  await shot(page, 'phone-operate');
  await page.setViewportSize({ width: 1280, height: 900 });
});

await step('under a prefix behind a proxy each page shows and edits its own breaker', async () => {
  const locked = await start({ token: TOKEN });
  const proxy = await Proxy.start({ '/ops/shop': server, '/ops/locked': locked });
  try {
    // Also without a trailing slash.
    for (const path of ['/ops/shop/', '/ops/shop']) {
      const page = await open(server, proxy.url + path);
      await page.waitForSelector('#state[data-state]');
      assert.ok(page.requests.every(url => url.startsWith(`${proxy.url}/ops/shop`) || url.startsWith('data:')), page.requests.join('\n'));
      await page.close();
    }
    const page = await open(locked, `${proxy.url}/ops/locked/`);
    await page.waitForSelector('#ask[open]');
    await page.keyboard.type(TOKEN);
    await page.keyboard.press('Enter');
    await shows(page, 'closed');
    await type(page, 'set-latency', '123');
    await page.keyboard.press('Enter');
    await text(page, '#reply-latency', /^✓ In force/);
    const mine = await fetch(`${locked.url}/breaker/latency`, { headers: { authorization: `Bearer ${TOKEN}` } });
    assert.match(await mine.text(), /123/);
    assert.notEqual((await server.status()).latency_threshold_ms, 123);
    assert.deepEqual(page.faults, []);
    await page.close();
  } finally {
    await proxy.close();
  }
});

await end();
