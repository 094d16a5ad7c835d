/** States and gates of one sequence as training goes on, with the sequence beneath. */

import {read, rows} from '../api.js';
import {Chart, DIVERGING, SEQUENTIAL, plain} from '../charts.js';
import {element, menu, slider} from '../dom.js';
import {View, oncePerFrame, quantityName, trainings} from './view.js';

const MOST_LINES = 6; // features that are drawn as lines; more of them as a heatmap

export class States extends View {
  static title = 'States';
  static nothing =
    'No states were logged in this folder. Train with comparison_callbacks(log_dir, states_of=x), or with ' +
    'StateLogger(log_dir, x), and look again. ("kerasunroll compare" logs gradients, and no states.)';
  static fits(contents) {
    return trainings(contents).some(hasStates);
  }

  build() {
    const again = () => this.attempt(() => this.update());
    this.run = menu('Setting', again);
    this.layer = menu('layer', again);
    this.quantity = menu('state or gate', again);
    this.move = oncePerFrame((place) => this.attempt(() => this.draw(place)));
    this.cursor = slider('After training step', (place) => this.move(place));
    this.values = new Chart('', {tall: true, csv: () => this.csv()});
    this.sequence = new Chart('What the layer receives', {csv: () => this.sequenceCsv()});
    this.charts = [this.values, this.sequence];
    this.whole.replaceChildren(
      element('div', {className: 'controls'}, this.run.whole, this.layer.whole, this.quantity.whole, this.cursor.whole),
      this.values.whole, this.sequence.whole,
    );
  }

  async update() {
    const all = trainings(this.contents).filter(hasStates);
    const several = new Set(all.map(({network}) => network)).size > 1;
    const named = ({run, network, setting}) => [run, several ? `${setting} · ${network}` : setting];
    this.training = all.find(({run}) => run === this.run.offer(all.map(named)));
    this.layer.offer(Object.keys(this.training.states).map((layer) => [layer, layer]));
    const quantities = this.training.states[this.layer.value].filter((name) => name !== 'x');
    this.quantity.offer(quantities.map((name) => [name, quantityName(name)]), 'h');
    const newest = await this.read(null);
    const follows = !this.steps || this.cursor.value >= this.steps.length - 1;
    this.steps = newest.training_steps;
    const place = follows ? this.steps.length - 1 : Math.min(this.cursor.value, this.steps.length - 1);
    this.cursor.range(this.steps.length - 1, place);
    await this.draw(place);
  }

  read(step) {
    return read('states', {
      run: this.training.run, layer: this.layer.value, quantity: this.quantity.value, step,
    });
  }

  async draw(place) {
    const found = await this.read(this.steps[place]);
    this.cursor.show(found.step.toLocaleString('en'));
    const title = `${quantityName(this.quantity.value)} of ${this.layer.value}, ${this.training.setting}`;
    this.values.title.textContent = title;
    this.shown = {values: rows(found.values), units: found.units};
    const largest = found.largest || 1;
    const scale = found.share ? {zmin: 0, zmax: 1, colorscale: SEQUENTIAL} :
      {zmin: -largest, zmax: largest, colorscale: DIVERGING};
    const z = this.shown.units.map((_, unit) => this.shown.values.map((row) => row[unit]));
    const broken = z.some((row) => row.some((value) => !Number.isFinite(value)));
    this.values.note.textContent = broken ? 'Where there is no colour, the time step is masked, or the value is not finite.' : '';
    await this.values.draw(
      [{
        type: 'heatmap', z: z.map((row) => row.map((value) => (Number.isFinite(value) ? value : null))),
        y: this.shown.units, ...scale, colorbar: {thickness: 12},
        hovertemplate: 'unit %{y}<br>time step %{x}<br>%{z:.3g}<extra></extra>',
      }],
      {xaxis: {title: {text: 'time step t'}}, yaxis: {title: {text: 'unit'}}},
    );
    this.received = rows(found.sequence);
    await this.drawSequence(this.received);
  }

  async drawSequence(sequence) {
    const features = sequence[0]?.length ?? 0;
    const of = (feature) => sequence.map((row) => (Number.isFinite(row[feature]) ? row[feature] : null));
    const all = Array.from({length: features}, (_, feature) => of(feature));
    const traces = features <= MOST_LINES
      ? all.map((values, feature) => ({
        type: 'scatter', mode: 'lines', y: values, name: `feature ${feature}`,
        hovertemplate: 'time step %{x}: %{y:.3g}<extra>%{fullData.name}</extra>',
      }))
      : [{type: 'heatmap', z: all, colorbar: {thickness: 12}, hovertemplate: 'feature %{y}<br>time step %{x}<br>%{z:.3g}<extra></extra>'}];
    await this.sequence.draw(traces, {
      showlegend: features > 1 && features <= MOST_LINES,
      xaxis: {title: {text: 'time step t'}},
      yaxis: {title: {text: plain(features <= MOST_LINES ? 'value' : 'feature')}},
    });
  }

  csv() {
    const {values, units} = this.shown;
    return [['time_step', ...units.map((unit) => `unit_${unit}`)], ...values.map((row, t) => [t, ...row])];
  }

  sequenceCsv() {
    const features = Array.from(this.received[0] ?? [], (_, feature) => `feature_${feature}`);
    return [['time_step', ...features], ...this.received.map((row, t) => [t, ...row])];
  }
}

function hasStates({states}) {
  return Object.keys(states).length > 0;
}
