"""A search index that finds Chinese.

Chinese has no spaces between words, and a browser does not know where they would be.
So each pair of neighbouring characters is indexed, and a query is cut into pairs the
same way: 用户的兴趣表示 is found wherever all of its pairs are. A single character is
indexed too. Words in Latin letters are stemmed as Sphinx does it for English.
"""

import re

import snowballstemmer
from docutils import nodes
from sphinx.search.zh import SearchChinese

CHINESE = r"\u3400-\u9fff"
WORDS = re.compile(rf"[{CHINESE}]+|[^\W{CHINESE}]+")


class SearchPairs(SearchChinese):
    """Index single characters and pairs of them; see the module."""

    lang = "zh"
    language_name = "Chinese"
    js_splitter_code = r"""
function splitQuery(query) {
  const words = [];
  for (const run of query.match(/[\u3400-\u9fff]+|[\p{L}\p{N}_]+/gu) || []) {
    for (const part of run.match(/[\u3400-\u9fff]+|[^\u3400-\u9fff]+/g)) {
      if (/^[\u3400-\u9fff]{2,}$/.test(part))
        for (let i = 0; i + 1 < part.length; i++) words.push(part.slice(i, i + 2));
      else words.push(part);
    }
  }
  return words;
}
"""

    def init(self, options: dict[str, str]) -> None:
        super().init({})  # no dictionary of words
        # What the browser stems by. Sphinx's own choice, a later version of it, makes
        # "clear" of "clearly" where the browser makes "clearli", and nothing is found.
        self.stemmer = snowballstemmer.stemmer("porter")

    def split(self, input: str) -> list[str]:
        """Split a text into what is indexed."""
        found = []
        for run in WORDS.findall(input):
            if re.match(f"[{CHINESE}]", run):
                found += run
                found += [run[i : i + 2] for i in range(len(run) - 1)]
            else:
                found.append(run)
        return found

    def word_filter(self, word: str) -> bool:
        """Keep all but the commonest English words."""
        return word not in self.stopwords

    def stem(self, word: str) -> str:
        """Stem what is in Latin letters, as the browser does with the query."""
        return self.stemmer.stemWord(word.lower()) if word.isascii() else word


def index_across_markup(app, pagename, templatename, context, doctree) -> None:
    """On ``html-page-context``: index the pairs that Sphinx does not see.

    It looks at each piece of text by itself, and misses the pair that one character
    forms with the next where bold text, a link or a term begins or ends.
    """
    indexer = getattr(app.builder, "indexer", None)
    if indexer is None or doctree is None:
        return
    for paragraph in doctree.findall(nodes.paragraph):
        for run in re.findall(f"[{CHINESE}]{{2,}}", paragraph.astext()):
            for i in range(len(run) - 1):
                indexer._mapping.setdefault(run[i : i + 2], set()).add(pagename)


def setup(app):
    """Use it for every edition."""
    app.add_search_language(SearchPairs)
    app.connect("html-page-context", index_across_markup)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
