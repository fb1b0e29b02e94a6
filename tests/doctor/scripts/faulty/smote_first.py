# fault: fit_before_split
import numpy as np
from imblearn.over_sampling import SMOTE
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

table = np.genfromtxt("fraud.csv", delimiter=",", skip_header=1)
features, target = table[:, :-1], table[:, -1].astype(int)
balanced, labels = SMOTE(random_state=1).fit_resample(features, target)
a, b, ya, yb = train_test_split(balanced, labels, test_size=0.25, random_state=1)
clf = LogisticRegression(max_iter=2000)
clf.fit(a, ya)
auc = roc_auc_score(yb, clf.predict_proba(b)[:, 1])
print(f"AUC {auc:.3f}")
