/** Models as the pages need them. */

import { get } from "./api.js";

/** Every model that is served; with `ability`, those that have it, or of which nothing is known before they are loaded. */
export async function models(signal, ability = null) {
  const all = (await get("/v1/models", { signal })).data;
  return ability ? all.filter((m) => m.ilk?.can?.includes(ability) ?? true) : all;
}

/** All that is told of one. */
export const about = async (id, signal) => ({ id, ...(await get(`/v1/models/${encodeURI(id)}`, { signal })).ilk });
