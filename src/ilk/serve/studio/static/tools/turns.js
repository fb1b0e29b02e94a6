/** The turns of a conversation, and what can be done with each. */
import { button, h } from "../lib/dom.js";
import { copier } from "../lib/lines.js";
import { t } from "../lib/words.js";
import { answered } from "./cited.js";
import { markdown } from "../lib/markdown.js";
import { beside } from "./talks.js";

/** One turn as an element; `does`: retry(turn), change(turn, text), enter(id), cite(citation). `busy` while an answer comes. */
export function turnView(talk, turn, does, busy) {
  const said = h("div", { class: "said" }, body(turn, does));
  const tools = h("div", { class: "turn-tools" }, branches(talk, turn, does), !busy && [copier(() => turn.content),
    turn.role === "user" ? button(t("chat.change"), () => said.replaceChildren(changer(turn, does, () => said.replaceChildren(...[body(turn, does)].flat()))), { kind: "quiet small" })
      : button(t("chat.retry"), () => does.retry(turn), { kind: "quiet small" })]);
  return h("article", { class: `turn ${turn.role}`, "aria-label": t(`chat.${turn.role}`) }, h("p", { class: "who" }, t(`chat.${turn.role}`)), said, turn.note && h("p", { class: "soft small" }, t(`chat.note.${turn.note}`)), tools);
}

/** What was said, as elements. A person's words stay as they were written. */
export function body(turn, does) {
  if (turn.cited) return answered(turn.cited, does.cite);
  return turn.role === "user" ? h("p", { class: "as-is", dir: "auto" }, turn.content) : markdown(turn.content);
}

function branches(talk, turn, does) {
  const all = beside(talk, turn), at = all.findIndex((other) => other.id === turn.id);
  if (all.length < 2) return null;
  const to = (step, label, sign) => button(sign, () => does.enter(all[at + step].id), { kind: "quiet small", "aria-label": label, title: label, disabled: !all[at + step] });
  return h("span", { class: "branches" }, to(-1, t("chat.branch.before"), "‹"), h("span", { class: "tabular small soft" }, `${at + 1} / ${all.length}`), to(1, t("chat.branch.after"), "›"));
}

function changer(turn, does, back) {
  const area = h("textarea", { rows: 3, "aria-label": t("chat.change"), value: turn.content });
  requestAnimationFrame(() => area.focus());
  return h("div", { class: "stack" }, area, h("div", { class: "row end" }, button(t("frame.no"), back, { kind: "plain small" }), button(t("chat.change.send"), () => area.value.trim() && does.change(turn, area.value), { kind: "primary small" })));
}
