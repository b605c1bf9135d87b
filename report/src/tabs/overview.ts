// Verdict, the figures that matter, the balance sheet.
import type { Data } from '../data';
import { bar, bytes, bytesColumn, count, countColumn, exact, h, ms, panel, percent, swatch, table } from '../dom';
import { group, groupsAt } from '../series';

const balanceColors = ['#169b8c', '#3f74d9', '#c9a400', '#7d5fd3', '#e08a2e', '#8b97a8', '#9a7462', '#c6508f'];

export function verdictBanner(data: Data): HTMLElement {
  const v = data.raw.verdict;
  const word = { clean: 'Clean', leak: 'Leak', inconclusive: 'Inconclusive', unjudged: 'Not judged' }[v.state];
  const mark = { clean: '✓', leak: '!', inconclusive: '?', unjudged: '–' }[v.state];
  const audit = v.audit.problems.length === 0
    ? `Every owner reference is explained: ${count(v.audit.objects)} objects, ${count(v.audit.edges)} references.`
    : `${count(v.audit.problems.length)} references are unexplained, of ${count(v.audit.edges)}.`;
  return h('section.verdict', { 'data-state': v.state },
    h('span.mark', { 'aria-hidden': 'true' }, mark),
    h('div', null, h('h2', { id: 'verdict' }, word), h('p', null, v.text), h('p.audit', null, audit),
      v.audit.problems.map((p) => h('p.problem', null, p))));
}

function figures(data: Data): HTMLElement {
  const c = data.raw.counts;
  const figure = (id: string, name: string, value: string, note: string, title?: string) =>
    h('div.figure', { title }, h('dt', null, name), h('dd', { id }, value), h('p', null, note));
  // The ledger adds up what threads count for themselves now and then; the recording has every buffer.
  const recorded = data.total[data.peakAt], known = data.raw.ledger_peak.bytes, peak = Math.max(recorded, known);
  const allocated = data.freed.reduce((n, f) => n + (f ? 0 : 1), 0);
  return h('dl.figures', null,
    figure('f-live', 'Live now', bytes(c.live_bytes), `${count(c.buffers)} buffers, ${count(c.tensors)} tensors`, exact(c.live_bytes)),
    figure('f-peak', 'Peak', bytes(peak), recorded > known ? 'highest live bytes of the recording' : 'highest live bytes since the last reset', exact(peak)),
    figure('f-rss', 'Resident', bytes(data.raw.rss), `${percent(c.live_bytes, data.raw.rss)} of it are tensors`, exact(data.raw.rss)),
    figure('f-events', 'Recorded', `${count(data.count)} events`, data.count ? `${count(allocated)} allocations in ${ms(data.raw.events.duration / 1e6)}` +
      (data.raw.events.lost ? `; ${count(data.raw.events.lost)} older events were not kept` : '') : 'recording was off'),
    figure('f-objects', 'Objects', count(c.objects), `${count(c.nodes)} graph nodes; ${count(c.allocations)} allocations ever`));
}

function balance(data: Data): HTMLElement {
  const rows = data.raw.balance.map(([name, n, what], i) => ({ name, n, what, color: balanceColors[i % balanceColors.length] }));
  const sum = rows.reduce((s, r) => s + r.n, 0);
  const whole = rows.reduce((s, r) => s + Math.max(0, r.n), 0);
  const strip = h('div.strip', { role: 'img', 'aria-label': `Resident memory by place: ${rows.map((r) => `${r.name} ${bytes(r.n)}`).join(', ')}` },
    rows.filter((r) => r.n > 0).map((r) => h('span', { style: `width:${((100 * r.n) / whole).toFixed(3)}%;background:${r.color}`, title: `${r.name}: ${exact(r.n)}` })));
  return panel('Balance sheet', 'Where the resident memory of the process is. The rows add up: what none of them explains is the last one.',
    strip,
    table([
      { name: 'Where', value: (r) => r.name, show: (r) => h('span', null, swatch(r.color), r.name) },
      bytesColumn('Bytes', (r) => r.n),
      { name: 'Share', value: (r) => r.n, number: true, show: (r) => percent(r.n, data.raw.rss) },
      { name: 'What it is', value: (r) => r.what },
    ], rows, { caption: `Sum of the rows: ${exact(sum)}; resident: ${exact(data.raw.rss)}` }));
}

function categories(data: Data): HTMLElement {
  const g = group(data, 'category'), now = groupsAt(data, g, data.count), peak = groupsAt(data, g, data.peakAt);
  const rows = g.names.map((name, i) => ({ name, color: g.colors[i], now: now[i], peak: peak[i], most: g.most[i] })).filter((r) => r.now || r.peak || r.most);
  return panel('By category', 'What the bytes are for: now, at the highest moment of the recording, and the most that each had at any time.',
    table([
      { name: 'Category', value: (r) => r.name, show: (r) => h('span', null, swatch(r.color), r.name) },
      bytesColumn('Now', (r) => r.now), bytesColumn('At the peak', (r) => r.peak),
      { name: '', value: (r) => r.peak, show: (r) => bar(r.peak, data.total[data.peakAt], r.color) },
      bytesColumn('Its own most', (r) => r.most),
    ], rows, { caption: 'Live bytes by category', sort: 2 }));
}

function accounts(data: Data): HTMLElement {
  const a = data.raw.accounts, rows: { path: string; live: number; peak: number; allocations: number }[] = [];
  for (let i = 0; i < a.length; i += 4) rows.push({ path: data.text(a[i]), live: a[i + 1], peak: a[i + 2], allocations: a[i + 3] });
  return panel('By account', 'An account is the path of who asked: scopes, layers, and last the op.',
    table([
      { name: 'Account', value: (r) => r.path, show: (r) => h('code', null, r.path) },
      bytesColumn('Live', (r) => r.live), bytesColumn('Its own peak', (r) => r.peak), countColumn('Allocations', (r) => r.allocations),
    ], rows, { caption: 'Accounts of the ledger', sort: 1, limit: 12, key: (r) => r.path }));
}

export function overview(data: Data): HTMLElement {
  const kinds = data.raw.kinds.map((name, i) => ({ name, n: data.raw.counts.by_kind[i] })).filter((r) => r.n);
  return h('div', null, verdictBanner(data), figures(data),
    h('div.columns', null, balance(data), h('div', null, categories(data),
      panel('Objects', null, table([{ name: 'Kind', value: (r) => r.name }, countColumn('Alive', (r) => r.n)], kinds, { caption: 'Live counted objects', sort: 1 })))),
    accounts(data));
}
