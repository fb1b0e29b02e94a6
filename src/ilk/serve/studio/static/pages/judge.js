/** Judge: figures of a model, what it gives away, which family suits a file, and which of two people prefer. */
import { upload } from "../lib/api.js";
import { button, fill, h } from "../lib/dom.js";
import { form } from "../lib/form.js";
import { keep, kept } from "../lib/keep.js";
import { later } from "../lib/later.js";
import { lines, linesOf } from "../lib/lines.js";
import { progress } from "../lib/progress.js";
import { note, problem } from "../lib/toast.js";
import { language, t } from "../lib/words.js";
import { blind } from "../tools/blind.js";
import { drop } from "../tools/drop.js";
import { figures } from "../tools/figures.js";
import { done, left } from "../tools/job.js";
import { can, models, noModel, picker } from "../tools/models.js";
import { pageFrame } from "../tools/page.js";
import { dataFiles } from "./data.js";

const WAYS = ["evaluate", "race", "audit", "report", "blind"];

/** Shows the page. */
export async function show(root, context) {
  const { params, signal } = context, tabs = h("div", { class: "segments wraps", role: "group", "aria-label": t("judge.ways") }), place = h("div", { class: "stack" });
  const [all, files] = await Promise.all([models((facts) => can(facts, "sample", "score"), signal), dataFiles(signal)]);
  let leaving = new AbortController();
  const choose = (way) => {
    leaving.abort();
    leaving = new AbortController();
    keep("judge.way", way);
    fill(tabs, WAYS.map((w) => h("button", { type: "button", "aria-pressed": String(w === way), on: { click: () => choose(w) } }, t(`judge.way.${w}`))));
    const inner = AbortSignal.any([signal, leaving.signal]), model = params.model ?? kept("judge.model") ?? all[0]?.id;
    if (!all.length && way !== "race") fill(place, noModel(t("edit.no_model.text")));
    else if (way === "blind") fill(place, blind(all, all.some((m) => m.id === model) ? model : all[0].id, inner));
    else fill(place, judged(way, { all, files, model, signal: inner, go: context.go }));
  };
  fill(root, tabs, place);
  choose(WAYS.includes(params.way) ? params.way : kept("judge.way", "evaluate"));
}

/** A form of what is judged, and what came of it. */
function judged(kind, page) {
  const { all, signal } = page, made = h("div", { class: "stack" }), copy = lines(), setup = h("div", { class: "stack" });
  const state = { file: kept("judge.file") ?? "", seed: 0, seconds: 120, ...kept(`judge.${kind}`, {}) };
  const tell = later(async () => copy.set(await linesOf(kind, asked(kind, state), signal)));
  const draw = () => {
    const choice = picker(all, page.model, (id) => { keep("judge.model", id); page.model = id; state.model = id; tell(); });
    state.model = choice.first;
    const change = (now) => { Object.assign(state, { file: "", n: undefined, ...now }); keep("judge.file", state.file); tell(); };
    const fields = form(fieldsOf(kind, page.files), state, change);
    const add = async ([file]) => { try { const sent = await upload(file, { signal }); page.files.unshift({ id: sent.id, filename: file.name }); state.file = sent.id; draw(); tell(); } catch (why) { fill(made, problem(why) ?? ""); } };
    fill(setup, h("section", { class: "card" }, h("p", { class: "help" }, t(`judge.${kind}.help`)), kind !== "race" && choice.element, fields.element, drop(t("judge.drop"), t("edit.browse"), add), h("div", { class: "row end" }, button(t(`judge.${kind}.go`), start, { kind: "primary" }))), copy.element);
  };
  const start = async () => {
    const bar = progress(t(`judge.way.${kind}`));
    fill(made, h("section", { class: "card" }, bar.element, h("p", { class: "help" }, t("judge.goes_on"))));
    try {
      if (kind === "race" && !state.file) throw new Error(t("judge.no_file"));
      fill(made, await told(kind, await done(kind, asked(kind, state), bar.set, signal), page));
    } catch (why) {
      fill(made, problem(why, start) ?? "");
    }
  };
  draw();
  tell();
  return h("div", { class: "split" }, setup, made);
}

function fieldsOf(kind, files) {
  const file = { name: "file", label: t(kind === "race" ? "judge.file" : "judge.against"), type: "select", values: files.map((f) => ({ value: f.id, label: f.filename })), any: t(kind === "race" ? "judge.choose" : "judge.own"), help: kind === "race" ? undefined : t("judge.against.help") };
  if (kind === "race") return [file, { name: "seconds", label: t("judge.seconds"), type: "integer", low: 10, high: 3600 }, { name: "name", label: t("judge.called"), type: "text" }, { name: "seed", label: t("edit.seed"), type: "seed" }];
  return [file, { name: "n", label: t("judge.n"), type: "integer", low: undefined, help: t("judge.n.help") }, { name: "seed", label: t("edit.seed"), type: "seed" }];
}

/** The parameters of a job: what was left empty is left out. */
function asked(kind, { model, file, n, seed, seconds, name }) {
  const said = kind === "race" ? { file, seconds, seed, name } : { model, file, n, seed };
  if (kind !== "evaluate") said.language = language();
  return Object.fromEntries(Object.entries(said).filter(([, v]) => v !== undefined && v !== null && v !== ""));
}

/** What a job that is done says, as elements. */
async function told(kind, job, { signal, go }) {
  const { report, file, model } = job.made, next = model && note("good", h("p", {}, t("judge.made", { model })), button(t("create.title"), () => go("create", { model }), { kind: "plain small" }));
  if (report) return h("section", { class: "card" }, next, pageFrame(await (await left(job, report, signal)).text(), t(`judge.way.${kind}`)));
  return h("section", { class: "card" }, next, h("h2", {}, t("judge.figures")), figures(JSON.parse(await (await left(job, file, signal)).text())));
}
