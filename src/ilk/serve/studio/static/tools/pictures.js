/** Part of a picture made anew. */
import { button, h } from "../lib/dom.js";
import { form } from "../lib/form.js";
import { toast } from "../lib/toast.js";
import { t } from "../lib/words.js";
import { view } from "../viewers/index.js";
import { brush } from "./brush.js";
import { decoded } from "./picture.js";

/** An element that works on one picture; `use(items)` when a variant is taken. */
export async function pictureEditor(model, [item], { run, use }) {
  const tool = brush(await decoded(item));
  const wanted = form([{ name: "n", label: t("edit.variants"), type: "integer", low: 1, high: 8, default: 4 }, { name: "seed", label: t("edit.seed"), type: "seed", default: 0 }]);
  wanted.element.classList.add("two");
  const anew = () => {
    const mask = tool.mask();
    if (!mask) { toast(t("edit.nothing_marked"), "bad"); return; }
    const { n = 1, seed = 0 } = wanted.values();   // the same picture n times: each variant is seen as soon as it is there
    run("/v1/edit", { model, items: Array.from({ length: n }, () => item), redo: { mask }, n: 1, seed }, (answer) => chooser(answer.items, use), true);
  };
  return h("div", { class: "stack" }, tool.element, wanted.element, h("div", { class: "row end" }, button(t("edit.redo_part"), anew, { kind: "primary" })));
}

/** Variants, of which one is taken. */
export function chooser(items, use) {
  return h("div", { class: "stack" }, h("p", { class: "soft small" }, t("edit.choose.variant")), view(items, {}, { onSelect: (i, item) => use([item]) }));
}
