"""Laws that hold for any history, and the strategies that look for one that breaks them."""
