/** Choosing one of the models that are served. */
import { get } from "../lib/api.js";
import { h, newId } from "../lib/dom.js";
import { empty } from "../lib/toast.js";
import { t } from "../lib/words.js";

/** The models, as the server lists them; with `fits`, those of which it says yes. */
export async function models(fits = () => true, signal) {
  return (await get("/v1/models", { signal })).data.filter((model) => fits(model.ilk ?? {}, model));
}

/** What is known of one model: what its page says under `ilk`. */
export const about = async (id, signal) => (await get(`/v1/models/${encodeURIComponent(id)}`, { signal })).ilk ?? {};

/** Whether a model can do one of these; one that doesn't say is given the benefit of the doubt. */
export const can = (facts, ...verbs) => !Array.isArray(facts.can) || facts.can.length === 0 || verbs.some((verb) => facts.can.includes(verb));

/** A labelled choice among models; `change(id)` when another is chosen. */
export function picker(all, chosen, change, label = t("edit.model")) {
  const id = newId("model"), names = all.map((model) => model.id);
  const select = h("select", { id, on: { change: (e) => change(e.target.value) } }, all.map((model) => h("option", { value: model.id, selected: model.id === chosen },
    model.ilk?.kind ? `${model.id} · ${t(`edit.kind.${model.ilk.kind}`)}` : model.id)));
  return { element: h("div", { class: "field" }, h("label", { for: id }, label), select), value: () => select.value, first: names.includes(chosen) ? chosen : names[0] };
}

/** What stands where no model can do it. */
export const noModel = (text) => empty("models", t("edit.no_model"), text, h("a", { class: "button primary", href: "#/fit" }, t("edit.to_fit")));
