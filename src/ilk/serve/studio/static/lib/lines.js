/** The same as a line of Python and as a command, to copy. */

import { post } from "./api.js";
import { button, fill, h, newId } from "./dom.js";
import { toast } from "./toast.js";
import { t } from "./words.js";

const NAMES = { cli: "frame.line.cli", python: "Python", curl: "curl", openai: "openai" };

/** A box with a tab for each text of {cli, python, ...}; `set(texts)` changes them, null hides the box. */
export function lines(texts = null, title = t("frame.lines")) {
  const id = newId("lines");
  const element = h("section", { class: "lines", "aria-label": title });
  let shown = sessionStorage.getItem("ilk.line") ?? "cli", known = null;
  const set = (now) => {
    known = Object.fromEntries(Object.entries(now ?? {}).filter(([, text]) => text));
    element.hidden = !Object.keys(known).length;
    if (!element.hidden) draw();
  };
  const draw = () => {
    const kinds = Object.keys(known);
    const at = kinds.includes(shown) ? shown : kinds[0];
    const choose = (kind) => { shown = kind; sessionStorage.setItem("ilk.line", kind); draw(); element.querySelector("[aria-selected=true]").focus(); };
    const tab = (kind) => h("button", { type: "button", role: "tab", id: `${id}-${kind}`, "aria-selected": String(kind === at), "aria-controls": id, tabindex: kind === at ? 0 : -1,
      on: { click: () => choose(kind), keydown: (e) => { if (e.key === "ArrowRight" || e.key === "ArrowLeft") choose(kinds[(kinds.indexOf(at) + (e.key === "ArrowRight" ? 1 : kinds.length - 1)) % kinds.length]); } } },
      NAMES[kind]?.includes(".") ? t(NAMES[kind]) : NAMES[kind] ?? kind);
    fill(element, h("div", { class: "row spread" }, h("div", { class: "tabs", role: "tablist", "aria-label": title }, kinds.map(tab)), copier(() => known[at])),
      h("pre", { id, role: "tabpanel", "aria-labelledby": `${id}-${at}`, tabindex: 0 }, known[at]));
  };
  set(texts);
  return { element, set };
}

/** A button that copies a text. */
export function copier(text, label = t("frame.copy")) {
  return button(label, async () => {
    try {
      await navigator.clipboard.writeText(text());
      toast(t("frame.copied"), "good", 2);
    } catch {
      toast(t("frame.not_copied"), "bad");
    }
  }, { kind: "quiet small", icon: "copy" });
}

/** The lines of a verb with these parameters, as the server says them; null where it can't. */
export const linesOf = (verb, params, signal) => post("/v1/lines", { verb, params }, { signal }).catch(() => null);
