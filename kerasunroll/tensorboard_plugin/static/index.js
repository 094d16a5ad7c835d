/** The tab: its views, what is chosen, and what comes in while training goes on. */

import {element, sentence} from './dom.js';
import {fetchJson, forget} from './api.js';
import {loadPlotly} from './charts.js';
import {followTheme} from './theme.js';
import {Overview} from './views/overview.js';
import {Gradients} from './views/gradients.js';
import {States} from './views/states.js';
import {Training} from './views/training.js';
import {Cost} from './views/cost.js';
import {Graph} from './views/graph.js';

const VIEWS = [Overview, Gradients, States, Training, Cost, Graph];
const SECONDS = 5; // TensorBoard looks for new events as often

class Tab {
  constructor(host) {
    this.host = host;
    this.main = element('main');
    this.problem = element('p', {className: 'problem', role: 'alert', hidden: true});
    this.buttons = VIEWS.map((View) =>
      element('button', {type: 'button', role: 'tab', onclick: () => this.open(View)}, View.title));
    const nav = element('nav', {role: 'tablist', 'aria-label': 'Views', onkeydown: (event) => this.moved(event)}, ...this.buttons);
    host.append(nav, this.problem, this.main);
    this.views = new Map();
    this.contents = null;
    followTheme(() => this.view?.redraw());
  }

  async begin() {
    this.main.append(sentence('The log folder is being read …'));
    await this.look();
    this.open(VIEWS.find((View) => View.fits(this.contents)) ?? Overview);
    setTimeout(() => loadPlotly().catch(() => {}), 300); // for the views that are opened next
    setInterval(() => this.look(), SECONDS * 1000);
  }

  /** See whether there is something new, and show it. */
  async look() {
    try {
      const contents = await fetchJson('contents');
      this.tell('');
      if (contents.revision === this.contents?.revision) return;
      this.contents = contents;
      forget();
      await this.show();
    } catch (error) {
      this.contents ??= {revision: '', comparisons: [], networks: []};
      this.tell(`Nothing new can be read: ${error.message}`);
    }
  }

  open(View) {
    if (View !== Overview) loadPlotly().catch(() => {}); // while the numbers are read
    if (!this.views.has(View)) this.views.set(View, new View((error) => this.tell(error)));
    this.view = this.views.get(View);
    VIEWS.forEach((each, place) => this.buttons[place].setAttribute('aria-selected', String(each === View)));
    this.main.replaceChildren(this.view.whole);
    return this.show();
  }

  /** The arrow keys go from view to view. */
  moved({key}) {
    const by = {ArrowRight: 1, ArrowLeft: -1}[key];
    if (!by) return;
    const place = this.buttons.indexOf(document.activeElement) + by;
    const next = (place + VIEWS.length) % VIEWS.length;
    this.buttons[next].focus();
    this.open(VIEWS[next]);
  }

  async show() {
    if (!this.view) return;
    const {constructor: View, whole} = this.view;
    const fits = View.fits(this.contents);
    if (!fits) whole.replaceChildren(sentence(View.nothing));
    try {
      if (fits) await this.view.show(this.contents);
      this.tell('');
    } catch (error) {
      this.tell(error.message);
    }
    whole.dataset.shown = this.contents.revision;
  }

  tell(text) {
    this.problem.textContent = text;
    this.problem.hidden = !text;
  }
}

export async function render() {
  const style = element('link', {rel: 'stylesheet', href: new URL('./style.css', import.meta.url).href});
  await new Promise((resolve) => {
    style.addEventListener('load', resolve);
    style.addEventListener('error', resolve);
    document.head.append(style);
  });
  const host = element('div', {className: 'tab'});
  document.body.replaceChildren(host);
  await new Tab(host).begin();
}
