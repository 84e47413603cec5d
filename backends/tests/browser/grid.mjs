// Drives the grid of many breakers in a real browser, against the real binary.
import assert from 'node:assert/strict';
import { end, eventually, open, shot, shows, start, step, text, TOKEN } from './harness.mjs';
import { Proxy } from './proxy.mjs';

const NAMED = ['checkout', 'search', 'payments-eu', 'mail', 'a-service-with-a-very-long-name-that-does-not-fit-anywhere'];
const names = many => Array.from({ length: many }, (_, nth) => NAMED[nth] ?? `upstream-${String(nth).padStart(3, '0')}`);
const PHONE = { width: 360, height: 740 }, DESK = { width: 1280, height: 900 };
const summary = (page, wanted) => text(page, '#summary', wanted);
const inGroup = (page, state) => page.$$eval(`.group[data-state=${state}] li:not([hidden]) b`, found => found.map(name => name.textContent));
const fits = page => page.evaluate(() => {
  const { clientWidth, scrollWidth } = document.documentElement;
  const all = [...document.querySelectorAll('body *:not(svg *)')].filter(element => element.offsetParent && !element.matches('.unseen, .skip'));
  return scrollWidth <= clientWidth && all.every(element => element.getBoundingClientRect().right <= clientWidth + 1);
});
/** The layout shift without user input, as measured by the browser. */
const watchShifts = page => page.evaluate(() => {
  window.shifted = 0;
  new PerformanceObserver(list => { for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value; })
    .observe({ type: 'layout-shift' });
});
const shifted = page => page.evaluate(() => window.shifted);

await step('one breaker has its own page, as before', async () => {
  const page = await open(await start());
  await shows(page, 'closed');
  assert.ok(await page.isHidden('#all') && await page.isHidden('#back'));
  await page.close();
});

for (const many of [2, 40, 500]) {
  await step(`${many} breakers are a grid by state, at desk and phone size, in light and dark`, async () => {
    const server = await start({ breakers: names(many) });
    const page = await open(server);
    await summary(page, new RegExp(`^All ${many} breakers are closed$`));
    assert.deepEqual(await inGroup(page, 'closed'), names(many));
    assert.match(await page.title(), /^All closed/);
    await watchShifts(page);
    await server.hammer(4, async () => {
      await page.waitForFunction(() => / ms$/.test(document.querySelector('.card .at').textContent));
    }, '/test/checkout');
    // A figure aligned to the right edge may grow by one character to the left.
    assert.ok(await shifted(page) < 0.001, `figures move others: ${await shifted(page)}`);
    await server.post('/breakers/search/trigger-by-latency');
    await summary(page, new RegExp(`^1 of ${many} breakers is open$`));
    assert.deepEqual(await inGroup(page, 'open'), ['search']);
    await text(page, '.group[data-state=open] .card small', /latency above the threshold · since /);
    await text(page, '#all-timeline', /search.*Closed → open/);
    assert.match(await page.title(), /^1 open/);
    assert.equal(await page.textContent('#said'), 'search is open.');
    for (const [size, viewport] of [['desk', DESK], ['phone', PHONE]]) {
      for (const colorScheme of ['light', 'dark']) {
        await page.setViewportSize(viewport);
        await page.emulateMedia({ colorScheme });
        assert.ok(await fits(page), `${size} ${colorScheme}`);
        await shot(page, `grid-${many}-${size}-${colorScheme}`);
      }
    }
    const small = await page.$$eval('a.card, button, input, summary', all =>
      all.filter(element => element.offsetParent && element.getBoundingClientRect().height < 24).map(element => element.outerHTML));
    assert.deepEqual(small, [], 'too small for a finger');
    await page.setViewportSize(DESK);
    await server.post('/breakers/search/reset', { confirm: true });
    await summary(page, /^All /);
    assert.deepEqual(await inGroup(page, 'closed'), names(many), 'back at its place');
    assert.deepEqual(page.faults, []);
    await page.close();
  });
}

const server = await start({ breakers: names(40) });

await step('a click opens the page of one breaker, a link leads there, and the way back keeps place and filter', async () => {
  const page = await open(server);
  await summary(page, /^All 40/);
  await page.fill('#find', 'UPSTREAM');
  await page.waitForFunction(() => document.querySelectorAll('.group li:not([hidden])').length === 35);
  await page.evaluate(() => scrollTo(0, 150));
  await page.click('a.card:has-text("upstream-030")');
  await shows(page, 'closed');
  assert.equal(await page.textContent('#name'), 'upstream-030');
  assert.match(page.url(), /\?breaker=upstream-030$/);
  await page.goBack();
  await summary(page, /^All 40/);
  assert.equal(await page.inputValue('#find'), 'UPSTREAM');
  assert.ok(await page.evaluate(() => scrollY) >= 100, 'the place is kept');
  await page.goto(`${server.url}/?breaker=mail`);
  await shows(page, 'closed');
  await page.click('#back');
  await summary(page, /^All 40/);
  assert.deepEqual(page.faults, []);
  await page.close();
});

await step('the page of one breaker shows, edits and operates that one', async () => {
  const page = await open(server, `${server.url}/?breaker=mail`);
  await shows(page, 'closed');
  await page.fill('#set-latency', '123');
  await page.press('#set-latency', 'Enter');
  await text(page, '#reply-latency', /^✓ In force and saved/);
  const threshold = async name => (await (await server.get(`/breakers/${name}/latency`)).json()).latency;
  assert.deepEqual([await threshold('mail'), await threshold('checkout')], [123, 300]);
  await page.click('#all-settings summary');
  await page.waitForFunction(() => document.querySelectorAll('#all-rows form').length > 20);
  await page.click('#acts button:has-text("Force open")');
  await page.click('#confirm-yes');
  await shows(page, 'forced_open');
  const rows = (await (await server.get('/breakers?state=forced_open')).json()).breakers;
  assert.deepEqual(rows.map(row => row.name), ['mail']);
  await server.post('/breakers/mail/reset', { confirm: true });
  await page.close();
});

await step('a family is open while a key is, its page lists the keys, and the page of a key operates that member', async () => {
  const family = await start({ breakers: ['search'], more: '[breakers.tenants]\nkey = "header:x-tenant"\n' });
  for (const key of ['acme', 'a/b & c']) await family.get(`/test/tenants/keys/${encodeURIComponent(key)}`);
  const page = await open(family);
  await summary(page, /^All 2 breakers are closed$/);
  await family.post('/breakers/tenants/keys/acme/force-open');
  await summary(page, /^1 of 2 breakers is open$/);
  await text(page, '.group[data-state=open] .card small', /^1 of 2 keys open/);
  await page.click('a.card:has-text("tenants")');
  await text(page, '#keys-open', /^1 of 2 keys open$/);
  assert.deepEqual(await page.$$eval('#keys b', found => found.map(key => key.textContent)), ['acme', 'a/b & c'], 'the worst first');
  for (const viewport of [PHONE, DESK]) {
    await page.setViewportSize(viewport);
    assert.ok(await fits(page));
    await shot(page, `family-${viewport.width}`);
  }
  await page.click('#keys a:has-text("acme")');
  await shows(page, 'forced_open');
  assert.equal(await page.textContent('#name'), 'tenants/acme');
  await page.click('#acts button:has-text("Reset")');
  await page.click('#confirm-yes');
  await shows(page, 'closed');
  assert.ok(await page.isHidden('#settings') && await fits(page));
  await page.click('#back');
  await text(page, '#keys-open', /^0 of 2 keys open$/);
  await page.click('#keys a:has-text("a/b & c")');
  await shows(page, 'closed');
  assert.deepEqual(page.faults, []);
  await page.close();
});

await step('states and names filter, and the filter stands in the address', async () => {
  await server.post('/breakers/search/disabled');
  const page = await open(server);
  await page.click('#states button:has-text("Disabled")');
  await eventually('only the disabled one', async () => (await page.$$('.group:not([hidden])')).length === 1);
  assert.match(page.url(), /\?state=disabled$/);
  await page.reload();
  await page.waitForSelector('.group[data-state=disabled]:not([hidden])');
  assert.equal(await page.getAttribute('#states button:has-text("Disabled")', 'aria-pressed'), 'true');
  await page.fill('#find', 'nothing-like-this');
  await page.waitForSelector('#none:not([hidden])');
  await server.post('/breakers/search/enabled');
  await page.close();
});

await step('a breaker that does not exist is reported, with a way to all', async () => {
  const page = await open(server, `${server.url}/?breaker=nonsense`);
  await text(page, '#lost', /there is no breaker "nonsense"/);
  await page.click('#back');
  await summary(page, /^All 40/);
  await page.close();
});

await step('a lost connection is shown, and the grid goes on where it was', async () => {
  const page = await open(server);
  await summary(page, /^All 40/);
  await server.stop();
  await text(page, '#lost', /Connection lost/);
  const again = await start({ port: server.port, folder: server.folder, breakers: names(3) });
  await text(page, '#connection', /^live$/);
  await summary(page, /^All 3 breakers are closed$/);
  assert.deepEqual(await inGroup(page, 'closed'), names(3), 'breakers that went are gone');
  await again.stop();
  await page.close();
});

await step('with a token and under a prefix behind a proxy the grid and its links work', async () => {
  const locked = await start({ token: TOKEN, breakers: names(3) });
  const proxy = await Proxy.start({ '/ops/shop': locked });
  try {
    for (const path of ['/ops/shop/', '/ops/shop']) {
      const page = await open(locked, proxy.url + path);
      await page.waitForSelector('#ask[open]');
      await page.keyboard.type(TOKEN);
      await page.keyboard.press('Enter');
      await summary(page, /^All 3/);
      await page.click('a.card:has-text("mail"), a.card:has-text("search")');
      await shows(page, 'closed');
      assert.ok(page.url().startsWith(`${proxy.url}${path}?breaker=`), page.url());
      await page.click('#back');
      await summary(page, /^All 3/);
      assert.ok(page.requests.every(url => url.startsWith(`${proxy.url}/ops/shop`) || url.startsWith('data:')), page.requests.join('\n'));
      assert.ok(page.requests.every(url => !url.includes(TOKEN)));
      assert.deepEqual(page.faults, []);
      await page.evaluate(() => sessionStorage.clear());
      await page.close();
    }
  } finally {
    await proxy.close();
  }
});

await end();
