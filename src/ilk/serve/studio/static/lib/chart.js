/** Live curves. Colours and looks are the style sheet's; the last values stand beside the names, so that colour is not all there is. */

import { fill, h, newId, svg } from "./dom.js";
import { number } from "./words.js";

const MOST = 2000;
const [WIDE, HIGH, LEFT, BOTTOM, TOP, RIGHT] = [640, 220, 54, 26, 12, 10];

/** `add(series, x, y)` draws on; `series` is [{id, label}]. `title` and `describe(points by series)` say it in words. */
export function chart({ title, series, across, describe = () => "" }) {
  const points = new Map(series.map((s) => [s.id, []]));
  const [name, told] = [newId("chart"), newId("chart")];
  const drawing = svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-labelledby": `${name} ${told}`, preserveAspectRatio: "none" });
  const key = h("div", { class: "key" });
  let waiting = false;
  const draw = () => {
    waiting = false;
    const all = [...points.values()].flat();
    fill(key, series.filter((s) => points.get(s.id).length).map((s) => h("span", { class: s.id }, s.label, " ", h("b", {}, number(points.get(s.id).at(-1)[1])))), h("span", { class: "soft" }, across));
    fill(drawing, svg("title", { id: name }, title), svg("desc", { id: told }, describe(points)), all.length > 1 ? frame(all, series.map((s) => [s.id, points.get(s.id)])) : null);
  };
  const add = (id, x, y) => {
    if (!Number.isFinite(y) || !points.has(id)) return;
    const line = points.get(id);
    line.push([x, y]);
    if (line.length > MOST) points.set(id, line.filter((_, i) => i % 2 === 0 || i === line.length - 1));
    if (!waiting) requestAnimationFrame(draw);
    waiting = true;
  };
  draw();
  return { element: h("figure", { class: "chart" }, drawing, h("figcaption", {}, key)), add, clear: () => { points.forEach((p) => p.splice(0)); draw(); } };
}

/** Round numbers between two, about `n` of them. */
export function ticks(low, high, n) {
  const rough = (high - low) / n || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough);
  const found = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step * 1e-9; at += step) found.push(Number(at.toPrecision(12)));
  return found;
}

function frame(all, lines) {
  const ys = all.map((p) => p[1]).sort((a, b) => a - b);
  const [x0, x1] = [Math.min(...all.map((p) => p[0])), Math.max(...all.map((p) => p[0]))];
  const low = ys[0], high = ys[Math.floor((ys.length - 1) * (ys.length > 40 ? 0.98 : 1))];
  const pad = (high - low) * 0.06 || Math.abs(high) * 0.05 || 1;
  const x = (v) => LEFT + ((WIDE - LEFT - RIGHT) * (v - x0)) / (x1 - x0 || 1);
  const y = (v) => Math.max(TOP - 4, HIGH - BOTTOM - ((HIGH - BOTTOM - TOP) * (v - low + pad)) / (high - low + 2 * pad));
  const rows = ticks(low - pad, high + pad, 4).map((v) => svg("g", {}, svg("line", { class: "grid", x1: LEFT, x2: WIDE - RIGHT, y1: y(v), y2: y(v) }), svg("text", { x: LEFT - 8, y: y(v) + 4, "text-anchor": "end" }, number(v))));
  const columns = ticks(x0, x1, 5).map((v) => svg("text", { x: x(v), y: HIGH - 8, "text-anchor": "middle" }, number(v)));
  const curves = lines.filter(([, p]) => p.length).map(([id, p]) => [svg("path", { class: `curve ${id}`, d: p.map(([a, b], i) => `${i ? "L" : "M"}${x(a).toFixed(1)} ${y(b).toFixed(1)}`).join("") }),
    svg("circle", { class: `dot ${id}`, cx: x(p.at(-1)[0]), cy: y(p.at(-1)[1]), r: 3.5 })]);
  const best = lines.filter(([id, p]) => id === "valid" && p.length > 2).map(([, p]) => p.reduce((a, b) => (b[1] < a[1] ? b : a)));
  const rings = best.map(([a, b]) => [svg("line", { class: "best", x1: x(a), x2: x(a), y1: TOP, y2: HIGH - BOTTOM }), svg("circle", { class: "ring", cx: x(a), cy: y(b), r: 5 })]);
  return [...rows, ...columns, ...rings.flat(), ...curves.flat()];
}
