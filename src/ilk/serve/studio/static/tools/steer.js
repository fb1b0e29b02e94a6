/** Steering in the middle of sampling: the way is shown step by step, and from a chosen step on something more is asked. */
import { button, fill, h, newId } from "../lib/dom.js";
import { form } from "../lib/form.js";
import { asked as rulesOf, fieldsOf } from "../lib/rules.js";
import { toast } from "../lib/toast.js";
import { t } from "../lib/words.js";
import { view } from "../viewers/index.js";
import { runner } from "./run.js";

/** An element that samples a model that unfolds its items; `use([item])` where one is to be worked on further. */
export function steering(model, facts, { signal, use }) {
  const way = [], turns = [], slider = h("div"), asked = h("div", { class: "stack" });
  const first = runner(signal, { keepSteps: (step) => way.push(step) }), second = runner(signal);
  const wanted = form([{ name: "n", label: t("edit.n"), type: "integer", low: 1, high: 16, default: 4 }, { name: "seed", label: t("edit.seed"), type: "seed", default: 0 }]);
  wanted.element.classList.add("two");
  const start = async () => {
    way.splice(0);
    turns.splice(0);
    fill(slider);
    fill(asked);
    second.clear();
    await first.run("/v1/sample", { model, ...wanted.values() }, (answer) => chosen(answer, use, t("edit.unsteered")));
    if (way.length) fill(slider, along(way, (step) => fill(asked, turning(step))));
  };
  const turning = (step) => {
    const parts = (facts.givens ?? []).filter((given) => !["label", "prompt"].includes(given.type)), more = form([...fieldsOf(parts), { name: "rules", label: t("create.rules"), type: "long", rows: 2, help: t("create.rules.help"), wide: true }]);
    more.element.classList.add("two");
    const add = () => {
      const { rules = "", ...values } = more.values(), { given } = rulesOf(parts, values, rules);
      if (!given.length) { toast(t("edit.no_condition"), "bad"); return; }
      turns.push({ step, given });
      turns.sort((a, b) => a.step - b.step);
      again();
    };
    return h("section", { class: "card" }, h("h3", {}, t("edit.from_step", { step })), more.element, h("div", { class: "row end" }, button(t("edit.go_on"), add, { kind: "primary" })), list(turns, again));
  };
  const again = () => second.run("/v1/steer", { model, ...wanted.values(), turns }, (answer) => chosen(answer, use, t("edit.steered")));
  return h("div", { class: "stack" }, h("p", { class: "help" }, t("edit.steer.help")), wanted.element, h("div", { class: "row end" }, button(t("edit.begin"), start, { kind: "primary" })), first.element, slider, asked, second.element);
}

const chosen = (answer, use, title) => h("div", { class: "stack" }, h("h3", {}, title), view(answer.items, {}, { onSelect: (i, item) => use([item]) }));

/** A slider over the steps that were seen. */
function along(way, stopped) {
  const id = newId("step"), shown = h("div", { class: "preview" }), told = h("output", { for: id, class: "tabular soft" });
  const input = h("input", { id, type: "range", min: 0, max: way.length - 1, step: 1, value: Math.floor(way.length / 2), on: { input: () => look(), change: () => stopped(way[input.value].step) } });
  const look = () => {
    const { step, of, items } = way[input.value];
    input.style.setProperty("--at", `${(100 * input.value) / Math.max(1, way.length - 1)}%`);
    told.textContent = `${step} / ${of}`;
    fill(shown, view(items ?? []));
  };
  look();
  stopped(way[input.value].step);
  return h("div", { class: "stack" }, h("div", { class: "row" }, h("label", { for: id }, t("edit.step")), h("span", { class: "grow" }, input), told), shown);
}

function list(turns, changed) {
  if (!turns.length) return null;
  return h("ul", { class: "turns" }, turns.map((turn, i) => h("li", {}, t("edit.turn", { step: turn.step }), " ", h("code", {}, turn.given.join(" and ")), " ",
    button("", (e) => { turns.splice(i, 1); e.currentTarget.closest("li").remove(); if (turns.length) changed(); }, { kind: "quiet small", icon: "close", "aria-label": t("edit.turn.remove") }))));
}
