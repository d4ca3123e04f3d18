"""`python -m archspec.catalogue` writes the zoo's index, specs/zoo/index.json."""

from __future__ import annotations

from archspec.catalogue.listing import entry_of
from archspec.writing import write
from archspec.zoo import zoo_files, zoo_folder
from archspec.zoo.index import NAME, index_text

if __name__ == "__main__":
    write(zoo_folder() / NAME, index_text({path.name: entry_of(path) for path in zoo_files()}))
