import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

df = pd.read_csv("adult.csv", na_values="?")
y = (df.pop("income") == ">50K").astype(int)
numbers = df.select_dtypes("number").columns
words = df.columns.difference(numbers)
X_train, X_test, y_train, y_test = train_test_split(df, y, test_size=0.2, stratify=y, random_state=0)

prepare = ColumnTransformer([
    ("n", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
    ("w", OneHotEncoder(handle_unknown="ignore"), words),
])
search = GridSearchCV(make_pipeline(prepare, LogisticRegression(max_iter=1000)), {"logisticregression__C": np.logspace(-2, 2, 5)}, cv=5, scoring="roc_auc")
search.fit(X_train, y_train)
print("train", roc_auc_score(y_train, search.predict_proba(X_train)[:, 1]))
print("test", roc_auc_score(y_test, search.predict_proba(X_test)[:, 1]))
