/** The nodes of the graphs by type of operation, in each setting, and the way to the Graphs tab. */

import {read} from '../api.js';
import {Chart, plain} from '../charts.js';
import {button, element, menu, sentence, swatch} from '../dom.js';
import {View} from './view.js';

const PATIENCE = 30_000; // milliseconds that the Graphs tab may take to know its runs
const MOST = 20; // types that are drawn; the export has all of them

export class Graph extends View {
  static title = 'Graph';
  static nothing =
    'No graph was logged in this folder, and there is no comparison. Train with kerasunroll\'s ' +
    'comparison_callbacks(log_dir), and look again.';
  static fits(contents) {
    return contents.networks.length > 0;
  }

  build() {
    this.network = menu('Network', () => this.attempt(() => this.update()));
    this.parts = element('div');
    this.whole.replaceChildren(element('div', {className: 'controls'}, this.network.whole), this.parts);
  }

  async update() {
    const {networks} = this.contents;
    const trained = networks.find(({trainings}) => trainings.length);
    this.network.offer(networks.map(({name}) => [name, name]), trained?.name);
    const {graphs} = await read('graph', {network: this.network.value});
    this.charts = [];
    const none = sentence('Of this network no graph was logged or counted.');
    this.parts.replaceChildren(...(graphs.length ? graphs.map((graph) => this.part(graph)) : [none]));
    await Promise.all(this.charts.map((chart) => chart.redraw()));
  }

  part({name, settings}) {
    const types = [...new Set(settings.flatMap(({operations}) => Object.keys(operations)))];
    const most = (type) => Math.max(...settings.map(({operations}) => operations[type] ?? 0));
    types.sort((a, b) => most(b) - most(a));
    const csv = () => [
      ['operation', ...settings.map(({setting}) => setting)],
      ...types.map((type) => [type, ...settings.map(({operations}) => operations[type] ?? 0)]),
    ];
    const chart = new Chart(`Nodes of the ${name}, by type of operation`, {csv, tall: true});
    const shown = types.slice(0, MOST);
    chart.traces = settings.map(({setting, colour, operations}) => ({
      type: 'bar', name: plain(setting), x: shown.map(plain), y: shown.map((type) => operations[type] ?? 0),
      marker: {color: colour}, hovertemplate: '%{x}: %{y:,}<extra>%{fullData.name}</extra>',
    }));
    chart.layout = {barmode: 'group', showlegend: true, yaxis: {title: {text: 'nodes'}}, xaxis: {tickangle: -40}};
    const rest = types.length - shown.length;
    chart.note.textContent = rest > 0 ? `The ${MOST} most frequent types; ${rest} more are in the CSV.` : '';
    this.charts.push(chart);
    const totals = settings.map(({setting, colour, nodes, run}) => element(
      'li', {}, swatch(colour), `${setting}: ${nodes.toLocaleString('en')} nodes `,
      run ? button('Open in Graphs', () => openGraph(run), `The graph of run ${run}`) : null,
    ));
    return element('section', {}, chart.whole, element('ul', {className: 'totals'}, ...totals));
  }
}

/**
 * Open TensorBoard's Graphs tab at a run. TensorBoard 2.21 takes no run from an address (whatever it says, the first one
 * is shown), so the run is chosen as its own menu does, as soon as the tab has its list of runs.
 */
function openGraph(run) {
  window.parent.location.hash = '#graphs';
  const giveUp = Date.now() + PATIENCE;
  const choose = () => {
    const dashboard = window.parent.document.querySelector('tf-graph-dashboard');
    if (dashboard?._datasets?.some(({name}) => name === run)) dashboard.set('run', run);
    else if (Date.now() < giveUp) window.parent.setTimeout(choose, 100);
  };
  choose();
}
