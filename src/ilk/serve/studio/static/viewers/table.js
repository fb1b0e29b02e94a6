/** Rows: sorted by any column, numbers to the right, the distribution of each column on demand. */
import { button, h, svg } from "../lib/dom.js";
import { number, t } from "../lib/words.js";
import { chooseButton } from "./choose.js";

const PAGE = 200, BARS = 12;

export function table(items, info, at) {
  const rows = items.map(row), columns = at.columns ?? [...new Set(rows.flatMap(Object.keys))];
  const state = { by: null, down: false, shown: PAGE, spread: false };
  const place = h("div", { class: "view-table" });
  const draw = () => place.replaceChildren(...drawn(rows, items, columns, state, at, draw));
  draw();
  return place;
}

/** Any item as a row: what is no row has columns 1, 2, ... */
function row(item) {
  return Array.isArray(item?.values) ? Object.fromEntries(item.values.map((v, k) => [String(k + 1), v])) : item;
}

function drawn(rows, items, columns, state, at, draw) {
  const order = sorted(rows, state), numeric = new Set(columns.filter((c) => rows.every((r) => r[c] === null || r[c] === undefined || typeof r[c] === "number")));
  const spread = h("input", { type: "checkbox", checked: state.spread, on: { change: (e) => { state.spread = e.target.checked; draw(); } } });
  const head = h("thead", {}, h("tr", {}, h("th", { scope: "col", class: "view-count" }, "#"), columns.map((c) => header(c, state, numeric.has(c), draw))),
    state.spread && h("tr", { class: "view-spread" }, h("td"), columns.map((c) => h("td", {}, bars(rows.map((r) => r[c]), numeric.has(c))))));
  const body = h("tbody", {}, order.slice(0, state.shown).map((i) => h("tr", { class: at.selected.has(i) ? "chosen" : null, data: { item: i } },
    h("th", { scope: "row", class: "view-count" }, chooseButton(i, items[i], at)), columns.map((c) => cell(rows[i][c], numeric.has(c))))));
  return [h("label", { class: "view-as" }, spread, h("span", {}, t("viewers.spread"))), h("div", { class: "view-scroll", tabindex: "0", role: "region", "aria-label": t("viewers.table") }, h("table", {}, head, body)),
    order.length > state.shown && button(t("viewers.more", { n: order.length - state.shown }), () => { state.shown += 5 * PAGE; draw(); })].filter(Boolean);
}

function header(column, state, numeric, draw) {
  const now = state.by === column ? (state.down ? "descending" : "ascending") : "none";
  const sort = () => { [state.by, state.down] = now === "descending" ? [null, false] : [column, now === "ascending"]; draw(); };
  const mark = { ascending: " ↑", descending: " ↓", none: "" }[now];
  return h("th", { scope: "col", class: numeric ? "number" : null, "aria-sort": now }, h("button", { type: "button", title: t("viewers.sort"), on: { click: sort } }, column + mark));
}

/** The order of rows; empty cells come last either way. */
export function sorted(rows, { by, down }) {
  const order = rows.map((_, i) => i);
  if (by === null) return order;
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
  const empty = (v) => v === null || v === undefined || v === "";
  return order.sort((i, j) => empty(rows[i][by]) - empty(rows[j][by]) || (down ? -1 : 1) * (empty(rows[i][by]) ? 0 : compare(rows[i][by], rows[j][by])) || i - j);
}

function cell(value, numeric) {
  if (value === null || value === undefined) return h("td", { class: numeric ? "empty number" : "empty", "aria-label": t("viewers.empty") }, "–");
  const told = typeof value === "number" ? number(value, 6) : typeof value === "object" ? JSON.stringify(value) : String(value);
  return h("td", { class: numeric ? "number" : null, dir: numeric ? null : "auto", title: told.length > 60 ? told : null }, told);
}

function bars(values, numeric) {
  const counts = numeric ? histogram(values.filter(Number.isFinite)) : kinds(values), most = Math.max(1, ...counts);
  const told = t("viewers.bars", { n: counts.length, most });
  return svg("svg", { viewBox: `0 0 ${counts.length * 8} 32`, class: "view-bars", preserveAspectRatio: "none", role: "img", "aria-label": told },
    counts.map((n, k) => svg("rect", { x: k * 8 + 1, width: 6, y: 32 - (30 * n) / most, height: (30 * n) / most })));
}

/** Counts in bins of equal width. */
export function histogram(values, bins = BARS) {
  const counts = new Array(bins).fill(0), low = values.reduce((a, b) => Math.min(a, b), Infinity), high = values.reduce((a, b) => Math.max(a, b), -Infinity);
  for (const v of values) counts[Math.min(bins - 1, Math.floor((bins * (v - low)) / (high - low || 1)))] += 1;
  return counts;
}

function kinds(values) {
  const counts = new Map();
  for (const v of values) if (v !== null && v !== undefined) counts.set(String(v), (counts.get(String(v)) ?? 0) + 1);
  return [...counts.values()].sort((a, b) => b - a).slice(0, BARS);
}
