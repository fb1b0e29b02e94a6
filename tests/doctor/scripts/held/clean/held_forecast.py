import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import TimeSeriesSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

load = pd.read_csv("load.csv", parse_dates=["time"], index_col="time")
for lag in (1, 24, 168):
    load[f"lag{lag}"] = load["mw"].shift(lag)
load["hour"] = load.index.hour
load = load.dropna()
train, test = load.loc[:"2022"], load.loc["2023":]
model = make_pipeline(StandardScaler(), Ridge())
X, y = train.drop(columns="mw"), train["mw"]
print(-cross_val_score(model, X, y, cv=TimeSeriesSplit(5), scoring="neg_mean_absolute_error"))
model.fit(X, y)
print("test", mean_absolute_error(test["mw"], model.predict(test.drop(columns="mw"))))
