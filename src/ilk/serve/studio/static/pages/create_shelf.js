/** Items that were pinned: kept for this tab, whatever is made next; compared side by side, joined two by two. */

import { save } from "../lib/api.js";
import { button, fill, h } from "../lib/dom.js";
import { sheet } from "../lib/dialog.js";
import { keep, kept } from "../lib/keep.js";
import { number, t } from "../lib/words.js";
import { view } from "../viewers/index.js";
import { change } from "./create.js";

const MOST = 24;

/** `element`, `add(items)` and `compare(items)`; an item is {item, kind, model, seed, index}. */
export function shelf(page) {
  const element = h("section", { class: "card", id: "pinned", "aria-label": t("create.pinned") });
  const chosen = new Set();
  let pins = kept("create.pins", []);
  const write = (now) => { pins = now.slice(-MOST); chosen.clear(); keep("create.pins", pins); draw(); };
  const picked = () => [...chosen].map((i) => pins[i]);
  const draw = () => {
    element.hidden = !pins.length;
    if (!pins.length) return;
    const acts = h("div", { class: "row" });
    const act = (label, name, allowed, run) => button(label, run, { kind: "plain small", icon: name, disabled: !allowed });
    const arm = () => fill(acts, act(t("create.interpolate"), "fit", chosen.size === 2 && picked().every((p) => p.kind === page.model?.kind), () => change(page, "interpolate", picked())), act(t("create.vary"), "dice", chosen.size > 0 && picked().every((p) => p.kind === page.model?.kind), () => change(page, "vary", picked())),
      act(t("create.compare"), "models", chosen.size > 1, () => compare(picked())), act(t("create.unpin"), "close", chosen.size > 0, () => write(pins.filter((_, i) => !chosen.has(i)))),
      button("JSON", () => save(new Blob([JSON.stringify(pins, null, 1)], { type: "application/json" }), "pinned.json"), { kind: "quiet small", icon: "download" }));
    arm();
    const shown = [...new Set(pins.map((p) => p.kind))].map((kind) => {
      const at = pins.map((p, i) => [p, i]).filter(([p]) => p.kind === kind);
      return view(at.map(([p]) => p.item), { kind }, { captions: at.map(([p]) => origin(p)), onSelect: (k, _, on = !chosen.has(at[k][1])) => { if (on) chosen.add(at[k][1]); else chosen.delete(at[k][1]); arm(); } });
    });
    fill(element, h("header", {}, h("h2", {}, t("create.pinned"), " ", h("span", { class: "badge" }, number(pins.length)))), acts, ...shown);
  };
  draw();
  return { element, add: (items) => write([...pins, ...items]), compare };
}

const origin = (p) => `${p.model} · ${t("create.of_seed", { seed: p.seed ?? 0 })} · ${p.index + 1}`;

/** Items beside each other; of rows, where they differ is marked. */
export function compare(items) {
  if (items.every((p) => p.kind === "table")) {
    const columns = [...new Set(items.flatMap((p) => Object.keys(p.item)))];
    const row = (c) => {
      const values = items.map((p) => p.item[c]), differ = new Set(values.map((v) => JSON.stringify(v))).size > 1;
      return h("tr", { class: differ ? "differs" : "" }, h("th", { scope: "row" }, c), values.map((v) => h("td", { class: typeof v === "number" ? "numeric" : "" }, v === null || v === undefined ? "–" : typeof v === "number" ? number(v, 6) : String(v))));
    };
    return sheet(t("create.compare"), h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": t("create.compare") }, h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("data.head.name")), items.map((p) => h("th", { scope: "col" }, origin(p))))), h("tbody", {}, columns.map(row)))), h("p", { class: "soft small" }, t("create.compare.help")));
  }
  return sheet(t("create.compare"), h("div", { class: "beside" }, items.map((p) => h("div", { class: "stack" }, view([p.item], { kind: p.kind }), h("p", { class: "soft small" }, origin(p))))));
}
