/** Figures of a model beside what a trivial model and real items get. */
import { h, svg } from "../lib/dom.js";
import { number, t } from "../lib/words.js";

/** A table of what `ilk evaluate` says: {metrics, skipped}. */
export function figures({ metrics, skipped = {} }) {
  const head = ["name", "value", "floor", "ceiling", "place", "n"].map((key) => h("th", { scope: "col", class: ["value", "floor", "ceiling", "n"].includes(key) ? "numeric" : null }, t(`judge.${key}`)));
  const rows = metrics.map((m) => h("tr", {}, h("th", { scope: "row", title: m.convention }, m.name, " ", h("span", { class: "soft small" }, t(`judge.better.${m.better}`, { or: null }) ?? "")),
    h("td", { class: "numeric" }, number(m.value), m.se ? h("span", { class: "soft" }, ` ± ${number(m.se, 2)}`) : null), h("td", { class: "numeric" }, number(m.floor)), h("td", { class: "numeric" }, number(m.ceiling)), h("td", {}, track(m)), h("td", { class: "numeric" }, number(m.n))));
  const left = Object.entries(skipped);
  return h("div", { class: "stack" }, h("p", { class: "help" }, t("judge.figures.help")), h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": t("judge.figures") }, h("table", { class: "figures" }, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows))),
    left.length > 0 && h("details", {}, h("summary", {}, t("judge.skipped", { n: left.length })), h("ul", {}, left.map(([name, why]) => h("li", {}, h("b", {}, name), `: ${why}`)))));
}

/** Where a figure is between the floor (left) and the ceiling (right), with its standard error. Nothing where neither is known. */
export function track({ value, se, floor, ceiling, better }) {
  if (!Number.isFinite(value) || (!Number.isFinite(floor) && !Number.isFinite(ceiling))) return null;
  const known = [value, floor, ceiling].filter(Number.isFinite), low = Math.min(...known), high = Math.max(...known), turn = better === "lower";
  const at = (v) => { const part = high > low ? (v - low) / (high - low) : 0.5; return 8 + 144 * (turn ? 1 - part : part); };
  const clip = (x) => Math.max(2, Math.min(158, x));
  const told = t("judge.track", { value: number(value), floor: number(floor), ceiling: number(ceiling) });
  return svg("svg", { viewBox: "0 0 160 18", class: "judge-track", role: "img", "aria-label": told }, svg("line", { x1: 8, x2: 152, y1: 9, y2: 9 }),
    Number.isFinite(floor) && svg("line", { class: "floor", x1: at(floor), x2: at(floor), y1: 3, y2: 15 }), Number.isFinite(ceiling) && svg("line", { class: "ceiling", x1: at(ceiling), x2: at(ceiling), y1: 3, y2: 15 }),
    se > 0 && svg("line", { class: "error", x1: clip(at(value - se)), x2: clip(at(value + se)), y1: 9, y2: 9 }), svg("circle", { cx: at(value), cy: 9, r: 4.5 }));
}
