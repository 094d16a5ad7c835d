"""A file into columns of numbers, dates and text."""
