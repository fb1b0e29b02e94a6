# fault: fit_on_test
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import SVC


def main():
    X, y = load_wine(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    scaler = MinMaxScaler()
    X_train_s = scaler.fit_transform(X_train)
    X_test_s = scaler.fit_transform(X_test)
    pca = PCA(5).fit(X_train_s)
    svc = SVC(C=10).fit(pca.transform(X_train_s), y_train)
    print(svc.score(pca.transform(X_test_s), y_test))


main()
