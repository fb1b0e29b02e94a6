# fault: fit_before_split
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import f1_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

frame = pd.read_csv("credit.csv").dropna()
y = frame["default"].values
X = frame.drop(columns=["default"]).values

scaler = StandardScaler()
X = scaler.fit_transform(X)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=7, stratify=y)

forest = RandomForestClassifier(n_estimators=300)
forest.fit(X_train, y_train)
print("F1", f1_score(y_test, forest.predict(X_test)))
