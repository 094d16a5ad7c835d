/** Gradients on their way back through time: two of them side by side, and their difference. */

import {Chart, DIVERGING, lineAt, plain, stroke} from '../charts.js';
import {element, menu, slider} from '../dom.js';
import {ground} from '../theme.js';
import {
  GradientMap, heatmapLayout, isBroken, longTable, nearest, normName, transposed, wayBack,
} from './gradient_map.js';
import {View, oncePerFrame, quantityName, trainings} from './view.js';

const LEAST_SCALE = 0.05; // of the difference, in decades: below, rounding would look like something

export class Gradients extends View {
  static title = 'Gradients';
  static nothing =
    'No gradients through time were logged in this folder. Train with kerasunroll\'s comparison_callbacks(log_dir), ' +
    'or with GradientFlowLogger(log_dir), and look again.';
  static fits(contents) {
    return trainings(contents).some(hasGradients);
  }

  build() {
    const again = () => this.attempt(() => this.update());
    this.sides = ['left', 'right'].map((name) => new GradientMap(name, again));
    this.quantity = menu('Gradient of the loss with respect to', again);
    this.move = oncePerFrame(() => this.showCursor());
    this.cursor = slider('Training step', () => this.move());
    this.difference = new Chart('Difference: right over left', {tall: true, csv: () => this.differenceCsv()});
    this.curve = new Chart('Norm over the time steps', {csv: () => this.curveCsv(), className: 'whole'});
    this.charts = [...this.sides.map((side) => side.chart), this.difference, this.curve];
    this.sides.forEach((side) => side.chart.plot.addEventListener('click', (event) => this.clicked(side, event), true));
    this.whole.replaceChildren(
      element('div', {className: 'controls'}, ...this.sides.map((side) => side.menus), this.quantity.whole),
      element('div', {className: 'grid three'}, ...this.sides.map((side) => side.chart.whole), this.difference.whole),
      element('div', {className: 'controls'}, this.cursor.whole),
      this.curve.whole,
    );
  }

  async update() {
    const all = trainings(this.contents).filter(hasGradients);
    const [left, right] = preferred(all);
    this.sides[0].offer(all, left);
    this.sides[1].offer(all, right);
    const apart = this.sides[0].training.network !== this.sides[1].training.network;
    for (const side of this.sides) side.apart = apart;
    const [ofLeft, ofRight] = this.sides.map((side) => side.quantities);
    const shared = ofLeft.filter((name) => ofRight.includes(name));
    this.quantity.offer(shared.map((name) => [name, quantityName(name)]), 'h');
    if (!shared.length) throw new Error('These two layers have no gradient in common: choose other ones.');
    await Promise.all(this.sides.map((side) => side.load(this.quantity.value)));
    const steps = this.sides[0].steps;
    const follows = !this.steps?.length || this.cursor.value >= this.steps.length - 1;
    this.steps = steps;
    this.cursor.range(steps.length - 1, follows ? steps.length - 1 : this.cursor.value);
    await Promise.all([...this.sides.map((side) => side.draw(this.quantity.value)), this.drawDifference()]);
    await this.showCursor();
  }

  redraw() {
    super.redraw();
    return this.attempt(() => this.showCursor());
  }

  clicked(side, event) {
    const axis = side.chart.plot._fullLayout?.xaxis;
    if (!axis) return;
    const at = axis.p2d(event.clientX - side.chart.plot.getBoundingClientRect().left - axis._offset);
    this.cursor.range(this.steps.length - 1, nearest(this.steps, at));
    this.move();
  }

  /** The training steps and time steps that both have. */
  shared() {
    const [left, right] = this.sides;
    if (left.width !== right.width) return null;
    const places = new Map(right.steps.map((step, place) => [step, place]));
    const pairs = left.steps.flatMap((step, place) => (places.has(step) ? [[step, place, places.get(step)]] : []));
    return pairs.length ? pairs : null;
  }

  async drawDifference() {
    const [left, right] = this.sides;
    const pairs = this.shared();
    if (!pairs) {
      const why = left.width === right.width ? 'No training step was logged on both sides.' :
        `The sequences have ${left.width} and ${right.width} time steps: there is no difference to draw.`;
      this.ratios = null;
      this.difference.note.textContent = why;
      this.difference.plot.hidden = true;
      return;
    }
    this.difference.plot.hidden = false;
    let largest = 0;
    let broken = false;
    let worst = null;
    let scale = LEAST_SCALE;
    const columns = pairs.map(([step, ours, theirs]) => Array.from({length: left.width}, (_, t) => {
      const [a, b] = [left.norms[ours][t], right.norms[theirs][t]];
      const masked = left.masked ? left.masked[ours][t] : 0;
      broken ||= isBroken(a, masked) || isBroken(b, masked);
      if (!(a > 0) || !(b > 0) || a === b) return a === b ? 0 : null;
      const off = Math.abs(b - a) / a;
      if (off > largest) [largest, worst] = [off, [t, step]];
      const decades = Math.log10(b / a);
      scale = Math.max(scale, Math.min(3, Math.abs(decades)));
      return decades;
    }));
    this.ratios = {steps: pairs.map(([step]) => step), columns};
    const said = worst
      ? `Largest difference: ${largest.toExponential(1)} of the left norm, at time step ${worst[0]}, training step ${worst[1]}.`
      : 'No difference, to the last bit.';
    this.difference.note.textContent = broken ? `${said} (Where norms are NaN or infinite, nothing is compared.)` : said;
    const bar = {title: {text: 'factor', side: 'right'}, ...factors(scale), thickness: 12};
    await this.difference.draw(
      [{
        type: 'heatmap', x: this.ratios.steps, z: transposed(columns, left.width), zmin: -scale, zmax: scale,
        colorscale: DIVERGING, colorbar: bar,
        customdata: transposed(columns.map((column) => column.map(factor)), left.width),
        hovertemplate: 'training step %{x}<br>time step %{y}<br>right / left %{customdata:.6g}<extra></extra>',
      }],
      heatmapLayout(this.ratios.steps),
    );
  }

  async showCursor() {
    const step = this.steps[this.cursor.value];
    this.cursor.show(step?.toLocaleString('en') ?? '');
    if (step === undefined) return;
    const line = [lineAt(step, '#ffffff', 'solid'), lineAt(step, '#000000', 'dot')];
    await Promise.all([...this.sides.map((side) => side.chart.move(line)), this.difference.move(line)]);
    await this.drawCurve(step);
  }

  async drawCurve(step) {
    const {text} = ground();
    const shown = this.sides.map((side) => side.at(step));
    this.curves = shown;
    const traces = shown.map(({norms, label, step: own}, place) => ({
      type: 'scatter', mode: 'lines', name: plain(`${label}, training step ${own}`),
      x: Array.from(norms, (_, t) => t), y: Array.from(norms, (norm) => (norm > 0 ? norm : null)),
      line: {color: this.sides[place].training.colour, width: stroke(place, 2), dash: place ? 'dash' : 'solid'},
      hovertemplate: 'time step %{x}: %{y:.4g}<extra>%{fullData.name}</extra>',
    }));
    const shapes = shown.flatMap(({vanishing}, place) =>
      vanishing === null ? [] : [lineAt(vanishing, this.sides[place].training.colour || text, 'dot')]);
    this.curve.note.textContent = shown.map(reach).join(' ');
    await this.curve.draw(traces, {
      shapes,
      xaxis: {title: {text: 'time step t'}},
      yaxis: {type: 'log', exponentformat: 'e', title: {text: plain(normName(this.quantity.value))}},
    });
  }

  differenceCsv() {
    const {steps, columns} = this.ratios ?? {steps: [], columns: []};
    return longTable('right_over_left', steps, columns.map((column) => column.map(factor)));
  }

  curveCsv() {
    const head = ['time_step', ...this.curves.map(({label, step}) => `${label}, training step ${step}`)];
    const count = Math.max(...this.curves.map(({norms}) => norms.length));
    return [head, ...Array.from({length: count}, (_, t) => [t, ...this.curves.map(({norms}) => norms[t] ?? '')])];
  }
}

/** How far a gradient reaches, in a sentence. */
function reach({norms, masked, vanishing, label, backwards}) {
  const broken = norms.filter((norm, t) => isBroken(norm, masked ? masked[t] : 0)).length;
  const said = broken ? [`NaN or infinite at ${broken} time step${broken > 1 ? 's' : ''}`] : [];
  if (vanishing !== null) said.push(`vanished (below a millionth) from time step ${vanishing} ${wayBack({backwards})} (dotted)`);
  else if (norms.some((norm) => norm > 0 && norm < Infinity)) said.push(`nowhere below a millionth of the norm ${backwards ? 'at t = 0' : 'at the last time step'}`);
  else if (!broken) said.push('no gradient arrives, it is 0 at every time step');
  return `${label}: ${said.join('; ')}.`;
}

function hasGradients({gradients}) {
  return Object.keys(gradients).length > 0;
}

/** Loop and full of one network, where there are both. */
function preferred(all) {
  const first = all.find(({setting}) => setting === 'loop') ?? all[0];
  const others = all.filter(({network, run}) => network === first.network && run !== first.run);
  const second = others.find(({setting}) => setting === 'full') ?? others[0] ?? first;
  return [first.run, second.run];
}

/** What a number of decades is; nothing where nothing could be compared. */
function factor(decades) {
  return decades === null ? '' : 10 ** decades;
}

function factors(scale) {
  const digits = scale < 0.5 ? 2 : 1;
  const values = [-scale, -scale / 2, 0, scale / 2, scale];
  return {tickvals: values, ticktext: values.map((value) => `${(10 ** value).toPrecision(digits + 1)}×`)};
}
