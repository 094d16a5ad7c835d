/** The routes of the plugin. */

const cache = new Map();

/** Forget what was read: there is something new. */
export function forget() {
  cache.clear();
}

/** Return what a route answers; an answer is kept until `forget`. */
export function read(route, values = {}) {
  const address = new URL(`../${route}`, import.meta.url);
  for (const [name, value] of Object.entries(values)) {
    if (value !== null && value !== undefined) address.searchParams.set(name, value);
  }
  const key = address.href;
  if (!cache.has(key)) {
    const answer = fetchJson(address);
    cache.set(key, answer);
    answer.catch(() => cache.delete(key));
  }
  return cache.get(key);
}

/** Return what a route answers now. */
export async function fetchJson(address) {
  const response = await fetch(new URL(address, new URL('../', import.meta.url)));
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error ?? `TensorBoard answered with status ${response.status}.`);
  return answer;
}

/** Return rows of numbers from an array of the backend: base64 of float64, since JSON has no NaN. */
export function rows(array) {
  const text = atob(array.float64);
  const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  const numbers = new Float64Array(bytes.buffer);
  if (array.shape.length === 1) return numbers;
  const [count, width] = array.shape;
  return Array.from({length: count}, (_, row) => numbers.subarray(row * width, (row + 1) * width));
}
