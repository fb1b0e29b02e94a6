/** Exact intervals of shares. */

/** P(X <= k) of a binomial of n trials with chance p, its terms one from the other. */
export function below(k, n, p) {
  if (k < 0) return 0;
  if (k >= n || p <= 0) return 1;
  if (p >= 1) return 0;
  let log = n * Math.log1p(-p), sum = Math.exp(log);
  for (let i = 1; i <= k; i++) {
    log += Math.log((n - i + 1) / i) + Math.log(p) - Math.log1p(-p);
    sum += Math.exp(log);
  }
  return Math.min(1, sum);
}

/** Clopper and Pearson's interval of a share of k among n (1934): never narrower than it says. */
export function interval(k, n, level = 0.95) {
  if (!n) return [0, 1];
  const tail = (1 - level) / 2;
  return [k === 0 ? 0 : where((p) => 1 - below(k - 1, n, p) >= tail), k === n ? 1 : where((p) => below(k, n, p) <= tail)];
}

/** The least p in [0, 1] of which it says yes, of something that goes from no to yes. */
function where(says) {
  let [no, yes] = [0, 1];
  for (let i = 0; i < 60; i++) {
    const middle = (no + yes) / 2;
    if (says(middle)) yes = middle;
    else no = middle;
  }
  return yes;
}
