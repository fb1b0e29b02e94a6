/** Waiting for a job that a page needs the end of. */
import { blob, events, get, post } from "../lib/api.js";
import { OVER } from "../lib/job.js";
import { t } from "../lib/words.js";

/** Asks for a job and follows it to its end, `far(fraction or null, words)` on the way; gives it. Throws why it failed. Leaving the page does not end it. */
export async function done(kind, params, far, signal, name = "") {
  const job = await post("/v1/jobs", { kind, params, name }, { signal, headers: { "idempotency-key": crypto.randomUUID() } });
  far(null, t(`jobs.state.${job.state}`));
  for await (const { data } of events(`/v1/jobs/${job.id}/events`, { signal })) {
    if (data.event === "progress") far(data.fraction ?? null, "");
    else if (data.event === "state") far(null, t(`jobs.state.${data.state}`));
    if (data.event === "state" && OVER.includes(data.state)) break;
  }
  const found = await get(`/v1/jobs/${job.id}`, { signal });
  if (found.state !== "succeeded") throw Object.assign(new Error(found.error?.message ?? t(`jobs.state.${found.state}`)), { remedy: found.error?.remedy ?? "", code: found.error?.code ?? "" });
  return found;
}

/** A file that a job left. */
export const left = (job, name, signal) => blob(`/v1/jobs/${job.id}/files/${encodeURIComponent(name)}`, { signal });
