"""Exchange rates: read from files, kept in the log, asked by reports."""
