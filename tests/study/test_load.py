from pathlib import Path

import pytest
import yaml

from harness.study import InputError, load_study, study_from_dict

STUDIES = sorted(Path("studies").glob("*.yaml"))


@pytest.mark.parametrize("file", STUDIES, ids=lambda file: file.stem)
def test_every_study_is_sound_and_names_the_schema(file):
    assert file.read_text().startswith("# yaml-language-server: $schema=study.schema.json\n")
    loaded = load_study(file)
    assert loaded.study.study == file.stem
    assert {"quick", "full"} <= set(loaded.study.profiles)


def change(file: Path, path: str, value: object) -> Path:
    data = yaml.safe_load(file.read_text())
    node = data
    *parents, last = path.split("/")
    for part in parents:
        node = node[int(part) if part.isdecimal() else part]
    if value is ...:
        del node[last]
    else:
        node[int(last) if last.isdecimal() else last] = value
    file.write_text(yaml.safe_dump(data, sort_keys=False))
    return file


CLAIM = {"id": "x", "says": "x", "metric": "test.accuracy", "greater_by": 0.1}
BAD = [
    ("sedes", 5, "unknown key 'sedes'; did you mean 'seeds'"),
    ("workload/model/activation", "rleu", "'rleu' is not one of relu, .*did you mean 'relu'"),
    ("workload/model/widht", 3, "unknown key 'widht'; did you mean 'width'"),
    ("workload/model/width", "wide", 'expected a whole number, found "wide"'),
    ("workload/model/width", 0, "greater than or equal to 1"),
    ("workload/model/name", "mpl", "'mpl' is not one of alexnet, .*did you mean 'mlp'"),
    ("workload/data", "digit", "'digit' is not one of 'digits', 'mnist'|did you mean 'digits'"),
    ("workload/optimizer/name", "adan", "did you mean 'adam'"),
    ("workload/optimizer/momentum", 0.9, "unknown key 'momentum'"),
    ("workload/epochs", 2.5, "expected a whole number, found 2.5"),
    ("workload/epochs", True, "expected a whole number, found true"),
    ("workload", ..., "workload: is missing"),
    ("question", ..., "question: is missing"),
    ("study", "../evil", "does not have the form"),
    ("study", "a" * 300, "does not have the form"),
    ("factors/activation/levels/1", "tanhh", "did you mean 'tanh'"),
    ("factors/activation/path", "model.activaton", "did you mean 'activation'"),
    ("factors/activation/path", "modle.activation", "unknown key 'modle'; did you mean 'model'"),
    ("factors/activation/path", ..., "a list of levels needs a `path`"),
    ("factors/activation/levels", [], "at least 1"),
    ("factors/activation/levels", ["relu", "relu"], "the same level stands here twice"),
    ("design", "fractorial", "did you mean 'factorial'"),
    ("arms/linear", {"model.dpeth": 0}, "did you mean 'depth'"),
    ("search/space", {"optimizer.lrr": {"log": [0.1, 1.0]}}, "did you mean 'lr'"),
    ("search/space", {"optimizer.lr": {"log": [1.0, 0.1]}}, "a lower and a higher bound"),
    ("search/space", {"optimizer.lr": {"log": [0.0, 0.1]}}, "greater than 0"),
    ("search/space", {"epochs": {"uniform": [1.0, 2.0]}}, "expected a whole number"),
    ("search/sampler", "tpa", "did you mean 'tpe'"),
    ("search/candidates", 0, "greater than or equal to 1"),
    ("search/metric", "test.accuracy", "does not have the form"),
    ("seeds", 1, "greater than or equal to 2"),
    ("probes", ["dead_unit"], "did you mean 'dead_units'"),
    ("probes", [{"name": "dead_units", "on": {"depth": 2}}], "no factor is called 'depth'"),
    ("profiles/more", {"seeed": 6}, "unknown key 'seeed'; did you mean 'seeds'"),
    ("profiles/more", ["seeds"], "expected a mapping"),
    ("profiles/more", {"seeds.x": 6}, "leads through a plain value"),
    ("study", "published", "is the folder of the pages"),
    ("profiles/default", {"seeds": 6}, "is the name of the study as it stands"),
    ("claims/1/id", "relu-beats-sigmoid", "is already used by"),
    ("claims/0/contrast", {"activation": ["relu", "sigmoyd"]}, "did you mean 'sigmoid'"),
    ("claims/0/contrast", {"activations": ["relu", "tanh"]}, "did you mean 'activation'"),
    ("claims/0/contrast", {"activation": ["relu"]}, "exactly two levels"),
    ("claims/0/contrast", [{"arm": "liner"}, {"activation": "relu"}], "did you mean 'linear'"),
    ("claims/0/metric", "accuracy", "does not have the form"),
    ("claims/0/greater_by", ..., "needs exactly one hypothesis"),
    ("claims/0/less_by", 0.1, "needs exactly one hypothesis"),
    ("claims/0/greater_by", -0.1, "greater than or equal to 0"),
    ("claims/0", CLAIM, "needs exactly one measure"),
    ("claims/0", CLAIM | {"trend": {"over": "activation"}}, "three or more numeric levels"),
    ("claims/0", CLAIM | {"trend": {"over": "depth"}}, "no factor is called 'depth'"),
    ("claims/0/between", [2.0, 1.0], "needs exactly one hypothesis|lower and a higher"),
    ("claims/0", CLAIM | {"interaction": {"activation": ["relu", "tanh"]}}, "is written"),
    ("design", "leave-one-out", "needs exactly two levels"),
    ("claims/1/all_of", [], "at least 1"),
    ("claims/1/all_of/0/within", "small", "expected a number"),
    ("alpha", 0.7, "less than 0.5"),
]


@pytest.mark.parametrize(("path", "value", "message"), BAD, ids=lambda v: str(v)[:40])
def test_a_mistake_is_placed_and_explained(tiny, path, value, message):
    change(tiny, path, value)
    with pytest.raises(InputError, match=message) as error:
        load_study(tiny)
    problem = error.value.problems[0]
    assert problem.file == str(tiny)
    assert problem.line is not None
    assert problem.line <= len(tiny.read_text().splitlines())


def test_the_place_is_exact(tiny):
    tiny.write_text(tiny.read_text().replace("tanh, sigmoid]", "tahn, sigmoid]"))
    with pytest.raises(InputError) as error:
        load_study(tiny)
    line = tiny.read_text().splitlines()[error.value.problems[0].line - 1]
    assert line[error.value.problems[0].column - 1 :].startswith("tahn")


def test_every_mistake_is_told_at_once(tiny):
    change(tiny, "alpha", 2.0)
    change(tiny, "seeds", 0)
    with pytest.raises(InputError) as error:
        load_study(tiny)
    assert {problem.path for problem in error.value.problems} == {"alpha", "seeds"}


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "is empty"), (b"\xff\xfe\x00binary\x80", "not a text file"), (None, "cannot be read")],
)
def test_files_that_are_no_study(tmp_path, content, message):
    file = tmp_path / "x.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=message):
        load_study(file)


def test_profiles_and_overrides(tiny):
    loaded = load_study(tiny, "more", ["seeds=7", "workload.model.width=4"])
    assert loaded.study.seeds == 7
    assert loaded.study.search.candidates == 4
    assert loaded.study.workload.model.width == 4
    assert loaded.overrides == {"seeds": 7, "workload.model.width": 4}
    with pytest.raises(InputError, match="did you mean 'more'"):
        load_study(tiny, "mroe")
    with pytest.raises(InputError, match="path=value"):
        load_study(tiny, None, ["seeds"])


def test_a_stored_study_can_be_read_again(tiny):
    loaded = load_study(tiny)
    data = loaded.study.model_dump(mode="json", exclude_unset=True)
    study, arms = study_from_dict(data)
    assert study == loaded.study
    assert arms == loaded.arms
