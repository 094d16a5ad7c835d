/** The verdict on each network, and what each setting costs beside the loop. */

import {read} from '../api.js';
import {button, element, sentence, slider, swatch} from '../dom.js';
import {View} from './view.js';

const FIGURES = [
  ['step', 'training step'],
  ['ready', 'ready after'],
  ['memory', 'memory of the process'],
  ['loss', 'final loss'],
];
const DECADES = 6; // of the slider: up to a million training steps
const NOTCHES = 100; // of the slider per decade

export class Overview extends View {
  static title = 'Overview';
  static nothing =
    'There is no comparison in this log folder. Make one with "kerasunroll compare", or with kerasunroll.compare in ' +
    'Python; what your own trainings log stands in the other views.';
  static fits(contents) {
    return contents.comparisons.length > 0;
  }

  build() {
    this.trainingSteps = null;
    this.memoryLimit = null;
    this.steps = slider('Number of training steps', (notch) => this.chooseSteps(notch));
    this.steps.range(DECADES * NOTCHES, 0);
    this.memory = slider('Memory that a process may take', (notch) => this.chooseMemory(notch));
    this.memory.range(NOTCHES, NOTCHES);
    this.cards = element('div', {className: 'cards'});
    const controls = element(
      'div', {className: 'controls'}, this.steps.whole, this.memory.whole, button('As planned', () => this.reset()),
    );
    this.whole.replaceChildren(controls, this.cards);
  }

  async update() {
    const found = await read('overview', {training_steps: this.trainingSteps, memory_limit: this.memoryLimit});
    this.found = found;
    const steps = this.trainingSteps ?? found.planned_training_steps;
    if (this.trainingSteps === null && steps) this.steps.range(DECADES * NOTCHES, Math.log10(steps) * NOTCHES);
    const planned = this.trainingSteps === null ? ' (as planned)' : '';
    this.steps.show(steps ? `${steps.toLocaleString('en')}${planned}` : 'not known');
    this.memory.show(this.memoryLimit === null ? 'no limit' : bytes(this.memoryLimit));
    this.memory.whole.hidden = !found.memory;
    this.cards.replaceChildren(...found.comparisons.map(comparisonCard));
  }

  chooseSteps(notch) {
    const exact = 10 ** (notch / NOTCHES);
    const digits = 10 ** Math.max(0, Math.floor(Math.log10(exact)) - 1);
    this.trainingSteps = Math.max(1, Math.round(exact / digits) * digits);
    return this.attempt(() => this.update());
  }

  /** The slider runs from below the least memory that was measured to above the most; its end is no limit. */
  chooseMemory(notch) {
    const {least, most} = this.found.memory;
    const low = 0.9 * least;
    const share = notch / NOTCHES;
    this.memoryLimit = notch >= NOTCHES ? null : Math.round(low + share * (1.1 * most - low));
    return this.attempt(() => this.update());
  }

  reset() {
    this.trainingSteps = null;
    this.memoryLimit = null;
    this.memory.range(NOTCHES, NOTCHES);
    return this.attempt(() => this.update());
  }
}

function comparisonCard(comparison) {
  return element(
    'section', {className: 'comparison'},
    element('h2', {}, comparison.name),
    comparison.problem ? sentence(comparison.problem) : null,
    comparison.summary ? element('p', {className: 'summary'}, comparison.summary) : null,
    ...comparison.groups.map(groupCard),
    ...comparison.notes.map((text) => element('p', {className: 'note'}, text)),
  );
}

function groupCard(group) {
  const [first, ...others] = group.sentences;
  return element(
    'section', {className: 'card'},
    element('h3', {}, group.name),
    element('p', {className: 'note'}, group.about),
    element('p', {className: 'verdict'}, first),
    others.length ? element('p', {}, others.join(' ')) : null,
    table(group),
    ...group.small_print.map((text) => element('p', {className: 'note'}, text)),
    ...group.problems.map((text) => element('p', {className: 'note'}, text)),
  );
}

function table(group) {
  const head = element('tr', {}, element('th', {}, 'setting'), ...FIGURES.map(([, title]) => element('th', {}, title)));
  const loop = group.rows[0];
  const scale = Object.fromEntries(FIGURES.map(([name]) => [name, largest(group.rows, name)]));
  const lines = group.rows.map((row) => element(
    'tr', {className: row.out ? 'out' : row.taken ? 'taken' : ''},
    element(
      'th', {scope: 'row'}, swatch(row.colour), row.setting,
      row.taken ? element('span', {className: 'badge'}, 'take') : null,
      row.out ? element('span', {className: 'why', title: row.out}, 'out') : null,
    ),
    ...FIGURES.map(([name]) => cell(row.figures[name], loop.figures[name], scale[name], row.colour)),
  ));
  return element(
    'table', {},
    element('caption', {}, `Shorter is better. The upright line is the value of ${loop.setting}, the thin bar the 95 % interval.`),
    element('thead', {}, head), element('tbody', {}, ...lines),
  );
}

function largest(rows, name) {
  const ends = rows.flatMap(({figures}) => (figures[name] ? [figures[name].value ?? 0, figures[name].high ?? 0] : []));
  return Math.max(...ends, Number.MIN_VALUE);
}

function cell(figure, loop, most, colour) {
  if (!figure) return element('td', {className: 'missing'}, '–');
  const percent = (value) => `${(100 * Math.max(0, value)) / most}%`;
  const bar = element('div', {className: 'bar'});
  if (figure.value !== null) {
    bar.append(element('i', {style: {width: percent(figure.value), 'background-color': colour}}));
  }
  if (figure.low !== null && figure.high !== null) {
    const low = Math.max(0, figure.low);
    bar.append(element('b', {style: {left: percent(low), width: percent(figure.high - low)}}));
  }
  if (loop && loop.value !== null) bar.append(element('u', {style: {left: percent(loop.value)}}));
  return element('td', {}, element('span', {className: 'value'}, figure.text), bar,
    element('span', {className: 'range'}, figure.range));
}

function bytes(size) {
  return size >= 1e9 ? `${(size / 1e9).toFixed(2)} GB` : `${(size / 1e6).toFixed(0)} MB`;
}
