"""Small scenarios in the domain's words: what a finance reader could check by hand."""
