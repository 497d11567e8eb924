"""Conversion of the registry's HTML texts to the Markdown of v2."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctsync.record.history_form.html_to_markdown import to_markdown
from ctsync.record.history_form.normalize import text_content


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        ("", ""),
        ("Pain", "Pain"),
        ("1&#x2F;2 of patients&#x27; &quot;x&quot; &amp; y", '1/2 of patients\' "x" \\& y'),
        ("eGFR &lt;60 mL&#x2F;min&#x2F;1.73\nm2", "eGFR \\<60 mL/min/1.73 m2"),
        ("<p>One.\nTwo.</p><p>Three</p>", "One. Two.\n\nThree"),
        ("<p>In:</p><ul><li>age &gt; 18</li><li>b</li></ul>", "In:\n\n* age \\> 18\n* b"),
        (
            "<ul><li><p>Marrow:</p><ul><li>ANC</li><li>Hb</li></ul></li><li>Renal</li></ul>",
            "* Marrow:\n\n  * ANC\n  * Hb\n* Renal",
        ),
        (
            "<ol><li><p>One of:</p><ul><li>x-ray</li></ul></li><li>Two</li></ol>",
            "1. One of:\n\n   * x-ray\n2. Two",
        ),
        ('<ol start="9"><li>i</li><li><p>j</p><p>k</p></li></ol>', "9. i\n10. j\n\n    k"),
        ("<p>a</p><ol><li>b</li></ol><ol><li>c</li></ol>", "a\n\n1. b\n\n<!-- -->\n\n1. c"),
        ("<p>- not a list</p><p>1. nor this</p>", "\\- not a list\n\n1\\. nor this"),
        ("m^2 [a*b] ~5 | a_b", "m\\^2 \\[a\\*b\\] \\~5 \\| a\\_b"),
        ('Cancer (<mark class="hl-term">CRPC</mark>)', "Cancer (CRPC)"),
        ("one<br>two<br/>three", "one\\\ntwo\\\nthree"),
        ("10<sup>9</sup>", "10<sup>9</sup>"),
        ("<table><tr><td>a</td><td>1</td></tr><tr><td>b</td></tr></table>", "a | 1\n\nb"),
    ],
)
def test_an_html_text_becomes_the_markdown_of_v2(html, markdown):
    assert to_markdown(html, escaped=True) == markdown


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("p &lt; 0.05", "p < 0.05"),
        ("p < 0.05", "p < 0.05"),
        ("<5 years and >2", "<5 years and >2"),
        ("<high> & <low>", "<high> & <low>"),
        ("a<b", "a<b"),
        ("AT&T, R&D; Val-d'Oise", "AT&T, R&D; Val-d'Oise"),
        ("x?a=1&copy=2&notit;&#0;", "x?a=1&copy=2&notit;\ufffd"),
        ("&amp;lt;b&amp;gt; &amp;amp; &amp;#39;", "&lt;b&gt; &amp; &#39;"),
        ("&lt;b&gt;bold&lt;&#x2F;b&gt;", "<b>bold</b>"),
        ("T2* of 3*4, m^2", "T2* of 3*4, m^2"),
        ("a &nbsp; b", "a \xa0 b"),
        ("<script>x</script>", "<script>x</script>"),
        ('<p class="a>b">c</p>', '<p class="a>b">c'),
    ],
)
def test_text_that_looks_like_markup_is_kept(html, text):
    assert to_markdown(html, escaped=False) == text


@pytest.mark.parametrize(
    ("html", "content"),
    [
        ("<ul><li>a<li>b</ul>c", "a b c"),
        ("</ul></li></p>a", "a"),
        ("<li>a</li><li>b</li>", "a b"),
        ("<ul>a<li>b<ul><li>c</ul>d", "a b c d"),
        ("<p>a<p>b", "a b"),
        ("<ul><ul><li>a</li></ul></ul>", "a"),
        ("<p>a", "a"),
        ("a<", "a<"),
        ("a<p", "a<p"),
        ("a &lt", "a &lt"),
        ("<!-- note --><p>a</p>", "a"),
    ],
)
def test_broken_markup_loses_no_text(html, content):
    assert text_content(to_markdown(html, escaped=True)) == content


pieces = st.sampled_from(
    ["<p>", "</p>", "<ul>", "</ul>", "<ol>", "</ol>", "<li>", "</li>", "<br>", "<mark>", "</mark>",
     "<b>", "<td>", "<", ">", "&", "&amp;", "&lt;", "&#x2F;", "\n", " ", "\xa0", "\r\n", "*", "-",
     "1.", "\\", "_", "[", "^", "#", "w0", "W1", "w2", "3", "4.5", "é"]
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(pieces, max_size=40))
def test_any_markup_keeps_every_word_in_order(found):
    def words_of(pieces: list[str]) -> list[str]:
        # a word that ends with a full stop is the number of a list item
        return [piece for piece in pieces if piece[0] in "wW34é" and piece[-1] != "."]

    html = " ".join(found)
    for escaped in (True, False):
        text = to_markdown(html, escaped=escaped)
        assert words_of(text_content(text).split()) == words_of(found)


@settings(deadline=None)
@given(st.lists(pieces, max_size=40))
def test_text_content_is_the_same_for_escaped_and_plain_texts_and_is_idempotent(found):
    html = "".join(found)
    content = text_content(to_markdown(html, escaped=True))
    assert text_content(to_markdown(html, escaped=False)) == content
    assert text_content(content) == content


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit",
    ["<", "&", "<p>", "</ul>", "<ul><li>", "<li>", "<b></b>", "&amp;", "<p ", "<p a=", "<ul>",
     "\n", " ", "*", "\\", "- ", "1. ", "<!--", "<br>", "<td>"],
)  # fmt: skip
def test_the_conversion_takes_linear_time(unit):
    """The time must grow linearly with the text: quadratic time would make 100 kB hang the test."""
    text = unit * (100_000 // len(unit)) + "<p>"
    assert isinstance(text_content(to_markdown(text, escaped=True)), str)
