"""A page, read strictly: tags must be closed in the order in which they were opened."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """Tags, attributes and words of a page, and its style sheet.

    `void` are the tags that need not be closed, as they enclose nothing.
    """

    def __init__(self, text, void):
        super().__init__()
        self._void = void
        self.open, self.tags, self.attributes, self.words, self.style = [], [], [], "", ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self._void:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            self.style += data
        elif self.open:
            self.words += data
