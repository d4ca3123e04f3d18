"""What a spec says, section by section: pydantic models and how text becomes them."""
