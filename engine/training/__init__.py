"""How the checkpoint in ``resources/mini`` was made: sources, corpus, tokenizer, training, evaluation, ablations.

``recipe.py`` runs the stages in order.
"""
