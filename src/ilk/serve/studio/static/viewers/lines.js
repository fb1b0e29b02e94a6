/** Series as curves: one drawing for each item, all with the same axes; of several channels one curve each. */
import { h, svg } from "../lib/dom.js";
import { t } from "../lib/words.js";
import { frame, scale } from "./axes.js";
import { framed } from "./choose.js";

const WIDE = 320, HIGH = 160, BOX = { left: 42, right: WIDE - 8, top: 8, bottom: HIGH - 20 };
const MOST = 1200; // points of a curve that are drawn: of longer ones the least and greatest of each stretch

export function lines(items, info, at) {
  const y = scale(items.flatMap((item) => thinned(item.values)), BOX.bottom, BOX.top);
  return h("div", { class: "view-grid wide" }, items.map((item, i) => framed(i, item, at, curves(item, i, y))));
}

function curves({ shape, values }, i, y) {
  const [length, channels, place] = shape.length === 1 ? [shape[0], 1, (k) => k] : shape[0] === 1 ? [shape[1], 1, (k) => k] : [shape[0], shape[1], (k, c) => k * shape[1] + c];
  const x = scale([0, length - 1], BOX.left, BOX.right);
  const drawn = Array.from({ length: Math.min(channels, 8) }, (_, c) => {
    const series = Array.from({ length }, (_, k) => values[place(k, c)]);
    return svg("polyline", { class: `curve c${c}`, points: path(series, x, y) });
  });
  return svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, class: "view-chart", role: "img", "aria-label": t("viewers.series", { item: i + 1, length }) }, frame(x, y, BOX), drawn);
}

function path(series, x, y) {
  const places = series.length > MOST ? extremes(series) : series.map((v, k) => [k, v]);
  return places.filter(([, v]) => Number.isFinite(v)).map(([k, v]) => `${x.at(k).toFixed(1)},${y.at(v).toFixed(1)}`).join(" ");
}

/** The least and the greatest of each stretch of a long series, in order. */
export function extremes(series, most = MOST) {
  const size = Math.ceil((2 * series.length) / most), kept = [];
  for (let from = 0; from < series.length; from += size) {
    let low = from, high = from;
    for (let k = from; k < Math.min(from + size, series.length); k++) { if (series[k] < series[low]) low = k; if (series[k] > series[high]) high = k; }
    kept.push(...(low < high ? [low, high] : low > high ? [high, low] : [low]).map((k) => [k, series[k]]));
  }
  return kept;
}

const thinned = (values) => (values.length > MOST ? extremes(values).map(([, v]) => v) : values);
