"""Say whether the process in this container is ready: exit 0 if it is, 1 if not. For Docker.

python ready.py [PORT]
"""

import http.client
import sys
from http import HTTPStatus

port = int(sys.argv[1]) if len(sys.argv) > 1 else 8080
connection = http.client.HTTPConnection("127.0.0.1", port, timeout=4)
try:
    connection.request("GET", "/readyz")
    ready = connection.getresponse().status == HTTPStatus.OK
except (OSError, http.client.HTTPException):
    ready = False
sys.exit(0 if ready else 1)
