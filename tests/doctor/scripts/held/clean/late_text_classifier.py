import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import classification_report
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import MultinomialNB
from sklearn.preprocessing import LabelEncoder

mails = pd.read_csv("mails.csv", parse_dates=["sent"])
encoder = LabelEncoder()
y = encoder.fit_transform(mails["folder"])
train_text, test_text, y_train, y_test = train_test_split(mails["text"], y, random_state=5)
vectors = TfidfVectorizer(min_df=2)
X_train = vectors.fit_transform(train_text)
X_test = vectors.transform(test_text)
bayes = MultinomialNB().fit(X_train, y_train)
print(classification_report(y_train, bayes.predict(X_train)))
print(classification_report(y_test, bayes.predict(X_test), target_names=encoder.classes_))
