/** Rows that are changed in place: empty cells are filled, chosen columns made anew. */
import { post } from "../lib/api.js";
import { button, h } from "../lib/dom.js";
import { form } from "../lib/form.js";
import { toast } from "../lib/toast.js";
import { number, t } from "../lib/words.js";

const MOST = 200; // rows that are shown

/** An element that works on rows; `use(rows, marks)` when they have changed: marks are the cells ("row column") that the model wrote. */
export function cellEditor(model, facts, { items, marks = [] }, { run, follow, use }) {
  const rows = items.map((row) => ({ ...row })), columns = [...new Set(rows.flatMap(Object.keys))], filled = new Set(marks), redo = new Set();
  const numeric = new Set((facts.givens ?? []).filter((given) => given.type === "number").map((given) => given.part));
  for (const c of columns) if (rows.some((row) => typeof row[c] === "number") && rows.every((row) => row[c] === null || typeof row[c] === "number")) numeric.add(c);
  const wanted = form([{ name: "seed", label: t("edit.seed"), type: "seed", default: 0 }]);
  const settle = (before, answer) => {
    const wrote = answer.items.flatMap((row, i) => columns.filter((c) => before[i]?.[c] !== row[c]).map((c) => `${i} ${c}`));
    use(answer.items, wrote);
    return h("p", { class: "soft" }, t("edit.wrote", { n: wrote.length }));
  };
  const impute = () => {
    if (!rows.some((row) => columns.some((c) => row[c] === null))) { toast(t("edit.nothing_empty"), "bad"); return; }
    follow(async (signal) => settle(rows, await post("/v1/impute", { model, items: rows, ...wanted.values() }, { signal })));
  };
  const again = () => {
    if (!redo.size) { toast(t("edit.no_column"), "bad"); return; }
    run("/v1/edit", { model, items: rows, redo: [...redo], n: 1, ...wanted.values() }, (answer) => settle(rows, answer));
  };
  const table = h("table", { class: "cells" }, h("thead", {}, h("tr", {}, columns.map((c) => head(c, redo)))),
    h("tbody", {}, rows.slice(0, MOST).map((row, i) => h("tr", {}, columns.map((c) => cell(row, i, c, numeric.has(c), filled, () => use(rows.map((r) => ({ ...r })), [...filled], true)))))));
  return h("div", { class: "stack" }, h("p", { class: "help" }, t("edit.cells.help")), h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": t("viewers.table") }, table),
    rows.length > MOST && h("p", { class: "soft small" }, t("edit.rows.more", { n: rows.length - MOST })), wanted.element,
    h("div", { class: "row end" }, button(t("edit.fill"), impute, { kind: "primary" }), button(t("edit.redo_columns"), again, { kind: "plain" })));
}

function head(column, redo) {
  const box = h("input", { type: "checkbox", "aria-label": t("edit.redo_column", { column }), on: { change: () => redo[box.checked ? "add" : "delete"](column) } });
  return h("th", { scope: "col" }, h("label", { class: "row" }, box, column));
}

function cell(row, i, column, numeric, filled, changed) {
  const value = row[column], place = `${i} ${column}`;
  const input = h("input", { type: numeric ? "number" : "text", step: "any", value: value === null || value === undefined ? "" : String(value), placeholder: t("viewers.empty"), "aria-label": `${column}, ${i + 1}`, autocomplete: "off",
    title: typeof value === "number" ? number(value, 6) : null, on: { change: () => { row[column] = read(input.value, value, numeric); filled.delete(place); input.parentElement.classList.remove("filled"); changed(); } } });
  return h("td", { class: filled.has(place) ? "filled" : null }, input, filled.has(place) && h("span", { class: "unseen" }, t("edit.filled")));
}

function read(text, before, numeric) {
  if (text === "") return null;
  if (typeof before === "boolean") return text.toLowerCase() === "true";
  return numeric ? Number(text) : text;
}
