/** What the views have in common. */

import {element} from '../dom.js';

export class View {
  constructor(tell) {
    this.tell = tell;
    this.whole = element('div', {className: 'view'});
    this.charts = [];
    this.built = false;
  }

  /** Show what there is; called again whenever there is something new. */
  async show(contents) {
    this.contents = contents;
    if (!this.built || !this.whole.firstChild?.dataset?.built) {
      this.build();
      if (this.whole.firstChild) this.whole.firstChild.dataset.built = 'yes';
      this.built = true;
    }
    await this.update();
  }

  /** Do something that may fail after a click, and tell why. */
  attempt(work) {
    return Promise.resolve().then(work).then(() => this.tell(''), (error) => this.tell(error.message));
  }

  redraw() {
    for (const chart of this.charts) chart.redraw();
  }
}

/** The trainings of all networks, each with the name of its network. */
export function trainings(contents) {
  return contents.networks.flatMap((network) =>
    network.trainings.map((training) => ({...training, network: network.name})));
}

/** What a quantity is called: `h`, or "forget gate". */
export function quantityName(quantity) {
  return quantity.replaceAll('_', ' ');
}

/** Return a function that does its work at most once per frame, with the newest argument. */
export function oncePerFrame(work) {
  let waiting = false;
  let newest;
  return (value) => {
    newest = value;
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      work(newest);
    });
  };
}
