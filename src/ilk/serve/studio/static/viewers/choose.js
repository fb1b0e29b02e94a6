/** Choosing among items, alike in every viewer. */
import { h } from "../lib/dom.js";
import { t } from "../lib/words.js";

/** A button that says whether item i is chosen and changes it; nothing where nothing is to be chosen. */
export function chooseButton(i, item, at, label = String(i + 1)) {
  if (!at.onSelect) return h("span", { class: "view-number" }, label);
  return h("button", { type: "button", class: "view-number", "aria-pressed": String(at.selected.has(i)), "aria-label": t("viewers.choose", { item: i + 1 }),
    on: { click: (e) => toggle(e.currentTarget, i, item, at) } }, label);
}

function toggle(button, i, item, at) {
  const chosen = !at.selected.has(i);
  if (chosen) at.selected.add(i);
  else at.selected.delete(i);
  button.setAttribute("aria-pressed", String(chosen));
  button.closest("[data-item]")?.classList.toggle("chosen", chosen);
  at.onSelect(i, item, chosen);
}

/** The frame of one item: what shows it, and below it its number and its caption. */
export function framed(i, item, at, ...shown) {
  return h("figure", { class: `view-item${at.selected.has(i) ? " chosen" : ""}`, data: { item: i } }, shown,
    h("figcaption", {}, chooseButton(i, item, at), at.captions?.[i] && h("span", {}, String(at.captions[i]))));
}
