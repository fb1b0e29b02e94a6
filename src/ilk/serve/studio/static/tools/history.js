/** What was, so that it can be had back. */
import { button, fill, h } from "../lib/dom.js";
import { t } from "../lib/words.js";

/** `push(state)` after a change, `now()`, `element` with the buttons; `show(state)` when one was taken back or done again. Ctrl+Z and Ctrl+Shift+Z work, too. */
export function history(show, signal) {
  let states = [], at = -1;
  const go = (step) => { if (states[at + step] === undefined) return; at += step; draw(); show(states[at]); };
  const element = h("div", { class: "row" });
  const draw = () => fill(element, button(t("edit.undo"), () => go(-1), { kind: "plain small", disabled: at <= 0 }), button(t("edit.redo"), () => go(1), { kind: "plain small", disabled: at >= states.length - 1 }),
    h("span", { class: "soft small tabular" }, states.length ? `${at + 1} / ${states.length}` : ""));
  document.addEventListener("keydown", (e) => {
    if (!(e.ctrlKey || e.metaKey) || e.key.toLowerCase() !== "z" || e.target.matches("input, textarea")) return;
    e.preventDefault();
    go(e.shiftKey ? 1 : -1);
  }, { signal });
  draw();
  return { element, now: () => states[at], push: (state) => { states = [...states.slice(0, at + 1), state].slice(-50); at = states.length - 1; draw(); }, clear: () => { states = []; at = -1; draw(); } };
}
