"""A browser: `visit.py [PATH]` prints a page of the shop, and trusts the certificate on stdin."""

import http.client
import ssl
import sys

context = ssl.create_default_context(cadata=sys.stdin.read())
# The name in the certificate is the shop's, and this asks its tasks by the name they have here.
context.check_hostname = False
connection = http.client.HTTPSConnection("tasks.reverse_proxy", 8443, timeout=60, context=context)
connection.request("GET", "/" if sys.argv[1:] == [] else sys.argv[1])
answer = connection.getresponse()
print(answer.status, answer.read().decode())
