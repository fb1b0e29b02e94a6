/** Libraries of documents: choosing one, and making one of files that are dropped here. */
import { get, upload } from "../lib/api.js";
import { button, fill, h, newId } from "../lib/dom.js";
import { form } from "../lib/form.js";
import { progress } from "../lib/progress.js";
import { problem, toast } from "../lib/toast.js";
import { t } from "../lib/words.js";
import { drop } from "./drop.js";
import { done as followed } from "./job.js";

/** `element`; `change(name or "")` when another is chosen. `chosen` is the name of the one at work. */
export function libraries(chosen, change, signal) {
  const id = newId("library"), select = h("select", { id, on: { change: () => { change(select.value); listed(); } } }), documents = h("div", { class: "small" });
  const fresh = h("details", {}, h("summary", {}, t("chat.library.new")));
  const refresh = async (now) => {
    try {
      const all = (await get("/v1/libraries", { signal })).data;
      fill(select, h("option", { value: "" }, t("chat.library.none")), all.map((one) => one.name ?? one.id).map((name) => h("option", { value: name, selected: name === now }, name)));
      change(select.value);
      await listed();
    } catch (why) {
      if (why.status !== 404) fill(documents, problem(why, () => refresh(now)) ?? "");
      else fill(select, h("option", { value: "" }, t("chat.library.none")));
    }
  };
  const listed = async () => {
    if (!select.value) { fill(documents); return; }
    const all = (await get(`/v1/libraries/${encodeURIComponent(select.value)}/documents`, { signal })).data;
    fill(documents, h("ul", { class: "documents" }, all.map((one) => h("li", { class: "soft" }, one.name ?? one.document ?? one.id))));
  };
  fresh.append(maker(signal, async (name) => { fresh.open = false; await refresh(name); }));
  refresh(chosen);
  return h("div", { class: "stack" }, h("div", { class: "field" }, h("label", { for: id }, t("chat.library")), select, h("p", { class: "help" }, t("chat.library.help"))), documents, fresh);
}

function maker(signal, done) {
  const name = form([{ name: "name", label: t("chat.library.name"), type: "text", placeholder: "papers" }]), files = [], told = h("ul", { class: "documents" }), place = h("div", { class: "stack" });
  const list = () => fill(told, files.map((file) => h("li", {}, file.name)));
  const index = async () => {
    const { name: called = "" } = name.values();
    if (!/^[\p{L}\p{N}][\p{L}\p{N}_-]*$/u.test(called) || !files.length) { toast(t("chat.library.wanted"), "bad"); return; }
    const bar = progress(t("chat.indexing"));
    fill(place, bar.element);
    try {
      const ids = [];
      for (const file of files) ids.push((await upload(file, { purpose: "documents", signal, progress: (p) => bar.set(((p ?? 0) + ids.length) / files.length / 2, file.name) })).id);
      await followed("index", { files: ids, name: called }, bar.set, signal, called);
      fill(place);
      files.splice(0);
      list();
      await done(called);
    } catch (why) {
      fill(place, problem(why, index) ?? "");
    }
  };
  return h("div", { class: "stack" }, name.element, drop(t("chat.library.drop"), t("edit.browse"), (more) => { files.push(...more); list(); }, { multiple: true, accept: ".pdf,.txt,.md,.html,.docx,.json,.csv" }), told, place,
    h("div", { class: "row end" }, button(t("chat.library.index"), index, { kind: "primary small" })));
}
