/** Chat: with a model that answers turns, and with documents. */
import { events, post, save } from "../lib/api.js";
import { button, fill, h } from "../lib/dom.js";
import { form } from "../lib/form.js";
import { lines } from "../lib/lines.js";
import { problem, say } from "../lib/toast.js";
import { moment, t } from "../lib/words.js";
import { panel } from "../tools/cited.js";
import { libraries } from "../tools/library.js";
import { can, models, noModel, picker } from "../tools/models.js";
import { add, beside, enter, forget, fresh, keep, kept, messages, path } from "../tools/talks.js";
import { body, turnView } from "../tools/turns.js";

/** Shows the page. */
export async function show(root, { params, signal }) {
  const all = await models((facts) => can(facts, "chat"), signal);
  if (!all.length) { fill(root, noModel(t("chat.no_model"))); return; }
  const names = all.map((model) => model.id);
  const talk = kept()[0] ?? fresh();
  if (names.includes(params.model)) talk.settings.model = params.model;
  if (!names.includes(talk.settings.model)) talk.settings.model = names[0];
  new Talk(root, all, signal).take(talk);
}

/** The page with one conversation at work. */
class Talk {
  constructor(root, all, signal) {
    Object.assign(this, { all, signal, said: h("div", { class: "talk" }), tools: h("div", { class: "stack" }), past: h("div", { class: "stack" }), panel: panel(signal), leaving: null, same: lines() });
    this.area = h("textarea", { rows: 2, "aria-label": t("chat.write"), placeholder: t("chat.write"), on: { keydown: (e) => { if (e.key === "Enter" && !e.shiftKey && !e.isComposing) { e.preventDefault(); this.send(); } } } });
    this.sending = h("div", { class: "row end" });
    const main = h("section", { class: "card chat" }, this.said, h("div", { class: "write" }, this.area, this.sending));
    fill(root, h("div", { class: "split" }, h("div", { class: "stack" }, h("section", { class: "card" }, this.tools), h("section", { class: "card" }, this.past)), h("div", { class: "chat-columns" }, h("div", { class: "stack" }, main, this.same.element), this.panel.element)));
    signal.addEventListener("abort", () => this.stop());
  }

  /** Makes this the conversation at work. */
  take(talk) {
    this.stop();
    this.talk = talk;
    this.panel.close();
    this.drawTools();
    this.draw();
  }

  keep() {
    if (this.talk.turns.length) keep(this.talk);
    this.drawPast();
  }

  draw() {
    const busy = this.leaving !== null, turns = path(this.talk);
    const does = { retry: (turn) => this.answer(turn.parent), change: (turn, text) => this.ask(turn.parent, text), enter: (id) => { enter(this.talk, id); this.keep(); this.draw(); }, cite: (c) => this.panel.open(this.talk.settings.library, c) };
    fill(this.said, turns.length ? turns.map((turn) => turnView(this.talk, turn, does, busy)) : h("p", { class: "soft" }, t(this.talk.settings.library ? "chat.begin.documents" : "chat.begin")));
    fill(this.sending, busy ? button(t("edit.stop"), () => this.stop(), { kind: "plain", icon: "stop" }) : button(t("chat.send"), () => this.send(), { kind: "primary" }));
    this.drawPast();
    this.said.scrollTop = this.said.scrollHeight;
  }

  drawTools() {
    const { settings } = this.talk, model = picker(this.all, settings.model, (id) => this.set({ model: id }));
    const fields = form([{ name: "system", label: t("chat.system"), type: "long", rows: 2 }, { name: "temperature", label: t("edit.temperature"), type: "number", low: 0, high: 2, step: 0.05 },
      { name: "seed", label: t("edit.seed"), type: "seed" }, { name: "tokens", label: t("edit.tokens"), type: "integer", low: 1, high: 4096 }, { name: "schema", label: t("chat.schema"), type: "long", rows: 3, help: t("chat.schema.help"), placeholder: '{"type": "object", ...}' }],
    settings, (now) => this.set({ system: "", schema: "", temperature: undefined, seed: undefined, tokens: undefined, ...now }));
    fill(this.tools, model.element, libraries(settings.library ?? "", (library) => { if (library !== (settings.library ?? "")) this.set({ library }); }, this.signal), h("details", {}, h("summary", {}, t("chat.settings")), fields.element));
  }

  drawPast() {
    const all = kept();
    const entry = (talk) => h("li", { class: "row spread" }, button(talk.title || t("chat.untitled"), () => this.take(talk), { kind: `quiet small entry`, "aria-current": talk.id === this.talk.id ? "true" : null, title: moment(talk.began) }),
      button("", () => { forget(talk.id); if (talk.id === this.talk.id) this.take(fresh({ ...this.talk.settings })); else this.drawPast(); }, { kind: "quiet small", icon: "remove", "aria-label": t("chat.forget", { title: talk.title }) }));
    fill(this.past, h("div", { class: "row spread" }, h("h2", {}, t("chat.talks")), button(t("chat.new"), () => { this.take(fresh({ ...this.talk.settings })); this.area.focus(); }, { kind: "plain small" })), h("ul", { class: "talks" }, all.map(entry)),
      h("p", { class: "help" }, t("chat.talks.help")), this.talk.turns.length > 0 && button(t("chat.download"), () => this.download(), { kind: "plain small", icon: "download" }));
  }

  download() {
    save(new Blob([JSON.stringify(this.talk, null, 1)], { type: "application/json" }), "conversation.json");
  }

  set(more) {
    const began = this.talk.settings.library ?? "";
    Object.assign(this.talk.settings, more);
    if (this.talk.turns.length) keep(this.talk);
    if ((this.talk.settings.library ?? "") !== began) this.draw();
  }

  send() {
    const text = this.area.value;
    if (!text.trim() || this.leaving) return;
    this.area.value = "";
    this.ask(this.talk.at, text);
  }

  ask(parent, content) {
    this.answer(add(this.talk, parent, { role: "user", content }).id);
  }

  stop() {
    this.leaving?.abort();
  }

  /** An answer to the turn of that number: a new branch where there is one already. */
  async answer(asked) {
    this.stop();
    const mine = (this.leaving = new AbortController());
    this.talk.at = asked;
    const talk = this.talk, before = path(talk), turn = add(talk, asked, { role: "assistant", content: "" });
    const again = beside(talk, turn).length > 1;
    this.draw();
    const place = this.said.querySelector(".turn:last-child .said");
    place.setAttribute("aria-busy", "true");
    try {
      if (talk.settings.library) await this.fromDocuments(talk, before, turn, mine.signal);
      else await this.streamed(talk, before, turn, mine.signal, again, () => { fill(place, body(turn, {})); this.said.scrollTop = this.said.scrollHeight; });
    } catch (why) {
      if (why.name === "AbortError") turn.note = "stopped";
      else this.failed = [turn, why];
    }
    if (mine !== this.leaving) return;
    this.leaving = null;
    this.keep();
    this.draw();
    if (this.failed?.[0] === turn) this.said.append(problem(this.failed[1], () => this.answer(asked)));
    else say(turn.content.slice(0, 400));
  }

  async fromDocuments(talk, before, turn, signal) {
    const { library, model } = talk.settings, question = before.at(-1).content;
    const found = await post("/v1/ask", { library, question, model }, { signal });
    Object.assign(turn, { cited: found, content: found.answer ?? "" });
    this.same.set({ cli: `ilk ask ${quoted(library)} ${quoted(question)} --model ${quoted(model)}`, python: `import ilk\nilk.ask(${JSON.stringify(library)}, ${JSON.stringify(question)}, model=${JSON.stringify(model)})` });
  }

  async streamed(talk, before, turn, signal, again, told) {
    const request = wanted(talk, before, again);
    for await (const { data } of events("/v1/chat/completions", { body: { ...request, stream: true }, signal })) {
      const choice = data.choices?.[0];
      if (!choice) continue;
      turn.content += choice.delta?.content ?? choice.delta?.refusal ?? "";
      if (choice.finish_reason === "length") turn.note = "length";
      told();
    }
    this.same.set(asLines(request));
  }
}

/** The request of an answer. An answer that is asked for again gets another seed, unless one was said. */
function wanted({ settings, ...talk }, turns, again) {
  const { model, temperature, seed, tokens, schema } = settings;
  const body = { model, messages: messages({ ...talk, settings }, turns) };
  if (temperature !== undefined) body.temperature = temperature;
  if (seed !== undefined || again) body.seed = seed ?? Math.floor(Math.random() * 1e6);
  if (tokens !== undefined) body.max_completion_tokens = tokens;
  if (schema?.trim()) body.response_format = { type: "json_schema", json_schema: { name: "answer", schema: parsed(schema), strict: true } };
  return body;
}

function parsed(schema) {
  try {
    return JSON.parse(schema);
  } catch {
    throw Object.assign(new Error(t("chat.schema.bad")), { code: "SCHEMA" });
  }
}

const quoted = (text) => `'${String(text).replaceAll("'", "'\\''")}'`;

function asLines(request) {
  const curl = `curl ${location.origin}/v1/chat/completions -H "Authorization: Bearer $ILK_KEY" \\\n  -H 'Content-Type: application/json' -d ${quoted(JSON.stringify(request))}`;
  const python = ["from openai import OpenAI", "", `client = OpenAI(base_url=${JSON.stringify(`${location.origin}/v1`)}, api_key="...")`, `answer = client.chat.completions.create(**json.loads(r'''${JSON.stringify(request).replaceAll("'''", "\\u0027\\u0027\\u0027")}'''))`, "print(answer.choices[0].message.content)"];
  return { openai: ["import json", ...python].join("\n"), curl };
}
