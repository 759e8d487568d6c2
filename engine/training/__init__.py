"""How the checkpoint in ``resources/mini`` was made: corpus, tokenizer, training, evaluation."""
