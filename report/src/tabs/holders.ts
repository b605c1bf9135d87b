// Who keeps what alive: the dominator tree. What a line retains is what would be freed if nobody held it any more.
import type { Data } from '../data';
import { bar, bytes, count, exact, h, panel, percent } from '../dom';

export function holders(data: Data): HTMLElement {
  const o = data.raw.objects, n = o.parent.length;
  const children = new Map<number, number[]>();
  for (let i = 0; i < n; ++i) {
    const list = children.get(o.parent[i]);
    if (list) list.push(i);
    else children.set(o.parent[i], [i]);
  }
  for (const list of children.values()) list.sort((a, b) => o.retained[b] - o.retained[a]);
  const rest = new Map(o.rest.map((r) => [r[0], r]));
  const roots = children.get(-1) ?? [];
  const whole = roots.reduce((s, i) => s + o.retained[i], 0) + (rest.get(-1)?.[2] ?? 0);
  const open = new Set<number>();
  // The largest chain is open at first, as far as it holds most of what is above it.
  for (let at = roots[0], left = 5; at !== undefined && left-- > 0; at = (children.get(at) ?? [])[0]) open.add(at);

  let query = '', found: Set<number> | null = null, current = roots[0] ?? -1;
  const tree = h('div.tree', { role: 'tree', 'aria-label': 'Holders by retained bytes' });
  let rows: { i: number; depth: number }[] = [];

  const label = (i: number) => data.text(o.name[i]);
  const line = (i: number, depth: number, last: number): HTMLElement => {
    const kids = children.get(i)?.length ?? 0, more = rest.get(i)?.[1] ?? 0;
    return h('div.line', { role: 'treeitem', id: `o${i}`, 'aria-level': depth + 1, 'aria-expanded': kids ? (found ? 'true' : String(open.has(i))) : undefined, tabindex: i === current ? 0 : -1,
      'data-retained': o.retained[i],
      click: () => { current = i; toggle(i); } },
      h('span.name', { style: `padding-left:${depth * 1.15}rem` },
        h('span.twist', { 'aria-hidden': 'true' }, kids ? (found || open.has(i) ? '▾' : '▸') : '·'),
        depth && o.edge[i] >= 0 && data.text(o.edge[i]) ? h('span.edge', null, data.text(o.edge[i]), ' ') : null,
        h('span.kind', null, data.raw.kinds[o.kind[i]]), ' ', label(i),
        o.holders[i] > 1 ? h('span.shared', { title: 'References that hold it. The line above it is where all of them meet.' }, ` ×${count(o.holders[i])}`) : null,
        more && !kids ? h('span.faint', null, ` and ${count(more)} small ones`) : null),
      h('span.n', { title: exact(o.self[i]) }, o.self[i] ? bytes(o.self[i]) : '–'),
      h('span.n', { title: exact(o.retained[i]) }, bytes(o.retained[i])),
      h('span.share', null, bar(o.retained[i], last), h('span', null, percent(o.retained[i], whole))));
  };
  const draw = (focus = false) => {
    rows = [];
    const out: HTMLElement[] = [];
    const add = (list: number[], parent: number, depth: number) => {
      for (const i of list) {
        if (found && !found.has(i)) continue;
        rows.push({ i, depth });
        out.push(line(i, depth, whole));
        if (rows.length > 3000) return;
        if (open.has(i) || found) add(children.get(i) ?? [], i, depth + 1);
      }
      const r = rest.get(parent);
      if (r && !found) out.push(h('div.line.faint', null, h('span.name', { style: `padding-left:${depth * 1.15 + 1.2}rem` }, `${count(r[1])} smaller ones`), h('span.n', null, ''),
        h('span.n', { title: exact(r[2]) }, bytes(r[2])), h('span.share')));
    };
    add(roots, -1, 0);
    if (!out.length) out.push(h('p.none', null, found ? 'Nothing of that name.' : 'Nothing is alive.'));
    tree.replaceChildren(...out);
    if (focus) document.getElementById(`o${current}`)?.focus();
  };
  const toggle = (i: number) => {
    if (open.has(i)) open.delete(i);
    else open.add(i);
    draw(true);
  };
  tree.addEventListener('keydown', (e) => {
    const at = rows.findIndex((r) => r.i === current);
    if (at < 0) return;
    const kids = children.get(current) ?? [];
    const to = (i: number | undefined) => { if (i !== undefined) current = i, draw(true); };
    switch (e.key) {
      case 'ArrowDown': to(rows[at + 1]?.i); break;
      case 'ArrowUp': to(rows[at - 1]?.i); break;
      case 'ArrowRight': if (kids.length && !open.has(current)) toggle(current); else to(kids[0]); break;
      case 'ArrowLeft': if (open.has(current) && kids.length) toggle(current); else if (o.parent[current] >= 0) to(o.parent[current]); break;
      case 'Home': to(rows[0]?.i); break;
      case 'End': to(rows[rows.length - 1]?.i); break;
      case 'Enter': case ' ': toggle(current); break;
      default: return;
    }
    e.preventDefault();
  });
  const search = h('input', { type: 'search', placeholder: 'Find a holder by name', 'aria-label': 'Find a holder by name', input: () => {
    query = (search as HTMLInputElement).value.trim().toLowerCase();
    if (!query) found = null;
    else {
      found = new Set();
      for (let i = 0; i < n; ++i)
        if (label(i).toLowerCase().includes(query) || (o.edge[i] >= 0 && data.text(o.edge[i]).toLowerCase().includes(query)))
          for (let up = i; up >= 0 && !found.has(up); up = o.parent[up]) found.add(up);
    }
    draw();
  } });
  draw();
  return panel('Holders', 'Who keeps what alive. A line stands under the one object without which it would be freed; what it retains would be freed with it. ×2 says that several references lead to it, which meet in the line above.',
    h('div.controls', null, search, h('span.note', null, `${count(n)} of ${count(o.of)} live objects are listed; together they and the small ones retain ${bytes(whole)}.`)),
    h('div.scroll', null, h('div.line.head', { 'aria-hidden': 'true' }, h('span.name', null, 'Held'), h('span.n', null, 'Itself'), h('span.n', null, 'Retains'), h('span.share', null, 'Share')), tree));
}
