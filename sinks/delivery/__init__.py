"""How alerts leave: to webhooks that are signed, and to what apprise knows.

Law: a request goes only where the settings allow by name and by address; what it carries has the
same identity however often it is sent.
"""
