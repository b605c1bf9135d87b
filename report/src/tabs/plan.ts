// A planned arena: what lies where, and when. Width is the instructions a block lives, height its bytes at its offset.
import type { Data, Plan } from '../data';
import { bytes, bytesColumn, choice, count, exact, h, panel, percent, table } from '../dom';
import { colorOf } from '../series';
import { splits } from './timeline';

interface Block { offset: number; bytes: number; first: number; last: number; name: string; color: string }
const css = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const left = 84, bottom = 26, top = 10, right = 12;

export class PlanView {
  readonly element: HTMLElement;
  private plan: Plan | undefined;
  private blocks: Block[] = [];
  private live: Float64Array = new Float64Array(0);
  private from = 0;
  private to = 1;
  private step = 0;
  private hover: Block | null = null;
  private readonly canvas = document.createElement('canvas');
  private readonly readout = h('div.readout', { 'aria-live': 'polite' });
  private readonly figures = h('div');
  private readonly list = h('div');

  constructor(private data: Data) {
    const plans = data.raw.plans;
    const c = this.canvas;
    c.tabIndex = 0;
    c.className = 'plan';
    c.setAttribute('role', 'application');
    c.setAttribute('aria-label', 'Arena: offset over instructions. Arrow keys move the instruction, plus and minus zoom, 0 shows all. The table below lists the same.');
    const button = (text: string, title: string, click: () => void) => h('button', { click, title }, text);
    this.element = panel('Plan', plans.length ? 'Every block of the arena of one traced call: from left to right the instructions it lives, upwards its place. The line is what is live at once; no placement in this order is smaller than its highest point.'
      : 'No plan was handed to this report. A traced Function has one: memory::write_report(path, {.plans = …}).',
      plans.length ? h('div.controls', null,
        plans.length > 1 ? choice('Plan', plans.map((p, i) => [String(i), p.name] as const), '0', (v) => { this.choose(Number(v)); this.draw(); }) : null,
        h('span.buttons', null, button('+', 'Zoom in (+)', () => this.zoom(0.5, this.step)), button('−', 'Zoom out (−)', () => this.zoom(2, this.step)),
          button('All', 'Show all (0)', () => this.all()), button('Fullest', 'Go to the fullest instruction (P)', () => this.fullest()))) : null,
      this.figures, plans.length ? c : null, this.readout, this.list);
    if (!plans.length) return;
    this.choose(0);
    c.addEventListener('wheel', (e) => { e.preventDefault(); this.zoom(e.deltaY > 0 ? 1.25 : 0.8, this.stepAt(e.offsetX)); }, { passive: false });
    let dragged = 0, at = 0;
    c.addEventListener('pointerdown', (e) => { c.setPointerCapture(e.pointerId); dragged = 0; at = e.offsetX; });
    c.addEventListener('pointermove', (e) => {
      if (e.buttons & 1) {
        const d = ((at - e.offsetX) / this.inner().w) * (this.to - this.from);
        dragged += Math.abs(e.offsetX - at);
        at = e.offsetX;
        this.window(this.from + d, this.to + d);
      } else {
        this.hover = this.blockAt(e.offsetX, e.offsetY);
        this.draw();
      }
    });
    c.addEventListener('pointerup', (e) => { if (dragged < 4) this.go(this.stepAt(e.offsetX)); });
    c.addEventListener('pointerleave', () => { this.hover = null; this.draw(); });
    c.addEventListener('keydown', (e) => {
      const n = e.shiftKey ? 10 : 1;
      const act: Record<string, () => void> = { ArrowLeft: () => this.go(this.step - n), ArrowRight: () => this.go(this.step + n), Home: () => this.go(0), End: () => this.go(this.plan!.steps.length - 1),
        '+': () => this.zoom(0.5, this.step), '=': () => this.zoom(0.5, this.step), '-': () => this.zoom(2, this.step), '0': () => this.all(), p: () => this.fullest(), P: () => this.fullest() };
      if (!act[e.key] || e.ctrlKey || e.metaKey || e.altKey) return;
      e.preventDefault();
      act[e.key]();
    });
  }

  private choose(i: number) {
    const p = (this.plan = this.data.raw.plans[i]);
    this.blocks = [];
    this.live = new Float64Array(p.steps.length + 1);
    for (let k = 0; k < p.blocks.length; k += 5) {
      const [offset, size, first, last, name] = p.blocks.slice(k, k + 5);
      const text = this.data.text(name);
      this.blocks.push({ offset, bytes: size, first, last, name: text, color: colorOf(this.data.layer(text.split(' ')[0])) });
      for (let s = first; s <= last && s < this.live.length; ++s) this.live[s] += Math.ceil(size / 64) * 64;
    }
    this.blocks.sort((a, b) => b.bytes - a.bytes);
    this.from = 0;
    this.to = p.steps.length;
    this.step = this.live.indexOf(Math.max(...this.live));
    const none = this.blocks.reduce((s, b) => s + b.bytes, 0);
    const figure = (id: string, name: string, n: number, note: string) => h('div.figure', { title: exact(n) }, h('dt', null, name), h('dd', { id, 'data-value': n }, bytes(n)), h('p', null, note));
    this.figures.replaceChildren(h('dl.figures', null,
      figure('p-arena', 'Arena', p.arena, 'one allocation a call'),
      figure('p-bound', 'Lower bound', p.bound, p.bound ? `the arena is ${(p.arena / p.bound).toFixed(4)} times it` : ''),
      figure('p-none', 'Without sharing', none, p.arena ? `${(none / p.arena).toFixed(1)} times the arena, in ${count(this.blocks.length)} blocks` : ''),
      figure('p-out', 'Outputs', p.outputs, 'buffers of their own'),
      figure('p-const', 'Constants', p.constants, 'kept with the trace')));
    this.tell();
  }

  private inner() { return { w: this.canvas.clientWidth - left - right, h: this.canvas.clientHeight - top - bottom }; }
  private stepAt(px: number) { return Math.floor(this.from + ((px - left) / this.inner().w) * (this.to - this.from)); }
  private blockAt(px: number, py: number): Block | null {
    const s = this.stepAt(px), y = ((top + this.inner().h - py) / this.inner().h) * this.high();
    return this.blocks.find((b) => b.first <= s && s <= b.last && b.offset <= y && y < b.offset + b.bytes) ?? null;
  }
  private high() { return Math.max(1, this.plan!.arena) * 1.04; }
  private window(from: number, to: number) {
    const all = this.plan!.steps.length, span = Math.min(all, Math.max(4, to - from));
    this.from = Math.max(0, Math.min(from, all - span));
    this.to = this.from + span;
    this.draw();
  }
  private zoom(factor: number, around: number) {
    const part = (around - this.from) / (this.to - this.from), span = (this.to - this.from) * factor;
    this.window(around - span * part, around + span * (1 - part));
  }
  private all() { this.window(0, this.plan!.steps.length); }
  private fullest() { this.go(this.live.indexOf(Math.max(...this.live))); }
  private go(step: number) {
    this.step = Math.max(0, Math.min(this.plan!.steps.length - 1, step));
    const span = this.to - this.from;
    if (this.step < this.from || this.step >= this.to) this.window(this.step - span / 2, this.step + span / 2);
    this.tell();
    this.draw();
  }

  private tell() {
    const p = this.plan!, at = this.blocks.filter((b) => b.first <= this.step && this.step <= b.last);
    this.readout.replaceChildren(h('p', null, h('strong', { id: 'p-live', 'data-value': this.live[this.step] }, bytes(this.live[this.step])),
      ` live at instruction ${count(this.step)} of ${count(p.steps.length)}: `, h('code', null, this.data.text(p.steps[this.step] ?? 0))));
    this.list.replaceChildren(table([
      { name: 'Block', value: (r) => r.name, show: (r) => h('span', null, h('span.swatch', { style: `background:${r.color}` }), h('code', null, r.name)) },
      bytesColumn('Bytes', (r) => r.bytes),
      { name: 'Share', value: (r) => r.bytes, number: true, show: (r) => percent(r.bytes, this.live[this.step]) },
      { name: 'Offset', value: (r) => r.offset, number: true, show: (r) => count(r.offset) },
      { name: 'From', value: (r) => r.first, number: true }, { name: 'To', value: (r) => r.last, number: true },
    ], at, { caption: `Blocks alive at instruction ${count(this.step)}`, sort: 1, limit: 15 }));
  }

  draw() {
    const p = this.plan, c = this.canvas;
    if (!p || !c.clientWidth) return;
    const ratio = devicePixelRatio, ctx = c.getContext('2d')!, { w, h: hh } = this.inner(), high = this.high();
    c.width = c.clientWidth * ratio;
    c.height = c.clientHeight * ratio;
    ctx.scale(ratio, ratio);
    const x = (s: number) => left + ((s - this.from) / (this.to - this.from)) * w, y = (n: number) => top + hh - (n / high) * hh;
    ctx.font = '12px system-ui, sans-serif';
    ctx.strokeStyle = css('--line');
    ctx.fillStyle = css('--ink-soft');
    ctx.textAlign = 'right';
    ctx.textBaseline = 'middle';
    for (const v of splits(0, high)) {
      ctx.fillText(bytes(v), left - 8, y(v));
      ctx.beginPath();
      ctx.moveTo(left, y(v));
      ctx.lineTo(left + w, y(v));
      ctx.stroke();
    }
    ctx.textAlign = 'center';
    ctx.textBaseline = 'top';
    const nice = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000], every = nice.find((n) => (w * n) / (this.to - this.from) > 64) ?? 10000;
    for (let s = Math.ceil(this.from / every) * every; s < this.to; s += every) ctx.fillText(count(s), x(s), top + hh + 8);
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, 0, w, top + hh);
    ctx.clip();
    const edge = css('--panel');
    for (const b of this.blocks) {
      if (b.last + 1 < this.from || b.first > this.to) continue;
      const x0 = x(b.first), x1 = x(b.last + 1), y0 = y(b.offset + b.bytes), y1 = y(b.offset);
      ctx.globalAlpha = this.hover && this.hover !== b ? 0.45 : 0.88;
      ctx.fillStyle = b.color;
      ctx.fillRect(x0, y0, Math.max(0.5, x1 - x0), Math.max(0.5, y1 - y0));
      if (y1 - y0 > 3 && x1 - x0 > 3) {
        ctx.globalAlpha = 1;
        ctx.strokeStyle = edge;
        ctx.lineWidth = 0.75;
        ctx.strokeRect(x0, y0, x1 - x0, y1 - y0);
      }
      if (y1 - y0 > 15 && x1 - x0 > 60) {
        ctx.globalAlpha = 1;
        ctx.fillStyle = '#fff';
        ctx.textAlign = 'left';
        ctx.textBaseline = 'middle';
        const text = `${b.name.split(' ')[0]}  ${bytes(b.bytes)}`, from = Math.max(x0, left) + 5, room = x1 - from - 4;
        if (room > 40) ctx.fillText(ctx.measureText(text).width <= room ? text : text.slice(0, Math.max(3, Math.floor((room / ctx.measureText(text).width) * text.length) - 1)) + '…', from, (y0 + y1) / 2);
      }
    }
    ctx.globalAlpha = 1;
    const ink = css('--ink');
    ctx.strokeStyle = ink;
    ctx.lineWidth = 1.5;
    ctx.beginPath();
    for (let s = Math.max(0, Math.floor(this.from)); s <= Math.min(p.steps.length - 1, Math.ceil(this.to)); ++s) {
      ctx.lineTo(x(s), y(this.live[s]));
      ctx.lineTo(x(s + 1), y(this.live[s]));
    }
    ctx.stroke();
    ctx.setLineDash([6, 4]);
    const mark = (n: number, text: string, above: boolean) => {
      ctx.beginPath();
      ctx.moveTo(left, y(n));
      ctx.lineTo(left + w, y(n));
      ctx.stroke();
      ctx.textAlign = 'right';
      ctx.textBaseline = above ? 'bottom' : 'top';
      const width = ctx.measureText(text).width;
      ctx.fillStyle = edge;
      ctx.globalAlpha = 0.85;
      ctx.fillRect(left + w - width - 10, above ? y(n) - 16 : y(n) + 2, width + 8, 14);
      ctx.globalAlpha = 1;
      ctx.fillStyle = ink;
      ctx.fillText(text, left + w - 6, above ? y(n) - 2 : y(n) + 3);
    };
    ctx.lineWidth = 1;
    mark(p.bound, `lower bound ${bytes(p.bound)}${p.arena === p.bound ? ' = arena' : ''}`, false);
    if (p.arena !== p.bound) mark(p.arena, `arena ${bytes(p.arena)}`, true);
    ctx.setLineDash([]);
    ctx.fillStyle = ink;
    ctx.globalAlpha = 0.16;
    ctx.fillRect(x(this.step), top, Math.max(1.5, x(this.step + 1) - x(this.step)), hh);
    ctx.globalAlpha = 1;
    ctx.restore();
    c.title = this.hover ? `${this.hover.name}\n${exact(this.hover.bytes)} at ${count(this.hover.offset)}, instructions ${this.hover.first} to ${this.hover.last}` : '';
  }
}
