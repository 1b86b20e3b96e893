"""Labelled data for the tutorials, put together from templates: python examples/tutorials/make_data.py TASK FOLDER.

A row of MAKERS is one task. A maker gives one example, drawn anew; `write` turns many into the files train, dev and test.
The sentences are so simple that a tiny model learns them on two cores in a minute or two, and no text is in two of the
files. What a score on them says about your own data: nothing.
"""

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any
from zlib import crc32

Example = dict[str, Any]

# ----------------------------------------------------------------------------------------- tickets: one label for a text

OPENINGS = "Hello,|Good morning,|Hi there,|Dear team,|To whom it may concern:|Hello again,"
CLOSINGS = "Thanks!|Please help.|What can I do?|I am waiting for your answer.|This is the second time I ask.|"
THINGS = "bicycle|helmet|lamp|saddle|lock|basket|bell|pump|jacket|trailer"
PROBLEMS = {
    "delivery": "the THING has not arrived yet|when will you ship the THING|the parcel with the THING went to my neighbour|"
    "the THING is still on its way|can you send the THING to another address|the courier lost the THING",
    "payment": "I was charged twice for the THING|the invoice of the THING is wrong|my card was refused for the THING|"
    "why does the THING cost more than your page says|I need a receipt for the THING|the discount for the THING is missing",
    "repair": "the THING broke after a week|the THING makes a strange noise|how do I fix the THING|the THING is loose|"
    "a part of the THING fell off|can your workshop look at the THING",
    "returns": "I want to give the THING back|the THING is too small for me, I want another|how can I exchange the THING|"
    "I do not need the THING any more, please take it back|can I swap the THING for a red one|where do I send the THING back to",
}
FINE = (
    "My last order came in time.|The invoice was fine, by the way.|The repair in spring was good.|I like your shop.||||"
)


def ticket(rng: Random) -> Example:
    topic = rng.choice(list(PROBLEMS))
    problem = one(rng, PROBLEMS[topic]).replace("THING", one(rng, THINGS))
    words = (one(rng, OPENINGS), problem + ".", one(rng, FINE), one(rng, CLOSINGS))
    return {"message": " ".join(word for word in words if word), "topic": topic}


# ------------------------------------------------------------------------------------- questions: one label for two texts

ASKED = {
    "open": "the opening hours of PLACE|when PLACE opens|at what time PLACE lets people in",
    "price": "the price of PLACE|what PLACE costs|how much one pays at PLACE",
    "way": "the way to PLACE|how to get to PLACE|where to find PLACE",
}
ASKING = "Can you tell me|I would like to know|Please tell me|Do you know|We were wondering about|My father asks about"
PLACES = "museum|swimming pool|library|zoo|castle|theatre|market|tower"


def question_pair(rng: Random) -> Example:
    place = f"the {one(rng, PLACES)}"
    first = rng.choice(list(ASKED))
    second = first if rng.random() < 0.5 else rng.choice([kind for kind in ASKED if kind != first])
    texts = [f"{one(rng, ASKING)} {one(rng, ASKED[kind])}?".replace("PLACE", place) for kind in (first, second)]
    return {"first": texts[0], "second": texts[1], "same": "yes" if first == second else "no"}


# ---------------------------------------------------------------------------------------- weather: how alike two texts are

SKIES = {
    "rain": "it rained without a break|the rain did not stop|the streets were wet with rain",
    "storm": "a storm took the roofs off|the storm broke many trees|there was a storm with thunder",
    "sun": "the sun shone from a blue sky|there was nothing but sun|people sat in the sun",
    "heat": "it was too hot to work|the heat was hard to bear|everybody hid from the heat",
}
ALIKE = {frozenset(("rain", "storm")): 3.0, frozenset(("sun", "heat")): 3.0}  # the same: 5; any other two: 0
TOWNS = "Oldham|Westby|Norwick|Sandford|Lakeside|Hillbury|Ashton|Milton"
DAYS = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
HOURS = "morning|afternoon|evening|night"


def weather_pair(rng: Random) -> Example:
    first, second = rng.choice(list(SKIES)), rng.choice(list(SKIES))
    texts = [
        f"On {one(rng, DAYS)} {one(rng, HOURS)} {one(rng, SKIES[sky])} in {one(rng, TOWNS)}." for sky in (first, second)
    ]
    alike = 5.0 if first == second else ALIKE.get(frozenset((first, second)), 0.0)
    return {"first": texts[0], "second": texts[1], "alike": alike}


# ---------------------------------------------------------------------------------------- reviews: several labels for a text

ASPECTS = {
    "food": "the soup was cold|the bread was fresh|every dish had too much salt|we loved the cake",
    "staff": "the waiter was kind|nobody greeted us|the cook came out to say hello|they forgot our order",
    "price": "it cost a fortune|the bill was fair|we paid too much|it is cheap for what you get",
    "noise": "the music was too loud|we could hardly hear each other|it was pleasantly quiet|the street is noisy",
}
VISITS = "We came on a Sunday.|We were there with friends.|It was our first visit.|I go there every month.|A friend came too."

OTHER = (
    "We sat by the window.|The room was painted blue.|We left at ten.|There is a garden behind the house.|It rained.|"
)


def review(rng: Random) -> Example:
    aspects = rng.sample(list(ASPECTS), rng.choice((0, 1, 1, 2, 2, 3)))
    said = [one(rng, ASPECTS[aspect]) for aspect in aspects]
    parts = [one(rng, VISITS), one(rng, OTHER), *(part[0].upper() + part[1:] + "." for part in said)]
    return {"review": " ".join(part for part in parts if part), "about": ",".join(sorted(aspects))}


# ---------------------------------------------------------------------------------------------- notices: a tag for each word

SYLLABLES = "ba|do|ke|la|mi|no|ra|su|ti|ve|zo|ri|lu|ga|pe"
NOTICES = (
    "PERSON was born in PLACE .|The mayor of PLACE thanked PERSON .|PERSON works for MAKER in PLACE .|"
    "MAKER opens a factory near PLACE .|PERSON leaves MAKER after ten years .|The roads around PLACE are closed .|"
    "Yesterday PERSON and PERSON met in PLACE .|Nobody was hurt .|MAKER pays more , says PERSON ."
)
ENDINGS = {"MAKER": "Works|Brothers|Company"}


def notice(rng: Random) -> Example:
    words, tags = [], []
    for word in one(rng, NOTICES).split():
        names = names_of(word, rng)
        words += names or [word]
        tags += [f"{'I' if number else 'B'}-{word}" for number in range(len(names))] or ["O"]
    return {"words": words, "tags": tags}


def names_of(word: str, rng: Random) -> list[str]:
    def name() -> str:
        return "".join(one(rng, SYLLABLES) for _ in range(rng.choice((2, 3)))).capitalize()

    if word == "PERSON":
        return [name() for _ in range(rng.choice((1, 2)))]
    if word == "MAKER":
        return [name(), one(rng, ENDINGS[word])]
    return [name()] if word == "PLACE" else []


# ------------------------------------------------------------------------------- events: a question and a text that answers it

PEOPLE = "Anna Berg|Tom Rask|Lena Frost|Karl Lund|Mia Holm|Jon Dahl|Eva Strand|Nils Aune"
BUILT = "bridge|school|mill|theatre|harbour|library"
TOLD = (
    "In YEAR PERSON built the THING of TOWN .|The THING in TOWN was built by PERSON in YEAR .|"
    "PERSON came to TOWN and built the THING there in YEAR ."
)
MORE = "It still stands.|Many people visit it.|The money came from the town.|It was painted twice."
QUESTIONS = {
    "PERSON": "Who built the THING?|Which person built the THING?",
    "TOWN": "Where is the THING?|In which town is the THING?",
    "YEAR": "When was the THING built?|In which year was the THING built?",
}


def event(rng: Random) -> Example:
    facts = {
        "PERSON": one(rng, PEOPLE), "TOWN": one(rng, TOWNS), "YEAR": str(rng.randrange(1700, 2000)), "THING": one(rng, BUILT)
    }  # fmt: skip
    asked = rng.choice(list(QUESTIONS))
    question, told = one(rng, QUESTIONS[asked]), one(rng, TOLD).replace(" .", ".")
    for name, value in facts.items():
        question, told = question.replace(name, value), told.replace(name, value)
    sentences = [told, one(rng, MORE)]
    return {"question": question, "context": " ".join(sentences), "answer": facts[asked]}


# ------------------------------------------------------------------------------------------- scenes: which continuation fits

SCENES = {
    "kitchen": "cut the onions|heated the oven|washed the plates|stirred the soup",
    "garden": "watered the roses|raked the leaves|planted a tree|cut the grass",
    "station": "bought a ticket|missed the train|waited on the platform|carried the suitcase",
    "school": "wrote on the board|corrected the tests|opened the exercise book|read the poem aloud",
}
WHO = "my sister|the old woman|our neighbour|a young woman|the girl|her aunt|the teacher|my friend"
DAY = "On Monday|Last week|Yesterday|In the morning|After lunch|Around noon|At six|In May"


def scene(rng: Random) -> Example:
    places = rng.sample(list(SCENES), 2)
    right = rng.randrange(2)
    done, fitting = rng.sample(SCENES[places[right]].split("|"), 2)
    endings = [fitting if number == right else one(rng, SCENES[place]) for number, place in enumerate(places)]
    before = f"{one(rng, DAY)} {one(rng, WHO)} was in the {places[right]} and {done}. Then"
    return {"before": before, "a": f"she {endings[0]}.", "b": f"she {endings[1]}.", "right": right}


# ------------------------------------------------------------------------------------------- texts without labels, to answer

NEW: dict[str, tuple[str | Example, ...]] = {
    "tickets": (
        "The parcel came, but the saddle in it is broken.",
        "You took the money for the pump two times!",
        "Where is my jacket? I ordered it three weeks ago.",
    ),
    "questions": (
        {"first": "Do you know when the zoo opens?", "second": "Please tell me the opening hours of the zoo?"},
        {"first": "Do you know when the zoo opens?", "second": "I would like to know how to get to the zoo?"},
        {"first": "Do you know when the zoo opens?", "second": "Can you tell me what the zoo costs?"},
    ),
    "weather": (
        {"first": "On Sunday it rained in Ashton.", "second": "On Monday the rain did not stop in Oldham."},
        {"first": "On Sunday it rained in Ashton.", "second": "On Monday there was a storm in Oldham."},
        {"first": "On Sunday it rained in Ashton.", "second": "On Monday the sun shone in Oldham."},
    ),
    "reviews": (
        "The cake was good but the bill was not.",
        "Kind people, and no music for once.",
        "We stayed for two hours.",
    ),
    "notices": ("Rasuti Veko works for Domi Brothers in Lagape.", "The roads around Pelizo are closed."),
    "events": (
        {"question": "Who built the mill?", "context": "The mill in Westby was built by Karl Lund in 1820."},
        {
            "question": "When was the school built?",
            "context": "Mia Dahl came to Ashton and built the school there in 1903.",
        },
        {"question": "Who painted the mill?", "context": "The mill in Westby was built by Karl Lund in 1820."},
    ),
    "scenes": (
        {"prompt": "Today she was in the garden. Then", "choices": ["she missed the train.", "she planted roses."]},
        {
            "prompt": "She ran to the station. Then",
            "choices": ["she stirred the soup.", "she slept.", "she found a seat."],
        },
    ),
}

# -------------------------------------------------------------------------------------------------------------------- files


def one(rng: Random, words: str) -> str:
    return rng.choice(words.split("|"))


def write_csv(path: Path, rows: list[Example]) -> None:
    with path.with_suffix(".csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def write_jsonl(path: Path, rows: list[Example]) -> None:
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    path.with_suffix(".jsonl").write_text("".join(lines), encoding="utf-8")


def write_columns(path: Path, rows: list[Example]) -> None:
    sentences = ["".join(f"{word} {tag}\n" for word, tag in zip(*row.values(), strict=True)) for row in rows]
    path.with_suffix(".conll").write_text("\n".join(sentences), encoding="utf-8")


# task -> (an example, its texts that no other file may hold, how files are written, examples of train; dev and test: a quarter)
Maker = tuple[Callable[[Random], Example], tuple[str, ...], Callable[[Path, list[Example]], None], int]
MAKERS: dict[str, Maker] = {
    "tickets": (ticket, ("message",), write_csv, 400),
    "questions": (question_pair, ("first", "second"), write_csv, 1000),
    "weather": (weather_pair, ("first", "second"), write_csv, 1200),
    "reviews": (review, ("review",), write_csv, 400),
    "notices": (notice, ("words",), write_columns, 400),
    "events": (event, ("context",), write_jsonl, 600),
    "scenes": (scene, ("before",), write_csv, 600),
}
PARTS = ("train", "train", "train", "train", "dev", "test")  # a text belongs to the one that its sum of bits gives


def write(task: str, folder: Path) -> None:
    """Write train, dev, test and new.txt, whose lines have no labels."""
    make, fields, write_rows, count = MAKERS[task]
    wanted = {"train": count, "dev": count // 4, "test": count // 4}
    rng, found = Random(task), {part: dict[str, Example]() for part in wanted}
    while any(len(found[part]) < wanted[part] for part in wanted):
        row = make(rng)
        parts = {PARTS[crc32(str(row[field]).encode()) % len(PARTS)] for field in fields}
        part = parts.pop()
        if not parts and len(found[part]) < wanted[part]:
            found[part][str(row)] = row
    folder.mkdir(parents=True, exist_ok=True)
    for part, rows in found.items():
        write_rows(folder / part, list(rows.values()))
    lines = [row if isinstance(row, str) else json.dumps(row) for row in NEW[task]]
    (folder / "new.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in MAKERS:
        sys.exit(f"python {sys.argv[0]} TASK FOLDER, where TASK is one of {', '.join(MAKERS)}")
    write(sys.argv[1], Path(sys.argv[2]))
