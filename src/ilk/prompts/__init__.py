"""Prompts as objects: versioned files, strategies of asking, and trials that compare two of them."""
from ilk.prompts.ask import Asked, ask
from ilk.prompts.library import Library
from ilk.prompts.outputs import Free, Groups, Json, Labels
from ilk.prompts.strategies import ChainOfThought, FewShot, SelfConsistency, ZeroShot
from ilk.prompts.template import Example, Template, diff
from ilk.prompts.variables import Variable

__all__ = ["Asked", "ChainOfThought", "Example", "FewShot", "Free", "Groups", "Json", "Labels", "Library", "SelfConsistency", "Template", "Variable", "ZeroShot", "ask", "diff"]
