"""`python -m archspec.catalogue` writes the zoo's index, specs/zoo/index.json, and what is made of it: docs/zoo.md and
docs/family-tree.svg, docs/gallery.md and its pictures."""

from __future__ import annotations

from archspec.catalogue.gallery import gallery, pictures
from archspec.catalogue.listing import entry_of, listing
from archspec.catalogue.page import docs_folder, page
from archspec.catalogue.tree import drawn
from archspec.writing import write
from archspec.zoo import zoo_files, zoo_folder
from archspec.zoo.index import NAME, index_text

if __name__ == "__main__":
    write(zoo_folder() / NAME, index_text({path.name: entry_of(path) for path in zoo_files()}))
    networks = listing().networks
    write(docs_folder() / "zoo.md", page(networks))
    write(docs_folder() / "family-tree.svg", drawn(networks, "svg"))
    write(docs_folder() / "gallery.md", gallery(networks))
    made = pictures(networks)
    folder = docs_folder() / "pictures" / "zoo"
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        if f"pictures/zoo/{path.name}" not in made:
            path.unlink()
    for file, picture in made.items():
        write(docs_folder() / file, picture)
