// Live bytes over time, stacked by category, layer or account. Drag or wheel to zoom; the arrow keys walk from event to event.
import uPlot from 'uplot';
import type { Data } from '../data';
import { bar, bytes, bytesColumn, choice, count, h, ms, panel, swatch, table } from '../dom';
import { group, groupsAt, sample, type By, type Grouping, type Sampled } from '../series';

type Axis = 'time' | 'events';
const height = () => Math.max(280, Math.min(460, window.innerHeight - 330));
const css = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export class Timeline {
  readonly element: HTMLElement;
  private g: Grouping;
  private axis: Axis = 'time';
  private from = 0;
  private to: number;
  private moment: number;
  private plot: uPlot | null = null;
  private sampled: Sampled = { moments: [], groups: [] };
  private readonly box = h('div.chart', { tabindex: 0, role: 'application', 'aria-label':
    'Live bytes over time. Arrow keys move the moment, plus and minus zoom, 0 shows all, P goes to the peak.' });
  private readonly map = document.createElement('canvas');
  private readonly readout = h('div.readout', { 'aria-live': 'polite' });
  private readonly groups = h('div');

  constructor(private data: Data, private pinned: (moment: number) => void) {
    this.g = group(data, 'category');
    this.to = data.count;
    this.moment = data.peakAt;
    this.map.className = 'minimap';
    this.map.setAttribute('aria-hidden', 'true');
    const button = (text: string, title: string, click: () => void) => h('button', { click, title }, text);
    this.element = panel('Timeline', data.raw.events.lost
      ? `The recording kept the last ${count(data.count)} events; ${count(data.raw.events.lost)} older ones are not here.` : null,
      h('div.controls', null,
        choice('Stack by', [['category', 'category'], ['block', 'block'], ['layer', 'layer'], ['account', 'account']] as const, 'category', (by: By) => { this.g = group(data, by); this.draw(); }),
        choice('Along', [['time', 'time'], ['events', 'events']] as const, 'time', (a: Axis) => { this.axis = a; this.draw(); }),
        h('span.buttons', null, button('+', 'Zoom in (+)', () => this.zoom(0.5)), button('−', 'Zoom out (−)', () => this.zoom(2)),
          button('All', 'Show all (0)', () => this.show(0, data.count)), button('Peak', 'Go to the peak (P)', () => this.goto(data.peakAt)),
          button('What lived here', 'List what was live at this moment (Enter)', () => this.pinned(this.moment)))),
      this.box, this.map, this.readout, this.groups);
    this.box.addEventListener('keydown', (e) => this.key(e));
    this.box.addEventListener('wheel', (e) => {
      e.preventDefault();
      const r = this.plot?.over.getBoundingClientRect();
      if (r) this.zoom(e.deltaY > 0 ? 1.25 : 0.8, this.momentAt(this.plot!.posToVal(e.clientX - r.left, 'x')));
    }, { passive: false });
    const seek = (e: PointerEvent) => {
      if (e.type !== 'pointerdown' && !(e.buttons & 1)) return;
      const r = this.map.getBoundingClientRect(), half = (this.to - this.from) / 2;
      const mid = this.momentAt(this.x(0) + ((e.clientX - r.left) / r.width) * (this.x(data.count) - this.x(0)));
      const from = Math.max(0, Math.min(data.count - 2 * half, mid - half));
      this.show(Math.round(from), Math.round(from + 2 * half));
    };
    this.map.addEventListener('pointerdown', seek);
    this.map.addEventListener('pointermove', seek);
  }

  /** A moment is an index into the totals; x is its place on the axis. */
  private x(moment: number) { return this.axis === 'time' ? this.data.at(moment) : moment; }
  private momentAt(x: number): number {
    let low = 0, high = this.data.count;
    while (low < high) {
      const mid = (low + high + 1) >> 1;
      if (this.x(mid) <= x) low = mid;
      else high = mid - 1;
    }
    return low;
  }

  private show(from: number, to: number) {
    this.from = Math.max(0, Math.min(from, this.data.count - 2));
    this.to = Math.min(this.data.count, Math.max(to, this.from + 2));
    this.draw();
  }
  private zoom(factor: number, around = this.moment) {
    const span = Math.max(4, (this.to - this.from) * factor), mid = Math.max(this.from, Math.min(this.to, around));
    const left = (mid - this.from) / Math.max(1, this.to - this.from);
    this.show(Math.round(mid - span * left), Math.round(mid + span * (1 - left)));
  }
  goto(moment: number) {
    this.moment = Math.max(0, Math.min(this.data.count, moment));
    const span = this.to - this.from;
    if (this.moment < this.from || this.moment > this.to) this.show(Math.round(this.moment - span / 2), Math.round(this.moment + span / 2));
    else this.tell();
  }
  private key(e: KeyboardEvent) {
    const step = e.shiftKey ? Math.max(1, Math.round((this.to - this.from) / 20)) : 1;
    const act: Record<string, () => void> = {
      ArrowLeft: () => this.goto(this.moment - step), ArrowRight: () => this.goto(this.moment + step), Home: () => this.goto(0), End: () => this.goto(this.data.count),
      '+': () => this.zoom(0.5), '=': () => this.zoom(0.5), '-': () => this.zoom(2), '0': () => this.show(0, this.data.count), p: () => this.goto(this.data.peakAt),
      P: () => this.goto(this.data.peakAt), Enter: () => this.pinned(this.moment),
    };
    if (!act[e.key] || e.ctrlKey || e.metaKey || e.altKey) return;
    e.preventDefault();
    act[e.key]();
  }

  draw() {
    this.plot?.destroy();
    this.plot = null;
    const width = this.box.clientWidth;
    if (!width || !this.data.count) {
      if (!this.data.count) this.box.replaceChildren(h('p.none', null, 'Nothing was recorded: memory::record(true) starts recording.'));
      return;
    }
    this.sampled = sample(this.data, this.g, this.from, this.to, width, (m) => this.x(m));
    const { moments, groups } = this.sampled;
    const xs = moments.map((m) => this.x(m));
    // The highest of a stack is drawn first, what lies below it over it.
    const order = this.g.order;
    const stacked: Float64Array[] = [];
    let below = new Float64Array(moments.length);
    for (const k of order) {
      const sum = new Float64Array(moments.length);
      for (let i = 0; i < sum.length; ++i) sum[i] = below[i] + groups[k][i];
      stacked.push(sum);
      below = sum;
    }
    const ink = css('--ink-soft'), grid = css('--line');
    const axis = { stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 }, font: '12px system-ui, sans-serif' };
    const top = Math.max(1, ...moments.map((m) => this.data.total[m]));
    this.plot = new uPlot({
      width, height: height(), legend: { show: false }, padding: [14, 12, 0, 0],
      cursor: { points: { show: false }, y: false, drag: { x: true, y: false, setScale: false } },
      scales: { x: { time: false, range: [xs[0], Math.max(xs[xs.length - 1], xs[0] + 1e-6)] }, y: { range: [0, top * 1.06] } },
      axes: [
        { ...axis, values: (_u, v) => v.map((t) => (this.axis === 'events' ? count(t) : t === 0 ? '0' : ms(t))) },
        { ...axis, size: 78, values: (_u, v) => v.map(bytes), splits: (_u, _i, low, high) => splits(low, high) },
      ],
      series: [{}, ...order.slice().reverse().map((k) => ({
        fill: this.g.colors[k], stroke: this.g.colors[k], width: 0, points: { show: false }, paths: uPlot.paths.stepped!({ align: 1 }),
      }))],
      hooks: {
        draw: [(u) => this.overlay(u)],
        setSelect: [(u) => {
          if (u.select.width < 4) return;
          const from = this.momentAt(u.posToVal(u.select.left, 'x')), to = this.momentAt(u.posToVal(u.select.left + u.select.width, 'x'));
          if (to - from >= 2) queueMicrotask(() => this.show(from, to));
        }],
        setCursor: [(u) => {
          if (u.cursor.left === undefined || u.cursor.left < 0 || u.cursor.event === undefined) return;
          this.moment = Math.min(this.to, this.momentAt(u.posToVal(u.cursor.left, 'x')));
          this.tell();
        }],
      },
    }, [xs, ...stacked.reverse()] as unknown as uPlot.AlignedData, this.box);
    this.plot.over.addEventListener('dblclick', () => this.show(0, this.data.count));
    this.drawMap();
    this.tell();
    const now = this.sampled.groups.map((v) => Math.max(0, ...v));
    this.groups.replaceChildren(table([
      { name: this.g.by[0].toUpperCase() + this.g.by.slice(1), value: (r) => r.name, show: (r) => h('span', null, swatch(r.color), r.name) },
      bytesColumn('Most in view', (r) => r.most),
      { name: '', value: (r) => r.most, show: (r) => bar(r.most, top, r.color) },
      bytesColumn('At the peak', (r) => r.peak), bytesColumn('At the end', (r) => r.end),
    ], (() => {
      const peak = groupsAt(this.data, this.g, this.data.peakAt), end = groupsAt(this.data, this.g, this.data.count);
      return this.g.names.map((name, i) => ({ name, color: this.g.colors[i], most: now[i], peak: peak[i], end: end[i] })).filter((r) => r.most || r.peak || r.end);
    })(), { caption: 'The same in figures', sort: 1, key: (r) => r.name }));
  }

  private overlay(u: uPlot) {
    const { ctx, bbox } = u, ratio = devicePixelRatio;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top - 14 * ratio, bbox.width, bbox.height + 14 * ratio);
    ctx.clip();
    ctx.font = `${11 * ratio}px system-ui, sans-serif`;
    ctx.lineWidth = ratio;
    ctx.textAlign = 'left';
    ctx.textBaseline = 'alphabetic';
    const ink = css('--ink'), line = (x: number, color: string, dash: number[]) => {
      ctx.strokeStyle = color;
      ctx.setLineDash(dash.map((d) => d * ratio));
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    };
    let free = -Infinity;
    for (const [time, before, text] of this.data.raw.marks) {
      const x = u.valToPos(this.axis === 'time' ? time / 1e6 : before, 'x', true);
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      line(x, css('--ink-faint'), [2, 3]);
      if (x < free) continue;
      ctx.fillStyle = css('--ink-soft');
      ctx.fillText(text, x + 4 * ratio, bbox.top - 4 * ratio);
      free = x + ctx.measureText(text).width + 14 * ratio;
    }
    for (const [time, what] of this.data.raw.budget) {
      const x = u.valToPos(this.axis === 'time' ? time / 1e6 : this.momentAtTime(time), 'x', true);
      ctx.fillStyle = what === 'refused' ? css('--bad') : css('--ink');
      ctx.beginPath();
      ctx.moveTo(x - 5 * ratio, bbox.top);
      ctx.lineTo(x + 5 * ratio, bbox.top);
      ctx.lineTo(x, bbox.top + 8 * ratio);
      ctx.fill();
    }
    const px = u.valToPos(this.x(this.data.peakAt), 'x', true), py = u.valToPos(this.data.total[this.data.peakAt], 'y', true);
    if (px >= bbox.left && px <= bbox.left + bbox.width) {
      ctx.setLineDash([]);
      ctx.fillStyle = ink;
      ctx.beginPath();
      ctx.arc(px, py, 3.5 * ratio, 0, 7);
      ctx.fill();
      const text = `peak ${bytes(this.data.total[this.data.peakAt])}`, w = ctx.measureText(text).width;
      ctx.fillText(text, px + w + 10 * ratio > bbox.left + bbox.width ? px - w - 7 * ratio : px + 7 * ratio, py - 5 * ratio);
    }
    const mx = u.valToPos(this.x(this.moment), 'x', true);
    if (mx >= bbox.left && mx <= bbox.left + bbox.width) line(mx, ink, []);
    ctx.restore();
  }
  private momentAtTime(ns: number) {
    let m = 0;
    while (m < this.data.count && this.data.time[m] <= ns) ++m;
    return m;
  }

  private tell() {
    const m = this.moment, live = groupsAt(this.data, this.g, m);
    const parts = this.g.names.map((name, i) => ({ name, i, n: live[i] })).filter((p) => p.n).sort((a, b) => b.n - a.n).slice(0, 8);
    const e = m > 0 ? m - 1 : -1;
    const what = e < 0 ? 'before the first event'
      : `${this.data.freed[e] ? 'released' : 'allocated'} ${bytes(this.data.bytesOf(this.data.stamp[e]))} · ${this.data.raw.categories[this.data.categoryOf(this.data.stamp[e])]} · ${this.data.pathOf(this.data.stamp[e])}`;
    this.readout.replaceChildren(
      h('p', null, h('strong', { id: 't-total', 'data-value': this.data.total[m] }, bytes(this.data.total[m])), ` at ${ms(this.data.at(m))}, event ${count(m)} of ${count(this.data.count)}: ${what}`),
      h('p.parts', null, parts.map((p) => h('span', null, swatch(this.g.colors[p.i]), `${p.name} ${bytes(p.n)}`))));
    this.plot?.redraw(false);
  }

  private drawMap() {
    const c = this.map, ratio = devicePixelRatio, w = (c.width = c.clientWidth * ratio), hh = (c.height = 36 * ratio), ctx = c.getContext('2d')!;
    const x0 = this.x(0), x1 = this.x(this.data.count), top = this.data.total[this.data.peakAt] || 1;
    const px = (m: number) => ((this.x(m) - x0) / (x1 - x0 || 1)) * w;
    ctx.fillStyle = css('--ink-faint');
    ctx.beginPath();
    ctx.moveTo(0, hh);
    let last = -1, high = 0;
    for (let m = 0; m <= this.data.count; ++m) {
      const x = Math.floor(px(m));
      if (x !== last) {
        if (last >= 0) ctx.lineTo(last, hh - (high / top) * hh), ctx.lineTo(x, hh - (high / top) * hh);
        last = x;
        high = 0;
      }
      high = Math.max(high, this.data.total[m]);
    }
    ctx.lineTo(w, hh - (high / top) * hh);
    ctx.lineTo(w, hh);
    ctx.fill();
    ctx.fillStyle = css('--accent');
    ctx.globalAlpha = 0.22;
    ctx.fillRect(px(this.from), 0, Math.max(2 * ratio, px(this.to) - px(this.from)), hh);
    ctx.globalAlpha = 1;
  }
}

/** Round steps in powers of two, so that axes read 256 MiB, 512 MiB. */
export function splits(low: number, high: number): number[] {
  let step = 2 ** Math.floor(Math.log2(Math.max(1, (high - low) / 4)));
  if ((high - low) / step > 7) step *= 2;
  const out = [];
  for (let v = Math.ceil(low / step) * step; v <= high; v += step) out.push(v);
  return out;
}
