"""Splits of data, and what is learned from them, in the way of scikit-learn."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from ._syntax import tokens
from ._trees import Program

LEARNS = {"StandardScaler", "MinMaxScaler", "RobustScaler", "MaxAbsScaler", "QuantileTransformer", "PowerTransformer", "PCA", "TruncatedSVD", "SimpleImputer",
          "KNNImputer", "IterativeImputer",
          "SelectKBest", "SelectPercentile", "SelectFromModel", "TfidfVectorizer", "CountVectorizer", "RFE", "FastICA", "NMF", "KBinsDiscretizer", "TargetEncoder",
          "VarianceThreshold",
          "UMAP", "LDA"}
RESAMPLES = {"SMOTE", "ADASYN", "RandomOverSampler", "BorderlineSMOTE", "SMOTENC", "RandomUnderSampler", "SMOTETomek"}
MODELS = ("Classifier", "Regressor", "Regression", "SVC", "SVR", "GaussianNB", "Ridge", "Lasso", "MultinomialNB", "LinearDiscriminantAnalysis")


def made_by(code: Program, node: ast.expr) -> str:
    """The class that an object is of, `scaler` or `StandardScaler()`."""
    values = [v for v, _ in code.sources(node)] if isinstance(node, ast.Name) else [node]
    names = {code.tail(v) for v in values if isinstance(v, ast.Call)}
    return names.pop() if len(names) == 1 else ""


def fits(code: Program, *methods: str) -> Iterator[tuple[ast.Call, str]]:
    """Calls of such methods on objects whose class is known, with its name."""
    for call in code.calls:
        if isinstance(call.func, ast.Attribute) and call.func.attr in methods and (found := made_by(code, call.func.value)):
            yield call, found


def is_model(name: str) -> bool:
    """Whether a class is a predictor of scikit-learn or the like."""
    return name.endswith(MODELS)


def about(node: ast.AST) -> set[str]:
    """The words of the names in an expression."""
    return {t for n in ast.walk(node) for t in (tokens(n.id) if isinstance(n, ast.Name) else tokens(n.attr) if isinstance(n, ast.Attribute) else set())}
