// Writes dist/sample.html: the page with a made-up recording of three training steps of a ResNet50 (batch 32, 224 × 224, Adam), so that the page can be
// worked on without the library. The numbers are of the right kind and add up; they are no measurement.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = (p) => fileURLToPath(new URL(p, import.meta.url));
const categories = ['temporary', 'parameter', 'optimizer state', 'gradient', 'activation', 'input', 'constant', 'cache'];
const [TEMP, PARAM, SLOT, GRAD, ACT, INPUT, CONST, CACHE] = categories.keys();
const kinds = ['storage', 'tensor', 'variable', 'node', 'layer', 'tape', 'function', 'executable', 'dataset', 'queue', 'optimizer', 'metric', 'callback', 'holder', 'other'];

const strings = [], index = new Map();
const name = (s) => index.get(s) ?? (index.set(s, strings.length), strings.push(s) - 1);
let seed = 7;
const random = () => ((seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32);

// ---- the ledger
const stamps = [], stampIndex = new Map();
const stampOf = (path, category, bytes) => {
  const key = `${path}|${category}|${bytes}`;
  if (!stampIndex.has(key)) stampIndex.set(key, stamps.push([name(path), category, bytes]) - 1);
  return stampIndex.get(key);
};
const live = new Map(), ledger = new Map();
let events = [], birth = 1000, now = 0, recording = false, liveBytes = 0, peakBytes = 0, peakRows = new Map(), allocations = 0;
const row = (path) => ledger.get(path) ?? (ledger.set(path, { live: 0, peak: 0, allocations: 0 }), ledger.get(path));
function alloc(path, category, bytes) {
  const id = ++birth, r = row(path);
  live.set(id, { path, category, bytes });
  r.live += bytes, r.peak = Math.max(r.peak, r.live), ++r.allocations, ++allocations;
  if ((liveBytes += bytes) > peakBytes) peakBytes = liveBytes, peakRows = new Map([...ledger].map(([p, x]) => [p, x.live]));
  if (recording) events.push([Math.round(now), stampOf(path, category, bytes), 0, id]);
  return id;
}
function free(id) {
  const b = live.get(id);
  live.delete(id);
  row(b.path).live -= b.bytes, liveBytes -= b.bytes;
  if (recording) events.push([Math.round(now), stampOf(b.path, b.category, b.bytes), 1, id]);
}

// ---- the model: name, kind, output elements an image, weight elements, work
const layers = [];
const conv = (n, hw, from, to, k) => layers.push({ n, op: 'conv', out: hw * hw * to, weights: [k * k * from * to], cost: hw * hw * from * to * k * k });
const bn = (n, hw, c) => layers.push({ n, op: 'batch_norm', out: hw * hw * c, weights: [c, c], moving: [c, c], cost: hw * hw * c * 8 });
const act = (n, hw, c, op = 'relu') => layers.push({ n, op, out: hw * hw * c, weights: [], cost: hw * hw * c });
conv('conv1_conv', 112, 3, 64, 7), bn('conv1_bn', 112, 64), act('conv1_relu', 112, 64), act('pool1_pool', 56, 64, 'max_pool');
let wide = 64;
[[64, 3, 56], [128, 4, 28], [256, 6, 14], [512, 3, 7]].forEach(([c, blocks, hw], s) => {
  for (let b = 1; b <= blocks; ++b) {
    const p = `conv${s + 2}_block${b}`;
    if (b === 1) conv(`${p}_0_conv`, hw, wide, 4 * c, 1), bn(`${p}_0_bn`, hw, 4 * c);
    conv(`${p}_1_conv`, hw, wide, c, 1), bn(`${p}_1_bn`, hw, c), act(`${p}_1_relu`, hw, c);
    conv(`${p}_2_conv`, hw, c, c, 3), bn(`${p}_2_bn`, hw, c), act(`${p}_2_relu`, hw, c);
    conv(`${p}_3_conv`, hw, c, 4 * c, 1), bn(`${p}_3_bn`, hw, 4 * c), act(`${p}_add`, hw, 4 * c, 'add'), act(`${p}_out`, hw, 4 * c);
    wide = 4 * c;
  }
});
layers.push({ n: 'avg_pool', op: 'mean', out: 2048, weights: [], cost: 1e5 }, { n: 'predictions', op: 'linear', out: 1000, weights: [2048 * 1000, 1000], cost: 2e6 });

const batch = 32, weights = [], slots = [];
for (const l of layers)
  for (const [i, w] of [...l.weights, ...(l.moving ?? [])].entries()) {
    const what = l.op === 'conv' ? ['kernel'] : l.op === 'linear' ? ['kernel', 'bias'] : ['gamma', 'beta', 'moving_mean', 'moving_variance'];
    weights.push({ layer: l.n, what: what[i], trained: i < l.weights.length, bytes: 4 * w, id: alloc(`/build/${l.n}/${what[i]}`, PARAM, 4 * w) });
  }
for (const w of weights.filter((w) => w.trained)) for (const m of ['momentum', 'velocity']) slots.push({ of: w, m, id: alloc(`/fit/adam/${m}`, SLOT, w.bytes) });
const queue = [];
const fetch = () => queue.push([alloc('/fit/images/decode', INPUT, batch * 224 * 224 * 3 * 4), alloc('/fit/images/labels', INPUT, batch * 4)]);
fetch(), fetch();
alloc('/fit/packed weights', CACHE, 9437184);
const history = [];

// ---- three steps
const marks = [], budget = [];
const mark = (text) => marks.push([Math.round(now), events.length, text]);
recording = true;
const packed = new Map();
for (let step = 1; step <= 3; ++step) {
  mark(`step ${step}`);
  const input = queue.shift(), kept = [];
  for (const l of layers) {
    const bytes = l.out * batch * 4, at = `/fit/step/${l.n}/${l.op}`;
    if (l.op === 'conv') {
      const scratch = alloc(at, TEMP, Math.round(l.cost / l.out) * 4096);
      now += l.cost * batch / 60;
      kept.push([l, alloc(at, ACT, bytes)]);
      free(scratch);
    } else {
      if (l.op === 'batch_norm') {
        const t = [alloc(at, TEMP, l.weights[0] * 4), alloc(at, TEMP, l.weights[0] * 4)];
        kept.push([l, alloc(at, ACT, bytes)]);
        now += l.cost * batch / 9;
        t.forEach(free);
      } else now += l.cost * batch / 6, kept.push([l, alloc(at, ACT, bytes)]);
    }
    if (random() < 0.02) fetch(), queue.length > 3 && queue.pop().forEach(free);
  }
  const loss = alloc('/fit/step/sparse_categorical_crossentropy/mean', ACT, 4);
  mark('backward');
  const grads = [];
  let dy = alloc('/fit/step/predictions/backward/softmax', GRAD, 1000 * batch * 4);
  for (let i = kept.length - 1; i >= 0; --i) {
    const [l, y] = kept[i], at = `/fit/step/${l.n}/backward/${l.op}`;
    const before = i ? kept[i - 1][0].out : 224 * 224 * 3;
    const dx = alloc(at, GRAD, before * batch * 4);
    for (const [k, w] of l.weights.entries()) grads.push([w, alloc(at, GRAD, w * 4), l, k]);
    const scratch = alloc(at, TEMP, Math.max(4096, Math.round(l.cost / l.out) * 8192));
    now += l.cost * batch / (l.op === 'conv' ? 30 : 5);
    free(scratch), free(dy), free(y);
    dy = dx;
  }
  free(dy);
  mark('update');
  if (step === 2) budget.push([Math.round(now), 'limit', 0, 3 * 2 ** 30, liveBytes, '/fit/step']);
  for (const [w, g] of grads.reverse()) {
    const t = alloc('/fit/step/adam/update', TEMP, w * 4);
    now += w / 4;
    free(t), free(g);
  }
  if (step === 2) {
    budget.push([Math.round(now), 'reclaimed', 9437184, 3 * 2 ** 30, liveBytes, 'packed weights']);
    budget.push([Math.round(now) + 12000, 'refused', 4 * 2 ** 30, 3 * 2 ** 30, liveBytes, '/evaluate/concat']);
  }
  history.push(loss);   // what the seeded leak keeps, with a batch of labels
  alloc('/fit/step/logs/copy', ACT, batch * 1000 * 4);
  input.forEach(free);
  fetch();
  now += 2e6;
}
recording = false;

// ---- objects: a hand-made dominator tree
const o = { parent: [], kind: [], name: [], edge: [], self: [], retained: [], holders: [] };
const object = (parent, kind, text, edge, self = 0, holders = 1) => {
  o.parent.push(parent), o.kind.push(kinds.indexOf(kind)), o.name.push(name(text)), o.edge.push(name(edge)), o.self.push(self), o.retained.push(0), o.holders.push(holders);
  return o.parent.length - 1;
};
const buffer = (parent, id, edge, holders = 1) => {
  const b = live.get(id);
  return object(object(parent, 'tensor', `float32[${b.bytes / 4}]`, edge, 0, holders), 'storage', `buffer of ${b.bytes} bytes, ${categories[b.category]}, asked for by ${b.path}`, 'storage', b.bytes);
};
const listed = new Set();
const put = (...a) => (listed.add(a[1]), buffer(...a));
const model = object(-1, 'layer', 'Model resnet50', '');
for (const l of layers) {
  const at = object(model, 'layer', `Layer ${l.n}`, `layers[${layers.indexOf(l)}]`, 0, 2);
  for (const w of weights.filter((w) => w.layer === l.n)) put(object(at, 'variable', `Variable ${l.n}/${w.what}`, w.what, 0, 3), w.id, 'value');
}
const adam = object(model, 'optimizer', 'Adam', 'optimizer', 0, 2);
for (const s of slots) put(object(adam, 'variable', `Variable ${s.of.layer}/${s.of.what}/${s.m}`, `${s.m}[${Math.floor(slots.indexOf(s) / 2)}]`), s.id, 'value');
const step = object(model, 'executable', 'traced resnet50/train_step', 'train function', 0, 2);
const data = object(-1, 'dataset', 'Dataset images from a folder, batched, prefetched', '');
const q = object(data, 'queue', 'prefetch queue of 3', 'queue');
queue.forEach((pair, i) => pair.forEach((id, k) => put(q, id, `slots[${i}].${k ? 'labels' : 'images'}`)));
const log = object(-1, 'callback', 'Callback PredictionLog', '');
const stored = [...live].filter(([id, b]) => b.path.includes('/logs/') || history.includes(id));
stored.forEach(([id], i) => put(log, id, `outputs[${i}]`));
for (const [id, b] of live) if (!listed.has(id)) put(b.category === CACHE ? step : -1, id, b.category === CACHE ? 'packed[0]' : '');
for (let i = o.parent.length - 1; i >= 0; --i) {
  o.retained[i] += o.self[i];
  if (o.parent[i] >= 0) o.retained[o.parent[i]] += o.retained[i];
}

// ---- a plan of one step, placed as the library does: largest first, best fit
const steps = [], blocks = [];
const forward = layers.filter((l) => l.op !== 'batch_norm' && !l.n.endsWith('relu') && !l.n.endsWith('_out'));
forward.forEach((l) => steps.push(`${l.op} ${l.n}`));
forward.slice().reverse().forEach((l) => steps.push(`${l.op} backward ${l.n}`));
const L = forward.length;
forward.forEach((l, i) => {
  blocks.push({ bytes: l.out * batch * 4, first: i, last: 2 * L - 1 - i, text: `/train_step/${l.n}/${l.op} float32[${batch},${l.out}]` });
  if (i) blocks.push({ bytes: forward[i - 1].out * batch * 4, first: 2 * L - 1 - i, last: 2 * L - i, text: `/train_step/${l.n}/backward/${l.op} float32[${batch},${forward[i - 1].out}]` });
  if (l.op === 'conv') blocks.push({ bytes: Math.round(l.cost / l.out) * 4096, first: i, last: i, text: `/train_step/${l.n}/${l.op} scratch` });
  for (const w of l.weights) blocks.push({ bytes: w * 4, first: 2 * L - 1 - i, last: 2 * L - 1, text: `/train_step/${l.n}/backward/${l.op} float32[${w}]` });
});
const up = (n) => Math.ceil(n / 64) * 64;
const placed = [];
let arena = 0;
for (const b of [...blocks].sort((x, y) => y.bytes - x.bytes)) {
  let at = 0, best = -1, gap = Infinity;
  for (const p of placed.filter((p) => p.last >= b.first && p.first <= b.last).sort((x, y) => x.offset - y.offset)) {
    if (p.offset >= at + up(b.bytes) && p.offset - at < gap) best = at, gap = p.offset - at;
    at = Math.max(at, p.offset + up(p.bytes));
  }
  b.offset = best >= 0 ? best : at;
  arena = Math.max(arena, b.offset + up(b.bytes));
  placed.push(b);
}
const bound = Math.max(...steps.map((_, s) => blocks.filter((b) => b.first <= s && s <= b.last).reduce((n, b) => n + up(b.bytes), 0)));

// ---- the page
const leb = (out, n) => {
  for (; n >= 128; n = Math.floor(n / 128)) out.push((n % 128) + 128);
  out.push(n);
};
const eventBytes = [], liveData = [];
let t = 0, id = 0;
for (const [time, stamp, freed, b] of events) {
  leb(eventBytes, time - t), leb(eventBytes, stamp * 2 + freed), leb(eventBytes, b >= id ? 2 * (b - id) : 2 * (id - b) - 1);
  t = time, id = b;
}
id = 0;
for (const [b, x] of [...live].sort((x, y) => x[0] - y[0])) leb(liveData, b - id), leb(liveData, stampOf(x.path, x.category, x.bytes)), (id = b);
const balance = [['live', liveBytes, "tensors' bytes, as asked for"], ['arena', 0, 'of traced calls under way'], ['rounding', Math.round(liveBytes * 0.011), 'size classes and pages'],
  ['pool', 33554432, 'free blocks kept for reuse'], ['objects', 1482752, 'tensor bodies, nodes, layers'], ['heap', 3145728, 'malloc\'s memory since the library was loaded, but for large blocks'], ['code and libraries', 41203712, 'file-backed pages'],
  ['baseline', 9175040, 'anonymous memory when the library was loaded'], ['unexplained', 1064960, 'large blocks of malloc, stacks, threads\' heaps, generated code']];
const tensors = o.kind.filter((k) => k === 1).length;
const page = {
  tenure: 1, title: 'ResNet50, three training steps (sample)', made: '2026-01-01 00:00 UTC', strings, categories, kinds,
  counts: { live_bytes: liveBytes, peak_bytes: peakBytes, buffers: live.size, tensors, nodes: 0, objects: o.parent.length, in_use_bytes: Math.round(liveBytes * 1.011), cached_bytes: 33554432,
    object_bytes: 1482752, allocations, by_kind: kinds.map((_, k) => o.kind.filter((x) => x === k).length) },
  balance, rss: balance.reduce((s, r) => s + r[1], 0),
  verdict: { state: 'leak', text: 'Live bytes rose with each of 160 calls of fit, and went on rising at four times as many.', audit: { objects: o.parent.length, edges: o.holders.reduce((a, b) => a + b, 0), problems: [] } },
  accounts: [...ledger].sort((a, b) => b[1].live - a[1].live).flatMap(([p, r]) => [name(p), r.live, r.peak, r.allocations]),
  ledger_peak: { bytes: peakBytes, rows: [...peakRows].filter((r) => r[1]).flatMap(([p, n]) => [name(p), n]) },
  stamps: stamps.flat(), events: { count: events.length, lost: 0, duration: t, data: Buffer.from(eventBytes).toString('base64') },
  live: { count: live.size, data: Buffer.from(liveData).toString('base64'), rest: [] }, marks, budget,
  objects: { of: o.parent.length, ...o, rest: [] },
  leaks: [{ what: '/fit/step/logs/copy', per_call: 1, bytes_per_call: batch * 4000, calls: 160, holders: ['tensor float32[32,1000] as storage <- Callback PredictionLog as outputs[7] <- 1 handle of your own program'] },
    { what: '/fit/step/sparse_categorical_crossentropy/mean', per_call: 1, bytes_per_call: 4, calls: 160, holders: ['tensor float32[] as storage <- Callback PredictionLog as losses[7] <- 1 handle of your own program'] }],
  diff: null,
  plans: [{ name: 'train step', arena, bound, outputs: 4, constants: 0, steps: steps.map(name), blocks: blocks.flatMap((b) => [b.offset, b.bytes, b.first, b.last, name(b.text)]) }],
};
const html = readFileSync(here('../dist/index.html'), 'utf8');
const marker = '<script type="application/json" id="tenure-data">null</script>';
if (!html.includes(marker)) throw new Error('the page has no place for data');
const out = html.replace(marker, () => marker.replace('null', JSON.stringify(page).replaceAll('<', '\\u003c')));
writeFileSync(here('../dist/sample.html'), out);
console.log(`dist/sample.html: ${events.length} events, ${out.length} bytes`);
