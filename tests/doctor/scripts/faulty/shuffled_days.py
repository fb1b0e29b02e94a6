# fault: shuffled_time_series
import pandas as pd
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import train_test_split

sales = pd.read_csv("sales.csv", parse_dates=["date"]).sort_values("date")
for k in (1, 7, 14):
    sales[f"lag_{k}"] = sales["units"].shift(k)
sales["week"] = sales["units"].shift(1).rolling(7).mean()
sales = sales.dropna()
X = sales.drop(columns=["units", "date"])
X_train, X_test, y_train, y_test = train_test_split(X, sales["units"], test_size=0.2, random_state=0)
model = GradientBoostingRegressor().fit(X_train, y_train)
print(mean_absolute_error(y_test, model.predict(X_test)))
