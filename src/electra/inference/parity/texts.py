"""Texts that an exported model is compared on where nobody gave any: eight passages of several kinds, in English."""

import json
from collections.abc import Iterator

OWN = "own example texts, in English"
PASSAGES = (
    "The ferry leaves at seven. In winter there is a second one at noon, which the school children take when the road"
    " along the coast is closed. Tickets are sold on board, and dogs travel for free. Nobody has ever counted how "
    "many umbrellas stay behind on the upper deck. Last spring the captain hung them along the railing, where "
    "forty-three of them dried in the wind, and by the evening all but two had found their owners again.",
    "Our new kettle is a disappointment. It boils quickly, I admit, but the handle gets so hot that I need a cloth to"
    " pour, and after three weeks the lid no longer closes. I wrote to the shop twice. They answered politely, asked "
    "for a photograph and the receipt, and then sent me the same kettle in another colour. If you want one that "
    "lasts, spend twenty more and buy the steel model from the same maker.",
    "Copper was smelted in the valley as early as the fourth century before our era. The slag heaps are still visible"
    " from the air: dark ovals between the vineyards, too regular to be natural. Samples taken in 1987 contained "
    "traces of arsenic, which makes the metal harder but poisons the smith. Whether the early founders knew the "
    "danger is disputed. Two graves from the settlement hold men whose bones were changed by it, and both were buried"
    " with unusual honours.",
    "Mix the flour with the salt, then rub in the butter. Add cold water, a spoon at a time, until the dough just "
    "holds together. Let it rest. Meanwhile peel four apples, cut them into thin slices and toss them with lemon "
    "juice, cinnamon and two spoons of brown sugar. Roll out the dough, lay the fruit on it and fold the edges over. "
    "Bake for forty minutes at 190 degrees, or until the juice begins to bubble at the sides.",
    "The central bank left its rate unchanged on Thursday, as most analysts had expected. In a short statement the "
    "governor said that prices were rising more slowly, though wages in services still grew by 5.2 per cent. Shares "
    "of banks fell. A majority of the committee wants to wait for the figures of the second quarter, while two "
    "members voted for a cut at once. The next meeting takes place on 12 June.",
    "Dr. Amara Lindqvist joined the hospital in Tromsø in 2009 and has led its heart clinic since 2016. She studied "
    "in Leiden and Montréal. Her group showed that patients who walk on the second day leave the ward a week earlier."
    " The study, which followed 1,204 people, was financed by the Northern Health Fund and not by a manufacturer. "
    "Critics note that the oldest patients were left out, and a second study with people over eighty began in March.",
    "To restart the router, hold the small button on its back for ten seconds. All lights go off and then blink "
    "twice. Your settings are kept. If the lamp in the middle stays red, the cable between wall and router may be "
    "loose, or the line itself is down; call the number on the label and have your customer number ready. Please "
    "don't open the case: there are no parts inside that you could repair, and the warranty ends when the seal is "
    "broken.",
    "She never liked the house. It was too large for two, the stairs creaked, and from the kitchen one saw only the "
    "wall of the brewery. Still, when the letter came and they had to move, she went through every room and touched "
    "the door frames. On one of them, in pencil, stood the heights of children she had never met: Anna, 1931, and "
    "Paul, who had been so much smaller. She copied the names and the years into her diary before she gave the keys "
    "away.",
)


def own_lines(kind: str, *, has_pair: bool = False) -> Iterator[str]:
    """Lines for a kind of task: beginnings of the passages, of one sentence, two, ..., the whole."""
    for number, passage in enumerate(PASSAGES):
        sentences = passage.replace("! ", ". ").split(". ")
        other = PASSAGES[number - 1].split(". ")
        for count in range(1, len(sentences) + 1):
            text = ". ".join(sentences[:count]).rstrip(".") + "."
            if kind == "answering":
                asked = " ".join(sentences[count - 1].split()[:5])
                yield json.dumps({"question": f"What of: {asked}?", "context": text})
            elif kind == "choice":
                yield json.dumps({"prompt": text, "choices": [f"{sentences[count - 1]}.", f"{other[0]}."]})
            elif has_pair:
                yield json.dumps({"text": text, "pair": f"{other[0]}."})
            else:
                yield text
