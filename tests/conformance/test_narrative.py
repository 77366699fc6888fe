import pytest

from conformance.narrative import narrative_problem


def div(inner: str) -> str:
    return f'<div xmlns="http://www.w3.org/1999/xhtml">{inner}</div>'


@pytest.mark.parametrize(
    "inner",
    [
        "72 per minute",
        "<p><b>72</b><br/>per&nbsp;minute &lt; 80 &#160;</p>",
        '<table><tr><td colspan="2" style="color: red">x</td></tr></table>',
        '<a href="https://ehr.example/x">x</a><a name="y">y</a><a href="#y">y</a>',
        '<a href="StructureDefinition-x-definitions.html#Observation.code:y">x</a>',
        '<img src="data:image/png;base64,AAAA" alt="x"/>',
        '<img src="#logo" alt=""/>',
        '<p xml:lang="de">Puls</p>',
        "<!-- a comment --><p>x</p>",
    ],
)
def test_formatting_is_allowed(inner: str) -> None:
    assert narrative_problem(div(inner)) is None


@pytest.mark.parametrize(
    "text",
    [
        div("<script>x</script>"),
        div('<p onclick="x()">x</p>'),
        div("<form><input/></form>"),
        div("<iframe src='https://x.example'/>x"),
        div('<object data="x"/>x'),
        div("<link rel='stylesheet' href='x.css'/>x"),
        div("<style>p{}</style>x"),
        div('<a href="javascript:alert(1)">x</a>'),
        div('<a href=" jAvAsCrIpT:alert(1)">x</a>'),
        div('<a href="java&#10;script:alert(1)">x</a>'),
        div('<a href="vbscript:x">x</a>'),
        div('<a href="file:///etc/passwd">x</a>'),
        div('<a href="data:text/html,x">x</a>'),
        div('<img src="data:image/svg+xml;base64,AAAA"/>'),
        div('<p style="width: expression(alert(1))">x</p>'),
        div('<p style="background: url(javascript:x)">x</p>'),
        div('<svg xmlns="http://www.w3.org/2000/svg"/>x'),
        div("<p>x"),
        div("&unknown;"),
        div(""),
        div("  \n "),
        div("&#160;").replace("&#160;", " "),
        "<p>x</p>",
        "<div>x</div>",
        "x",
        "",
        div("x") + div("y"),
        f"<?xml version='1.0'?>{div('x')}",
        div("<?php x ?>x"),
        f"<!DOCTYPE div [<!ENTITY a 'b'>]>{div('&a;')}",
        f"<!DOCTYPE div SYSTEM 'file:///etc/passwd'>{div('x')}",
        div("\ud800"),
        div("\x00"),
    ],
)
def test_what_runs_loads_or_says_nothing_is_refused(text: str) -> None:
    assert narrative_problem(text) is not None
