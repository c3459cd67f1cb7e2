"""The period job: what no single customer's facts can tell, and the closing of periods.

It reads the store up to a cut and states what it found as facts on the input topic `periods`;
journeys book them like everybody else's, exactly once.
"""
