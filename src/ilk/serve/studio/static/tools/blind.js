/** Two participants side by side, neither named: which item is better? Votes are counted here; nobody else learns them. */
import { post, save, upload } from "../lib/api.js";
import { button, fill, h } from "../lib/dom.js";
import { form } from "../lib/form.js";
import { lines } from "../lib/lines.js";
import { problem, say } from "../lib/toast.js";
import { number, t } from "../lib/words.js";
import { view } from "../viewers/index.js";
import { interval } from "./chance.js";
import { drop } from "./drop.js";

const KEYS = { a: "left", ArrowLeft: "left", b: "right", ArrowRight: "right", "=": "tie", " ": "tie", u: "undo", Backspace: "undo" };

/** An element with the choice of participants, then the comparison. `all` are the models that make items. */
export function blind(all, first, signal) {
  const place = h("div", { class: "stack" }), names = all.map((model) => model.id), files = new Map();
  const values = () => [...names.map((name) => ({ value: `model ${name}`, label: name })), ...[...files].map(([id, name]) => ({ value: `file ${id}`, label: t("judge.real", { name }) }))];
  const setup = (start) => {
    const fields = form([{ name: "one", label: t("judge.one"), type: "select", values: values() }, { name: "other", label: t("judge.other"), type: "select", values: values() }, { name: "n", label: t("judge.pairs"), type: "integer", low: 2, high: 100 }, { name: "seed", label: t("edit.seed"), type: "seed" }], start);
    fields.element.classList.add("two");
    const add = async ([file]) => { try { const kept = await upload(file, { signal }); files.set(kept.id, file.name); setup({ ...fields.values(), other: `file ${kept.id}` }); } catch (why) { told.replaceChildren(problem(why) ?? ""); } };
    const told = h("div");
    const begin = async () => {
      fill(told, h("p", { class: "soft" }, t("edit.working")));
      try {
        const { one, other, n = 20, seed = 0 } = fields.values(), label = (who) => values().find((v) => v.value === who).label;
        if (one === other) throw new Error(t("judge.same"));
        const sides = await Promise.all([itemsOf(one, n, seed, signal), itemsOf(other, n, seed, signal)]), many = Math.min(...sides.map((s) => s.length), n);
        compare(place, { names: [label(one), label(other)], sides, many, seed, said: [one, other] }, () => setup(fields.values()), signal);
      } catch (why) {
        fill(told, problem(why, begin) ?? "");
      }
    };
    fill(place, h("section", { class: "card" }, h("p", { class: "help" }, t("judge.blind.help")), fields.element, drop(t("judge.drop.real"), t("edit.browse"), add), told, h("div", { class: "row end" }, button(t("judge.begin"), begin, { kind: "primary" }))));
  };
  setup({ one: `model ${first}`, other: `model ${names.find((name) => name !== first) ?? first}`, n: 20, seed: 0 });
  return place;
}

async function itemsOf(who, n, seed, signal) {
  const [sort, name] = [who.slice(0, who.indexOf(" ")), who.slice(who.indexOf(" ") + 1)];
  if (sort === "model") return (await post("/v1/sample", { model: name, n, seed }, { signal })).items;
  const found = (await post("/v1/read", { file: name }, { signal })).preview;
  if (!found.length) throw new Error(t("viewers.none"));
  return found;
}

const chance = () => crypto.getRandomValues(new Uint8Array(1))[0] < 128;

function shuffled(n) {
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) { const j = crypto.getRandomValues(new Uint32Array(1))[0] % (i + 1); [order[i], order[j]] = [order[j], order[i]]; }
  return order;
}

function compare(place, study, back, signal) {
  const { names, sides, many } = study, order = shuffled(many).map((item) => ({ item, flipped: chance() })), votes = [];
  const vote = (choice) => {
    if (choice === "undo") votes.pop();
    else if (votes.length < many) {
      const { item, flipped } = order[votes.length];
      votes.push({ one: names[0], other: names[1], winner: choice === "tie" ? null : names[(choice === "right") !== flipped ? 1 : 0], item, left: names[flipped ? 1 : 0] });
    }
    draw();
  };
  const leaving = new AbortController();
  signal.addEventListener("abort", () => leaving.abort());
  document.addEventListener("keydown", (e) => {
    const choice = KEYS[e.key] ?? KEYS[e.key.toLowerCase()];
    if (!choice || e.ctrlKey || e.metaKey || e.target.matches("input, select, textarea, canvas, audio") || (e.key === " " && e.target.matches("button"))) return;
    if (!place.isConnected) { leaving.abort(); return; }
    e.preventDefault();
    vote(choice);
  }, { signal: leaving.signal });
  const draw = () => {
    if (votes.length === many) { leaving.abort(); fill(place, outcome(study, votes, back)); say(t("judge.done")); return; }
    const { item, flipped } = order[votes.length], [left, right] = flipped ? [1, 0] : [0, 1];
    const side = (letter, who, choice) => h("section", { class: "card blind-side", "aria-label": letter }, h("h2", {}, letter), view([sides[who][item]]), button(t("judge.prefer", { letter }), () => vote(choice), { kind: "primary" }));
    fill(place, h("div", { class: "row spread" }, h("p", { class: "soft tabular", "aria-live": "polite" }, t("judge.of", { k: votes.length + 1, n: many })), h("div", { class: "row" }, button(t("judge.tie"), () => vote("tie")), button(t("edit.undo"), () => vote("undo"), { disabled: !votes.length }), button(t("judge.end"), () => { leaving.abort(); fill(place, outcome(study, votes, back)); }, { kind: "quiet" }))),
      h("div", { class: "blind" }, side("A", left, "left"), side("B", right, "right")), h("p", { class: "help" }, t("judge.keys")));
  };
  draw();
}

/** Counts, the share of decided votes for the first, and its exact interval. */
function outcome({ names, said, many, seed }, votes, back) {
  const wins = names.map((name) => votes.filter((v) => v.winner === name).length), ties = votes.length - wins[0] - wins[1], decided = wins[0] + wins[1], [low, high] = interval(wins[0], decided);
  const percent = (p) => `${number(100 * p, 3)} %`, verdict = !decided || (low <= 0.5 && high >= 0.5) ? t("judge.undecided") : t("judge.preferred", { name: low > 0.5 ? names[0] : names[1] });
  const row = (name, n) => h("tr", {}, h("th", { scope: "row" }, name), h("td", { class: "numeric" }, String(n)));
  const bar = h("div", { class: "blind-bar", role: "img", "aria-label": t("judge.share", { name: names[0], share: percent(decided ? wins[0] / decided : 0), low: percent(low), high: percent(high) }) }, h("i"), h("b"));
  bar.style.setProperty("--low", `${100 * low}%`);
  bar.style.setProperty("--high", `${100 * high}%`);
  bar.style.setProperty("--at", `${decided ? (100 * wins[0]) / decided : 50}%`);
  const copy = lines({ cli: `ilk blind ${said.map((who) => quoted(who.replace(/^(model|file) /, ""))).join(" ")} --n ${many} --seed ${seed}`, python: `import json, ilk\nvotes = json.load(open("votes.json"))\nprint(ilk.bradley_terry([ilk.Vote(**vote) for vote in votes]))` });
  return h("section", { class: "card" }, h("h2", {}, t("judge.outcome")), h("p", {}, verdict), h("div", { class: "scroll" }, h("table", {}, h("tbody", {}, row(names[0], wins[0]), row(names[1], wins[1]), row(t("judge.ties"), ties)))),
    decided > 0 && h("p", { class: "soft" }, t("judge.share", { name: names[0], share: percent(wins[0] / decided), low: percent(low), high: percent(high) })), decided > 0 && bar,
    h("div", { class: "row" }, button(t("judge.again"), back, { kind: "primary" }), button(t("judge.votes"), () => save(new Blob([JSON.stringify(votes, null, 1)], { type: "application/json" }), "votes.json"), { icon: "download" })), copy.element);
}

const quoted = (text) => (/^[\w.-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
