"""The look of a page: one column on a phone, light and dark, printable; and how its tables sort."""
from __future__ import annotations

STYLE = """
:root { --ink: #1d2430; --soft: #586373; --line: #dfe4ea; --paper: #fbfcfd; --card: #fff; --accent: #2f6299; --real: #3b6ea5; --made: #d9692a;
  color-scheme: light dark; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --soft: #a3afbd; --line: #313a46; --paper: #14191f; --card: #1b222a; --accent: #86b5e3;
  --real: #6fa3d8; --made: #f08b4f; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body { margin: 0 auto; max-width: 68rem; padding: 1rem 1rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, "Noto Sans CJK SC", "Noto Sans SC", "PingFang SC", "Microsoft YaHei", sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 1rem 0 .3rem; }
h2 { font-size: 1.3rem; margin: 2.2rem 0 .4rem; border-top: 1px solid var(--line); padding-top: 1.2rem; }
p { margin: .5rem 0; } .soft, figcaption { color: var(--soft); font-size: .9rem; }
nav { display: flex; flex-wrap: wrap; gap: .3rem 1rem; margin: .8rem 0; font-size: .95rem; } a { color: var(--accent); }
dl { display: grid; grid-template-columns: minmax(6rem, 13rem) 1fr; gap: .25rem 1rem; margin: .6rem 0; } dt { color: var(--soft); }
dd { margin: 0; min-width: 0; }
.scroll { overflow-x: auto; margin: .6rem 0 1rem; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
th, td { padding: .35rem .7rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; vertical-align: top; }
th:first-child, td:first-child { text-align: left; padding-left: 0; } th { color: var(--soft); font-weight: 600; }
.sort th { cursor: pointer; } .sort th[aria-sort]::after { content: " \\25B4"; } .sort th[aria-sort=descending]::after { content: " \\25BE"; }
.sort th:focus-visible { outline: 2px solid var(--accent); } .flagged, .flagged td { color: var(--soft); } .won td { font-weight: 650; }
.spread { position: relative; } .spread b { position: absolute; font-size: .75rem; font-weight: 600; transform: translate(.4rem, 50%); white-space: nowrap; }
.spread b.left { transform: translate(calc(-100% - .4rem), 50%); }
.stack td:first-child { white-space: normal; min-width: 14rem; } .stack pre { text-align: left; }
.stack .soft { display: block; font-size: .85rem; line-height: 1.4; }
.stack { width: 100%; }
.track { display: block; position: relative; width: 9rem; height: .5rem; margin: .5rem 0 0 auto; border-radius: .25rem;
  background: linear-gradient(90deg, var(--line), var(--real)); }
.track i { position: absolute; top: -.2rem; width: .9rem; height: .9rem; margin-left: -.45rem; border-radius: 50%; background: var(--made);
  border: 2px solid var(--card); }
.board { table-layout: fixed; } .board td, .board th { padding: .15rem; border: 0; text-align: center; vertical-align: middle; font-size: .8rem;
  white-space: normal; }
.board img { display: block; width: 100%; min-width: 2.2rem; max-width: 8rem; margin: 0 auto; } .board pre { text-align: left; min-width: 9rem; }
img { max-width: 100%; height: auto; border-radius: 4px; } img.sharp { image-rendering: pixelated; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(var(--least), 100%), 1fr)); gap: 1rem 1.2rem; margin: .8rem 0 1.2rem;
  align-items: start; }
figure { margin: 0; min-width: 0; } figcaption { margin-top: .2rem; line-height: 1.4; } figure > img { display: block; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; border-left: 3px solid var(--accent); background: var(--card); padding: .5rem .9rem;
  margin: .5rem 0; font: .88rem/1.5 ui-monospace, monospace; }
mark { background: color-mix(in srgb, var(--made) 35%, transparent); color: inherit; border-radius: 2px; }
.plot { background: var(--card); border: 1px solid var(--line); border-radius: 4px; padding: .3rem; max-width: 48rem; }
ul { margin: .3rem 0; padding-left: 1.2rem; }
.plot svg { display: block; width: 100%; height: var(--tall, 6rem); overflow: visible; }
.plot path { vector-effect: non-scaling-stroke; fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.plot .fill { fill: var(--real); fill-opacity: .45; stroke: none; } .plot .real { stroke: var(--real); } .plot .made { stroke: var(--made); }
.plot .dots { stroke-width: 4; stroke-linecap: round; stroke-opacity: .55; } .plot .best { stroke: var(--ink); stroke-width: 8; stroke-linecap: round; }
.ends { display: flex; justify-content: space-between; gap: .5rem; color: var(--soft); font-size: .78rem; font-variant-numeric: tabular-nums; }
.bars { display: grid; grid-template-columns: minmax(3rem, 40%) 1fr; gap: .2rem .5rem; font-size: .8rem; line-height: 1.2; align-items: center; }
.bars span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.bars b { display: block; height: .42rem; min-width: 1px; background: var(--real); border-radius: 2px; }
.bars b + b { background: var(--made); margin-top: 2px; }
.key { display: inline-block; width: .8rem; height: .8rem; border-radius: 2px; margin: 0 .3rem 0 .8rem; vertical-align: -.05rem;
  background: var(--real); } .key.of-made { background: var(--made); }
.key:first-child { margin-left: 0; }
@media (max-width: 40rem) {
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; }
  .stack thead { display: none; } .stack, .stack tbody, .stack tr, .stack td { display: block; }
  .stack tr { padding: .5rem 0; border-bottom: 1px solid var(--line); }
  .stack td { display: flex; justify-content: space-between; gap: 1rem; padding: .1rem 0; border: 0; text-align: right; white-space: normal; }
  .stack td:first-child { display: block; text-align: left; } .stack td:empty { display: none; }
  .stack td:not(:first-child)::before { content: attr(data-label); color: var(--soft); text-align: left; } .track { width: 45%; margin: .45rem 0; }
}
@media print { nav { display: none; } section { break-inside: avoid-page; } }
"""

SORT = """
for (const table of document.querySelectorAll("table.sort")) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  const value = (row, i) => { const text = row.cells[i].textContent.replace(/[^0-9.eE\\-+]/g, ""); return text === "" || isNaN(parseFloat(text)) ? null : parseFloat(text); };
  const sort = (i) => {
    const down = heads[i].getAttribute("aria-sort") === "ascending";
    heads.forEach((head) => head.removeAttribute("aria-sort"));
    heads[i].setAttribute("aria-sort", down ? "descending" : "ascending");
    const by = (a, b) => {
      const [x, y] = i ? [value(a, i), value(b, i)] : [null, null];
      if (x === null && y === null) return a.cells[i].textContent.localeCompare(b.cells[i].textContent) * (down ? -1 : 1);
      return x === null ? 1 : y === null ? -1 : (x - y) * (down ? -1 : 1);
    };
    body.append(...[...body.rows].sort(by));
  };
  heads.forEach((head, i) => {
    head.tabIndex = 0;
    head.addEventListener("click", () => sort(i));
    head.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sort(i); } });
  });
}
"""
