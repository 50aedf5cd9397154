"""A package, and the first of its name on the path: a requirement brings another."""
