// Exports opened by their real reader: the developer tools that Chromium carries. The heap snapshot goes through its Memory panel's parser, whose
// retained sizes must be ours; the trace through its Performance panel's. Usage: exports_check.mjs BUILD_DIR. Exit code 77 (skipped) as browser.mjs says.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { browserFor } from './browser.mjs';

const here = dirname(fileURLToPath(import.meta.url)), build = resolve(process.argv[2]);
const { skip, launch } = browserFor('exports', build);
const model = join(here, '../reference/cnn.keras'), work = join(build, 'exports');
mkdirSync(work, { recursive: true });
const tenure = (...args) => execFileSync(join(build, 'tenure'), ['mem', ...args], { stdio: 'pipe', encoding: 'utf8' });
let passed = 0, failed = 0;
const check = (what, ok, detail = '') => { ok ? ++passed : (++failed, console.log(`FAILED ${what}: ${detail}`)); };

const snapshot = join(work, 'moment.json'), heap = join(work, 'moment.heapsnapshot'), trace = join(work, 'trace.json');
tenure('snapshot', model, '-o', snapshot);
tenure('export', snapshot, '--format', 'heapsnapshot', '-o', heap);
tenure('export', model, '--format', 'trace', '-o', trace);
const ours = JSON.parse(readFileSync(snapshot, 'utf8')), whys = JSON.parse(tenure('why', snapshot, '--largest', '100', '--json'));

const b = await launch();
const page = await b.newPage();
try {
  await page.goto('devtools://devtools/bundled/devtools_app.html');
} catch { skip('this chromium has no developer tools'); }

const read = await page.evaluate(async (text) => {
  const { HeapSnapshot, HeapSnapshotLoader } = await import('devtools://devtools/bundled/entrypoints/heap_snapshot_worker/heap_snapshot_worker.js');
  const loader = new HeapSnapshotLoader.HeapSnapshotLoader({ updateStatus() {}, updateProgress() {}, reportProblem() {}, sendEvent() {} });
  loader.write(text);
  loader.close();
  const { port1, port2 } = new MessageChannel();
  new HeapSnapshot.SecondaryInitManager(port2);
  const s = await loader.buildSnapshot(port1), nodes = [];
  for (const it = s.allNodes(); it.hasNext(); it.next()) {
    const n = it.item(), edges = [];
    for (const e = n.edges(); e.hasNext(); e.next()) edges.push(e.item().name());
    nodes.push({ id: n.id(), name: n.name(), type: n.type(), self: n.selfSize(), retained: n.retainedSize(), distance: n.distance(), edges });
  }
  return { total: s.totalSize, nodes };
}, readFileSync(heap, 'utf8'));
check('every object is a node', read.nodes.length === ours.counts.objects + 1, read.nodes.length);
check('all live bytes are there', read.total === ours.counts.live_bytes, `${read.total}, ${ours.counts.live_bytes}`);
check('the root retains all', read.nodes[0].retained === ours.counts.live_bytes, read.nodes[0].retained);
check('everything is reached from the program', read.nodes.slice(1).every((n) => n.distance >= 1 && n.distance < 1e6));
const fields = ours.object_fields.length, id = new Map(read.nodes.map((n) => [n.id, n]));
for (let i = 0; i < ours.objects.length; i += fields) {
  const node = id.get(2 * ours.objects[i] + 1);
  if (!node || node.self !== ours.objects[i + ours.object_fields.indexOf('bytes')]) check('an object has its bytes', false, ours.objects[i]);
}
let compared = 0;
for (const why of whys)
  for (const chain of why.chains) {
    // The bytes that the chain says would go are those of its root here, where all holders are expected.
    const root = chain.links[0];
    if (chain.links.some((l) => l.standing !== 'expected')) continue;
    const found = read.nodes.filter((n) => n.name === root.holder && n.distance === 1);
    if (found.length !== 1) continue;
    ++compared;
    if (found[0].retained !== chain.retained) check('the same retained size', false, `${root.holder}: ${found[0].retained}, ${chain.retained}`);
  }
check('retained sizes were compared', compared >= 10, compared);
check('references have labels', read.nodes.some((n) => n.edges.includes('layers')) && read.nodes.some((n) => n.edges.includes('kernel')));

const events = JSON.parse(readFileSync(trace, 'utf8')).traceEvents;
const parsed = await page.evaluate(async (events) => {
  const { TraceModel } = await import('devtools://devtools/bundled/models/trace/trace.js');
  const model = TraceModel.Model.createWithAllHandlers();
  await model.parse(events, { metadata: {}, isFreshRecording: false, showAllEvents: true, isCPUProfile: false });
  const t = model.parsedTrace(0);
  return { events: t.traceEvents.length, counters: t.traceEvents.filter((e) => e.ph === 'C').length };
}, events);
check('the trace has all events', parsed.events === events.length, `${parsed.events}, ${events.length}`);
check('counters are counters', parsed.counters >= 2, parsed.counters);
await b.close();
console.log(`exports: ${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
