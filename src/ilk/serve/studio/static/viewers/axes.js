/** Scales with round ticks, and the frame of a drawing. */
import { svg } from "../lib/dom.js";
import { number } from "../lib/words.js";

/** From numbers to places, and the round numbers in between. Nothing finite: 0 to 1. */
export function scale(values, from, to, ticks = 4) {
  let low = Infinity, high = -Infinity;
  for (const v of values) if (Number.isFinite(v)) { low = Math.min(low, v); high = Math.max(high, v); }
  if (!(low <= high)) [low, high] = [0, 1];
  if (low === high) [low, high] = [low - (Math.abs(low) || 1) / 2, high + (Math.abs(high) || 1) / 2];
  const rough = (high - low) / ticks, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((k) => k * power >= rough) ?? 10);
  const marks = [];
  for (let v = Math.ceil(low / step) * step; v <= high + step * 1e-9; v += step) marks.push(Math.abs(v) < step * 1e-9 ? 0 : v);
  return { at: (v) => from + ((v - low) / (high - low)) * (to - from), marks, low, high };
}

/** Lines and numbers of two scales within a drawing. */
export function frame(x, y, { left, right, top, bottom }) {
  return svg("g", { class: "axes" },
    x.marks.map((v) => svg("g", {}, svg("line", { x1: x.at(v), x2: x.at(v), y1: top, y2: bottom }), svg("text", { x: x.at(v), y: bottom + 12, "text-anchor": "middle" }, number(v, 3)))),
    y.marks.map((v) => svg("g", {}, svg("line", { x1: left, x2: right, y1: y.at(v), y2: y.at(v) }), svg("text", { x: left - 4, y: y.at(v) + 3, "text-anchor": "end" }, number(v, 3)))));
}
