/** Answers from documents: sentences with footnotes, and the place in the document that a footnote names. */
import { get } from "../lib/api.js";
import { button, fill, h } from "../lib/dom.js";
import { note, problem } from "../lib/toast.js";
import { number, t } from "../lib/words.js";

/** An answer as `ilk ask` has it; `cite(citation)` when a footnote is pressed. That there is none is said plainly. */
export function answered(found, cite) {
  if (!found.answer) return [note("warn", h("p", {}, t("chat.abstained")), typeof found.abstained === "string" && h("p", { class: "soft small" }, found.abstained))];
  const by = new Map((found.citations ?? []).map((c) => [c.number, c]));
  const foot = (n) => h("button", { type: "button", class: "foot", "aria-label": t("chat.footnote", { number: n, document: by.get(n)?.document ?? "" }), on: { click: () => cite(by.get(n)) } }, String(n));
  const claims = found.claims?.length ? found.claims : [{ text: found.answer, citations: [...by.keys()] }];
  return [h("p", { class: "as-is", dir: "auto" }, claims.map((claim) => [h("span", {}, claim.text), (claim.citations ?? []).filter((n) => by.has(n)).map(foot), " "])),
    by.size > 0 && h("ol", { class: "footnotes" }, [...by.values()].map((c) => h("li", { value: c.number }, h("button", { type: "button", class: "link", on: { click: () => cite(c) } }, c.document), " ", h("q", {}, c.quoted ?? "")))),
    Number.isFinite(found.confidence) && h("p", { class: "soft small" }, t("chat.confidence", { value: number(found.confidence, 2) })),
    found.dropped?.length > 0 && h("p", { class: "soft small" }, t("chat.dropped", { n: found.dropped.length }))].filter(Boolean);
}

/** The side panel: `element`, `open(library, citation)`. */
export function panel(signal) {
  const place = h("div", { class: "stack" }), title = h("h2", {}), element = h("aside", { class: "card panel", "aria-label": t("chat.document"), hidden: true });
  const close = () => { element.hidden = true; };
  fill(element, h("header", {}, title, button("", close, { kind: "quiet", icon: "close", "aria-label": t("frame.close") })), place);
  element.addEventListener("keydown", (e) => e.key === "Escape" && close());
  async function open(library, { document: name, start, end }) {
    element.hidden = false;
    title.textContent = name;
    fill(place, h("p", { class: "soft" }, t("edit.working")));
    try {
      const query = new URLSearchParams({ document: name, start, end });
      const found = await get(`/v1/libraries/${encodeURIComponent(library)}/spans?${query}`, { signal });
      const mark = h("mark", { tabindex: -1 }, found.text);
      fill(place, h("p", { class: "soft small" }, t("chat.letters", { start, end })), h("div", { class: "as-is passage", dir: "auto" }, found.before ?? "", mark, found.after ?? ""));
      mark.scrollIntoView({ block: "center" });
      mark.focus({ preventScroll: true });
    } catch (why) {
      fill(place, problem(why, () => open(library, { document: name, start, end })) ?? "");
    }
  }
  return { element, open, close };
}
