"""A first spec for data that are there: `archspec new`.

`finding.py` says which dataset reads a folder or a file, `listing.py` what the columns of a table are; what comes of it
is a `Found`, in `found.py`. `looking.py` says what the samples look like, `subject.py` what is to be found in them,
`suggesting.py` which network, size and length suit them. `networks.py` has the small networks, `zoo_networks.py` what
one of the zoo needs to be told, and `writing.py` makes the spec's text of all of it, which `making.py` checks before it
is written. `asking.py` has the questions.
"""
