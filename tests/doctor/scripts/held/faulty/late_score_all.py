# fault: fit_before_split, test_for_selection
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.svm import SVC

wine = pd.read_csv("wine.csv")
target = wine.pop("quality") > 6
filled = SimpleImputer(strategy="mean").fit_transform(wine)
train_x, test_x, train_y, test_y = train_test_split(filled, target, test_size=0.25, random_state=11)
best_score, best_c = 0, None
for c in (0.1, 1, 10, 100):
    machine = SVC(C=c)
    machine.fit(train_x, train_y)
    test_score = machine.score(test_x, test_y)
    if test_score > best_score:
        best_score, best_c = test_score, c
print("accuracy on unseen wines:", best_score, "with C =", best_c)
