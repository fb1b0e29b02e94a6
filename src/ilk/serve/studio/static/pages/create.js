/** Create: items of a model under conditions, looked at, pinned, varied, joined and compared. */

import { ask, events, post, save } from "../lib/api.js";
import { button, fill, h } from "../lib/dom.js";
import { form } from "../lib/form.js";
import { keep, kept } from "../lib/keep.js";
import { later } from "../lib/later.js";
import { lines, linesOf } from "../lib/lines.js";
import { about, models } from "../lib/models.js";
import { progress } from "../lib/progress.js";
import { asked, fieldsOf } from "../lib/rules.js";
import { empty, problem, say, toast } from "../lib/toast.js";
import { number, t } from "../lib/words.js";
import { view } from "../viewers/index.js";
import { shelf } from "./create_shelf.js";

export const id = "create", title = "create.title";
const FEW = 6;
const FILES = { table: "csv", text: "txt", image: "zip", array: "npz" };

export async function show(root, context) {
  const { params, go, signal } = context;
  const all = await models(signal, "sample");
  if (!all.length) return fill(root, h("div", { class: "card" }, empty("create", t("create.none"), t("create.none.help"), button(t("create.to_fit"), () => go("fit"), { kind: "primary", icon: "fit" }))));
  const asks = params.model ?? kept("create.model");
  const page = { context, all, name: all.some((m) => m.id === asks) ? asks : all[0].id, side: h("form", { class: "stack stays" }), stage: h("div", { class: "stack" }) };
  page.shelf = shelf(page);
  fill(root, h("div", { class: "split" }, page.side, h("div", { class: "stack" }, page.stage, page.shelf.element)));
  await open(page);
  return undefined;
}

async function open(page) {
  const { context, all, side, stage } = page;
  keep("create.model", page.name);
  const choice = form([{ name: "model", label: t("create.model"), type: "select", values: all.map((m) => ({ value: m.id, label: m.ilk.family ? `${m.id} · ${m.ilk.family}` : m.id })) }], { model: page.name }, ({ model }) => { page.name = model; open(page); });
  fill(side, h("div", { class: "card" }, choice.element, progress(t("create.opening")).element));
  try {
    page.model = await about(page.name, context.signal);
    page.kept = { n: page.model.kind === "image" ? 16 : page.model.kind === "text" ? 4 : 20, seed: 0, how: null, values: {}, options: {}, more: "", live: false, ...kept(`create.${page.name}`, {}) };
    controls(page, choice.element);
    const last = kept("create.last");
    fill(stage, last?.model === page.name ? shown(page, last) : h("div", { class: "card" }, empty("create", t("create.idle"), t("create.idle.help"))));
  } catch (why) {
    fill(side, h("div", { class: "card" }, choice.element, problem(why, () => open(page)) ?? ""));
  }
}

/** What the fields say, as the body of POST /v1/sample. */
function body({ name, model, kept: { n, seed, how, values, options, more } }) {
  return { model: name, n: n ?? 1, seed: seed ?? 0, ...asked(model.givens ?? [], values, more), ...(how ? { how, options } : {}) };
}

function controls(page, choice) {
  const { side, model, context } = page;
  const givens = model.givens ?? [], ways = model.ways ?? [], state = page.kept;
  const copy = lines(), told = h("div", {}), options = h("div", {});
  const tell = later(async () => copy.set(await linesOf("sample", body(page), context.signal)));
  const change = (now) => { Object.assign(state, now); keep(`create.${page.name}`, state); tell(); };
  const conditions = (some) => form(fieldsOf(some), state.values, (now) => change({ values: { ...Object.fromEntries(Object.entries(state.values).filter(([part]) => !some.some((g) => g.part === part))), ...now } })).element;
  const rules = givens.some((g) => !["prompt", "label"].includes(g.type)) && form([{ name: "more", label: t("create.rules"), type: "long", rows: 2, placeholder: t("create.rules.example"), help: t("create.rules.help") }], state, change).element;
  const way = ways.find((w) => w.name === state.how);
  const drawn = () => { const now = ways.find((w) => w.name === state.how); fill(options, now && [h("p", { class: "help" }, now.summary), form(now.options.map(field), state.options, (o) => change({ options: o })).element]); };
  const how = ways.length > 0 && form([{ name: "how", label: t("create.how"), type: "select", any: t("create.how.own"), values: ways.map((w) => w.name) }], { how: way?.name }, (now) => { change({ how: now.how ?? null, options: {} }); drawn(); }).element;
  const most = form([{ name: "n", label: t("create.n"), type: "integer", low: 1, high: 200, step: 1 }, { name: "seed", label: t("create.seed"), type: "seed", help: t("create.seed.help") },
    ...(model.can?.includes("steps") ? [{ name: "live", label: t("create.live"), type: "check" }] : [])], state, (now) => change({ n: 1, seed: 0, ...now }));
  page.make = h("button", { class: "button primary", type: "submit" }, t("create.make"));
  side.onsubmit = (e) => { e.preventDefault(); make(page, told, most); };
  const clear = givens.length > 0 && button(t("create.clear"), () => { change({ values: {}, more: "" }); controls(page, choice); }, { kind: "quiet small" });
  fill(side, h("div", { class: "card" }, choice), h("div", { class: "card" }, most.element, how, options, told, h("div", { class: "row spread" }, page.make)),
    (givens.length > 0 || rules) && h("div", { class: "card" }, h("header", {}, h("h2", {}, t("create.given")), clear), conditions(givens.slice(0, FEW)), givens.length > FEW && h("details", {}, h("summary", {}, t("create.more", { n: givens.length - FEW })), conditions(givens.slice(FEW))), rules && h("details", { open: Boolean(state.more) }, h("summary", {}, t("create.rules")), rules)), copy.element);
  drawn();
  tell();
}

const field = (o) => ({ ...o, label: o.name.replaceAll("_", " "), help: o.summary, ...(o.type === "select" ? {} : { placeholder: o.default === null ? t("fit.auto") : "" }), ...(o.high > 1000 ? { high: undefined } : {}) });

async function make(page, told, most) {
  const { stage, context, model } = page, left = new AbortController(), bar = progress(t("create.making"));
  const stop = button(t("create.stop"), () => left.abort(), { icon: "stop", kind: "danger small" });
  context.signal.addEventListener("abort", () => left.abort());
  const frames = h("div", {});
  bar.set(null);
  page.make.disabled = true;
  fill(told);
  fill(stage, h("section", { class: "card" }, h("div", { class: "row spread" }, h("h2", {}, t("create.making")), stop), bar.element, frames));
  const want = body(page), live = page.kept.live && model.can?.includes("steps");
  try {
    const got = live ? await stepwise(want, left.signal, (step) => { bar.set(step.step / step.of, t("create.step", step)); fill(frames, view(step.items, { kind: model.kind, shape: model.shape })); }) : await post("/v1/sample", want, { signal: left.signal });
    const last = { ...got, want, kind: got.kind ?? model.kind };
    keep("create.last", last);
    fill(stage, shown(page, last));
    say(t("create.made", { n: got.items.length }));
  } catch (why) {
    const before = kept("create.last");
    fill(told, problem(why) ?? "");
    fill(stage, before?.model === page.name ? shown(page, before) : h("div", { class: "card" }, empty("create", t("create.idle"), t("create.idle.help"))));
  }
  page.make.disabled = false;
}

async function stepwise(want, signal, step) {
  let last = null;
  for await (const { data } of events("/v1/sample", { body: { ...want, stream: true }, signal })) {
    if (data.object === "ilk.samples") last = data;
    else if (data.items) step(data);
  }
  return last;
}

/** What was made, with what can be done with it. */
export function shown(page, last) {
  const chosen = new Set(), acts = h("div", { class: "row" }), copy = lines(last.line ?? null);
  const items = () => [...chosen].sort((a, b) => a - b).map((i) => ({ item: last.items[i], kind: last.kind, model: last.model, seed: last.seed, index: i }));
  const act = (label, name, allowed, run) => button(label, run, { kind: "plain small", icon: name, disabled: !allowed });
  const draw = () => fill(acts, h("span", { class: "soft small", role: "status" }, chosen.size ? t("create.chosen", { n: chosen.size }) : t("create.choose")),
    act(t("create.pin"), "pin", chosen.size > 0, () => page.shelf.add(items())),
    page.model.can?.includes("vary") !== false && act(t("create.vary"), "dice", chosen.size > 0, () => change(page, "vary", items())),
    act(t("create.interpolate"), "fit", chosen.size === 2, () => change(page, "interpolate", items())), act(t("create.compare"), "models", chosen.size > 1, () => page.shelf.compare(items())));
  const select = (i, item, on = !chosen.has(i)) => { if (on) chosen.add(i); else chosen.delete(i); draw(); };
  draw();
  const suffix = FILES[last.kind] ?? "json";
  const download = async () => { try { save(await (await ask("POST", "/v1/sample", { body: { ...last.want, format: "file" } })).blob(), `${last.model}-${last.seed}.${suffix}`); } catch (why) { toast(why.message, "bad"); } };
  const json = () => save(new Blob([JSON.stringify(last.items, null, 1)], { type: "application/json" }), `${last.model}-${last.seed}.json`);
  return h("section", { class: "card", id: "made", "aria-label": t("create.result") },
    h("header", {}, h("div", {}, h("h2", {}, t(last.how ? `create.${last.how}.made` : "create.made", { n: last.items.length })), h("div", { class: "badges" }, h("span", { class: "badge" }, last.model), h("span", { class: "badge" }, t("create.of_seed", { seed: last.seed ?? 0 })), (last.met ?? []).map(met))),
      h("div", { class: "row" }, last.want && button(t("create.download", { suffix }), download, { kind: "plain small", icon: "download" }), button("JSON", json, { kind: "quiet small", icon: "download" }))),
    acts, view(last.items, { kind: last.kind, shape: page.model.shape }, { onSelect: select }), copy.element);
}

function met(one) {
  const how = t(`create.met.${one.met}`, { or: null }) ?? one.met;
  return h("span", { class: `badge ${one.met === "exact" ? "good" : ""}`, title: Number.isFinite(one.ess) ? t("create.ess", { n: one.ess }) : null }, `${one.given} · ${how}${one.share < 1 ? ` ${number(100 * one.share, 2)}%` : ""}`);
}

/** Items varied, or those between two: made by the model of the page. */
export async function change(page, verb, chosen) {
  const settings = kept("create.change", { strength: 0.3, n: 6, seed: 0 });
  const bodies = { vary: { items: chosen.map((c) => c.item), strength: settings.strength, n: settings.n, seed: settings.seed }, interpolate: { items: chosen.slice(0, 2).map((c) => c.item), n: settings.n } };
  const { stage } = page, back = [...stage.childNodes], left = new AbortController(), set = h("div", { class: "card" });
  const fields = [...(verb === "vary" ? [{ name: "strength", label: t("create.strength"), type: "number", low: 0, high: 1, step: 0.05 }] : []), { name: "n", label: t("create.n"), type: "integer", low: verb === "vary" ? 1 : 3, high: 24 }, ...(verb === "vary" ? [{ name: "seed", label: t("create.seed"), type: "seed" }] : [])];
  const again = form(fields, settings, (now) => { keep("create.change", { ...settings, ...now }); });
  fill(set, h("header", {}, h("h2", {}, t(`create.${verb}`)), button(t("create.back"), () => fill(stage, ...back), { kind: "quiet small" })), again.element, h("div", { class: "row" }, button(t("create.again"), () => { fill(stage, ...back); change(page, verb, chosen); }, { kind: "primary small" })));
  const told = h("section", { class: "card" }, h("h2", {}, t("create.making")), progress(t("create.making")).element);
  fill(stage, told, set);
  try {
    const got = await post(`/v1/${verb}`, { model: page.name, ...bodies[verb] }, { signal: left.signal });
    fill(stage, shown(page, { seed: settings.seed, ...got, model: page.name, kind: got.kind ?? page.model.kind, how: verb }), set);
  } catch (why) {
    fill(stage, h("div", { class: "card" }, problem(why) ?? ""), set);
  }
}
