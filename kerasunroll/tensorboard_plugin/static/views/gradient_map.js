/** A heatmap of norms, time step × training step, of one layer in one run; the view of gradients has two of them. */

import {read, rows} from '../api.js';
import {Chart, MASKED, NOT_FINITE, SEQUENTIAL, powersOfTen} from '../charts.js';
import {element, menu} from '../dom.js';
import {quantityName} from './view.js';

const LOW = -12; // the ends of the colour scale, as in every picture of this package
const HIGH = 0;
const FEW = 8; // training steps, each of which has its tick

export class GradientMap {
  constructor(name, again) {
    this.run = menu(`On the ${name}`, again);
    this.layer = menu('layer', again);
    this.menus = element('span', {className: 'pair'}, this.run.whole, this.layer.whole);
    this.chart = new Chart('', {tall: true, csv: () => longTable('norm', this.steps, this.norms)});
  }

  offer(all, preferred) {
    const several = new Set(all.map(({network}) => network)).size > 1;
    const named = ({run, network, setting}) => [run, several ? `${setting} · ${network}` : setting];
    this.training = all.find(({run}) => run === this.run.offer(all.map(named), preferred));
    this.layer.offer(Object.keys(this.training.gradients).map((layer) => [layer, layer]));
  }

  get quantities() {
    return this.training.gradients[this.layer.value] ?? [];
  }

  /** What is shown; with its network where the other side shows another one. */
  get label() {
    const {setting, network} = this.training;
    return `${this.apart ? `${setting} · ${network}` : setting}, ${this.layer.value}`;
  }

  async load(quantity) {
    const found = await read('gradients', {run: this.training.run, layer: this.layer.value, quantity});
    this.steps = found.training_steps;
    this.norms = rows(found.norms);
    this.masked = found.masked && rows(found.masked); // null: nothing is masked
    this.vanishing = found.vanishing;
    this.backwards = found.go_backwards;
    this.width = found.norms.shape[1];
  }

  /** The entry that is nearest to a training step. */
  at(step) {
    const place = nearest(this.steps, step);
    const {label, backwards} = this;
    const [norms, vanishing, masked] = [this.norms[place], this.vanishing[place], this.masked?.[place]];
    return {norms, vanishing, masked, label, backwards, step: this.steps[place]};
  }

  async draw(quantity) {
    this.chart.title.textContent = `${normName(quantity)}: ${this.label}`;
    this.chart.note.textContent = '';
    const {steps, width} = this;
    const logs = this.norms.map((norms) => Array.from(norms, (norm) => (norm >= 0 ? Math.log10(Math.max(norm, 1e-300)) : null)));
    const bar = {title: {text: 'norm', side: 'right'}, ...powersOfTen(LOW, HIGH, 3), thickness: 12};
    const traces = [{
      type: 'heatmap', x: steps, z: transposed(logs, width), customdata: transposed(this.norms, width),
      zmin: LOW, zmax: HIGH, colorscale: SEQUENTIAL, colorbar: bar,
      hovertemplate: 'training step %{x}<br>time step %{y}<br>norm %{customdata:.4g}<extra></extra>',
    }];
    if (this.masked) traces.push(...flat(this, (_, masked) => masked >= 1, MASKED, 'masked, or behind the end of the sequence'));
    traces.push(...flat(this, isBroken, NOT_FINITE, 'NaN or infinite'));
    const notes = traces.slice(1).map(({name}) => (name === 'NaN or infinite' ? 'Pink: NaN or infinite.' : `Grey: ${name}.`));
    const vanished = this.vanishing.map((at) => at ?? null);
    if (vanished.some((at) => at !== null)) {
      traces.push({
        type: 'scatter', mode: 'lines', x: steps, y: vanished, line: {color: '#ffffff', width: 2, dash: 'dot'},
        showlegend: false, hovertemplate: `below a millionth from time step %{y} ${wayBack(this)}<extra></extra>`,
      });
      notes.push(
        `White dots: from here ${wayBack(this)} the norm is below a millionth of that ${this.backwards ? 'at t = 0, which this ' +
        'layer processes last' : 'of the last time step'}.`);
    }
    this.chart.note.textContent = notes.join(' ');
    await this.chart.draw(traces, heatmapLayout(steps));
  }
}

/** Where the way back through time goes from a time step. */
export function wayBack({backwards}) {
  return backwards ? 'on' : 'back';
}

export function isBroken(norm, masked) {
  return masked < 1 && !Number.isFinite(norm);
}

/** A heatmap of one colour where something is so; none where it is so nowhere. */
function flat({steps, norms, masked, width}, isSo, colour, name) {
  const anywhere = norms.some((row, place) => row.some((norm, t) => isSo(norm, masked ? masked[place][t] : 0)));
  if (!anywhere) return [];
  const columns = norms.map((row, place) => Array.from(row, (norm, t) => (isSo(norm, masked ? masked[place][t] : 0) ? 1 : null)));
  return [{
    type: 'heatmap', name, x: steps, z: transposed(columns, width), showscale: false,
    colorscale: [[0, colour], [1, colour]], hovertemplate: `training step %{x}<br>time step %{y}<br>${name}<extra></extra>`,
  }];
}

export function heatmapLayout(steps) {
  const ticks = steps.length <= FEW ? {tickvals: steps} : {}; // else the axis of broad cells begins with steps below 0
  return {
    xaxis: {title: {text: 'training step'}, zeroline: false, showgrid: false, ...ticks},
    yaxis: {title: {text: 'time step t'}, zeroline: false, showgrid: false},
    shapes: [],
  };
}

export function normName(quantity) {
  return quantity.length === 1 ? `‖dL/d${quantity}‖` : `‖dL/d(${quantityName(quantity)})‖`;
}

export function transposed(columns, width) {
  return Array.from({length: width}, (_, t) => columns.map((column) => column[t]));
}

export function nearest(steps, wanted) {
  let best = 0;
  steps.forEach((step, place) => {
    if (Math.abs(step - wanted) < Math.abs(steps[best] - wanted)) best = place;
  });
  return best;
}

export function longTable(name, steps, columns) {
  const lines = steps.flatMap((step, place) => Array.from(columns[place], (value, t) => [step, t, value]));
  return [['training_step', 'time_step', name], ...lines];
}
