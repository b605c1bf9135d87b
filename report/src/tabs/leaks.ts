// One card for each thing that grows, with the chain of who holds it.
import type { Data } from '../data';
import { verdictBanner } from './overview';
import { bytes, count, exact, h, panel } from '../dom';

const rate = (n: number) => `${n > 0 ? '+' : ''}${Number.isInteger(n) ? count(n) : n.toFixed(2)}`;

export function leaks(data: Data): HTMLElement {
  const cards = data.raw.leaks.map((l) => h('article.leak', null,
    h('header', null, h('h3', null, l.what), h('p.rate', null,
      h('strong', { title: exact(l.bytes_per_call) }, `${bytes(l.bytes_per_call)} a call`), ` · ${rate(l.per_call)} a call, over ${count(l.calls)} calls`)),
    l.holders.length ? l.holders.slice(0, 3).map((chain, k) => h('div', null,
      h('ol.path', null, chain.split(' <- ').map((hop, i, all) => h('li', { class: i === all.length - 1 ? 'root' : undefined }, hop))),
      l.cards?.[k] ? h('pre.card', null, l.cards[k]) : null))
      : h('p.note', null, 'Nobody was seen to hold it when the report was made.'),
    h('footer', null, `${bytes(l.bytes_per_call * 1000)} after a thousand calls. Drop or bound what the last line names, and it stops.`)));
  const text = data.raw.verdict.state === 'unjudged'
    ? 'No action was judged for this report. tenure memcheck, or memory::steadiness() handed to the report, repeats one and judges the counts.'
    : cards.length ? 'What grew with every call, and the chain that holds it: from the thing outwards to what the program itself keeps.' : 'Nothing grew.';
  return h('div', null, verdictBanner(data), panel('Findings', text, h('div.cards', null, cards)));
}
