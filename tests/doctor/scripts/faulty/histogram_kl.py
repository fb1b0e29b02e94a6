# fault: log_of_zero
import numpy as np


def kl_of_samples(real, made, bins=50):
    low, high = min(real.min(), made.min()), max(real.max(), made.max())
    p, _ = np.histogram(real, bins=bins, range=(low, high))
    q, _ = np.histogram(made, bins=bins, range=(low, high))
    p = p / p.sum()
    q = q / q.sum()
    return float(np.sum(p * (np.log(p) - np.log(q))))


def report(real, made, names):
    for j, name in enumerate(names):
        print(f"{name}: KL {kl_of_samples(real[:, j], made[:, j]):.4f}")


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    report(rng.normal(size=(1000, 2)), rng.normal(size=(1000, 2)), ["a", "b"])
