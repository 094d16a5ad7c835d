/** What a network costs over the number of time steps T, with the fitted lines. */

import {read} from '../api.js';
import {Chart, plain} from '../charts.js';
import {element, menu, sentence} from '../dom.js';
import {View} from './view.js';

export class Cost extends View {
  static title = 'Cost over T';
  static nothing =
    'There is no comparison in this log folder. Compare a network at three lengths or more, for example with ' +
    '"kerasunroll compare --timesteps 25 --timesteps 50 --timesteps 100".';
  static fits(contents) {
    return contents.comparisons.length > 0;
  }

  build() {
    this.comparison = menu('Comparison', () => this.attempt(() => this.update()));
    this.sweeps = element('div');
    this.whole.replaceChildren(element('div', {className: 'controls'}, this.comparison.whole), this.sweeps);
  }

  async update() {
    this.comparison.offer(this.contents.comparisons.map((name) => [name, name]));
    const {sweeps} = await read('cost', {comparison: this.comparison.value});
    this.charts = [];
    const parts = sweeps.map((sweep) => element(
      'section', {},
      element('h2', {}, sweep.name),
      element('div', {className: 'grid two'}, ...sweep.figures.map((figure) => this.chart(figure))),
      sweep.left_out.length ? element('p', {className: 'note'}, `Left out: ${sweep.left_out.join('; ')}.`) : null,
    ));
    const none = sentence('This comparison has no network at three lengths or more: there is no line to draw over T.');
    this.sweeps.replaceChildren(...(parts.length ? parts : [none]));
    await Promise.all(this.charts.map((chart) => chart.redraw()));
  }

  chart(figure) {
    const csv = () => [['setting', 'T', figure.title], ...figure.curves.flatMap(({setting, timesteps, values}) =>
      timesteps.map((t, place) => [setting, t, values[place]]))];
    const chart = new Chart(figure.title, {csv});
    chart.traces = figure.curves.flatMap((curve) => traces(curve, figure.unit));
    chart.layout = {
      showlegend: true,
      xaxis: {title: {text: 'number of time steps T'}, rangemode: 'tozero'},
      yaxis: {rangemode: 'tozero', title: {text: UNITS[figure.unit]?.[1] ?? 'number'}},
    };
    chart.note.textContent = `Each time step more: ${figure.curves.map(({setting, each_time_step: each}) => `${setting} ${each}`).join('; ')}.`;
    this.charts.push(chart);
    return chart.whole;
  }
}

const UNITS = {seconds: [1, 'seconds'], bytes: [1e-6, 'MB']};

function traces({setting, colour, timesteps, values, line}, unit) {
  const [factor] = UNITS[unit] ?? [1];
  const points = {
    type: 'scatter', mode: line ? 'markers' : 'lines+markers', name: plain(setting), x: timesteps,
    y: values.map((value) => factor * value), marker: {color: colour, size: 9}, line: {color: colour},
    hovertemplate: 'T = %{x}: %{y:.4g}<extra>%{fullData.name}</extra>',
  };
  if (!line) return [points];
  const fitted = {
    type: 'scatter', mode: 'lines', x: line.map(([t]) => t), y: line.map(([, value]) => factor * value),
    line: {color: colour, width: 1.5}, showlegend: false, hoverinfo: 'skip',
  };
  return [points, fitted];
}
