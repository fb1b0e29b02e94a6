/** Where an item to be worked on comes from: the model makes some, a file has some, or one is written here. */
import { post, upload } from "../lib/api.js";
import { button, fill, h } from "../lib/dom.js";
import { problem } from "../lib/toast.js";
import { t } from "../lib/words.js";
import { view } from "../viewers/index.js";
import { drop } from "./drop.js";
import { pictureOf } from "./picture.js";

const MADE = 12;

/** An element; `taken(items)` gets what was chosen: one item, of a table the rows. It folds away then. */
export function source(model, facts, taken, { signal, open = true }) {
  const shelf = h("div", { class: "stack" }), element = h("details", { class: "card source", open });
  const take = (items) => { element.open = false; taken(items); };
  const failed = (why) => fill(shelf, problem(why) ?? "");
  const offer = (items) => {
    const chosen = new Set();
    const pick = (i, item, on) => {
      chosen[on ? "add" : "delete"](i);
      if (facts.kind !== "table") take([item]);
    };
    fill(shelf, h("p", { class: "soft small" }, t(facts.kind === "table" ? "edit.choose.rows" : "edit.choose.one")), view(items, facts, { onSelect: pick }),
      facts.kind === "table" && h("div", { class: "row end" }, button(t("edit.take"), () => take((chosen.size ? [...chosen].sort((a, b) => a - b) : items.map((_, i) => i)).map((i) => items[i])), { kind: "primary" })));
  };
  const make = async (e) => {
    const pressed = e.currentTarget;
    pressed.disabled = true;
    try {
      offer((await post("/v1/sample", { model, n: MADE, seed: Math.floor(Math.random() * 1e6) }, { signal })).items);
    } catch (why) {
      failed(why);
    }
    pressed.disabled = false;
  };
  const read = async (files) => {
    try {
      const items = facts.kind === "image" ? await Promise.all(files.map((file) => pictureOf(file, facts.shape))) : (await post("/v1/read", { file: (await upload(files[0], { signal })).id }, { signal })).preview;
      if (items.length === 1 && facts.kind !== "table") take(items);
      else offer(items);
    } catch (why) {
      failed(why.name === "InvalidStateError" ? new Error(t("edit.no_picture")) : why);
    }
  };
  const image = facts.kind === "image";
  element.append(h("summary", {}, h("h2", {}, t("edit.source"))), h("div", { class: "stack" }, h("div", { class: "begin" }, h("div", { class: "row" }, button(t("edit.make", { n: MADE }), make, { kind: "plain" }), own(facts, take)),
    drop(t(image ? "edit.drop.pictures" : "edit.drop"), t("edit.browse"), read, { accept: image ? "image/png,image/jpeg,image/webp,image/gif" : undefined, multiple: image })), shelf));
  return element;
}

/** Something to begin with that nobody made: an empty row, an empty text. */
function own(facts, take) {
  if (facts.kind === "text") return button(t("edit.write"), () => take([""]), { kind: "plain" });
  const columns = (facts.givens ?? []).map((given) => given.part).filter(Boolean);
  return facts.kind === "table" && columns.length ? button(t("edit.row.empty"), () => take([Object.fromEntries(columns.map((c) => [c, null]))]), { kind: "plain" }) : null;
}
