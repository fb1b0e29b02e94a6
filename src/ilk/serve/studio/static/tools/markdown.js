/** The little Markdown that answers have, as elements: code, lists, headings, bold, italics. Links and pictures stay text: nothing is fetched, nothing can be pressed. */
import { h } from "../lib/dom.js";

const ITEM = /^\s*(?:[-*+]|(\d+)[.)])\s+(.*)$/;

/** The elements of a text. */
export function markdown(text) {
  const made = [], lines = text.split("\n");
  for (let i = 0; i < lines.length;) i = block(lines, i, made);
  return made;
}

/** Puts the block that begins at line i among those made; gives the line after it. */
function block(lines, i, made) {
  const line = lines[i], fence = /^\s*(```+|~~~+)\s*([\w+-]*)\s*$/.exec(line);
  if (fence) return code(lines, i, fence, made);
  if (!line.trim()) return i + 1;
  const title = /^(#{1,6})\s+(.*)$/.exec(line);
  if (title) { made.push(h("p", { class: "md-title" }, inline(title[2]))); return i + 1; }
  let end = i + 1;
  if (ITEM.test(line)) {
    while (end < lines.length && ITEM.test(lines[end])) end += 1;
    const items = lines.slice(i, end).map((l) => ITEM.exec(l));
    made.push(h(items[0][1] ? "ol" : "ul", { start: items[0][1] > 1 ? items[0][1] : null }, items.map((item) => h("li", {}, inline(item[2])))));
    return end;
  }
  while (end < lines.length && lines[end].trim() && !ITEM.test(lines[end]) && !/^(\s*(```|~~~)|#{1,6}\s)/.test(lines[end])) end += 1;
  made.push(h("p", { class: "md-text" }, inline(lines.slice(i, end).join("\n"))));
  return end;
}

function code(lines, i, [, mark, language], made) {
  let end = i + 1;
  while (end < lines.length && !lines[end].trim().startsWith(mark)) end += 1;
  made.push(h("pre", { class: "md-code", tabindex: 0 }, h("code", { "data-language": language || null }, lines.slice(i + 1, end).join("\n"))));
  return end + 1;
}

function inline(text) {
  return text.split(/(`[^`\n]+`|\*\*[^*\n]+\*\*|\*[^*\s][^*\n]*\*)/).filter(Boolean).map((part) => {
    if (part.length > 2 && part.startsWith("`") && part.endsWith("`")) return h("code", {}, part.slice(1, -1));
    if (part.length > 4 && part.startsWith("**") && part.endsWith("**")) return h("strong", {}, part.slice(2, -2));
    if (part.length > 2 && part.startsWith("*") && part.endsWith("*") && !part.startsWith("**")) return h("em", {}, part.slice(1, -1));
    return part;
  });
}
