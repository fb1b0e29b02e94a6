import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler

digits = load_digits()
X = StandardScaler().fit_transform(digits.data)
flat = PCA(n_components=20).fit_transform(X)
for k in range(5, 16):
    labels = KMeans(k, n_init=10, random_state=0).fit_predict(flat)
    print(k, silhouette_score(flat, labels), adjusted_rand_score(digits.target, labels))
bic = [GaussianMixture(k, random_state=0).fit(flat).bic(flat) for k in range(5, 16)]
best = int(np.argmin(bic)) + 5
made, _ = GaussianMixture(best, random_state=0).fit(flat).sample(16)
plt.scatter(*flat[:, :2].T, s=3)
plt.scatter(*made[:, :2].T, s=20)
plt.savefig("made.png")
