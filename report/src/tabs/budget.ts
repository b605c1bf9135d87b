// Limits, refusals, and what was given back to stay below them.
import type { Data } from '../data';
import { bytes, bytesColumn, count, h, ms, panel, table } from '../dom';

export function budget(data: Data): HTMLElement {
  const rows = data.raw.budget.map(([time, what, n, limit, used, text]) => ({ time: time / 1e6, what, n, limit, used, text }));
  const word = { refused: 'Refused', reclaimed: 'Given back', limit: 'Limit set' };
  const refused = rows.filter((r) => r.what === 'refused').length, won = rows.filter((r) => r.what === 'reclaimed').reduce((s, r) => s + r.n, 0);
  const note = rows.length === 0 ? 'No limit was set, reached or refused while recording. memory::set_budget() and Scope{.budget} set one.'
    : `${count(refused)} ${refused === 1 ? 'request was' : 'requests were'} refused; caches gave back ${bytes(won)}.`;
  return panel('Budget', note, table([
    { name: 'When', value: (r) => r.time, number: true, show: (r) => ms(r.time) },
    { name: 'What', value: (r) => r.what, show: (r) => h(`span.tag.${r.what}`, null, word[r.what]) },
    bytesColumn('Bytes', (r) => r.n), bytesColumn('Limit', (r) => r.limit, (v) => (v ? bytes(v) : '–')), bytesColumn('In use', (r) => r.used, (v) => (v ? bytes(v) : '–')),
    { name: 'Who', value: (r) => r.text, show: (r) => h('code', null, r.text) },
  ], rows, { caption: 'Budget events', limit: 200 }));
}
