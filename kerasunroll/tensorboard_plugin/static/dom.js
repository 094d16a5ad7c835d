/** Elements of the page. Texts are set as text, never as HTML: names of runs and layers come from users. */

export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === 'style') {
      for (const [rule, setting] of Object.entries(value)) made.style.setProperty(rule, setting);
    } else if (name.startsWith('on')) {
      made.addEventListener(name.slice(2), value);
    } else if (name in made && !name.startsWith('aria')) {
      made[name] = value;
    } else {
      made.setAttribute(name, value);
    }
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** A menu; `options` are pairs of a value and a text. */
export function menu(label, onchange) {
  const select = element('select', {onchange: () => onchange(select.value)});
  const whole = element('label', {className: 'field'}, element('span', {}, label), select);
  return {
    whole,
    get value() {
      return select.value;
    },
    /** Offer these; keep what was chosen if it is still there, else take `preferred`, else the first. */
    offer(options, preferred) {
      const before = select.value;
      select.replaceChildren(...options.map(([value, text]) => element('option', {value}, text)));
      const values = options.map(([value]) => value);
      const wanted = [before, preferred].find((value) => values.includes(value));
      select.value = wanted ?? values[0] ?? '';
      whole.hidden = options.length < 1;
      return select.value;
    },
    choose(value) {
      select.value = value;
    },
  };
}

export function slider(label, oninput) {
  const input = element('input', {type: 'range', min: 0, step: 1, oninput: () => oninput(Number(input.value))});
  const shown = element('output');
  const whole = element('label', {className: 'field wide'}, element('span', {}, label), input, shown);
  return {
    whole,
    get value() {
      return Number(input.value);
    },
    range(most, value) {
      input.max = most;
      input.value = value;
    },
    show(text) {
      shown.textContent = text;
      input.setAttribute('aria-valuetext', text); // its value is but a place on the slider
    },
  };
}

export function button(text, onclick, title = '') {
  return element('button', {type: 'button', onclick, title}, text);
}

export function swatch(colour) {
  return element('span', {className: 'swatch', style: {'background-color': colour}});
}

export function sentence(text) {
  return element('p', {className: 'sentence'}, text);
}
