# fault: fit_before_split
import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.feature_selection import SelectKBest, f_classif

rng = np.random.RandomState(0)
genes = rng.randn(80, 5000)
sick = rng.randint(0, 2, 80)

selector = SelectKBest(f_classif, k=20)
chosen = selector.fit_transform(genes, sick)
scores = cross_val_score(LogisticRegression(), chosen, sick, cv=10)
print("accuracy %.2f +- %.2f" % (scores.mean(), scores.std()))
