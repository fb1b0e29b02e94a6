/** Models: what has been learned; each can be opened, called from elsewhere, taken along or deleted. */

import { blob, post, remove, save } from "../lib/api.js";
import { button, fill, h } from "../lib/dom.js";
import { confirm, sheet } from "../lib/dialog.js";
import { lines } from "../lib/lines.js";
import { markdown } from "../lib/markdown.js";
import { about, models } from "../lib/models.js";
import { progress } from "../lib/progress.js";
import { empty, problem, toast } from "../lib/toast.js";
import { moment, t } from "../lib/words.js";

export const id = "models", title = "models.title";
const LOOKS = { ready: "good", loading: "live", down: "bad" };
const path = (model) => `/v1/models/${encodeURI(model.id)}`;

export async function show(root, context) {
  const { go, signal, params } = context;
  const again = async () => {
    const all = await models(signal);
    if (!all.length) return fill(root, h("div", { class: "card" }, empty("models", t("models.none"), t("models.none.help"), button(t("models.to_fit"), () => go("fit"), { kind: "primary", icon: "fit" }))));
    return fill(root, h("div", { class: "cards" }, all.map((model) => card(model, { go, again, signal }))));
  };
  await again();
  if (params.id) details({ id: params.id, ilk: {} }, signal);
}

function card(model, page) {
  const { state, kind, family, score, place } = model.ilk, can = model.ilk.can ?? [];
  const badges = [kind && t(`data.kind.${kind}`), family, score && t("models.score", { sort: t(`models.score.${score}`, { or: null }) ?? score })].filter(Boolean);
  return h("article", { class: "card model", "aria-label": model.id }, h("header", {}, h("div", {}, h("h2", {}, model.id), h("p", { class: "soft tiny" }, model.created > 0 && moment(model.created))), h("span", { class: `badge ${LOOKS[state] ?? ""}` }, t(`models.state.${state}`, { or: null }) ?? state)),
    badges.length > 0 && h("div", { class: "badges" }, badges.map((b) => h("span", { class: "badge" }, b))),
    h("p", { class: "soft small" }, can.length ? t("models.can", { what: can.map((c) => t(`models.can.${c}`, { or: null }) ?? c).join(t("models.comma")) }) : t("models.asked")),
    h("footer", {}, uses(model, page), button(t("models.more"), () => details(model, page.signal), { kind: "plain small", icon: "info" }), owned(model, place, page)));
}

function uses({ id: model, ilk }, { go }) {
  const can = ilk.can ?? [];
  return [can.includes("sample") && button(t("create.title"), () => go("create", { model }), { kind: "primary small", icon: "create" }), can.includes("chat") && button(t("chat.title"), () => go("chat", { model }), { kind: "plain small", icon: "chat" }),
    can.includes("score") && button(t("judge.title"), () => go("judge", { model }), { kind: "plain small", icon: "judge" })];
}

function owned(model, place, { again }) {
  const tried = (act, done) => async () => { try { await act(); if (done) toast(done, "good"); await again(); } catch (why) { toast(why.message, "bad"); } };
  const download = tried(async () => save(await blob(`${path(model)}/download`), `${model.id}.ilk.zip`));
  const drop = async () => { if (await confirm(t("models.delete", { name: model.id }), t("models.delete.help"), t("models.delete.yes"))) await tried(() => remove(path(model)), t("models.deleted"))(); };
  const loaded = model.ilk.state === "ready";
  const small = (label, name, act) => button("", act, { kind: "quiet small", icon: name, "aria-label": `${label}: ${model.id}`, title: label });
  return h("span", { class: "row end grow" }, small(t(loaded ? "models.unload" : "models.load"), loaded ? "stop" : "play", tried(() => post(`${path(model)}/${loaded ? "unload" : "load"}`, {}))), small(t("models.download"), "download", download), place === "workspace" && small(t("models.delete.yes"), "remove", drop));
}

async function details(model, signal) {
  const body = h("div", { class: "stack" }, progress(t("create.opening")).element);
  sheet(model.id, body);
  try {
    const known = await about(model.id, signal);
    const facts = [["models.fact.family", known.family], ["models.fact.kind", known.kind && t(`data.kind.${known.kind}`)], ["models.fact.shape", known.shape?.join(" × ")], ["models.fact.score", known.score], ["models.fact.signed", typeof known.signed === "boolean" && t(known.signed ? "models.yes" : "models.no")], ["models.fact.ways", known.ways?.map((w) => w.name).join(", ")], ["models.fact.givens", known.givens?.map((g) => g.part).join(", ")]].filter(([, v]) => v);
    fill(body, facts.length > 0 && h("dl", { class: "facts" }, facts.map(([name, v]) => [h("dt", {}, t(name)), h("dd", {}, v)])), h("h3", {}, t("models.call")), h("p", { class: "soft small" }, t("models.call.help")), lines(calls(model.id, known.can ?? model.ilk.can ?? [])).element, known.card && [h("h3", {}, t("models.card")), h("div", { class: "card-text" }, markdown(known.card))]);
  } catch (why) {
    fill(body, problem(why) ?? "");
  }
}

/** How other programs call it: by curl, and with OpenAI's client where it answers or writes texts. */
function calls(model, can) {
  const key = `-H "Authorization: Bearer $ILK_KEY" -H "Content-Type: application/json"`, base = location.origin;
  const client = `from openai import OpenAI\n\nclient = OpenAI(base_url="${base}/v1", api_key="...")\n`;
  const quoted = JSON.stringify(model), shell = (body) => JSON.stringify(body).replaceAll("'", "'\\''");
  if (can.includes("chat")) return { curl: `curl ${base}/v1/chat/completions ${key} \\\n  -d '${shell({ model, messages: [{ role: "user", content: "Hello" }] })}'`, openai: `${client}answer = client.chat.completions.create(model=${quoted}, messages=[{"role": "user", "content": "Hello"}])\nprint(answer.choices[0].message.content)` };
  if (can.includes("embed") && !can.includes("sample")) return { curl: `curl ${base}/v1/embeddings ${key} \\\n  -d '${shell({ model, input: "Hello" })}'`, openai: `${client}print(client.embeddings.create(model=${quoted}, input="Hello").data[0].embedding[:4])` };
  return { curl: `curl ${base}/v1/sample ${key} \\\n  -d '${shell({ model, n: 5, seed: 0 })}'`, python: `import httpx\n\nanswer = httpx.post("${base}/v1/sample", headers={"authorization": "Bearer ..."}, json={"model": ${quoted}, "n": 5, "seed": 0})\nprint(answer.json()["items"])` };
}
