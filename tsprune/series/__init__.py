"""Where pandas meets numpy: reading, regularising, splitting, shipping and injecting series."""
