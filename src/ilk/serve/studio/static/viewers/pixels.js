/** Arrays of two places (or three, with 1 or 3 channels) as pictures; the range of values is told. */
import { h } from "../lib/dom.js";
import { number, t } from "../lib/words.js";
import { grid } from "./pictures.js";

export function pixels(items, info, at) {
  const [low, high] = range(items);
  return h("div", {}, h("p", { class: "soft" }, t("viewers.range", { low: number(low), high: number(high) })), grid(items, at, (item) => painted(item, low, high)));
}

/** The range that black and white stand for: a usual one that holds all values, else from the least to the greatest. */
export function range(items) {
  let low = Infinity, high = -Infinity;
  for (const { values } of items) for (const v of values) if (Number.isFinite(v)) { low = Math.min(low, v); high = Math.max(high, v); }
  for (const [a, b] of [[0, 1], [-1, 1], [0, 255]]) if (low >= a && high <= b && high > a + (b - a) / 4) return [a, b];
  return low < high ? [low, high] : [low, low + 1];
}

/** Rows, columns, channels, and where channel c of row r, column k is among the values. */
function layout([a, b, c]) {
  if (c === undefined) return [a, b, 1, (r, k) => r * b + k];
  if (c === 1 || c === 3) return [a, b, c, (r, k, q) => (r * b + k) * c + q];
  return [b, c, a, (r, k, q) => (q * b + r) * c + k];
}

function painted({ shape, values }, low, high) {
  const [rows, columns, channels, place] = layout(shape);
  const canvas = h("canvas", { width: columns, height: rows, class: "sharp", role: "img", "aria-label": `${rows} × ${columns}` });
  const pen = canvas.getContext("2d"), image = pen.createImageData(columns, rows);
  for (let r = 0; r < rows; r++) for (let k = 0; k < columns; k++) for (let q = 0; q < 4; q++) {
    image.data[(r * columns + k) * 4 + q] = q === 3 ? 255 : (255 * (values[place(r, k, channels === 3 ? q : 0)] - low)) / (high - low);
  }
  pen.putImageData(image, 0, 0);
  return canvas;
}
