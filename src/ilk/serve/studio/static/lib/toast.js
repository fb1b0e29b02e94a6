/** Telling people things: a line that goes away by itself, what is only said aloud, and errors with what would help. */

import { button, h, icon } from "./dom.js";
import { t } from "./words.js";

const spoken = h("div", { class: "unseen", role: "status", "aria-live": "polite" });
const shown = h("div", { class: "toasts" });

/** Where they stand: put into the page once. */
export const places = () => [spoken, shown];

/** Says something to screen readers only. */
export function say(text) {
  spoken.textContent = text;
}

/** Shows a line for some seconds. `kind`: good, bad or plain. */
export function toast(text, kind = "plain", seconds = 5) {
  const one = h("div", { class: `toast ${kind}`, role: kind === "bad" ? "alert" : "status" }, icon(kind === "good" ? "done" : kind === "bad" ? "warn" : "info"), h("span", {}, text));
  one.append(button("", () => one.remove(), { kind: "quiet small", icon: "close", "aria-label": t("frame.close") }));
  shown.append(one);
  setTimeout(() => one.remove(), seconds * 1000);
}

/** A box that says what went wrong and what would work. */
export function problem(why, again = null) {
  if (why.name === "AbortError") return null;
  const say = why.code === "UNREACHABLE" ? t("frame.unreachable") : why.message;
  const remedy = why.code === "UNREACHABLE" ? t("frame.unreachable.remedy") : why.remedy;
  return h("div", { class: "box bad", role: "alert" }, icon("warn"), h("div", {}, h("p", {}, say), remedy && h("p", { class: "soft" }, remedy),
    why.after > 0 && h("p", { class: "soft" }, t("frame.again_after", { n: why.after })),
    h("p", { class: "soft tiny" }, [why.code, why.request].filter(Boolean).join(" · ")),
    again && button(t("frame.again"), again, { kind: "plain small" })));
}

/** A note in a box: `kind` plain, good or warn. */
export function note(kind, ...children) {
  return h("div", { class: `box ${kind}` }, icon(kind === "good" ? "done" : kind === "warn" ? "warn" : "info"), h("div", {}, ...children));
}

/** Nothing here yet, and what to do about it. */
export function empty(name, title, text, ...actions) {
  return h("div", { class: "empty" }, icon(name), h("h2", {}, title), h("p", { class: "soft" }, text), actions.length > 0 && h("div", { class: "row centre" }, ...actions));
}
