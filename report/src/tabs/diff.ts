// Two moments against each other: exact by birth number, as memory::diff() is.
import type { Data } from '../data';
import { bytes, bytesColumn, choice, count, countColumn, h, ms, panel, signed, swatch, table } from '../dom';
import { categoryColors } from '../series';

interface Row { path: string; category: number; born: number; bornBytes: number; died: number; diedBytes: number }

function rowsTable(data: Data, rows: Row[], before: number, after: number): HTMLElement {
  const net = (r: Row) => r.bornBytes - r.diedBytes;
  const born = rows.reduce((s, r) => s + r.bornBytes, 0), died = rows.reduce((s, r) => s + r.diedBytes, 0), most = Math.max(1, ...rows.map((r) => Math.abs(net(r))));
  const change = (r: Row) => h('span.change', { 'aria-hidden': 'true' }, h(net(r) >= 0 ? 'span.up' : 'span.down', { style: `width:${((50 * Math.abs(net(r))) / most).toFixed(2)}%` }));
  return h('div', null,
    h('dl.figures', null,
      h('div.figure', null, h('dt', null, 'Before'), h('dd', { id: 'd-before', 'data-value': before }, bytes(before))),
      h('div.figure', null, h('dt', null, 'Born'), h('dd', { id: 'd-born', 'data-value': born }, `+${bytes(born)}`), h('p', null, `${count(rows.reduce((s, r) => s + r.born, 0))} buffers`)),
      h('div.figure', null, h('dt', null, 'Died'), h('dd', { id: 'd-died', 'data-value': died }, `−${bytes(died)}`), h('p', null, `${count(rows.reduce((s, r) => s + r.died, 0))} buffers`)),
      h('div.figure', null, h('dt', null, 'After'), h('dd', { id: 'd-after', 'data-value': after }, bytes(after)), h('p', null, signed(after - before)))),
    table([
      { name: 'Account', value: (r) => r.path, show: (r) => h('code', null, r.path) },
      { name: 'Category', value: (r) => data.raw.categories[r.category], show: (r) => h('span', null, swatch(categoryColors[r.category % 8]), data.raw.categories[r.category]) },
      countColumn('Born', (r) => r.born), bytesColumn('Bytes born', (r) => r.bornBytes), countColumn('Died', (r) => r.died), bytesColumn('Bytes died', (r) => r.diedBytes),
      bytesColumn('Change', net, signed), { name: '', value: (r) => Math.abs(net(r)), show: change },
    ], rows, { caption: 'What was born and what died, by account and category', sort: 7, limit: 40 }));
}

function between(data: Data, a: number, b: number): Row[] {
  const before = data.liveAt(a), after = data.liveAt(b), rows = new Map<string, Row>();
  const row = (stamp: number) => {
    const path = data.pathOf(stamp), category = data.categoryOf(stamp), key = `${category}${path}`;
    let r = rows.get(key);
    if (!r) rows.set(key, (r = { path, category, born: 0, bornBytes: 0, died: 0, diedBytes: 0 }));
    return r;
  };
  for (const [id, s] of after) {
    const was = before.get(id);
    if (was === s) continue;
    const r = row(s);
    ++r.born, r.bornBytes += data.bytesOf(s);
  }
  for (const [id, s] of before) {
    if (after.get(id) === s) continue;
    const r = row(s);
    ++r.died, r.diedBytes += data.bytesOf(s);
  }
  return [...rows.values()];
}

export function diff(data: Data): HTMLElement {
  const given = data.raw.diff, body = h('div');
  const moments: [number, string][] = [[0, 'start of the recording'], ...data.raw.marks.map(([time, before, text]): [number, string] => [before, `${text} (${ms(time / 1e6)})`]),
    [data.peakAt, 'peak'], [data.count, 'end of the recording']];
  let a = 0, b = data.count;
  const select = (label: string, value: number, set: (v: number) => void) => {
    const s = h('select', { 'aria-label': label, change: () => { set(Number(s.value)); draw(); } },
      moments.map(([m, text], i) => h('option', { value: m, selected: i === (value === 0 ? 0 : moments.length - 1) }, text))) as HTMLSelectElement;
    return h('label.pick', null, label, s);
  };
  const recorded = h('div.controls', null, select('From', 0, (v) => (a = v)), select('to', data.count, (v) => (b = v)));
  let mode: 'given' | 'recorded' = given ? 'given' : 'recorded';
  const draw = () => {
    if (mode === 'given' && given) {
      const rows: Row[] = [];
      for (let i = 0; i < given.rows.length; i += 6) {
        const [name, category, born, bornBytes, died, diedBytes] = given.rows.slice(i, i + 6);
        rows.push({ path: data.text(name), category, born, bornBytes, died, diedBytes });
      }
      body.replaceChildren(rowsTable(data, rows, given.before.bytes, given.after.bytes));
    } else body.replaceChildren(recorded, rowsTable(data, between(data, a, b), data.total[a], data.total[b]));
  };
  draw();
  return panel('Difference', 'Exact by birth number: a buffer that was born and died in between is in neither column; one that moved to another account died there and was born here.',
    given && data.count ? h('div.controls', null, choice('Compare', [['given', 'the two snapshots'], ['recorded', 'two moments of the recording']] as const, mode, (m: typeof mode) => { mode = m; draw(); })) : null,
    body);
}
