"""The methods of a study as a paper states them, and what it cites, with the numbers filled in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.evidence import Evidence
from harness.figures._labels import metric_name
from harness.formatting import amount, capitalized, level_text, listed, plural
from harness.integrity import evidence_digest
from harness.judged import Verdict
from harness.plan import SIMPLE_BASELINE
from harness.report.latex import escape_latex
from harness.report.panels.plan import (
    budget_in_words,
    samplers_in_words,
    space_in_words,
)
from harness.report.settings import imported_from, in_words, when
from harness.report.verdicts import level
from harness.trial import SECONDS, State
from harness.workloads import summary

_PROJECT = "harness"
_REFERENCES = Path(__file__).parent / "templates" / "references.bib"


class Methods:
    """Says how a profile of a study was done; each sentence is about what its records hold."""

    def __init__(self, evidence: Evidence, verdicts: Sequence[Verdict]):
        self._evidence, self._verdicts = evidence, verdicts
        self._plan, self._study = evidence.plan, evidence.plan.study
        self._cited: list[str] = []

    @property
    def key(self) -> str:
        """The key of the study in BibTeX."""
        return f"{self._study.study}-{self._plan.profile}"

    def paragraph(self, cite: str = "") -> str:
        """Return the paragraph; `cite` has a place {} for the keys of what it cites, or is empty.

        It has no line end.
        """
        self._cited = []
        parts = [self._question(), self._arms(), self._training(), self._search(cite),
                 self._seeds(), self._tests(cite), self._outcomes(), self._machine(),
                 self._origin(cite)]  # fmt: skip
        return " ".join(" ".join(part.split()) for part in parts if part)

    def latex(self) -> str:
        """Return the paragraph for LaTeX, with what it cites."""
        mark = "@@cite@@{}@@"
        parts = self.paragraph(mark).split("@@")
        text = ""
        for place, part in enumerate(parts):
            if part == "cite":
                continue
            is_key = place > 1 and parts[place - 1] == "cite"
            text += f"~\\cite{{{part}}}" if is_key else escape_latex(part).replace(" %", "\\,%")
        head = f"% The methods of the study {self.key}; the keys are those of references.bib.\n"
        return head + text + "\n"

    def bibtex(self) -> str:
        """Return the entries of the study, of the harness, and of what the paragraph cites."""
        self.paragraph("{}")
        execution = self._evidence.execution
        ended = datetime.fromtimestamp(execution.ended or execution.started, UTC)
        note = (
            f"Results of the study {self._study.study}, profile {self._plan.profile}: plan"
            f" {execution.plan_hash}, evidence {evidence_digest(self._evidence)}"
        )
        own = {"key": escape_latex(self._study.study),
               "title": "{" + escape_latex(self._study.question) + "}",
               "year": str(ended.year), "note": escape_latex(note)}  # fmt: skip
        software = {"key": _PROJECT, "author": "{The harness developers}",
                    "title": "harness: ablation studies of deep learning with verdicts that can be"
                    " trusted", "note": f"Version {self._version()}"}  # fmt: skip
        known = _REFERENCES.read_text().strip().split("\n\n")
        cited = [
            entry for entry in known if entry.partition("{")[2].partition(",")[0] in self._cited
        ]
        return "\n\n".join([_entry(self.key, own), _entry(_PROJECT, software), *cited]) + "\n"

    def _cites(self, key: str, cite: str) -> str:
        if cite and key not in self._cited:
            self._cited.append(key)
        return cite.format(key) if cite else ""

    def _version(self) -> str:
        known = self._evidence.execution.context.get("environment", {})
        return str(known.get("harness", "not recorded"))

    @property
    def _imported(self) -> bool:
        return bool(self._evidence.execution.context.get("imported"))

    # --- sentences ---------------------------------------------------------------------------
    def _question(self) -> str:
        late = [v for v in self._verdicts if v.exploratory or v.changed_after_evidence]
        claims = plural(len(self._verdicts), "claim")
        text = f"We asked: “{self._study.question}”"
        if not self._verdicts:
            return f"{text} No claim was declared."
        if not late:
            return (
                f"{text} We declared {claims} with their margins; none was changed after its"
                " evidence had been seen."
            )
        return (
            f"{text} We declared {claims} with their margins; {len(late)} of them"
            f" {'was' if len(late) == 1 else 'were'} written or changed after evidence had been"
            " seen, and are exploratory."
        )

    def _arms(self) -> str:
        study = self._study
        factors = [
            f"{name} ({listed([level_text(one) for one in factor.levels])})"
            for name, factor in study.factors.items()
        ]
        named = [arm.name for arm in self._plan.arms if arm.named]
        text = (
            f"The design “{study.design.name}” over {listed(factors)} gives"
            if factors
            else "There are"
        )
        text += f" {plural(len(self._plan.arms), 'arm')}"
        text += f" ({listed(named)} declared singly)" if named and factors else ""
        text += f"; the baseline is {self._plan.baseline.name}."
        simple = any(arm.name == SIMPLE_BASELINE for arm in self._plan.all_arms)
        if simple and study.simple_model:
            name = study.simple_model.replace("_", " ")
            text += f" A model without deep learning ({name}) stands beside them."
        return text

    def _training(self) -> str:
        if self._imported:
            origin = imported_from(self._evidence.execution.context)
            return (
                f"The runs were trained by other code and read from {origin}; how they were tuned"
                " is not known here."
            )
        data: dict[str, str] = {}
        for arm in self._plan.arms:
            sizes = summary(arm.workload["data"])
            data[in_words(arm.workload["data"])] = (
                f"about {sizes.examples:,} examples for training and validation and"
                f" {sizes.test:,} for the test"
            )
        sets = listed([f"{name} with {sizes}" for name, sizes in data.items()])
        return (
            f"Data: {sets}. Unless an arm says otherwise, what is trained is {self._workload()}."
            f" The epoch was selected by {metric_name(self._evidence.validation_metric)}, and each"
            " trial read the test split once, with the weights of that epoch."
        )

    def _workload(self) -> str:
        """Say what arms have in common, without the data and without what is left out."""
        given = self._study.workload.model_dump(mode="json")
        return in_words(_said({name: v for name, v in given.items() if name != "data"}))

    def _search(self, cite: str) -> str:
        search = self._study.search
        if self._imported:
            return ""
        if search is None:
            return "Nothing was tuned: all settings are fixed."
        optuna = self._cites("akiba2019optuna", cite)
        again = ""
        if search.repeats > 1:
            again = (
                " The search was repeated, so that the luck of tuning is part of every interval"
                f"{self._cites('bouthillier2021variance', cite)}."
            )
        return (
            "Each arm was tuned by a search of its own, with the same budget for all:"
            f" {budget_in_words(search)} by {samplers_in_words(self._plan)}{optuna}, each on"
            f" {plural(search.seeds, 'seed')} that no confirmation uses, over"
            f" {space_in_words(search)}. The candidate with the best"
            f" {metric_name(self._plan.search_metric(self._plan.baseline))} won.{again}"
        )

    def _seeds(self) -> str:
        study = self._study
        seeds = plural(study.most_seeds, "seed")
        if self._imported:
            return f"Each arm has {seeds}, and arms are compared within a seed."
        if len(study.looks) > 1:
            seeds = f"{study.first_seeds} to {seeds}"
        how = "The winner was then trained afresh" if study.search else "Each arm was trained"
        return (
            f"{how} on {seeds}. All arms share the seeds, and with them the division into training"
            " and validation and the order of examples, so that they are compared in pairs; only"
            " these trials are evidence."
        )

    def _tests(self, cite: str) -> str:
        study, verdicts = self._study, self._verdicts
        if not verdicts:
            return ""
        text = (
            "Each claim was reduced to one number per seed, and judged by where the interval of"
            " their mean lies (Student's t; of shares an exact one), with an error rate of"
            f" {study.alpha:g} for {plural(len(verdicts), 'claim')} together (Bonferroni)"
        )
        levels = list(dict.fromkeys(level(v) for v in verdicts if v.effect is not None))
        text += f": intervals of {listed(levels)}." if levels else "."
        wide = sum(v.interval_over == "seeds and test examples" for v in verdicts)
        if wide:
            allow = "allows" if wide == 1 else "allow"
            text += (
                f" {capitalized(plural(wide, 'interval'))} also {allow} for the choice of test"
                " examples (crossed random effects)."
            )
        if any(v.p_sign_flip is not None for v in verdicts):
            text += " A sign-flip test is a check beside it."
        if len(study.looks) > 1:
            looks = listed([str(seeds) for seeds in study.looks])
            text += (
                f" Claims were judged at {looks} seeds; each of these looks spends a part of the"
                f" error rate{self._cites('lan1983discrete', cite)}."
            )
        return text

    def _outcomes(self) -> str:
        rows = self._evidence.trials.drop_duplicates("trial_id")
        states = rows["state"].value_counts()
        told = [f"{states[s]:,} {s.value}" for s in State if s.value in states]
        missing = int(states.get("missing", 0))
        told += [f"{missing:,} missing"] if missing else []
        counts = Counter(v.verdict for v in self._verdicts)
        text = f"Of {plural(len(rows), 'trial')}, {listed(told)}." if len(rows) else ""
        if counts:
            text += f" Claims: {listed([f'{n} {word}' for word, n in counts.items()])}."
        return text

    def _machine(self) -> str:
        if self._imported:
            return ""
        rows = self._evidence.trials
        devices = list(rows["device"].dropna().unique()) if "device" in rows else []
        known = self._evidence.execution.context.get("environment", {})
        told = [str(known["system"])] if "system" in known else []
        told += [f"{known['cores']} cores"] if "cores" in known else []
        versions = (("python", "Python"), ("torch", "PyTorch"))
        told += [f"{word} {known[name]}" for name, word in versions if name in known]
        text = "Trials ran"
        text += f" on {listed([str(device) for device in devices])}" if len(devices) else ""
        text += f" ({', '.join(told)})" if told else ""
        spent = rows.drop_duplicates("trial_id").get(f"spent.{SECONDS}")
        if spent is not None and spent.notna().all() and len(spent):
            text += f" and took {amount(SECONDS, float(spent.sum()))} of workers' time"
        return f"{text}."

    def _origin(self, cite: str) -> str:
        execution = self._evidence.execution
        return (
            f"The study was run with harness {self._version()}{self._cites(_PROJECT, cite)}"
            f" ({when(execution.ended)}; plan {execution.plan_hash}, evidence"
            f" {evidence_digest(self._evidence)}){self._cites(self.key, cite)}."
        )


def _said(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that say something: not what is absent, off or left to the harness."""
    found = {
        name: _said(value) if isinstance(value, Mapping) else value
        for name, value in settings.items()
        if value is not False and value not in (None, "none", "auto", "last")
    }
    return {name: value for name, value in found.items() if value not in ({}, [])}


def _entry(key: str, fields: Mapping[str, str]) -> str:
    """Write an entry of BibTeX; what is not known of a study, such as its authors, is left out."""
    lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
    return f"@misc{{{key},\n{lines}\n}}"
