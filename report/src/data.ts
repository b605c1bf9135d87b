// What the library wrote into the page, read into flat arrays. The format is described in report/README.md.

export interface Plan {
  name: string;
  arena: number;
  bound: number;
  outputs: number;
  constants: number;
  steps: number[];
  blocks: number[];
}
export interface Leak {
  what: string;
  per_call: number;
  bytes_per_call: number;
  calls: number;
  holders: string[];
  cards?: string[];
}
export interface Raw {
  tenure: number;
  title: string;
  made: string;
  strings: string[];
  categories: string[];
  kinds: string[];
  counts: Record<string, number> & { by_kind: number[] };
  balance: [string, number, string][];
  rss: number;
  verdict: { state: 'clean' | 'leak' | 'inconclusive' | 'unjudged'; text: string; audit: { objects: number; edges: number; problems: string[] } };
  accounts: number[];
  ledger_peak: { bytes: number; rows: number[] };
  stamps: number[];
  events: { count: number; lost: number; duration: number; data: string };
  live: { count: number; data: string; rest: number[] };
  marks: [number, number, string][];
  budget: [number, 'refused' | 'reclaimed' | 'limit', number, number, number, string][];
  objects: {
    of: number;
    parent: number[];
    kind: number[];
    name: number[];
    edge: number[];
    self: number[];
    retained: number[];
    holders: number[];
    rest: [number, number, number][];
  };
  leaks: Leak[];
  diff: null | { before: { bytes: number; buffers: number }; after: { bytes: number; buffers: number }; rows: number[] };
  plans: Plan[];
}

/** Unsigned LEB128 numbers in base64. Numbers may exceed 32 bits, so no shifts. */
function* numbers(text: string): Generator<number> {
  const bytes = atob(text);
  let value = 0, scale = 1;
  for (let i = 0; i < bytes.length; ++i) {
    const b = bytes.charCodeAt(i);
    value += (b & 127) * scale;
    if (b & 128) scale *= 128;
    else {
      yield value;
      value = 0;
      scale = 1;
    }
  }
}
const unzigzag = (n: number) => (n % 2 ? -(n + 1) / 2 : n / 2);

export class Data {
  readonly raw: Raw;
  readonly count: number;
  readonly time: Float64Array;    // ns
  readonly stamp: Uint32Array;
  readonly freed: Uint8Array;
  readonly id: Float64Array;
  /** Live bytes after each event; total[0] is before the first: index i + 1 belongs to event i. */
  readonly total: Float64Array;
  /** Buffers alive before the first event: birth number to stamp. */
  readonly start = new Map<number, number>();
  readonly startRest: number[];   // as live.rest
  readonly peakAt: number;        // index into total
  readonly layer: (path: string) => string;
  private readonly layers: string[];
  private readonly paths: string[];

  constructor(raw: Raw) {
    this.raw = raw;
    const n = (this.count = raw.events.count);
    this.time = new Float64Array(n);
    this.stamp = new Uint32Array(n);
    this.freed = new Uint8Array(n);
    this.id = new Float64Array(n);
    const it = numbers(raw.events.data);
    const next = () => it.next().value as number;
    for (let i = 0, t = 0, id = 0; i < n; ++i) {
      this.time[i] = t += next();
      const code = next();
      this.stamp[i] = Math.floor(code / 2);
      this.freed[i] = code % 2;
      this.id[i] = id += unzigzag(next());
    }
    const live = numbers(raw.live.data);
    for (let i = 0, id = 0; i < raw.live.count; ++i) {
      id += live.next().value as number;
      this.start.set(id, live.next().value as number);
    }
    // Backwards from the end: what was allocated was not there, what was released was.
    for (let i = n - 1; i >= 0; --i) {
      if (this.freed[i]) this.start.set(this.id[i], this.stamp[i]);
      else this.start.delete(this.id[i]);
    }
    this.startRest = raw.live.rest;
    this.total = new Float64Array(n + 1);
    let bytes = 0;
    for (const s of this.start.values()) bytes += this.bytesOf(s);
    for (let i = 0; i < this.startRest.length; i += 4) bytes += this.startRest[i + 2];
    this.total[0] = bytes;
    let peak = 0;
    for (let i = 0; i < n; ++i) {
      bytes += this.freed[i] ? -this.bytesOf(this.stamp[i]) : this.bytesOf(this.stamp[i]);
      this.total[i + 1] = bytes;
      if (bytes > this.total[peak]) peak = i + 1;
    }
    this.peakAt = peak;
    this.paths = [];
    this.layers = [];
    const accounts = Array.from({ length: this.stamps }, (_, s) => this.pathOf(s));
    for (const p of raw.plans) for (let i = 4; i < p.blocks.length; i += 5) accounts.push(this.text(p.blocks[i]).split(' ')[0]);
    this.layer = layersOf(accounts);
  }

  text(name: number) { return this.raw.strings[name]; }
  get stamps() { return this.raw.stamps.length / 3; }
  pathOf(stamp: number) { return (this.paths[stamp] ??= this.text(this.raw.stamps[stamp * 3])); }
  categoryOf(stamp: number) { return this.raw.stamps[stamp * 3 + 1]; }
  bytesOf(stamp: number) { return this.raw.stamps[stamp * 3 + 2]; }
  layerOf(stamp: number) { return (this.layers[stamp] ??= this.layer(this.pathOf(stamp))); }
  /** Milliseconds at a moment: moment 0 is before the first event, moment i after event i - 1. */
  at(moment: number) { return moment === 0 ? 0 : this.time[moment - 1] / 1e6; }

  /** The buffers alive at a moment: birth number to stamp. */
  liveAt(moment: number): Map<number, number> {
    const live = new Map(this.start);
    for (let i = 0; i < moment; ++i) {
      if (this.freed[i]) live.delete(this.id[i]);
      else live.set(this.id[i], this.stamp[i]);
    }
    return live;
  }
}

/**
 * The layer of an account: "/fit/step/conv1/conv2d" is of "conv1", the part before the op. Gradients stand under the op ("conv1/conv2d/backward/conv2d_grad") or under the
 * layer ("conv1/backward/conv2d_grad"); which of the two, the forward paths tell.
 */
export function layersOf(paths: Iterable<string>): (path: string) => string {
  const before = (path: string) => path.split('/backward/')[0].split('/').filter(Boolean);
  const known = new Set<string>();
  for (const path of paths) {
    const parts = before(path);
    if (!path.includes('/backward/') && parts.length > 1) known.add(parts[parts.length - 2]);
  }
  return (path) => {
    const parts = before(path), last = parts[parts.length - 1] ?? '(root)';
    if (parts.length < 2 || (path.includes('/backward/') && known.has(last))) return last;
    return parts[parts.length - 2];
  };
}

export function load(): Data | string {
  const element = document.getElementById('tenure-data');
  let raw: Raw | null = null;
  try {
    raw = JSON.parse(element?.textContent ?? 'null') as Raw | null;
  } catch (e) {
    return `The data in this page cannot be read: ${(e as Error).message}. The file may have been cut short.`;
  }
  if (!raw) return 'This is the page without data. memory::write_report() and "tenure mem report" write it with the data of a run.';
  if (raw.tenure !== 1) return `This page reads version 1 of the data; the data in it is version ${raw.tenure}.`;
  return new Data(raw);
}
