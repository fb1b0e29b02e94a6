import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler

X, y = load_breast_cancer(return_X_y=True)
scores = []
for fold, (tr, te) in enumerate(StratifiedKFold(5, shuffle=True, random_state=3).split(X, y)):
    scaler = StandardScaler().fit(X[tr])
    model = GradientBoostingClassifier(random_state=fold)
    model.fit(scaler.transform(X[tr]), y[tr])
    p = model.predict_proba(scaler.transform(X[te]))[:, 1]
    scores.append((roc_auc_score(y[te], p), brier_score_loss(y[te], p)))
    print(f"fold {fold}: AUC {scores[-1][0]:.3f} Brier {scores[-1][1]:.3f}")
print(np.mean(scores, axis=0))
