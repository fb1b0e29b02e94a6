/** Data: files are dropped here, and what was understood of each is shown, with its problems and what would help. */

import { blob, get, post, remove, save, upload } from "../lib/api.js";
import { button, fill, h, icon, newId } from "../lib/dom.js";
import { confirm } from "../lib/dialog.js";
import { keep, kept } from "../lib/keep.js";
import { lines, linesOf } from "../lib/lines.js";
import { progress } from "../lib/progress.js";
import { empty, note, problem, toast } from "../lib/toast.js";
import { number, size, t } from "../lib/words.js";
import { zipped } from "../lib/zip.js";
import { view } from "../viewers/index.js";

export const id = "data", title = "data.title";
const TYPES = ["integer", "number", "continuous", "category", "boolean", "date", "text", "identifier"];
const PICTURE = /\.(png|jpe?g|bmp|webp|gif|tiff?)$/i;

/** The files that data can be read of. */
export const dataFiles = async (signal) => (await get("/v1/files?limit=100", { signal })).data.filter((f) => !["batch_output", "fine-tune-results"].includes(f.purpose));

/** What was understood of a file, with the types that were chosen for its columns. */
export const understood = (file, signal) => post("/v1/read", { file, types: kept(`types.${file}`, {}) }, { signal });

export async function show(root, { params, go, signal }) {
  const list = h("div", { class: "stack" }), told = h("div", { class: "stack" }), sending = h("div", { class: "stack" });
  let chosen = params.file ?? kept("data.file");
  const choose = async (file) => {
    chosen = file?.id ?? null;
    keep("data.file", chosen);
    list.querySelectorAll("button.file").forEach((b) => b.setAttribute("aria-pressed", String(b.dataset.file === chosen)));
    if (file) await tell(told, file, { go, signal, again: refresh });
    else fill(told);
  };
  const refresh = async () => {
    const files = await dataFiles(signal);
    fill(list, files.map((f) => h("button", { type: "button", class: "file button", data: { file: f.id }, "aria-pressed": String(f.id === chosen), on: { click: () => choose(f) } },
      icon("data"), h("span", { class: "grow" }, f.filename), h("span", { class: "soft tiny" }, size(f.bytes)))));
    drop.classList.toggle("slim", files.length > 0);
    await choose(files.find((f) => f.id === chosen) ?? files[0]);
    if (!files.length) fill(told, h("div", { class: "card" }, empty("data", t("data.none"), t("data.none.help"), button(t("data.sample"), sample, { icon: "add" }))));
  };
  const send = async (files) => {
    for (const file of await bundled([...files])) {
      const bar = progress(t("data.sending", { name: file.name }));
      const row = h("div", {}, h("div", { class: "small" }, file.name), bar.element);
      sending.append(row);
      try {
        chosen = (await upload(file, { purpose: "user_data", progress: (p) => bar.set(p, p === null ? "" : `${Math.round(p * 100)}%`), signal })).id;
        row.remove();
      } catch (why) {
        fill(row, problem(why, () => { row.remove(); send([file]); }) ?? "");
      }
    }
    await refresh();
  };
  const sample = async () => send([new File([await (await fetch("samples/people.csv")).blob()], "people.csv", { type: "text/csv" })]);
  const drop = dropping(send, sample);
  fill(root, h("div", { class: "split" }, h("div", { class: "stack stays" }, drop, sending, list), told));
  await refresh();
}

/** Pictures dropped together are one file of pictures: data, not single items. */
async function bundled(files) {
  const pictures = files.filter((f) => PICTURE.test(f.name)), rest = files.filter((f) => !PICTURE.test(f.name));
  if (!pictures.length) return rest;
  return [...rest, await zipped(pictures, pictures.length === 1 ? `${pictures[0].name.replace(/\.\w+$/, "")}.zip` : "pictures.zip")];
}

function dropping(send, sample) {
  const field = newId("files");
  const input = h("input", { id: field, type: "file", multiple: true, class: "unseen", on: { change: (e) => send(e.target.files) } });
  const over = (on) => (e) => { e.preventDefault(); drop.classList.toggle("over", on); };
  const drop = h("div", { class: "drop", on: { dragover: over(true), dragleave: over(false), drop: (e) => { over(false)(e); send(e.dataTransfer.files); } } },
    icon("up"), h("label", { for: field }, t("data.drop")), h("p", { class: "help" }, t("data.takes")), input,
    h("div", { class: "row centre" }, button(t("data.choose"), () => input.click(), { kind: "primary" }), button(t("data.sample"), sample, { kind: "quiet" })));
  return drop;
}

async function tell(told, file, { go, signal, again }) {
  fill(told, h("div", { class: "card" }, h("h2", {}, file.filename), progress(t("data.reading")).element));
  const copy = lines();
  try {
    const known = await understood(file.id, signal);
    const drop = async () => {
      if (!(await confirm(t("data.delete", { name: file.filename }), t("data.delete.help"), t("data.delete.yes")))) return;
      await remove(`/v1/files/${file.id}`).then(() => toast(t("data.deleted"), "good"), (why) => toast(why.message, "bad"));
      again();
    };
    const retype = (column, type) => { keep(`types.${file.id}`, { ...kept(`types.${file.id}`, {}), [column]: type }); tell(told, file, { go, signal, again }); };
    const download = async () => save(await blob(`/v1/files/${file.id}/content`), file.filename, { exact: true });
    fill(told, h("div", { class: "card" }, h("header", {}, h("div", {}, h("h2", {}, file.filename), facts(known, file)),
      h("div", { class: "row" }, button("", download, { kind: "quiet", icon: "download", "aria-label": t("data.download"), title: t("data.download") }),
        button("", drop, { kind: "quiet", icon: "remove", "aria-label": t("data.delete.yes"), title: t("data.delete.yes") }),
        known.kind && button(t("data.fit"), () => go("fit", { file: file.id }), { kind: "primary", icon: "fit" }))),
      problems(known.problems, known.kind)),
    known.columns?.length > 0 && columns(known.columns, retype, file.id),
    known.preview?.length > 0 && h("section", { class: "card" }, h("h2", {}, t("data.preview")), view(known.preview, { kind: known.kind, shape: known.shape }, { columns: known.columns?.length ? known.columns.map((c) => c.name) : undefined })), copy.element);
    if (known.kind) copy.set(await linesOf("fit", { file: file.id }, signal));
  } catch (why) {
    fill(told, h("div", { class: "card" }, h("h2", {}, file.filename), problem(why, () => tell(told, file, { go, signal, again })) ?? ""));
  }
}

function facts(known, file) {
  const taken = known.families?.filter((f) => f.takes).length ?? 0;
  return h("div", { class: "badges" }, known.kind ? h("span", { class: "badge live" }, t(`data.kind.${known.kind}`)) : h("span", { class: "badge bad" }, t("data.unread")),
    known.n > 0 && h("span", { class: "badge" }, t("data.items", { n: known.n })), known.columns?.length > 0 && h("span", { class: "badge" }, t("data.columns.n", { n: known.columns.length })),
    known.shape && h("span", { class: "badge" }, known.shape.join(" × ")), h("span", { class: "badge" }, size(file.bytes)), taken > 0 && h("span", { class: "badge" }, t("data.families", { n: taken })));
}

function problems(found, kind) {
  if (!found?.length) return kind ? note("good", h("p", {}, t("data.fine"))) : null;
  const one = (p) => note(kind ? "warn" : "bad", h("p", {}, p.where && h("b", {}, `${p.where}: `), p.what), p.remedy && h("p", { class: "soft" }, p.remedy));
  const rest = found.slice(3);
  return [found.slice(0, 3).map(one), rest.length > 0 && h("details", {}, h("summary", {}, t("data.more_problems", { n: rest.length })), h("div", { class: "stack" }, rest.map(one)))];
}

function columns(all, retype, file) {
  const chosen = kept(`types.${file}`, {});
  const row = (c) => {
    const types = TYPES.includes(c.type) ? TYPES : [c.type, ...TYPES];
    return h("tr", {}, h("th", { scope: "row" }, c.name),
      h("td", {}, h("select", { id: newId("type"), "aria-label": t("data.type_of", { name: c.name }), on: { change: (e) => retype(c.name, e.target.value) } }, types.map((v) => h("option", { value: v, selected: v === (chosen[c.name] ?? c.type) }, t(`data.type.${v}`, { or: null }) ?? v)))),
      h("td", { class: "clip", title: spread(c) }, spread(c)), h("td", { class: "numeric" }, c.missing ? number(c.missing) : h("span", { class: "soft" }, "–")), h("td", { class: "clip soft" }, (c.examples ?? []).slice(0, 4).map((v) => v ?? "–").join(", ")));
  };
  return h("section", { class: "card" }, h("header", {}, h("div", {}, h("h2", {}, t("data.columns")), h("p", { class: "soft small" }, t("data.columns.help")))),
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": t("data.columns") }, h("table", {}, h("thead", {}, h("tr", {}, ["name", "type", "values", "missing", "examples"].map((w) => h("th", { scope: "col", class: w === "missing" ? "numeric" : "" }, t(`data.head.${w}`))))), h("tbody", {}, all.map(row)))));
}

function spread(c) {
  if (c.values?.length) return c.values.slice(0, 6).join(", ") + ((c.many ?? c.values.length) > 6 ? t("data.and_more", { n: (c.many ?? c.values.length) - 6 }) : "");
  if (Number.isFinite(c.low) && Number.isFinite(c.high)) return `${number(c.low)} … ${number(c.high)}`;
  return c.described ?? "";
}
