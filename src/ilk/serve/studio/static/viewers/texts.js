/** Texts, wrapped; spaces, tabs and ends of lines can be made visible. */
import { h } from "../lib/dom.js";
import { t } from "../lib/words.js";
import { framed } from "./choose.js";

const SIGNS = { " ": "·", "\t": "→\t", "\n": "↵\n", "\r": "␍", "\u00a0": "⍽", "\u3000": "□" };

export function texts(items, info, at) {
  const shown = items.map((text) => h("div", { class: "view-text", dir: "auto", tabindex: "0" }, text));
  const signs = h("input", { type: "checkbox", on: { change: (e) => shown.forEach((place, i) => place.replaceChildren(...(e.target.checked ? visible(items[i]) : [items[i]]))) } });
  return h("div", { class: "view-texts" }, h("label", { class: "view-as" }, signs, h("span", {}, t("viewers.spaces"))),
    h("div", { class: "view-list" }, shown.map((place, i) => framed(i, items[i], at, place))));
}

function visible(text) {
  return text.split(/([ \t\n\r\u00a0\u3000])/).filter(Boolean).map((part) => (part in SIGNS ? h("span", { class: "view-sign" }, SIGNS[part]) : part));
}
