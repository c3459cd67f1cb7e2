"""Effects: how results leave."""
