// What was live over time, by group: categories, blocks of layers, layers or accounts.
import type { Data } from './data';

export type By = 'category' | 'block' | 'layer' | 'account';

export interface Grouping {
  by: By;
  names: string[];
  colors: string[];
  of: Int32Array;       // stamp to group
  most: Float64Array;   // highest live bytes of each group
  order: number[];      // of stacking, lowest first: what stays lies below what comes and goes
}

export const categoryColors = ['#8b97a8', '#3f74d9', '#7d5fd3', '#e08a2e', '#169b8c', '#c9a400', '#9a7462', '#c6508f'];
// Parameters, optimizer state, constants, caches, inputs, activations, gradients, temporaries.
const stacking = [1, 2, 6, 7, 5, 4, 3, 0];
const hues = ['#3f74d9', '#e08a2e', '#169b8c', '#c6508f', '#7d5fd3', '#c9a400', '#4aa6d6', '#d3564a', '#74a63a', '#9a7462', '#a15fb8', '#3aa676', '#e5735f', '#5b8def', '#b8860b', '#d77fb0', '#5f7d95', '#8fae4b'];
export const otherColor = '#a3adba';
/** A color that stays with a name. */
export function colorOf(name: string): string {
  let x = 2166136261;
  for (let i = 0; i < name.length; ++i) x = Math.imul(x ^ name.charCodeAt(i), 16777619);
  return hues[(x >>> 8) % hues.length];
}

/** Walks through all events with the live bytes of each group. `see` is called after each event, and once with 0 before the first. */
function walk(data: Data, of: Int32Array, groups: number, restOf: (i: number) => number, see: (moment: number, live: Float64Array) => void) {
  const live = new Float64Array(groups);
  for (const s of data.start.values()) live[of[s]] += data.bytesOf(s);
  for (let i = 0; i < data.startRest.length; i += 4) live[restOf(i)] += data.startRest[i + 2];
  see(0, live);
  for (let i = 0; i < data.count; ++i) {
    const s = data.stamp[i];
    live[of[s]] += data.freed[i] ? -data.bytesOf(s) : data.bytesOf(s);
    see(i + 1, live);
  }
}

/** Layers by the beginning of their names, as much of it as leaves at most 18: "conv2_block1_0_bn" is of "conv2_block1" or of "conv2". */
function blocks(data: Data): (s: number) => string {
  const names = new Set(Array.from({ length: data.stamps }, (_, s) => data.layerOf(s)));
  const cut = (name: string, parts: number) => name.split('_').slice(0, parts).join('_');
  let parts = 6;
  while (parts > 1 && new Set([...names].map((n) => cut(n, parts))).size > 18) --parts;
  return (s) => cut(data.layerOf(s), parts);
}

/** The `most` groups with the highest peaks, and "others" for the rest. Categories are never cut. */
export function group(data: Data, by: By, most = 18): Grouping {
  const of = new Int32Array(data.stamps);
  let names: string[];
  if (by === 'category') {
    names = data.raw.categories;
    for (let s = 0; s < of.length; ++s) of[s] = data.categoryOf(s);
  } else {
    const index = new Map<string, number>();
    const keyOf = by === 'block' ? blocks(data) : by === 'layer' ? (s: number) => data.layerOf(s) : (s: number) => data.pathOf(s);
    for (let s = 0; s < of.length; ++s) {
      const key = keyOf(s);
      if (!index.has(key)) index.set(key, index.size);
      of[s] = index.get(key)!;
    }
    names = [...index.keys()];
  }
  const rest = (i: number) => (by === 'category' ? data.startRest[i + 1] : names.length);
  const highs = (groups: number, map: Int32Array, restOf: (i: number) => number) => {
    const high = new Float64Array(groups);
    walk(data, map, groups, restOf, (_, live) => { for (let g = 0; g < groups; ++g) if (live[g] > high[g]) high[g] = live[g]; });
    return high;
  };
  // Many accounts: the highest of each is found in one pass that touches only what moved.
  const high = new Float64Array(names.length + 1);
  {
    const live = new Float64Array(names.length + 1);
    for (const s of data.start.values()) live[of[s]] += data.bytesOf(s);
    for (let g = 0; g < live.length; ++g) high[g] = live[g];
    for (let i = 0; i < data.count; ++i) {
      const s = data.stamp[i], g = of[s];
      live[g] += data.freed[i] ? -data.bytesOf(s) : data.bytesOf(s);
      if (live[g] > high[g]) high[g] = live[g];
    }
  }
  if (by === 'category') return { by, names, colors: names.map((_, i) => categoryColors[i % categoryColors.length]), of, most: highs(names.length, of, rest),
    order: [...stacking.filter((c) => c < names.length), ...names.map((_, i) => i).filter((i) => !stacking.includes(i))] };
  const order = names.map((_, i) => i).sort((a, b) => high[b] - high[a]);
  const kept = order.slice(0, most), others = kept.length;
  const to = new Int32Array(names.length).fill(others);
  kept.forEach((g, i) => (to[g] = i));
  for (let s = 0; s < of.length; ++s) of[s] = to[of[s]];
  const cut = names.length > kept.length || data.startRest.length > 0;
  const shown = kept.map((g) => names[g]);
  if (cut) shown.push(`others (${names.length - kept.length})`);
  const colors = shown.map((_, i) => (i === others ? otherColor : hues[i % hues.length]));
  return { by, names: shown, colors, of, most: highs(shown.length, of, () => others), order: shown.map((_, i) => (cut ? (i + others) % (others + 1) : i)) };
}

export interface Sampled {
  moments: number[];
  groups: Float64Array[];   // by group, live bytes at each moment
}

/** At most some 2 × `bins` moments of [from, to]: all of them, or the highest and the lowest of each bin. */
export function sample(data: Data, g: Grouping, from: number, to: number, bins: number, x: (moment: number) => number): Sampled {
  const moments: number[] = [];
  if (to - from + 1 <= bins * 2) for (let m = from; m <= to; ++m) moments.push(m);
  else {
    const x0 = x(from), width = (x(to) - x0) / bins || 1;
    for (let m = from; m <= to; ) {
      const bin = Math.floor((x(m) - x0) / width);
      let high = m, low = m, end = m;
      for (; end <= to && Math.floor((x(end) - x0) / width) === bin; ++end) {
        if (data.total[end] > data.total[high]) high = end;
        if (data.total[end] < data.total[low]) low = end;
      }
      moments.push(...(high === low ? [high] : [Math.min(high, low), Math.max(high, low)]));
      m = end;
    }
    if (moments[moments.length - 1] !== to) moments.push(to);
  }
  const groups = g.names.map(() => new Float64Array(moments.length));
  let at = 0;
  walk(data, g.of, g.names.length, (i) => (g.by === 'category' ? data.startRest[i + 1] : g.names.length - 1), (m, live) => {
    if (at < moments.length && moments[at] === m) {
      for (let k = 0; k < groups.length; ++k) groups[k][at] = live[k];
      ++at;
    }
  });
  return { moments, groups };
}

/** Live bytes by group at one moment. */
export function groupsAt(data: Data, g: Grouping, moment: number): Float64Array {
  const live = new Float64Array(g.names.length);
  for (const s of data.start.values()) live[g.of[s]] += data.bytesOf(s);
  for (let i = 0; i < data.startRest.length; i += 4) live[g.by === 'category' ? data.startRest[i + 1] : g.names.length - 1] += data.startRest[i + 2];
  for (let i = 0; i < moment; ++i) live[g.of[data.stamp[i]]] += data.freed[i] ? -data.bytesOf(data.stamp[i]) : data.bytesOf(data.stamp[i]);
  return live;
}
