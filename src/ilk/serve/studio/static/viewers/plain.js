/** Anything at all, as it is. */
import { h } from "../lib/dom.js";
import { framed } from "./choose.js";

const MOST = 20000;

export function plain(items, info, at) {
  return h("div", { class: "view-list" }, items.map((item, i) => framed(i, item, at, h("pre", { class: "view-plain", tabindex: "0" }, cut(JSON.stringify(item, null, 1) ?? String(item))))));
}

const cut = (text) => (text.length > MOST ? `${text.slice(0, MOST)}…` : text);
