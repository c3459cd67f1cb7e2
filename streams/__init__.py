"""How facts arrive and when they count as done."""
