"""Files of models that other tools wrote, read into specs."""
