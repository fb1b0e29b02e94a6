/** Scales with round ticks, and the frame of a drawing. */
import { ticks } from "../lib/chart.js";
import { svg } from "../lib/dom.js";
import { number } from "../lib/words.js";

/** From numbers to places, and the round numbers in between. Nothing finite: 0 to 1. */
export function scale(values, from, to, n = 4) {
  let low = Infinity, high = -Infinity;
  for (const v of values) if (Number.isFinite(v)) { low = Math.min(low, v); high = Math.max(high, v); }
  if (!(low <= high)) [low, high] = [0, 1];
  if (low === high) [low, high] = [low - (Math.abs(low) || 1) / 2, high + (Math.abs(high) || 1) / 2];
  return { at: (v) => from + ((v - low) / (high - low)) * (to - from), marks: ticks(low, high, n), low, high };
}

/** Lines and numbers of two scales within a drawing. */
export function frame(x, y, { left, right, top, bottom }) {
  return svg("g", { class: "axes" },
    x.marks.map((v) => svg("g", {}, svg("line", { x1: x.at(v), x2: x.at(v), y1: top, y2: bottom }), svg("text", { x: x.at(v), y: bottom + 12, "text-anchor": "middle" }, number(v, 3)))),
    y.marks.map((v) => svg("g", {}, svg("line", { x1: left, x2: right, y1: y.at(v), y2: y.at(v) }), svg("text", { x: left - 4, y: y.at(v) + 3, "text-anchor": "end" }, number(v, 3)))));
}
