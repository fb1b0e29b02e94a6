/** Enough of Markdown for model cards and answers: headings, lists, tables, code, emphasis. Everything goes in as text; links are not followed. */

import { h } from "./dom.js";

/** Elements of a text. */
export function markdown(text) {
  const found = [], rows = text.replace(/^---\n[\s\S]*?\n---\n/, "").split("\n");
  while (rows.length) found.push(block(rows));
  return found.filter(Boolean);
}

function block(rows) {
  const line = rows.shift();
  const head = /^(#{1,4})\s+(.*)/.exec(line);
  if (head) return h(`h${Math.min(6, head[1].length + 2)}`, {}, inline(head[2]));
  if (line.startsWith("```")) return h("pre", {}, h("code", {}, taken(rows, (r) => !r.startsWith("```"), true).join("\n")));
  if (/^\s*[-*]\s+/.test(line)) return h("ul", {}, [line, ...taken(rows, (r) => /^\s*[-*]\s+/.test(r))].map((r) => h("li", {}, inline(r.replace(/^\s*[-*]\s+/, "")))));
  if (/^\s*\|/.test(line)) return table([line, ...taken(rows, (r) => /^\s*\|/.test(r))]);
  if (!line.trim()) return null;
  return h("p", {}, inline([line, ...taken(rows, (r) => r.trim() && !/^(#|```|\s*[-*|]\s)/.test(r))].join(" ")));
}

function taken(rows, fits, eat = false) {
  const found = [];
  while (rows.length && fits(rows[0])) found.push(rows.shift());
  if (eat) rows.shift();
  return found;
}

function table(lines) {
  const cells = lines.map((l) => l.trim().replace(/^\||\|$/g, "").split("|").map((c) => c.trim())), ruled = cells[1]?.every((c) => /^:?-+:?$/.test(c));
  const row = (tag) => (r) => h("tr", {}, r.map((c) => h(tag, tag === "th" ? { scope: "col" } : {}, inline(c))));
  return h("div", { class: "scroll" }, h("table", {}, ruled && h("thead", {}, row("th")(cells[0])), h("tbody", {}, cells.slice(ruled ? 2 : 0).map(row("td")))));
}

function inline(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*|\[[^\]]+\]\([^)]+\))/).map((part) => {
    if (/^`.+`$/.test(part)) return h("code", {}, part.slice(1, -1));
    if (/^\*\*.+\*\*$/.test(part)) return h("b", {}, part.slice(2, -2));
    return /^\[([^\]]+)\]\(/.exec(part)?.[1] ?? part;
  });
}
