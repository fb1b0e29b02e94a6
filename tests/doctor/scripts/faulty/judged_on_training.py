# fault: scored_on_training
import pandas as pd
from sklearn.metrics import accuracy_score
from sklearn.tree import DecisionTreeClassifier

df = pd.read_csv("titanic.csv")
df["Sex"] = (df["Sex"] == "female").astype(int)
df["Age"] = df["Age"].fillna(30)
columns = ["Pclass", "Sex", "Age", "Fare"]
X = df[columns]
y = df["Survived"]

tree = DecisionTreeClassifier()
tree.fit(X, y)
predicted = tree.predict(X)
print("accuracy:", accuracy_score(y, predicted))
for name, weight in zip(columns, tree.feature_importances_):
    print(name, round(weight, 3))
