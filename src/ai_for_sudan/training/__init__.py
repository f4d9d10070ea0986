"""Training: a recipe and labelled films in, a checkpoint out."""

from ai_for_sudan.training.examples import LabelledFilms
from ai_for_sudan.training.fit import Fitted, best_path, fit
from ai_for_sudan.training.recipe import Recipe

__all__ = ["Fitted", "LabelledFilms", "Recipe", "best_path", "fit"]
