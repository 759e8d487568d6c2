"""The few operations worth a kernel of our own, in Triton; ``reference.py`` is the same in plain torch."""
