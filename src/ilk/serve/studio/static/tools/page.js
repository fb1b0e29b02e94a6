/** A report in a frame of its own: no scripts run in it, nothing of it reaches the page. The policy of the page holds there, too: looks within HTML are refused, so they are set as objects. */
import { h } from "../lib/dom.js";

/** An element that shows the HTML of a report. */
export function pageFrame(html, title) {
  const frame = h("iframe", { class: "report", sandbox: "allow-same-origin", title });
  frame.addEventListener("load", () => put(frame, html));
  return frame;
}

function put(frame, html) {
  const { contentDocument: into, contentWindow: view } = frame, found = new DOMParser().parseFromString(renamed(html), "text/html");
  if (!into || into.body?.dataset.filled) return;
  const sheets = [...found.querySelectorAll("x-style")].map((style) => {
    const sheet = new view.CSSStyleSheet();
    sheet.replaceSync(near(style.textContent));
    return sheet;
  });
  found.querySelectorAll("script, style, x-style, link, meta, base, iframe, object, embed, form").forEach((one) => one.remove());
  const looks = [...found.querySelectorAll("[x-style]")].map((one) => [one, one.getAttribute("x-style")]);
  for (const one of found.querySelectorAll("*")) clean(one);
  into.adoptedStyleSheets = sheets;
  into.documentElement.lang = found.documentElement.lang;
  into.body.replaceChildren(...found.body.childNodes);
  looks.forEach(([one, said]) => { one.style.cssText = near(said); });
  into.body.dataset.filled = "true";
  into.body.addEventListener("click", (e) => within(e, into));
}

/** Looks that fetch nothing. */
const near = (css) => css.replace(/url\(\s*(?!["']?data:image\/)[^)]*\)/gi, "none");

/** Style elements and attributes under names that no policy is about. */
const renamed = (html) => html.replace(/<(\/?)style\b/gi, "<$1x-style").replace(/<[a-z][^<>]*>/gi, (tag) => tag.replace(/\sstyle=/gi, " x-style="));

/** Handlers and addresses of elsewhere go: a report points into itself and has its pictures in it. */
function clean(one) {
  for (const { name, value } of [...one.attributes]) {
    if (name.startsWith("on") || (name.endsWith("href") && !value.startsWith("#")) || (/^(src|srcset|poster|action)$/.test(name) && !value.startsWith("data:image/"))) one.removeAttribute(name);
  }
}

function within(e, into) {
  const link = e.target.closest("a[href^='#']");
  if (!link) return;
  e.preventDefault();
  into.getElementById(link.getAttribute("href").slice(1))?.scrollIntoView();
}
