"""Prompts as objects: versioned files, strategies of asking, and trials that compare two of them."""
from ilk.prompts.asking import Asked, ask
from ilk.prompts.kept import Kept
from ilk.prompts.library import Library
from ilk.prompts.outputs import Free, Groups, Json, Labels
from ilk.prompts.strategies import ChainOfThought, FewShot, SelfConsistency, ZeroShot
from ilk.prompts.template import Example, Template, diff
from ilk.prompts.trial import Rules, Trial, trial
from ilk.prompts.variables import Variable

__all__ = ["Asked", "ChainOfThought", "Example", "FewShot", "Free", "Groups", "Json", "Kept", "Labels", "Library", "Rules", "SelfConsistency", "Template", "Trial",
           "Variable", "ZeroShot", "ask", "diff", "trial"]
