/** What must not be lost on a reload: kept for this tab. */

/** What was kept under that name, or `otherwise`. */
export function kept(name, otherwise = null) {
  try {
    return JSON.parse(sessionStorage.getItem(`ilk.${name}`)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

/** Keeps it; null forgets it. What is too large to keep is not kept. */
export function keep(name, value) {
  if (value === null) return sessionStorage.removeItem(`ilk.${name}`);
  try {
    return sessionStorage.setItem(`ilk.${name}`, JSON.stringify(value));
  } catch {
    return undefined;
  }
}
