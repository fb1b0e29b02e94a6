/**
 * What shows items: one module for each kind of thing, and the choice among them.
 *
 * `view(items, info, hooks)` gives an element. Items are as the API has them: a row is an object, a text a string, a picture `{mime, b64}`, an array
 * `{shape, values}`. `info`: what is known of them (`kind`, `rate` of sounds). `hooks`: `onSelect(index, item)` makes items choosable, `selected`
 * (numbers of items) says which are, `columns` names the columns of a table in order, `captions` (texts) stand below items.
 */
import { h } from "../lib/dom.js";
import { t } from "../lib/words.js";
import { cloud } from "./cloud.js";
import { lines } from "./lines.js";
import { pixels } from "./pixels.js";
import { pictures, isPicture } from "./pictures.js";
import { plain } from "./plain.js";
import { points } from "./points.js";
import { sounds } from "./sounds.js";
import { table } from "./table.js";
import { texts } from "./texts.js";

const VIEWERS = { pictures, table, texts, lines, points, cloud, pixels, sounds, plain };
const SOUND = 2000; // a series so long is rather a sound than a curve

/** An element that shows the items. */
export function view(items, info = {}, hooks = {}) {
  const all = Array.from(items ?? []);
  const at = { selected: new Set(hooks.selected ?? []), ...hooks, selected: new Set(hooks.selected ?? []) };
  if (!all.length) return h("p", { class: "view-none soft" }, t("viewers.none"));
  const ways = fitting(all, info);
  const drawn = h("div", { class: "view-body" });
  const draw = (name) => drawn.replaceChildren(VIEWERS[name](all, info, at));
  draw(ways[0]);
  return h("div", { class: "view" }, ways.length > 1 && chooser(ways, draw), drawn);
}

/** The names of the viewers that can show these items, the likeliest first. */
export function fitting(items, info = {}) {
  const one = items[0];
  if (items.every(isPicture)) return ["pictures"];
  if (items.every((item) => typeof item === "string")) return ["texts"];
  if (items.every(isArray)) return ofShape(one.shape, items, info);
  if (items.every((item) => item !== null && typeof item === "object" && !Array.isArray(item) && !("mime" in item))) return ["table"];
  return ["plain"];
}

const isArray = (item) => item !== null && typeof item === "object" && Array.isArray(item.shape) && Array.isArray(item.values);

function ofShape(shape, items, info) {
  const [a = 1, b = 1] = shape;
  if (info.rate || info.kind === "audio") return ["sounds", "lines", "plain"];
  if (shape.length === 0 || (shape.length === 1 && a === 1)) return ["table", "plain"];
  if (shape.length === 1 && a === 2) return ["points", "table"];
  if (shape.length === 1 && a === 3) return ["cloud", "table"];
  if (shape.length === 1) return a >= SOUND ? ["sounds", "lines", "plain"] : a <= 8 ? ["table", "lines"] : ["lines", "table", "sounds"];
  if (shape.length === 2 && b === 3) return ["cloud", "lines", "pixels", "plain"];
  if (shape.length === 2 && b === 2) return a >= SOUND ? ["sounds", "lines", "points"] : ["points", "lines", "pixels", "plain"];
  if (shape.length === 2 && (a === 1 || b === 1)) return a * b >= SOUND ? ["sounds", "lines"] : ["lines", "sounds", "plain"];
  if (shape.length === 2) return b <= 8 && a > 2 * b ? ["lines", "pixels", "plain"] : ["pixels", "lines", "plain"];
  if (shape.length === 3 && [1, 3].some((c) => shape[0] === c || shape[2] === c)) return ["pixels", "plain"];
  return ["plain"];
}

function chooser(ways, draw) {
  const choice = h("select", { on: { change: (e) => draw(e.target.value) } }, ways.map((name) => h("option", { value: name }, t(`viewers.as.${name}`))));
  return h("label", { class: "view-as" }, h("span", {}, t("viewers.as")), choice);
}
