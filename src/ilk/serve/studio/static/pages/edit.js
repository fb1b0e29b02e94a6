/** Edit: part of an item made anew, empty cells filled, texts continued, sampling steered on its way. */
import { events } from "../lib/api.js";
import { fill, h } from "../lib/dom.js";
import { keep, kept } from "../lib/keep.js";
import { problem } from "../lib/toast.js";
import { t } from "../lib/words.js";
import { view } from "../viewers/index.js";
import { cellEditor } from "../tools/cells.js";
import { history } from "../tools/history.js";
import { about, can, models, noModel, picker } from "../tools/models.js";
import { pictureEditor } from "../tools/pictures.js";
import { runner } from "../tools/run.js";
import { source } from "../tools/source.js";
import { textEditor } from "../tools/spans.js";
import { steering } from "../tools/steer.js";

const KINDS = ["table", "text", "image", "array"];

/** Shows the page. */
export async function show(root, { params, signal, go }) {
  const all = await models((facts) => KINDS.includes(facts.kind) || (!facts.kind && can(facts, "edit", "impute", "continue")), signal);
  if (!all.length) { fill(root, noModel(t("edit.no_model.text"))); return; }
  const choice = picker(all, params.model ?? kept("edit.model"), (id) => { keep("edit.item", null); go("edit", { model: id }); });
  const work = h("div", { class: "stack" });
  keep("edit.model", choice.first);
  fill(root, h("section", { class: "card narrow" }, choice.element), work);
  await open(work, choice.first, signal);
}

async function open(work, model, signal) {
  const facts = await about(model, signal);
  const ways = [can(facts, "edit", "impute", "continue", "sample") && "item", can(facts, "steps") && "steer"].filter(Boolean);
  const place = h("div", { class: "stack" }), tabs = h("div", { class: "segments", role: "group", "aria-label": t("edit.ways") });
  let leaving = new AbortController();
  const choose = (way, start = null) => {
    leaving.abort();
    leaving = new AbortController();
    const inner = AbortSignal.any([signal, leaving.signal]);
    fill(tabs, ways.map((w) => h("button", { type: "button", "aria-pressed": String(w === way), on: { click: () => choose(w) } }, t(`edit.way.${w}`))));
    fill(place, way === "steer" ? steering(model, facts, { signal: inner, use: (items) => choose("item", items) }) : bench(model, facts, inner, start ?? remembered(model)));
  };
  fill(work, ways.length > 1 && tabs, place);
  choose(ways[0] ?? "item");
}

const remembered = (model) => { const last = kept("edit.item"); return last?.model === model ? last.items : null; };

/** The place where one item (of a table: some rows) is worked on. */
function bench(model, facts, signal, start) {
  const tool = h("section", { class: "card" }), results = runner(signal), past = history((state) => draw(state), signal);
  const columns = h("div", { class: facts.kind === "table" ? "stack" : "split wide" }, tool, h("section", { class: "card" }, h("h2", {}, t("edit.result")), results.element));
  columns.hidden = true;
  const use = (items, marks = [], quiet = false) => {
    past.push({ items, marks });
    keep("edit.item", { model, items });
    if (!quiet) draw({ items, marks });
  };
  const draw = async (state) => {
    columns.hidden = false;
    const does = { run: results.run, follow: results.follow, use, goOn: (body, show) => goOn(results, body, show) };
    try {
      fill(tool, h("div", { class: "row spread" }, h("h2", {}, t(`edit.item.${facts.kind ?? "text"}`)), past.element), await editor(model, facts, state, does));
    } catch {
      fill(tool, problem(new Error(t("edit.no_picture"))));
    }
  };
  const taken = (items) => { past.clear(); results.clear(); use(items); columns.scrollIntoView({ block: "nearest" }); };
  if (start) use(start);
  return h("div", { class: "stack" }, source(model, facts, taken, { signal, open: !start }), columns);
}

function editor(model, facts, state, does) {
  if (facts.kind === "image") return pictureEditor(model, state.items, does);
  if (facts.kind === "table") return cellEditor(model, facts, state, does);
  if (facts.kind === "text" || typeof state.items[0] === "string") return textEditor(model, facts, state.items, does);
  return h("div", { class: "stack" }, view(state.items, facts), h("p", { class: "help" }, t("edit.array.help")));
}

/** A text goes on: completions, shown as they come. */
function goOn(results, body, show) {
  return results.follow(async (signal, told) => {
    const ends = Array.from({ length: body.n }, () => "");
    for await (const { data } of events("/v1/completions", { body: { ...body, stream: true }, signal })) {
      for (const piece of data.choices ?? []) ends[piece.index] = (ends[piece.index] ?? "") + (piece.text ?? "");
      told(ends);
    }
    return show(ends);
  });
}
