"""The read side: statement, revenue per contact, drill-down, exports."""
