"""The page on which two things stand side by side and one is chosen: by keys, by touch, in English or Chinese."""
from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from string import Template

from ilk.errors import UsageError
from ilk.pages.style import STYLE

WORDS: Mapping[str, tuple[str, str]] = {
    "html": ("en", "zh-Hans"), "title": ("Which is better?", "哪一个更好？"),
    "lead": ("Left arrow: A. Right arrow: B. Space or down arrow: can't tell. U: take the last vote back.",
             "左方向键：A。右方向键：B。空格或下方向键：分不出。U：撤回上一票。"),
    "a": ("A is better", "A 更好"), "b": ("B is better", "B 更好"), "tie": ("can't tell", "分不出"), "undo": ("undo", "撤回"),
    "asked": ("Asked for", "要求"), "of": ("{0} of {1}", "{0} / {1}"),
    "done": ("That was the last one. Thank you: this page can be closed.",
             "已全部完成，谢谢！可以关闭此页。"),
    "lost": ("The vote could not be kept", "这一票没有记下"), "gone": ("The program has ended.", "程序已结束。"),
}
LOOK = """
body { max-width: 84rem; padding-bottom: 7rem; } h1 { font-size: 1.3rem; margin: .2rem 0; } #count { float: right; }
#pair { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: .8rem; margin-top: .6rem; align-items: start; }
#pair > div { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .6rem; min-width: 0; }
#pair h2 { border: 0; margin: 0 0 .4rem; padding: 0; font-size: 1rem; color: var(--soft); } #pair img { display: block; width: 100%; max-width: 36rem; margin: 0 auto; }
#pair img.sharp { max-width: 18rem; }
#pair dl { grid-template-columns: minmax(5rem, 40%) 1fr; }
#votes { position: fixed; inset: auto 0 0 0; display: flex; gap: .5rem; padding: .6rem max(.6rem, env(safe-area-inset-left)) calc(.6rem + env(safe-area-inset-bottom));
  background: var(--paper); border-top: 1px solid var(--line); justify-content: center; }
button { flex: 1 1 0; max-width: 16rem; min-height: 3rem; font: inherit; color: var(--ink); background: var(--card); border: 1px solid var(--accent); border-radius: 6px; }
#undo { flex: 0 1 5rem; border-color: var(--line); color: var(--soft); } button:disabled { opacity: .4; } #said { color: var(--made); min-height: 1.5em; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
@media (max-width: 40rem) { .wide#pair { grid-template-columns: 1fr; } #keys { display: none; } }
"""
SCRIPT = """
const at = id => document.getElementById(id);
const words = JSON.parse(at("words").textContent);
let now = null, busy = false, since = 0;
function show(state) {
  now = state; since = performance.now();
  at("count").textContent = words.of.replace("{0}", state.voted).replace("{1}", state.total);
  at("asked").textContent = state.asked ? words.asked + ": " + state.asked : "";
  at("pair").hidden = state.done;
  for (const side of ["left", "right"]) { at(side).innerHTML = state.done ? "" : state[side]; }
  if (state.done) { at("said").textContent = words.done; }
  for (const id of ["a", "b", "tie"]) { at(id).disabled = state.done; }
  at("undo").disabled = !state.voted || state.done;
  window.scrollTo(0, 0);
}
async function ask(path, body) {
  if (busy) { return; }
  busy = true;
  try {
    const answer = await fetch(path, body === undefined ? {} : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
    const told = await answer.json();
    if (answer.ok) { at("said").textContent = ""; show(told); }
    else { at("said").textContent = words.lost + ": " + told.error.message; }
  } catch (error) { at("said").textContent = words.lost + ". " + words.gone; }
  busy = false;
}
const vote = choice => now && !now.done && ask("vote", { k: now.k, choice: choice, seconds: Math.round((performance.now() - since) / 10) / 100 });
const undo = () => now && now.voted && !now.done && ask("undo", {});
const keys = { ArrowLeft: "left", ArrowRight: "right", ArrowDown: "tie", " ": "tie" };
document.addEventListener("keydown", event => {
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) { return; }
  if (keys[event.key]) { event.preventDefault(); vote(keys[event.key]); }
  else if (event.key === "u" || event.key === "U") { undo(); }
});
for (const [id, choice] of [["a", "left"], ["b", "right"], ["tie", "tie"]]) { at(id).addEventListener("click", event => { event.target.blur(); vote(choice); }); }
at("undo").addEventListener("click", event => { event.target.blur(); undo(); });
ask("next");
"""
PAGE = Template("""<!doctype html>
<html lang="$html"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
<title>$title</title><style>$style</style></head><body>
<header><span id="count" class="soft" aria-live="polite"></span><h1>$title</h1><p id="keys" class="soft">$lead</p></header>
<p id="asked"></p><p id="said" role="status"></p>
<main id="pair" class="$form"><div><h2>A</h2><div id="left"></div></div><div><h2>B</h2><div id="right"></div></div></main>
<div id="votes"><button id="a">$a</button><button id="tie">$tie</button><button id="b">$b</button><button id="undo">$undo</button></div>
<script type="application/json" id="words">$words</script>
<script nonce="$nonce">$script</script></body></html>
""")


def ballot(language: str, wide: bool, nonce: str) -> str:
    """The page; `wide` things stand one above the other on a phone. What it shows comes from `next`, `vote` and `undo` beside it."""
    if language not in ("en", "zh"):
        raise UsageError(f"no language {language!r}", code="LANGUAGE", param="language", remedy="en or zh")
    words = {name: said[language == "zh"] for name, said in WORDS.items()}
    told = json.dumps({k: words[k] for k in ("of", "asked", "done", "lost", "gone")}).replace("<", "\\u003c")
    return PAGE.substitute({k: escape(v) for k, v in words.items()}, style=STYLE + LOOK, form="wide" if wide else "", words=told, script=SCRIPT, nonce=nonce)
