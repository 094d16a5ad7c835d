/** Charts, drawn by plotly, whose script the plugin serves out of its Python package. */

import {element, button} from './dom.js';
import {ground} from './theme.js';

let loading = null;

export function loadPlotly() {
  loading ??= new Promise((resolve, reject) => {
    const script = element('script', {
      src: new URL('../plotly.min.js', import.meta.url).href,
      onload: () => resolve(window.Plotly),
      onerror: () => reject(new Error('The charts could not be loaded: reload the page.')),
    });
    document.head.append(script);
  });
  return loading;
}

/** A text for plotly, which would take parts of it as markup. */
export function plain(text) {
  return String(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

export const SEQUENTIAL = 'Viridis';
export const DIVERGING = [[0, '#2166ac'], [0.25, '#92c5de'], [0.5, '#f7f7f7'], [0.75, '#f4a582'], [1, '#b2182b']];
export const MASKED = '#d9d9d9';
export const NOT_FINITE = '#e6007e';
const TITLE = 30; // pixels, in a saved picture

/** A chart with a title, and buttons to export it. `csv` returns rows of cells, the head first. */
export class Chart {
  constructor(title, {csv = null, tall = false, className = ''} = {}) {
    this.title = element('h3', {}, title);
    this.plot = element('div', {className: `plot${tall ? ' tall' : ''}`});
    this.note = element('p', {className: 'note'});
    this.csv = csv;
    const exports = element('span', {className: 'exports'}, button('PNG', () => this.savePng(), 'Save as a picture'));
    if (csv) exports.append(button('CSV', () => this.saveCsv(), 'Save the numbers'));
    this.whole = element(
      'section', {className: `chart ${className}`}, element('header', {}, this.title, exports), this.plot, this.note,
    );
  }

  async draw(traces, layout) {
    const plotly = await loadPlotly();
    this.traces = traces;
    this.layout = layout;
    if (!this.plot.isConnected) return;
    await plotly.react(this.plot, traces, dressed(layout), {displayModeBar: false, responsive: true});
  }

  /** Draw again, in the colours of another theme. */
  redraw() {
    return this.traces ? this.draw(this.traces, this.layout) : undefined;
  }

  /** Move what is drawn over the chart, which is far cheaper than drawing it. */
  async move(shapes) {
    const plotly = await loadPlotly();
    if (this.plot.isConnected && this.traces) {
      this.layout.shapes = shapes;
      await plotly.relayout(this.plot, {shapes});
    }
  }

  async savePng() {
    const plotly = await loadPlotly();
    const {data, layout, clientWidth, clientHeight} = this.plot;
    const title = {text: plain(this.title.textContent), x: 0.02, y: 0.98, yanchor: 'top', font: {size: 15}};
    const picture = {data, layout: {...layout, title, margin: {...layout.margin, t: layout.margin.t + TITLE}}};
    const size = {width: clientWidth, height: clientHeight + TITLE};
    await plotly.downloadImage(picture, {format: 'png', scale: 2, filename: fileName(this.title.textContent), ...size});
  }

  saveCsv() {
    const quoted = (cell) => (/[",\r\n]/.test(String(cell)) ? `"${String(cell).replaceAll('"', '""')}"` : cell);
    const text = this.csv().map((row) => row.map(quoted).join(',')).join('\n');
    const address = URL.createObjectURL(new Blob([`${text}\n`], {type: 'text/csv'}));
    element('a', {href: address, download: `${fileName(this.title.textContent)}.csv`}).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  }
}

function fileName(title) {
  return title.replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-|-$/g, '').toLowerCase() || 'chart';
}

/** A layout with the colours of the theme. */
function dressed(layout) {
  const {text, grid, paper} = ground();
  const axis = (given = {}) => ({
    gridcolor: grid, zerolinecolor: grid, linecolor: grid, automargin: true, ...given,
    title: {standoff: 10, ...given.title},
  });
  const {xaxis, yaxis, ...rest} = layout;
  return {
    paper_bgcolor: paper,
    plot_bgcolor: paper,
    font: {color: text, family: 'Roboto, Arial, sans-serif', size: 12},
    margin: {l: 55, r: 15, t: 10, b: 45},
    hoverlabel: {namelength: -1},
    legend: {orientation: 'h', y: 1.02, yanchor: 'bottom', x: 0},
    ...rest,
    xaxis: axis(xaxis),
    yaxis: axis(yaxis),
  };
}

/** Powers of ten for a colour bar whose values are logarithms. */
export function powersOfTen(low, high, apart) {
  const values = [];
  for (let power = low; power <= high; power += apart) values.push(power);
  return {tickvals: values, ticktext: values.map((power) => (power === 0 ? '1' : `1e${power}`))};
}

/** How wide a line is: curves may lie on each other, so the first is broad and shows on both sides of the others. */
export function stroke(place, count) {
  return place === 0 && count > 1 ? 7 : 2.5;
}

/** A vertical line at x over the whole height. */
export function lineAt(x, colour, dash = 'solid') {
  return {type: 'line', xref: 'x', yref: 'paper', x0: x, x1: x, y0: 0, y1: 1, line: {color: colour, width: 2, dash}};
}
