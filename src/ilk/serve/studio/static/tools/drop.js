/** A place to drop files on, or to choose them by a button. */
import { button, h, icon } from "../lib/dom.js";

/** `take(files)` gets a list of File. */
export function drop(text, label, take, { accept, multiple = false, slim = true } = {}) {
  const input = h("input", { type: "file", accept, multiple, class: "unseen", tabindex: -1, "aria-label": label, on: { change: () => { if (input.files.length) take([...input.files]); input.value = ""; } } });
  const over = (e) => { e.preventDefault(); place.classList.toggle("over", e.type === "dragover"); };
  const place = h("div", { class: `drop${slim ? " slim" : ""}`, on: { dragover: over, dragleave: over, drop: (e) => { over(e); if (e.dataTransfer.files.length) take([...e.dataTransfer.files].slice(0, multiple ? 1000 : 1)); } } },
    slim ? null : icon("up"), h("p", { class: "soft small" }, text), button(label, () => input.click(), { kind: "plain small" }), input);
  return place;
}
