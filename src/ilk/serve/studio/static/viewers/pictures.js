/** Pictures in a grid: arrows move, Enter chooses or enlarges, small ones keep their pixels. */
import { button, h } from "../lib/dom.js";
import { t } from "../lib/words.js";
import { framed } from "./choose.js";

const KINDS = new Set(["image/png", "image/jpeg", "image/webp", "image/gif"]);
const SHARP = 160; // a picture up to so wide is enlarged with sharp pixels

/** Whether an item is a picture that the page shows: of pixels, never a drawing that may hold a script. */
export const isPicture = (item) => item !== null && typeof item === "object" && KINDS.has(item.mime) && typeof item.b64 === "string";

/** The address of a picture within the page. */
export const source = (item) => `data:${item.mime};base64,${item.b64}`;

/** An `img` of a picture. */
export function picture(item, alt) {
  const sharpen = (e) => e.target.classList.toggle("sharp", e.target.naturalWidth <= SHARP);
  return h("img", { src: source(item), alt, draggable: "false", on: { load: sharpen } });
}

export function pictures(items, info, at) {
  return grid(items, at, (item, i) => picture(item, t("viewers.picture", { item: i + 1 })));
}

/** A grid of drawings; `drawn(item, i)` draws one, as large as it is asked. */
export function grid(items, at, drawn) {
  const open = (i) => enlarged(items, i, drawn);
  const cells = items.map((item, i) => framed(i, item, at, h("button", { type: "button", class: "view-zoom", "aria-label": t("viewers.enlarge", { item: i + 1 }),
    on: { click: () => open(i) } }, drawn(item, i))));
  const all = h("div", { class: "view-grid", on: { keydown: (e) => walk(e, all) } }, cells);
  return all;
}

/** Arrow keys go to the neighbour in the grid. */
function walk(e, all) {
  const zooms = [...all.querySelectorAll(".view-zoom")];
  const here = zooms.indexOf(e.target.closest("figure")?.querySelector(".view-zoom"));
  if (here < 0 || e.target.matches("audio, input, select")) return;
  const top = zooms[0].getBoundingClientRect().top;
  const across = Math.max(1, zooms.findIndex((z) => z.getBoundingClientRect().top > top + 4));
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across }[e.key];
  if (step === undefined || !zooms[here + step]) return;
  e.preventDefault();
  zooms[here + step].focus();
}

/** A dialog with one item, and the way to the others. */
function enlarged(items, first, drawn) {
  let i = first;
  const stage = h("div", { class: "zoom-stage" }), told = h("p", { class: "zoom-told", "aria-live": "polite" });
  const go = (step) => {
    i = (i + step + items.length) % items.length;
    stage.replaceChildren(drawn(items[i], i));
    told.textContent = `${i + 1} / ${items.length}`;
  };
  const keys = (e) => { if (e.key === "ArrowRight" || e.key === "ArrowLeft") go(e.key === "ArrowRight" ? 1 : -1); };
  const dialog = h("dialog", { class: "zoom", "aria-label": t("viewers.enlarged"), on: { keydown: keys, close: () => dialog.remove(), click: (e) => e.target === dialog && dialog.close() } },
    stage, h("div", { class: "zoom-bar" }, button("‹", () => go(-1), { title: t("viewers.before"), "aria-label": t("viewers.before") }), told,
      button("›", () => go(1), { title: t("viewers.after"), "aria-label": t("viewers.after") }), button(t("viewers.close"), () => dialog.close())));
  document.body.append(dialog);
  go(0);
  dialog.showModal();
}
