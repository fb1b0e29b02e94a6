/** The frame: menu, language, light and dark, and which page is shown. The address after # says which: #/create?model=people. */

import { ApiError, setToken, takeToken } from "./lib/api.js";
import { button, fill, h, icon } from "./lib/dom.js";
import { keep, kept } from "./lib/keep.js";
import { places, problem, say } from "./lib/toast.js";
import { LANGUAGES, language, preferred, speak, t } from "./lib/words.js";
import { PAGES, load } from "./pages/index.js";

const main = h("main", { id: "main", tabindex: -1 });
const side = h("header", { class: "side" });
let leaving = new AbortController();

/** Where the address leads: {id, params}. */
function place() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return { id: PAGES.some((p) => p.id === path) ? path : kept("page", "data"), params: Object.fromEntries(new URLSearchParams(query)) };
}

/** Goes to a page. */
export function go(id, params = {}) {
  const query = new URLSearchParams(params).toString();
  location.hash = `#/${id}${query ? `?${query}` : ""}`;
}

async function show() {
  leaving.abort();
  leaving = new AbortController();
  const { id, params } = place(), { signal } = leaving;
  keep("page", id);
  menu(id);
  document.title = `${t(`${id}.title`)} · ilk studio`;
  const root = h("div", { class: "page", id: `page-${id}` });
  fill(main, h("div", { class: "head" }, h("h1", {}, t(`${id}.title`)), h("p", { class: "soft" }, t(`${id}.lead`, { or: null }))), root);
  try {
    const page = await load(id);
    if (!signal.aborted) await page.show(root, { params, go, signal, language: language() });
  } catch (why) {
    if (signal.aborted) return;
    if (why instanceof ApiError && [401, 403].includes(why.status)) fill(root, door(why));
    else fill(root, problem(why, show) ?? "");
  }
}

/** Asks for the key, where the address brought none that is good. */
function door(why) {
  const field = h("input", { id: "token", type: "password", autocomplete: "off", required: true });
  const enter = (e) => { e.preventDefault(); setToken(field.value); show(); };
  return h("form", { class: "card narrow", on: { submit: enter } }, problem(why), h("label", { for: "token" }, t("frame.token")), field, h("p", { class: "help" }, t("frame.token.help")),
    h("button", { class: "button primary" }, t("frame.enter")));
}

function menu(now) {
  const entry = (page, i) => h("li", { class: i && PAGES[i - 1].group !== page.group ? "apart" : "" },
    h("a", { href: `#/${page.id}`, "aria-current": page.id === now ? "page" : null }, icon(page.id), h("span", {}, t(`${page.id}.title`))));
  const dark = matchMedia("(prefers-color-scheme: dark)").matches, theme = localStorage.getItem("ilk.theme") ?? (dark ? "dark" : "light");
  const switched = () => { localStorage.setItem("ilk.theme", theme === "dark" ? "light" : "dark"); dress(); menu(now); side.querySelector(".theme").focus(); };
  const speaks = h("select", { class: "quiet", id: "language", "aria-label": t("frame.language"), on: { change: async (e) => { localStorage.setItem("ilk.language", e.target.value); await speak(e.target.value); await show(); document.getElementById("language")?.focus(); } } },
    Object.entries(LANGUAGES).map(([id, name]) => h("option", { value: id, lang: id, selected: id === language() }, name)));
  fill(side, h("a", { class: "mark", href: "#/data" }, h("img", { src: "mark.svg", alt: "", width: 28, height: 28 }), h("span", {}, "ilk", h("b", {}, ` ${t("frame.studio")}`))),
    h("nav", { "aria-label": t("frame.menu") }, h("ul", {}, PAGES.map(entry))),
    h("div", { class: "tools" }, speaks, button("", switched, { kind: "quiet theme", icon: theme === "dark" ? "sun" : "moon", "aria-label": t(theme === "dark" ? "frame.light" : "frame.dark"), title: t(theme === "dark" ? "frame.light" : "frame.dark") })));
}

function dress() {
  const chosen = localStorage.getItem("ilk.theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
}

async function begin() {
  takeToken();
  dress();
  await speak(preferred());
  const skip = h("a", { class: "skip", href: "#main", on: { click: (e) => { e.preventDefault(); main.focus(); } } }, t("frame.skip"));
  document.body.replaceChildren(skip, side, main, ...places());
  addEventListener("hashchange", async () => { takeToken(); await show(); say(t(`${place().id}.title`)); main.focus({ preventScroll: true }); scrollTo(0, 0); });
  await show();
}

begin();
