"""What a link to a paper leads to: title, authors, venue and year.

A link to a work in ``book/references.bib``, by whichever of its addresses, gets the
class ``cites``. What the bibliography says of the work stands once on a page, as the
title of the first link to that address; the page shows it beside all of them. The list
of references at the end of a chapter says it all by itself.
"""

from functools import lru_cache

from docutils import nodes
from pybtex.database import Entry, Person, parse_file
from pybtex.richtext import Text
from sphinx.transforms import SphinxTransform

from tools.workshop.rules.citations import BIBLIOGRAPHY, identity, load

AUTHORS = 3  # more of them are "et al."


@lru_cache(maxsize=1)
def works() -> dict[str, str]:
    """Say of each work what it is, by what `identity` makes of its addresses."""
    entries = parse_file(str(BIBLIOGRAPHY)).entries
    names = load().items()
    return {name: note(entries[key]) for key, own in names for name in own}


def note(entry: Entry) -> str:
    """Say what a work is: its title, its authors, where and when it came out."""
    people = entry.persons["author"]
    authors = ", ".join(map(full_name, people[:AUTHORS]))
    if len(people) > AUTHORS:
        authors += " et al."
    kinds = ("booktitle", "journal", "howpublished")
    venue = next(filter(None, map(entry.fields.get, kinds)), None)
    if venue is None:
        venue = f"arXiv:{entry.fields['eprint']}"
    title, year = plain(entry.fields["title"]), entry.fields["year"]
    return f"{title} · {authors} · {plain(venue)}, {year}"


def full_name(person: Person) -> str:
    """Give a name in the order in which it is spoken."""
    kinds = ("first", "middle", "prelast", "last", "lineage")
    return plain(" ".join(part for kind in kinds for part in person.get_part(kind)))


def plain(latex: str) -> str:
    """Give LaTeX as plain text."""
    return Text.from_latex(latex).render_as("text")


class TellCitations(SphinxTransform):
    """Say of each link to a work of the bibliography what it leads to."""

    default_priority = 332  # when the other edition's text is gone

    def apply(self) -> None:
        self.env.note_dependency(str(BIBLIOGRAPHY))
        told = set()
        for link in self.document.findall(nodes.reference):
            address = link.get("refuri", "")
            name = identity(address)
            if name not in works() or listed(link):
                continue
            link["classes"].append("cites")
            if address not in told:
                link["reftitle"] = works()[name]
            told.add(address)


def listed(link: nodes.reference) -> bool:
    """Whether a link stands in the list of references."""
    node: nodes.Node = link
    while node.parent is not None:
        node = node.parent
        if isinstance(node, nodes.section) and "references" in node["ids"]:
            return True
    return False


def setup(app):
    """Do it on each page."""
    app.add_transform(TellCitations)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
