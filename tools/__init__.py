"""What builds the book, in three floors; imports go down only: see README.md."""
