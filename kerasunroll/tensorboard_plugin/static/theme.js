/** Light or dark, as TensorBoard around this frame is. */

function outside() {
  try {
    return window.parent.document.body;
  } catch {
    return document.body;
  }
}

export function isDark() {
  const body = outside();
  return body.classList.contains('dark-mode') || body.ownerDocument.documentElement.classList.contains('dark-mode');
}

/** Follow TensorBoard's theme, and call `onchange` whenever it changes. */
export function followTheme(onchange) {
  const apply = () => {
    const theme = isDark() ? 'dark' : 'light';
    if (document.documentElement.dataset.theme === theme) return;
    document.documentElement.dataset.theme = theme;
    onchange();
  };
  apply();
  new MutationObserver(apply).observe(outside(), {attributes: true, attributeFilter: ['class']});
}

/** A colour of a setting as it is drawn on this ground: black lines are not seen on black. */
export function ground() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  return {text: of('--text'), grid: of('--line'), paper: of('--card'), faint: of('--faint')};
}
