"""Comparisons that cannot be made fairly are refused, with their place and what to write."""

import pytest

from harness.study import InputError, load_study

HEAD = """\
study: made
question: q
workload: {data: digits, model: {name: mlp, depth: 1, width: 4}, optimizer: {name: adam, lr: 0.1}}
factors:
"""
FACTORS = {
    "a": "{path: model.depth, levels: [1, 2]}",
    "b": "{path: model.width, levels: [4, 8]}",
    "c": "{path: optimizer.lr, levels: [0.1, 0.2]}",
    "d": "{path: epochs, levels: [10, 20]}",
    "e": "{path: batch_size, levels: [32, 64]}",
}
FULL = "write `design: factorial`"
LEVELS = "{path: batch_size, levels: [16, 32, 64]}"
SAME = "compares the same arms with each other"


def load(tmp_path, design, factors, claim, above=0):
    text = HEAD + "".join(f"  {name}: {FACTORS[name]}\n" for name in factors)
    if design == "factorial":
        text += f"  size: {LEVELS}\n"
    text += f"arms: {{x: {{model.width: 9}}, y: {{model.width: 7}}}}\ndesign: {design}\nclaims:\n"
    file = tmp_path / "made.yaml"
    file.write_text(
        text + f"  - {{id: z, says: s, metric: test.accuracy, above: {above}, {claim}}}\n"
    )
    return load_study(file)


@pytest.mark.parametrize(
    ("design", "factors", "claim", "messages"),
    [
        ("half-fraction", "ab", "contrast: {a: [1, 2]}",
         ["a half-fraction of 2 factors cannot tell the effect of a from b", FULL]),
        ("half-fraction", "abc", "contrast: {a: [1, 2]}", ["from the interaction of b and c"]),
        ("half-fraction", "abc", "ratio: [{a: 1}, {a: 2}]", ["from the interaction of b and c"]),
        ("half-fraction", "abcd", "interaction: {a: [1, 2], b: [4, 8]}",
         ["the effect of a and b from the interaction of c and d", FULL]),
        ("half-fraction", "abcd", "contrast: {a: [1, 2], at: {b: 4}}",
         ["has no arms that differ in a and agree in everything else", FULL]),
        ("half-fraction", "abcd", "contrast: {a: [1, 2]}, across: range", ["no arms that differ"]),
        ("half-fraction", "abcd", "contrast: [{a: [1, 2]}, {a: 2}]", ["no arms that differ"]),
        ("half-fraction", "ab", "contrast: [{a: 1, b: 8}, {a: 2, b: 4}]",
         ["has no arm with a 1, b 8", FULL]),
        ("one-at-a-time", "ab", "interaction: {a: [1, 2], b: [4, 8]}",
         ["has no arm with a 2, b 8", FULL]),
        ("one-at-a-time", "ab", "contrast: {a: [1, 2], at: {b: 8}}",
         ["has no arm with a 2, b 8", FULL]),
        ("leave-one-out", "abc", "contrast: {a: [1, 2], at: {b: [8]}}", ["has no arm with", FULL]),
        ("one-at-a-time", "ab", "contrast: [{a: [1, 2], b: [4, 8]}, {a: 1, b: 4}]",
         ["no arms that differ in a and b agree in everything else", FULL]),
        ("one-at-a-time", "ab", "contrast: [{a: 2, b: 4}, {a: 1}]",
         ["a level of 'b' on one side and none on another"]),
        ("leave-one-out", "ab", "contrast: [{a: 2}, {b: 8}]", ["a level of 'a' on one side"]),
        ("one-at-a-time", "ab", "contrast: [{arm: x}, {a: 1}]",
         ["selects arms that differ in 'b' as well"]),
        ("factorial", "a", "contrast: [{a: 2}, {}]", ["a level of 'a' on one side"]),
        ("factorial", "a", "contrast: {a: [2, 2]}", [SAME, "2-16, 2-32, 2-64"]),
        ("factorial", "a", "contrast: {a: [[1, 2], [2, 1]]}", [SAME]),
        ("factorial", "a", "ratio: [{a: 1}, {a: [1, 1]}]", [SAME]),
        ("factorial", "a", "contrast: [{arm: x}, {arm: x}]", [SAME, "(x)"]),
        ("factorial", "a", "contrast: {arm: [x, x]}", [SAME]),
        ("factorial", "a", "interaction: {a: [1, 1], size: [16, 32]}", [SAME]),
        ("factorial", "a", "interaction: {a: [1, 2], size: [16, 16]}", [SAME]),
        ("factorial", "a", "trend: {points: {1: {arm: x}, 2: {arm: y}, 3: {arm: x}}}", [SAME]),
        ("factorial", "a", "trend: {points: {1: {size: 16}, 2: {size: 16}, 3: {size: 32}}}",
         [SAME]),
        ("factorial", "a", "trend: {points: {1: [{arm: x}, {arm: x}], 2: {arm: y}, 3: {a: 1}}}",
         [SAME]),
        ("factorial", "a", "trend: {points: {1: {arm: x}, 1.0: {arm: y}, 2: {a: 1}, 3: {a: 2}}}",
         ["trend.points", "two points stand at the same number"]),
        ("factorial", "a", "trend: {points: {1: {arm: x}, inf: {arm: y}, 2: {a: 1}}}", ["finite"]),
        ("factorial", "a", "trend: {over: size, contrast: {a: [1, 1]}}", [SAME]),
        ("factorial", "a", "trend: {over: size, contrast: {size: [16, 32]}}", ["'size' twice"]),
        ("factorial", "a", "trend: {over: size, at: {size: [16, 32]}}",
         ["to take some of them, write `points`"]),
        ("factorial", "a", "trend: {over: size, at: {a: 1}, contrast: {a: [1, 2]}}",
         ["names 'a' twice"]),
        ("factorial", "a", "contrast: {a: [1, 2], at: {a: 1}}", ["names 'a' twice"]),
        ("factorial", "a", "contrast: {a: [1, 2], at: {arm: x}}",
         ["arms that are selected by name have no level of 'a'"]),
        ("factorial", "a", "contrast: {a: [true, 2]}", ["factor 'a' has no level 'true'"]),
        ("one-at-a-time", "ab", "contrast: {a: [1, 2]}, across: range",
         ["the range is taken over several arms of one side; here arm 1-4 stands alone"]),
        ("factorial", "a", "of: {arm: x}, across: deviation", ["here arm x stands alone"]),
        ("explicit", "a", "contrast: {a: [1, 2]}", ["the design contains no such arm"]),
    ],
)  # fmt: skip
def test_a_comparison_that_would_mislead_is_refused(tmp_path, design, factors, claim, messages):
    with pytest.raises(InputError) as error:
        load(tmp_path, design, factors, claim)
    assert "made.yaml:" in str(error.value)
    assert "claims[0]." in str(error.value)
    for message in messages:
        assert message in str(error.value)


@pytest.mark.parametrize(
    ("design", "factors", "claim"),
    [
        ("half-fraction", "abcd", "contrast: {a: [1, 2]}"),
        ("half-fraction", "abcde", "interaction: {a: [1, 2], b: [4, 8]}"),
        ("one-at-a-time", "abc", "contrast: {a: [1, 2], at: {b: [4, 8]}}"),
        ("leave-one-out", "abc", "contrast: [{a: 2, b: 4}, {a: 1, b: 8}]"),
        ("one-at-a-time", "ab", "contrast: [{arm: x}, {a: 1, b: 4}]"),
        ("one-at-a-time", "ab", "contrast: [{arm: x}, {a: 2}]"),
        ("factorial", "a", "contrast: [{arm: x}, {a: 1}], across: highest"),
        ("factorial", "a", "trend: {points: {1: [{arm: x}, {arm: y}], 2: [{arm: x}, {a: 1}],"
         " 3: [{arm: x}, {a: 2}]}}"),
        ("factorial", "a", "of: {a: 1}, across: range"),
    ],
)  # fmt: skip
def test_fair_comparisons_are_accepted(tmp_path, design, factors, claim):
    above = 0.1 if "range" in claim else 0
    assert load(tmp_path, design, factors, claim, above).study.claims
