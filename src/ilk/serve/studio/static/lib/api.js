/** The server's API: JSON there and back, errors as objects, streams of events. The token comes with the page's address and stays in this tab. */

import { defused } from "./csv.js";

const KEY = "ilk.token";

/** Takes the token out of the address (#token=...) into the tab's memory. */
export function takeToken() {
  const said = new URLSearchParams(location.hash.replace(/^#\/?/, "")).get("token");
  if (!said) return;
  sessionStorage.setItem(KEY, said);
  history.replaceState(null, "", `${location.pathname}${location.search}#/`);
}

export const setToken = (token) => sessionStorage.setItem(KEY, token.trim());
const bearer = () => (sessionStorage.getItem(KEY) ? { authorization: `Bearer ${sessionStorage.getItem(KEY)}` } : {});

/** What the server refused, or that it can't be reached: `message`, `remedy`, `code`, `param`, `status`, `after` (seconds), `request`. */
export class ApiError extends Error {
  constructor({ message, remedy = "", code = "", param = "", status = 0, after = 0, request = "" }) {
    super(message);
    Object.assign(this, { remedy, code, param, status, after, request });
  }
}

const unreachable = () => new ApiError({ message: "The server can't be reached.", code: "UNREACHABLE" });

async function refusal(answer) {
  const error = (await answer.json().catch(() => ({}))).error ?? {};
  const of = { status: answer.status, after: Number(answer.headers.get("retry-after") ?? 0), request: answer.headers.get("x-request-id") ?? "" };
  return new ApiError({ ...of, message: error.message || answer.statusText || `HTTP ${answer.status}`, remedy: error.remedy ?? "", code: error.code ?? "",
    param: error.param ?? "" });
}

/** An answer that went well; ApiError otherwise. Leaving (an aborted signal) stays an AbortError. */
export async function ask(method, path, { body, signal, headers = {} } = {}) {
  const raw = body instanceof FormData || body instanceof Blob;
  const send = { method, signal, headers: { ...bearer(), ...(body !== undefined && !raw ? { "content-type": "application/json" } : {}), ...headers } };
  if (body !== undefined) send.body = raw ? body : JSON.stringify(body);
  const answer = await fetch(path, send).catch((why) => { throw why.name === "AbortError" ? why : unreachable(); });
  if (!answer.ok) throw await refusal(answer);
  return answer;
}

const json = async (answer) => JSON.parse((await answer.text()) || "null");

export const get = async (path, options) => json(await ask("GET", path, options));
export const post = async (path, body, options) => json(await ask("POST", path, { ...options, body }));
export const remove = async (path, options) => json(await ask("DELETE", path, options));
export const blob = async (path, options = {}) => (await ask(options.method ?? "GET", path, options)).blob();

/** Sends a file, telling how much of it is there (0 to 1). */
export function upload(file, { purpose = "ilk", progress = () => {}, signal } = {}) {
  const form = new FormData();
  form.append("purpose", purpose);
  form.append("file", file, file.name);
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/v1/files");
    for (const [name, value] of Object.entries(bearer())) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", (e) => progress(e.total ? e.loaded / e.total : null));
    request.addEventListener("error", () => failed(unreachable()));
    request.addEventListener("abort", () => failed(new DOMException("left", "AbortError")));
    request.addEventListener("load", async () => {
      const answer = new Response(request.responseText, { status: request.status || 500, statusText: request.statusText });
      if (answer.ok) done(await answer.json());
      else failed(await refusal(answer));
    });
    signal?.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}

/**
 * The events of a stream, as `{id, event, data}` with data parsed; ends at [DONE] or at the stream's end. With `body` it is a POST.
 * An error told within the stream is thrown.
 */
export async function* events(path, { body, signal, after } = {}) {
  const headers = { accept: "text/event-stream", ...(after ? { "last-event-id": String(after) } : {}) };
  const answer = await ask(body === undefined ? "GET" : "POST", path, { body, signal, headers });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      const blocks = (rest + (value ?? "")).split(/\r?\n\r?\n/);
      rest = done ? "" : blocks.pop();
      for (const block of blocks) {
        const one = parsed(block);
        if (one === null) continue;
        if (one.data === "[DONE]") return;
        one.data = JSON.parse(one.data);
        if (one.data.error) throw new ApiError({ ...one.data.error, status: answer.status });
        yield one;
      }
      if (done) return;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

function parsed(block) {
  const one = { id: 0, event: "", data: "" };
  const lines = [];
  for (const line of block.split(/\r?\n/)) {
    const [, name, value] = /^(\w+): ?(.*)$/s.exec(line) ?? [];
    if (name === "data") lines.push(value);
    else if (name === "id") one.id = Number(value);
    else if (name === "event") one.event = value;
  }
  one.data = lines.join("\n");
  return lines.length ? one : null;
}

/** Gives the person a file to keep. In a CSV nothing is a formula, unless it is wanted `exact`, byte by byte. */
export async function save(content, name, { exact = false } = {}) {
  const url = URL.createObjectURL(name.endsWith(".csv") && !exact ? new Blob([defused(await content.text())], { type: "text/csv" }) : content);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}
