/** Points of the plane: all items of two numbers in one drawing, or of each item its own points. */
import { h, svg } from "../lib/dom.js";
import { number, t } from "../lib/words.js";
import { frame, scale } from "./axes.js";
import { framed } from "./choose.js";

const SIDE = 320, BOX = { left: 42, right: SIDE - 8, top: 8, bottom: SIDE - 20 };

export function points(items, info, at) {
  const pairs = (item) => Array.from({ length: item.values.length / 2 }, (_, k) => [item.values[2 * k], item.values[2 * k + 1]]);
  if (items[0].shape.length === 1) return scatter(items.map((item) => item.values), { at, items, large: true });
  return h("div", { class: "view-grid wide" }, items.map((item, i) => framed(i, item, at, scatter(pairs(item), {}))));
}

function scatter(pairs, { at, items, large }) {
  const x = scale(pairs.map((p) => p[0]), BOX.left, BOX.right), y = scale(pairs.map((p) => p[1]), BOX.bottom, BOX.top);
  const size = pairs.length > 400 ? 1.4 : pairs.length > 60 ? 2.2 : 3.2;
  const dots = pairs.map((p, i) => dot(p, i, x, y, size, at, items)).filter(Boolean);
  return svg("svg", { viewBox: `0 0 ${SIDE} ${SIDE}`, class: `view-chart${large ? " large" : ""}`, role: "img", "aria-label": t("viewers.points", { n: pairs.length }) }, frame(x, y, BOX), dots);
}

function dot([a, b], i, x, y, size, at, items) {
  if (!Number.isFinite(a) || !Number.isFinite(b)) return null;
  const mark = svg("circle", { cx: x.at(a).toFixed(1), cy: y.at(b).toFixed(1), r: size, class: at?.selected.has(i) ? "dot chosen" : "dot" }, svg("title", {}, `${number(a)}, ${number(b)}`));
  if (at?.onSelect) mark.addEventListener("click", () => {
    const chosen = mark.classList.toggle("chosen");
    at.selected[chosen ? "add" : "delete"](i);
    at.onSelect(i, items[i], chosen);
  });
  return mark;
}
