/** What the studio says, in the language that was chosen. */

export const LANGUAGES = { en: "English", zh: "中文" };
const TOPICS = ["frame", "data", "fit", "create", "edit", "chat", "judge", "models", "jobs", "viewers"];
const words = new Map();
let current = "en";

/** The language at work. */
export const language = () => current;

/** The one that was chosen before, else the browser's. */
export function preferred() {
  const chosen = localStorage.getItem("ilk.language");
  if (chosen in LANGUAGES) return chosen;
  return navigator.languages.some((l) => l.toLowerCase().startsWith("zh")) && !navigator.language.toLowerCase().startsWith("en") ? "zh" : "en";
}

/** Takes up a language: its words are read once. */
export async function speak(which) {
  await Promise.all(TOPICS.map((topic) => read(which, topic)));
  current = which;
  document.documentElement.lang = which === "zh" ? "zh-CN" : "en";
}

async function read(which, topic) {
  if (words.has(`${which}/${topic}`)) return;
  const answer = await fetch(new URL(`../words/${which}/${topic}.json`, import.meta.url));
  words.set(`${which}/${topic}`, answer.ok ? await answer.json() : {});
}

/**
 * The words of a key ("data.title": `title` in data.json), with {name} filled in and {n|row|rows} by number. A key without words is said as it is,
 * `null` with `{or: null}`.
 */
export function t(key, values = {}) {
  const [topic, name] = [key.slice(0, key.indexOf(".")), key.slice(key.indexOf(".") + 1)];
  const text = words.get(`${current}/${topic}`)?.[name];
  if (text === undefined) return "or" in values ? values.or : key;
  return text.replace(/\{(\w+)(?:\|([^|}]*)\|([^}]*))?\}/g, (whole, hole, one, many) => {
    const value = values[hole];
    if (one !== undefined) return Number(value) === 1 ? one : many;
    return typeof value === "number" ? number(value) : String(value ?? "");
  });
}

/** A number as people read it: at most `digits` significant ones. */
export function number(value, digits = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (Number.isInteger(value)) return value.toLocaleString(current, { useGrouping: Math.abs(value) >= 10000 });
  return Math.abs(value) < 1e-4 ? value.toExponential(2) : value.toLocaleString(current, { maximumSignificantDigits: digits });
}

/** How long ago, or when. */
export function moment(seconds) {
  const gone = seconds - Date.now() / 1000, by = new Intl.RelativeTimeFormat(current, { numeric: "auto" });
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]]) if (Math.abs(gone) >= size) return by.format(Math.round(gone / size), unit);
  return by.format(Math.round(gone), "second");
}

/** A length of time: 4 s, 2 min 5 s, 1 h 10 min. */
export function span(seconds) {
  if (!(seconds >= 0)) return "–";
  if (seconds < 60) return `${number(seconds < 10 ? Math.round(seconds * 10) / 10 : Math.round(seconds))} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${Math.round(seconds % 60)} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A size in bytes. */
export function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB"];
  const at = Math.min(3, Math.max(0, Math.floor(Math.log2(Math.max(bytes, 1)) / 10)));
  return `${number(bytes / 1024 ** at, 3)} ${units[at]}`;
}
