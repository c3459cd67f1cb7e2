"""One module a page: from a question to the blocks that answer it. Pure but for the reports."""
