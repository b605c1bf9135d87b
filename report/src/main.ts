// The page: tabs over the data that the library wrote into it.
import 'uplot/dist/uPlot.min.css';
import './style.css';
import { load } from './data';
import { h } from './dom';
import { budget } from './tabs/budget';
import { diff } from './tabs/diff';
import { holders } from './tabs/holders';
import { leaks } from './tabs/leaks';
import { overview } from './tabs/overview';
import { Peak } from './tabs/peak';
import { PlanView } from './tabs/plan';
import { Timeline } from './tabs/timeline';

const app = document.getElementById('app')!;
const data = load();

function themeButton(): HTMLElement {
  const root = document.documentElement, dark = () => (root.dataset.theme ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')) === 'dark';
  const b = h('button', { id: 'theme', title: 'Light or dark', click: () => { root.dataset.theme = dark() ? 'light' : 'dark'; name(); dispatchEvent(new Event('resize')); } });
  const name = () => (b.textContent = dark() ? '☀ Light' : '☾ Dark');
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { name(); dispatchEvent(new Event('resize')); });
  name();
  return b;
}

if (typeof data === 'string') {
  app.append(h('header.top', null, h('h1', null, 'Memory report'), themeButton()), h('main', null, h('section.panel', null, h('p', { id: 'problem' }, data))));
} else {
  document.title = `${data.raw.title} – memory`;
  const peak = new Peak(data), plan = new PlanView(data);
  const timeline = new Timeline(data, (moment) => { select('peak'); peak.show(moment); });
  interface Tab { id: string; name: string; note?: string; make: () => HTMLElement; shown?: () => void }
  const tabs: Tab[] = [
    { id: 'overview', name: 'Overview', make: () => overview(data) },
    { id: 'timeline', name: 'Timeline', make: () => timeline.element, shown: () => timeline.draw() },
    { id: 'peak', name: 'Peak', make: () => peak.element, shown: () => peak.draw() },
    { id: 'holders', name: 'Holders', make: () => holders(data) },
    { id: 'leaks', name: 'Leaks', note: data.raw.leaks.length ? String(data.raw.leaks.length) : undefined, make: () => leaks(data) },
    { id: 'diff', name: 'Difference', make: () => diff(data) },
    { id: 'plan', name: 'Plan', make: () => plan.element, shown: () => plan.draw() },
    { id: 'budget', name: 'Budget', note: data.raw.budget.length ? String(data.raw.budget.length) : undefined, make: () => budget(data) },
  ];
  const made = new Set<string>();
  let current = '';
  const buttons = tabs.map((t) => h('button', { role: 'tab', id: `tab-${t.id}`, 'aria-controls': `panel-${t.id}`, click: () => select(t.id) }, t.name, t.note ? h('span.badge', null, t.note) : null));
  const panels = tabs.map((t) => h('div.tab', { role: 'tabpanel', id: `panel-${t.id}`, 'aria-labelledby': `tab-${t.id}` }));
  const select = (id: string, focus = false) => {
    const at = Math.max(0, tabs.findIndex((t) => t.id === id)), t = tabs[at];
    if (current === t.id) return;
    current = t.id;
    tabs.forEach((_, i) => {
      buttons[i].setAttribute('aria-selected', String(i === at));
      buttons[i].tabIndex = i === at ? 0 : -1;
      panels[i].hidden = i !== at;
    });
    if (!made.has(t.id)) made.add(t.id), panels[at].append(t.make());
    t.shown?.();
    if (focus) buttons[at].focus();
    history.replaceState(null, '', `#${t.id}`);
  };
  const list = h('nav.tabs', { role: 'tablist', 'aria-label': 'Parts of the report', keydown: (e: KeyboardEvent) => {
    const at = tabs.findIndex((t) => t.id === current), n = tabs.length;
    const to = { ArrowRight: (at + 1) % n, ArrowLeft: (at + n - 1) % n, Home: 0, End: n - 1 }[e.key];
    if (to === undefined) return;
    e.preventDefault();
    select(tabs[to].id, true);
  } }, buttons);
  app.append(
    h('header.top', null, h('h1', null, data.raw.title), h('span.made', null, data.raw.made), h('span.state', { 'data-state': data.raw.verdict.state }, { clean: 'clean', leak: 'leak', inconclusive: 'inconclusive', unjudged: 'not judged' }[data.raw.verdict.state]), themeButton()),
    list, h('main', null, panels));
  select(location.hash.slice(1) || 'overview');
  addEventListener('hashchange', () => select(location.hash.slice(1)));
  // Digits choose a tab, unless something is being typed.
  addEventListener('keydown', (e) => {
    const on = e.target as HTMLElement;
    if (e.ctrlKey || e.metaKey || e.altKey || on.matches('input:not([type=radio]):not([type=range]),select,[role=application]')) return;
    const t = tabs[Number(e.key) - 1];
    if (t && /^[1-9]$/.test(e.key)) select(t.id, true);
  });
  let queued = 0;
  addEventListener('resize', () => {
    cancelAnimationFrame(queued);
    queued = requestAnimationFrame(() => tabs.find((t) => t.id === current)?.shown?.());
  });
}
document.documentElement.dataset.ready = String(Math.round(performance.now()));
