/** Choosing one of the models that are served. */
import { h, newId } from "../lib/dom.js";
import { models as served } from "../lib/models.js";
import { empty } from "../lib/toast.js";
import { t } from "../lib/words.js";

export { about } from "../lib/models.js";

/** The models of which `fits(facts)` says yes. */
export const models = async (fits, signal) => (await served(signal)).filter((model) => fits(model.ilk ?? {}));

/** Whether a model can do one of these. Of one that was not opened yet nothing is known: it is given the benefit of the doubt. */
export const can = (facts, ...verbs) => !facts.can?.length || verbs.some((verb) => facts.can.includes(verb));

/** A labelled choice among models; `change(id)` when another is chosen. */
export function picker(all, chosen, change, label = t("edit.model")) {
  const id = newId("model"), names = all.map((model) => model.id), first = names.includes(chosen) ? chosen : names[0];
  const select = h("select", { id, on: { change: (e) => change(e.target.value) } }, all.map((model) => h("option", { value: model.id, selected: model.id === first },
    model.ilk?.kind ? `${model.id} · ${t(`data.kind.${model.ilk.kind}`)}` : model.id)));
  return { element: h("div", { class: "field" }, h("label", { for: id }, label), select), value: () => select.value, first };
}

/** What stands where no model can do it. */
export const noModel = (text) => h("div", { class: "card" }, empty("models", t("edit.no_model"), text, h("a", { class: "button primary", href: "#/fit" }, t("edit.to_fit"))));
