"""The rules for notebooks, by what they look at; `notebook_rules.py` applies them."""
