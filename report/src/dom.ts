// Small helpers: elements, figures as text, tables that sort.

type Child = Node | string | number | null | undefined | false;
type Attrs = Record<string, string | number | boolean | ((e: never) => void) | undefined>;

/** h('div.row', { title }, child, …): an element. Functions become listeners, true sets an empty attribute, false leaves it out. */
export function h(tag: string, attrs: Attrs | null = null, ...children: (Child | Child[])[]): HTMLElement {
  const [name, ...classes] = tag.split('.');
  const e = document.createElement(name || 'div');
  if (classes.length) e.className = classes.join(' ');
  for (const [k, v] of Object.entries(attrs ?? {})) {
    if (v === undefined || v === false) continue;
    if (typeof v === 'function') e.addEventListener(k, v as unknown as EventListener);
    else e.setAttribute(k, v === true ? '' : String(v));
  }
  for (const c of children.flat()) if (c !== null && c !== undefined && c !== false) e.append(typeof c === 'number' ? String(c) : c);
  return e;
}

export const count = (n: number) => Math.round(n).toLocaleString('en-US');

/** 1,234 B as "1.21 KiB": three digits that matter. */
export function bytes(n: number): string {
  const sign = n < 0 ? '−' : '';
  let v = Math.abs(n), unit = 0;
  while (v >= 1024 && unit < 4) v /= 1024, ++unit;
  const digits = unit === 0 || v >= 100 ? 0 : v >= 10 ? 1 : 2;
  return `${sign}${v.toFixed(digits)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][unit]}`;
}
export const signed = (n: number) => (n > 0 ? '+' : '') + bytes(n);
export const exact = (n: number) => `${count(n)} bytes`;
export const ms = (v: number) => (v >= 1000 ? `${(v / 1000).toFixed(2)} s` : v >= 10 ? `${v.toFixed(1)} ms` : v >= 1 ? `${v.toFixed(2)} ms` : `${(v * 1000).toFixed(1)} µs`);
export const percent = (part: number, whole: number) => (whole ? `${((100 * part) / whole).toFixed(part * 1000 < whole ? 2 : 1)} %` : '–');

export interface Column<R> {
  name: string;
  value: (r: R) => number | string;
  show?: (r: R) => Node | string;
  title?: (r: R) => string;
  number?: boolean;
}
// The rows' type cannot be inferred through a call inside the list of columns: `any` stands for it.
export const bytesColumn = (name: string, value: (r: any) => number, show: (n: number) => string = bytes): Column<any> => ({
  name, value, number: true, show: (r) => show(value(r)), title: (r) => exact(value(r)),
});
export const countColumn = (name: string, value: (r: any) => number): Column<any> => ({ name, value, number: true, show: (r) => count(value(r)) });

export interface TableOptions<R> {
  caption: string;
  sort?: number;        // column, descending
  limit?: number;       // rows shown until asked for more
  key?: (r: R) => string;
  pick?: (r: R) => void;
}

/** A table: a click or Enter on a head sorts, "show more" adds rows. */
export function table<R>(columns: Column<R>[], rows: R[], options: TableOptions<R>): HTMLElement {
  let by = options.sort ?? -1, down = true, shown = options.limit ?? 25;
  const step = shown;
  const body = h('tbody'), more = h('button.more', { click: () => { shown += step * 4; draw(); } });
  const heads = columns.map((c, i) =>
    h(c.number ? 'th.n' : 'th', { scope: 'col' }, h('button.sort', { click: () => {
      if (by === i) down = !down;
      else by = i, down = !!c.number;
      draw();
    } }, c.name)));
  const draw = () => {
    heads.forEach((e, i) => e.setAttribute('aria-sort', i !== by ? 'none' : down ? 'descending' : 'ascending'));
    const sorted = by < 0 ? rows : [...rows].sort((a, b) => {
      const x = columns[by].value(a), y = columns[by].value(b);
      const d = typeof x === 'number' && typeof y === 'number' ? x - y : String(x).localeCompare(String(y), 'en', { numeric: true });
      return down ? -d : d;
    });
    body.replaceChildren(...sorted.slice(0, shown).map((r) => {
      const row = h('tr', { 'data-key': options.key?.(r) }, columns.map((c) =>
        h(c.number ? 'td.n' : 'td', { title: c.title?.(r), 'data-value': c.number ? c.value(r) : undefined }, c.show ? c.show(r) : String(c.value(r)))));
      if (options.pick) {
        row.tabIndex = 0;
        row.classList.add('pick');
        row.addEventListener('click', () => options.pick!(r));
        row.addEventListener('keydown', (e) => { if (e.key === 'Enter') options.pick!(r); });
      }
      return row;
    }));
    more.textContent = `Show more (${count(Math.max(0, rows.length - shown))} hidden)`;
    more.hidden = rows.length <= shown;
  };
  draw();
  const wrap = h('div.table', null, h('table', null, h('caption', null, options.caption), h('thead', null, h('tr', null, heads)), body), more);
  if (rows.length === 0) wrap.append(h('p.none', null, 'None.'));
  return wrap;
}

/** A proportion as a bar behind a figure. */
export const bar = (part: number, whole: number, color = 'var(--accent)') =>
  h('span.bar', { 'aria-hidden': 'true' }, h('span', { style: `width:${whole > 0 ? Math.max(0.4, (100 * part) / whole).toFixed(2) : 0}%;background:${color}` }));

export const swatch = (color: string) => h('span.swatch', { style: `background:${color}`, 'aria-hidden': 'true' });

export function panel(title: string, note: string | null, ...children: (Child | Child[])[]): HTMLElement {
  return h('section.panel', null, h('h2', null, title), note ? h('p.note', null, note) : null, ...children);
}

/** A choice of a few: radio buttons that look like one row of buttons. */
export function choice<T extends string>(label: string, values: readonly (readonly [T, string])[], now: T, set: (v: T) => void): HTMLElement {
  const name = `c${Math.random().toString(36).slice(2)}`;
  return h('fieldset.choice', null, h('legend', null, label), values.map(([v, text]) => {
    const input = h('input', { type: 'radio', name, value: v, checked: v === now, change: () => set(v) });
    return h('label', null, input, h('span', null, text));
  }));
}
