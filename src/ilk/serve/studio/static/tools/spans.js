/** A text that goes on, or of which a span is made anew. */
import { button, h, newId } from "../lib/dom.js";
import { form } from "../lib/form.js";
import { toast } from "../lib/toast.js";
import { t } from "../lib/words.js";
import { view } from "../viewers/index.js";

/** An element that works on one text; `use([text])` when another is taken. */
export function textEditor(model, facts, [text], { run, use, goOn }) {
  const id = newId("text"), area = h("textarea", { id, rows: 12, spellcheck: "false", dir: "auto", value: text, on: { change: () => use([area.value], [], true) } });
  const wanted = form([{ name: "n", label: t("edit.variants"), type: "integer", low: 1, high: 8, default: 2 }, { name: "tokens", label: t("edit.tokens"), type: "integer", low: 1, high: 512, default: 64 },
    { name: "temperature", label: t("edit.temperature"), type: "number", low: 0, high: 2, step: 0.05, default: 1 }, { name: "seed", label: t("edit.seed"), type: "seed", default: 0 }]);
  wanted.element.classList.add("two");
  const continued = () => goOn({ model, prompt: area.value, ...asked(wanted.values()) }, (ends) => offer(ends.map((end) => area.value + end), use));
  const again = () => {
    const { selectionStart: from, selectionEnd: to } = area;
    if (from === to) { toast(t("edit.no_span"), "bad"); return; }
    const span = [from, to].map((place) => letters(area.value.slice(0, place))), { n, seed } = wanted.values();
    run("/v1/edit", { model, items: [area.value], redo: { span }, n, seed }, (answer) => offer(answer.items, use));
  };
  return h("div", { class: "stack" }, h("label", { for: id }, t("edit.text")), area, h("p", { class: "help" }, t("edit.text.help")), wanted.element,
    h("div", { class: "row end" }, button(t("edit.continue"), continued, { kind: "primary" }), button(t("edit.redo_span"), again, { kind: "plain" })));
}

/** Places count letters as Python does: one for each code point. */
const letters = (text) => [...text].length;

const asked = ({ n, tokens, temperature, seed }) => ({ n, max_tokens: tokens, temperature, seed });

const offer = (texts, use) => h("div", { class: "stack" }, h("p", { class: "soft small" }, t("edit.choose.variant")), view(texts, {}, { onSelect: (i, text) => use([text]) }));
