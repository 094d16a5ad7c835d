/** Loss and gradient norms of all settings, over training steps and over wall time. */

import {read, rows} from '../api.js';
import {Chart, plain, stroke} from '../charts.js';
import {element, menu} from '../dom.js';
import {View} from './view.js';

const LOSSES = [
  ['batch_loss', 'evaluation_loss_vs_iterations', 'training step'],
  ['epoch_loss', 'epoch_loss', 'epoch'],
];
const NORM = 'gradient_norm/';

export class Training extends View {
  static title = 'Training';
  static nothing =
    'No training was logged in this folder. Train with kerasunroll\'s comparison_callbacks(log_dir), or let ' +
    '"kerasunroll compare" train, and look again.';
  static fits(contents) {
    return contents.networks.some(({trainings}) => trainings.length > 0);
  }

  build() {
    const again = () => this.attempt(() => this.update());
    this.network = menu('Network', again);
    this.norm = menu('Gradient norm of', again);
    this.parts = [['loss', 'Loss'], ['norm', 'Gradient norm']].map(([name, title]) => ({
      name,
      charts: [['steps', `${title} over training steps`], ['seconds', `${title} over wall time`]].map(([over, text]) => ({
        over, chart: new Chart(text, {csv: () => this.csv(name, over)}),
      })),
    }));
    this.charts = this.parts.flatMap(({charts}) => charts.map(({chart}) => chart));
    this.whole.replaceChildren(
      element('div', {className: 'controls'}, this.network.whole, this.norm.whole),
      element('div', {className: 'grid two'}, ...this.charts.map((chart) => chart.whole)),
    );
  }

  async update() {
    const networks = this.contents.networks.filter(({trainings}) => trainings.length);
    this.network.offer(networks.map(({name}) => [name, name]));
    const {curves} = await read('training', {network: this.network.value});
    const norms = Object.keys(curves).filter((tag) => tag.startsWith(NORM));
    this.norm.offer(norms.map((tag) => [tag, normName(tag)]), `${NORM}global`);
    const [train, validation, unit] = LOSSES.find(([tag]) => curves[tag]) ?? LOSSES[0];
    const losses = (curves[train] ?? []).filter(({kind}) => kind === 'train');
    const validated = (curves[validation] ?? []).filter(({kind}) => kind === 'validation');
    this.shown = {loss: [...losses, ...validated], norm: curves[this.norm.value] ?? []};
    await Promise.all(this.parts.flatMap(({name, charts}) => charts.map(({over, chart}) =>
      this.draw(chart, this.shown[name], over, name === 'norm' ? 'training step' : unit, name === 'norm'))));
  }

  async draw(chart, curves, over, unit, logarithmic) {
    chart.note.textContent = curves.length ? notes(curves, unit) : 'Nothing was logged for this chart.';
    const trained = curves.filter(({kind}) => kind === 'train').length;
    const traces = curves.map((curve, place) => ({
      type: 'scatter', mode: curve.steps.length > 1 ? 'lines' : 'markers', name: plain(label(curve)),
      x: over === 'steps' ? curve.steps : rows(curve.seconds), y: Array.from(rows(curve.values), finite),
      line: {
        color: curve.colour, width: stroke(place % Math.max(1, trained), trained),
        dash: curve.kind === 'validation' ? 'dash' : 'solid',
      },
      legendgroup: curve.setting, showlegend: curve.kind === 'train' || !trained,
      hovertemplate: `${over === 'steps' ? `${unit} %{x}` : '%{x:.1f} s'}: %{y:.4g}<extra>%{fullData.name}</extra>`,
    }));
    await chart.draw(traces, {
      showlegend: true,
      xaxis: over === 'steps'
        ? {title: {text: unit}}
        : {title: {text: 'seconds, compiling included'}, rangemode: 'tozero'},
      yaxis: {type: logarithmic ? 'log' : 'linear', exponentformat: 'e'},
    });
  }

  csv(name, over) {
    const lines = this.shown[name].flatMap((curve) => {
      const values = rows(curve.values);
      const places = over === 'steps' ? curve.steps : rows(curve.seconds);
      return Array.from(values, (value, place) => [label(curve), places[place], value]);
    });
    return [['curve', over === 'steps' ? 'step' : 'seconds', name], ...lines];
  }
}

function label({setting, kind}) {
  return kind === 'validation' ? `${setting}, validation` : setting;
}

/** What the lines do not say themselves. */
function notes(curves, unit) {
  const said = curves.some(({kind}) => kind === 'validation') ? ['Dashed: validation.'] : [];
  for (const curve of curves) {
    const place = rows(curve.values).findIndex((value) => !Number.isFinite(value));
    if (place >= 0) said.push(`${label(curve)}: NaN or infinite from ${unit} ${curve.steps[place].toLocaleString('en')}.`);
  }
  return said.join(' ');
}

function normName(tag) {
  const name = tag.slice(NORM.length);
  return name === 'global' ? 'all weights' : name;
}

function finite(value) {
  return Number.isFinite(value) ? value : null;
}
