/** A job as it goes: state, progress, curves, what it makes on the way, what it left, and its log. */

import { blob, events, get, post, remove, save } from "./api.js";
import { chart } from "./chart.js";
import { confirm, sheet } from "./dialog.js";
import { button, fill, h } from "./dom.js";
import { pause } from "./later.js";
import { lines } from "./lines.js";
import { progress } from "./progress.js";
import { problem, toast } from "./toast.js";
import { moment, number, span, t } from "./words.js";
import { pageFrame } from "../tools/page.js";
import { view } from "../viewers/index.js";

export const OVER = ["succeeded", "failed", "cancelled", "interrupted"];
const LOOKS = { running: "live", queued: "", paused: "warn", succeeded: "good", failed: "bad", cancelled: "", interrupted: "warn" };
const TOLD = 400;

/** How a job stands, as a badge. */
export const badge = (state) => h("span", { class: `badge ${LOOKS[state] ?? ""}` }, t(`jobs.state.${state}`));

/** What a job is called: its name, else the model or file it is about. */
export const nameOf = (job) => job.name || job.params?.name || job.params?.model || job.id;

/** How long it ran, or runs. */
export const lasting = (job) => (job.started ? span((job.ended ?? Date.now() / 1000) - job.started) : "–");

/** Asks a job to cancel, pause, resume; deleted jobs are gone. What went wrong is shown. */
export async function tellJob(job, what) {
  if (what === "delete" && !(await confirm(t("jobs.delete", { name: nameOf(job) }), t("jobs.delete.help"), t("jobs.do.delete")))) return null;
  try {
    return what === "delete" ? (await remove(`/v1/jobs/${job.id}`), { ...job, state: "deleted" }) : await post(`/v1/jobs/${job.id}/${what}`, {});
  } catch (why) {
    toast(why.message, "bad");
    return null;
  }
}

/** The buttons that a job's state allows. */
export function controls(job, done, small = true) {
  const one = (what, name, kind = "plain") => button(t(`jobs.do.${what}`), async () => { const now = await tellJob(job, what); if (now) done(now); }, { kind: `${kind}${small ? " small" : ""}`, icon: name });
  if (job.state === "running") return [PAUSABLE.includes(job.kind) && one("pause", "pause"), one("cancel", "stop", "danger")];
  if (job.state === "queued") return [one("cancel", "stop", "danger")];
  if (job.state === "paused") return [one("resume", "play"), one("cancel", "stop", "danger")];
  return [["interrupted", "failed", "cancelled"].includes(job.state) && PAUSABLE.includes(job.kind) && one("resume", "play"), one("delete", "remove", "quiet")];
}

const PAUSABLE = ["fit", "tune", "race"];

/**
 * A live view of the job of that id; `context` is the page's. It ends with `context.signal`. `changed(job)` is called when its state changes.
 */
export function follow(id, context, changed = () => {}) {
  const element = h("section", { class: "card", "aria-label": t("jobs.one"), data: { job: id } });
  const head = h("header", {}), bar = progress(t("jobs.progress")), made = h("div", { class: "stack" }), sample = h("div", { class: "stack" }), figures = h("div", { class: "badges" });
  const curves = chart({ title: t("jobs.loss"), across: t("jobs.steps"), series: [{ id: "train", label: t("jobs.train") }, { id: "valid", label: t("jobs.valid") }], describe: inWords });
  curves.element.hidden = true;
  const log = h("ol", { class: "log" }), logs = h("details", {}, h("summary", {}, t("jobs.log")), log), copy = lines();
  fill(element, head, bar.element, curves.element, figures, sample, made, copy.element, logs);
  const parts = { head, bar, made, sample, figures, curves, log, copy };
  run(id, parts, context, changed).catch((why) => fill(made, problem(why) ?? ""));
  return element;
}

async function run(id, parts, context, changed) {
  let job = await get(`/v1/jobs/${id}`, context), last = 0;
  const stand = (now) => { const other = now.state !== job.state; job = now; draw(job, parts, context, stand); if (other) changed(job); };
  stand(job);
  changed(job);
  for (let tries = 0; !context.signal.aborted; tries++) {
    try {
      for await (const { id: number, data } of events(`/v1/jobs/${id}/events`, { signal: context.signal, after: last })) {
        last = number || last;
        tries = 0;
        note(data, parts, job);
        if (data.event === "state") stand(await get(`/v1/jobs/${id}`, context));
      }
    } catch (why) {
      if (why.name === "AbortError" || why.status === 404) return;
    }
    stand(await get(`/v1/jobs/${id}`, context));
    if (OVER.includes(job.state)) return;
    await pause(Math.min(8000, 500 * 2 ** tries), context.signal);
  }
}

function draw(job, { head, bar, made, copy }, context, stand) {
  const over = OVER.includes(job.state);
  fill(head, h("div", {}, h("h2", {}, nameOf(job)), h("div", { class: "badges" }, badge(job.state), h("span", { class: "badge" }, t(`jobs.kind.${job.kind}`)), h("span", { class: "badge" }, lasting(job)))),
    h("div", { class: "row" }, controls(job, stand)));
  bar.element.hidden = over;
  if (job.state === "running") bar.set(job.progress ?? null, job.progress ? `${Math.round(job.progress * 100)}%` : "");
  else bar.set(job.progress ?? 0, t(`jobs.state.${job.state}`));
  fill(made, job.error && problem({ ...(job.error.error ?? job.error) }), over && job.state === "succeeded" && results(job, context));
  copy.set(job.line ?? null);
}

/** What a job left, and where to go with it. */
export function results(job, { go }) {
  const { model, report, file } = job.made ?? {};
  const open = async (name) => { const page = await blob(`/v1/jobs/${job.id}/files/${encodeURIComponent(name)}`); sheet(nameOf(job), pageFrame(await page.text(), name)).classList.add("tall"); };
  const keep = async (name) => save(await blob(`/v1/jobs/${job.id}/files/${encodeURIComponent(name)}`), name.split("/").at(-1));
  const wrong = (act) => () => act().catch((why) => toast(why.message, "bad"));
  if (!model && !report && !file) return null;
  return h("div", { class: "row" }, model && [button(t("jobs.open.create"), () => go("create", { model }), { kind: "primary", icon: "create" }), button(t("jobs.open.judge"), () => go("judge", { model }), { icon: "judge" })],
    report && button(t("jobs.open.report"), wrong(() => open(report)), { icon: "judge" }), file && button(t("jobs.open.file"), wrong(() => keep(file)), { icon: "download" }));
}

function note(facts, { bar, curves, sample, figures, log }, job) {
  const { event } = facts;
  if (event === "progress") {
    if (job.state === "running") bar.set(facts.fraction, t("jobs.far", { percent: Math.round(100 * facts.fraction), step: facts.step }));
    curves.add("train", facts.step, facts.loss);
  }
  if (event === "validated") curves.add("valid", facts.step, facts.loss);
  if (event === "validated" && facts.best) curves.element.dataset.best = t("jobs.best", { n: facts.step, loss: facts.loss });
  if (event === "validated" || (event === "progress" && Number.isFinite(facts.loss))) curves.element.hidden = false;
  if (event === "preview" && facts.items?.length) fill(sample, h("h3", {}, t("jobs.preview")), view(facts.items.slice(0, 16), { kind: facts.kind }));
  if (event === "measured") fill(figures, Object.entries(facts.figures).map(([name, v]) => h("span", { class: "badge" }, `${name} ${number(v)}`)));
  if (event !== "progress" && event !== "preview") log.prepend(entry(facts));
  while (log.childElementCount > TOLD) log.lastChild.remove();
}

function entry(facts) {
  const { event, at, ...rest } = facts;
  const time = at ? new Date(at * 1000).toLocaleTimeString() : "";
  const values = { ...Object.fromEntries(Object.entries(rest).map(([k, v]) => [k, v === null ? "–" : typeof v === "object" ? Object.keys(v).slice(0, 4).join(", ") : v])), state: rest.state ? t(`jobs.state.${rest.state}`) : "" };
  if (event === "ended") values.seconds = span(rest.seconds);
  const best = rest.best ? t("jobs.event.best") : "";
  return h("li", {}, h("time", {}, time), h("span", {}, t(`jobs.event.${event}`, { ...values, or: null }) ?? `${event} ${JSON.stringify(rest)}`, best));
}

function inWords(points) {
  const told = [...points].filter(([, p]) => p.length).map(([id, p]) => t("jobs.curve", { name: t(`jobs.${id}`), from: p[0][1], to: p.at(-1)[1], n: p.at(-1)[0] }));
  return told.join(" ");
}

/** When a job was asked for, in words. */
export const when = (job) => moment(job.created);
