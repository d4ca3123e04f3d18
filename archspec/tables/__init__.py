"""Tables: a row for each sample, with named columns; reading them, and what columns are to a network."""
