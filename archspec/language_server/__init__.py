"""`archspec lsp`: what `editing/` answers, by the Language Server Protocol. Nothing else imports pygls.

`service.py` has the workspace on a thread of its own, `converting.py` turns its answers into the protocol's types, and
`server.py` has what a client may ask.
"""
