/** Fit: a family learns from a file, or several race; what happens is seen while it happens. */

import { get, post } from "../lib/api.js";
import { button, fill, h, newId } from "../lib/dom.js";
import { form } from "../lib/form.js";
import { follow } from "../lib/job.js";
import { keep, kept } from "../lib/keep.js";
import { later } from "../lib/later.js";
import { lines, linesOf } from "../lib/lines.js";
import { empty, problem } from "../lib/toast.js";
import { t } from "../lib/words.js";
import { dataFiles, understood } from "./data.js";

export const id = "fit", title = "fit.title";
const SECONDS = [30, 60, 120, 300, 900, 3600];

export async function show(root, context) {
  const { params, go, signal } = context;
  const [files, known] = await Promise.all([dataFiles(signal), get("/v1/families", { signal })]);
  if (!files.length) return fill(root, h("div", { class: "card" }, empty("fit", t("fit.none"), t("fit.none.help"), button(t("fit.to_data"), () => go("data"), { kind: "primary", icon: "data" }))));
  const state = { way: "one", budget: 60, seed: 0, options: {}, families: [], ...kept("fit", {}) };
  const asked = params.file ?? state.file;
  state.file = files.some((f) => f.id === asked) ? asked : files[0].id;
  const side = h("form", { class: "stack stays" }), watched = h("div", { class: "stack" });
  const options = new Map(known.data.map((f) => [f.name, f.options]));
  const again = () => setup(side, { files, options, state, context, again, watch });
  const watch = (job) => { keep("fit.job", job); fill(watched, job ? follow(job, context) : h("div", { class: "card" }, empty("fit", t("fit.idle"), t("fit.idle.help")))); };
  fill(root, h("div", { class: "split" }, side, watched));
  watch(params.job ?? kept("fit.job"));
  await again();
  return undefined;
}

async function setup(side, page) {
  const { files, state, context, again } = page;
  const choice = form([{ name: "file", label: t("fit.file"), type: "select", values: files.map((f) => ({ value: f.id, label: f.filename })) }], state, ({ file }) => { state.file = file; state.family = null; state.options = {}; remember(state); again(); });
  fill(side, h("div", { class: "card" }, choice.element, h("p", { class: "soft small" }, t("data.reading"))));
  try {
    const data = await understood(state.file, context.signal);
    if (!data.kind) return fill(side, h("div", { class: "card" }, choice.element, problem({ message: data.problems[0]?.what ?? t("data.unread"), remedy: data.problems[0]?.remedy })));
    const families = data.families.toSorted((a, b) => Number(b.takes) - Number(a.takes) || Number(b.name === data.default_family) - Number(a.name === data.default_family));
    if (!families.some((f) => f.name === state.family && f.takes)) state.family = data.default_family;
    state.families = state.families.filter((name) => families.some((f) => f.name === name && f.takes));
    return draw(side, choice.element, { ...page, data, families });
  } catch (why) {
    return fill(side, h("div", { class: "card" }, choice.element, problem(why, again) ?? ""));
  }
}

const remember = (state) => keep("fit", state);
const stem = (name) => name.replace(/\.[^.]*$/, "").replace(/[^A-Za-z0-9_.-]+/g, "-").replace(/^[-.]+/, "").slice(0, 60) || "model";

function draw(side, choice, page) {
  const { state, context, families, files, options, watch } = page;
  const copy = lines(), told = h("div", {}), more = h("details", { open: Object.keys(state.options).length > 0 }), list = h("div", { class: "stack" });
  const file = files.find((f) => f.id === state.file);
  const change = () => { remember(state); tell(); };
  const tell = later(async () => { const { kind, params } = job(state, file, options); copy.set(await linesOf(kind, params, context.signal)); });
  const other = () => fill(more, h("summary", {}, t("fit.more")), h("div", { class: "stack" }, named.element, state.way === "one" && settings(state, options, change)));
  const way = (which) => { state.way = which; fill(list, which === "one" ? pick(families, state, () => { state.options = {}; other(); change(); }, page.data.default_family) : racers(families, state, change)); segments.forEach((b, i) => b.setAttribute("aria-pressed", String(["one", "race"][i] === which))); other(); change(); };
  const segments = ["one", "race"].map((which) => h("button", { type: "button", on: { click: () => way(which) } }, t(`fit.way.${which}`)));
  const budget = form([
    { name: "budget", label: t("fit.budget"), type: "select", values: [...SECONDS.map((s) => ({ value: s, label: s < 60 ? t("fit.seconds", { n: s }) : t("fit.minutes", { n: s / 60 }) })), { value: 0, label: t("fit.own") }], help: t("fit.budget.help") }], state, (now) => { Object.assign(state, now); change(); });
  const named = form([{ name: "name", label: t("fit.name"), type: "text", placeholder: stem(file.filename), help: t("fit.name.help") },
    { name: "seed", label: t("fit.seed"), type: "seed" }], state, (now) => { Object.assign(state, { name: "" }, now); change(); });
  const start = h("button", { class: "button primary", type: "submit" }, t("fit.start"));
  side.onsubmit = async (e) => { e.preventDefault(); await begin(start, told, () => job(state, file, options), watch); };
  fill(side, h("div", { class: "card" }, choice, h("div", { class: "segments", role: "group", "aria-label": t("fit.way") }, segments), list, budget.element, more, told, h("div", { class: "row" }, start)), copy.element);
  way(state.way);
}

async function begin(start, told, asked, watch) {
  start.disabled = true;
  try {
    const { kind, params } = asked();
    const made = await post("/v1/jobs", { kind, params, name: params.name }, { headers: { "idempotency-key": crypto.randomUUID?.() ?? String(Math.random()) } });
    fill(told);
    watch(made.id);
  } catch (why) {
    fill(told, problem(why) ?? "");
  }
  start.disabled = false;
}

/** What the server is asked to do. */
function job(state, file, options) {
  const types = kept(`types.${state.file}`);
  const params = { file: state.file, name: state.name || stem(file.filename), seed: state.seed ?? 0, ...(state.budget > 0 ? { seconds: state.budget } : {}) };
  if (state.way === "race") return { kind: "race", params: { ...params, ...(state.families.length ? { families: state.families } : {}) } };
  const defaults = Object.fromEntries((options.get(state.family) ?? []).map((o) => [o.name, o.default]));
  const said = Object.fromEntries(Object.entries(state.options).filter(([name, v]) => v !== defaults[name]));
  if (types && Object.keys(types).length) said.types = types;
  return { kind: "fit", params: { ...params, family: state.family, ...(Object.keys(said).length ? { options: said } : {}) } };
}

function pick(families, state, change, standard) {
  const group = newId("family");
  const one = (f) => h("label", { title: f.takes ? null : f.why }, h("input", { type: "radio", name: group, value: f.name, checked: f.name === state.family, disabled: !f.takes, on: { change: () => { state.family = f.name; change(); } } }),
    h("b", {}, f.name, f.name === standard && h("span", { class: "badge live" }, t("fit.standard"))), h("span", { class: "small soft" }, f.takes ? f.summary : t("fit.cannot", { why: f.why ?? "" })));
  return h("div", { class: "pick", role: "radiogroup", "aria-label": t("fit.family") }, families.map(one));
}

function racers(families, state, change) {
  const chips = form([{ name: "families", label: t("fit.racers"), type: "many", values: families.map((f) => ({ value: f.name, label: f.name, disabled: !f.takes, help: f.takes ? f.summary : f.why })), help: t("fit.racers.help") }], state, (now) => { state.families = now.families ?? []; change(); });
  return chips.element;
}

/** The family's own options; those left at their defaults are not said. */
function settings(state, options, change) {
  const fields = (options.get(state.family) ?? []).map((o) => ({ ...o, label: o.name.replaceAll("_", " "), ...(o.type === "select" ? { any: o.default === null ? t("fit.auto") : undefined } : { placeholder: o.default === null ? t("fit.auto") : "" }), ...(o.high > 1 && o.type !== "select" ? { high: undefined, help: t("fit.range", { low: o.low ?? "", high: o.high }) } : {}) }));
  if (!fields.length) return [];
  const made = form(fields, state.options, (now) => { state.options = now; change(); });
  return [h("h3", {}, t("fit.options", { family: state.family })), made.element];
}
