"""The page in a real browser, before a real server: what a person sees, by mouse, by keyboard, on a phone."""

from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import expect
from served import KEY, LABELS, Served, write_tuned
from trained import write_trained_pair

WRONG = "The old river painted the quiet during the storm."  # an adjective where the grammar has a noun
CONTEXT = "The old river followed the garden during the storm."
TABS = ("Wrong words", "Fill in", "Labels", "Entities", "Questions", "Choices")


@pytest.fixture(scope="module")
def served(tokenizer, tmp_path_factory):
    """A server of a pair that was trained and of a model of every other kind."""
    place = tmp_path_factory.mktemp("page")
    write_trained_pair(place / "pair", tokenizer)
    folders = [write_tuned(place / kind, tokenizer, kind) for kind in LABELS]
    (place / "keys").write_text(f"{KEY}\n")
    served = Served(place / "pair", *folders, "--api-key-file", place / "keys", key=KEY).wait()
    yield served
    assert served.end()[0] == 0


@pytest.fixture
def visit(browser, served):
    """A function that opens the page. At the end: it asked nobody but its server, and nothing went wrong in it."""
    opened, asked, faults = [], [], []

    def visit(address="", key=KEY, **options):
        context = browser.new_context(**({"viewport": {"width": 1100, "height": 800}} | options))
        context.set_default_timeout(30_000)
        if key:
            context.add_init_script(f"sessionStorage.setItem('key', '{key}')")
        page = context.new_page()
        page.on("request", lambda request: asked.append(urlparse(request.url).netloc))
        page.on("pageerror", lambda error: faults.append(str(error)))
        opened.append(context)
        page.goto(address or f"http://127.0.0.1:{served.port}/")
        return page

    yield visit
    for context in opened:
        context.close()
    assert set(asked) == {f"127.0.0.1:{served.port}"}
    assert faults == []


def field(page, name):
    """A field of the form."""
    return page.get_by_role("textbox", name=name, exact=True)


def answered(page):
    """Wait until there is an answer."""
    page.wait_for_selector("#answer[aria-busy='false'] > *")
    return page.locator("#answer")


def judge(page, text):
    """Put a text into the field and wait for its words."""
    field(page, "Text").fill(text)
    page.get_by_role("button", name="Ask").click()
    expect(page.locator("#answer .text")).to_have_text(text)
    return page.locator(".word")


def percent(share):
    """As people read it: certainty is never claimed."""
    return "<1%" if 0 < share < 0.01 else ">99%" if 0.99 < share < 1 else f"{share:.0%}"


def scores_of(served, text):
    return [word["score"] for word in served.predict("pair", {"text": text})[2]["predictions"][0]["words"]]


def test_each_word_is_shaded_by_its_score_and_the_wrong_one_most(visit, served):
    page = visit()
    words = judge(page, WRONG)
    expected = scores_of(served, WRONG)
    shown = [float(word.evaluate("word => word.style.getPropertyValue('--score')")) for word in words.all()]
    assert shown == pytest.approx(expected, abs=1e-5)
    assert words.nth(5).inner_text() == "quiet"
    assert max(expected) == expected[5] > 0.5
    background = "word => getComputedStyle(word).backgroundColor"
    assert words.nth(5).evaluate(background) != words.nth(0).evaluate(background)
    expect(page.get_by_role("status").first).to_contain_text(f"most suspicious: quiet, {percent(expected[5])}")
    words.nth(5).hover()
    number = words.nth(5).evaluate("word => getComputedStyle(word, '::after').content")
    assert number == f'"{percent(expected[5])}"'


def test_a_text_is_judged_while_it_is_typed(visit):
    page = visit()
    answered(page)
    field(page, "Text").fill("The teacher")
    expect(page.locator(".word")).to_have_text(["The", "teacher"])
    field(page, "Text").fill("")
    expect(page.locator("#answer > *")).to_have_count(0)


def test_a_proposal_is_put_in_the_text_which_is_judged_again_and_can_be_taken_back(visit, served):
    text = f"\U0001f600 {WRONG}"  # one character, which JavaScript counts as two
    page = visit()
    judge(page, text).filter(has_text="quiet").click()
    menu = page.get_by_role("dialog", name="Proposals for quiet")
    start = text.index("quiet")
    body = {"text": text, "start": start, "end": start + 5, "count": 8}
    expected = [word["text"] for word in served.ask("POST", "/v1/models/pair/suggest", body)[2]["suggestions"]]
    expect(menu.locator("li b")).to_have_text(expected)
    menu.get_by_role("button").first.click()
    changed = text.replace("quiet", expected[0])
    expect(field(page, "Text")).to_have_value(changed)
    expect(page.locator("#answer .text")).to_have_text(changed)
    assert scores_of(served, changed)[6] < scores_of(served, text)[6] - 0.3
    expect(menu).to_be_hidden()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#answer .text")).to_have_text(text)


def test_all_of_it_works_by_keyboard(visit):
    page = visit()
    answered(page)
    focused = page.locator(":focus")
    page.keyboard.press("Tab")
    expect(focused).to_have_text("Wrong words")
    page.keyboard.press("Tab")
    page.keyboard.press("Control+A")
    page.keyboard.type(WRONG)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#answer .text")).to_have_text(WRONG)
    for _ in range(20):
        page.keyboard.press("Tab")
        if "word" in (focused.get_attribute("class") or ""):
            break
    expect(focused).to_have_text("quiet")  # the most suspicious one comes first
    assert focused.evaluate("word => getComputedStyle(word).outlineStyle") == "solid"
    page.keyboard.press("ArrowLeft")
    expect(focused).to_have_text("the")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    menu = page.get_by_role("dialog", name="Proposals for quiet")
    second = menu.locator("li b").nth(1).inner_text()
    expect(menu.get_by_role("button").first).to_be_focused()
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(focused).to_have_text("quiet")
    page.keyboard.press("Enter")
    expect(menu.get_by_role("button").first).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#answer .text")).to_have_text(WRONG.replace("quiet", second))
    expect(focused).to_have_text(second)
    page.keyboard.press("Shift+Tab")
    page.get_by_role("tab", selected=True).focus()
    for title in TABS[1:]:
        page.keyboard.press("ArrowRight")
        expect(focused).to_have_text(title)
        expect(page.get_by_role("tab", name=title)).to_have_attribute("aria-selected", "true")


def test_masks_are_filled_and_a_candidate_can_be_taken(visit, served):
    page = visit()
    page.get_by_role("tab", name="Fill in").click()
    page.get_by_label("Text with [MASK]").fill("The old [MASK] followed.")
    candidates = served.predict("pair-generator", {"text": "The old [MASK] followed."})[2]["predictions"][0]["masks"][0]
    first, second = (candidate["text"] for candidate in candidates["candidates"][:2])
    expect(page.locator("#answer mark")).to_have_text(first)
    expect(page.locator("#answer .text")).to_have_text(f"The old {first} followed.")
    page.locator(".masks button").nth(1).click()
    expect(page.get_by_label("Text with [MASK]")).to_have_value(f"The old {second.removeprefix('##')} followed.")
    expect(page.get_by_role("alert")).to_contain_text("the text has no [MASK]")


def test_an_answer_is_marked_in_its_text(visit, served):
    page = visit()
    page.get_by_role("tab", name="Questions").click()
    field(page, "Question").fill("How old?")
    field(page, "Text").fill(f"\U0001f600 {CONTEXT}")
    inputs = {"question": "How old?", "context": f"\U0001f600 {CONTEXT}"}
    answer = served.predict("answering", inputs)[2]["predictions"][0]
    assert answer["answer"]
    expect(page.locator("#answer .text")).to_have_text(inputs["context"])
    expect(page.locator("#answer mark")).to_have_text(answer["answer"])
    expect(page.locator("#answer .verdict")).to_have_text(answer["answer"])


def test_labels_numbers_tags_and_choices_are_shown_as_they_were_answered(visit, served):
    page = visit()
    page.get_by_role("tab", name="Labels").click()
    for kind in ("classification", "multi-label", "regression"):
        page.locator("#model").select_option(kind)
        field(page, "Text").fill(CONTEXT)
        prediction = served.predict(kind, {"text": CONTEXT})[2]["predictions"][0]
        if kind == "regression":
            expect(page.locator(".verdict")).to_have_text(f"{prediction['value']:#.4g}")
            continue
        best = sorted(prediction["probabilities"].items(), key=lambda pair: -pair[1])
        expect(page.locator(".bars li")).to_have_text([f"{name}{percent(share)}" for name, share in best])
    page.get_by_role("tab", name="Entities").click()
    field(page, "Text").fill(CONTEXT)
    prediction = served.predict("tagging", {"text": CONTEXT})[2]["predictions"][0]
    spans = [CONTEXT[slice(*entity["characters"])] + entity["type"] for entity in prediction["entities"]]
    expect(page.locator("#answer mark")).to_have_text(spans)
    page.get_by_role("tab", name="Choices").click()
    page.get_by_role("button", name="Add a choice").click()
    for number, text in enumerate(("It was old.", "It was green.", "It was quiet."), start=1):
        page.get_by_label(f"Choice {number}", exact=True).fill(text)
    expect(page.locator(".bars li")).to_have_count(3)
    page.get_by_role("button", name="Remove choice 3").click()
    expect(page.locator(".bars li")).to_have_count(2)


def test_a_link_shows_what_was_asked_and_holds_no_key(visit):
    page = visit()
    page.get_by_role("tab", name="Questions").click()
    field(page, "Question").fill("Who & what? 50% #1")
    field(page, "Text").fill(CONTEXT)
    page.get_by_role("button", name="Ask").click()
    expect(page.locator("#answer .text")).to_have_text(CONTEXT)
    link = page.url
    assert KEY not in link
    assert parse_qs(urlparse(link).fragment)["question"] == ["Who & what? 50% #1"]
    other = visit(link)
    answered(other)
    expect(other.get_by_role("tab", selected=True)).to_have_text("Questions")
    expect(field(other, "Question")).to_have_value("Who & what? 50% #1")
    assert other.locator("#answer").inner_text() == page.locator("#answer").inner_text()


def test_errors_are_said_in_words_and_go_away(visit):
    page = visit()
    answered(page)
    field(page, "Text").fill("word " * 5000)
    expect(page.get_by_role("alert")).to_contain_text("found 25000 characters, expected at most 20000")
    expect(page.locator("#answer > *")).to_have_count(0)
    judge(page, WRONG)
    expect(page.get_by_role("alert")).to_be_hidden()
    page.context.set_offline(True)
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer. Is it still running?")
    page.context.set_offline(False)
    judge(page, WRONG)


def test_a_key_is_asked_for_until_it_is_right(visit):
    page = visit(key=None)
    keyhole = page.get_by_role("dialog", name="This server asks for a key")
    expect(keyhole).to_be_visible()
    page.get_by_label("API key").fill("wrong")
    page.keyboard.press("Enter")
    expect(keyhole).to_contain_text("does not know this key")
    page.get_by_label("API key").fill(KEY)
    page.keyboard.press("Enter")
    answered(page)
    expect(keyhole).to_be_hidden()
    assert KEY not in page.url
    page.reload()
    answered(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_follows_the_colours_of_the_system(visit, scheme):
    page = visit(viewport={"width": 360, "height": 640}, color_scheme=scheme)
    judge(page, f"{WRONG} {'unbreakable' * 9}").filter(has_text="quiet").click()
    page.get_by_role("dialog").get_by_role("button").first.wait_for()
    width = "document.documentElement.scrollWidth"
    assert page.evaluate(width) == 360
    page.keyboard.press("Escape")
    for title in TABS:
        page.get_by_role("tab", name=title).click()
        answered(page)
        assert page.evaluate(width) == 360, title
    lightness = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/[0-9]+/)[0]")
    assert (int(lightness) > 127) == (scheme == "light")
