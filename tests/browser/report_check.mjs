// The memory report in a real browser: opened headless from a file, every tab clicked, what it shows compared with the data in it and that data with the ledger's.
// Usage: report_check.mjs BUILD_DIR [REPORT]. Exit code 77 (skipped) where there is no chromium, no npm or no page. Screenshots: BUILD_DIR/report_shots.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { browserFor } from './browser.mjs';

const here = dirname(fileURLToPath(import.meta.url)), build = resolve(process.argv[2]);
const { skip, launch } = browserFor('report', build);
const report = process.argv[3] ? resolve(process.argv[3]) : join(build, 'report_check.html');
if (!process.argv[3]) {
  try {
    execFileSync(join(build, 'tenure'), ['mem', 'report', join(here, '../reference/cnn.keras'), '--train', '--judge', '--batch', '4', '-o', report], { stdio: 'pipe' });
  } catch (e) {
    if (String(e.stderr).includes('carries no page')) skip('this build carries no page');
    throw e;
  }
}

let passed = 0, failed = 0;
const check = (what, ok, detail = '') => { ok ? ++passed : (++failed, console.log(`FAILED ${what}: ${detail}`)); };
const same = (what, got, want) => check(what, Number(got) === Number(want), `the page says ${got}, the data ${want}`);

// ---- the data, read by code that shares nothing with the page
const html = readFileSync(report, 'utf8');
const data = JSON.parse(html.match(/<script type="application\/json" id="tenure-data">(.*?)<\/script>/s)[1]);
const leb = (text) => {
  const out = [];
  let n = 0n, shift = 0n;
  for (const b of Buffer.from(text, 'base64')) {
    n |= BigInt(b & 127) << shift;
    shift += 7n;
    if (b < 128) out.push(n), (n = 0n), (shift = 0n);
  }
  return out;
};
const events = leb(data.events.data), bytesOf = (stamp) => data.stamps[Number(stamp) * 3 + 2];
check('three numbers an event', events.length === 3 * data.events.count);
let end = 0;
const last = leb(data.live.data);
for (let i = 1; i < last.length; i += 2) end += bytesOf(last[i]);
for (let i = 2; i < data.live.rest.length; i += 4) end += data.live.rest[i];
let start = end;
for (let i = 1; i < events.length; i += 3) start += (events[i] & 1n ? 1 : -1) * bytesOf(events[i] >> 1n);
let total = start, peak = start;
for (let i = 1; i < events.length; i += 3) peak = Math.max(peak, (total += (events[i] & 1n ? -1 : 1) * bytesOf(events[i] >> 1n)));
check('the balance sheet adds up', data.balance.reduce((s, r) => s + r[1], 0) === data.rss);
const roots = data.objects.parent.reduce((s, p, i) => s + (p < 0 ? data.objects.retained[i] : 0), 0) + data.objects.rest.reduce((s, r) => s + (r[0] < 0 ? r[2] : 0), 0);
check('the holders retain what is live', roots === data.counts.live_bytes, `${roots}, ${data.counts.live_bytes}`);
check('at most 3 MB', statSync(report).size <= 3e6, statSync(report).size);

// ---- the page
const b = await launch();
const shots = join(build, 'report_shots');
mkdirSync(shots, { recursive: true });
const open = async (colorScheme) => {
  const page = await b.newPage({ viewport: { width: 1360, height: 900 }, colorScheme });
  page.on('pageerror', (e) => check('no error in the page', false, e.message));
  page.on('console', (m) => m.type() === 'error' && check('no error in the console', false, m.text()));
  page.on('request', (r) => check('nothing is asked of a network', r.url().startsWith('file:') || r.url().startsWith('data:'), r.url()));
  await page.goto(pathToFileURL(report).href);
  await page.waitForFunction(() => document.documentElement.dataset.ready);
  return page;
};
const page = await open('light');
let ready = Number(await page.evaluate(() => document.documentElement.dataset.ready));
for (let i = 0; i < 2; ++i) {
  const again = await open('light');
  ready = Math.min(ready, Number(await again.evaluate(() => document.documentElement.dataset.ready)));
  await again.close();
}
check('it says when it was ready', ready > 0, `${ready} ms`); // how fast is bench/report's to say
const value = (selector) => page.getAttribute(selector, 'data-value');
const number = async (selector, attribute = 'title') => Number((await page.locator(selector).locator('xpath=..').getAttribute(attribute)).replace(/\D/g, ''));

same('live', await number('#f-live'), data.counts.live_bytes);
same('the highest of ledger and recording', await number('#f-peak'), Math.max(data.ledger_peak.bytes, peak));
same('resident', await number('#f-rss'), data.rss);
check('the verdict', (await page.textContent('.state')).trim() === (data.verdict.state === 'unjudged' ? 'not judged' : data.verdict.state));
const accounts = await page.locator('tr[data-key]').count();
check('accounts are listed', accounts === Math.min(12, data.accounts.length / 4), accounts);

await page.click('#tab-timeline');
same('the timeline stands at the peak', await value('#t-total'), peak);
await page.focus('.chart');
await page.keyboard.press('Home');
same('Home goes to the start', await value('#t-total'), start);
await page.keyboard.press('End');
same('End goes to the end', await value('#t-total'), end);
await page.keyboard.press('p');
for (const key of ['+', '+', 'ArrowRight', '-', '0']) await page.keyboard.press(key);
for (const by of ['block', 'layer', 'account', 'category']) {
  await page.click(`label:has(input[value=${by}])`);
  check(`stacked by ${by}`, (await page.locator('#panel-timeline tbody tr').count()) > 0);
}
check('the timeline is drawn', await page.evaluate(() => {
  const c = document.querySelector('.chart canvas'), d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
  const seen = new Set();
  for (let i = 0; i < d.length; i += 4 * 97) if (d[i + 3] === 255) seen.add((d[i] << 16) | (d[i + 1] << 8) | d[i + 2]);
  return seen.size >= 3;
}));

await page.click('#tab-peak');
same('what lived at the peak', await value('#peak-total'), peak);
await page.click('#panel-peak button:text-is("End")');
same('what lives at the end', await value('#peak-total'), end);

await page.click('#tab-holders');
same('the first holder retains most', await page.getAttribute('.line[aria-level="1"]', 'data-retained'),
  Math.max(...data.objects.retained.filter((_, i) => data.objects.parent[i] < 0)));
await page.focus('.line[tabindex="0"]');
await page.keyboard.press('ArrowDown');
check('the arrow keys walk through the tree', await page.evaluate(() => document.activeElement.getAttribute('role') === 'treeitem'));
await page.fill('input[type=search]', 'variable');
check('holders are found by name', (await page.locator('.line[role=treeitem]').count()) > 0);

await page.click('#tab-leaks');
same('leak cards', await page.locator('.leak').count(), data.leaks.length);

await page.click('#tab-diff');
if (data.diff) {
  same('before', await value('#d-before'), data.diff.before.bytes);
  same('after', await value('#d-after'), data.diff.after.bytes);
  if (data.events.count) await page.click('label:has(input[value=recorded])');
}
if (data.events.count) {
  same('the recording begins', await value('#d-before'), start);
  same('the recording ends', await value('#d-after'), end);
  same('born less died', Number(await value('#d-born')) - Number(await value('#d-died')), end - start);
}

await page.click('#tab-plan');
if (data.plans.length) {
  const plan = data.plans[0], live = new Array(plan.steps.length + 1).fill(0);
  for (let i = 0; i < plan.blocks.length; i += 5) for (let s = plan.blocks[i + 2]; s <= plan.blocks[i + 3] && s < live.length; ++s) live[s] += Math.ceil(plan.blocks[i + 1] / 64) * 64;
  same('the arena', await value('#p-arena'), plan.arena);
  same('the lower bound', await value('#p-bound'), plan.bound);
  same('the fullest instruction is the bound', await value('#p-live'), plan.bound);
  same('and the data says so too', Math.max(...live), plan.bound);
  await page.focus('canvas.plan');
  await page.keyboard.press('Home');
  same('Home goes to the first instruction', await value('#p-live'), live[0]);
}
await page.click('#tab-budget');
same('budget events', await page.locator('#panel-budget tbody tr').count(), Math.min(200, data.budget.length));

await page.focus('#tab-budget');
await page.keyboard.press('ArrowRight');
check('the arrow keys go through the tabs', (await page.getAttribute('#tab-overview', 'aria-selected')) === 'true');
const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
const light = await ground();
await page.click('#theme');
check('light and dark', light !== (await ground()));
await page.close();

for (const scheme of ['light', 'dark']) {
  const p = await open(scheme);
  for (const tab of ['overview', 'timeline', 'peak', 'holders', 'leaks', 'diff', 'plan', 'budget']) {
    await p.click(`#tab-${tab}`);
    await p.waitForTimeout(60);
    await p.screenshot({ path: join(shots, `${tab}-${scheme}.png`) });
    check(`${tab} has a width of its own`, await p.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  }
  await p.close();
}
await b.close();
console.log(`report: ${passed} passed, ${failed} failed; ready in ${ready} ms, ${statSync(report).size} bytes`);
process.exit(failed ? 1 : 0);
