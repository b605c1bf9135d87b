// What was live at one moment: by path as a picture whose widths are bytes, by layer and category, and buffer by buffer.
import type { Data } from '../data';
import { bar, bytes, bytesColumn, count, countColumn, exact, h, ms, panel, percent, swatch, table } from '../dom';
import { categoryColors, colorOf } from '../series';

interface Node {
  name: string;
  path: string;
  bytes: number;
  buffers: number;
  children: Map<string, Node>;
}
const make = (name: string, path: string): Node => ({ name, path, bytes: 0, buffers: 0, children: new Map() });

export class Peak {
  readonly element: HTMLElement;
  private moment: number;
  private focus = '/';
  private readonly body = h('div');
  private readonly title = h('p.note', { id: 'peak-moment' });
  private readonly slider: HTMLInputElement;

  constructor(private data: Data) {
    this.moment = data.peakAt;
    this.slider = h('input', { type: 'range', min: 0, max: data.count, step: 1, value: this.moment, 'aria-label': 'Moment: number of events before it',
      input: () => this.show(Number(this.slider.value)) }) as HTMLInputElement;
    this.element = panel('Live at one moment', null, this.title,
      h('div.controls', null, this.slider, h('span.buttons', null,
        h('button', { click: () => this.show(0) }, 'Start'), h('button', { click: () => this.show(data.peakAt) }, 'Peak'),
        h('button', { click: () => this.show(data.count) }, 'End'))),
      this.body);
  }

  show(moment: number) {
    this.moment = moment;
    this.focus = '/';
    this.draw();
  }

  draw() {
    const { data, moment } = this;
    this.slider.value = String(moment);
    this.slider.setAttribute('aria-valuetext', `${ms(data.at(moment))}, ${bytes(data.total[moment])}`);
    const live = data.liveAt(moment);
    this.title.replaceChildren(h('strong', { id: 'peak-total', 'data-value': data.total[moment] }, bytes(data.total[moment])),
      ` in ${count(live.size)} buffers ${moment === data.peakAt ? 'at the peak of the recording' : 'live'}, ${ms(data.at(moment))} after its start (event ${count(moment)} of ${count(data.count)}).`);
    const root = make('all', '/');
    const cells = new Map<string, { layer: string; category: number; bytes: number; buffers: number }>();
    const add = (path: string, layer: string, category: number, n: number, buffers: number) => {
      let at = root;
      at.bytes += n, at.buffers += buffers;
      for (const part of path.split('/').filter(Boolean)) {
        let next = at.children.get(part);
        if (!next) at.children.set(part, (next = make(part, `${at.path === '/' ? '' : at.path}/${part}`)));
        at = next;
        at.bytes += n, at.buffers += buffers;
      }
      const key = `${category} ${layer}`;
      const cell = cells.get(key) ?? { layer, category, bytes: 0, buffers: 0 };
      cell.bytes += n, cell.buffers += buffers;
      cells.set(key, cell);
    };
    const buffers: { id: number; stamp: number }[] = [];
    for (const [id, stamp] of live) {
      add(data.pathOf(stamp), data.layerOf(stamp), data.categoryOf(stamp), data.bytesOf(stamp), 1);
      buffers.push({ id, stamp });
    }
    for (let i = 0; i < data.startRest.length; i += 4) {
      const [name, category, n, k] = data.startRest.slice(i, i + 4);
      add(data.text(name), '(small buffers)', category, n, k);
    }
    const picture = h('div.icicle', { role: 'tree', 'aria-label': 'Live bytes by account path; width is bytes' });
    const drawPicture = () => {
      let at = root;
      const trail: Node[] = [root];
      for (const part of this.focus.split('/').filter(Boolean)) {
        at = at.children.get(part) ?? at;
        trail.push(at);
      }
      picture.replaceChildren(...icicle(at, trail, root.bytes, (path) => { this.focus = path; drawPicture(); (picture.querySelector('button.here') as HTMLElement | null)?.focus(); }));
    };
    drawPicture();
    const categories = data.raw.categories;
    this.body.replaceChildren(picture, h('div.columns', null,
      table([
        { name: 'Layer', value: (r) => r.layer },
        { name: 'Category', value: (r) => categories[r.category], show: (r) => h('span', null, swatch(categoryColors[r.category % 8]), categories[r.category]) },
        bytesColumn('Bytes', (r) => r.bytes),
        { name: '', value: (r) => r.bytes, show: (r) => bar(r.bytes, root.bytes, categoryColors[r.category % 8]) },
        { name: 'Share', value: (r) => r.bytes, number: true, show: (r) => percent(r.bytes, root.bytes) },
        countColumn('Buffers', (r) => r.buffers),
      ], [...cells.values()], { caption: 'By layer and category', sort: 2, limit: 20 }),
      table([
        { name: 'Born as', value: (r) => r.id, number: true, show: (r) => count(r.id) },
        { name: 'Account', value: (r) => data.pathOf(r.stamp), show: (r) => h('code', null, data.pathOf(r.stamp)) },
        { name: 'Category', value: (r) => categories[data.categoryOf(r.stamp)] },
        bytesColumn('Bytes', (r) => data.bytesOf(r.stamp)),
      ], buffers, { caption: 'Largest buffers', sort: 3, limit: 20 })));
  }
}

/** Rows of boxes: the focused path above, its parts below it, five deep. */
function icicle(at: Node, trail: Node[], whole: number, focus: (path: string) => void): HTMLElement[] {
  const rows: HTMLElement[] = trail.map((n, i) => h('div.row', null, h(n === at ? 'button.box.here' : 'button.box.up', {
    style: 'left:0;width:100%', title: `${n.path}: ${exact(n.bytes)}`, click: () => focus(i && n === at ? trail[i - 1].path : n.path) },
    `${n === at && i ? '↑ ' : ''}${n.path === '/' ? 'all accounts' : n.name}  ${bytes(n.bytes)} · ${percent(n.bytes, whole)}`)));
  let level: { n: Node; left: number }[] = [{ n: at, left: 0 }];
  for (let depth = 0; depth < 6 && level.length; ++depth) {
    const row = h('div.row'), next: typeof level = [];
    for (const { n, left } of level) {
      let x = left;
      for (const c of [...n.children.values()].sort((a, b) => b.bytes - a.bytes)) {
        const width = (100 * c.bytes) / at.bytes;
        if (width >= 0.25) {
          row.append(h('button.box', { style: `left:${x.toFixed(3)}%;width:${width.toFixed(3)}%;--c:${colorOf(c.name)}`, tabindex: width > 2 ? 0 : -1,
            title: `${c.path}: ${exact(c.bytes)} in ${count(c.buffers)} buffers`, click: () => focus(c.path) }, width > 3 ? h('span', null, c.name, h('small', null, ` ${bytes(c.bytes)}`)) : ''));
          next.push({ n: c, left: x });
        }
        x += width;
      }
    }
    if (row.childElementCount) rows.push(row);
    level = next;
  }
  return rows;
}
