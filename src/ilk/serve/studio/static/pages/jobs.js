/** Jobs: all of them with their state, live; one of them opened below. */

import { get } from "../lib/api.js";
import { button, fill, h } from "../lib/dom.js";
import { OVER, badge, controls, follow, lasting, nameOf, when } from "../lib/job.js";
import { keep, kept } from "../lib/keep.js";
import { pause } from "../lib/later.js";
import { empty } from "../lib/toast.js";
import { t } from "../lib/words.js";

export const id = "jobs", title = "jobs.title";
const STATES = ["", "running", "queued", "paused", "succeeded", "failed", "cancelled", "interrupted"];
const PAGE = 50, EVERY = 3000;

export async function show(root, context) {
  const { params, go, signal } = context;
  const opened = h("div", { class: "stack" }), table = h("div", { class: "stack" });
  const state = { filter: kept("jobs.filter", ""), most: PAGE };
  const filter = h("select", { id: "jobs-filter", on: { change: (e) => { state.filter = e.target.value; keep("jobs.filter", state.filter); refresh(); } } }, STATES.map((s) => h("option", { value: s, selected: s === state.filter }, t(s ? `jobs.state.${s}` : "jobs.filter.all"))));
  let shown = "";
  const refresh = async () => {
    const found = await get(`/v1/jobs?limit=${state.most}${state.filter ? `&state=${state.filter}` : ""}`, { signal });
    const now = JSON.stringify([found, t("jobs.title")]) + found.data.filter((j) => !OVER.includes(j.state)).map(lasting);
    if (now !== shown && !table.querySelector(":focus-visible")) fill(table, list(found.data, { state, refresh, go }), (found.has_more ?? found.data.length === state.most) && button(t("jobs.more"), () => { state.most += PAGE; refresh(); }));
    shown = now;
  };
  fill(root, opened, h("div", { class: "row" }, h("label", { for: "jobs-filter" }, t("jobs.filter")), h("div", {}, filter)), table);
  if (params.id) fill(opened, follow(params.id, context, (job) => (job.state === "deleted" ? go("jobs") : refresh())));
  await refresh();
  keepFresh(refresh, signal);
}

async function keepFresh(refresh, signal) {
  while (!signal.aborted) {
    await pause(EVERY, signal).catch(() => {});
    if (!signal.aborted && !document.hidden) await refresh().catch(() => {});
  }
}

function list(jobs, { state, refresh, go }) {
  if (!jobs.length && state.filter) return h("p", { class: "soft" }, "–");
  if (!jobs.length) return h("div", { class: "card" }, empty("jobs", t("jobs.none"), t("jobs.none.help"), button(t("jobs.to_fit"), () => go("fit"), { kind: "primary", icon: "fit" })));
  const row = (job) => h("tr", { data: { job: job.id } }, h("th", { scope: "row" }, h("a", { href: `#/jobs?id=${encodeURIComponent(job.id)}` }, nameOf(job))), h("td", {}, t(`jobs.kind.${job.kind}`)), h("td", {}, badge(job.state)),
    h("td", {}, OVER.includes(job.state) ? "" : h("progress", { max: 1, value: job.progress ?? undefined, "aria-label": t("jobs.progress") })), h("td", { class: "soft" }, when(job)), h("td", { class: "numeric" }, lasting(job)), h("td", {}, h("div", { class: "row acts" }, controls(job, refresh))));
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": t("jobs.title") }, h("table", {}, h("thead", {}, h("tr", {}, ["name", "kind", "state", "progress", "created", "lasting", "acts"].map((w) => h("th", { scope: "col", class: w === "lasting" ? "numeric" : "" }, t(`jobs.head.${w}`))))), h("tbody", {}, jobs.map(row))));
}
