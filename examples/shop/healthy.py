"""The health check of the shop's programs: `healthy.py PORT` asks for /health on this port.

8443 is asked over TLS, with the service's own certificate for the one to trust.
"""

import socket
import sys

port = int(sys.argv[1])
connection = socket.create_connection(("localhost", port), 5)
if port == 8443:
    import ssl

    context = ssl.create_default_context(cafile="/run/secrets/revprox_cert")
    connection = context.wrap_socket(connection, server_hostname="shop.example")
connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
answer = connection.recv(100)
sys.exit(answer.split()[1:2] != [b"200"])
