"""Planted good and bad answers to tasks: how many are told rightly, a bad one by the code of its fault."""
from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import polars as pl

import ilk
from ilk.checked import Task
from ilk.sandbox import sandbox
from ilk.tasks._program import Problem
from ilk.tasks._query import computed, read
from ilk.tasks.branching import Branching
from ilk.tasks.code import Code
from ilk.tasks.extraction import Extraction
from ilk.tasks.quiz import Quiz
from ilk.tasks.report import Report
from ilk.tasks.summary import Summary
from ilk.tasks.translation import Translation
from ilk.tasks.writing import Writing

Case = tuple[str, Task[Any, Any], Any, str, str]   # the sort, the task, what is given, an answer, and the code of its fault ("" for none)

# A text, faithful summaries in other words, then summaries with a fault. They were written before the check was run on them, and it was not changed after.
PASSAGES = (
    ("The lighthouse at Cape Orn was built in 1871 by Martha Keel. Its lamp burned whale oil until 1903, when electricity came. Storms broke its windows twice. The last keeper, Jonas Brand, "
     "left in 1984. Since then the light has been automatic. Visitors can climb its 212 steps from May to October.",
     ("Martha Keel built the Cape Orn lighthouse in 1871.", "The lighthouse has been automatic since its last keeper left in 1984."),
     (("The lighthouse was built in 1817.", "NUMBER"), ("The lighthouse was built by Edith Moor in 1871.", "NAME"), ("A museum shop sells postcards and tea to travellers.", "UNSUPPORTED"),
      ("Visitors cannot climb its 212 steps from May to October.", "NEGATION"), ("Jonas Brand built the lighthouse in 1871.", "SWAP"))),
    ("Bees find flowers by colour and scent. A scout that finds food returns to the hive and dances. The angle of the dance shows the direction, and its length shows the distance. Karl von Frisch "
     "decoded the dance in 1944. He shared the Nobel Prize in 1973. Bees do not see red.",
     ("A scout bee dances in the hive to show the direction and distance of food.", "Karl von Frisch, who decoded the dance in 1944, shared the Nobel Prize in 1973."),
     (("Karl von Frisch decoded the dance in 1954.", "NUMBER"), ("The dance was decoded in Vienna by Karl von Frisch.", "NAME"), ("Honey is sold on markets for its health benefits.", "UNSUPPORTED"),
      ("Bees see red.", "NEGATION"), ("The length of the dance shows the direction.", "SWAP"))),
    ("The town council met on Tuesday. It approved 3 million euros for a new bridge over the Lahn. Mayor Ines Vogt voted for it; her rival Peter Hahn voted against it. Work begins in spring and takes "
     "14 months. Shops on the river fear that they lose customers. The old bridge will not be torn down.",
     ("The council approved 3 million euros for a new bridge over the Lahn.", "Work on the bridge begins in spring and takes 14 months."),
     (("The council approved 5 million euros for a new bridge.", "NUMBER"), ("The council approved a new bridge over the Rhine.", "NAME"), ("Engineers praised the elegant steel design.", "UNSUPPORTED"),
      ("The old bridge will be torn down.", "NEGATION"), ("Peter Hahn voted for the bridge.", "SWAP"))),
    ("Sourdough needs flour, water, salt and time. The starter is fed with 50 grams of flour each day. After 12 hours in a cool room the dough has doubled. It is baked at 240 degrees for 40 minutes. "
     "Steam keeps the crust soft at first. Without salt the bread tastes flat.",
     ("The dough doubles after 12 hours in a cool room and is baked at 240 degrees.", "The starter is fed 50 grams of flour each day."),
     (("The bread is baked at 420 degrees for 40 minutes.", "NUMBER"), ("The starter from Naples is fed with flour each day.", "NAME"), ("Supermarkets offer cheaper industrial loaves nowadays.", "UNSUPPORTED"),
      ("The dough has not doubled after 12 hours.", "NEGATION"), ("The dough is baked for 12 hours.", "SWAP"))),
    ("这座图书馆建于1952年，藏书三十多万册。馆长李明说，每天约有800名读者来访。去年新修了儿童阅览室。周一图书馆不开放。王芳捐出了祖父留下的古籍。",
     ("图书馆建于1952年，藏书三十多万册。", "每天约有800名读者来访，周一不开放。"),
     (("图书馆建于1925年。", "NUMBER"), ("附近的餐厅提供便宜的午饭。", "UNSUPPORTED"), ("周一图书馆开放。", "NEGATION"), ("李明捐出了祖父留下的古籍。", "SWAP"))))
TRANSLATIONS = (
    ("zh", "Dear {name}, your order 4521 ships on 3 May.", "尊敬的{name}，您的订单4521将于5月3日发货。", "尊敬的客户，您的订单4521将于3号发货。", "PLACEHOLDER"),
    ("zh", "The room costs 85 euros a night.", "房间每晚85欧元。", "房间每晚58欧元。", "NUMBER"), ("en", "会议在下午3点开始。\n请准时。", "The meeting starts at 3 pm.\nPlease be on time.", "The meeting starts at 3 pm.", "LINES"),
    ("fr", "The train leaves from platform 9 and it is late.", "Le train part de la voie 9 et il est en retard.", "The train leaves from platform 9 and it is late.", "LANGUAGE"),
    ("de", "I have not seen the two letters on the table.", "Ich habe die zwei Briefe auf dem Tisch nicht gesehen.", "J'ai pas vu les deux lettres sur la table.", "LANGUAGE"),
    ("es", "See https://a.example/help for the 12 rules.", "Vea https://a.example/help para las 12 reglas.", "Vea la página para las 12 reglas.", "PLACEHOLDER"),
    ("ja", "Press <b>OK</b> to go on.", "続けるには<b>OK</b>を押してください。", "続けるにはOKを押してください。", "PLACEHOLDER"), ("zh", "Good morning, everybody.", "大家早上好。", "皆さん、おはようございます。", "LANGUAGE"))
PROGRAMS = (
    ("def f(n):\n    return n * f(n - 1) if n > 1 else 1", "def f(n):\n    return n * f(n - 1) if n > 0 else 0", ("assert f(1) == 1", "assert f(5) == 120")),
    ("def f(s):\n    return s == s[::-1]", "def f(s):\n    return s[0] == s[-1]", ("assert f('abba')", "assert not f('abca')")),
    ("def f(a):\n    return sorted(set(a))", "def f(a):\n    return sorted(a)", ("assert f([2, 1, 2]) == [1, 2]",)),
    ("def f(a, b):\n    while b:\n        a, b = b, a % b\n    return a", "def f(a, b):\n    while a:\n        b = b % a\n    return a", ("assert f(12, 18) == 6",)),
    ("def f(a):\n    return max(a) - min(a)", "def f(a):\n    return max(a) - min(a", ("assert f([3, 9, 4]) == 6",)))


def summaries() -> Iterator[Case]:
    for text, good, bad in PASSAGES:
        yield from (("summary", Summary(ratio=0.6), text, answer, "") for answer in good)
        yield from (("summary_swapped" if code == "SWAP" else "summary", Summary(ratio=0.6), text, answer, code) for answer, code in bad)
        words = text.split()
        yield "extraction", Extraction(fields={"first": "text"}), text, json.dumps({"first": " ".join(words[2:4]) or text[:4]}), ""
        yield "extraction", Extraction(fields={"first": "text"}), text, json.dumps({"first": " ".join(words[3:1:-1]) or text[3::-1]}), "NOT_FOUND"


def tables(rng: ilk.Rng, n: int) -> Iterator[Case]:
    """Random queries on adult: the figure as the table gives it, and one that is off by a unit of its last digit or more."""
    table: pl.DataFrame = ilk.read("adult").items[:2000]
    kinds = [(c, v) for c in ("sex", "income", "workclass") for v in table[c].drop_nulls().unique(maintain_order=True).to_list()[:3]]
    for i in range(n):
        draw = rng.child(i).integers(4, 1000).tolist()
        column, (name, kind) = ("age", "hours-per-week")[draw[0] % 2], kinds[draw[1] % len(kinds)]
        query = f"{('mean', 'max', 'count', 'sum')[draw[2] % 4]}(`{column}` where {name} == '{kind}')"
        right = round(computed(read(query), table), 1)
        for said, code in ((right, ""), (round(right + (0.1 + draw[3] % 50 / 10) * (1 if draw[3] % 2 else -1), 1), "WRONG")):
            yield "report", Report(), table, f"Of those with {name} {kind} it is {{{{{said} = {query}}}}}.", code
        asks = f"Where {name} is {kind}, what is the figure of {column}?"
        for said, code in ((right, ""), (right + 1, "KEY")):
            yield "quiz", Quiz(questions=1), table, json.dumps({"questions": [{"question": asks, "key": str(said), "sort": "query", "by": query}]}), code
        yield "report", Report(), table, f"{{{{count()}}}} rows; the mean age is {right}.", "NUMBER"


def stories(rng: ilk.Rng, n: int) -> Iterator[Case]:
    """A chain of rooms, a thing in each that one may take or leave; a text names a thing of the room or one that may have been left."""
    things = ("lamp", "rope", "key", "map", "flute", "coin")
    for i in range(n):
        order = [things[j] for j in rng.child(i).shuffle(len(things)).tolist()]
        scenes = {f"room {k}": {"outline": "A room.", "choices": [{"says": f"take the {t}", "to": f"room {k + 1}", "gives": [t]}, {"says": "leave it", "to": f"room {k + 1}"}]}
                  for k, t in enumerate(order)} | {f"room {len(order)}": {"outline": "The end.", "ending": True}}
        story = Branching().read(json.dumps({"start": "room 0", "scenes": scenes}))
        texts = {name: f"Here lies a {order[k]}." if k < len(order) else "You are out." for k, name in enumerate(scenes)}
        at = 1 + int(rng.child(i, "at").integers(1, len(order))[0])
        yield "branching", Branching(), story, json.dumps(texts), ""
        yield "branching", Branching(), story, json.dumps(texts | {f"room {at}": f"You hold the {order[at - 1]}."}), "THING"


def others() -> Iterator[Case]:
    for to, text, good, bad, code in TRANSLATIONS:
        yield from (("translation", Translation(to=to), text, answer, fault) for answer, fault in ((good, ""), (bad, code)))   # type: ignore[arg-type]
    for right, wrong, tests in PROGRAMS if sandbox() else ():
        yield from (("code", Code(seconds=2), Problem("", tests), code, fault) for code, fault in ((right, ""), (wrong, "TEST|BROKEN|STOPPED")))
    for text, _, _ in PASSAGES[:4]:
        plain = Writing(style="poem", least=1, most=400, known=(text,))
        poem = "\n".join(" ".join(reversed(s.split())) for s in text.split(". "))
        yield "writing", plain, "a poem", poem, ""
        yield "writing", plain, "a poem", text.replace(". ", ".\n"), "COPIED"
        yield "writing", plain, "a poem", poem + "\n" + poem, "REPEATED"
        yield "writing", Writing(style="poem", least=1, most=400, forbidden=(poem.split()[1].strip(".,"),)), "a poem", poem, "FORBIDDEN"


def figure(seed: int) -> dict[str, Any]:
    """The share told rightly: a good answer passes, a bad one fails with its code. Swapped roles, which no check here looks for, count too."""
    rng = ilk.Rng(seed).child("task_checks")
    counts: dict[str, list[int]] = {}
    missed = []
    for sort, job, given, answer, code in (*summaries(), *tables(rng, 40), *stories(rng.child("stories"), 20), *others()):
        found = {f.code for f in job.check(given, answer).findings}
        right = bool(found & set(code.split("|"))) if code else not found
        row = counts.setdefault(f"{sort} {'bad' if code else 'good'}", [0, 0])
        row[0] += right
        row[1] += 1
        if not right:
            missed.append([sort, code, answer[:120], sorted(found)])
    right, n = (sum(row[i] for row in counts.values()) for i in (0, 1))
    good = sum(row[1] for name, row in counts.items() if name.endswith("good"))
    return {"value": right / n, "unit": "share of planted answers told rightly", "n": n, "floor": good / n, "ceiling": 1.0, "published": None,
            **{name.replace(" ", "_"): f"{a} of {b}" for name, (a, b) in counts.items()}, "missed": missed[:20],
            "protocol": "good answers have to pass, bad ones to fail with the code of the planted fault; floor: everything passes. Summaries in other words and their faults are written by hand, "
                        "tables are 2,000 rows of adult. Summaries with swapped roles (no word is new) are missed by design. Months by name (3 May, 5月3日) were let pass after the first run had named one"}
